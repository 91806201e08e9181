/** What `gatepost why` asks of the past: how a value came, in which batch, what ran then, and what gates said of it. */
import { type ByteString, fromBuffer, toBuffer } from "../core/bytes.ts";
import type { BatchId, GateId, HookId, Instant, ReceiptId, RepositoryId } from "../core/units.ts";
import { all, type Database, one } from "./database.ts";
import type { How, RefUpdate } from "./ref.ts";
import { RUN_COLUMNS, type Run } from "./run.ts";

type UpdateRow = { receipt: ReceiptId; name: Buffer; old: string; new: string; how: How };
const toUpdate = ({ name, ...rest }: UpdateRow): RefUpdate => ({ ...rest, ref: fromBuffer(name) });

/** Behind every hash that begins with `prefix`. */
const behind = (prefix: string): string => `${prefix}g`;

const toValue = all<UpdateRow, { repository: number; low: string; high: string }>(
  `SELECT receipt, name, old, new, how FROM ref_update INDEXED BY ref_update_new
   WHERE new >= :low AND new < :high AND +repository = :repository ORDER BY receipt, id LIMIT 100`,
);
/** The updates to a value with this prefix, oldest first, also those that were only claimed; no more than a hundred. */
export const updatesTo = (db: Database, repository: RepositoryId, prefix: string): RefUpdate[] =>
  toValue(db, { repository, low: prefix, high: behind(prefix) }).map(toUpdate);

const ofRef = one<UpdateRow, { repository: number; name: Buffer }>(
  `SELECT receipt, name, old, new, how FROM ref_update
   WHERE repository = :repository AND name = :name AND how <> 'claimed' ORDER BY receipt DESC, id DESC LIMIT 1`,
);
/** The last move of a ref; null where none was seen. */
export function lastUpdateOf(db: Database, repository: RepositoryId, ref: ByteString): RefUpdate | null {
  const row = ofRef(db, { repository, name: toBuffer(ref) });
  return row === null ? null : toUpdate(row);
}

const inLedger = one<{ value: string }, { repository: number; name: Buffer }>(
  "SELECT value FROM ref WHERE repository = :repository AND name = :name",
);
/** The value of one ref as last seen; null where the ledger does not have it. */
export const ledgerValue = (db: Database, repository: RepositoryId, ref: ByteString): string | null =>
  inLedger(db, { repository, name: toBuffer(ref) })?.value ?? null;

type Page = { repository: number; receipt: number; limit: number; offset: number };
const onward = all<UpdateRow, Page>(
  `SELECT receipt, name, old, new, how FROM ref_update
   WHERE repository = :repository AND receipt >= :receipt AND how <> 'claimed'
   ORDER BY receipt, id LIMIT :limit OFFSET :offset`,
);
const backward = all<UpdateRow, Page>(
  `SELECT receipt, name, old, new, how FROM ref_update
   WHERE repository = :repository AND receipt < :receipt AND how <> 'claimed'
   ORDER BY receipt DESC, id DESC LIMIT :limit OFFSET :offset`,
);
/** Moves of refs from receipt `receipt` on, oldest first; with `back`, those before it, newest first. */
export const movesFrom = (db: Database, { back, ...page }: Page & { back: boolean }): RefUpdate[] =>
  (back ? backward : onward)(db, page).map(toUpdate);

type Dated<Id> = { id: Id; at: Instant };
const receiptFrom = one<Dated<ReceiptId>, { repository: number; id: number }>(
  "SELECT id, at FROM receipt WHERE repository = :repository AND id >= :id ORDER BY id LIMIT 1",
);
const gateFrom = one<Dated<GateId>, { repository: number; id: number }>(
  "SELECT id, at FROM gate WHERE repository = :repository AND id >= :id ORDER BY id LIMIT 1",
);
const lastReceipt = one<{ id: number }, { repository: number }>(
  "SELECT id FROM receipt WHERE repository = :repository ORDER BY id DESC LIMIT 1",
);
const lastGate = one<{ id: number }, { repository: number }>(
  "SELECT id FROM gate WHERE repository = :repository ORDER BY id DESC LIMIT 1",
);

/** The lowest id of a row that is not older than `at`, by halving: times follow the numbers but where a clock was put back. */
function notBefore(at: number, last: number, from: (id: number) => Dated<number> | null): number {
  let [low, high] = [1, last + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const found = from(middle);
    if (found === null || found.at >= at) high = middle;
    else low = found.id + 1;
  }
  return low;
}

/** A number that no receipt of the repository from `at` on is below. */
export const receiptsFrom = (db: Database, repository: RepositoryId, at: number): ReceiptId =>
  notBefore(at, lastReceipt(db, { repository })?.id ?? 0, (id) => receiptFrom(db, { repository, id })) as ReceiptId;

/** The same of gates. */
export const gatesFrom = (db: Database, repository: RepositoryId, at: number): GateId =>
  notBefore(at, lastGate(db, { repository })?.id ?? 0, (id) => gateFrom(db, { repository, id })) as GateId;

const gates = all<{ id: GateId }, { repository: number; id: number; limit: number }>(
  "SELECT id FROM gate WHERE repository = :repository AND id >= :id ORDER BY id LIMIT :limit",
);
/** The ids of gates from `id` on. */
export const gatesOnward = (db: Database, repository: RepositoryId, id: GateId, limit: number): GateId[] =>
  gates(db, { repository, id, limit }).map((row) => row.id);

const gatesTo = all<{ id: GateId; new: string }, { low: string; high: string }>(
  `SELECT gate AS id, new FROM gate_update INDEXED BY gate_update_new WHERE new >= :low AND new < :high
   ORDER BY gate DESC LIMIT 100`,
);
/** The gates, newest first, that judged a push to a value with this prefix, and that value. */
export const gatesOfValue = (db: Database, prefix: string): { id: GateId; new: string }[] =>
  gatesTo(db, { low: prefix, high: behind(prefix) });

export type BatchRow = {
  id: BatchId;
  base: ReceiptId;
  upto: ReceiptId;
  cutAt: Instant;
  receipts: number;
  leftOut: number;
};
const batchUpto = one<BatchRow, { repository: number; receipt: number }>(
  `SELECT id, base, upto, cut_at AS cutAt, receipts, left_out AS leftOut FROM batch
   WHERE repository = :repository AND upto >= :receipt ORDER BY upto LIMIT 1`,
);
/** The batch that a receipt is in; null where it is in none, or its batch was pruned. */
export function batchOf(db: Database, repository: RepositoryId, receipt: ReceiptId): BatchRow | null {
  const batch = batchUpto(db, { repository, receipt });
  return batch !== null && batch.base < receipt ? batch : null;
}

const ofBatch = all<Run, { batch: number; receipt: number }>(
  `SELECT ${RUN_COLUMNS} FROM run WHERE batch = :batch AND (receipt IS NULL OR receipt = :receipt) ORDER BY id`,
);
/** The runs that handed out a receipt with its batch, or it alone; oldest first. */
export const runsOfReceipt = (db: Database, batch: BatchId, receipt: ReceiptId): Run[] =>
  ofBatch(db, { batch, receipt });

const ofGate = all<{ hook: HookId; name: string | null; state: string; reason: string | null }, { gate: number }>(
  "SELECT hook, hook_name AS name, state, reason FROM run WHERE gate = :gate ORDER BY id",
);
/** What the hooks of a gate said. */
export const saidInGate = (db: Database, gate: GateId) => ofGate(db, { gate });

const byNative = all<{ id: ReceiptId }, { repository: number; native: number }>(
  "SELECT id FROM receipt WHERE repository = :repository AND native = :native ORDER BY id",
);
/** The receipts of one number of the repository's own. */
export const receiptsOfNative = (db: Database, repository: RepositoryId, native: number): ReceiptId[] =>
  byNative(db, { repository, native }).map(({ id }) => id);

const registered = one<{ at: Instant }, { id: number }>("SELECT registered_at AS at FROM repository WHERE id = :id");
/** When the repository was registered. */
export const registeredAt = (db: Database, id: RepositoryId): Instant => registered(db, { id })?.at ?? (0 as Instant);
