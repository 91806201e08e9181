/** What a program hands to the library, looked at before it is used: nothing checks the types of a JavaScript program. */
import { GatepostError } from "../core/errors.ts";
import { ARTIFACTS, type HookSpec } from "../core/hook.ts";
import { nearest } from "../core/hook-type.ts";
import type { RunId } from "../core/units.ts";
import type { Asked } from "./runs.ts";

/** A run filter as a program gives it. */
export type RunsFilter = {
  /** Name or path of a repository. */
  repository?: string;
  /** Id or name of a hook. */
  hook?: number | string;
  /** Only these states; by default any. */
  states?: readonly ("waiting" | "running" | "done" | "failed" | "parked" | "skipped")[];
  /** Made at this time or later. */
  since?: Date;
  /** Only runs whose id is above this one. */
  after?: number;
  /** Only those of gates that refused or were broken. */
  refused?: boolean;
  /** At most so many (default 20). */
  limit?: number;
};

/** What is to be paused, or to go on: one repository (name or path), or one hook (id or name). */
export type PauseOf =
  | { repository: string; hook?: never; reason?: string }
  | { hook: number | string; repository?: never; reason?: string };

/** What pass and serve are asked for, in milliseconds. */
export type Pace = { poll?: number; min?: number; jobs?: number };

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === "string";
const flag: Check = (value) => typeof value === "boolean";
const natural: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const positive: Check = (value) => natural(value) && value !== 0;
const list =
  (of: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(of);
const filled: Check = (value) => list(text)(value) && (value as string[]).length > 0;
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const among =
  (...words: readonly string[]): Check =>
  (value) =>
    words.includes(value as string);

const scope: Check = (value) => {
  const { scope, repository, pattern } = (value ?? {}) as Record<string, unknown>;
  if (scope === "repository") return positive(repository);
  return scope === "all" || (scope === "pattern" && text(pattern));
};

type Field = [check: Check, is: string];

const HOOK: Record<string, Field> = {
  name: [orNull(text), "a text, or null"],
  scope: [scope, '{ scope: "all" }, { scope: "pattern", pattern } or { scope: "repository", repository: ID }'],
  type: [text, "a hook type"],
  wasType: [orNull(text), "a hook type, or null"],
  sequence: [(value) => Number.isSafeInteger(value), "a whole number"],
  command: [orNull(text), "a shell line"],
  timeout: [orNull(positive), "milliseconds, above 0, or null"],
  retries: [natural, "a whole number, 0 or more"],
  inOrder: [flag, "true or false"],
  advisory: [flag, "true or false"],
  refs: [orNull(filled), "a list of ref patterns, or null"],
  paths: [orNull(filled), "a list of pathspecs, or null"],
  stdin: [orNull(among("artifacts", "updates", "paths")), "artifacts, updates, paths or null"],
  each: [orNull(among("receipt")), '"receipt", or null'],
  trees: [flag, "true or false"],
  dir: [orNull(text), "a folder, or null"],
  parallel: [flag, "true or false"],
  artifacts: [orNull((value) => filled(value) && list(among(...ARTIFACTS))(value)), `of ${ARTIFACTS.join(", ")}`],
};

const FILTER: Record<string, Field> = {
  repository: [text, "the name or path of a repository"],
  hook: [(value) => text(value) || natural(value), "the id or name of a hook"],
  states: [
    list(among("waiting", "running", "done", "failed", "parked", "skipped")),
    "of waiting, running, done, failed, parked, skipped",
  ],
  since: [(value) => value instanceof Date && !Number.isNaN(value.getTime()), "a Date"],
  after: [natural, "the number of a run"],
  refused: [flag, "true or false"],
  limit: [positive, "a whole number above 0"],
};

const PACE: Record<string, Field> = {
  poll: [positive, "milliseconds, above 0"],
  min: [natural, "milliseconds"],
  jobs: [positive, "a whole number above 0"],
};

const PAUSE: Record<string, Field> = {
  repository: [text, "the name or path of a repository"],
  hook: [(value) => text(value) || natural(value), "the id or name of a hook"],
  reason: [text, "a text"],
};

const wrong = (sentence: string, hint: string): GatepostError => new GatepostError("GP_USAGE", sentence, { hint });

/** The fields that are there, each of its kind; throws GP_USAGE for one that is unknown, wrong, or missing. */
function requireFields(
  what: string,
  value: unknown,
  known: Readonly<Record<string, Field>>,
  needed: readonly string[],
): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong(`${what} is given as an object.`, `It can have: ${Object.keys(known).join(" ")}`);
  const given = Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));
  for (const [key, one] of Object.entries(given)) {
    const field = known[key];
    if (field === undefined) {
      const near = nearest(key, Object.keys(known));
      throw wrong(
        `${what} has no ${JSON.stringify(key)}.${near === null ? "" : ` Did you mean ${near}?`}`,
        `It can have: ${Object.keys(known).join(" ")}`,
      );
    }
    if (!field[0](one)) throw wrong(`${what}: ${key} is not what it must be.`, `It must be ${field[1]}.`);
  }
  const missing = needed.find((key) => !(key in given));
  if (missing !== undefined) throw wrong(`${what} has no ${missing}.`, `It must be ${known[missing]?.[1]}.`);
  return given;
}

/** What a program says of a hook; `only` narrows what it may say. */
export function requireOnly(
  what: string,
  value: unknown,
  needed: readonly string[],
  only: readonly string[] = Object.keys(HOOK),
): Partial<HookSpec> {
  const known = Object.fromEntries(Object.entries(HOOK).filter(([key]) => only.includes(key)));
  return requireFields(what, value, known, needed);
}

export const requireFilter = (value: unknown): RunsFilter => requireFields("The filter", value, FILTER, []);

export function requirePauseOf(value: unknown): PauseOf {
  const given = requireFields("The call", value, PAUSE, []);
  if ("repository" in given !== "hook" in given) return given as PauseOf;
  throw wrong("The call names one repository, or one hook.", "Such as: pause({ repository: 'app.git' })");
}

export const requireBackoffice = (value: unknown): Pace => requireFields("The options", value, PACE, []);

export function requireName(name: unknown): void {
  if (typeof name !== "string") throw wrong("A function hook needs a name.", "Such as: name: 'index'");
}

/** A text that is not empty, or the number that stands for one. */
export function requireWord(what: string, value: unknown): string {
  if (typeof value === "string" && value.includes("\0"))
    throw wrong(`The ${what} holds a NUL byte.`, "It is a plain text.");
  if (typeof value === "string" && value !== "") return value;
  if (natural(value)) return String(value);
  throw wrong(`The ${what} is missing.`, `It is a text that is not empty.`);
}

/** A run by its number, or by the name that lists show ("a-41"). */
export function requireRunId(value: unknown): Asked {
  const word = natural(value) ? String(value) : value;
  const number = typeof word === "string" ? /^(?:[a-z]+-)?(\d{1,15})$/.exec(word)?.[1] : undefined;
  if (number !== undefined) return { id: Number(number) as RunId, word: word as string };
  throw new GatepostError("GP_NO_RUN", `${JSON.stringify(value) ?? String(value)} is not the id of a run.`, {
    hint: 'A run is named by its number, or as in "a-41".',
  });
}
