/**
 * The group of one hook: the leader (the shell we started) and everything it started that did not leave by setsid. Its
 * unit is the session, for a process group is left without meaning it: `timeout` and `set -m` give each child a group
 * of its own. A session is left by setsid alone, and who calls that wants to outlive the hook.
 *
 * The danger is to signal a stranger, because the kernel hands numbers out anew. What protects us:
 *   1. While the leader is not reaped its number is taken, so a session of that number can only be ours. Node reaps it
 *      and calls us in the same breath.
 *   2. After that the number stays taken as long as any process is in the session (the kernel frees a number when its
 *      last user in any role is gone). So the session is ours as long as one process that we saw in it earlier is still
 *      in it; those beside it are ours too, and vouch for others later.
 *   3. If none is left that we saw, but somebody is there: processes that fork and end faster than we look, or a
 *      stranger who got the number. Numbers are handed out in a circle of at least 32,768; at the fastest forking it
 *      does not close within a second. So a look that is at most a second old vouches as well; after a longer gap
 *      (we were stopped, or the machine slept) the session is taken for a stranger's and left alone.
 *   4. No system call signals a session. So the leader's process group gets the signal first, and then each other one
 *      in which a look finds a member, right when it does. A process group lies within one session,
 *      so whoever it reaches is ours; and it reaches also those forked since the look.
 * Members are looked up in /proc: nothing else knows a session's orphans. Signal 0 would also reach zombies, and an
 * init that does not reap (many containers have one) would keep a group alive for ever. A look reads one file for each
 * process of the machine, so it is taken once when the leader has ended; from then on only the members seen are asked
 * for until they are gone.
 *
 * If we die here, the group lives on; the attempt's row holds the leader's identity, and whoever repeats the attempt
 * ends what is left of it first. Proved by the tests "E1" and "E2" in test/process/hook-process.test.ts and "A1" and
 * "D3" in group.test.ts.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { isRunning, type ProcessIdentity, type ProcessStatus, processStatus } from "./identity.ts";
import { waitUntil } from "./pace.ts";
import { allPids, startedWith } from "./processes.ts";

/** How long a number cannot come round again; see rule 3. */
const CIRCLE = 1000;

/** Half of the smallest circle of numbers. */
const HALF = 16_384;

/** How often a look is repeated that may have missed a process forked meanwhile, and a signal to groups made since. */
const ROUNDS = 5;

/** How long a process may take to vanish after SIGKILL before it is given up. */
export const VANISH = 2000;

/** How many processes were ended, and how many of them would not end: of another user, or in the middle of a call. */
export type Remains = { found: number; left: number };

/** Ends what is left of a hook whose keeper died: SIGTERM, `grace`, SIGKILL, and waits until it is gone. None is found,
 *  and gets no signal, where the group is gone or its number has been given to others. That it is the hook's is proved by
 *  its leader, if that is still there, or else by GATEPOST_RUN in a member's environment. */
export async function endGroup(leader: ProcessIdentity, grace = 5000): Promise<Remains> {
  const group = new ProcessGroup(leader.pid);
  group.leaderEnded();
  const status = processStatus(leader.pid);
  const isOurs = status === null ? group.members().some(isOfHook) : status.startTime === leader.startTime;
  const found = isOurs ? group.count() : 0;
  if (found === 0) return { found, left: 0 };
  group.signal("SIGTERM");
  if (await waitUntil(() => group.isEmpty(), grace)) return { found, left: 0 };
  group.signal("SIGKILL");
  const gone = await waitUntil(() => group.isEmpty(), VANISH);
  return { found, left: gone ? 0 : Math.max(1, group.count()) };
}

const isOfHook = (pid: number): boolean => startedWith(pid).includes("\0GATEPOST_RUN=");

/** One hook's group as its keeper sees it, or whoever ends it in the keeper's place. */
export class ProcessGroup {
  readonly #leader: number;
  readonly #startedAt: number;
  #reaped = false;
  #known = new Map<number, string>(); // members seen at the last look: pid and start time
  #lookedAt = 0;
  #seenEmpty = false;
  #unsure = false; // the last look found nobody, but somebody was there

  /** `leader` leads its own session. It is a child of ours that is not yet reaped, or `leaderEnded` is called next.
   *  `startedAt`, by performance.now(), is not after its start. */
  constructor(leader: number, startedAt = Number.NEGATIVE_INFINITY) {
    this.#leader = leader;
    this.#startedAt = startedAt;
  }

  /** To be called in the leader's exit callback, before anything else. From here on rules 2 and 3 hold, and somebody
   *  has to ask `isEmpty` at least every second until it is true. Reads /proc as `count` does. */
  leaderEnded(): void {
    this.#reaped = true;
    this.#lookedAt = performance.now();
    this.count();
  }

  /** True when no process of the group can do anything any more. One system call in the usual case. */
  isEmpty(): boolean {
    if (!this.#reaped) return false;
    // Nobody comes into a session from outside; only a look that missed somebody is worth another one.
    if (this.#seenEmpty && !reaches(-this.#leader)) return true;
    for (const pid of this.#known.keys()) {
      if (this.#knownMember(pid) === null) continue;
      this.#lookedAt = performance.now();
      return false;
    }
    return this.count() === 0 && !this.#unsure;
  }

  /** How many running processes are in the group, the leader not counted; each is `seen`, right then. Reads all of
   *  /proc. */
  count(seen: (member: ProcessStatus) => void = () => {}): number {
    const found = this.#look(seen);
    if (this.#reaped && !this.#isVouchedFor(found)) return 0;
    this.#known = found;
    this.#lookedAt = performance.now();
    this.#seenEmpty = this.#reaped && found.size === 0;
    return found.size;
  }

  /** The pids seen at the last count. */
  members(): number[] {
    return [...this.#known.keys()];
  }

  /** Sends a signal to all members. Members of another user (setuid programs) do not get it, and none is an error. */
  signal(name: "SIGTERM" | "SIGKILL"): void {
    // Nobody found is no reason not to: in a chain of short lives each may have been missed. Within a second the number
    // cannot be a stranger's (rule 3), and a group that is gone does not mind.
    if (this.#reaped && this.count() === 0 && performance.now() - this.#lookedAt > CIRCLE) return;
    sendToGroup(this.#leader, name);
    const reached = new Set([this.#leader]);
    // At once when it is seen: a member may make a group and go there between a look's beginning and its end.
    const reach = ({ group }: ProcessStatus): void => {
      if (group <= 1 || reached.has(group)) return; // kill would take 0 for our own group and -1 for everybody
      if (this.#reaped && performance.now() - this.#lookedAt > CIRCLE) return; // rule 3
      sendToGroup(group, name);
      reached.add(group);
    };
    // Until a look shows none that did not get it.
    for (let round = 0, before = 0; round < ROUNDS && before < reached.size; round++) {
      before = reached.size;
      if (this.count(reach) === 0) return;
    }
  }

  /** The running processes of the session. A list of /proc is no moment's truth: a member that ended while we read may
   *  have left a child that is not in the list. So where one ended and none was found we look again, and where the last
   *  look shows such a one, or the leader's group has members and none was seen, we are not sure. One that had ended
   *  before (a zombie that nobody reaps) has left nobody since. */
  #look(seen: (member: ProcessStatus) => void): Map<number, string> {
    const found = new Map<number, string>();
    const ended = new Set<number>();
    let again = true;
    for (let round = 0; round < ROUNDS && again && found.size === 0; round++) {
      again = false;
      let endedNow = false;
      let zombies = 0;
      // The newest first: of processes that live a millisecond the last ones of the list may be gone when we get there.
      for (const pid of allPids().reverse()) {
        if (this.#isOlder(pid)) continue;
        const session = sessionOf(pid);
        if (session === null) again = true;
        if (session !== this.#leader) continue;
        const status = processStatus(pid);
        if (status?.group === this.#leader) zombies++;
        if (status === null || !isRunning(status)) {
          if (!ended.has(pid)) endedNow = true;
          ended.add(pid);
        } else if (status.session === this.#leader && (this.#reaped || pid !== this.#leader)) {
          found.set(pid, status.startTime);
          seen(status);
        }
      }
      this.#unsure = found.size === 0 && ((round > 0 && endedNow) || (zombies === 0 && reaches(-this.#leader)));
      again ||= endedNow || this.#unsure;
    }
    return found;
  }

  /** True for numbers given out before the leader's: a child's comes later in the circle, and in half the time of rule
   *  3 half the circle is not used up. It spares a short hook most of the reading. */
  #isOlder(pid: number): boolean {
    const isYoung = performance.now() - this.#startedAt <= CIRCLE / 2;
    return isYoung && pid < this.#leader && pid > this.#leader - HALF;
  }

  #isVouchedFor(found: Map<number, string>): boolean {
    if (performance.now() - this.#lookedAt <= CIRCLE) return true;
    for (const [pid, startTime] of found) if (this.#known.get(pid) === startTime) return true;
    return false;
  }

  #knownMember(pid: number): ProcessStatus | null {
    const status = processStatus(pid);
    if (status === null || status.startTime !== this.#known.get(pid)) return null;
    return status.session === this.#leader && isRunning(status) ? status : null;
  }
}

// The name in brackets has at most 64 bytes (a kernel thread's), the five numbers up to the session at most 60.
const start = Buffer.alloc(256);

/** The session of a process; null when it ended meanwhile. Half the time of `processStatus`, for it is asked of all. */
function sessionOf(pid: number): number | null {
  let file: number | null = null;
  try {
    file = openSync(`/proc/${pid}/stat`, "r");
    const text = start.toString("latin1", 0, readSync(file, start, 0, start.length, 0));
    return Number(text.slice(text.lastIndexOf(")") + 2).split(" ", 4)[3]);
  } catch {
    return null;
  } finally {
    if (file !== null) closeSync(file);
  }
}

function reaches(target: number): boolean {
  try {
    return process.kill(target, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // there, but another user's
  }
}

function sendToGroup(group: number, name: "SIGTERM" | "SIGKILL"): void {
  send(-group, name);
  if (name === "SIGTERM") send(-group, "SIGCONT"); // a stopped process acts on SIGTERM only when it goes on
}

function send(target: number, name: NodeJS.Signals): void {
  try {
    process.kill(target, name);
  } catch {
    // ESRCH: all have ended meanwhile. EPERM: another user's; the caller sees that they are still there.
  }
}
