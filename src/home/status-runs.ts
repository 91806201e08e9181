/** The runs of a home as `status` counts them. */
import { runName } from "../backoffice/trial.ts";
import { readPause } from "../core/pause.ts";
import { typed } from "../core/shell-word.ts";
import type { Instant, RepositoryId } from "../core/units.ts";
import { pausedHook } from "../store/pause.ts";
import type { RepositoryRow } from "../store/repository.ts";
import { openRunsByHook, parkedRunsByHook } from "../store/status.ts";
import type { OpenHome } from "./open.ts";

/** Something that waits: entries in the spool, receipts that are not cut, runs that are due. */
export type Wait = {
  what: "entries" | "receipts" | "runs";
  repository: string | null;
  count: number;
  since: Instant;
  why: string;
  paused: boolean;
};

/** `alarms`: monitoring should tell somebody. */
export type Trouble = { says: string; mend: string | null; alarms: boolean };

export type RunsNow = {
  /** `waiting`: for their time or their turn. */
  counts: { waiting: number; running: number; parked: number };
  /** Those that are due. */
  waits: Wait[];
  /** Those that are parked. */
  troubles: Trouble[];
};

/** Counts the runs of these repositories. */
export function runsNow(home: OpenHome, rows: readonly RepositoryRow[], now: Instant): RunsNow {
  const of = new Map<RepositoryId, RepositoryRow>(rows.map((row) => [row.id, row]));
  const counts = { waiting: 0, running: 0, parked: 0 };
  const waits: Wait[] = [];
  for (const { repository, hook, hookName, state, count, dueAt } of openRunsByHook(home.db)) {
    const row = of.get(repository);
    if (row === undefined) continue;
    counts[state] += count;
    if (state !== "waiting" || dueAt === null || dueAt > now) continue;
    const label = hookName ?? String(hook);
    const pause = readPause(row.paused) ?? readPause(pausedHook(home.db, hook));
    const why = pause === null ? `hook ${label} has not had its turn` : `hook ${label} is paused by ${pause.by}`;
    waits.push({ what: "runs", repository: row.name, count, since: dueAt, why, paused: pause !== null });
  }
  const troubles = parkedRunsByHook(home.db).flatMap(({ repository, hook, hookName, count, first, incarnation }) => {
    const row = of.get(repository);
    if (row === undefined) return [];
    counts.parked += count;
    const says = `${count} ${count === 1 ? "run" : "runs"} parked (${hookName ?? hook} on ${row.name})`;
    const name = runName({ incarnation, id: first });
    return [{ says, mend: `gatepost runs show ${name} --home ${typed(home.dir)}`, alarms: true }];
  });
  return { counts, waits, troubles };
}
