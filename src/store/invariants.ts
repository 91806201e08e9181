/**
 * What of the promises can be read off the database alone: every statement here finds rows that must not be.
 *
 * A promise about the past is judged only as far as the past is kept. Retention deletes runs, batches and receipts, a
 * repository may be replaced, hooks come and go; what these explain is let be. `complete` lets nothing be: it is for a
 * home of which all is known, as in a test.
 *
 * No statement compares rows with rows: each reads a table or an index once, and looks up beside it
 * (test/store/plans.test.ts). A million receipts with their batches, runs and attempts (600 MB) take ten seconds.
 */
import type { RepositoryId } from "../core/units.ts";
import { all, type Database, one } from "./database.ts";

/** A promise, what must not be, and where it is; at most `few` places are named. */
export type Broken = { promise: string; what: string; where: string[] };

type Check = { promise: string; what: string; find: (db: Database, values: Values) => { at: string }[] };
type Values = { complete: number; few: number };

const checks: Check[] = [];
const check = (promise: string, what: string, sql: string): void => {
  checks.push({
    promise,
    what,
    find: all<{ at: string }, Values>(`/* ${promise} */ ${sql} LIMIT :few + 0 * :complete`),
  });
};

check(
  "I1",
  "A batch does not hold as many receipts as it says, or left out others",
  `SELECT 'batch ' || id AS at FROM (
     SELECT b.id, (b.receipts + b.left_out) || '/' || b.left_out AS noted, (
         SELECT count(*) || '/' || ifnull(sum(r.left_out), 0) FROM receipt r
         WHERE r.repository = b.repository AND r.id > b.base AND r.id <= b.upto) AS found
     FROM batch b) WHERE noted <> found`,
);
check(
  "I1",
  "A receipt was left out of a batch that was never cut",
  `SELECT 'receipt ' || r.id AS at FROM repository p CROSS JOIN receipt r ON r.repository = p.id AND r.id > p.cursor
   WHERE r.left_out = 1`,
);
check(
  "I2",
  "A ref does not go on from the value that it had",
  `SELECT 'update ' || id AS at FROM (
     SELECT id, old, lag(new) OVER (PARTITION BY repository, name ORDER BY id) AS before FROM ref_update
     WHERE :complete AND how <> 'claimed') WHERE before <> old`,
);
check(
  "I2",
  "The ledger holds another value than the last update of the ref",
  `SELECT 'update ' || u.id AS at FROM (
     SELECT max(id) AS id, repository, name, new FROM ref_update WHERE :complete AND how <> 'claimed'
     GROUP BY repository, name) u
   LEFT JOIN ref ON ref.repository = u.repository AND ref.name = u.name
   WHERE ifnull(ref.value, '') <> iif(ltrim(u.new, '0') = '', '', u.new)`,
);
// A gap is explained by batches that retention deleted, whose numbers are missing; or by a time without hooks, after
// which the first one begins at that moment.
check(
  "I3",
  "A batch does not begin where the one before it ended",
  `SELECT 'batch ' || id AS at FROM (
     SELECT id, repository, base, cut_at, lag(id) OVER w AS before, lag(upto) OVER w AS ended, lag(cut_at) OVER w AS since
     FROM batch WINDOW w AS (PARTITION BY repository ORDER BY base)) b
   WHERE before > id OR base < ended OR (base > ended AND (:complete OR (
       EXISTS (SELECT 1 FROM receipt r WHERE r.repository = b.repository AND r.id > ended AND r.id <= base)
       AND (SELECT count(*) FROM batch x WHERE x.id > before AND x.id < b.id) = b.id - before - 1
       AND NOT EXISTS (SELECT 1 FROM hook_audit WHERE at BETWEEN since AND cut_at))))`,
);
check(
  "I3",
  "A cursor does not stand where the last batch ended",
  `SELECT 'repository ' || id AS at FROM (
     SELECT p.id, p.cursor, b.upto, b.cut_at FROM repository p
     JOIN batch b ON b.repository = p.id AND b.upto = (SELECT max(upto) FROM batch x WHERE x.repository = p.id)) p
   WHERE cursor < upto OR (cursor > upto AND (:complete OR (
       EXISTS (SELECT 1 FROM receipt r WHERE r.repository = p.id AND r.id > upto AND r.id <= cursor)
       AND NOT EXISTS (SELECT 1 FROM hook_audit WHERE at >= cut_at))))`,
);
check(
  "I4",
  "A batch was cut without a run",
  `SELECT 'batch ' || b.id AS at FROM batch b WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.batch = b.id)
     AND (:complete OR (SELECT count(*) FROM run) = (SELECT seq FROM sqlite_sequence WHERE name = 'run'))`,
);
check(
  "I4",
  "A run is not on a receipt or batch of its repository",
  `SELECT 'run ' || r.id AS at FROM run r JOIN batch b ON b.id = r.batch
   WHERE r.repository <> b.repository OR (r.receipt IS NOT NULL AND (r.receipt <= b.base OR r.receipt > b.upto))`,
);
check(
  "I4",
  "A hook has two runs on one batch",
  `SELECT 'batch ' || batch || ', hook ' || hook AS at FROM run WHERE replay_of IS NULL AND batch IS NOT NULL
   GROUP BY batch, hook, ifnull(receipt, 0) HAVING count(*) > 1`,
);
check(
  "I4",
  "A run is not for an event of its repository, or of its type",
  `SELECT 'run ' || r.id AS at FROM event e CROSS JOIN run r ON r.event = e.id
   WHERE r.repository <> e.repository OR r.type <> 'on:' || e.name`,
);
check(
  "I4",
  "A hook has two runs for one event",
  `SELECT 'event ' || event || ', hook ' || hook AS at FROM run WHERE replay_of IS NULL AND event IS NOT NULL
   GROUP BY event, hook HAVING count(*) > 1`,
);
check(
  "I4",
  "An event is told of twice while its cause lasts",
  `SELECT 'event ' || max(id) AS at FROM event WHERE over_at IS NULL GROUP BY repository, name, cause HAVING count(*) > 1`,
);
check(
  "I4",
  "A run was parked, or a receipt left out, and no event tells of it",
  `SELECT 'run ' || id AS at FROM run WHERE :complete AND state = 'parked' AND batch IS NOT NULL AND NOT EXISTS (
     SELECT 1 FROM event e WHERE e.repository = run.repository AND e.name = 'parked' AND e.over_at IS NULL
       AND e.cause = 'run ' || run.incarnation || '-' || run.id || ', attempt ' || run.attempts)
   UNION ALL
   SELECT 'batch ' || id AS at FROM batch WHERE :complete AND left_out > 0 AND NOT EXISTS (
     SELECT 1 FROM event e WHERE e.repository = batch.repository AND e.name = 'left-out' AND e.over_at IS NULL
       AND e.cause = 'batch ' || batch.id)`,
);
check(
  "I4",
  "A paused repository does not know since when its window stands still",
  "SELECT 'repository ' || id AS at FROM repository WHERE paused IS NOT NULL AND held_from IS NULL",
);
check(
  "I4",
  "A run failed, was parked or skipped without a reason",
  "SELECT 'run ' || id AS at FROM run WHERE state IN ('failed', 'parked', 'skipped') AND ifnull(reason, '') = ''",
);
check(
  "I5",
  "The attempts of a run are not numbered from 1 without a gap, or are not as many as it says",
  `SELECT 'run ' || id AS at FROM run WHERE failures > attempts
     OR attempts <> (SELECT count(*) FROM attempt WHERE attempt.run = run.id)
     OR attempts <> ifnull((SELECT max(number) FROM attempt WHERE attempt.run = run.id), 0)`,
);
check(
  "I6",
  "A hook has two open attempts on one repository",
  `SELECT 'hook ' || r.hook || ', repository ' || r.repository AS at FROM attempt a JOIN run r ON r.id = a.run
   WHERE a.ended_at IS NULL GROUP BY r.hook, r.repository HAVING count(*) > 1`,
);
// Judged by the clock of the boot, in which the kernel counts when a process began (a hundredth of a second), and not
// by the wall clock alone, which may have been set back between the two. An attempt is timed from a little before its
// process begins: less than a second of overlap needs the wall clock as a second witness.
check(
  "I6",
  "Two attempts of one hook on one repository overlapped",
  `SELECT 'attempt ' || number || ' of run ' || run AS at FROM (
     SELECT a.run, a.number, a.started_at, a.start_time * 10 AS began,
       max(a.start_time * 10 + a.took) OVER w AS earlier, max(a.ended_at) OVER w AS ended
     FROM attempt a JOIN run r ON r.id = a.run
     WHERE a.token > 0 AND a.start_time IS NOT NULL AND a.took IS NOT NULL
     WINDOW w AS (PARTITION BY r.hook, r.repository, a.boot_id ORDER BY a.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))
   WHERE earlier - began > 1000 OR (earlier - began > 50 AND started_at < ended - 50)`,
);
check(
  "I6",
  "First attempts of a hook are not in the order of its batches",
  `SELECT 'run ' || run AS at FROM (
     SELECT a.run, r.batch, max(r.batch) OVER (PARTITION BY r.hook, r.repository ORDER BY a.id) AS newest
     FROM attempt a JOIN run r ON r.id = a.run
     WHERE :complete AND a.number = 1 AND r.batch IS NOT NULL AND r.replay_of IS NULL) WHERE batch < newest`,
);
check(
  "I7",
  "An attempt was made with an older token than one before it, or with one that the lease never had",
  `SELECT 'attempt ' || number || ' of run ' || run AS at FROM (
     SELECT run, number, token, max(token) OVER (ORDER BY id) AS newest FROM attempt)
   WHERE token > (SELECT token FROM lease) OR (token > 0 AND token < newest)`,
);
check(
  "I7",
  "An attempt is open while nobody holds the lease",
  `SELECT 'attempt ' || number || ' of run ' || run AS at FROM attempt
   WHERE :complete AND ended_at IS NULL AND (SELECT holder FROM lease) IS NULL`,
);
check(
  "I10",
  "More output was kept than may be",
  `SELECT 'attempt ' || number || ' of run ' || run AS at FROM attempt
   WHERE length(output_head) > 32768 OR length(output_tail) > 32768
     OR ifnull(length(output_head), 0) + ifnull(length(output_tail), 0) > output_bytes`,
);
check(
  "I14",
  "A run is open without an attempt, or an attempt without its run",
  `SELECT 'run ' || id AS at FROM run WHERE state = 'running' AND gate IS NULL
     AND (SELECT count(*) FROM attempt WHERE attempt.run = run.id AND ended_at IS NULL) <> 1
   UNION ALL
   SELECT 'run ' || run AS at FROM attempt
   WHERE ended_at IS NULL AND (SELECT state FROM run WHERE run.id = attempt.run) IS NOT 'running'`,
);
check(
  "I14",
  "A row refers to one that is not there",
  `SELECT "table" || ' ' || ifnull(rowid, '') AS at FROM pragma_foreign_key_check`,
);
for (const table of ["repository", "hook", "receipt", "batch", "gate", "event", "run"])
  check(
    "I14",
    `The counter of ${table} is behind, so that numbers would be given out again`,
    `SELECT '${table} ' || newest AS at FROM (SELECT max(id) AS newest FROM ${table})
     WHERE newest > ifnull((SELECT seq FROM sqlite_sequence WHERE name = '${table}'), 0)`,
  );
check(
  "I14",
  "A cursor stands behind a receipt that was never there",
  `SELECT 'repository ' || id AS at FROM repository
   WHERE cursor > ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'receipt'), 0)`,
);

/** Every broken promise, as of one moment of the database. */
export function brokenIn(db: Database, { complete = false, few = 4 } = {}): Broken[] {
  return checks.flatMap(({ promise, what, find }) => {
    const where = find(db, { complete: Number(complete), few }).map(({ at }) => at);
    return where.length === 0 ? [] : [{ promise, what, where }];
  });
}

const byLeader = all<{ run: number }, { run: number; pid: number }>(
  "SELECT run FROM attempt WHERE run = :run AND pid = :pid",
);
/** Whether a session was the one of an attempt of that run, which its first process gave its number. */
export const sessionOfRun = (db: Database, run: number, session: number): boolean =>
  byLeader(db, { run, pid: session }).length > 0;

const parked = one<{ count: number }, { repository: RepositoryId }>(
  "SELECT count(*) AS count FROM run WHERE repository = :repository AND state = 'parked'",
);
/** How many runs of a repository wait for a person. */
export const countParked = (db: Database, repository: RepositoryId): number => parked(db, { repository })?.count ?? 0;
