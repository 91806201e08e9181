/**
 * Settling one repository: its refs, its ledger and its entries become receipts, in one transaction.
 *
 * A difference that nothing explains must be old enough before it becomes a receipt, or a push whose shim is just
 * writing would be taken from its pusher. Old means: the refs' files and the entries about the ref have been quiet for
 * the grace by their times, or this process has seen the ref unsettled for that long. The first serves a single pass,
 * the second a clock or a busy repository that would never look quiet. And while a push is being received, its shim has
 * not run yet, however old the move of its first ref is.
 */
import type { ByteString } from "../core/bytes.ts";
import { EMBARGO, receiptTime } from "../core/cut.ts";
import {
  joinReconciled,
  type LedgerMove,
  type ReconciledMove,
  type SettledReceipt,
  settle,
  type WaitingEntry,
} from "../core/ledger.ts";
import { settingMillis } from "../core/settings.ts";
import type { Instant, ReceiptId, RepositoryId } from "../core/units.ts";
import { isReceiving } from "../process/receivers.ts";
import type { Spooled } from "../spool/drain.ts";
import { namespacedRef } from "../spool/entry.ts";
import { writeAsHolder } from "../store/lease.ts";
import { addReceipt, claimReceipt, isEntryKnown, newestReceipt } from "../store/receipt.ts";
import { addRefUpdate, putRef, readLedger, unclaimedUpdates } from "../store/ref.ts";
import { noteLook, type RepositoryRow } from "../store/repository.ts";
import type { Fingerprint } from "../vcs/repository.ts";
import { type HomeContext, now } from "./context.ts";
import { receiptOf } from "./who.ts";

/** What settling one repository made, and which entries are to be removed; `again` as in look.ts. */
export type Stored = { receipts: number; spent: string[]; again: number | null };

/** Settles one repository and stores all that follows, its look included. `spent` names the entries to be removed;
 *  `early` those that were in the spool before the refs were read. */
export function settleRepository(
  ctx: HomeContext,
  token: number,
  row: RepositoryRow,
  real: ReadonlyMap<ByteString, string>,
  { spooled, early }: { spooled: readonly Spooled[]; early: ReadonlySet<string> },
  fingerprint: Fingerprint,
): Stored {
  const grace = settingMillis(ctx.settings, "reconcile-age");
  return writeAsHolder(ctx.db, token, () => {
    const known = new Set(spooled.map(({ name }) => name).filter((name) => isEntryKnown(ctx.db, name)));
    const fresh = new Map(spooled.flatMap((entry) => (known.has(entry.name) ? [] : [[entry.name, entry] as const])));
    const followed = followedRefs(ctx, row);
    const waiting = [...fresh.values()].map((entry) => toWaiting(ctx, entry, followed));
    const quietByFiles = quietRefs(waiting, fingerprint.newestAt, grace);
    const since = ctx.memory.unsettled.get(row.id) ?? new Map<string, number>();
    const inFlight = receiveWatch(ctx, row);
    const isAhead = refsAhead(waiting, early);
    const isOld = (ref: ByteString): boolean =>
      (quietByFiles(ref) || performance.now() - (since.get(ref) ?? Number.POSITIVE_INFINITY) >= grace) &&
      !isAhead(ref) &&
      !inFlight();
    const settled = settle(readLedger(ctx.db, row.id), real, waiting, isOld);
    const made = storeReceipts(ctx, row, settled.receipts, fresh, lateClaimer(ctx, row.id));
    remember(ctx, row.id, since, settled.unsettled, made.moved);
    const quiet = !settled.waitUntilAge && !fingerprint.unsure;
    noteLook(ctx.db, { id: row.id, fingerprint: quiet ? fingerprint.text : null, now: now() });
    return {
      receipts: made.count,
      spent: [...known, ...made.spent, ...settled.nothing],
      again: settled.waitUntilAge ? grace + 20 : null,
    };
  });
}

/** Which refs the ledger holds: all, or those that others can see. */
export function followedRefs(ctx: Pick<HomeContext, "settings">, row: RepositoryRow): "all" | "public" {
  const setting = ctx.settings.refs;
  if (setting === "all" || setting === "public") return setting;
  return row.workTree === null ? "all" : "public";
}

/** An entry for the ledger; what it says of refs that are not followed is nobody's business. */
function toWaiting(ctx: HomeContext, { name, at, uid, entry }: Spooled, followed: "all" | "public"): WaitingEntry {
  const updates = entry.updates
    .map((update) => ({ ...update, ref: namespacedRef(entry.namespace, update.ref) }))
    .filter(({ ref }) => followed === "all" || /^refs\/(heads|tags|notes)\//.test(ref));
  return { key: name, at, trusted: uid === ctx.uid, kind: entry.kind, updates };
}

/** Says of a ref whether neither the refs' files nor any entry about it changed within the grace. A time ahead of the
 *  clock proves nothing. */
function quietRefs(entries: readonly WaitingEntry[], refsNewestAt: number, grace: number) {
  const at = Date.now();
  const newest = new Map<ByteString, number>();
  for (const entry of entries)
    for (const { ref } of entry.updates) newest.set(ref, Math.max(newest.get(ref) ?? 0, entry.at));
  return (ref: ByteString): boolean => at - Math.max(refsNewestAt, newest.get(ref) ?? 0) >= grace;
}

/**
 * Says of a ref whether an entry tells of it, or of one that was pushed together with it, that may be ahead of the refs
 * as they were read: one that came after that. However long ago it came when this is asked (the machine is busy, this
 * process was stopped), only refs that are read later can show that it does not fit. Worked out when first asked.
 */
function refsAhead(entries: readonly WaitingEntry[], early: ReadonlySet<string>): (ref: ByteString) => boolean {
  let ahead: Set<ByteString> | null = null;
  const find = (): Set<ByteString> => {
    const late = entries.filter(({ key }) => !early.has(key));
    const found = new Set(late.flatMap(({ updates }) => updates.map(({ ref }) => ref)));
    for (let before = -1; before < found.size && late.length > 0; ) {
      before = found.size;
      for (const { updates } of entries)
        if (updates.some(({ ref }) => found.has(ref))) for (const { ref } of updates) found.add(ref);
    }
    return found;
  };
  return (ref) => {
    ahead ??= find();
    return ahead.has(ref);
  };
}

/**
 * Says whether a push is still being received, whose shim is yet to tell who it was; asked of the system only when
 * something is about to be reconciled, and once in a look. After a minute, the time an incomplete transfer is waited
 * for, what moved is reconciled whoever is still at work.
 */
function receiveWatch(ctx: HomeContext, row: RepositoryRow): () => boolean {
  let answer: boolean | null = null;
  return () => {
    if (answer !== null) return answer;
    answer = isReceiving(row.path);
    const since = ctx.memory.receiving.get(row.id) ?? performance.now();
    if (answer) ctx.memory.receiving.set(row.id, since);
    else ctx.memory.receiving.delete(row.id);
    answer &&= performance.now() - since < EMBARGO;
    return answer;
  };
}

function remember(
  ctx: HomeContext,
  id: RepositoryId,
  since: ReadonlyMap<string, number>,
  unsettled: readonly ByteString[],
  moved: ReadonlySet<ByteString>,
): void {
  const at = performance.now();
  if (unsettled.length === 0) ctx.memory.unsettled.delete(id);
  else
    ctx.memory.unsettled.set(id, new Map(unsettled.map((ref) => [ref, moved.has(ref) ? at : (since.get(ref) ?? at)])));
}

/** How many receipts back an entry that comes late may still find its reconciled receipt. */
const LATE_ENTRY_REACH = 10_000;

type Claim = (source: Spooled, updates: WaitingEntry["updates"], part: boolean) => boolean;

/** Lets an entry that came after its moves were reconciled put who and options on that receipt instead of making one.
 *  With `part`, only some of its moves were: then it makes a receipt for the others. */
function lateClaimer(ctx: HomeContext, repository: RepositoryId): Claim {
  let open: (ReconciledMove & { id: number })[] | null = null;
  return (source, updates, part) => {
    if (source.entry.kind !== "push" || updates.length === 0) return false;
    if (open === null) {
      const newest = newestReceipt(ctx.db, repository)?.id ?? 0;
      const after = Math.max(0, newest - LATE_ENTRY_REACH) as ReceiptId;
      open = unclaimedUpdates(ctx.db, repository, after).map((update) => ({ ...update, id: update.receipt }));
    }
    if (open.length === 0) return false;
    const id = joinReconciled({ key: source.name, at: source.at, trusted: true, kind: "push", updates }, open);
    if (id === null) return false;
    const who = receiptOf(source, now(), ctx.uid);
    if (!claimReceipt(ctx.db, id as ReceiptId, part ? { ...who, entry: null } : who)) return false;
    open = open.filter((move) => move.id !== id);
    return true;
  };
}

function storeReceipts(
  ctx: HomeContext,
  row: RepositoryRow,
  receipts: readonly SettledReceipt[],
  spooled: ReadonlyMap<string, Spooled>,
  claim: Claim,
) {
  const moves: { receipt: ReceiptId; move: LedgerMove }[] = [];
  const spent: string[] = [];
  let previous = newestReceipt(ctx.db, row.id)?.at ?? (0 as Instant);
  let count = 0;
  for (const { entry, moves: made } of receipts) {
    const source = entry === null ? null : (spooled.get(entry) ?? null);
    if (source !== null) spent.push(source.name);
    const late = made.filter(({ how }) => how === "claimed");
    const claimed = source !== null && late.length > 0 && claim(source, late, late.length < made.length);
    if (claimed && late.length === made.length) continue;
    previous = receiptTime((source?.at ?? now()) as Instant, previous, now());
    const receipt = addReceipt(ctx.db, row.id, receiptOf(source, previous, ctx.uid));
    for (const move of made) if (!(claimed && move.how === "claimed")) moves.push({ receipt, move });
    count += 1;
  }
  // Where pushes that overlapped made a knot, the order of the receipts cannot be the order of every ref's values; the
  // numbers of the updates always are.
  moves.sort((a, b) => a.move.step - b.move.step || a.receipt - b.receipt);
  const moved = new Set<ByteString>();
  for (const { receipt, move } of moves) {
    addRefUpdate(ctx.db, row.id, { receipt, ref: move.ref, old: move.old, new: move.new, how: move.how });
    if (move.how === "claimed") continue;
    moved.add(move.ref);
    putRef(ctx.db, row.id, move.ref, /^0+$/.test(move.new) ? null : move.new);
  }
  return { count, spent, moved };
}
