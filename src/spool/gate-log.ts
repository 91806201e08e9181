/**
 * The log of gates: the file `gates` in the spool of a home that nobody else writes to, to which each gate adds its
 * record. A file of its own for each would cost a commit a hundred times as much.
 *
 *     (empty line) record (empty line) record …        a record as in gate-entry.ts, which also says `run` and `clock`
 *
 * Whoever stores records first renames the file, to gates.UUID.log, so that gates begin a new one, and reads what was
 * renamed. A gate that had the file open just then may still add to the renamed one: so it is kept, and read again, until
 * it is a minute old. A record that was read twice is known by its run. One that was cut off spoils no other: each begins
 * on a line of its own.
 *
 * In a shared home others could put anything in its place: what is no plain file is set aside, and never followed.
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
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { uptime } from "node:os";
import { basename, dirname, join } from "node:path";
import { fromBuffer, toBuffer } from "../core/bytes.ts";
import { MINUTE, SECOND } from "../core/units.ts";
import { type SpooledGate, setAside, type Unusable } from "./drain.ts";
import { parseGateEntry } from "./gate-entry.ts";

const CURRENT = "gates";
/** Half a million records. */
const MAX_LOG_BYTES = 256 * 1024 * 1024;
const RENAMED = /^gates\.[0-9a-f-]+\.log$/;

export type GateLogs = {
  gates: SpooledGate[];
  /** What can never be stored, with its bytes. */
  unusable: Unusable[];
  /** Files that need not be kept once these records are stored. */
  done: string[];
};

/** Whether there is anything to store, or a file to be read for the last time. */
export function isGateLogDue(spool: string, now: number): boolean {
  const current = lstatSync(join(spool, CURRENT), { throwIfNoEntry: false });
  return (current !== undefined && current.size > 0) || renamed(spool).some((name) => isOld(join(spool, name), now));
}

/** Whether gates have not written for a second, or have begun to ten seconds ago; also a file to be read for the last time. */
export function isGateLogRipe(spool: string, now: number): boolean {
  const current = lstatSync(join(spool, CURRENT), { throwIfNoEntry: false });
  if (current === undefined) return renamed(spool).some((name) => isOld(join(spool, name), now));
  return Math.abs(now - current.mtimeMs) > SECOND || Math.abs(now - current.birthtimeMs) > 10 * SECOND;
}

/** Whether that file in the spool is a log of gates. */
export const isGateLog = (name: string): boolean => name === CURRENT || RENAMED.test(name);

/** Renames the log and reads it, and those renamed before. For the home's owner. */
export function takeGateLogs(spool: string, now: number): GateLogs {
  try {
    renameSync(join(spool, CURRENT), join(spool, `gates.${randomUUID()}.log`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const logs: GateLogs = { gates: [], unusable: [], done: [] };
  for (const name of renamed(spool)) {
    const isLast = isOld(join(spool, name), now); // asked before it is read: what is added later is not missed
    readLog(join(spool, name), isLast, logs);
    if (isLast) logs.done.push(name);
  }
  return logs;
}

/** Removes files that were read for the last time. */
export function removeGateLogs(spool: string, names: readonly string[]): void {
  for (const name of names) rmSync(join(spool, name), { force: true });
}

function renamed(spool: string): string[] {
  try {
    return readdirSync(spool).filter((name) => RENAMED.test(name));
  } catch {
    return [];
  }
}

/** A minute since it was renamed, or the clock was set back since. */
function isOld(file: string, now: number): boolean {
  const changed = lstatSync(file, { throwIfNoEntry: false })?.ctimeMs;
  return changed !== undefined && Math.abs(now - changed) > MINUTE;
}

function readLog(path: string, isLast: boolean, logs: GateLogs): void {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return; // another process was the last
    if (!/^(ELOOP|ENXIO|ENODEV|EACCES|EPERM)$/.test(code)) throw error;
    setAside(dirname(path), { name: basename(path), reason: `is no log of gates (${code})` });
    return;
  }
  try {
    const stat = fstatSync(file);
    const { uid, mtimeMs, birthtimeMs } = stat;
    if (!stat.isFile() || stat.nlink !== 1 || stat.size > MAX_LOG_BYTES) {
      setAside(dirname(path), { name: basename(path), reason: "is no log of gates, or too large to be read" });
      return;
    }
    const text = fromBuffer(readFileSync(file));
    for (const [index, record] of text.split(/(?:^|\n)(?=\n|gatepost 1\n)/).entries()) {
      const lines = record.replace(/^\n+|\n+$/g, "");
      if (lines === "") continue;
      const bytes = toBuffer(`${lines}\n` as typeof text);
      const parsed = parseGateEntry(bytes);
      const name = `${path.slice(path.lastIndexOf("/") + 1)}-${index}.entry`;
      if (parsed.state === "bad") logs.unusable.push({ name, reason: parsed.reason, bytes });
      else if (parsed.state === "whole" && parsed.entry.run === null)
        logs.unusable.push({ name, reason: "does not say which run it is of", bytes });
      else if (parsed.state === "whole") {
        const at = timeOf(parsed.entry.clock, birthtimeMs, mtimeMs);
        logs.gates.push({ name: `${parsed.entry.run}.entry`, at, uid, entry: parsed.entry });
      } else if (isLast) logs.unusable.push({ name, reason: "was never finished", bytes });
    }
  } finally {
    closeSync(file);
  }
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
