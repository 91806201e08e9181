/** Why an after-receive hook may wait longer than one thinks. */
import { watcherOf } from "../backoffice/presence.ts";
import { covers, type Hook } from "../core/hook.ts";
import { listRepositories } from "../store/repository.ts";
import type { OpenHome } from "./open.ts";

/** A sentence where the hook covers a Fossil repository and no daemon is alive: no shim can start a backoffice there, as a
 *  push does in a Git repository. None otherwise. */
export function arrivalWarnings(home: OpenHome, { type, scope }: Pick<Hook, "type" | "scope">): string[] {
  if (type !== "after-receive" || watcherOf(home.layout) !== null) return [];
  const row = listRepositories(home.db).find((one) => one.kind === "fossil" && covers(scope, one));
  if (row === undefined) return [];
  return [
    `nothing starts by itself when ${row.name} receives something. Keep a daemon running (gatepost serve), or have cron call gatepost backoffice.`,
  ];
}
