/**
 * The keeper holds a home's lease while this process works on it, and knows for how long it may believe so.
 *
 * Rules
 *   1. It beats every third of the lease's length, from the moment the lease is taken until the last run has ended.
 *   2. Trust is counted from the *start* of the beat that renewed the lease, by the boot's own clock. A renewal that took
 *      long proves only that the lease was ours when it began, and a wall clock that is set proves nothing.
 *   3. A beat that says the lease is another's, or that the database is no longer the one at its path, ends the pass at
 *      once. A beat that fails otherwise (busy, disk full, a sick disk) is repeated each second for as long as trust
 *      lasts, and then ends the pass. Ending means: nothing new starts, running hooks are ended with their grace.
 *   4. A process that was stopped for longer than that (SIGSTOP, a machine asleep) beats late. If nobody took the lease
 *      meanwhile nothing happened, and the beat renews it; the token tells, not the time.
 *   5. Trust guards nothing by itself: every write shows the token (store/lease.ts), and whoever takes over ends what is
 *      left of our hooks before it starts them again (lost.ts).
 *   6. A lease that could not be given back (no room, a sick disk) is left as it is. This thread knows which claims it
 *      still works under, and takes its own other ones for dead; others wait until it has expired. A program may have a
 *      home open in several threads: a claim of another thread is alive as long as that thread is.
 *
 * Another process takes the lease when it has expired, or at once when the holder is proven dead: same boot, same pid
 * namespace, and no process with that pid and start time. Proven by test/fault/lease.test.ts and test/torture/lease.test.ts.
 */
import { randomUUID } from "node:crypto";
import type { GatepostError } from "../core/errors.ts";
import type { Millis } from "../core/units.ts";
import { bootId, isGone, processIdentity, sinceBoot, threadName, threadSelf } from "../process/identity.ts";
import { startTimer } from "../process/pace.ts";
import { threadId } from "../process/thread.ts";
import { requireInPlace } from "../store/database.ts";
import { type LeaseRow, leaseLost, type Moment, releaseLease, renewLease, takeLease } from "../store/lease.ts";
import { type HomeContext, now } from "./context.ts";

/** How long a lease lasts without being renewed. */
export const LEASE_LENGTH = 30_000 as Millis;

/** So much before its end the holder stops believing in it. */
const MARGIN = 2000;

/** How soon a beat that failed is repeated. */
const AGAIN = 1000;

/** A lease that is held. */
export type Keeper = {
  readonly token: number;
  /** Aborts when the lease is lost, with the reason. */
  readonly lost: AbortSignal;
  /** Stops renewing and gives the lease back. */
  release(): void;
};

/** The claims that this process still works under. */
const claims = new Set<string>();

/** Takes the home's lease and keeps it, or says who holds it. */
export function keepLease(ctx: HomeContext, length = LEASE_LENGTH): Keeper | { heldBy: LeaseRow } {
  const holder = [randomUUID(), threadId, threadName(threadSelf()) ?? "-"].join(" ");
  const self = processIdentity(process.pid) ?? { pid: process.pid, startTime: "" };
  const began = moment();
  const taken = takeLease(ctx.db, { holder, bootId: bootId(), ...self }, began, length, provenDead);
  if ("heldBy" in taken) return taken;
  claims.add(holder);
  const lost = new AbortController();
  const trust = length - Math.min(MARGIN, length / 10);
  let trustedUntil = began.sinceBoot + trust;
  let stop = (): void => {};
  const beat = (): void => {
    const start = moment();
    let next = length / 3;
    try {
      requireInPlace(ctx.db);
      if (!renewLease(ctx.db, taken.token, holder, start, length)) throw leaseLost();
      trustedUntil = start.sinceBoot + trust;
    } catch (error) {
      const { code } = error as GatepostError;
      if (code === "GP_DAMAGED" || code === "GP_LEASE_LOST" || sinceBoot() >= trustedUntil) {
        lost.abort(error);
        return;
      }
      next = Math.min(AGAIN, length / 10);
    }
    stop = startTimer(next, beat);
  };
  stop = startTimer(length / 3, beat);
  return {
    token: taken.token,
    lost: lost.signal,
    release() {
      stop();
      claims.delete(holder);
      try {
        if (!lost.signal.aborted) releaseLease(ctx.db, taken.token, holder);
      } catch {} // rule 6; what went wrong before this is what the caller has to hear
    },
  };
}

const moment = (): Moment => ({ wall: now(), sinceBoot: sinceBoot() });

/** Whether a claim of this process may still be worked under in another thread of it. */
function isOtherThreads(holder: string): boolean {
  const [, thread, ...name] = holder.split(" ");
  if (thread === undefined || Number(thread) === threadId) return false;
  const [task = ""] = name;
  return task === "-" || threadName(task) === name.join(" ");
}

/** Whether the holder of a lease certainly runs no more. */
export function provenDead(row: LeaseRow): boolean {
  if (row.bootId !== bootId() || row.pid === null || row.startTime === null) return false;
  if (row.pid === process.pid && row.startTime === processIdentity(process.pid)?.startTime)
    return row.holder !== null && !claims.has(row.holder) && !isOtherThreads(row.holder);
  return isGone({ pid: row.pid, startTime: row.startTime });
}
