/** Tables ref (the ledger) and ref_update. */
import { type ByteString, fromBuffer, toBuffer } from "../core/bytes.ts";
import type { ReceiptId, RepositoryId } from "../core/units.ts";
import { all, change, type Database, one } from "./database.ts";

export type How = "entry" | "reconciled" | "claimed";
export type RefUpdate = { receipt: ReceiptId; ref: ByteString; old: string; new: string; how: How };

const select = all<{ name: Buffer; value: string }, { repository: number }>(
  "SELECT name, value FROM ref WHERE repository = :repository",
);

/** The ledger of a repository: every ref with the value last seen. */
export const readLedger = (db: Database, repository: RepositoryId): Map<ByteString, string> =>
  new Map(select(db, { repository }).map(({ name, value }) => [fromBuffer(name), value]));

const counted = one<{ count: number }, { repository: number }>(
  "SELECT count(*) AS count FROM ref WHERE repository = :repository",
);
/** How many refs the ledger of a repository has. */
export const countRefs = (db: Database, repository: RepositoryId): number => counted(db, { repository })?.count ?? 0;

const upsert = change<{ repository: number; name: Buffer; value: string }>(
  `INSERT INTO ref (repository, name, value) VALUES (:repository, :name, :value)
   ON CONFLICT (repository, name) DO UPDATE SET value = excluded.value`,
);
const remove = change<{ repository: number; name: Buffer }>(
  "DELETE FROM ref WHERE repository = :repository AND name = :name",
);

/** Sets a ref of the ledger; null takes it out. */
export function putRef(db: Database, repository: RepositoryId, ref: ByteString, value: string | null): void {
  const name = toBuffer(ref);
  if (value === null) remove(db, { repository, name });
  else upsert(db, { repository, name, value });
}

/** Empties the ledger of a repository, before it is filled with what is there. */
export const clearLedger = change<{ repository: RepositoryId }>("DELETE FROM ref WHERE repository = :repository");

const insert = change<{ repository: number; receipt: number; name: Buffer; old: string; new: string; how: How }>(
  `INSERT INTO ref_update (repository, receipt, name, old, new, how)
   VALUES (:repository, :receipt, :name, :old, :new, :how)`,
);
export const addRefUpdate = (db: Database, repository: RepositoryId, update: RefUpdate): void =>
  void insert(db, { ...update, repository, name: toBuffer(update.ref) });

type UpdateRow = { receipt: ReceiptId; name: Buffer; old: string; new: string; how: How };
const toUpdate = ({ name, ...rest }: UpdateRow): RefUpdate => ({ ...rest, ref: fromBuffer(name) });

const ofReceipt = all<UpdateRow, { receipt: number }>(
  "SELECT receipt, name, old, new, how FROM ref_update WHERE receipt = :receipt ORDER BY id",
);
export const updatesOfReceipt = (db: Database, receipt: ReceiptId): RefUpdate[] =>
  ofReceipt(db, { receipt }).map(toUpdate);

const unclaimed = all<UpdateRow, { repository: number; after: number }>(
  `SELECT u.receipt, u.name, u.old, u.new, u.how FROM receipt r JOIN ref_update u ON u.receipt = r.id
   WHERE r.repository = :repository AND r.source = 'reconciled' AND r.entry IS NULL AND r.id > :after
   ORDER BY r.id, u.id`,
);
/** Updates of reconciled receipts that no entry has claimed yet, above receipt `after`. */
export const unclaimedUpdates = (db: Database, repository: RepositoryId, after: ReceiptId): RefUpdate[] =>
  unclaimed(db, { repository, after }).map(toUpdate);

const basis = all<{ value: string }, { repository: number; base: number }>(
  `SELECT value FROM ref WHERE repository = :repository AND name NOT IN (
     SELECT name FROM ref_update WHERE repository = :repository AND receipt > :base AND how <> 'claimed')
   UNION
   SELECT old FROM ref_update WHERE id IN (
     SELECT min(id) FROM ref_update WHERE repository = :repository AND receipt > :base AND how <> 'claimed' GROUP BY name)`,
);
/** The values that all refs had as of receipt `base`: of each ref that moved since, the value before its first move. */
export const valuesAt = (db: Database, repository: RepositoryId, base: ReceiptId): string[] =>
  basis(db, { repository, base }).map(({ value }) => value);
