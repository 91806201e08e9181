/**
 * Before a repository gets its first after-receive hook: what moved until now becomes receipts, so that the hook starts
 * with what comes after it. Where nobody was to hear of work in a work tree, no shim told of it, and without this the
 * first batch would hold everything since the last look.
 *
 * Where a backoffice is at work, it does the looking; what is younger than the setting reconcile-age is left for later.
 */
import { Bell } from "../backoffice/bell.ts";
import { keepLease } from "../backoffice/keeper.ts";
import { look } from "../backoffice/look.ts";
import { covers } from "../core/hook.ts";
import { listHooks } from "../store/hook.ts";
import { listRepositories } from "../store/repository.ts";
import { displaced, isOwner, type OpenHome } from "./open.ts";
import { contextOf } from "./serve.ts";

/** Looks at the home's repositories if one of them has no after-receive hook yet. Starts no hook. */
export async function catchUp(home: OpenHome): Promise<void> {
  const heard = listHooks(home.db).filter(({ type }) => type === "after-receive");
  if (!listRepositories(home.db).every((row) => heard.some(({ scope }) => covers(scope, row)))) await lookNow(home);
}

/** Looks at the home's repositories: what moved until now becomes receipts. Starts no hook, and does nothing where this
 *  user may not or a backoffice is at work. */
export async function lookNow(home: OpenHome): Promise<void> {
  if (!isOwner(home.dir) || displaced(home) !== null) return;
  const ctx = contextOf(home, { functions: new Map(), bell: new Bell(), log: () => {}, progress: () => {} });
  const keeper = keepLease(ctx);
  if ("heldBy" in keeper) return;
  try {
    await look(ctx, keeper.token, "changed");
  } finally {
    keeper.release();
  }
}
