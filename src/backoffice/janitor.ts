/**
 * The janitor deletes what retention no longer keeps: once an hour, at the end of a pass, in steps short enough that
 * nobody waits for the database because of it.
 */
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { settingMillis } from "../core/settings.ts";
import { HOUR, type Instant } from "../core/units.ts";
import { writeAsHolder } from "../store/lease.ts";
import { pruneBatches, pruneReceipts, pruneRuns, unfinishedRuns, usedBytes } from "../store/prune.ts";
import { putSetting, readSetting } from "../store/setting.ts";
import { removeAuxiliary } from "./auxiliary.ts";
import { type HomeContext, now } from "./context.ts";
import { runName } from "./trial.ts";

const STEP = 500;

/** Whether an hour has passed since the last time, or the clock was moved. */
export const isPruneDue = (ctx: HomeContext): boolean =>
  Math.abs(now() - Number(readSetting(ctx.db, "pruned.at") ?? 0)) >= HOUR;

/** Deletes what is past retention, if the last time was an hour ago or more. Never what is waiting or parked, nor the
 *  last runs of a repository. */
export function prune(ctx: HomeContext, token: number): void {
  if (!isPruneDue(ctx)) return;
  const before = (now() - settingMillis(ctx.settings, "retention-age")) as Instant;
  const keep = Number(ctx.settings["retention-runs"]);
  const step = (work: () => number): number => writeAsHolder(ctx.db, token, work);
  const whileFull = (work: () => number): void => {
    while (step(work) === STEP);
  };
  whileFull(() => pruneRuns(ctx.db, before, keep, STEP));
  const limit = Number(ctx.settings["retention-size"]) * 1024 * 1024;
  while (usedBytes(ctx.db) > limit && step(() => pruneRuns(ctx.db, null, keep, STEP)) > 0);
  whileFull(() => pruneBatches(ctx.db, before, STEP));
  whileFull(() => pruneReceipts(ctx.db, before, STEP));
  removeStaleAuxiliaries(ctx);
  writeAsHolder(ctx.db, token, () => putSetting(ctx.db, "pruned.at", String(now())));
}

/** What processes that were killed left: auxiliary files of runs that are over, and temporary files of gates. Of a gate it
 *  is not known whether it still runs, so a young file is let be. */
function removeStaleAuxiliaries(ctx: HomeContext): void {
  const open = new Set(unfinishedRuns(ctx.db).map((run) => `${runName(run)}.json`));
  for (const name of readdirSync(ctx.layout.auxiliary)) {
    const path = join(ctx.layout.auxiliary, name);
    if (/^[a-z]+-\d+\.json(\.pid(\.new)?)?$/.test(name) && !open.has(name.replace(/\.pid(\.new)?$/, "")))
      removeAuxiliary(path);
    else if (name.startsWith("gatepost-") && isOldFile(path)) rmSync(path, { force: true });
  }
}

function isOldFile(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && Date.now() - stat.mtimeMs > HOUR;
}
