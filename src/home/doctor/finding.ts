/** What doctor finds: one sentence about one thing, and what mends it. */
export type Level = "ok" | "warn" | "fail";

export type Finding = {
  level: Level;
  /** What it is about: the name of a native hook, or a word such as "database". */
  about: string;
  /** One sentence. It may hold paths and names from a repository, so whoever shows it escapes it. */
  says: string;
  /** The command that mends it, or what to do; null when all is well. */
  mend: string | null;
};

/** What `doctor --fix` mends itself. */
export const FIX = "gatepost doctor --fix";
/** The list of what waits for a person. */
export const PARKED = "gatepost runs --parked";

export const fine = (about: string, says: string): Finding => ({ level: "ok", about, says, mend: null });
/** Something is not as it should be, and nothing is let through because of it. */
export const warning = (about: string, says: string, mend: string): Finding => ({ level: "warn", about, says, mend });
/** A hook that should run does not, or nothing works. */
export const failure = (about: string, says: string, mend: string): Finding => ({ level: "fail", about, says, mend });

/** "1 hook", "2 hooks", "2 entries". */
export const counted = (count: number, noun: string): string =>
  `${count} ${count === 1 ? noun : noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`}`;

/** The first few of a list. */
export const few = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
