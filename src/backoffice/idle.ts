/** Whether a home has anything to do, asked without writing: an idle home is not leased, and costs no sync of the disk. */
import { entryNames } from "../spool/drain.ts";
import { listHooks } from "../store/hook.ts";
import { repositoriesWithReceipts } from "../store/receipt.ts";
import { listRepositories, repositoryById } from "../store/repository.ts";
import { repositoriesWithOpenRuns } from "../store/run.ts";
import type { HomeContext } from "./context.ts";
import { afterReceiveHooks } from "./cutter.ts";
import { isPruneDue } from "./janitor.ts";

/** True when a pass could find something: an entry, a run that is not over, receipts that somebody is to get, refs that
 *  may have moved, or history past retention. */
export function hasWork(ctx: HomeContext): boolean {
  if (entryNames(ctx.layout.spool).length > 0 || isPruneDue(ctx)) return true;
  if (repositoriesWithOpenRuns(ctx.db).length > 0) return true;
  const hooks = listHooks(ctx.db);
  const waiting = repositoriesWithReceipts(ctx.db).map((id) => repositoryById(ctx.db, id));
  if (waiting.some((row) => row !== null && afterReceiveHooks(hooks, row).length > 0)) return true;
  const at = Date.now();
  return listRepositories(ctx.db).some((row) => {
    if (row.parked !== null) return true;
    return ctx.open(row).fingerprint(row.fingerprint, at).changed;
  });
}
