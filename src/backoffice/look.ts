/**
 * A look: what arrived since the last one becomes receipts.
 *
 * Which repositories are looked at? Those that the spool names, those whose fingerprint of the refs changed, and those
 * that an earlier look could not settle; all of them when `everything` is asked for. Only for these Git is started.
 * For each: the refs are read first, then the spool (see core/ledger.ts for why), then all that follows from both is
 * stored in one transaction of the lease's holder, and only then are the entries removed. A death at any point shows
 * the same refs and entries again; an entry that is on a receipt already is known by its name.
 *
 * A difference that nothing explains must be old enough before it becomes a receipt, or a push whose shim is just
 * writing would be taken from its pusher. Old means: the refs' files and the entries about the ref have been quiet for
 * the grace by their times, or this process has seen the ref unsettled for that long. The first serves a single pass,
 * the second a clock or a busy repository that would never look quiet.
 */
import { type ByteString, displayText, toText } from "../core/bytes.ts";
import { receiptTime } from "../core/cut.ts";
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
import { readSpool, removeEntry, type Spooled, setAside } from "../spool/drain.ts";
import { namespacedRef } from "../spool/entry.ts";
import { writeAsHolder } from "../store/lease.ts";
import { addReceipt, claimReceipt, isEntryKnown, newestReceipt } from "../store/receipt.ts";
import { addRefUpdate, putRef, readLedger, unclaimedUpdates } from "../store/ref.ts";
import {
  listRepositories,
  noteLook,
  parkRepository,
  type RepositoryRow,
  repositoryById,
  repositoryByPath,
} from "../store/repository.ts";
import type { Fingerprint, Repository } from "../vcs/repository.ts";
import { type HomeContext, now } from "./context.ts";
import { receiptOf } from "./who.ts";

/** Which repositories a look considers: those that the spool names; also those whose refs changed; or all. */
export type Reach = "spool" | "changed" | "everything";

/** What a look found: receipts made, and in how many ms it is worth to look again (null: nothing is unsettled). */
export type Looked = { receipts: number; again: number | null };

/** How many receipts back an entry that comes late may still find its reconciled receipt. */
const LATE_ENTRY_REACH = 10_000;

/** How many repositories have their refs read before the spool is read once for all of them. */
const GROUP = 32;

type Candidate = { row: RepositoryRow; repository: Repository; fingerprint: Fingerprint; early: ReadonlySet<string> };

export async function look(ctx: HomeContext, token: number, reach: Reach): Promise<Looked> {
  const first = sortSpool(ctx);
  ctx.memory.seen = first.names;
  const grace = settingMillis(ctx.settings, "reconcile-age");
  const looked: Looked = { receipts: 0, again: first.partial ? grace : null };
  const candidates = findCandidates(ctx, token, reach, first.byRepository);
  for (let at = 0; at < candidates.length; at += GROUP) {
    const group = await Promise.all(
      candidates.slice(at, at + GROUP).map((candidate) => readRefs(ctx, token, candidate)),
    );
    const { byRepository } = sortSpool(ctx);
    for (const read of group) {
      if (read === null) continue;
      const result = settleOne(ctx, token, read.candidate, read.real, byRepository.get(read.candidate.row.id) ?? []);
      looked.receipts += result.receipts;
      if (result.again !== null) looked.again = Math.min(looked.again ?? result.again, result.again);
    }
    ctx.progress({ repositories: Math.min(at + GROUP, candidates.length), of: candidates.length });
  }
  return looked;
}

function findCandidates(
  ctx: HomeContext,
  token: number,
  reach: Reach,
  early: ReadonlyMap<RepositoryId, readonly Spooled[]>,
): Candidate[] {
  const named = new Set([...early.keys(), ...ctx.memory.lookAgain]);
  const rows =
    reach === "spool"
      ? [...named].map((id) => repositoryById(ctx.db, id)).filter((row) => row !== null)
      : listRepositories(ctx.db);
  return rows.flatMap((row) => {
    try {
      const repository = ctx.open(row);
      const fingerprint = repository.fingerprint(row.fingerprint, Date.now());
      if (reach !== "everything" && !named.has(row.id) && !fingerprint.changed) return [];
      const names = new Set((early.get(row.id) ?? []).map(({ name }) => name));
      return [{ row, repository, fingerprint, early: names }];
    } catch (error) {
      park(ctx, token, row, error);
      return [];
    }
  });
}

/** The spool's entries by repository. What belongs to no repository of this home, or can never be read, is set aside. */
function sortSpool(ctx: HomeContext) {
  const view = readSpool(ctx.layout.spool, Date.now(), ctx.memory.spooled);
  const byRepository = new Map<RepositoryId, Spooled[]>();
  const idOf = new Map<ByteString, RepositoryId | null>();
  for (const spooled of view.entries) {
    const { dir } = spooled.entry;
    let id = idOf.get(dir);
    if (id === undefined) {
      id = repositoryByPath(ctx.db, toText(dir) ?? "")?.id ?? null;
      idOf.set(dir, id);
    }
    const list = id === null ? undefined : byRepository.get(id);
    if (id === null)
      view.unusable.push({ name: spooled.name, reason: `${displayText(dir)} was copied or moved: gatepost init` });
    else if (list === undefined) byRepository.set(id, [spooled]);
    else list.push(spooled);
  }
  for (const unusable of view.unusable) {
    setAside(ctx.layout.spool, unusable);
    ctx.memory.spooled.delete(unusable.name);
    ctx.log("error", `spool entry ${unusable.name} set aside: ${unusable.reason}`);
  }
  return { names: view.names, byRepository, partial: view.partial > 0 };
}

async function readRefs(ctx: HomeContext, token: number, candidate: Candidate) {
  try {
    return { candidate, real: await candidate.repository.readRefs(whichRefs(ctx, candidate.row)) };
  } catch (error) {
    park(ctx, token, candidate.row, error);
    return null;
  }
}

function settleOne(
  ctx: HomeContext,
  token: number,
  { row, fingerprint, early }: Candidate,
  real: ReadonlyMap<ByteString, string>,
  entries: readonly Spooled[],
): Looked {
  const usable = entries.filter(({ name, entry }) => entry.kind === "push" || early.has(name));
  const stored = store(ctx, token, row, real, usable, fingerprint);
  for (const name of stored.spent) {
    removeEntry(ctx.layout.spool, name);
    ctx.memory.spooled.delete(name);
  }
  if (stored.again === null) ctx.memory.lookAgain.delete(row.id);
  else ctx.memory.lookAgain.add(row.id);
  return stored;
}

/** A repository that cannot be read is parked with the reason and tried again at each full look; the others go on. */
function park(ctx: HomeContext, token: number, row: RepositoryRow, error: unknown): void {
  const code = (error as { code?: string }).code;
  if (code !== "GP_NO_REPOSITORY" && code !== "GP_VCS" && code !== "GP_DENIED") throw error;
  const reason = (error as Error).message;
  if (row.parked === reason) return;
  ctx.log("error", `${row.name} cannot be looked at: ${reason}`);
  writeAsHolder(ctx.db, token, () => parkRepository(ctx.db, { id: row.id, parked: reason }));
}

function whichRefs(ctx: HomeContext, row: RepositoryRow): "all" | "public" {
  const setting = ctx.settings.refs;
  if (setting === "all" || setting === "public") return setting;
  return row.workTree === null ? "all" : "public";
}

type Stored = { receipts: number; spent: string[]; again: number | null };

/** Settles one repository and stores all that follows, its look included, in one transaction. */
function store(
  ctx: HomeContext,
  token: number,
  row: RepositoryRow,
  real: ReadonlyMap<ByteString, string>,
  spooled: readonly Spooled[],
  fingerprint: Fingerprint,
): Stored {
  const grace = settingMillis(ctx.settings, "reconcile-age");
  return writeAsHolder(ctx.db, token, () => {
    const known = new Set(spooled.map(({ name }) => name).filter((name) => isEntryKnown(ctx.db, name)));
    const fresh = new Map(spooled.flatMap((entry) => (known.has(entry.name) ? [] : [[entry.name, entry] as const])));
    const waiting = [...fresh.values()].map((entry) => toWaiting(ctx, entry));
    const quietByFiles = quietRefs(waiting, fingerprint.newestAt, grace);
    const since = ctx.memory.unsettled.get(row.id) ?? new Map<string, number>();
    const isOld = (ref: ByteString): boolean =>
      quietByFiles(ref) || performance.now() - (since.get(ref) ?? Number.POSITIVE_INFINITY) >= grace;
    const settled = settle(readLedger(ctx.db, row.id), real, waiting, isOld);
    const claim = lateClaimer(ctx, row.id);
    const made = storeReceipts(ctx, row, settled.receipts, fresh, claim);
    const stillWaiting = new Set(settled.waiting);
    const late = waiting.filter((entry) => {
      const source = fresh.get(entry.key);
      return stillWaiting.has(entry.key) && source !== undefined && claim(source, entry.updates);
    });
    remember(ctx, row.id, since, settled.unsettled, made.moved);
    const quiet = !settled.waitUntilAge && !fingerprint.unsure;
    noteLook(ctx.db, { id: row.id, fingerprint: quiet ? fingerprint.text : null, now: now() });
    return {
      receipts: made.count,
      spent: [...known, ...made.spent, ...settled.nothing, ...late.map(({ key }) => key)],
      again: settled.waitUntilAge ? grace + 20 : null,
    };
  });
}

function toWaiting(ctx: HomeContext, { name, at, uid, entry }: Spooled): WaitingEntry {
  const updates = entry.updates.map((update) => ({ ...update, ref: namespacedRef(entry.namespace, update.ref) }));
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

type Claim = (source: Spooled, updates: WaitingEntry["updates"]) => boolean;

/** Lets an entry that came after its move was reconciled put who and options on that receipt instead of making one. */
function lateClaimer(ctx: HomeContext, repository: RepositoryId): Claim {
  let open: (ReconciledMove & { id: number })[] | null = null;
  return (source, updates) => {
    if (source.entry.kind !== "push" || updates.length === 0) return false;
    if (open === null) {
      const newest = newestReceipt(ctx.db, repository)?.id ?? 0;
      const after = Math.max(0, newest - LATE_ENTRY_REACH) as ReceiptId;
      open = unclaimedUpdates(ctx.db, repository, after).map((update) => ({ ...update, id: update.receipt }));
    }
    if (open.length === 0) return false;
    const id = joinReconciled({ key: source.name, at: source.at, trusted: true, kind: "push", updates }, open);
    if (id === null || !claimReceipt(ctx.db, id as ReceiptId, receiptOf(source, now(), ctx.uid))) return false;
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
    if (source !== null && made.every(({ how }) => how === "claimed") && claim(source, made)) continue;
    previous = receiptTime((source?.at ?? now()) as Instant, previous, now());
    const receipt = addReceipt(ctx.db, row.id, receiptOf(source, previous, ctx.uid));
    for (const move of made) moves.push({ receipt, move });
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
