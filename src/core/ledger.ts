/**
 * The ledger holds the value last seen of every ref. Settling compares it with the real refs and with the entries that
 * the shims left in the spool, and says which receipts that makes.
 *
 * What is in the repository is the truth, entries are hints. A hook may not have run, a shim may have been killed, file
 * times may lie, and whoever may push can write an entry that is not true. So an entry never moves a ref anywhere but
 * along a chain that starts at the ledger's value and ends at the real one (ref-chain.ts); what it says beyond that is
 * kept as `claimed` and moves nothing. What no entry explains becomes `reconciled`, once it has waited so long that no
 * shim can still be writing about it. Each change of a ref is thus on exactly one receipt.
 *
 * Order of reading: the refs FIRST, then the spool. An update that goes on from the real value is therefore a push that
 * came in between; it waits for the next look and holds nothing up. Every other update without a place in the chain may
 * be one whose neighbour is still being written: it holds up its ref, and with it all refs and entries that hang
 * together with it, so that no receipt is numbered before one that it follows. They are held up for one grace and no
 * longer: when one ref of such a group is old, all are decided. (Were each to wait for its own age, one made-up entry
 * a second, naming one new ref each, could hold up a ref for ever.)
 *
 * Work entries name no updates, since the hooks of a work tree do not tell them. They explain, at once, all differences
 * that the pushes leave open. Hand in only those that were in the spool before the refs were read: a commit made
 * between the two would find its difference not yet there, and its entry would be spent on nothing.
 *
 * Pure: if the process dies before the caller has stored all of the answer in one transaction, nothing has happened,
 * and the next look finds it again. Proven by test/core/ledger.test.ts.
 */
import type { ByteString } from "./bytes.ts";
import { decide } from "./ledger-decide.ts";
import {
  byTime,
  type Draft,
  draftOf,
  isAbsent,
  type LedgerMove,
  layOut,
  type Ref,
  type WaitingEntry,
} from "./ledger-drafts.ts";
import { orderByNeed } from "./receipt-order.ts";
import type { RefValue } from "./ref-chain.ts";

export type { LedgerMove, WaitingEntry } from "./ledger-drafts.ts";
export type { RefValue } from "./ref-chain.ts";

/** `entry` is null for what was reconciled. Moves keep the entry's order, those without one that of the refs. */
export type SettledReceipt = { readonly entry: string | null; readonly moves: readonly LedgerMove[] };

/** Each key handed in is in exactly one of `receipts`, `waiting` and `nothing`. */
export type Settled = {
  /** In the order in which they must be numbered. */
  readonly receipts: readonly SettledReceipt[];
  /** Entries to be left in the spool. */
  readonly waiting: readonly string[];
  /** Work entries that explain no difference: to be removed. */
  readonly nothing: readonly string[];
  /** Refs that differ, or of which an entry still waits. */
  readonly unsettled: readonly ByteString[];
  /** Something is unsettled: look again when it is old. */
  readonly waitUntilAge: boolean;
};

/** Turns entries and differences into receipts. The maps hold every ref that is followed; a missing ref is absent.
 *
 *  `differenceIsOld(ref)` must say whether the ref has been in `unsettled` for the grace without having been moved since:
 *  the caller keeps, for each unsettled ref, since when, starts anew when a receipt moves the ref, and forgets it when
 *  it is no longer named. The answer depends on nothing but the arguments, and not on the order of `entries`. */
export function settle(
  ledger: ReadonlyMap<ByteString, RefValue>,
  real: ReadonlyMap<ByteString, RefValue>,
  entries: readonly WaitingEntry[],
  differenceIsOld: (ref: ByteString) => boolean,
): Settled {
  const { refs, drafts } = layOut(ledger, real, entries);
  const pushes = drafts.filter((draft) => draft.entry?.kind === "push");
  const nudges = drafts.filter((draft) => draft.entry?.kind === "work");
  const nudge = nudges.pop() ?? null;
  decide(refs, pushes, nudge !== null, differenceIsOld);

  const decided = refs.filter((ref) => ref.decided);
  const bridge = draftOf(null, earliestAfterGap(decided));
  const rest = draftOf(null, Number.POSITIVE_INFINITY);
  for (const ref of decided) {
    if (nudge !== null) followChain(ref, nudge, "entry");
    else followChain(ref, ref.chain.after.length > 0 ? bridge : rest, "reconciled");
  }
  for (const { updates, moves, settled } of pushes) {
    if (!settled) continue;
    for (const { ref, old, new: to, step } of updates) {
      moves.push({ ref: ref.name, old, new: to, how: step > 0 ? "entry" : "claimed", step });
    }
  }
  if (nudge !== null) nudge.settled = nudge.moves.length > 0;
  // Its difference is there, but on a ref that is held up: it would be spent on nothing now.
  const nudgeWaits = nudge?.settled === false && refs.some((ref) => !ref.decided && ref.chain.gap !== null);

  const waiting = pushes.filter((draft) => !draft.settled);
  const unsettled = new Set(refs.filter((ref) => !ref.decided).map((ref) => ref.name));
  for (const draft of waiting) for (const { ref } of draft.updates) unsettled.add(ref.name);
  const nothing = nudge === null || nudge.settled || nudgeWaits ? nudges : [...nudges, nudge];
  return {
    receipts: inOrder([bridge, ...drafts.filter((draft) => draft.settled), rest]),
    waiting: (nudge !== null && nudgeWaits ? [...waiting, nudge] : waiting).map((draft) => draft.key),
    nothing: nothing.map((draft) => draft.key),
    unsettled: [...unsettled].sort(),
    waitUntilAge: unsettled.size > 0,
  };
}

/** Numbers the steps of a decided ref's chain and notes which receipt follows which. The gap goes to `filler`. */
function followChain({ name, chain }: Ref, filler: Draft, how: "entry" | "reconciled"): void {
  let step = 0;
  let last: Draft | null = null;
  const take = (draft: Draft) => {
    if (last !== null && last !== draft) draft.follows.add(last);
    last = draft;
    return ++step;
  };
  for (const update of chain.before) update.step = take(update.draft);
  if (chain.gap !== null) filler.moves.push({ ref: name, ...chain.gap, how, step: take(filler) });
  for (const update of chain.after) update.step = take(update.draft);
}

/** A bridge has the time of the earliest update that follows one. */
function earliestAfterGap(refs: readonly Ref[]): number {
  return refs.reduce((at, ref) => {
    const next = ref.chain.gap === null ? undefined : ref.chain.after[0];
    return next === undefined ? at : Math.min(at, next.draft.at);
  }, Number.POSITIVE_INFINITY);
}

/** The last draft stays last: nothing follows it. */
function inOrder(drafts: readonly Draft[]): SettledReceipt[] {
  const sorted = drafts.filter((draft) => draft.entry !== null || draft.moves.length > 0).sort(byTime);
  const places = new Map(sorted.map((draft, place) => [draft, place]));
  const order = orderByNeed(sorted.map((draft) => [...draft.follows].map((other) => places.get(other) as number)));
  return order.map((place) => {
    const { entry, moves } = sorted[place] as Draft;
    return { entry: entry?.key ?? null, moves };
  });
}

/** A reconciled move of a recent receipt (`id`) that no entry has claimed yet. */
export type ReconciledMove = {
  readonly id: number;
  readonly ref: ByteString;
  readonly old: RefValue;
  readonly new: RefValue;
};

/** The receipt whose reconciled moves this late entry explains; null where there is none. It does if each of its updates
 *  is one of that receipt's moves, or the first or last link of a chain that was swallowed into one (A to C reconciled,
 *  the entry says A to B or B to C). Of several, the one with the most equal moves, then the oldest.
 *
 *  To be asked about an entry of which `settle` says that all its moves are claimed, before that receipt is stored: who,
 *  when and options then go on the reconciled receipt and no other is made. Not earlier, since the update may as well
 *  be a new one, which has a place in its ref's chain. A receipt so claimed is no longer handed in: a second entry that
 *  would join it gets null, and with it a receipt of its own whose moves are claimed. */
export function joinReconciled(entry: WaitingEntry, reconciled: readonly ReconciledMove[]): number | null {
  const said = entry.updates.filter((update) => !same(update.old, update.new));
  if (said.length === 0) return null;
  const receipts = new Map<number, Map<ByteString, ReconciledMove[]>>();
  for (const move of reconciled) {
    const moves = receipts.get(move.id) ?? new Map<ByteString, ReconciledMove[]>();
    receipts.set(move.id, moves.set(move.ref, [...(moves.get(move.ref) ?? []), move]));
  }
  let best: { id: number; equal: number } | null = null;
  for (const [id, moves] of receipts) {
    const movesOf = (ref: ByteString) => moves.get(ref) ?? [];
    const joins = said.every((u) => movesOf(u.ref).some((move) => same(move.old, u.old) || same(move.new, u.new)));
    if (!joins) continue;
    const equal = said.filter((u) => movesOf(u.ref).some((m) => same(m.old, u.old) && same(m.new, u.new))).length;
    if (best === null || equal > best.equal || (equal === best.equal && id < best.id)) best = { id, equal };
  }
  return best?.id ?? null;
}

const same = (a: RefValue, b: RefValue) => a === b || (isAbsent(a) && isAbsent(b));
