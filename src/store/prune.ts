/** What retention deletes, in small steps. Parked runs and the last runs of a repository are never touched. */
import type { GateId, Instant, RunId } from "../core/units.ts";
import { all, change, type Database, one } from "./database.ts";

const prunable = `state NOT IN ('waiting', 'running', 'parked') AND id < ifnull((
    SELECT id FROM run newer WHERE newer.repository = run.repository ORDER BY id DESC LIMIT 1 OFFSET :keep - 1), 0)`;

const oldRuns = all<{ id: RunId }, { before: number; keep: number; limit: number }>(
  `SELECT id FROM run WHERE ended_at < :before AND ${prunable} ORDER BY ended_at LIMIT :limit`,
);
const anyRuns = all<{ id: RunId }, { keep: number; limit: number }>(
  `SELECT id FROM run WHERE ended_at IS NOT NULL AND ${prunable} ORDER BY ended_at LIMIT :limit`,
);
const replayed = all<{ id: RunId }, { ids: string }>(
  `SELECT DISTINCT replay_of AS id FROM run WHERE replay_of IN (SELECT value FROM json_each(:ids)) ORDER BY id`,
);
const passOn = change<{ id: RunId }>(
  `UPDATE run SET replay_of = coalesce((SELECT replay_of FROM run gone WHERE gone.id = :id),
     (SELECT min(id) FROM run first WHERE first.replay_of = :id))
   WHERE replay_of = :id AND (id > (SELECT min(id) FROM run first WHERE first.replay_of = :id)
     OR (SELECT replay_of FROM run gone WHERE gone.id = :id) IS NOT NULL)`,
);
const remove = all<{ gate: GateId | null }, { ids: string }>(
  "DELETE FROM run WHERE id IN (SELECT value FROM json_each(:ids)) RETURNING gate",
);
const emptyGate = change<{ id: GateId }>(
  "DELETE FROM gate WHERE id = :id AND NOT EXISTS (SELECT 1 FROM run WHERE run.gate = gate.id)",
);

/** Deletes up to `limit` runs that ended before `before` (null: however young), oldest first, and gates with the last of
 *  their runs; returns how many runs. Of several replays of one run that goes, the first is what the others replay from
 *  then on: only one run of a hook on a batch may be no replay. */
export function pruneRuns(db: Database, before: Instant | null, keep: number, limit: number): number {
  const chosen = before === null ? anyRuns(db, { keep, limit }) : oldRuns(db, { before, keep, limit });
  const ids = JSON.stringify(chosen.map(({ id }) => id));
  for (const { id } of replayed(db, { ids })) {
    passOn(db, { id });
    remove(db, { ids: JSON.stringify([id]) });
  }
  const gates = new Set(remove(db, { ids }).map(({ gate }) => gate));
  for (const id of gates) if (id !== null) emptyGate(db, { id });
  return chosen.length;
}

const emptyBatches = change<{ before: number; limit: number }>(
  `DELETE FROM batch WHERE id IN (
     SELECT id FROM batch b WHERE cut_at < :before
       AND NOT EXISTS (SELECT 1 FROM run WHERE run.batch = b.id)
       AND id < (SELECT max(id) FROM batch newer WHERE newer.repository = b.repository)
     ORDER BY id LIMIT :limit)`,
);
/** Deletes batches without runs, never a repository's newest. */
export const pruneBatches = (db: Database, before: Instant, limit: number): number =>
  emptyBatches(db, { before, limit }).changes;

const oldReceipts = change<{ before: number; limit: number }>(
  `DELETE FROM receipt WHERE id IN (
     SELECT r.id FROM receipt r JOIN repository p ON p.id = r.repository
     WHERE r.at < :before AND r.id <= p.cursor
       AND r.id <= ifnull((SELECT min(base) FROM batch WHERE batch.repository = p.id), p.cursor)
     ORDER BY r.id LIMIT :limit)`,
);
/** Deletes receipts that were handed out and belong to no batch any more. */
export const pruneReceipts = (db: Database, before: Instant, limit: number): number =>
  oldReceipts(db, { before, limit }).changes;

const oldEvents = change<{ before: number; limit: number }>(
  `DELETE FROM event WHERE id IN (
     SELECT id FROM event e WHERE at < :before AND (over_at IS NOT NULL OR name <> 'gate-missing')
       AND NOT EXISTS (SELECT 1 FROM run WHERE run.event = e.id)
     ORDER BY id LIMIT :limit)`,
);
/** Deletes events without runs; not those whose cause lasts and would be told of again. */
export const pruneEvents = (db: Database, before: Instant, limit: number): number =>
  oldEvents(db, { before, limit }).changes;

const size = one<{ bytes: number }>(
  `SELECT (page_count - freelist_count) * page_size AS bytes
   FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()`,
);
/** Bytes that the database's content takes. */
export const usedBytes = (db: Database): number => size(db, {})?.bytes ?? 0;

const openIds = all<{ id: RunId; incarnation: string }>(
  "SELECT id, incarnation FROM run WHERE state IN ('waiting', 'running')",
);
/** Runs that are not over, by which an auxiliary file is still needed. */
export const unfinishedRuns = (db: Database): { id: RunId; incarnation: string }[] => openIds(db, {});
