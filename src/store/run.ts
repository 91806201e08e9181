/** Tables run and attempt, as the backoffice and gates write them. What people read of them is in run-view.ts. */
import type {
  BatchId,
  EventId,
  GateId,
  HookId,
  Instant,
  Millis,
  ReceiptId,
  RepositoryId,
  RunId,
} from "../core/units.ts";
import { all, change, type Database, each, one } from "./database.ts";

export type RunState = "waiting" | "running" | "done" | "failed" | "parked" | "skipped";

type AnyRun = {
  id: RunId;
  incarnation: string;
  repository: RepositoryId;
  hook: HookId;
  hookName: string | null;
  type: string;
  sequence: number;
  receipt: ReceiptId | null;
  replayOf: RunId | null;
  state: RunState;
  reason: string | null;
  attempts: number;
  /** Attempts that the hook itself failed: what retries are counted by. */
  failures: number;
  dueAt: Instant | null;
  madeAt: Instant;
  endedAt: Instant | null;
};

/** A hook on a batch: what the backoffice makes and runs. */
export type Run = AnyRun & { batch: BatchId; gate: null; event: null };
/** A hook in a gate: it ran, or was left out, while somebody committed or pushed, and is over when it is stored. */
export type GateRun = AnyRun & { batch: null; gate: GateId; event: null };
/** A hook for an event: made and run by the backoffice, too. */
export type EventRun = AnyRun & { batch: null; gate: null; event: EventId };

export const RUN_COLUMNS = `id, incarnation, repository, hook, hook_name AS hookName, type, sequence, batch, gate, event, receipt,
  replay_of AS replayOf, state, reason, attempts, failures, due_at AS dueAt, made_at AS madeAt, ended_at AS endedAt`;

type NewRun = Pick<
  AnyRun,
  "incarnation" | "repository" | "hook" | "hookName" | "type" | "sequence" | "receipt" | "replayOf" | "reason"
> & { batch: BatchId | null; event?: EventId | null; skipped: boolean; now: Instant };

const insert = change(
  `INSERT INTO run (incarnation, repository, hook, hook_name, type, sequence, batch, event, receipt, replay_of, state,
     reason, due_at, made_at, ended_at)
   VALUES (:incarnation, :repository, :hook, :hookName, :type, :sequence, :batch, :event, :receipt, :replayOf,
     iif(:skipped, 'skipped', 'waiting'), :reason, iif(:skipped, NULL, :now), :now, iif(:skipped, :now, NULL))`,
);
/** Makes a run on a batch or for an event: waiting and due at once, or skipped with its reason. */
export const addRun = (db: Database, run: NewRun): RunId =>
  insert(db, { ...run, event: run.event ?? null, skipped: Number(run.skipped) }).id as RunId;

const insertOfGate = change(
  `INSERT INTO run (incarnation, repository, hook, hook_name, type, sequence, gate, state, reason, attempts, failures,
     made_at, ended_at)
   VALUES (:incarnation, :repository, :hook, :hookName, :type, :sequence, :gate, :state, :reason, :attempts, :failures,
     :endedAt, :endedAt)`,
);
const insertAttemptOfGate = change(
  `INSERT INTO attempt (run, number, token, started_at, ended_at, took, outcome, exit_code, detail)
   VALUES (:run, 1, 0, :startedAt, :endedAt, :took, :outcome, :exitCode, :detail)`,
);

export type NewGateRun = Pick<
  GateRun,
  "incarnation" | "repository" | "hook" | "hookName" | "type" | "sequence" | "gate" | "reason"
> & {
  state: "done" | "failed" | "skipped";
  endedAt: Instant;
  /** The one attempt; null when the hook was not started. */
  attempt:
    | (Pick<AttemptEnd, "exitCode" | "detail"> & {
        outcome: "exit" | "signal" | "timeout" | "not-started";
        startedAt: Instant;
        endedAt: Instant;
        took: Millis;
      })
    | null;
};

/** Adds a run of a gate, over as it is, with its attempt. */
export function addGateRun(db: Database, { attempt, ...run }: NewGateRun): RunId {
  const started = Number(attempt !== null);
  const failures = run.state === "failed" ? started : 0;
  const id = insertOfGate(db, { ...run, attempts: started, failures }).id as RunId;
  if (attempt !== null) insertAttemptOfGate(db, { ...attempt, run: id });
  return id;
}

const open = each<Run | EventRun, { repository: number }>(
  `SELECT ${RUN_COLUMNS} FROM run WHERE repository = :repository AND state IN ('waiting', 'running')
   ORDER BY batch, sequence, hook, id`,
);
/** The runs of a repository that wait or are open, in the order in which they should run: those for events first. Break
 *  off when done. */
export const openRuns = (db: Database, repository: RepositoryId): IterableIterator<Run | EventRun> =>
  open(db, { repository });

const runningHooks = all<{ hook: HookId }, { repository: number }>(
  `SELECT r.hook FROM attempt a CROSS JOIN run r ON r.id = a.run
   WHERE a.ended_at IS NULL AND r.repository = :repository`,
);
/** The hooks that run in a repository now. */
export const hooksRunning = (db: Database, repository: RepositoryId): Set<HookId> =>
  new Set(runningHooks(db, { repository }).map(({ hook }) => hook));

const repositories = all<{ repository: RepositoryId }>(
  "SELECT DISTINCT repository FROM run WHERE state IN ('waiting', 'running')",
);
export const repositoriesWithOpenRuns = (db: Database): RepositoryId[] =>
  repositories(db, {}).map(({ repository }) => repository);

const workable = one<{ found: 1 }>(
  `SELECT 1 AS found FROM run WHERE state IN ('waiting', 'running') AND (state = 'running' OR NOT (
     EXISTS (SELECT 1 FROM repository p WHERE p.id = run.repository AND p.paused IS NOT NULL)
     OR EXISTS (SELECT 1 FROM hook h WHERE h.id = run.hook AND h.paused IS NOT NULL))) LIMIT 1`,
);
/** Whether any run is open or waits for something else than the end of a pause. */
export const isAnyRunOpen = (db: Database): boolean => workable(db, {}) !== null;

const parkedHooks = all<{ hook: HookId; id: RunId }, { repository: number }>(
  "SELECT hook, min(id) AS id FROM run WHERE repository = :repository AND state = 'parked' GROUP BY hook",
);
/** The first parked run of each hook of a repository: with --in-order it holds back that hook's later runs. */
export const firstParked = (db: Database, repository: RepositoryId): Map<HookId, RunId> =>
  new Map(parkedHooks(db, { repository }).map(({ hook, id }) => [hook, id]));

const byId = one<Run | GateRun | EventRun, { id: number }>(`SELECT ${RUN_COLUMNS} FROM run WHERE id = :id`);
export const runById = (db: Database, id: RunId): Run | GateRun | EventRun | null => byId(db, { id });

const begin = change(
  `UPDATE run SET state = 'running', attempts = attempts + 1, due_at = NULL WHERE id = :id AND state = 'waiting'`,
);
const insertAttempt = change(
  "INSERT INTO attempt (run, number, token, started_at) VALUES (:id, :number, :token, :now)",
);
/** Opens the next attempt of a waiting run and returns its number; null when the run does not wait any more. */
export function beginAttempt(db: Database, run: Run | EventRun, token: number, now: Instant): number | null {
  if (begin(db, { id: run.id }).changes === 0) return null;
  insertAttempt(db, { id: run.id, number: run.attempts + 1, token, now });
  return run.attempts + 1;
}

/** Notes which process an open attempt is. */
export const noteProcess = change<{ run: RunId; number: number; pid: number; startTime: string; bootId: string }>(
  `UPDATE attempt SET pid = :pid, start_time = :startTime, boot_id = :bootId
   WHERE run = :run AND number = :number AND ended_at IS NULL`,
);

export type AttemptEnd = {
  outcome: "exit" | "signal" | "timeout" | "aborted" | "not-started" | "stdin-failed" | "threw" | "unkillable" | "lost";
  exitCode: number | null;
  detail: string | null;
  took: Millis | null;
  survivors: number;
  detached: boolean;
  outputHead: Buffer | null;
  outputTail: Buffer | null;
  outputBytes: number;
};
const endAttempt = change(
  `UPDATE attempt SET ended_at = :now, outcome = :outcome, exit_code = :exitCode, detail = :detail, took = :took,
     survivors = :survivors, detached = :detached, output_head = :outputHead, output_tail = :outputTail, output_bytes = :outputBytes
   WHERE run = :run AND number = :number AND ended_at IS NULL`,
);
/** Closes an attempt; false when it was closed already. */
export const finishAttempt = (db: Database, run: RunId, number: number, end: AttemptEnd, now: Instant): boolean =>
  endAttempt(db, { ...end, detached: Number(end.detached), run, number, now }).changes === 1;

/** What becomes of a run: final with its reason, or waiting again until `dueAt`. */
export type RunEnd =
  | { state: "done" | "failed" | "parked" | "skipped"; reason: string | null }
  | { state: "waiting"; reason: string | null; dueAt: Instant };
const settle = change(
  `UPDATE run SET state = :state, reason = :reason, due_at = :dueAt,
     ended_at = iif(:state = 'waiting', NULL, :now), failures = failures + :failed, note = ifnull(:note, note)
   WHERE id = :id AND state IN ('waiting', 'running', 'parked')`,
);
/** Ends a run, or lets it wait again. `failed`: its hook failed an attempt; `note`: what its listing met, as JSON.
 *  False when it was final already. */
export const settleRun = (
  db: Database,
  id: RunId,
  end: RunEnd,
  now: Instant,
  { failed = false, note = null }: { failed?: boolean; note?: string | null } = {},
): boolean => {
  const dueAt = "dueAt" in end ? end.dueAt : null;
  return (
    settle(db, { id, state: end.state, reason: end.reason, dueAt, now, note, failed: Number(failed) }).changes === 1
  );
};

const openAttempts = all<
  { run: RunId; number: number; pid: number | null; startTime: string | null; bootId: string | null },
  { token: number }
>(
  `SELECT run, number, pid, start_time AS startTime, boot_id AS bootId FROM attempt WHERE ended_at IS NULL AND token < :token`,
);
const lostCount = one<{ count: number }, { run: number }>(
  "SELECT count(*) AS count FROM attempt WHERE run = :run AND outcome = 'lost'",
);
/** How many attempts of a run were lost with their backoffice. */
export const timesLost = (db: Database, run: RunId): number => lostCount(db, { run })?.count ?? 0;

/** Attempts that an earlier holder left open. */
export const lostAttempts = (db: Database, token: number) => openAttempts(db, { token });
