/**
 * The process group of one hook: the leader (the shell we started) and everything it started that did not leave by
 * setsid or setpgid on purpose.
 *
 * The danger is to signal a stranger, because the kernel hands numbers out anew. What protects us:
 *   1. While the leader is not reaped its number is taken, so -PID can only mean our group. Node reaps it and calls us
 *      in the same breath.
 *   2. After that the number stays taken as long as any process is in the group or in the session (the kernel frees a
 *      number when its last user in any role is gone). So the group is ours as long as one process that we saw in it
 *      earlier is still in it; those beside it are ours too, and vouch for others later.
 *   3. If none is left that we saw, but somebody is there: processes that fork and end faster than we look, or a
 *      stranger who got the number. Numbers are handed out in a circle of at least 32,768; at the fastest forking it
 *      does not close within a second. So a look that is at most a second old vouches as well; after a longer gap
 *      (we were stopped, or the machine slept) the group is taken for a stranger's and left alone.
 * Members are looked up in /proc, because a signal 0 also reaches zombies, and an init that does not reap (many
 * containers have one) would keep a group alive for ever.
 *
 * If we die here, the group lives on; the attempt's row holds the leader's identity, and whoever repeats the attempt
 * ends what is left of it first. Proved by the tests "E1" and "E2" in test/process/hook-process.test.ts.
 */
import { readdirSync, readFileSync } from "node:fs";
import { isRunning, type ProcessIdentity, processStatus } from "./identity.ts";
import { waitUntil } from "./pace.ts";

/** How long a number cannot come round again; see rule 3. */
const CIRCLE = 1000;

/** How long a process may take to vanish after SIGKILL before it is given up. */
export const VANISH = 2000;

/** Ends what is left of a hook whose keeper died: SIGTERM, `grace`, SIGKILL, and waits until it is gone. Returns how
 *  many processes that were; 0, and no signal, where the group is gone or its number has been given to others. That it
 *  is the hook's is proved by its leader, if that is still there, or else by GATEPOST_RUN in a member's environment. */
export async function endGroup(leader: ProcessIdentity, grace = 5000): Promise<number> {
  const group = new ProcessGroup(leader.pid);
  group.leaderEnded();
  const status = processStatus(leader.pid);
  const isOurs = status === null ? group.members().some(isOfHook) : status.startTime === leader.startTime;
  const found = isOurs ? group.count() : 0;
  if (found === 0) return 0;
  group.signal("SIGTERM");
  if (await waitUntil(() => group.isEmpty(), grace)) return found;
  group.signal("SIGKILL");
  await waitUntil(() => group.isEmpty(), VANISH);
  return found;
}

/** The hook that was started with these variables, where nobody had the time to note which process it is: the leader
 *  of the group of the oldest process that has them all. Null where none runs. Reads all of /proc. */
export function findHook(variables: Readonly<Record<string, string>>): ProcessIdentity | null {
  const wanted = Object.entries(variables).map(
    ([name, value]) => `\0${name}=${Buffer.from(value).toString("latin1")}\0`,
  );
  const found = readdirSync("/proc")
    .filter((name) => name >= "1" && name <= "9~")
    .flatMap((name) => {
      const environment = environmentOf(Number(name));
      if (!wanted.every((variable) => environment.includes(variable))) return [];
      return processStatus(Number(name)) ?? [];
    })
    .filter(isRunning)
    .sort((a, b) => Number(a.startTime) - Number(b.startTime) || a.pid - b.pid);
  const [oldest] = found;
  if (oldest === undefined) return null;
  return { pid: oldest.group, startTime: processStatus(oldest.group)?.startTime ?? "" };
}

const isOfHook = (pid: number): boolean => environmentOf(pid).includes("\0GATEPOST_RUN=");

/** The variables a process was started with, each between NULs; empty where it ended meanwhile or is another user's. */
function environmentOf(pid: number): string {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, "latin1")}`;
  } catch {
    return "";
  }
}

export class ProcessGroup {
  readonly #leader: number;
  #reaped = false;
  #known = new Map<number, string>(); // members seen at the last look: pid and start time
  #lookedAt = 0;

  /** `leader` leads its own session. It is a child of ours that is not yet reaped, or `leaderEnded` is called next. */
  constructor(leader: number) {
    this.#leader = leader;
  }

  /** To be called in the leader's exit callback, before anything else. From here on rules 2 and 3 hold, and somebody
   *  has to ask `isEmpty` at least every second until it is true. */
  leaderEnded(): void {
    this.#reaped = true;
    this.#lookedAt = performance.now();
    if (reaches(-this.#leader)) this.count();
  }

  /** True when no process of the group can do anything any more. One system call in the usual case. */
  isEmpty(): boolean {
    if (!reaches(-this.#leader)) return true;
    if (!this.#reaped) return false;
    for (const pid of this.#known.keys()) {
      if (!this.#isKnownMember(pid)) continue;
      this.#lookedAt = performance.now();
      return false;
    }
    return this.count() === 0;
  }

  /** How many running processes are in the group, the leader not counted. Reads all of /proc. */
  count(): number {
    const found = new Map<number, string>();
    for (const name of readdirSync("/proc")) {
      if (name < "1" || name > "9~") continue;
      const status = processStatus(Number(name));
      if (status === null || status.group !== this.#leader || status.session !== this.#leader) continue;
      if (isRunning(status) && (this.#reaped || status.pid !== this.#leader)) found.set(status.pid, status.startTime);
    }
    if (this.#reaped && !this.#isVouchedFor(found)) return 0;
    this.#known = found;
    this.#lookedAt = performance.now();
    return found.size;
  }

  /** The pids seen at the last count. */
  members(): number[] {
    return [...this.#known.keys()];
  }

  /** Sends a signal to all members. Members of another user (setuid programs) do not get it, and none is an error. */
  signal(name: "SIGTERM" | "SIGKILL"): void {
    if (this.#reaped && this.count() === 0) return;
    send(-this.#leader, name);
    if (name === "SIGTERM") send(-this.#leader, "SIGCONT"); // a stopped process acts on SIGTERM only when it goes on
  }

  #isVouchedFor(found: Map<number, string>): boolean {
    if (performance.now() - this.#lookedAt <= CIRCLE) return true;
    for (const [pid, startTime] of found) if (this.#known.get(pid) === startTime) return true;
    return false;
  }

  #isKnownMember(pid: number): boolean {
    const status = processStatus(pid);
    return (
      status !== null && status.startTime === this.#known.get(pid) && status.group === this.#leader && isRunning(status)
    );
  }
}

function reaches(target: number): boolean {
  try {
    return process.kill(target, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // there, but another user's
  }
}

function send(target: number, name: NodeJS.Signals): void {
  try {
    process.kill(target, name);
  } catch {
    // ESRCH: all have ended meanwhile. EPERM: another user's; the caller sees that they are still there.
  }
}
