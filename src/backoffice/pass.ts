/**
 * A pass over one home: look, cut, run, until nothing is left that could be done now.
 *
 * The pass holds the home's lease from its first look until its last run has ended. Repositories run side by side, up to
 * `jobs` of them; within one, hooks run one after the other, but for those that are told of events. While hooks run, the bell (a new entry in the spool, a run
 * that ended) makes the pass look again, so that a slow hook of one repository delays nobody else's receipts.
 *
 * A pass that stays (`stay`) also waits for what is known to come soon: the end of an embargo, a retry that is near, a
 * difference that is still too young. Any other pass waits only for the last of these, at most a few seconds, since
 * nobody promised to come back for it.
 *
 * Stopping (`signal`): nothing new starts, running hooks are ended with their grace, the lease is given back. The same
 * when the lease is lost, which is then thrown: there is nothing left to give back, and nothing more is written.
 *
 * If the process dies here, the lease expires, or is taken at once from a holder that is proven dead (keeper.ts); whoever
 * takes it begins with `recoverLost`. Proven by test/torture/kill.test.ts.
 */
import { type Instant, MINUTE, type Millis, type RepositoryId } from "../core/units.ts";
import { listHooks } from "../store/hook.ts";
import { writeAsHolder } from "../store/lease.ts";
import { repositoriesWithReceipts } from "../store/receipt.ts";
import { type RepositoryRow, repositoryById } from "../store/repository.ts";
import { repositoriesWithOpenRuns } from "../store/run.ts";
import { noteFullLook } from "../store/setting.ts";
import { type HomeContext, now } from "./context.ts";
import { afterReceiveHooks, cut } from "./cutter.ts";
import { isFullLookDue } from "./idle.ts";
import { prune } from "./janitor.ts";
import { keepLease } from "./keeper.ts";
import { look, type Reach } from "./look.ts";
import { recoverLost } from "./lost.ts";
import { LANES, type Lane, nextRun } from "./queue.ts";
import { execute } from "./runner.ts";
import { tendShims } from "./shims.ts";

/** What a pass is asked for. */
export type PassOptions = {
  reach: Reach;
  /** Everything is looked at when that was last done this long ago. */
  min: Millis;
  /** Wait for embargoes and near retries too. */
  stay: boolean;
  /** Repositories that run side by side. */
  jobs: number;
  signal: AbortSignal;
  /** Called after each look at the repositories. */
  onLooked?: () => void;
};

/** What a pass did. `dueAt`: when it is worth to come back without being rung for; `heldBy`: another process has the
 *  lease, nothing was done. */
export type Passed = {
  receipts: number;
  /** Repositories that were looked at. */
  looked: Set<RepositoryId>;
  /** Runs by the name of their repository. */
  runs: Map<string, number>;
  dueAt: Instant | null;
  heldBy: number | null;
};

/** A pass that found nothing to do. */
export const nothingDone = (): Passed => ({
  receipts: 0,
  looked: new Set(),
  runs: new Map(),
  dueAt: null,
  heldBy: null,
});

/** A retry that is due later than this is left to the next pass. */
const NEAR = (10 * MINUTE) as number;

/** Makes one pass. Another holder of the lease is a value (`heldBy`); throws GP_LEASE_LOST where the lease was lost on the
 *  way, and whatever keeps the home itself from being worked on. What is wrong with one repository parks that one. */
export async function pass(ctx: HomeContext, options: PassOptions): Promise<Passed> {
  const keeper = keepLease(ctx);
  if ("heldBy" in keeper) return { ...nothingDone(), heldBy: keeper.heldBy.pid ?? 0 };
  const signal = AbortSignal.any([options.signal, keeper.lost]);
  const passed = nothingDone();
  const active = new Map<string, Promise<void>>();
  const failures: unknown[] = [];
  const lookedBack = new Set<RepositoryId>();
  try {
    await recoverLost(ctx, keeper.token);
    const full = isFullLookDue(ctx, options.min);
    if (full || options.reach !== "spool") await ctx.roots.register();
    await tendShims(ctx, keeper.token, full);
    let reach = full ? "everything" : options.reach;
    while (!signal.aborted && failures.length === 0) {
      const { receipts, again, at, locked } = await look(ctx, keeper.token, reach);
      options.onLooked?.();
      passed.receipts += receipts;
      for (const id of at) passed.looked.add(id);
      if (reach === "everything") writeAsHolder(ctx.db, keeper.token, () => noteFullLook(ctx.db, now()));
      reach = "spool";
      const ready = cutAndPick(ctx, keeper.token, active, options.jobs);
      for (const { row, lane } of ready.start) {
        const working = workThrough(ctx, keeper.token, row, lane, signal, passed)
          .catch((error) => {
            if (!signal.aborted || error !== signal.reason) failures.push(error); // what stopping broke off is no failure
          })
          .finally(() => {
            active.delete(keyOf(row.id, lane));
            // No spool tells a pass what arrived meanwhile, be it from the hook itself.
            // Once: a hook that writes to its own repository each time must not make the pass endless.
            if (lane === "batches" && row.kind === "fossil" && !lookedBack.has(row.id))
              ctx.memory.lookAgain.add(row.id);
            lookedBack.add(row.id);
            ctx.bell.ring();
          });
        active.set(keyOf(row.id, lane), working);
      }
      const wait = nextWake(ready.dueAt, again, options.stay);
      passed.dueAt = locked ? earlier(ready.dueAt, (now() + LOCKED_AGAIN) as Instant) : ready.dueAt;
      if (active.size === 0 && wait === null) break;
      await ctx.bell.wait(wait, signal);
    }
    await Promise.all(active.values());
    if (!signal.aborted && failures.length === 0) prune(ctx, keeper.token);
  } finally {
    await Promise.all(active.values());
    keeper.release();
  }
  if (failures.length > 0) throw failures[0];
  keeper.lost.throwIfAborted();
  return passed;
}

/** When a repository that stays locked is worth another look. */
const LOCKED_AGAIN = 5000;

const earlier = (one: Instant | null, other: Instant): Instant => (one !== null && one < other ? one : other);

/** In how many ms the pass has something to do by itself; null when there is nothing to wait for. */
function nextWake(dueAt: Instant | null, again: number | null, stay: boolean): number | null {
  const due = dueAt === null ? null : Math.max(0, dueAt - now());
  const waits = [again, due !== null && stay && due <= NEAR ? due : null].filter((wait) => wait !== null);
  return waits.length === 0 ? null : Math.min(...waits);
}

type Picked = { start: { row: RepositoryRow; lane: Lane }[]; dueAt: Instant | null };

/** What goes on in a lane of a repository. */
const keyOf = (id: RepositoryId, lane: Lane): string => `${id} ${lane}`;

/** Cuts every repository that can be cut, and picks those that have a run to start. */
function cutAndPick(ctx: HomeContext, token: number, active: ReadonlyMap<string, unknown>, jobs: number): Picked {
  const picked: Picked = { start: [], dueAt: null };
  const sooner = (at: Instant | null): void => {
    if (at !== null && (picked.dueAt === null || at < picked.dueAt)) picked.dueAt = at;
  };
  const hooks = listHooks(ctx.db);
  for (const id of repositoriesWithReceipts(ctx.db)) {
    const row = repositoryById(ctx.db, id);
    if (row !== null && afterReceiveHooks(hooks, row).length > 0) sooner(cut(ctx, token, row).until);
  }
  // An alarm does not wait for a place among the batches, either.
  const busy: Record<Lane, number> = { events: 0, batches: 0 };
  for (const key of active.keys()) busy[key.endsWith(" events") ? "events" : "batches"] += 1;
  for (const id of repositoriesWithOpenRuns(ctx.db)) {
    const row = repositoryById(ctx.db, id);
    if (row === null) continue;
    for (const lane of LANES) {
      if (active.has(keyOf(id, lane))) continue;
      const next = nextRun(ctx, row, lane, now());
      if (next.run === null) sooner(next.dueAt);
      else if (busy[lane] < jobs) {
        busy[lane] += 1;
        picked.start.push({ row, lane });
      }
    }
  }
  return picked;
}

/** Runs what is ready in one lane of a repository, one run after the other. */
async function workThrough(
  ctx: HomeContext,
  token: number,
  row: RepositoryRow,
  lane: Lane,
  signal: AbortSignal,
  passed: Passed,
): Promise<void> {
  while (!signal.aborted) {
    const next = nextRun(ctx, row, lane, now());
    if (next.run === null) return;
    await execute(ctx, token, row, next.run, signal);
    passed.runs.set(row.name, (passed.runs.get(row.name) ?? 0) + 1);
    writeAsHolder(ctx.db, token, () => {}); // a holder that lost the lease stops here, before it starts another
  }
}
