/** Runs as people see them: what ran, on what, how it ended; and running one again. */
import { readFileSync } from "node:fs";
import { watcherOf } from "../backoffice/presence.ts";
import { runName } from "../backoffice/trial.ts";
import { type ByteString, displayText, fromText } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import type { Instant, RunId } from "../core/units.ts";
import { entryNames } from "../spool/drain.ts";
import { type Batch, batchById } from "../store/batch.ts";
import { write } from "../store/database.ts";
import { type Receipt, receiptsBetween } from "../store/receipt.ts";
import { type RefUpdate, updatesOfReceipt } from "../store/ref.ts";
import { repositoryById } from "../store/repository.ts";
import { addRun, type Run, runById } from "../store/run.ts";
import {
  type Attempt,
  attemptsOf,
  dropRun,
  findRuns,
  lastAttemptOf,
  type RunFilter,
  releaseRun,
} from "../store/run-view.ts";
import { type OpenHome, requireOwner, whoami } from "./open.ts";

export type RunLine = {
  run: Run;
  name: string;
  repository: string;
  hook: string;
  /** "main 41ff2a7..9d02c11 by bob, 2 pushes". */
  what: string;
  /** Of the last attempt; null when there was none or it is still going on. */
  took: number | null;
  startedAt: Instant | null;
};

export type { RunFilter } from "../store/run-view.ts";

/** The newest runs that match, newest first. */
export const listRuns = (home: OpenHome, filter: RunFilter): RunLine[] =>
  findRuns(home.db, filter).map((run) => lineOf(home, run));

function lineOf(home: OpenHome, run: Run): RunLine {
  const last = lastAttemptOf(home.db, run.id);
  const batch = batchById(home.db, run.batch);
  return {
    run,
    name: runName(run),
    repository: repositoryById(home.db, run.repository)?.name ?? "?",
    hook: run.hookName ?? String(run.hook),
    what: batch === null ? "?" : summary(arrivals(home, run, batch)),
    took: last?.took ?? null,
    startedAt: last?.startedAt ?? null,
  };
}

type Arrival = Receipt & { updates: RefUpdate[] };

/** What a run hands out; of a batch of very many receipts only the first hundred, which is enough to describe it. */
function arrivals(home: OpenHome, run: Run, batch: Batch): Arrival[] {
  const [base, upto] = run.receipt === null ? [batch.base, batch.upto] : [run.receipt - 1, run.receipt];
  return receiptsBetween(home.db, run.repository, base, upto)
    .filter(({ leftOut }) => !leftOut)
    .slice(0, 100)
    .map((receipt) => ({ ...receipt, updates: updatesOfReceipt(home.db, receipt.id) }));
}

const short = (value: string): string => (/^0+$/.test(value) ? "new" : value.slice(0, 7));
const shortRef = (ref: ByteString): string => displayText(ref.replace(/^refs\/(heads|tags)\//, "") as ByteString);

function summary(receipts: readonly Arrival[]): string {
  const moves = receipts.flatMap(({ updates }) => updates).filter(({ how }) => how !== "claimed");
  const refs = [...new Set(moves.map(({ ref }) => ref))];
  const [first] = moves;
  const last = moves.at(-1);
  const users = [...new Set(receipts.map(({ user }) => user ?? fromText("?")))].map(displayText);
  const by = users.every((user) => user === "?")
    ? ""
    : ` by ${users.slice(0, 3).join(", ")}${users.length > 3 ? ", …" : ""}`;
  const count = receipts.length === 1 ? "" : `, ${receipts.length} receipts`;
  if (first === undefined || last === undefined) return `nothing new${by}${count}`;
  if (refs.length > 1) return `${refs.length} refs${by}${count}`;
  const change = /^0+$/.test(last.new)
    ? "deleted"
    : /^0+$/.test(first.old)
      ? short(last.new)
      : `${short(first.old)}..${short(last.new)}`;
  return `${shortRef(first.ref)} ${change}${by}${count}`;
}

export type RunDetail = RunLine & { batch: Batch | null; receipts: Arrival[]; attempts: Attempt[] };

/** Everything about one run. */
export function showRun(home: OpenHome, id: RunId): RunDetail {
  const run = requireRun(home, id);
  const batch = batchById(home.db, run.batch);
  const receipts = batch === null ? [] : arrivals(home, run, batch);
  return { ...lineOf(home, run), batch, receipts, attempts: attemptsOf(home.db, id) };
}

function requireRun(home: OpenHome, id: RunId): Run {
  const run = runById(home.db, id);
  if (run === null)
    throw new GatepostError("GP_NO_RUN", `There is no run ${id}.`, { hint: "The latest runs: gatepost runs" });
  return run;
}

/** Runs all of these once more, or none; see `replayRun`. */
export const replayRuns = (home: OpenHome, ids: readonly RunId[]): string[] =>
  write(home.db, () => ids.map((id) => replayRun(home, id)));

/** Gives up all of these, or none. */
export const giveUpRuns = (home: OpenHome, ids: readonly RunId[]): void =>
  write(home.db, () => {
    for (const id of ids) giveUpRun(home, id);
  });

/** Runs it once more. One that waits or is parked starts now, under its own id; of one that is over, a new run is made
 *  on the same batch. Returns the name of the run that will start. */
export function replayRun(home: OpenHome, id: RunId): string {
  requireOwner(home.dir);
  return write(home.db, () => {
    const run = requireRun(home, id);
    const now = Date.now() as Instant;
    if (run.state === "running") throw busy(run);
    if (releaseRun(home.db, id, now)) return runName(run);
    const again = addRun(home.db, { ...run, replayOf: id, reason: null, skipped: false, now });
    return runName({ incarnation: run.incarnation, id: again });
  });
}

/** Gives up a run that waits or is parked. */
function giveUpRun(home: OpenHome, id: RunId): void {
  requireOwner(home.dir);
  write(home.db, () => {
    const run = requireRun(home, id);
    if (run.state === "running") throw busy(run);
    if (dropRun(home.db, id, `dropped by ${whoami().user}`, Date.now() as Instant)) return;
    throw new GatepostError("GP_USAGE", `Run ${runName(run)} is ${run.state}; there is nothing to give up.`);
  });
}

const busy = (run: Run): GatepostError =>
  new GatepostError("GP_BUSY", `Run ${runName(run)} is running. Nothing was changed.`, {
    hint: "Try again when it has ended.",
  });

/** What keeps receipts from being handed out, in a sentence with its remedy; null when all is well. */
export function impediment(home: OpenHome): string | null {
  if (watcherOf(home.layout) !== null) return null;
  const waiting = entryNames(home.layout.spool).length;
  const failed = readFailure(home.layout.failed);
  if (failed !== null) return `The last backoffice that a push started could not work: ${failed}`;
  if (waiting === 0) return null;
  return `${waiting} receipts wait in the spool and no backoffice is running: gatepost backoffice --home ${home.dir}`;
}

function readFailure(file: string): string | null {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return null;
  }
}
