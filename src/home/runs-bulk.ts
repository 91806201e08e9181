/**
 * Many runs at once: all that failed, that are parked, or whose receipts were older than the window.
 *
 * Each call is one transaction, so that nothing is half done when the process dies. None of them does anything twice: a
 * run that was run again since is passed over for its replay, and a receipt that was left out is handed to a hook once.
 * Proven by test/e2e/runs-replay.test.ts.
 */
import { unmatched } from "../backoffice/cutter.ts";
import { runName } from "../backoffice/trial.ts";
import { covers, type Hook } from "../core/hook.ts";
import type { Instant } from "../core/units.ts";
import { write } from "../store/database.ts";
import { listHooks } from "../store/hook.ts";
import { rcvidOf, receiptById } from "../store/receipt.ts";
import { updatesOfReceipt } from "../store/ref.ts";
import { type RepositoryRow, repositoryById } from "../store/repository.ts";
import { addRun, type EventRun, type Run } from "../store/run.ts";
import { endedRuns, hooksOfBatch, type LeftOut, leftOutReceipts, type Which } from "../store/run-bulk.ts";
import { dropRun, releaseRun } from "../store/run-view.ts";
import { readSetting } from "../store/setting.ts";
import { type OpenHome, requireOwner, whoami } from "./open.ts";

export type { Which } from "../store/run-bulk.ts";
export type Kind = "failed" | "parked" | "left-out";

/** One run that is made, starts again or is given up. `name` is null where it would only be made; `of` says what it is
 *  about: "a-40, exit 22", "receipt 31". */
export type Changed = { name: string | null; of: string; hook: string; repository: string };

const STATES: Record<Exclude<Kind, "left-out">, readonly string[]> = {
  failed: ["failed", "parked"],
  parked: ["parked"],
};

/** Runs all of them once more, or with `dry` only says which. Throws GP_NOT_OWNER where this user may not. */
export function replayAll(home: OpenHome, kind: Kind, which: Which, dry: boolean): Changed[] {
  const work = (): Changed[] =>
    kind === "left-out"
      ? handOut(home, which, dry)
      : again(home, endedRuns(home.db, STATES[kind], { ...which, idle: false }), dry);
  if (dry) return work();
  requireOwner(home.dir);
  return write(home.db, work);
}

/** Gives up all that are parked, those of deleted hooks too, or with `dry` only says which. */
export function dropAll(home: OpenHome, which: Which, dry: boolean): Changed[] {
  const work = (): Changed[] =>
    endedRuns(home.db, STATES.parked, { ...which, idle: true }).map((run) => {
      if (!dry) dropRun(home.db, run.id, `dropped by ${whoami().user}`, Date.now() as Instant);
      return changed(home, run, runName(run));
    });
  if (dry) return work();
  requireOwner(home.dir);
  return write(home.db, work);
}

function changed(home: OpenHome, run: Run | EventRun, name: string | null): Changed {
  return {
    name,
    of: `${runName(run)}, ${run.reason ?? run.state}`,
    hook: run.hookName ?? String(run.hook),
    repository: repositoryById(home.db, run.repository)?.name ?? "?",
  };
}

const incarnationOf = (home: OpenHome): string => readSetting(home.db, "incarnation") ?? "a";

function again(home: OpenHome, runs: readonly (Run | EventRun)[], dry: boolean): Changed[] {
  const now = Date.now() as Instant;
  const incarnation = incarnationOf(home);
  return runs.map((run) => {
    if (run.state === "parked") {
      if (!dry) releaseRun(home.db, run.id, now);
      return changed(home, run, runName(run));
    }
    if (dry) return changed(home, run, null);
    const id = addRun(home.db, { ...run, incarnation, replayOf: run.id, reason: null, skipped: false, now });
    return changed(home, run, runName({ incarnation, id }));
  });
}

/** A run on the receipt alone, of its own batch, for each hook that got the rest of that batch; a hook that was asked
 *  for gets it though it came later. */
function handOut(home: OpenHome, which: Which, dry: boolean): Changed[] {
  const hooks = listHooks(home.db).filter(
    ({ id, type }) => type === "after-receive" && (which.hook === null || which.hook === id),
  );
  return leftOutReceipts(home.db, which).flatMap((left) => {
    const row = repositoryById(home.db, left.repository);
    if (row === null) return [];
    const runs = hooksOfBatch(home.db, left.batch);
    return hooks
      .filter(({ id, scope }) => covers(scope, row) && (which.hook !== null || runs.some(({ hook }) => hook === id)))
      .filter(({ id }) => !runs.some((run) => run.hook === id && run.receipt === left.receipt))
      .flatMap((hook) => handOutOne(home, row, left, hook, dry));
  });
}

function handOutOne(home: OpenHome, row: RepositoryRow, left: LeftOut, hook: Hook, dry: boolean): Changed[] {
  const receipt = receiptById(home.db, left.receipt);
  if (receipt === null) return [];
  const moved = updatesOfReceipt(home.db, left.receipt).filter(({ how }) => how !== "claimed");
  const refs = moved.map(({ ref }) => ref);
  const reason = row.kind === "git" && hook.refs !== null ? unmatched(hook.refs, refs) : null;
  const incarnation = incarnationOf(home);
  const about = { of: `receipt ${rcvidOf(receipt)}`, hook: hook.name ?? String(hook.id), repository: row.name };
  if (dry) return reason === null ? [{ name: null, ...about }] : [];
  const id = addRun(home.db, {
    ...{ incarnation, repository: row.id, hook: hook.id, hookName: hook.name, type: hook.type },
    ...{ sequence: hook.sequence, batch: left.batch, receipt: left.receipt, replayOf: null },
    ...{ reason, skipped: reason !== null, now: Date.now() as Instant },
  });
  return reason === null ? [{ name: runName({ incarnation, id }), ...about }] : [];
}
