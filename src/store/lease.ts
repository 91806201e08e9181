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

/** One process, named so that no other can be mistaken for it. `bootId` names the boot, and with it the clock of `until`. */
export type Holder = { holder: string; bootId: string; pid: number; startTime: string };

/** A moment by both clocks: the wall's, and the boot's own in milliseconds. */
export type Moment = { wall: Instant; sinceBoot: number };

/** The row of the lease. All but the token is null while nobody holds it; `until` also of a holder that knew no such
 *  clock. */
export type LeaseRow = {
  token: number;
  holder: string | null;
  bootId: string | null;
  pid: number | null;
  startTime: string | null;
  expiresAt: Instant | null;
  until: number | null;
};

const select = one<LeaseRow>(
  `SELECT token, holder, boot_id AS bootId, pid, start_time AS startTime, expires_at AS expiresAt, until
   FROM lease WHERE id = 1`,
);
/** Whoever deletes the row by hand takes no token from anybody: attempts know how far they had come. */
const restore = change("INSERT OR IGNORE INTO lease (id, token) SELECT 1, ifnull(max(token), 0) FROM attempt");
const take = change<Holder & { expiresAt: number; until: number }>(
  `UPDATE lease SET token = token + 1, holder = :holder, boot_id = :bootId, pid = :pid, start_time = :startTime,
     expires_at = :expiresAt, until = :until WHERE id = 1`,
);
const shorten = change<{ expiresAt: number }>("UPDATE lease SET expires_at = :expiresAt WHERE id = 1");
const renew = change<{ token: number; holder: string; expiresAt: number; until: number }>(
  `UPDATE lease SET expires_at = :expiresAt, until = :until
   WHERE id = 1 AND token = :token AND holder = :holder`,
);
const release = change<{ token: number; holder: string }>(
  `UPDATE lease SET holder = NULL, boot_id = NULL, pid = NULL, start_time = NULL, expires_at = NULL, until = NULL
   WHERE id = 1 AND token = :token AND holder = :holder`,
);

/** Null where somebody deleted the row. */
export const readLease = (db: Database): LeaseRow | null => select(db, {});

/** The row, made anew where it was deleted. */
function requireLease(db: Database): LeaseRow {
  const row = readLease(db);
  if (row !== null) return row;
  restore(db, {});
  return readLease(db) as LeaseRow;
}

/**
 * Takes the lease if it is free, has expired, or its holder is dead by the judgement of `isDead`. Returns the new
 * token, or who holds it. Where the taker shares the holder's clock, that alone says whether the lease has expired, and
 * whoever sets the wall clock moves nothing. Else the wall clock has to do (another container, or a holder from before
 * a restart): a lease that by it ends further ahead than `ttl` was renewed before the clock was set back; it is shortened
 * to `ttl` from now, and its holder, if it lives, renews it by the new clock.
 */
export function takeLease(
  db: Database,
  holder: Holder,
  now: Moment,
  ttl: Millis,
  isDead: (row: LeaseRow) => boolean,
): { token: number } | { heldBy: LeaseRow } {
  return write(db, () => {
    const row = requireLease(db);
    const sharesClock = row.bootId === holder.bootId && row.until !== null;
    const left = sharesClock ? (row.until ?? 0) - now.sinceBoot : (row.expiresAt ?? 0) - now.wall;
    if (row.holder !== null && left > 0 && !isDead(row)) {
      if (!sharesClock && left > ttl) shorten(db, { expiresAt: now.wall + ttl });
      return { heldBy: row };
    }
    take(db, { ...holder, ...endOf(now, ttl) });
    return { token: row.token + 1 };
  });
}

/** Extends the lease to `ttl` from `now`; false when it is no longer ours. */
export const renewLease = (db: Database, token: number, holder: string, now: Moment, ttl: Millis): boolean =>
  renew(db, { token, holder, ...endOf(now, ttl) }).changes === 1;

const endOf = (now: Moment, ttl: Millis) => ({ expiresAt: now.wall + ttl, until: now.sinceBoot + ttl });

/** Gives the lease back; nothing happens when it is no longer ours. */
export const releaseLease = (db: Database, token: number, holder: string): void => void release(db, { token, holder });

/** What a holder is told that is none any more. */
export const leaseLost = (): GatepostError =>
  new GatepostError("GP_LEASE_LOST", "Another backoffice has taken over this home; this one stops.");

/** Runs `work` in a transaction of the lease's holder, or throws GP_LEASE_LOST and changes nothing. */
export function writeAsHolder<T>(db: Database, token: number, work: () => T): T {
  return write(db, () => {
    if (readLease(db)?.token !== token) throw leaseLost();
    const result = work();
    requireInPlace(db); // before the commit: whatever follows from this write must not follow from one into a lost file
    return result;
  });
}
