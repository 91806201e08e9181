/**
 * The cut: everything behind a repository's cursor becomes one batch, and each after-receive hook gets its run.
 *
 * One transaction closes the interval, marks what is older than the window, makes a run for every hook (also those that
 * a rule skips, with the rule) and moves the cursor. So each receipt is in exactly one batch, and every hook's fate on
 * it is written down before anything runs. Without a hook nothing is cut: receipts wait.
 */
import { type ByteString, displayText } from "../core/bytes.ts";
import { decideCut, leftOut } from "../core/cut.ts";
import { bySequence, covers, type Hook } from "../core/hook.ts";
import { matchRef } from "../core/ref-pattern.ts";
import { type Instant, parseDuration, type ReceiptId } from "../core/units.ts";
import { addBatch } from "../store/batch.ts";
import { listHooks } from "../store/hook.ts";
import { writeAsHolder } from "../store/lease.ts";
import { leaveOut, waitingReceipts } from "../store/receipt.ts";
import { type RefUpdate, updatesOfReceipt } from "../store/ref.ts";
import { moveCursor, type RepositoryRow } from "../store/repository.ts";
import { addRun } from "../store/run.ts";
import { type HomeContext, now } from "./context.ts";

/** The after-receive hooks of a repository in the order in which they run. */
export const afterReceiveHooks = (hooks: readonly Hook[], row: RepositoryRow): Hook[] =>
  hooks.filter((hook) => hook.type === "after-receive" && covers(hook.scope, row)).sort(bySequence);

/** Cuts what waits in a repository, unless nothing does, nobody would get it, or an embargo holds; then says until when. */
export function cut(ctx: HomeContext, token: number, row: RepositoryRow): { until: Instant | null } {
  return writeAsHolder(ctx.db, token, () => {
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
  const old = new Set(leftOut(waiting, parseDuration(ctx.settings.window)));
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
  for (const hook of hooks) {
    const parts: (ReceiptId | null)[] = hook.each === "receipt" ? handedOut : [null];
    for (const receipt of parts) {
      const touched = (receipt === null ? [...updates.values()].flat() : updates.get(receipt)) ?? [];
      const reason = row.kind === "git" ? skippedByRef(hook, touched) : null; // else by the runner, from the repository
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
  moveCursor(ctx.db, { id: row.id, cursor: upto });
  const left = old.size === 0 ? "" : `, ${old.size} older than ${ctx.settings.window} left out`;
  ctx.log("debug", `${row.name}: batch ${batch} cut, ${handedOut.length} receipts${left}`);
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
