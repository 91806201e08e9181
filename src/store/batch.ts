/** Table batch. */
import type { BatchId, Instant, ReceiptId, RepositoryId } from "../core/units.ts";
import { change, type Database, one } from "./database.ts";

export type Batch = {
  id: BatchId;
  repository: RepositoryId;
  base: ReceiptId;
  upto: ReceiptId;
  cutAt: Instant;
  receipts: number;
  leftOut: number;
};

const columns = "id, repository, base, upto, cut_at AS cutAt, receipts, left_out AS leftOut";
const insert = change<Omit<Batch, "id">>(
  `INSERT INTO batch (repository, base, upto, cut_at, receipts, left_out)
   VALUES (:repository, :base, :upto, :cutAt, :receipts, :leftOut)`,
);
export const addBatch = (db: Database, batch: Omit<Batch, "id">): BatchId => insert(db, batch).id as BatchId;

const byId = one<Batch, { id: number }>(`SELECT ${columns} FROM batch WHERE id = :id`);
export const batchById = (db: Database, id: BatchId): Batch | null => byId(db, { id });

const newest = one<{ upto: ReceiptId | null }, { repository: number }>(
  "SELECT max(upto) AS upto FROM batch WHERE repository = :repository",
);
/** The last receipt that was cut into a batch; null where none was, or all were pruned. */
export const lastCut = (db: Database, repository: RepositoryId): ReceiptId | null =>
  newest(db, { repository })?.upto ?? null;
