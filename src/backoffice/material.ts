/**
 * What a run is about: the batch (with --each receipt: one receipt of it), its ref updates, and the range of artifacts
 * that follows from them. Everything comes from the database, so that each attempt sees what the first one saw.
 */
import { type ByteString, displayText, toText } from "../core/bytes.ts";
import type { Instant, ReceiptId } from "../core/units.ts";
import { type Batch, batchById } from "../store/batch.ts";
import type { Database } from "../store/database.ts";
import { type Receipt, rcvidOf, receiptsBetween } from "../store/receipt.ts";
import { type RefUpdate, updatesOfReceipt, valuesAt } from "../store/ref.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { Run } from "../store/run.ts";
import type { Range } from "../vcs/repository.ts";
import { spanOf } from "./arrivals.ts";
import type { BatchReceipt } from "./function-hook.ts";

export type Material = {
  batch: Batch;
  /** What is handed out, oldest first. */
  receipts: readonly (Receipt & { updates: readonly RefUpdate[] })[];
  /** What was older than the window. */
  leftOut: readonly { id: ReceiptId; at: Instant }[];
  range: Range;
};

/** The material of an interval (base, upto]; `only` narrows it to one receipt, `windowless` hands out what is too old. A
 *  receipt that is handed out alone may be too old: then somebody asked for it (`runs replay --left-out`). */
export function materialBetween(
  db: Database,
  row: RepositoryRow,
  batch: Batch,
  only: ReceiptId | null,
  windowless = only !== null,
): Material {
  const [base, upto] = only === null ? [batch.base, batch.upto] : [(only - 1) as ReceiptId, only];
  const all = receiptsBetween(db, row.id, base, upto);
  const receipts = all
    .filter(({ leftOut }) => windowless || !leftOut)
    .map((receipt) => ({ ...receipt, updates: updatesOfReceipt(db, receipt.id) }));
  const moves = receipts.flatMap(({ updates }) => updates).filter(({ how }) => how !== "claimed");
  // What the receipts that are left out brought is not listed either: the range begins where they end.
  const start = ((receipts[0]?.id ?? base + 1) - 1) as ReceiptId;
  return {
    batch,
    receipts,
    leftOut: all
      .filter(({ leftOut }) => leftOut && !windowless)
      .map((receipt) => ({ id: rcvidOf(receipt), at: receipt.at })),
    range: row.kind === "git" ? { moves, base: valuesAt(db, row.id, start) } : { spans: receipts.flatMap(toSpan) },
  };
}

const toSpan = (receipt: Receipt) => spanOf(receipt) ?? [];

/** The material of a run; null when its batch was pruned. */
export function materialOf(db: Database, row: RepositoryRow, run: Run): Material | null {
  const batch = batchById(db, run.batch);
  return batch === null ? null : materialBetween(db, row, batch, run.receipt);
}

/** Bytes as JSON shows them: text, or escaped where they are no UTF-8. */
export const shown = (bytes: ByteString | null): string | null =>
  bytes === null ? null : (toText(bytes) ?? displayText(bytes));

/** A receipt as JSON and function hooks show it. Bytes that are no UTF-8 are escaped; a ref has them in base64 too. */
export function showReceipt(receipt: Material["receipts"][number]): BatchReceipt {
  return {
    rcvid: rcvidOf(receipt),
    at: new Date(receipt.at),
    source: receipt.source,
    user: shown(receipt.user),
    claimedUser: shown(receipt.claimedUser),
    address: shown(receipt.address),
    options: receipt.options.map((option) => shown(option) ?? ""),
    updates: receipt.updates.map(({ ref, old, new: value, how }) => ({
      ref: shown(ref) ?? "",
      ...(toText(ref) === null ? { refBase64: Buffer.from(ref, "latin1").toString("base64") } : {}),
      old,
      new: value,
      how,
    })),
  };
}
