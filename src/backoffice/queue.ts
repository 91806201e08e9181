/**
 * Which run of a repository comes next.
 *
 * Runs go by batch, then by the hook's sequence, then by its id; one at a time in a repository. A run that waits for its
 * next attempt, or is parked, is passed over and holds nothing back, unless its hook asked for --in-order: then that
 * hook's later runs wait for it. Runs of function hooks wait until a process that has the function comes.
 *
 * Runs for events (on:parked) are a lane of their own: an alarm does not wait behind the hook that is the reason for it.
 * Nothing is started in a repository that is paused, and none of a paused hook's runs; neither is anything to wait for.
 */
import { LIST_RETRY_BASE, retryDelay } from "../core/retry.ts";
import { settingMillis } from "../core/settings.ts";
import type { HookId, Instant, Millis, RunId } from "../core/units.ts";
import type { Database } from "../store/database.ts";
import { hookById } from "../store/hook.ts";
import { isHookPaused, isRepositoryPaused } from "../store/pause.ts";
import type { RepositoryRow } from "../store/repository.ts";
import { type EventRun, firstParked, hooksRunning, openRuns, type Run, type RunState, runById } from "../store/run.ts";
import type { HomeContext } from "./context.ts";
import { runName } from "./trial.ts";

/** What comes next in a repository. */
export type Next = { run: Run | EventRun } | { run: null; dueAt: Instant | null };

/** One run after the other goes in each of a repository's lanes. */
export type Lane = "batches" | "events";
export const LANES: readonly Lane[] = ["events", "batches"];

/** The run of a lane to start now, or when the next one that only waits for its time is due (null: none). */
export function nextRun(ctx: HomeContext, row: Pick<RepositoryRow, "id">, lane: Lane, at: Instant): Next {
  if (isRepositoryPaused(ctx.db, row.id)) return { run: null, dueAt: null };
  const parked = firstParked(ctx.db, row.id);
  const held = hooksRunning(ctx.db, row.id); // in the other lane, where its type was changed meanwhile
  const inOrder = new Map<HookId, boolean>();
  const paused = new Map<HookId, boolean>();
  let dueAt: Instant | null = null;
  for (const run of openRuns(ctx.db, row.id)) {
    if (lane === "events" && run.event === null) break; // those for events come first
    if ((run.event === null) !== (lane === "batches") || isPaused(run.hook)) continue;
    if (run.state === "running" || held.has(run.hook) || !isOurs(ctx, run)) continue;
    const ready = isDue(ctx, run, at);
    if (ready && !behindParked(run, parked, isInOrder(run.hook))) return { run };
    if (!ready && (dueAt === null || (run.dueAt ?? at) < dueAt)) dueAt = run.dueAt;
    if (isInOrder(run.hook)) held.add(run.hook);
  }
  return { run: null, dueAt };

  function isInOrder(hook: HookId): boolean {
    const known = inOrder.get(hook);
    if (known !== undefined) return known;
    const value = hookById(ctx.db, hook)?.inOrder ?? false;
    inOrder.set(hook, value);
    return value;
  }

  function isPaused(hook: HookId): boolean {
    const known = paused.get(hook) ?? isHookPaused(ctx.db, hook);
    paused.set(hook, known);
    return known;
  }
}

/** What is due later than its retry can have been meant was set before the clock was put back, and is due now. */
function isDue({ settings }: HomeContext, { dueAt, failures }: Run | EventRun, at: Instant): boolean {
  const base = Math.max(settingMillis(settings, "retry-base"), LIST_RETRY_BASE) as Millis;
  return dueAt === null || dueAt <= at || dueAt - at > retryDelay(Math.max(failures, 1), base, 0);
}

/** The earlier run that holds a waiting one back, since its hook asked for --in-order: one that is parked, or one that
 *  is not over. Null where nothing does. */
export function holderOf(db: Database, run: Run | EventRun): { name: string; state: RunState } | null {
  if (run.state !== "waiting" || hookById(db, run.hook)?.inOrder !== true) return null;
  const parked = firstParked(db, run.repository);
  if (behindParked(run, parked, true)) {
    const holder = runById(db, parked.get(run.hook) ?? run.id);
    if (holder !== null) return { name: runName(holder), state: holder.state };
  }
  for (const other of openRuns(db, run.repository)) {
    if (other.id === run.id) return null;
    if (other.hook === run.hook) return { name: runName(other), state: other.state };
  }
  return null;
}

const behindParked = (run: Run | EventRun, parked: ReadonlyMap<HookId, RunId>, ordered: boolean): boolean =>
  ordered && (parked.get(run.hook) ?? run.id) < run.id;

/** Whether this process can run it: a function hook only where its function is. */
function isOurs(ctx: HomeContext, run: Run | EventRun): boolean {
  if (run.hookName !== null && ctx.functions.has(run.hookName)) return true;
  return hookById(ctx.db, run.hook)?.command !== null; // of a deleted hook too: it is skipped with that reason
}
