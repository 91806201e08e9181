/** Runs as many are changed at once by hand: what did not end well, and what the window of a batch left out. */
import type { BatchId, HookId, Instant, ReceiptId, RepositoryId, RunId } from "../core/units.ts";
import { all, type Database } from "./database.ts";
import { type EventRun, RUN_COLUMNS, type Run } from "./run.ts";

/** Which: null stands for any. `since`: made, or received, at this time or later. */
export type Which = { repository: RepositoryId | null; hook: HookId | null; since: Instant | null };

const ended = all<Run | EventRun, Which & { states: string; idle: number }>(
  `SELECT ${RUN_COLUMNS} FROM run
   WHERE state IN (SELECT value FROM json_each(:states)) AND gate IS NULL
     AND (:idle OR EXISTS (SELECT 1 FROM hook h WHERE h.id = run.hook AND h.type = run.type))
     AND (:repository IS NULL OR repository = :repository) AND (:hook IS NULL OR hook = :hook)
     AND (:since IS NULL OR made_at >= :since)
     AND NOT EXISTS (SELECT 1 FROM run newer WHERE newer.replay_of = run.id)
   ORDER BY id`,
);
/** The runs in these states, oldest first, less those that were run again since; with `idle` also those that nothing would
 *  come of now, as their hook was deleted, switched off or made one of another type. */
export const endedRuns = (
  db: Database,
  states: readonly string[],
  { idle, ...which }: Which & { idle: boolean },
): (Run | EventRun)[] => ended(db, { ...which, states: JSON.stringify(states), idle: Number(idle) });

export type LeftOut = { receipt: ReceiptId; repository: RepositoryId; batch: BatchId };
const leftOut = all<LeftOut, { repository: number | null; since: number | null }>(
  `SELECT r.id AS receipt, r.repository, b.id AS batch FROM batch b
   CROSS JOIN receipt r ON r.repository = b.repository AND r.id > b.base AND r.id <= b.upto
   WHERE b.left_out > 0 AND (:repository IS NULL OR b.repository = :repository)
     AND r.left_out = 1 AND (:since IS NULL OR r.at >= :since)
   ORDER BY r.id`,
);
/** The receipts that the window left out of their batches, oldest first. */
export const leftOutReceipts = (db: Database, { repository, since }: Omit<Which, "hook">): LeftOut[] =>
  leftOut(db, { repository, since });

const ofBatch = all<{ hook: HookId; receipt: ReceiptId | null; id: RunId }, { batch: number }>(
  "SELECT hook, receipt, id FROM run WHERE batch = :batch",
);
/** Which hooks have a run on a batch, and on which receipt of it (null: on all of it). */
export const hooksOfBatch = (db: Database, batch: BatchId) => ofBatch(db, { batch });
