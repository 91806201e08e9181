/**
 * The cut: everything behind a repository's cursor becomes one batch, and each after-receive hook gets its run.
 *
 * One transaction closes the interval, marks what is older than the window, makes a run for every hook (also those that
 * a rule skips, with the rule) and moves the cursor. So each receipt is in exactly one batch, and every hook's fate on
 * it is written down before anything runs. Without a hook nothing is cut: receipts wait. So they do while the
 * repository is paused; what arrived since the pause began is never too old.
 */
import { type ByteString, displayText } from "../core/bytes.ts";
import { decideCut, leftOut } from "../core/cut.ts";
import { bySequence, covers, type Hook } from "../core/hook.ts";
import { matchRef } from "../core/ref-pattern.ts";
import { typed } from "../core/shell-word.ts";
import { type BatchId, type Instant, parseDuration, type ReceiptId } from "../core/units.ts";
import { addBatch } from "../store/batch.ts";
import { listHooks } from "../store/hook.ts";
import { writeAsHolder } from "../store/lease.ts";
import { movedHooks } from "../store/moved.ts";
import { forgetHeld } from "../store/pause.ts";
import { leaveOut, rcvidOf, receiptById, receiptsBetween, waitingReceipts } from "../store/receipt.ts";
import { type RefUpdate, updatesOfReceipt } from "../store/ref.ts";
import { moveCursor, type RepositoryRow, repositoryById } from "../store/repository.ts";
import { addRun } from "../store/run.ts";
import { type HomeContext, now } from "./context.ts";
import { raise } from "./events.ts";

/** The after-receive hooks of a repository in the order in which they run. */
export const afterReceiveHooks = (hooks: readonly Hook[], row: RepositoryRow): Hook[] =>
  hooks.filter((hook) => hook.type === "after-receive" && covers(hook.scope, row)).sort(bySequence);

/** Cuts what waits in a repository, unless nothing does, nobody would get it, or an embargo holds; then says until when. */
export function cut(ctx: HomeContext, token: number, { id }: RepositoryRow): { until: Instant | null } {
  return writeAsHolder(ctx.db, token, () => {
    const row = repositoryById(ctx.db, id); // as it is now: a pause that was said to have begun has
    if (row === null || row.paused !== null) return { until: null };
    const hooks = afterReceiveHooks(listHooks(ctx.db), row);
    if (hooks.length === 0) return { until: null };
    const at = now();
    const waiting = waitingReceipts(ctx.db, row.id, row.cursor);
    const decided = decideCut(row.cursor, waiting, row.embargo, at);
    if (decided.kind === "wait") return { until: decided.until };
    if (decided.kind === "idle") return { until: null };
    close(ctx, row, hooks, waiting, decided.upto, at);
    return { until: null };
  });
}

type Waiting = ReturnType<typeof waitingReceipts>;

function close(ctx: HomeContext, row: RepositoryRow, hooks: Hook[], waiting: Waiting, upto: ReceiptId, at: Instant) {
  const old = new Set(leftOut(waiting, parseDuration(ctx.settings.window), row.heldFrom));
  for (const id of old) leaveOut(ctx.db, { id });
  const handedOut = waiting.filter(({ id }) => !old.has(id)).map(({ id }) => id);
  const batch = addBatch(ctx.db, {
    repository: row.id,
    base: row.cursor,
    upto,
    cutAt: at,
    receipts: handedOut.length,
    leftOut: old.size,
  });
  const updates = new Map<ReceiptId, RefUpdate[]>();
  if (hooks.some((hook) => hook.refs !== null))
    for (const id of handedOut) updates.set(id, updatesOfReceipt(ctx.db, id));
  const files = new Set(
    movedHooks(ctx.db).flatMap(({ hook, repository, native, over }) =>
      repository === row.id && native === "post-receive" && !over ? [hook] : [],
    ),
  );
  const ranAsFile = (hook: Hook, receipt: ReceiptId | null): string | null => {
    if (receipt === null || !files.has(hook.id)) return null;
    const chained = receiptById(ctx.db, receipt)?.entry?.endsWith("-chained.entry") === true; // see shim/runtime/receive.sh
    return chained ? "its push ran the post-receive file that this hook was" : null;
  };
  for (const hook of hooks) {
    const parts: (ReceiptId | null)[] = hook.each === "receipt" ? handedOut : [null];
    for (const receipt of parts) {
      const touched = (receipt === null ? [...updates.values()].flat() : updates.get(receipt)) ?? [];
      // Of other kinds the runner decides, from the repository.
      const reason = row.kind === "git" ? (ranAsFile(hook, receipt) ?? skippedByRef(hook, touched)) : null;
      addRun(ctx.db, {
        incarnation: ctx.incarnation,
        repository: row.id,
        hook: hook.id,
        hookName: hook.name,
        type: hook.type,
        sequence: hook.sequence,
        batch,
        receipt,
        replayOf: null,
        skipped: reason !== null,
        reason,
        now: at,
      });
    }
  }
  if (old.size > 0) tellLeftOut(ctx, row, batch, old.size, upto, at);
  moveCursor(ctx.db, { id: row.id, cursor: upto });
  if (row.heldFrom !== null) forgetHeld(ctx.db, { id: row.id });
  const left = old.size === 0 ? "" : `, ${old.size} older than ${ctx.settings.window} left out`;
  ctx.log("debug", `${row.name}: batch ${batch} cut, ${handedOut.length} receipts${left}`);
}

/** A file with the facts names no more receipts than this. */
const NAMED = 100;

function tellLeftOut(
  ctx: HomeContext,
  row: RepositoryRow,
  batch: BatchId,
  count: number,
  upto: ReceiptId,
  at: Instant,
): void {
  const { window } = ctx.settings;
  const old = receiptsBetween(ctx.db, row.id, row.cursor, upto).filter((receipt) => receipt.leftOut);
  const named = old.slice(0, NAMED).map((receipt) => ({ rcvid: rcvidOf(receipt), at: new Date(receipt.at) }));
  const facts = {
    says: `${count} ${count === 1 ? "receipt" : "receipts"} older than ${window} left out of batch ${batch}`,
    mend: `gatepost runs replay --left-out --since ${new Date(old[0]?.at ?? at).toISOString()} -R ${typed(row.path)}`,
    leftOut: { batch, count, window, receipts: named },
  };
  raise(ctx, row, { name: "left-out", cause: `batch ${batch}`, facts }, at);
}

function skippedByRef({ refs }: Hook, updates: readonly RefUpdate[]): string | null {
  if (refs === null) return null;
  const moved = updates.filter(({ how }) => how !== "claimed").map(({ ref }) => ref);
  return unmatched(refs, moved);
}

/** Why patterns leave a hook out: none of the refs matches one; null when one does. */
export function unmatched(patterns: readonly string[], refs: readonly ByteString[]): string | null {
  if (refs.some((ref) => patterns.some((pattern) => matchRef(pattern, ref)))) return null;
  const seen = [...new Set(refs.map(displayText))].slice(0, 3).join(" ");
  return `--ref ${patterns.join(" ")} did not match${seen === "" ? "" : ` ${seen}`}`;
}
