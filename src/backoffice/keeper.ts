/**
 * The keeper holds a home's lease while this process works on it.
 *
 * It renews every third of the lease's length, from the moment the lease is taken until the last run has ended. A
 * renewal that fails (somebody else has the lease, the database is gone) tells the pass to stop at once; writes that are
 * under way fail by their token. Another process takes the lease when it has expired, or at once when the holder is
 * proven dead: same boot, same pid namespace, and no process with that pid and start time.
 */
import { randomUUID } from "node:crypto";
import type { Instant, Millis } from "../core/units.ts";
import { bootId, isAlive, processIdentity } from "../process/identity.ts";
import { type LeaseRow, releaseLease, renewLease, takeLease } from "../store/lease.ts";
import { type HomeContext, now } from "./context.ts";

/** How long a lease lasts without being renewed. */
export const LEASE_LENGTH = 30_000 as Millis;

export type Keeper = {
  readonly token: number;
  /** Aborts when the lease is lost. */
  readonly lost: AbortSignal;
  /** Stops renewing and gives the lease back. */
  release(): void;
};

/** Takes the home's lease and keeps it, or says who holds it. */
export function keepLease(ctx: HomeContext): Keeper | { heldBy: LeaseRow } {
  const holder = randomUUID();
  const self = processIdentity(process.pid) ?? { pid: process.pid, startTime: "" };
  const taken = takeLease(ctx.db, { holder, bootId: bootId(), ...self }, now(), LEASE_LENGTH, provenDead);
  if ("heldBy" in taken) return taken;
  const lost = new AbortController();
  const beat = setInterval(() => {
    try {
      if (renewLease(ctx.db, taken.token, holder, (now() + LEASE_LENGTH) as Instant)) return;
    } catch (error) {
      ctx.log("error", `the lease of ${ctx.layout.home} could not be renewed: ${(error as Error).message}`);
    }
    lost.abort();
  }, LEASE_LENGTH / 3);
  return {
    token: taken.token,
    lost: lost.signal,
    release() {
      clearInterval(beat);
      if (!lost.signal.aborted) releaseLease(ctx.db, taken.token, holder);
    },
  };
}

/** Whether the holder of a lease certainly runs no more. */
export function provenDead(row: LeaseRow): boolean {
  if (row.bootId !== bootId() || row.pid === null || row.startTime === null) return false;
  return !isAlive({ pid: row.pid, startTime: row.startTime });
}
