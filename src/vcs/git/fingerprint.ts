/**
 * Whether refs may have moved, told from file times alone, so that a thousand idle repositories cost milliseconds and
 * no process.
 *
 * Watched: HEAD, packed-refs, the list of reftables, and every directory below refs/. Files inside are not: git writes
 * a ref as `NAME.lock` beside it and renames, which changes its directory, even when the ref moves and moves back.
 * (A ref file that an editor overwrites in place is found only by the look that happens at everything now and then.)
 *
 * The directories are remembered in the text itself: as long as one is unchanged, so is the list of those in it, and a
 * `stat` of each is all there is to do. Inode, size, mtime and ctime must all agree. Each is taken before its directory
 * is read, so that what happens in between shows the next time. Clocks of file systems tick in milliseconds, and a
 * write in the tick of the last look leaves the same time: hence `unsure`, which asks for another look.
 *
 * Node gives times as doubles, exact to a quarter of a microsecond; bigint ones cost half as much again.
 */
import fs from "node:fs";
import { type ByteString, fromBuffer, toBuffer } from "../../core/bytes.ts";
import type { Fingerprint } from "../repository.ts";

const VERSION = "1";
const FILES = ["HEAD", "packed-refs", "reftable/tables.list"];
const UNSURE_MS = 1000;
const quiet = { throwIfNoEntry: false } as const;

/** The fingerprint of the refs below `gitDir`; `previous` is the text of the last one, of this or of any version.
 *  A repository that is gone or unreadable has one too: reading the refs then says what is wrong. */
export function fingerprint(gitDir: string, previous: string | null, now: number): Fingerprint {
  const look = new Look(gitDir);
  const unchanged = previous !== null && sameAs(previous, look);
  const text = unchanged ? previous : scan(gitDir, previous, look);
  return {
    text,
    changed: text !== previous,
    unsure: Math.abs(now - look.newestAt) < UNSURE_MS,
    newestAt: look.newestAt,
  };
}

class Look {
  readonly #gitDir: string;
  newestAt = 0;

  constructor(gitDir: string) {
    this.#gitDir = gitDir;
  }

  at(path: string): string {
    let stat: fs.Stats | undefined;
    try {
      stat = fs.statSync(absolute(this.#gitDir, path), quiet);
    } catch {
      return "?"; // not permitted, or a loop of links
    }
    if (stat === undefined) return "-";
    if (stat.mtimeMs > this.newestAt) this.newestAt = stat.mtimeMs;
    return `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
  }
}

/** Looks at what `previous` names, in its order, until something differs. */
function sameAs(previous: string, look: Look): boolean {
  const lines = previous.split("\n");
  if (lines[0] !== VERSION) return false;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] as string;
    const blank = line.indexOf(" ");
    if (look.at(line.slice(blank + 1)) !== line.slice(0, blank)) return false;
  }
  return true;
}

function scan(gitDir: string, previous: string | null, look: Look): string {
  const known = remembered(previous);
  const lines = [VERSION];
  for (const file of FILES) lines.push(`${look.at(file)} ${file}`);
  const waiting = ["refs"];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const state = look.at(path);
    lines.push(`${state} ${path}`);
    const before = known.get(path);
    waiting.push(...(before?.state === state ? before.inside : directoriesIn(gitDir, path)));
  }
  return lines.join("\n");
}

function remembered(previous: string | null): Map<string, { state: string; inside: string[] }> {
  const known = new Map<string, { state: string; inside: string[] }>();
  const lines = previous?.split("\n") ?? [];
  if (lines[0] !== VERSION) return known;
  for (const line of lines.slice(1)) {
    const blank = line.indexOf(" ");
    const path = line.slice(blank + 1);
    known.set(path, { state: line.slice(0, blank), inside: [] });
    known.get(path.slice(0, path.lastIndexOf("/")))?.inside.push(path); // a parent's line stands before its children's
  }
  return known;
}

/** Links are not followed, and names git would refuse as part of a ref are passed over. */
function directoriesIn(gitDir: string, path: string): string[] {
  try {
    return fs
      .readdirSync(absolute(gitDir, path), { withFileTypes: true, encoding: "buffer" })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${path}/${fromBuffer(entry.name)}`)
      .filter((name) => !/[\x00-\x1f\x7f]/.test(name));
  } catch {
    return []; // gone or unreadable: its state says so
  }
}

/** `path` is a byte string; only one that is not ASCII needs the detour over bytes. */
function absolute(gitDir: string, path: string): string | Buffer {
  if (!/[\x80-\xff]/.test(path)) return `${gitDir}/${path}`;
  return Buffer.concat([Buffer.from(`${gitDir}/`), toBuffer(path as ByteString)]);
}
