/**
 * Which process is meant. A pid alone says little: the kernel hands the numbers out in a circle, so a pid kept in the
 * database may belong to a stranger by now. A pid together with its start time names one process within one boot, and
 * the boot id names the boot. All three come from /proc and need no permission, also for another user's process, unless
 * /proc was mounted to hide them.
 */
import { readFileSync, readlinkSync } from "node:fs";

/** One process of one boot. `startTime` is field 22 of /proc/PID/stat (clock ticks since boot), kept as text. */
export type ProcessIdentity = { pid: number; startTime: string };

/** One process as of a moment; `state` is the letter of ps. */
export type ProcessStatus = ProcessIdentity & { state: string; group: number; session: number };

/** What /proc says about a process; null when there is none with this pid, or it ended while we looked. */
export function processStatus(pid: number): ProcessStatus | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null; // ENOENT before the open, ESRCH between the open and the read
  }
  // The second field is the program's name in brackets; it may itself hold spaces, brackets and newlines.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", , group, session] = fields;
  return { pid, state, group: Number(group), session: Number(session), startTime: fields[19] ?? "" };
}

/** Says who has this pid now; null when nobody has. A zombie still has its identity. */
export function processIdentity(pid: number): ProcessIdentity | null {
  const status = processStatus(pid);
  return status === null ? null : { pid, startTime: status.startTime };
}

/** True for a process that can still do something: not for a zombie, nor for one that is being taken down. */
export const isRunning = (status: ProcessStatus): boolean => status.state !== "Z" && status.state !== "X";

/** Says whether this very process, not a later one with the same number, still runs. A zombie does not. */
export function isAlive(identity: ProcessIdentity): boolean {
  const status = processStatus(identity.pid);
  return status !== null && status.startTime === identity.startTime && isRunning(status);
}

/** Says whether this very process certainly runs no more. What /proc hides from us (hidepid) may be alive. */
export function isGone(identity: ProcessIdentity): boolean {
  const status = processStatus(identity.pid);
  if (status !== null) return status.startTime !== identity.startTime || !isRunning(status);
  try {
    process.kill(identity.pid, 0);
    return processStatus(identity.pid) !== null; // started meanwhile: another one
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** The number by which the system knows the thread that calls; "" where it does not tell. */
export function threadSelf(): string {
  try {
    return readlinkSync("/proc/thread-self").split("/").at(-1) ?? "";
  } catch {
    return "";
  }
}

/** A thread of this process: its number and when it was started, which no later one has too; null where there is none. */
export function threadName(task: string): string | null {
  try {
    const stat = readFileSync(`/proc/self/task/${task}/stat`, "latin1");
    return `${task} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return null;
  }
}

let boot: string | null = null;

/** The id of this boot and of the namespaces in which this process counts pids and time. Only where all of it agrees do
 *  a pid and a start time name the same process, and does the clock of `sinceBoot` say the same. */
export function bootId(): string {
  if (boot === null) {
    const id = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    boot = [id, namespaceOf("pid"), namespaceOf("time")].filter((part) => part !== null).join(" ");
  }
  return boot;
}

/** "pid:[4026531836]"; null where the system has no such namespaces. */
function namespaceOf(kind: "pid" | "time"): string | null {
  try {
    return readlinkSync(`/proc/self/ns/${kind}`);
  } catch {
    return null;
  }
}

/** Milliseconds of the clock that all processes of a boot share and nobody can set. It stands while the machine sleeps. */
export const sinceBoot = (): number => Number(process.hrtime.bigint() / 1_000_000n);
