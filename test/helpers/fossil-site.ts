/** Fossil repositories whose hooks change hands: one with a checkout, commits on demand, and hooks that leave what they
 *  read in a folder, one file for each call. */
import * as fs from "node:fs";
import { join } from "node:path";
import type { Outcome } from "./cli.ts";
import type { FossilWorld } from "./fossil.ts";

export type FossilSite = {
  readonly file: string;
  readonly checkout: string;
  /** A command for a hook: keeps its stdin as a file of its own. */
  readonly keep: string;
  fossil(...args: string[]): string;
  gatepost(...args: string[]): Outcome;
  /** Makes a commit with a file of its own; returns the hash of the check-in. */
  commit(): string;
  /** One pass of Fossil's backoffice, and the end of what it started. */
  fossilPass(): void;
  /** `hooks` as Fossil has it; null where it has none. */
  list(): { cmd: string; type: string; seq: number }[] | null;
  /** One row of its configuration. */
  row(name: string): string | null;
  /** Hashes that hooks got, each as often as it came. */
  got(): string[];
  /** All hashes that the repository received after a receipt. */
  receivedAfter(rcvid: number): string[];
};

export function fossilSite(world: FossilWorld, name: string): FossilSite {
  const folder = world.at(name);
  const file = join(folder, "r.fossil");
  const checkout = join(folder, "w");
  const out = join(folder, "out");
  fs.mkdirSync(checkout, { recursive: true });
  fs.mkdirSync(out);
  const fossil = (...args: string[]): string => world.fossil(args, { cwd: checkout });
  const sql = (query: string): string => world.sql(file, query);
  fossil("init", file);
  fossil("open", file);
  let commits = 0;
  function row(key: string): string | null {
    const found = sql(`SELECT 'is '||value FROM config WHERE name='${key}'`);
    return found === "" ? null : found.slice(3);
  }
  const finished = (): string[] => fs.readdirSync(out).filter((entry) => entry.endsWith(".end"));
  return {
    file,
    checkout,
    keep: `f=$(mktemp ${out}/XXXXXX); cat >$f; mv $f $f.end`,
    fossil,
    gatepost: (...args) => world.gatepost(args, { cwd: folder }),
    commit() {
      commits += 1;
      fs.writeFileSync(join(checkout, `f${commits}`), `${commits}\n`);
      fossil("add", `f${commits}`);
      fossil("commit", "-m", `commit ${commits}`, "--no-warnings");
      return /^checkout:\s+([0-9a-f]+)/m.exec(fossil("info"))?.[1] ?? "";
    },
    fossilPass() {
      fossil("backoffice", "--nolease", file);
      // it does not wait for its hooks: their files are there, but not yet at their end
      for (
        const end = Date.now() + 10_000;
        Date.now() < end && fs.readdirSync(out).some((one) => !one.endsWith(".end"));
      );
    },
    list() {
      const text = row("hooks");
      return text === null ? null : JSON.parse(text);
    },
    row,
    got: () =>
      finished().flatMap((entry) =>
        fs
          .readFileSync(join(out, entry), "utf8")
          .split("\n")
          .flatMap((line) => line.split(" ", 1)[0] || []),
      ),
    receivedAfter: (rcvid) => sql(`SELECT uuid FROM blob WHERE rcvid>${rcvid}`).split("\n").filter(Boolean),
  };
}
