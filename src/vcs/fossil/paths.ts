/**
 * The check-ins among what arrived in a Fossil repository: who made them, on which branches, and which paths they changed.
 *
 * What a check-in changed is read from Fossil's table `mlink`, which compares it with its parent. Of a merge only the
 * comparison with the primary parent counts, so what it brought over from the other one is a change of the branch that
 * was merged into. A renamed file changed under both names, and a first check-in changed all it has.
 *
 * A path may change several times, and what arrived is in no order, nor are the clocks of those who commit. So
 * check-ins are put behind their parents, and among the rest by their time; of each branch the last change of a path says
 * whether it is still there. Kept in memory: some numbers for each check-in and each path, but no names. Proven by
 * test/vcs/fossil-paths.test.ts.
 */
import type BetterSqlite3 from "better-sqlite3";
import { type ByteString, fromBuffer } from "../../core/bytes.ts";
import type { Instant } from "../../core/units.ts";
import type { RcvRange } from "../repository.ts";
import { ridsOf } from "./rids.ts";

type Db = BetterSqlite3.Database;

/** Fossil numbers its own tags alike in all repositories: 8 is `branch`. A cancelled one has type 0. */
const BRANCH = `coalesce((SELECT CAST(value AS BLOB) FROM tagxref
  WHERE tagxref.rid = event.objid AND tagid = 8 AND tagtype > 0), CAST('trunk' AS BLOB))`;

/** Table `event` says which blobs are check-ins. The only value is a list of rids. */
const OF_RANGE = "json_each(?) AS wanted JOIN event ON event.objid = wanted.value WHERE event.type = 'ci'";

const listOf = (db: Db, range: RcvRange): string => JSON.stringify(ridsOf(db, range));

/** The paths that check-ins of the range changed, deletions too, each once, in the order of their bytes. `present`: on a
 *  branch of the range the last change in the range did not delete it. Reads in the caller's transaction, to the end. */
export function* changedPaths(db: Db, range: RcvRange): Generator<{ path: ByteString; present: boolean }> {
  const present = lastChanges(db, range);
  const names = db.prepare<[string], { fnid: number; name: Buffer }>(
    `SELECT fnid, CAST(name AS BLOB) AS name FROM json_each(?) AS wanted JOIN filename ON fnid = wanted.value
     ORDER BY CAST(name AS BLOB)`,
  );
  for (const { fnid, name } of names.iterate(JSON.stringify([...present.keys()])))
    yield { path: fromBuffer(name), present: present.get(fnid) === true };
}

type Change = { fnid: number; fid: number; pfnid: number | null };

function lastChanges(db: Db, range: RcvRange): Map<number, boolean> {
  const present = new Map<number, boolean>();
  const decided = new Map<string, Set<number>>();
  const changesOf = db.prepare<[number], Change>("SELECT fnid, fid, pfnid FROM mlink WHERE mid = ? AND NOT isaux");
  for (const { rid, branch } of newestFirst(db, range)) {
    const here = decided.get(branch) ?? new Set();
    decided.set(branch, here);
    const decide = (fnid: number, isThere: boolean): void => {
      if (here.has(fnid)) return;
      here.add(fnid);
      present.set(fnid, isThere || present.get(fnid) === true);
    };
    const changes = changesOf.all(rid);
    for (const { fnid, fid } of changes) decide(fnid, fid !== 0);
    // An old name that is gone has a row of its own; one without is a file that was added again as it had been.
    for (const { pfnid } of changes) if (pfnid !== null && pfnid !== 0) decide(pfnid, true);
  }
  return present;
}

type Stated = { rid: number; branch: ByteString };

/** The check-ins of the range, each before its parents. */
function newestFirst(db: Db, range: RcvRange): Stated[] {
  const rows = db
    .prepare<[string], { rid: number; branch: Buffer }>(
      `SELECT event.objid AS rid, ${BRANCH} AS branch FROM ${OF_RANGE} ORDER BY mtime, objid`,
    )
    .all(listOf(db, range));
  const branches = new Map(rows.map(({ rid, branch }) => [rid, fromBuffer(branch)]));
  const parentsOf = db.prepare<[number], number>("SELECT pid FROM plink WHERE cid = ?").pluck();
  const entered = new Set<number>();
  const done = new Set<number>(); // keeps its order
  for (const { rid } of rows) {
    const open = [rid];
    for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
      const before = entered.has(last) ? [] : parentsOf.all(last).filter((pid) => branches.has(pid) && !done.has(pid));
      entered.add(last);
      open.push(...before);
      if (before.length > 0) continue;
      done.add(last);
      open.pop();
    }
  }
  return [...done].reverse().map((rid) => ({ rid, branch: branches.get(rid) ?? ("trunk" as ByteString) }));
}

/** The branches that the check-ins of the range belong to today, in the order of their bytes; `trunk` for those that
 *  belong to none. Empty where there is no check-in. */
export function branchesOf(db: Db, range: RcvRange): ByteString[] {
  const names = db.prepare<[string], Buffer>(`SELECT DISTINCT ${BRANCH} AS branch FROM ${OF_RANGE} ORDER BY branch`);
  return names.pluck().all(listOf(db, range)).map(fromBuffer);
}

/** A check-in as the repository shows it today, with what was amended. */
export type Checkin = {
  rid: number;
  hash: string;
  user: ByteString;
  at: Instant;
  comment: ByteString;
  branch: ByteString;
  /** Their hashes, the primary one first. */
  parents: string[];
};

type CheckinRow = { rid: number; hash: string; user: Buffer; at: number; comment: Buffer; branch: Buffer };

/** The check-ins among these rows, in the order in which they were stored, one by one. Reads in the caller's transaction. */
export function* checkinsOf(db: Db, rids: readonly number[]): Generator<Checkin> {
  const parentsOf = db
    .prepare<[number], string>("SELECT uuid FROM plink JOIN blob ON rid = pid WHERE cid = ? ORDER BY isprim DESC, pid")
    .pluck();
  const rows = db.prepare<[string], CheckinRow>(
    `SELECT objid AS rid, (SELECT uuid FROM blob WHERE blob.rid = objid) AS hash,
       CAST(coalesce(euser, user, '') AS BLOB) AS user, (mtime - 2440587.5) * 86400000 AS at,
       CAST(coalesce(ecomment, comment, '') AS BLOB) AS comment, ${BRANCH} AS branch
     FROM ${OF_RANGE} ORDER BY objid`,
  );
  for (const { rid, hash, user, at, comment, branch } of rows.iterate(JSON.stringify(rids)))
    yield {
      rid,
      hash,
      user: fromBuffer(user),
      at: Math.round(at) as Instant, // a day as a real number is exact to some hundredths of a millisecond
      comment: fromBuffer(comment),
      branch: fromBuffer(branch),
      parents: parentsOf.all(rid),
    };
}
