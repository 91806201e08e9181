/**
 * Reads what shims left in the spool. Nothing is taken out here: whoever puts an entry on a receipt commits first and
 * removes the file afterwards, so that a death in between shows the entry once more, and its name tells that it is known.
 *
 * The spool of a shared home can be written by anyone, so each file is opened without following links, looked at through
 * the descriptor, and read up to a limit. What can never become a receipt goes to `bad/` with its reason beside it; what
 * is still being written is left alone until it is a minute old.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { MINUTE, SECOND } from "../core/units.ts";
import { ENTRY_NAME, type Entry, parseEntry } from "./entry.ts";

/** Larger than a push of 400,000 refs; whoever needs more finds the rest reconciled. */
const MAX_ENTRY_BYTES = 64 * 1024 * 1024;

/** An entry that is whole: its file's name, time (milliseconds, with fraction) and owner, and what it says. */
export type Spooled = { name: string; at: number; uid: number; entry: Entry };
export type Unusable = { name: string; reason: string };
export type SpoolView = {
  /** All entries there were, whole or not. */
  names: ReadonlySet<string>;
  entries: Spooled[];
  /** Entries that are being written right now, so that a moment's patience is worth it. */
  partial: number;
  /** Entries that can never become a receipt; see `setAside`. */
  unusable: Unusable[];
};

/** Names of the entries in a spool, whole or not; empty when there is no spool. */
export function entryNames(spool: string): string[] {
  try {
    return readdirSync(spool).filter((name) => ENTRY_NAME.test(name));
  } catch {
    return [];
  }
}

/** Reads every entry of the spool, oldest first. `known` holds what an earlier call read and is brought up to date. */
export function readSpool(spool: string, now: number, known: Map<string, Spooled>): SpoolView {
  const names = new Set(entryNames(spool));
  const view: SpoolView = { names, entries: [], partial: 0, unusable: [] };
  for (const name of known.keys()) if (!names.has(name)) known.delete(name);
  for (const name of names) {
    const earlier = known.get(name);
    const read = earlier ?? readEntry(join(spool, name), name, now);
    if (read === "gone" || read === "unfinished") continue;
    if (read === "partial") view.partial += 1;
    else if ("reason" in read) view.unusable.push(read);
    else {
      known.set(name, read);
      view.entries.push(read);
    }
  }
  view.entries.sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1));
  return view;
}

function readEntry(path: string, name: string, now: number): Spooled | Unusable | "partial" | "unfinished" | "gone" {
  let file: number;
  try {
    // Not blocking: a FIFO put there would hold up every repository of the home.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return "gone";
    if (code === "ELOOP") return { name, reason: "is a symbolic link" };
    if (code === "EACCES" || code === "EPERM") return { name, reason: `cannot be read (${code})` };
    // A want of descriptors or a sick disk passes; the entry must be there when it has.
    throw new GatepostError("GP_FULL", `The spool entry ${path} cannot be read (${message}).`, {
      hint: "Raise the limit on open files, or look at the disk; the entry stays where it is.",
      cause: error,
    });
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) return { name, reason: "is no regular file" };
    if (stat.nlink !== 1) return { name, reason: "has more than one name" };
    if (stat.size > MAX_ENTRY_BYTES) return { name, reason: `is larger than ${MAX_ENTRY_BYTES} bytes` };
    const bytes = Buffer.allocUnsafe(stat.size);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(file, bytes, length, bytes.length - length, null);
      if (read === 0) break;
      length += read;
    }
    const parsed = parseEntry(bytes.subarray(0, length));
    if (parsed.state === "whole") return { name, at: stat.mtimeMs, uid: stat.uid, entry: parsed.entry };
    if (parsed.state === "bad") return { name, reason: parsed.reason };
    const age = now - stat.mtimeMs;
    if (age > MINUTE) return { name, reason: "was never finished" };
    return age < 5 * SECOND ? "partial" : "unfinished";
  } finally {
    closeSync(file);
  }
}

/** Moves an entry to `bad/`, its reason beside it. What it told of is found by reconciling. */
export function setAside(spool: string, { name, reason }: Unusable): void {
  const bad = join(spool, "bad");
  mkdirSync(bad, { recursive: true, mode: 0o700 });
  try {
    renameSync(join(spool, name), join(bad, name));
    writeFileSync(join(bad, `${name}.reason`), `${reason}\n`, { mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Takes an entry out: it is on a receipt now. */
export function removeEntry(spool: string, name: string): void {
  try {
    unlinkSync(join(spool, name)); // rmSync would look at each of ten thousand entries before it removes it
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
