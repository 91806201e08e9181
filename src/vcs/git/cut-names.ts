/**
 * `git rev-list --objects` prints a path only up to its first newline, and nothing in the line shows that it was cut.
 * (`-z`, which git has from 2.50, prints them whole.) So a second walk runs beside it that looks at nothing but paths
 * with a newline, and yields for each `HASH CUT-PATH` the whole path. It is nearly always empty, and costs a processor
 * as much as the list itself; started at the same time on another one, it costs no time.
 *
 * It sees every such path that is new: a file or directory that no parent of its commit has appears in the (combined)
 * difference to the parents, `--full-history` leaves no side branch out, and roots are compared with nothing.
 */
import { quoteName } from "./lines.ts";
import type { Running } from "./run.ts";

const LF = 10;

/** Arguments of the second walk, which reads the same range on stdin. */
export const CUT_NAMES = [
  "log",
  "--format=",
  "--raw",
  "-z", // whole paths, ended by NUL
  "-t", // directories too
  "--root",
  "--full-history",
  "--diff-merges=combined", // a side branch's own commits bring its paths
  "--no-renames",
  "--no-relative", // overrules diff.relative
  "--no-abbrev",
  "--stdin",
  "--",
  "*\n*",
];

/** Reads the second walk: by line as rev-list prints it, the whole name, quoted. */
export async function readCutNames(running: Running): Promise<Map<string, Buffer>> {
  const full = new Map<string, Buffer>();
  const parts: Buffer[] = [];
  for await (const chunk of running.stdout) parts.push(chunk as Buffer);
  const all = Buffer.concat(parts);
  let header = "";
  for (let at = 0; at < all.length; ) {
    const end = all.indexOf(0, at);
    const part = all.subarray(at, end);
    at = end + 1;
    if (part.length === 0) continue; // between commits
    if (header === "") {
      header = part.toString("latin1");
      continue;
    }
    const newline = part.indexOf(LF);
    if (newline >= 0) full.set(`${hashOf(header)} ${part.toString("latin1", 0, newline)}`, quoteName(part));
    header = "";
  }
  return full;
}

/** `:MODE… HASH… STATUS`: with one colon for each parent, as many old hashes, then the new one, then the status. */
const hashOf = (header: string): string => header.split(" ").at(-2) ?? "";
