/**
 * Reads what shims and gates left in the spool. Nothing is taken out here: whoever puts an entry on a receipt, or a gate
 * record into the database, commits first and removes the file afterwards, so that a death in between shows the entry
 * once more, and its name tells that it is known.
 *
 * The spool of a shared home can be written by anyone, so each file is opened without following links, looked at through
 * the descriptor, and read up to a limit: first its head, and the rest only where that is an entry's. Of each user but the
 * home's owner one look takes so many bytes; what is beyond waits for the next, and holds up nobody else. What can never
 * become a receipt goes to `bad/` with its reason beside it (aside.ts). What is still being written is left alone until it
 * is a minute old, by this process's own clock or by the file's times: whoever writes it can set those. What cannot be
 * opened just now, since its owner has a lease of the kernel's on it, is passed over.
 *
 * Proven by test/fault/spool-attacks.test.ts.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync, type Stats } from "node:fs";
import { join } from "node:path";
import { fromSystem, GatepostError } from "../core/errors.ts";
import { MINUTE, SECOND } from "../core/units.ts";
import type { Unusable } from "./aside.ts";
import { ENTRY_NAME, type Entry, parseEntry } from "./entry.ts";
import { GATE_START, type GateEntry, isGateStart, parseGateEntry } from "./gate-entry.ts";
import { forgetOthers, type Remembered, remembered } from "./remembered.ts";

export { removeEntry, setAside, type Unusable } from "./aside.ts";

/** Larger than a push of 400,000 refs; whoever needs more finds the rest reconciled. */
const MAX_ENTRY_BYTES = 64 * 1024 * 1024;
/** All above the updates: what an environment can hold. It is read first, and a gate record has no more. */
const MAX_HEAD_BYTES = 1024 * 1024;
const HEAD_END = Buffer.from("\nupdates\n", "latin1");
/** What one look takes of a user who does not own the home. One entry is always taken. */
const SHARE_BYTES = 16 * 1024 * 1024;
/** The least that an entry counts for. */
const LEAST_BYTES = 256;
/** After so many ms others get their turn. */
const TURN = 50;

/** An entry that is whole: its file's name, time (milliseconds, with fraction) and owner, and what it says. */
export type Spooled<E = Entry> = { name: string; at: number; uid: number; entry: E };
export type SpooledGate = Spooled<GateEntry>;
export type SpoolView = {
  /** All entries there were, whole or not. */
  names: ReadonlySet<string>;
  entries: Spooled[];
  /** Gate records. */
  gates: SpooledGate[];
  /** Entries that are being written right now, so that a moment's patience is worth it. None where each look of the
   *  last minute had a reason to wait. */
  partial: number;
  /** Entries that were left to the next look, likewise. */
  left: number;
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
  const reading = readInTurns(spool, now, known);
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value;
  }
}

/** The same in turns of some ms each, so that the caller can let others work in between. */
export function* readInTurns(spool: string, now: number, known: Map<string, Spooled>): Generator<void, SpoolView> {
  const names = new Set(entryNames(spool));
  const view: SpoolView = { names, entries: [], gates: [], partial: 0, left: 0, unusable: [] };
  const context = reader(spool, now, false);
  const { memory, share } = context;
  forgetOthers(memory, names);
  for (const [name, { uid }] of known) {
    if (names.has(name)) share.take(uid, memory.sizes.get(name) ?? LEAST_BYTES);
    else known.delete(name);
  }
  let began = performance.now();
  for (const name of names) {
    if (performance.now() - began > TURN) {
      yield;
      began = performance.now();
    }
    const read = known.get(name) ?? readEntry(context, name);
    if (read === "partial") view.partial += 1;
    else if (read === "left") view.left += 1;
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
  if (!isWorthWaiting(memory, view.partial + view.left)) {
    view.partial = 0;
    view.left = 0;
  }
  return view;
}

/** Others can always begin another entry: whoever waits for them does so for a minute. */
function isWorthWaiting(memory: Remembered, reasons: number): boolean {
  const at = performance.now();
  memory.waitingSince = reasons === 0 ? null : (memory.waitingSince ?? at);
  return memory.waitingSince !== null && at - memory.waitingSince < MINUTE;
}

/** Reads the gate records of a spool, oldest first, and of what is none only how it begins. */
export function readGates(spool: string, now: number): { gates: SpooledGate[]; unusable: Unusable[]; others: number } {
  const view = { gates: [] as SpooledGate[], unusable: [] as Unusable[], others: 0 };
  const context = reader(spool, now, true);
  for (const name of entryNames(spool)) {
    const read = readEntry(context, name);
    if (read === "other") view.others += 1;
    else if (typeof read === "string") continue;
    else if ("reason" in read) view.unusable.push(read);
    else if (isGate(read)) view.gates.push(read);
  }
  view.gates.sort(byTime);
  return view;
}

type Reader = { spool: string; now: number; onlyGates: boolean; memory: Remembered; share: ReturnType<typeof shares> };

const reader = (spool: string, now: number, onlyGates: boolean): Reader => {
  const owner = lstatSync(spool, { throwIfNoEntry: false })?.uid ?? null;
  return { spool, now, onlyGates, memory: remembered(spool), share: shares(owner) };
};

/** Counts what is taken of each user. */
function shares(owner: number | null) {
  const taken = new Map<number, number>();
  return {
    isOwner: (uid: number): boolean => uid === owner,
    has(uid: number, bytes: number): boolean {
      const before = taken.get(uid);
      return uid === owner || before === undefined || before + bytes <= SHARE_BYTES;
    },
    take(uid: number, bytes: number): void {
      if (uid !== owner) taken.set(uid, (taken.get(uid) ?? 0) + Math.max(bytes, LEAST_BYTES));
    },
  };
}

const isGate = (spooled: Spooled | SpooledGate): spooled is SpooledGate => spooled.entry.kind === "gate";
const byTime = (a: Spooled<unknown>, b: Spooled<unknown>): number => a.at - b.at || (a.name < b.name ? -1 : 1);

/** "other": it is no gate record, where only those are wanted. "left": its owner has had their share of this look. */
type Read = Spooled | SpooledGate | Unusable | "partial" | "unfinished" | "gone" | "other" | "left" | "held";

function readEntry(context: Reader, name: string): Read {
  if (context.memory.stuck.has(name)) return "held";
  const path = join(context.spool, name);
  let file: number;
  try {
    // Not blocking: a FIFO put there would hold up every repository of the home.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return "gone";
    if (code === "EAGAIN" || code === "EBUSY") return "held"; // its owner has a lease on it, which the kernel now ends
    if (context.onlyGates && /^(ELOOP|ENXIO|ENODEV|EACCES|EPERM)$/.test(code)) return "other";
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
    return readOpened(context, file, name);
  } finally {
    closeSync(file);
  }
}

function readOpened(context: Reader, file: number, name: string): Read {
  const { onlyGates, memory, share } = context;
  const stat = fstatSync(file);
  if (onlyGates && !(stat.isFile() && isGateStart(readBytes(file, GATE_START.length)))) return "other";
  if (!stat.isFile()) return { name, reason: "is no regular file" };
  if (stat.nlink !== 1) return { name, reason: "has more than one name" };
  if (stat.size > MAX_ENTRY_BYTES) return { name, reason: `is larger than ${MAX_ENTRY_BYTES} bytes` };
  if (memory.unfinished.get(name)?.as === fingerprint(stat)) return ageOf(context, name, stat);
  if (!share.has(stat.uid, stat.size)) return "left";
  share.take(stat.uid, stat.size);
  let bytes = readBytes(file, Math.min(stat.size, MAX_HEAD_BYTES));
  if (stat.size > MAX_HEAD_BYTES) {
    if (isGateStart(bytes) || !bytes.includes(HEAD_END))
      return { name, reason: `has more than ${MAX_HEAD_BYTES} bytes before its updates` };
    const head = parseEntry(bytes); // no later byte makes good what is bad so far
    if (head.state === "bad") return { name, reason: head.reason };
    bytes = readBytes(file, stat.size);
  }
  const parsed = isGateStart(bytes) ? parseGateEntry(bytes) : parseEntry(bytes);
  if (parsed.state === "bad") return { name, reason: parsed.reason };
  if (parsed.state === "partial") return ageOf(context, name, stat);
  memory.unfinished.delete(name);
  if (!share.isOwner(stat.uid)) memory.sizes.set(name, stat.size);
  const spooled = { name, at: stat.mtimeMs, uid: stat.uid };
  return parsed.entry.kind === "gate" ? { ...spooled, entry: parsed.entry } : { ...spooled, entry: parsed.entry };
}

/** Changes with every byte that is added. */
const fingerprint = ({ ino, size, mtimeMs, ctimeMs }: Stats): string => `${ino} ${size} ${mtimeMs} ${ctimeMs}`;

/** Whoever writes an entry can set one of its times to anything and renew the other at will: so each of them, and how long
 *  it has been seen here, is enough to be too old. */
function ageOf({ memory, now }: Reader, name: string, stat: Stats): Read {
  const since = memory.unfinished.get(name)?.since ?? performance.now();
  memory.unfinished.set(name, { since, as: fingerprint(stat) });
  const written = Math.abs(now - stat.mtimeMs);
  const age = Math.max(performance.now() - since, written, Math.abs(now - stat.ctimeMs));
  if (age > MINUTE) return { name, reason: "was never finished" };
  return written < 5 * SECOND ? "partial" : "unfinished";
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
