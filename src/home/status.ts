/**
 * How a home is: what it serves, what waits and since when, and each trouble with the command that mends it.
 *
 * Asked by people on a bad night and by monitoring every minute, so it is quick: counts from indexes, stats of folders and
 * of the spool; no repository is read and no program started, however many there are. A trouble that `alarms` is one that
 * somebody should be woken for (`status --check`): a parked run, something that waits for longer than is said, a shim that
 * is missing, a backoffice that could not start. What a pause holds back waits too, and is named as paused.
 *
 * Proven by test/e2e/status.test.ts.
 */
import { existsSync, lstatSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterReceiveHooks } from "../backoffice/cutter.ts";
import { watcherOf } from "../backoffice/presence.ts";
import { mayMissShims } from "../backoffice/shims.ts";
import { embargoUntil } from "../core/cut.ts";
import { GatepostError } from "../core/errors.ts";
import { readPause } from "../core/pause.ts";
import { typed } from "../core/shell-word.ts";
import { DAY, type Instant, type Millis } from "../core/units.ts";
import { namesIn, textOf } from "../shim/look-in.ts";
import { entryNames, readGates } from "../spool/drain.ts";
import { databaseFiles } from "../store/database.ts";
import { lastingEvents } from "../store/event.ts";
import { listHooks } from "../store/hook.ts";
import { repositoriesWithReceipts, waitingReceipts } from "../store/receipt.ts";
import { hooksFolders, listRepositories, type RepositoryRow } from "../store/repository.ts";
import { lastFullLook } from "../store/setting.ts";
import { failedSince } from "../store/status.ts";
import { isLeft } from "./fossil-gates.ts";
import { displaced, isOwner, type OpenHome } from "./open.ts";
import { type Pauses, pausesOf } from "./pause.ts";
import { type RunsNow, runsNow, type Trouble, type Wait } from "./status-runs.ts";
import { missingShims } from "./vanished.ts";

export type Status = {
  home: string;
  backoffice: { pid: number; since: Instant | null } | null;
  /** Whether pushes start a backoffice where none is alive. */
  automatic: boolean;
  lastLook: Instant | null;
  lastFullLook: Instant | null;
  /** `takenOut`: by uninstall, which keeps hooks and history; nothing runs there. */
  repositories: { count: number; unreachable: { name: string; reason: string }[]; takenOut: string[] };
  hooks: number;
  paused: Pauses;
  waits: Wait[];
  runs: RunsNow["counts"] & { failedLastDay: number };
  databaseBytes: number;
  missing: { repository: string; hook: string; folder: string }[];
  troubles: Trouble[];
};

/** The state of a home, or of one repository of it. `maxWait`: what waits for longer is a trouble. */
export async function statusOf(home: OpenHome, repository: RepositoryRow | null, maxWait: Millis): Promise<Status> {
  const now = Date.now() as Instant;
  const rows = repository === null ? listRepositories(home.db) : [repository];
  const backoffice = backofficeOf(home);
  const hooks = listHooks(home.db);
  const runs = runsNow(home, rows, now);
  const waits = [
    ...spoolWaits(home, backoffice !== null),
    ...receiptWaits(home, rows, backoffice !== null, now),
    ...runs.waits,
  ];
  const missing = await missingOf(home, rows, now);
  const unreachable = rows.flatMap(({ name, parked }) => (parked === null ? [] : [{ name, reason: parked }]));
  const takenOut = rows.filter(isTakenOut);
  const looks = rows.map(({ lookedAt }) => lookedAt).filter((at) => at > 0);
  const full = lastFullLook(home.db);
  const alarmsOfWaits = waits
    .filter(({ since }) => now - since > maxWait)
    .map((wait) => ({ says: inWords(wait), mend: mendOf(home, wait), alarms: true }));
  const failure = backoffice === null ? startTrouble(home) : null;
  const moved = displaced(home);
  return {
    home: home.dir,
    backoffice,
    automatic: !existsSync(home.layout.manual),
    lastLook: looks.length === 0 ? null : (looks.reduce((a, b) => (b > a ? b : a)) as Instant),
    lastFullLook: full === 0 ? null : (full as Instant),
    repositories: { count: rows.length, unreachable, takenOut: takenOut.map(({ name }) => name) },
    hooks: hooks.length,
    paused: pausesOf(home, repository),
    waits,
    runs: { ...runs.counts, failedLastDay: failedSince(home.db, (now - DAY) as Instant, repository?.id ?? null) },
    databaseBytes: databaseFiles(home.layout.database).reduce((sum, file) => sum + sizeOf(file), 0),
    missing,
    troubles: [
      ...(moved === null
        ? []
        : [
            {
              says: `the home was copied or moved: ${moved}; its hooks do not run`,
              mend: `gatepost doctor --home ${typed(home.dir)}`,
              alarms: true,
            },
          ]),
      ...runs.troubles,
      ...alarmsOfWaits,
      ...missing.map(({ repository: name, hook, folder }) => ({
        says: `the shim ${hook} of ${name} is missing from ${folder}`,
        mend: `gatepost doctor --fix --home ${typed(home.dir)}`,
        alarms: true,
      })),
      ...(failure === null ? [] : [failure]),
      ...unreachable.map(({ name, reason }) => ({
        says: `${name} cannot be looked at: ${reason}`,
        mend: `gatepost doctor --home ${typed(home.dir)}`,
        alarms: false,
      })),
      ...takenOut.map(({ name, path, workTree }) => ({
        says: `${name} was taken out: no hook runs there by itself`,
        mend: `gatepost init ${typed(workTree ?? path)}`,
        alarms: false,
      })),
      ...asideTroubles(home),
    ],
  };
}

const isTakenOut = (row: RepositoryRow): boolean =>
  row.kind === "git" ? row.folders !== null && hooksFolders(row).every(({ use }) => use === "left") : isLeft(row);

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

function backofficeOf({ layout }: OpenHome): Status["backoffice"] {
  const watcher = watcherOf(layout);
  if (watcher === null) return null;
  const at = statSync(layout.daemonPid, { throwIfNoEntry: false })?.mtimeMs;
  return { pid: watcher.pid, since: at === undefined ? null : (Math.floor(at) as Instant) };
}

/** What keeps the backoffice that pushes start from working. */
function startTrouble({ dir, layout }: OpenHome): Trouble | null {
  const text = textOf(layout.failed, "utf8")?.trim();
  if (text === undefined || text === "") return null;
  const says = `the last backoffice that a push started could not work: ${text.replaceAll("\n", " ")}`;
  return { says, mend: `gatepost backoffice --home ${typed(dir)}`, alarms: true };
}

function asideTroubles({ layout: { bad } }: OpenHome): Trouble[] {
  const count = namesIn(bad).filter((name) => !name.endsWith(".reason")).length;
  if (count === 0) return [];
  const says = `${count} ${count === 1 ? "entry" : "entries"} of the spool could not be used`;
  return [{ says, mend: `Read the reasons in ${typed(bad)}, then delete them.`, alarms: false }];
}

/** Entries of the spool are of any repository; gate records wait for nobody. */
function spoolWaits({ layout: { spool } }: OpenHome, alive: boolean): Wait[] {
  let count: number;
  let since = Number.POSITIVE_INFINITY;
  try {
    count = readGates(spool, Date.now()).others;
    if (count === 0) return [];
    for (const name of entryNames(spool))
      since = Math.min(since, lstatSync(join(spool, name), { throwIfNoEntry: false })?.mtimeMs ?? since);
  } catch {
    return []; // a spool that this user may only write to
  }
  if (!Number.isFinite(since)) return [];
  const why = alive ? "the backoffice has not come to them" : "no backoffice is running";
  return [{ what: "entries", repository: null, count, since: Math.floor(since) as Instant, why, paused: false }];
}

function receiptWaits(home: OpenHome, rows: readonly RepositoryRow[], alive: boolean, now: Instant): Wait[] {
  const waiting = new Set(repositoriesWithReceipts(home.db));
  const hooks = listHooks(home.db);
  return rows.flatMap((row) => {
    if (!waiting.has(row.id) || afterReceiveHooks(hooks, row).length === 0) return [];
    const receipts = waitingReceipts(home.db, row.id, row.cursor);
    const since = receipts.reduce((oldest, { at }) => (at < oldest ? at : oldest), now);
    const until = embargoUntil(receipts, row.embargo, now);
    const pause = readPause(row.paused);
    const why =
      pause !== null
        ? `paused by ${pause.by}`
        : until !== null
          ? `more is to come, until ${new Date(until).toISOString().slice(11, 19)} UTC at the latest`
          : alive
            ? "the backoffice has not come to them"
            : "no backoffice is running";
    return [{ what: "receipts", repository: row.name, count: receipts.length, since, why, paused: pause !== null }];
  });
}

/** "3 receipts of app.git wait: no backoffice is running". */
export const inWords = ({ what, repository, count, why }: Wait): string => {
  const one = what === "entries" ? "entry of the spool" : what.slice(0, -1);
  const many = what === "entries" ? "entries of the spool" : what;
  const of = repository === null ? "" : ` of ${repository}`;
  return `${count} ${count === 1 ? `${one}${of} waits` : `${many}${of} wait`}: ${why}`;
};

const mendOf = (home: OpenHome, { paused, repository }: Wait): string =>
  paused && repository !== null
    ? `gatepost resume -R ${typed(repository)} --home ${typed(home.dir)}`
    : `gatepost backoffice --home ${typed(home.dir)}`;

/** Shims that a pass could not put back, and those that have vanished since. */
async function missingOf(home: OpenHome, rows: readonly RepositoryRow[], now: number): Promise<Status["missing"]> {
  const found = new Map<string, Status["missing"][number]>();
  const add = (name: string, hook: string, folder: string): void =>
    void found.set(`${hook} in ${folder}`, { repository: name, hook, folder });
  for (const { id, name } of rows)
    for (const { facts } of lastingEvents(home.db, id, "gate-missing")) {
      const { missing } = JSON.parse(facts) as { missing: { hook: string; folder: string } };
      add(name, missing.hook, missing.folder);
    }
  const moved = new Map(rows.filter((row) => mayMissShims(row, now)).map(({ id, name }) => [id, name]));
  if (moved.size === 0 || !isOwner(home.dir)) return [...found.values()];
  try {
    for (const { repository, hook, folder } of await missingShims(home, new Set(moved.keys()), { asksGit: false }))
      add(moved.get(repository) ?? rows[0]?.name ?? "?", hook, folder);
  } catch (error) {
    // Nobody waits for this: it is asked under the write lock, which a pass may have.
    if (!(error instanceof GatepostError) || !/^GP_(BUSY|DENIED|FULL)$/.test(error.code)) throw error;
  }
  return [...found.values()];
}
