/**
 * When the receipts behind the cursor become a batch, and which of them it leaves out.
 *
 * A batch is a closed interval of receipts, (after, upto], of one repository. Hooks never see receipts one at a time:
 * all that arrived since the last cut is handed over together, once nobody has said that more is coming. Rules:
 *   1. An interval never changes after the cut, so that a second attempt sees what the first one saw; the next begins
 *      where it ended, so that no receipt falls between two.
 *   2. An embargo ends by itself. It stands while the newest receipt says that more is coming, or the store itself says
 *      so, but at most 60 s from the newest receipt, and at most 5 min from the oldest: neither a sender that went away
 *      nor one that keeps renewing can mute the hooks. A later receipt that is complete lifts it at once.
 *   3. What is more than a day older than the newest receipt is left out, and named: after two days without a pass
 *      nobody wants two days of mail. Never the newest, nor one at the edge of the window. While a repository is paused
 *      this clock stands still: what was not too old when the pause began is not afterwards, and nothing later is.
 *
 * The clock may be wrong, jump or run back. A receipt is never dated after the moment it is written down; an age is
 * never negative; an embargo that lies further ahead than it can have been meant was set before the clock was put back,
 * and is over. So after a jump a wait takes at most its own length more, and no `until` lies more than 60 s ahead.
 *
 * Pure: callers pass the time in and store what comes out. If the process dies between the answer and the transaction
 * that stores it, the next pass asks again. Proven by test/core/cut.test.ts.
 */
import { after, between, type Instant, MINUTE, type Millis, type ReceiptId, SECOND } from "./units.ts";

/** How long an embargo stands after the newest receipt. Fossil's is as long. */
export const EMBARGO = (60 * SECOND) as Millis;

/** How long embargoes that are renewed can hold back the oldest receipt. */
export const CEILING = (5 * MINUTE) as Millis;

/** A receipt behind the cursor; `moreExpected`: its sender said that more is coming. */
export type ArrivedReceipt = { readonly id: ReceiptId; readonly at: Instant; readonly moreExpected: boolean };

export type Cut =
  | { readonly kind: "cut"; readonly after: ReceiptId; readonly upto: ReceiptId }
  | { readonly kind: "wait"; readonly until: Instant }
  | { readonly kind: "idle" };

/** Says whether the receipts behind the cursor can be cut now, or when to ask again. `arrived` may hold receipts up to
 *  the cursor, which do not count, and comes in any order. `storeEmbargo` is the embargo that the repository itself
 *  keeps (Fossil's hook-embargo), null without one. */
export function decideCut(
  cursor: ReceiptId,
  arrived: readonly ArrivedReceipt[],
  storeEmbargo: Instant | null,
  now: Instant,
): Cut {
  const waiting = arrived.filter((receipt) => receipt.id > cursor);
  const newest = newestOf(waiting);
  if (newest === null) return { kind: "idle" };
  const until = embargoUntil(waiting, storeEmbargo, now);
  return until === null ? { kind: "cut", after: cursor, upto: newest.id } : { kind: "wait", until };
}

/** The moment up to which the waiting receipts are held back, after `now` and at most 60 s after it; null if they are
 *  not. */
export function embargoUntil(
  waiting: readonly ArrivedReceipt[],
  storeEmbargo: Instant | null,
  now: Instant,
): Instant | null {
  const newest = newestOf(waiting);
  if (newest === null) return null;
  const oldestAt = earliest(waiting.map((receipt) => receipt.at));
  const wished = [...(newest.moreExpected ? [after(newest.at, EMBARGO)] : []), ...(storeEmbargo ? [storeEmbargo] : [])];
  if (wished.length === 0) return null;
  const until = earliest([latest(wished), after(newest.at, EMBARGO), after(oldestAt, CEILING)]);
  // It was set at most EMBARGO before its end: one set more than EMBARGO from now was set by another clock.
  if (until <= now || between(now, until) > 2 * EMBARGO) return null;
  return earliest([until, after(now, EMBARGO)]);
}

/** The receipts that a batch leaves out: those more than `window` older than the newest; none if `window` is null. In
 *  ascending order. `heldFrom`: when a pause began that held them back, from which their age counts then; null without. */
export function leftOut(
  receipts: readonly { readonly id: ReceiptId; readonly at: Instant }[],
  window: Millis | null,
  heldFrom: Instant | null = null,
): ReceiptId[] {
  const newest = newestOf(receipts);
  if (newest === null || window === null) return [];
  const from = heldFrom === null ? newest.at : earliest([newest.at, heldFrom]);
  const old = receipts.filter((receipt) => between(receipt.at, from) > window);
  return old.map((receipt) => receipt.id).sort((a, b) => a - b);
}

/** The time a new receipt gets: its entry's file time, but not before the previous receipt of its repository (null:
 *  there is none), and in no case after `now`: where the clock was put back, receipts follow the clock. */
export function receiptTime(fileTime: number, previousReceiptAt: Instant | null, now: Instant): Instant {
  if (!Number.isFinite(fileTime)) return now;
  return Math.max(0, Math.min(now, Math.max(Math.floor(fileTime), previousReceiptAt ?? 0))) as Instant;
}

function newestOf<R extends { readonly id: ReceiptId }>(receipts: readonly R[]): R | null {
  return receipts.reduce<R | null>((newest, receipt) => (newest && newest.id > receipt.id ? newest : receipt), null);
}

const earliest = (instants: readonly Instant[]) => instants.reduce((a, b) => (b < a ? b : a));
const latest = (instants: readonly Instant[]) => instants.reduce((a, b) => (b > a ? b : a));
