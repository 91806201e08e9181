/**
 * Table lease: who may cut and run. One row, whose token only grows.
 *
 * A holder that was stopped, suspended or presumed dead may wake up and try to write. It cannot do harm: every write of
 * a holder begins with `requireToken` inside its IMMEDIATE transaction, so no other process can take the lease between
 * the check and the write, and once another has taken it the old token no longer matches.
 * Proven by "a write with an old lease token changes nothing" in test/store/lease.test.ts.
 */
import { GatepostError } from "../core/errors.ts";
import type { Instant, Millis } from "../core/units.ts";
import { change, type Database, one, requireInPlace, write } from "./database.ts";

/** One process, named so that no other can be mistaken for it. */
export type Holder = { holder: string; bootId: string; pid: number; startTime: string };

export type LeaseRow = {
  token: number;
  holder: string | null;
  bootId: string | null;
  pid: number | null;
  startTime: string | null;
  expiresAt: Instant | null;
};

const select = one<LeaseRow>(
  "SELECT token, holder, boot_id AS bootId, pid, start_time AS startTime, expires_at AS expiresAt FROM lease WHERE id = 1",
);
const take = change<Holder & { expiresAt: number }>(
  `UPDATE lease SET token = token + 1, holder = :holder, boot_id = :bootId, pid = :pid, start_time = :startTime,
     expires_at = :expiresAt WHERE id = 1`,
);
const shorten = change<{ expiresAt: number }>("UPDATE lease SET expires_at = :expiresAt WHERE id = 1");
const renew = change<{ token: number; holder: string; expiresAt: number }>(
  "UPDATE lease SET expires_at = :expiresAt WHERE id = 1 AND token = :token AND holder = :holder",
);
const release = change<{ token: number; holder: string }>(
  `UPDATE lease SET holder = NULL, boot_id = NULL, pid = NULL, start_time = NULL, expires_at = NULL
   WHERE id = 1 AND token = :token AND holder = :holder`,
);

export const readLease = (db: Database): LeaseRow => select(db, {}) as LeaseRow;

/**
 * Takes the lease if it is free, has expired, or its holder is dead by the judgement of `isDead`. Returns the new
 * token, or who holds it. A lease that ends further ahead than `ttl` was renewed before the clock was set back; it is
 * shortened to `ttl` from now, and its holder, if it lives, renews it by the new clock.
 */
export function takeLease(
  db: Database,
  holder: Holder,
  now: Instant,
  ttl: Millis,
  isDead: (row: LeaseRow) => boolean,
): { token: number } | { heldBy: LeaseRow } {
  return write(db, () => {
    const row = readLease(db);
    const free = row.holder === null || (row.expiresAt ?? 0) <= now || isDead(row);
    if (!free) {
      if ((row.expiresAt ?? 0) > now + ttl) shorten(db, { expiresAt: now + ttl });
      return { heldBy: row };
    }
    take(db, { ...holder, expiresAt: now + ttl });
    return { token: row.token + 1 };
  });
}

/** Extends the lease; false when it is no longer ours. */
export const renewLease = (db: Database, token: number, holder: string, expiresAt: Instant): boolean =>
  renew(db, { token, holder, expiresAt }).changes === 1;

/** Gives the lease back; nothing happens when it is no longer ours. */
export const releaseLease = (db: Database, token: number, holder: string): void => void release(db, { token, holder });

/** Runs `work` in a transaction of the lease's holder, or throws GP_LEASE_LOST and changes nothing. */
export function writeAsHolder<T>(db: Database, token: number, work: () => T): T {
  return write(db, () => {
    if (readLease(db).token !== token)
      throw new GatepostError("GP_LEASE_LOST", "Another backoffice has taken over this home; this one stops.");
    const result = work();
    requireInPlace(db); // before the commit: whatever follows from this write must not follow from one into a lost file
    return result;
  });
}
