/**
 * Events: what on:NAME hooks are told of.
 *
 * An event is stored in the transaction of what causes it (a run is parked, a batch is cut, a shim is found missing), with
 * a run for each on:NAME hook that covers the repository. So an alarm can be lost no more than its cause, and it fires
 * once: the same cause is no second event while it lasts. A cause that can end (a shim that is back) is ended by whoever
 * sees it; a cause that happened once names its moment ("run a-40, attempt 9") and never comes again.
 *
 * The runs of events are run as all others are, with timeout and retries; one that is parked raises nothing: an alarm
 * about the alarm would ring for ever. What the hook gets is a JSON file (`%A`) with the facts; its stdin is empty.
 *
 * Proven by test/e2e/alarms.test.ts.
 */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { bySequence, covers, type Hook } from "../core/hook.ts";
import type { EventName } from "../core/hook-type.ts";
import { typed } from "../core/shell-word.ts";
import type { EventId, Instant } from "../core/units.ts";
import { addEvent, type StoredEvent } from "../store/event.ts";
import { listHooks } from "../store/hook.ts";
import type { RepositoryRow } from "../store/repository.ts";
import { addRun, type EventRun, type Run, type RunEnd } from "../store/run.ts";
import type { HomeContext } from "./context.ts";
import { runName } from "./trial.ts";

/** What happened, for people (`says`, one sentence's part) and for programs, and the command that mends it. */
export type Facts = { says: string; mend: string } & Record<string, unknown>;

type Raising = Pick<HomeContext, "db" | "incarnation">;

/** Stores an event and its runs; null, and nothing is changed, while one of the same cause lasts. To be called in the
 *  transaction of the cause. */
export function raise(
  { db, incarnation }: Raising,
  row: Pick<RepositoryRow, "id" | "name">,
  { name, cause, facts }: { name: EventName; cause: string; facts: Facts },
  at: Instant,
): EventId | null {
  const event = addEvent(db, { repository: row.id, name, cause, at, facts: JSON.stringify(facts) });
  if (event === null) return null;
  const type = `on:${name}`;
  const hooks = listHooks(db).filter((hook) => hook.type === type && covers(hook.scope, row));
  for (const hook of hooks.sort(bySequence)) {
    const { id, sequence } = hook;
    const of = { incarnation, repository: row.id, hook: id, hookName: hook.name, type, sequence, batch: null, event };
    addRun(db, { ...of, receipt: null, replayOf: null, skipped: false, reason: null, now: at });
  }
  return event;
}

/** Raises on:parked where a run on a batch has just been parked. */
export function raiseParked(
  ctx: Raising & Pick<HomeContext, "layout">,
  row: Pick<RepositoryRow, "id" | "name">,
  run: Run | EventRun,
  attempt: number,
  { state, reason }: RunEnd,
  at: Instant,
): void {
  if (state !== "parked" || run.event !== null) return;
  const name = runName(run);
  const facts = {
    says: `run ${name} is parked: ${reason}`,
    mend: `gatepost runs replay ${name} --home ${typed(ctx.layout.home)}`,
    parked: {
      run: name,
      attempts: attempt,
      reason,
      batch: run.batch,
      hook: { id: run.hook, name: run.hookName, type: run.type },
    },
  };
  raise(ctx, row, { name: "parked", cause: `run ${name}, attempt ${attempt}`, facts }, at);
}

/** Writes the auxiliary file of an event's run: one JSON object, run and attempt on its first line. */
export function writeEventFile(
  path: string,
  about: { run: string; attempt: number; hook: Hook; row: RepositoryRow; home: string },
  event: StoredEvent,
): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  rmSync(path, { force: true });
  const { hook, row } = about;
  const rest = {
    hook: { id: hook.id, name: hook.name, type: hook.type },
    repository: { name: row.name, path: row.path, kind: row.kind },
    home: about.home,
    event: { id: event.id, name: event.name, cause: event.cause, at: new Date(event.at) },
    ...(JSON.parse(event.facts) as Facts),
  };
  const file = openSync(path, "wx", 0o600);
  try {
    writeSync(file, `{"run": ${JSON.stringify(about.run)}, "attempt": ${about.attempt},\n`);
    writeSync(file, `${JSON.stringify(rest, null, 1).slice(2, -2)}\n}\n`);
  } finally {
    closeSync(file);
  }
}
