/** Runs and attempts as people look at them, and what they may change about a run by hand. */
import type { Instant, Millis, RepositoryId, RunId } from "../core/units.ts";
import { all, change, type Database, one } from "./database.ts";
import { type EventRun, type GateRun, RUN_COLUMNS, type Run } from "./run.ts";

export type Attempt = {
  number: number;
  startedAt: Instant;
  endedAt: Instant | null;
  took: Millis | null;
  outcome: string | null;
  exitCode: number | null;
  detail: string | null;
  pid: number | null;
  survivors: number;
  detached: number;
  outputHead: Buffer | null;
  outputTail: Buffer | null;
  outputBytes: number;
};

export type RunFilter = {
  repository: RepositoryId | null;
  hook: number | null;
  /** Only these states; null: any. */
  states: readonly string[] | null;
  /** Made at this time or later. */
  since: Instant | null;
  /** Only runs above this id (for following). */
  after: RunId | null;
  /** Only those of gates that refused or were broken. */
  refused?: boolean;
  /** Only those on these batches, or in these gates. */
  within?: { batches: readonly number[]; gates: readonly number[] } | null;
  limit: number;
};

/** A run as it is listed. */
export type ListedRun = (Run | GateRun | EventRun) & { note: string | null };

const latest = all<ListedRun>(
  `SELECT ${RUN_COLUMNS}, note FROM run
   WHERE (:repository IS NULL OR repository = :repository) AND (:hook IS NULL OR hook = :hook)
     AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
     AND (:since IS NULL OR made_at >= :since) AND (:after IS NULL OR id > :after)
     AND (:batches IS NULL OR batch IN (SELECT value FROM json_each(:batches))
       OR gate IN (SELECT value FROM json_each(:gates)))
     AND (NOT :refused OR EXISTS (SELECT 1 FROM gate WHERE gate.id = run.gate AND verdict IN ('refused', 'broken')))
   ORDER BY id DESC LIMIT :limit`,
);
/** The newest runs that match, newest first. */
export const findRuns = (
  db: Database,
  { states, refused = false, within = null, ...filter }: RunFilter,
): ListedRun[] => {
  const lists = {
    states: states === null ? null : JSON.stringify(states),
    batches: within === null ? null : JSON.stringify(within.batches),
    gates: within === null ? null : JSON.stringify(within.gates),
  };
  return latest(db, { ...filter, ...lists, refused: Number(refused) });
};

const attempts = all<Attempt, { run: number }>(
  `SELECT number, started_at AS startedAt, ended_at AS endedAt, took, outcome, exit_code AS exitCode, detail, pid,
     survivors, detached, output_head AS outputHead, output_tail AS outputTail, output_bytes AS outputBytes
   FROM attempt WHERE run = :run ORDER BY number`,
);
export const attemptsOf = (db: Database, run: RunId): Attempt[] => attempts(db, { run });

const lastAttempt = one<{ took: Millis | null; startedAt: Instant }, { run: number }>(
  "SELECT took, started_at AS startedAt FROM attempt WHERE run = :run ORDER BY number DESC LIMIT 1",
);
export const lastAttemptOf = (db: Database, run: RunId) => lastAttempt(db, { run });

const release = change<{ id: number; now: number }>(
  `UPDATE run SET state = 'waiting', due_at = :now, ended_at = NULL, failures = 0
   WHERE id = :id AND state IN ('waiting', 'parked')`,
);
/** Lets a waiting or parked run start now, with all its retries before it again; false when it is neither. */
export const releaseRun = (db: Database, id: RunId, now: Instant): boolean => release(db, { id, now }).changes === 1;

const drop = change<{ id: number; now: number; reason: string }>(
  `UPDATE run SET state = 'skipped', reason = :reason, due_at = NULL, ended_at = :now
   WHERE id = :id AND state IN ('waiting', 'parked')`,
);
/** Gives a waiting or parked run up; false when it is neither. */
export const dropRun = (db: Database, id: RunId, reason: string, now: Instant): boolean =>
  drop(db, { id, reason, now }).changes === 1;
