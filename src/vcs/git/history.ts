/** Reads the commits of a range, raw: what a gate of commits would have been asked about. */
import { type ByteString, displayText, toText } from "../../core/bytes.ts";
import { GatepostError } from "../../core/errors.ts";
import { collect, endAll, gitFailure, startGit } from "./run.ts";

export type Commit = {
  id: string;
  tree: string;
  parents: readonly string[];
  /** As git exports them to the hooks of a commit. */
  author: Readonly<Record<string, string>>;
  message: ByteString;
};

/** A commit by its id, and its parents as this repository knows them: of a shallow clone's last commits, none. */
export type Listed = readonly [id: string, ...parents: string[]];

/** The commits that `git rev-list RANGE` names, oldest first; of more than `limit` the newest. `gitDir` may be that of a
 *  linked work tree, whose HEAD then counts. What is no range is GP_USAGE, with git's own words. */
export async function commitsIn(gitDir: string, range: string, limit: number | null): Promise<Listed[]> {
  const most = limit === null ? [] : [`--max-count=${limit}`];
  // What begins with a dash would be an option; git before 2.43 does not keep that promise of --end-of-options everywhere.
  const listed = range.startsWith("-")
    ? null
    : await collect(
        startGit(gitDir, [
          "rev-list",
          "--reverse",
          "--topo-order",
          "--parents",
          ...most,
          "--end-of-options",
          range,
          "--",
        ]),
      );
  if (listed?.code === 0) {
    const lines = listed.stdout.toString("latin1").split("\n").slice(0, -1);
    return lines.map((line) => line.split(" ") as [string, ...string[]]);
  }
  if (listed !== null && listed.code !== 128) throw gitFailure(gitDir, "list the commits", listed);
  const said = (listed?.stderr ?? "").trim().split("\n").at(-1) ?? "";
  throw new GatepostError("GP_USAGE", `"${range}" is no range of commits${said === "" ? "" : ` (${said})`}.`, {
    hint: "As git rev-list takes it, such as --history HEAD~200.. or --history v1..v2 or --history main",
  });
}

/** Reads commits one after another; memory does not grow with their number. */
export async function* readCommits(gitDir: string, listed: readonly Listed[]): AsyncGenerator<Commit> {
  const running = startGit(gitDir, ["cat-file", "--batch"], Buffer.from(listed.map(([id]) => `${id}\n`).join("")));
  try {
    let have = Buffer.alloc(0);
    const chunks = running.stdout[Symbol.asyncIterator]();
    const upTo = async (length: () => number): Promise<boolean> => {
      while (length() < 0 || have.length < length()) {
        const next = await chunks.next();
        if (next.done === true) return false;
        have = Buffer.concat([have, next.value as Buffer]);
      }
      return true;
    };
    for (const one of listed) {
      if (!(await upTo(() => have.indexOf(10)))) break;
      const line = have.indexOf(10);
      const size = Number(/ commit (\d+)$/.exec(have.toString("latin1", 0, line))?.[1] ?? Number.NaN);
      if (Number.isNaN(size)) break;
      const end = line + 1 + size + 1;
      if (!(await upTo(() => end))) break;
      yield parse(one, have.toString("latin1", line + 1, end - 1));
      have = have.subarray(end);
      if (one === listed.at(-1)) return;
    }
    if (listed.length > 0) throw gitFailure(gitDir, "read the commits", await running.ended);
  } finally {
    await endAll([running]);
  }
}

function parse([id, ...parents]: Listed, text: string): Commit {
  const blank = text.indexOf("\n\n");
  const head = `${blank === -1 ? text : text.slice(0, blank)}\n`;
  const [, name, email, date] = /^author (.*?) ?<([^>\n]*)> (-?\d+ [-+]\d+)$/m.exec(head) ?? [];
  return {
    id,
    tree: /^tree ([0-9a-f]+)$/m.exec(head)?.[1] ?? "",
    parents,
    author:
      name === undefined || email === undefined
        ? {}
        : { GIT_AUTHOR_NAME: shown(name), GIT_AUTHOR_EMAIL: shown(email), GIT_AUTHOR_DATE: `@${date}` },
    message: (blank === -1 ? "" : text.slice(blank + 2)) as ByteString,
  };
}

/** Variables are text to Node: bytes that are no UTF-8 are handed over escaped. */
const shown = (bytes: string): string => toText(bytes as ByteString) ?? displayText(bytes as ByteString);
