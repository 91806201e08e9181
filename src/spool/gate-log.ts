/**
 * The log of gates: the file `gates` in the spool of a home that nobody else writes to, to which each gate adds its
 * record. A file of its own for each would cost a commit a hundred times as much.
 *
 *     (empty line) record (empty line) record …        a record as in gate-entry.ts, which also says `run` and `clock`
 *
 * Whoever stores records first renames the file, to gates.TIME-UUID.log, so that gates begin a new one, and reads what was
 * renamed. A gate that had the file open just then may still add to the renamed one: so it is kept, and read again, until
 * it is a minute old. A record that was read twice is known by its run. One that was cut off spoils no other: each begins
 * on a line of its own.
 *
 * Rules for what is no gate's
 *   1. In a shared home others could put anything in its place. What is no plain file, another user's, or open to others
 *      in a spool that is, is set aside and never followed.
 *   2. It is read in pieces, and so it takes no more memory than its records do at a time, whatever is in it.
 *   3. What cannot be used of one log is one file in `bad/`, of a bounded size.
 *   4. Its age is told by its name too: who writes to it can make its own times as young as they like.
 *
 * A death at any point leaves the file under one name or the other. Proven by test/spool/gate-log.test.ts.
 */
import { randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
} from "node:fs";
import { uptime } from "node:os";
import { join } from "node:path";
import { type ByteString, toBuffer } from "../core/bytes.ts";
import { MINUTE, SECOND } from "../core/units.ts";
import { type SpooledGate, setAside, type Unusable } from "./drain.ts";
import { parseGateEntry } from "./gate-entry.ts";
import { recordsIn } from "./gate-log-records.ts";
import { remembered } from "./remembered.ts";

const CURRENT = "gates";
/** Half a million records. */
const MAX_LOG_BYTES = 256 * 1024 * 1024;
const RENAMED = /^gates\.(?:([0-9]{13})-)?[0-9a-f-]+\.log$/;
/** So many records are read before they are handed out. */
const STEP = 1000;
/** So much of what cannot be used is kept of one log. */
const MAX_KEPT_BYTES = 1024 * 1024;

/** Part of what the logs hold. */
export type GateLogPart = {
  gates: SpooledGate[];
  /** The log they are from. */
  log: string;
  /** Set with the last part of a log that need not be kept once all its records are stored. */
  done: boolean;
  /** Of a log that is done: what can never be stored, with its bytes. */
  unusable: Unusable | null;
};

/** Whether there is anything to store, or a file to be read for the last time. */
export function isGateLogDue(spool: string, now: number): boolean {
  const current = lstatSync(join(spool, CURRENT), { throwIfNoEntry: false });
  const isThere = current !== undefined && current.size > 0 && !remembered(spool).stuck.has(CURRENT);
  return isThere || renamed(spool).some((name) => isOld(spool, name, now));
}

/** Whether gates have not written for a second, or have begun to ten seconds ago; also a file to be read for the last time. */
export function isGateLogRipe(spool: string, now: number): boolean {
  const current = lstatSync(join(spool, CURRENT), { throwIfNoEntry: false });
  if (current === undefined) return renamed(spool).some((name) => isOld(spool, name, now));
  return Math.abs(now - current.mtimeMs) > SECOND || Math.abs(now - current.birthtimeMs) > 10 * SECOND;
}

/** Whether that file in the spool is a log of gates. */
export const isGateLog = (name: string): boolean => name === CURRENT || RENAMED.test(name);

/** Renames the log and reads it, and those renamed before, part by part. For the home's owner. */
export function* takeGateLogs(spool: string, now: number): Generator<GateLogPart, void> {
  renameCurrent(spool);
  for (const name of renamed(spool)) yield* readLog(spool, name, isOld(spool, name, now));
}

/** What is no file stays where it is once it could not be renamed: it is nobody's log. */
function renameCurrent(spool: string): void {
  try {
    renameSync(join(spool, CURRENT), join(spool, `gates.${Date.now()}-${randomUUID()}.log`));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    if (lstatSync(join(spool, CURRENT), { throwIfNoEntry: false })?.isFile() !== false) throw error;
    remembered(spool).stuck.add(CURRENT);
  }
}

/** Removes a log that was read for the last time. */
export function removeGateLog(spool: string, name: string): void {
  rmSync(join(spool, name), { force: true });
}

function renamed(spool: string): string[] {
  try {
    const { stuck } = remembered(spool);
    return readdirSync(spool).filter((name) => RENAMED.test(name) && !stuck.has(name));
  } catch {
    return [];
  }
}

/** A minute since it was renamed, or the clock was set back since. */
function isOld(spool: string, name: string, now: number): boolean {
  const changed = lstatSync(join(spool, name), { throwIfNoEntry: false })?.ctimeMs;
  if (changed === undefined) return false;
  const named = Number(RENAMED.exec(name)?.[1] ?? changed);
  return Math.max(Math.abs(now - changed), Math.abs(now - named)) > MINUTE;
}

/** Opens a log of the home's owner; what is none is set aside. */
function openLog(spool: string, name: string): { file: number; stat: Stats } | null {
  let file: number;
  try {
    file = openSync(join(spool, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EAGAIN") return null; // another process was the last; held by its owner
    if (!/^(ELOOP|ENXIO|ENODEV|EACCES|EPERM)$/.test(code)) throw error;
    setAside(spool, { name, reason: `is no log of gates (${code})` });
    return null;
  }
  const stat = fstatSync(file);
  const reason = whyNone(stat, lstatSync(spool));
  if (reason === null) return { file, stat };
  closeSync(file);
  setAside(spool, { name, reason });
  return null;
}

function whyNone(log: Stats, spool: Stats): string | null {
  if (!log.isFile() || log.nlink !== 1 || log.size > MAX_LOG_BYTES)
    return "is no log of gates, or too large to be read";
  const isOpen = (log.mode & 0o022) !== 0 && (spool.mode & 0o022) !== 0;
  return log.uid !== spool.uid || isOpen ? "is no log of this home's gates: others could write it" : null;
}

/** What could not be used so far. */
type Waste = { records: number; reason: string; kept: Buffer[]; bytes: number };

function* readLog(spool: string, name: string, isLast: boolean): Generator<GateLogPart, void> {
  const opened = openLog(spool, name);
  if (opened === null) return;
  const { file, stat } = opened;
  try {
    const waste: Waste = { records: 0, reason: "", kept: [], bytes: 0 };
    let gates: SpooledGate[] = [];
    const pieces = (buffer: Buffer): number => readSync(file, buffer, 0, buffer.length, null);
    for (const lines of recordsIn(pieces)) {
      if (lines !== null) readRecord(lines, stat, isLast, gates, waste);
      if (lines !== null && gates.length < STEP) continue;
      yield { gates, log: name, done: false, unusable: null };
      gates = [];
    }
    yield { gates, log: name, done: isLast, unusable: isLast ? unusableOf(name, waste) : null };
  } finally {
    closeSync(file);
  }
}

function readRecord(lines: ByteString, stat: Stats, isLast: boolean, gates: SpooledGate[], waste: Waste): void {
  const bytes = toBuffer(lines);
  const parsed = parseGateEntry(bytes);
  if (parsed.state === "bad") discard(waste, parsed.reason, bytes);
  else if (parsed.state === "partial") {
    if (isLast) discard(waste, "was never finished", bytes);
  } else if (parsed.entry.run === null) discard(waste, "does not say which run it is of", bytes);
  else {
    const at = timeOf(parsed.entry.clock, stat.birthtimeMs, stat.mtimeMs);
    gates.push({ name: `${parsed.entry.run}.entry`, at, uid: stat.uid, entry: parsed.entry });
  }
}

function discard(waste: Waste, reason: string, bytes: Buffer): void {
  if (waste.records === 0) waste.reason = reason;
  waste.records += 1;
  if (waste.kept.length >= STEP || waste.bytes + bytes.length > MAX_KEPT_BYTES) return;
  waste.bytes += bytes.length;
  waste.kept.push(bytes);
}

function unusableOf(log: string, { records, reason, kept }: Waste): Unusable | null {
  if (records === 0) return null;
  const others = records === 1 ? "" : ` (the first of ${records} records of one log of gates)`;
  return { name: `${log}.entry`, reason: `${reason}${others}`, bytes: Buffer.concat(kept) };
}

/** What the gate's clock said, as a time: milliseconds since the machine started, or since 1970 where a gate was traced.
 *  Never outside of the time in which the file was written. */
function timeOf(clock: number | null, from: number, to: number): number {
  if (clock === null || clock === 0) return to; // 0: the kernel told no time
  const at = clock > 1e12 ? clock : Math.round(Date.now() - upFor()) + clock;
  return Math.min(Math.max(at, Math.min(from, to)), to);
}

/** For how many milliseconds the machine is up, as /proc/uptime counts them. That tells hundredths of a second only; the
 *  monotonic clock is finer, and the same unless the machine was suspended. */
function upFor(): number {
  const coarse = uptime() * 1000;
  const fine = Number(process.hrtime.bigint()) / 1e6;
  return fine >= coarse && fine - coarse < 20 ? fine : coarse;
}
