/**
 * Reads what shims and gates left in the spool. Nothing is taken out here: whoever puts an entry on a receipt, or a gate
 * record into the database, commits first and removes the file afterwards, so that a death in between shows the entry
 * once more, and its name tells that it is known.
 *
 * The spool of a shared home can be written by anyone, so each file is opened without following links, looked at through
 * the descriptor, and read up to a limit. What can never become a receipt goes to `bad/` with its reason beside it; what
 * is still being written is left alone until it is a minute old.
 */
import { randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fromSystem, GatepostError } from "../core/errors.ts";
import { MINUTE, SECOND } from "../core/units.ts";
import { ENTRY_NAME, type Entry, parseEntry } from "./entry.ts";
import { GATE_START, type GateEntry, isGateStart, parseGateEntry } from "./gate-entry.ts";

/** Larger than a push of 400,000 refs; whoever needs more finds the rest reconciled. */
const MAX_ENTRY_BYTES = 64 * 1024 * 1024;

/** An entry that is whole: its file's name, time (milliseconds, with fraction) and owner, and what it says. */
export type Spooled<E = Entry> = { name: string; at: number; uid: number; entry: E };
export type SpooledGate = Spooled<GateEntry>;
/** What cannot be used: an entry or, with `bytes`, what was part of a larger file. */
export type Unusable = { name: string; reason: string; bytes?: Buffer };
export type SpoolView = {
  /** All entries there were, whole or not. */
  names: ReadonlySet<string>;
  entries: Spooled[];
  /** Gate records. */
  gates: SpooledGate[];
  /** Entries that are being written right now, so that a moment's patience is worth it. */
  partial: number;
  /** Entries that can never be used; see `setAside`. */
  unusable: Unusable[];
};

/** Names of the entries in a spool, whole or not; empty when there is no spool, or none that this user may look into.
 *  Whatever else keeps it from being read is an error: who took it for empty would reconcile what entries tell of. */
export function entryNames(spool: string): string[] {
  try {
    return readdirSync(spool).filter((name) => ENTRY_NAME.test(name));
  } catch (error) {
    if (/^(ENOENT|ENOTDIR|EACCES|EPERM)$/.test((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw fromSystem(error);
  }
}

/** Whether entries wait, or may: where that cannot be seen, whoever reads them finds out what is wrong. */
export function mayHaveEntries(spool: string): boolean {
  try {
    return entryNames(spool).length > 0;
  } catch {
    return true;
  }
}

/** Reads every entry of the spool, oldest first. `known` holds what an earlier call read and is brought up to date; gate
 *  records are not kept in it, since whoever reads them stores them at once. */
export function readSpool(spool: string, now: number, known: Map<string, Spooled>): SpoolView {
  const names = new Set(entryNames(spool));
  const view: SpoolView = { names, entries: [], gates: [], partial: 0, unusable: [] };
  for (const name of known.keys()) if (!names.has(name)) known.delete(name);
  for (const name of names) {
    const read = known.get(name) ?? readEntry(spool, name, now, false);
    if (read === "partial") view.partial += 1;
    else if (typeof read === "string") continue;
    else if ("reason" in read) view.unusable.push(read);
    else if (isGate(read)) view.gates.push(read);
    else {
      known.set(name, read);
      view.entries.push(read);
    }
  }
  view.entries.sort(byTime);
  view.gates.sort(byTime);
  return view;
}

/** Reads the gate records of a spool, oldest first, and of what is none only how it begins. */
export function readGates(spool: string, now: number): { gates: SpooledGate[]; unusable: Unusable[]; others: number } {
  const view = { gates: [] as SpooledGate[], unusable: [] as Unusable[], others: 0 };
  for (const name of entryNames(spool)) {
    const read = readEntry(spool, name, now, true);
    if (read === "other") view.others += 1;
    else if (typeof read === "string") continue;
    else if ("reason" in read) view.unusable.push(read);
    else if (isGate(read)) view.gates.push(read);
  }
  view.gates.sort(byTime);
  return view;
}

const isGate = (spooled: Spooled | SpooledGate): spooled is SpooledGate => spooled.entry.kind === "gate";
const byTime = (a: Spooled<unknown>, b: Spooled<unknown>): number => a.at - b.at || (a.name < b.name ? -1 : 1);

/** "other": it is no gate record, where only those are wanted. */
type Read = Spooled | SpooledGate | Unusable | "partial" | "unfinished" | "gone" | "other";

function readEntry(spool: string, name: string, now: number, onlyGates: boolean): Read {
  const path = join(spool, name);
  let file: number;
  try {
    // Not blocking: a FIFO put there would hold up every repository of the home.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return "gone";
    if (onlyGates && /^(ELOOP|ENXIO|ENODEV|EACCES|EPERM)$/.test(code ?? "")) return "other";
    if (code === "ELOOP") return { name, reason: "is a symbolic link" };
    if (code === "ENXIO" || code === "ENODEV") return { name, reason: "is no regular file" }; // a socket, a device
    if (code === "EACCES" || code === "EPERM") return { name, reason: `cannot be read (${code})` };
    // A want of descriptors or a sick disk passes; the entry must be there when it has.
    throw new GatepostError("GP_FULL", `The spool entry ${path} cannot be read (${message}).`, {
      hint: "Raise the limit on open files, or look at the disk; the entry stays where it is.",
      cause: error,
    });
  }
  try {
    return readOpened(file, name, now, onlyGates);
  } finally {
    closeSync(file);
  }
}

function readOpened(file: number, name: string, now: number, onlyGates: boolean): Read {
  const stat = fstatSync(file);
  if (onlyGates && !(stat.isFile() && isGateStart(readBytes(file, GATE_START.length)))) return "other";
  if (!stat.isFile()) return { name, reason: "is no regular file" };
  if (stat.nlink !== 1) return { name, reason: "has more than one name" };
  if (stat.size > MAX_ENTRY_BYTES) return { name, reason: `is larger than ${MAX_ENTRY_BYTES} bytes` };
  const bytes = readBytes(file, stat.size);
  const parsed = isGateStart(bytes) ? parseGateEntry(bytes) : parseEntry(bytes);
  if (parsed.state === "whole") {
    const spooled = { name, at: stat.mtimeMs, uid: stat.uid };
    return parsed.entry.kind === "gate" ? { ...spooled, entry: parsed.entry } : { ...spooled, entry: parsed.entry };
  }
  if (parsed.state === "bad") return { name, reason: parsed.reason };
  const age = now - stat.mtimeMs;
  if (age > MINUTE) return { name, reason: "was never finished" };
  return age < 5 * SECOND ? "partial" : "unfinished";
}

/** Up to so many bytes from the start of a file; fewer where it has become shorter. */
function readBytes(file: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  let length = 0;
  while (length < size) {
    const read = readSync(file, bytes, length, size - length, length);
    if (read === 0) break;
    length += read;
  }
  return bytes.subarray(0, length);
}

/** Moves an entry to `bad/`, its reason beside it. What it told of is found by reconciling. What cannot be moved there
 *  (another user's folder, another device) stays in the spool under the name NAME.aside, which is no entry's. Throws
 *  GP_DENIED where `bad` is not this user's own folder. */
export function setAside(spool: string, { name, reason, bytes }: Unusable): void {
  const bad = join(spool, "bad");
  const [from, to] = [join(spool, name), join(bad, name)];
  requireBad(bad);
  try {
    if (bytes === undefined) moveAside(from, to);
    else writeNew(to, bytes);
    writeNew(`${to}.reason`, `${reason}\n`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

function writeNew(path: string, data: string | Buffer): void {
  rmSync(path, { force: true }); // of an entry of the same name, set aside before
  writeFileSync(path, data, { mode: 0o600, flag: "wx" });
}

function moveAside(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!/^(EACCES|EPERM|EXDEV|ENOTEMPTY|EEXIST|EISDIR|ENOTDIR)$/.test((error as NodeJS.ErrnoException).code ?? ""))
      throw error;
    renameSync(from, `${from}.${randomUUID()}.aside`);
  }
}

/** The spool of a shared home is anyone's to write to, but for what stands there already. */
function requireBad(bad: string): void {
  const stat = lstatSync(bad, { throwIfNoEntry: false });
  if (stat === undefined) {
    mkdirSync(bad, { mode: 0o700 });
    return;
  }
  if (stat.isDirectory() && stat.uid === (process.geteuid?.() ?? stat.uid)) return;
  throw new GatepostError("GP_DENIED", `${bad} is not a folder of this user's own: nothing is set aside there.`, {
    hint: "Move it away; it is made anew.",
  });
}

/** Takes an entry out: it is on a receipt, or in the table of gates, now. */
export function removeEntry(spool: string, name: string): void {
  try {
    unlinkSync(join(spool, name)); // rmSync would look at each of ten thousand entries before it removes it
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
