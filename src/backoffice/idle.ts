/** Whether a home has anything to do, asked without writing: an idle home is not leased, and costs no sync of the disk. */
import type { Millis } from "../core/units.ts";
import { entryNames } from "../spool/drain.ts";
import { isGateLogDue } from "../spool/gate-log.ts";
import { listHooks } from "../store/hook.ts";
import { repositoriesWithReceipts } from "../store/receipt.ts";
import { listRepositories, repositoryById } from "../store/repository.ts";
import { isAnyRunOpen } from "../store/run.ts";
import { lastFullLook } from "../store/setting.ts";
import type { Repository } from "../vcs/repository.ts";
import { type HomeContext, now } from "./context.ts";
import { afterReceiveHooks } from "./cutter.ts";
import { isPruneDue } from "./janitor.ts";
import { mayMissShims } from "./shims.ts";

/** True when a pass could find something: gates to be compiled, a gate record, an entry, a run that is not over, receipts that somebody is to get, refs that
 *  may have moved, shims that may have vanished, or history past retention. What is paused is nothing to do. */
export function hasWork(ctx: HomeContext, min: Millis): boolean {
  if (ctx.isOutOfLine() || isGateLogDue(ctx.layout.spool, Date.now())) return true;
  if (entryNames(ctx.layout.spool).length > 0 || isPruneDue(ctx) || isFullLookDue(ctx, min)) return true;
  if (isAnyRunOpen(ctx.db) || ctx.roots.haveNew()) return true;
  const hooks = listHooks(ctx.db);
  const waiting = repositoriesWithReceipts(ctx.db).map((id) => repositoryById(ctx.db, id));
  if (waiting.some((row) => row !== null && row.paused === null && afterReceiveHooks(hooks, row).length > 0))
    return true;
  const at = Date.now();
  return listRepositories(ctx.db).some((row) => {
    return row.parked !== null || mayMissShims(row, at) || mayHaveMoved(ctx.open(row), row.fingerprint, at);
  });
}

/** Whether the refs may have moved since the fingerprint. One that cannot be taken is for a pass to look into. */
export function mayHaveMoved(repository: Repository, fingerprint: string | null, at: number): boolean {
  try {
    return repository.fingerprint(fingerprint, at).changed;
  } catch {
    return true;
  }
}

/** Whether `min` has passed since every repository was looked at, or the clock was moved. */
export const isFullLookDue = (ctx: HomeContext, min: Millis): boolean => Math.abs(now() - lastFullLook(ctx.db)) >= min;
