/**
 * Settling a repository that numbers its receipts itself (Fossil): what it received since the last look becomes receipts.
 *
 * There is no ledger and no spool in this: the file's own table of receipts is the truth, and the watermark says how far
 * it was read. Both change in one transaction of the lease's holder, so each arrival becomes exactly one receipt,
 * whenever this process dies. An arrival is a number of Fossil's together with the rows that its artifacts lie in, since
 * one process of Fossil uses one number for all it stores, in several transactions: what comes later under a number that
 * was read is a receipt of its own. (Fossil's own hooks never see it.)
 *
 * Held back is what is not complete: as long as Fossil says so (hook-embargo, which any stranger's clone lifts), or what
 * waits refers to content that has not come, or names came with it whose content did not, within the limits of every
 * embargo (core/cut.ts). Each write to the file brings a look, so that the end of a transfer lifts it at once; and the
 * cut knows when to come back.
 *
 * Proven by test/e2e/fossil-*.test.ts.
 */

import { CEILING, EMBARGO, receiptTime } from "../core/cut.ts";
import { after, between, type Instant } from "../core/units.ts";
import { writeAsHolder } from "../store/lease.ts";
import {
  addReceipt,
  nativeMarks,
  newestReceipt,
  type Receipt,
  receiptsBetween,
  waitingSince,
} from "../store/receipt.ts";
import { noteLook, putWatermark, type RepositoryRow, repositoryById } from "../store/repository.ts";
import type { Arrival, Arrivals, Fingerprint, FossilRepository, Span, Watermark } from "../vcs/repository.ts";
import { type HomeContext, now } from "./context.ts";

/** What was read of a repository and is still to be stored. */
export type Read = { row: RepositoryRow; fingerprint: Fingerprint; found: Arrivals };

export const watermarkOf = (row: Pick<RepositoryRow, "watermark">): Watermark | null =>
  row.watermark === null ? null : (JSON.parse(row.watermark) as Watermark);

/** Where the artifacts of a receipt are to be found in the repository; null for a receipt that has no number there. */
export function spanOf({ native, rows }: Pick<Receipt, "native" | "rows">): Span | null {
  if (native === null) return null;
  return { after: native - 1, upto: native, rows: rows === null ? null : JSON.parse(rows) };
}

/** Reads what arrived. */
export async function readArrivals(
  ctx: HomeContext,
  row: RepositoryRow,
  repository: FossilRepository,
  fingerprint: Fingerprint,
): Promise<Read> {
  // What waits for longer than any embargo is not held back: where nobody is to get it, that is all there ever was.
  const since = waitingSince(ctx.db, row.id, row.cursor);
  const isHeld = since !== null && between(since, now()) < CEILING;
  const waiting = isHeld ? receiptsBetween(ctx.db, row.id, row.cursor, Number.MAX_SAFE_INTEGER) : [];
  const spans = waiting.flatMap((receipt) => spanOf(receipt) ?? []);
  const known = () => nativeMarks(ctx.db, { repository: row.id });
  return { row, fingerprint, found: await repository.arrivals(watermarkOf(row), spans, known) };
}

/** Stores it, in one transaction. Returns how many receipts were made; null when the position was changed meanwhile, as
 *  by taking over Fossil's hooks: then what was read is void, and must be read again. */
export function storeArrivals(ctx: HomeContext, token: number, { row, fingerprint, found }: Read): number | null {
  if (found.restored) ctx.log("info", `${row.name}: an earlier state of the file was restored; its receipts go on`);
  return writeAsHolder(ctx.db, token, () => {
    if (repositoryById(ctx.db, row.id)?.watermark !== row.watermark) return null;
    let newest = newestReceipt(ctx.db, row.id)?.at ?? null;
    // What the last look did not see came after it, whatever clock the other machine has.
    const goesOn = !found.restored && (watermarkOf(row)?.rid ?? 0) > 0;
    const notBefore = goesOn ? row.lookedAt : 0;
    for (const arrival of found.arrivals) {
      newest = receiptTime(arrival.again ? now() : Math.max(arrival.at, notBefore), newest, now());
      addReceipt(ctx.db, row.id, receiptOfArrival(arrival, newest));
    }
    const embargo = embargoOf(found, newest);
    putWatermark(ctx.db, { id: row.id, watermark: JSON.stringify(found.watermark), embargo });
    noteLook(ctx.db, { id: row.id, fingerprint: fingerprint.unsure ? null : fingerprint.text, now: now() });
    return found.arrivals.length;
  });
}

/** A receipt that names an address came over the network, by a push to us or a pull of ours; the others were made on
 *  this machine. Fossil puts "#!fossil unversioned add" and the like there as well. */
export const receiptOfArrival = (
  { address, ...arrival }: Omit<Arrival, "again">,
  at: Instant,
): Omit<Receipt, "id" | "leftOut"> => ({
  source: cameFrom(address) === null ? "work" : "push",
  entry: null,
  at,
  uid: null,
  user: arrival.user,
  claimedUser: null,
  address: cameFrom(address),
  glUser: null,
  glRepo: null,
  remoteUser: null,
  options: [],
  more: false,
  native: arrival.rcvid,
  rows: JSON.stringify(arrival.rows),
});

const cameFrom = (address: Arrival["address"]): Arrival["address"] =>
  address === null || address.startsWith("#!") ? null : address;

function embargoOf({ embargo, incomplete }: Arrivals, newest: Instant | null): Instant | null {
  const own = incomplete && newest !== null ? after(newest, EMBARGO) : null;
  if (own === null || embargo === null) return own ?? embargo;
  return own > embargo ? own : embargo;
}
