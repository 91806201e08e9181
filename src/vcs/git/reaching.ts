/**
 * What a word names in a Git repository, and which values reach a commit. A few starts of git for any number of values:
 * `rev-list --ancestry-path` prints of the given tips those that lie above the commit, and walks no further than the
 * commit is old.
 */
import type { ByteString } from "../../core/bytes.ts";
import { collect, endAll, gitFailure, startGit } from "./run.ts";

export type Named = {
  /** What each word names; null: nothing, or more than one thing. */
  objects: ({ hash: string; type: string } | null)[];
  /** Whether the first word is the beginning of more than one hash. */
  ambiguous: boolean;
};

/** What words name, as git understands them. A word with a newline names nothing. */
export async function named(gitDir: string, words: readonly string[]): Promise<Named> {
  const input = words.map((word) => `${/[\n\0]/.test(word) ? "" : word}\n`).join("");
  const asked = await collect(startGit(gitDir, ["cat-file", "--batch-check"], Buffer.from(input)));
  if (asked.code !== 0) throw gitFailure(gitDir, "look up an object", asked);
  const lines = asked.stdout.toString("latin1").split("\n").slice(0, -1);
  const objects = lines.map((line) => {
    const [, hash, type] = /^([0-9a-f]{40,64}) (commit|tag|tree|blob) \d+$/.exec(line) ?? [];
    return hash === undefined || type === undefined ? null : { hash, type };
  });
  return { objects, ambiguous: lines[0]?.endsWith(" ambiguous") === true };
}

export type FoundCommit = {
  hash: string;
  /** Author, as git exports it to hooks, and dates in seconds since 1970; 0 where there is none that can be read. */
  author: { name: string; email: string };
  authoredAt: number;
  committedAt: number;
  parents: string[];
};

/** The commit that a word names, through tags; null where it names none. */
export async function commitNamed(gitDir: string, word: string): Promise<FoundCommit | null> {
  if (/[\n\0]/.test(word)) return null;
  const asked = await collect(startGit(gitDir, ["cat-file", "--batch"], Buffer.from(`${word}^{commit}\n`)));
  const text = asked.stdout.toString("latin1");
  const hash = /^([0-9a-f]{40,64}) commit \d+\n/.exec(text)?.[1];
  if (hash === undefined) return null;
  const head = text.slice(text.indexOf("\n") + 1).split("\n\n")[0] ?? "";
  const [, name = "", email = "", date] = /^author (.*?) ?<([^>\n]*)> (-?\d+) [-+]\d+$/m.exec(head) ?? [];
  return {
    hash,
    author: { name, email },
    authoredAt: Number(date ?? 0),
    committedAt: Number(/^committer .*> (-?\d+) [-+]\d+$/m.exec(head)?.[1] ?? 0),
    parents: [...head.matchAll(/^parent ([0-9a-f]+)$/gm)].map(([, parent = ""]) => parent),
  };
}

/** Those of the values that reach the commit, it itself among them. Values that are gone reach nothing. `tags` are values
 *  that may be tags, and are asked about by what they stand for. */
export async function reaching(
  gitDir: string,
  commit: string,
  values: ReadonlySet<string>,
  tags: ReadonlySet<string>,
): Promise<Set<string>> {
  const behind = await peeled(gitDir, tags);
  const found = new Set<string>();
  const tips = new Set([...values].map((value) => behind.get(value) ?? value));
  if (tips.has(commit)) found.add(commit);
  tips.delete(commit);
  if (tips.size > 0) {
    const input = Buffer.from(`^${commit}\n${[...tips].join("\n")}\n`);
    const walking = startGit(gitDir, ["rev-list", "--ancestry-path", "--ignore-missing", "--stdin"], input);
    try {
      let rest = "";
      for await (const chunk of walking.stdout) {
        const lines = (rest + (chunk as Buffer).toString("latin1")).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (tips.has(line)) found.add(line);
      }
      const ending = await walking.ended;
      if (ending.code !== 0) throw gitFailure(gitDir, "follow the history", ending);
    } finally {
      await endAll([walking]);
    }
  }
  return new Set([...values].filter((value) => found.has(behind.get(value) ?? value)));
}

async function peeled(gitDir: string, tags: ReadonlySet<string>): Promise<Map<string, string>> {
  if (tags.size === 0) return new Map();
  const list = [...tags];
  const { objects } = await named(
    gitDir,
    list.map((value) => `${value}^{commit}`),
  );
  return new Map(list.flatMap((value, at) => (objects[at] ? [[value, objects[at].hash] as const] : [])));
}

/** Some of the refs that reach a commit today, with their values. */
export async function refsReaching(
  gitDir: string,
  commit: string,
  most: number,
): Promise<{ ref: ByteString; value: string }[]> {
  const format = "--format=%(objectname) %(refname)";
  const asked = await collect(startGit(gitDir, ["for-each-ref", `--contains=${commit}`, `--count=${most}`, format]));
  if (asked.code !== 0) throw gitFailure(gitDir, "list the refs", asked);
  const lines = asked.stdout.toString("latin1").split("\n").slice(0, -1);
  return lines.map((line) => {
    const blank = line.indexOf(" ");
    return { value: line.slice(0, blank), ref: line.slice(blank + 1) as ByteString };
  });
}
