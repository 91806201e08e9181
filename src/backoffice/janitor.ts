/**
 * The janitor deletes what retention no longer keeps: once an hour, at the end of a pass, in steps short enough that
 * nobody waits for the database because of it.
 */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { settingMillis } from "../core/settings.ts";
import { DAY, HOUR, type Instant } from "../core/units.ts";
import { longLog } from "../store/check.ts";
import { writeAsHolder } from "../store/lease.ts";
import { pruneBatches, pruneEvents, pruneReceipts, pruneRuns, unfinishedRuns, usedBytes } from "../store/prune.ts";
import { dropSetting, putSetting, readSetting } from "../store/setting.ts";
import { type HomeContext, now } from "./context.ts";
import { isStaleAuxiliary } from "./stale-auxiliary.ts";

const STEP = 500;

/** Whether an hour has passed since the last time, or the clock was moved. */
export const isPruneDue = (ctx: HomeContext): boolean =>
  Math.abs(now() - Number(readSetting(ctx.db, "pruned.at") ?? 0)) >= HOUR;

/** Deletes what is past retention, if the last time was an hour ago or more. Never what is waiting or parked, nor the
 *  last runs of a repository. */
export function prune(ctx: HomeContext, token: number): void {
  if (!isPruneDue(ctx)) return;
  const noted = (): void => writeAsHolder(ctx.db, token, () => putSetting(ctx.db, "pruned.at", String(now())));
  if (isClockInDoubt(ctx, token)) {
    noted();
    return;
  }
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
  whileFull(() => pruneEvents(ctx.db, before, STEP));
  removeStaleAuxiliaries(ctx);
  const long = longLog(ctx.db);
  if (long !== null) ctx.log("error", `${long} See who: fuser -v ${ctx.db.path}`);
  noted();
}

/** A clock that leapt ahead makes nothing old: where the last time seems a month ago, history is kept for another day,
 *  in which somebody may put the clock right. */
function isClockInDoubt(ctx: HomeContext, token: number): boolean {
  const doubted = readSetting(ctx.db, "pruned.doubt");
  const since = now() - Number(doubted ?? readSetting(ctx.db, "pruned.at") ?? now());
  const leapt = since >= (doubted === null ? 30 * DAY : 365 * DAY);
  const over = doubted !== null && !leapt && (since < 0 || since >= DAY);
  writeAsHolder(ctx.db, token, () => {
    if (leapt) putSetting(ctx.db, "pruned.doubt", String(now()));
    if (over) dropSetting(ctx.db, "pruned.doubt");
  });
  return leapt || (doubted !== null && !over);
}

/** What processes that were killed left: auxiliary files of runs that are over, and temporary files of gates. */
function removeStaleAuxiliaries(ctx: HomeContext): void {
  const isStale = isStaleAuxiliary(unfinishedRuns(ctx.db));
  for (const name of readdirSync(ctx.layout.auxiliary)) {
    const path = join(ctx.layout.auxiliary, name);
    if (isStale(path)) rmSync(path, { force: true });
  }
}
