/** Runs as people see them: what ran, on what, how it ended; and running one again. */
import { readFileSync, statSync } from "node:fs";
import { storeGateLog, storeGateRecords } from "../backoffice/gate-records.ts";
import { watcherOf } from "../backoffice/presence.ts";
import { holderOf } from "../backoffice/queue.ts";
import { runName } from "../backoffice/trial.ts";
import { GatepostError, isSystemError } from "../core/errors.ts";
import type { Instant, Millis, RepositoryId, RunId } from "../core/units.ts";
import { readGates, setAside } from "../spool/drain.ts";
import { type Batch, batchById } from "../store/batch.ts";
import { write } from "../store/database.ts";
import { eventById } from "../store/event.ts";
import { gateById, updatesOfGate } from "../store/gate.ts";
import { rcvidOf, receiptsBetween } from "../store/receipt.ts";
import { updatesOfReceipt } from "../store/ref.ts";
import { repositoryById } from "../store/repository.ts";
import { addRun, type EventRun, type GateRun, type Run, type RunState, runById } from "../store/run.ts";
import {
  type Attempt,
  attemptsOf,
  dropRun,
  findRuns,
  lastAttemptOf,
  type RunFilter,
  releaseRun,
} from "../store/run-view.ts";
import { readSetting } from "../store/setting.ts";
import { displaced, type OpenHome, requireOwner, whoami } from "./open.ts";
import { type Arrival, type JudgedGate, summaryOfArrivals, summaryOfGate } from "./what.ts";

export type RunLine = {
  run: Run | GateRun | EventRun;
  name: string;
  repository: string;
  hook: string;
  /** "main 41ff2a7..9d02c11 by bob, 2 receipts", "commit on main by alice". */
  what: string;
  /** The gate it ran in; null for a run on a batch. */
  gate: JudgedGate | null;
  /** Of the last attempt; null when there was none or it is still going on. */
  took: number | null;
  startedAt: Instant | null;
  /** What a waiting run of a hook with --in-order waits for: an earlier run. Null where it waits for its time alone. */
  heldBy: { name: string; state: RunState } | null;
};

/** A run as it was asked for: its number, and the word that was typed. */
export type Asked = { id: RunId; word: string };

export type { RunFilter } from "../store/run-view.ts";

/** The newest runs that match, newest first. Gate records that wait are stored before. */
export function listRuns(home: OpenHome, filter: RunFilter): RunLine[] {
  takeInGates(home);
  return findRuns(home.db, filter).map((run) => lineOf(home, run));
}

/** Whether there is any run, in the repository or in the home. */
export const isAnyRun = (home: OpenHome, repository: RepositoryId | null): boolean =>
  findRuns(home.db, { repository, hook: null, states: null, since: null, after: null, limit: 1 }).length > 0;

/** A list can do without the newest gates for once, but must not keep anybody waiting. */
const PATIENCE = 500 as Millis;

/**
 * Stores what gates left in the spool: a commit that was refused starts no backoffice, and whoever asks right after it
 * shall see it. Nothing happens where this user does not own the home, the home was copied or moved, or the database
 * cannot be written just now: the records wait for the next one who can.
 */
export function takeInGates(home: OpenHome): void {
  try {
    const uid = statSync(home.dir).uid;
    if (uid !== process.geteuid?.() || displaced(home) !== null) return;
    const { gates, unusable } = readGates(home.layout.spool, Date.now());
    const incarnation = readSetting(home.db, "incarnation") ?? "a";
    const own = { ...home, uid, incarnation };
    const strangers = [...storeGateRecords(own, gates, PATIENCE), ...storeGateLog(own, PATIENCE)];
    for (const entry of [...unusable, ...strangers]) setAside(home.layout.spool, entry);
  } catch (error) {
    const passes = error instanceof GatepostError && /^GP_(BUSY|DENIED|FULL)$/.test(error.code);
    if (!passes && !isSystemError(error)) throw error;
  }
}

function lineOf(home: OpenHome, run: Run | GateRun | EventRun): RunLine {
  const last = lastAttemptOf(home.db, run.id);
  const common = {
    run,
    name: runName(run),
    repository: repositoryById(home.db, run.repository)?.name ?? "?",
    hook: run.hookName ?? String(run.hook),
    took: last?.took ?? null,
    startedAt: last?.startedAt ?? null,
  };
  if (run.gate !== null) {
    const gate = gateOf(home, run);
    return { ...common, heldBy: null, gate, what: gate === null ? "?" : summaryOfGate(gate) };
  }
  if (run.event !== null)
    return { ...common, heldBy: holderOf(home.db, run), gate: null, what: eventOf(home, run)?.says ?? "?" };
  const batch = batchById(home.db, run.batch);
  const what = batch === null ? "?" : summaryOfArrivals(arrivals(home, run, batch));
  return { ...common, heldBy: holderOf(home.db, run), gate: null, what };
}

function gateOf(home: OpenHome, run: GateRun): JudgedGate | null {
  const gate = gateById(home.db, run.gate);
  return gate === null ? null : { ...gate, updates: updatesOfGate(home.db, gate.id) };
}

/** What a run for an event is about; null for others, and where its event was pruned. */
export function eventOf(home: OpenHome, run: Run | GateRun | EventRun): { name: string; says: string } | null {
  const event = run.event === null ? null : eventById(home.db, run.event);
  return event === null ? null : { name: event.name, says: String(JSON.parse(event.facts).says) };
}

export { rcvidOf };

/** What a run hands out; of a batch of very many receipts only the first hundred, which is enough to describe it. */
function arrivals(home: OpenHome, run: Run, batch: Batch): Arrival[] {
  const [base, upto] = run.receipt === null ? [batch.base, batch.upto] : [run.receipt - 1, run.receipt];
  return receiptsBetween(home.db, run.repository, base, upto)
    .filter(({ leftOut }) => !leftOut || run.receipt !== null)
    .slice(0, 100)
    .map((receipt) => ({ ...receipt, updates: updatesOfReceipt(home.db, receipt.id) }));
}

export type RunDetail = RunLine & { batch: Batch | null; receipts: Arrival[]; attempts: Attempt[] };

/** Everything about one run; of a gate's, batch and receipts are empty. Gate records that wait are stored before. */
export function showRun(home: OpenHome, asked: Asked): RunDetail {
  takeInGates(home);
  const run = requireRun(home, asked);
  const batch = run.batch === null ? null : batchById(home.db, run.batch);
  const receipts = run.batch === null || batch === null ? [] : arrivals(home, run, batch);
  return { ...lineOf(home, run), batch, receipts, attempts: attemptsOf(home.db, run.id) };
}

/** After a restore a number may have been another run's, of which only the name is left in logs. */
function requireRun(home: OpenHome, { id, word }: Asked): Run | GateRun | EventRun {
  const run = runById(home.db, id);
  if (run !== null && (word === String(id) || word === runName(run))) return run;
  throw new GatepostError("GP_NO_RUN", `There is no run ${word}.`, {
    hint: run === null ? "The latest runs: gatepost runs" : `Number ${id} is run ${runName(run)}.`,
  });
}

/** The run, if it is one that the backoffice can run again or give up. */
function requireBatchRun(home: OpenHome, asked: Asked): Run | EventRun {
  const run = requireRun(home, asked);
  if (run.gate === null) return run;
  throw new GatepostError(
    "GP_USAGE",
    `Run ${runName(run)} is of a gate: its hook ran while somebody committed or pushed, and cannot run again.`,
    {
      hint:
        run.hook <= 0
          ? "The gate runs anew at the next commit or push."
          : `To try the hook: gatepost hook test ${run.hookName ?? run.hook}`,
    },
  );
}

/** Runs all of these once more, or none; see `replayRun`. */
export const replayRuns = (home: OpenHome, asked: readonly Asked[]): string[] =>
  write(home.db, () => asked.map((one) => replayRun(home, one)));

/** Lets all of these try again, or none; see `freeRun`. */
export const freeRuns = (home: OpenHome, asked: readonly Asked[]): string[] =>
  write(home.db, () => asked.map((one) => freeRun(home, one)));

/** Gives up all of these, or none. */
export const giveUpRuns = (home: OpenHome, asked: readonly Asked[]): void =>
  write(home.db, () => {
    for (const one of asked) giveUpRun(home, one);
  });

/** Runs it once more. One that waits or is parked starts now, under its own id; of one that is over, a new run is made
 *  on the same batch. Returns the name of the run that will start. Throws GP_USAGE for the run of a gate. */
export function replayRun(home: OpenHome, asked: Asked): string {
  requireOwner(home.dir);
  return write(home.db, () => {
    const run = requireBatchRun(home, asked);
    const now = Date.now() as Instant;
    if (run.state === "running") throw busy(run);
    if (releaseRun(home.db, run.id, now)) return runName(run);
    // The new one is of today's incarnation: with the old one it could have the name of a run that a restore undid.
    const incarnation = readSetting(home.db, "incarnation") ?? "a";
    const id = addRun(home.db, { ...run, incarnation, replayOf: run.id, reason: null, skipped: false, now });
    return runName({ incarnation, id });
  });
}

/** Lets a parked run try again, now and with all its retries, under its own id, which is returned. Throws GP_USAGE for
 *  any other, with the call that fits. */
function freeRun(home: OpenHome, asked: Asked): string {
  requireOwner(home.dir);
  return write(home.db, () => {
    const run = requireBatchRun(home, asked);
    const name = runName(run);
    if (run.state === "running") throw busy(run);
    if (run.state === "parked" && releaseRun(home.db, run.id, Date.now() as Instant)) return name;
    const is = run.state === "waiting" ? "waits, and is not parked" : `is ${run.state}, not parked`;
    throw new GatepostError("GP_USAGE", `Run ${name} ${is}. Nothing was changed.`, {
      hint: `${run.state === "waiting" ? "To start it now" : "To run it once more"}: gatepost runs replay ${name}`,
    });
  });
}

/** Gives up a run that waits or is parked. */
function giveUpRun(home: OpenHome, asked: Asked): void {
  requireOwner(home.dir);
  write(home.db, () => {
    const run = requireBatchRun(home, asked);
    if (run.state === "running") throw busy(run);
    if (dropRun(home.db, run.id, `dropped by ${whoami().user}`, Date.now() as Instant)) return;
    throw new GatepostError("GP_USAGE", `Run ${runName(run)} is ${run.state}; there is nothing to give up.`);
  });
}

const busy = (run: Run | EventRun): GatepostError =>
  new GatepostError("GP_BUSY", `Run ${runName(run)} is running. Nothing was changed.`, {
    hint: "Try again when it has ended.",
  });

/** What keeps receipts from being handed out, in a sentence with its remedy; null when all is well. */
export function impediment(home: OpenHome): string | null {
  if (watcherOf(home.layout) !== null) return null;
  const waiting = readGates(home.layout.spool, Date.now()).others; // gate records wait for nobody
  const failed = startFailure(home);
  if (failed !== null) return `The last backoffice that a push started could not work: ${failed}`;
  if (waiting === 0) return null;
  return `${waiting === 1 ? "One receipt waits" : `${waiting} receipts wait`} in the spool and no backoffice is running: gatepost backoffice --home ${home.dir}`;
}

/** Why the last backoffice that a shim started could not work; null where it could. */
export function startFailure({ layout }: OpenHome): string | null {
  try {
    return readFileSync(layout.failed, "utf8").trim();
  } catch {
    return null;
  }
}
