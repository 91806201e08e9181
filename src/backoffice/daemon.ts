/**
 * Serving a home: passes, and sleeping between them.
 *
 * Three things wake it. The spool, or the file of a Fossil repository: a shim writes an entry, fossil a receipt, the
 * kernel tells (inotify), and a pass begins within milliseconds and looks only at those repositories. The poll, every few
 * seconds: what no shim tells of is seen by the refs' fingerprints, a handful of stats per repository and nothing else.
 * And every `min` seconds everything is read, whatever fingerprints say. What is due at a known time (a retry, the end of
 * an embargo) wakes it then. A command that changed something (a hook was enabled, a run is to be replayed) rings by a
 * file in the spool; a reload wishes, and rings the bell: either has the home opened anew before the next pass, and
 * disturbs none that is going on.
 *
 * An idle home costs no lease and, after a minute, no open database. An error of one home (disk full, database locked)
 * is logged and tried again later; it ends neither this loop nor that of another home.
 */
import { existsSync, lstatSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inOneLine, knownError } from "../core/errors.ts";
import type { Layout } from "../core/layout.ts";
import type { Millis, RepositoryId } from "../core/units.ts";
import { mayHaveEntries } from "../spool/drain.ts";
import { isGateLogDue } from "../spool/gate-log.ts";
import { closeDatabase, requireInPlace } from "../store/database.ts";
import { listRepositories, type RepositoryRow, repositoryById } from "../store/repository.ts";
import { lastFullLook } from "../store/setting.ts";
import type { Repository } from "../vcs/repository.ts";
import type { Bell } from "./bell.ts";
import { type HomeContext, type Log, now } from "./context.ts";
import { FolderWatch } from "./folder-watch.ts";
import { hasWork, mayHaveMoved } from "./idle.ts";
import type { Reach } from "./look.ts";
import { nothingDone, type Passed, pass } from "./pass.ts";
import { announce, withdraw } from "./presence.ts";
import { mayMissShims } from "./shims.ts";
import { FileWatch, watchSpool } from "./watch.ts";

/** What serving one home needs. */
export type ServeOptions = {
  layout: Layout;
  bell: Bell;
  log: Log;
  /** Opens the home anew: settings and hooks are read then. */
  open: () => HomeContext;
  /** How often fingerprints are compared. */
  poll: Millis;
  /** How often everything is read whatever fingerprints say. */
  min: Millis;
  jobs: number;
  signal: AbortSignal;
  onPass: (passed: Passed, took: number) => void;
  /** Make a pass whenever the spool stirs, even if another process emptied it: function hooks may have runs to make. */
  eager: boolean;
  /** Keep the database open for a while after a pass; not where there are so many homes that it would add up. */
  keepOpen: boolean;
  wish?: Wish;
  /** Called after each look at the home's repositories, and where the home cannot be looked at. */
  onLooked?: () => void;
};

/** What may be wished of a server while it serves, taking effect at the bell's next ring: to open the home anew, and
 *  to end after the pass that is going on. Neither disturbs what runs. */
export type Wish = { renew: boolean; leave: boolean };

/** A database that nothing used for this long is closed. */
const IDLE_OPEN = 60_000;

/** The file by which a command rings a daemon. */
export const ringFile = (layout: Layout): string => join(layout.spool, "ring");

/** Whoever may push to a shared home may put anything there; what cannot be removed rings nothing. */
const isRung = (layout: Layout): boolean => lstatSync(ringFile(layout), { throwIfNoEntry: false })?.isFile() === true;

/** Serves one home until the signal aborts, or its `wish` is to leave; what runs then has ended first. Throws only what is
 *  a bug. */
export async function serveHome(options: ServeOptions): Promise<void> {
  const { layout, bell, signal } = options;
  const watcher = watchSpool(layout, bell);
  const state: State = {
    ...{ ctx: null, idle: new Map(), usedAt: 0, fullAt: 0, pollAt: 0, dueAt: null, said: null },
    ...{ stirred: new Set(), share: 0 },
    files: new FileWatch((id) => {
      state.stirred.add(id);
      state.ctx?.memory.lookAgain.add(id); // of a pass that is going on
      bell.ring();
    }),
    folders: new FolderWatch(() => bell.ring()),
  };
  try {
    let reach: Reach | null = "changed";
    while (!signal.aborted && options.wish?.leave !== true) {
      announce(layout);
      if (reach !== null) await onePass(options, state, reach);
      closeIdle(state, options.keepOpen);
      // What was wished during a pass rang the pass.
      const rung = await bell.wait(isWished(options) || options.wish?.leave ? 0 : sleepFor(state), signal);
      reach = signal.aborted ? null : (nextReach(options, state) ?? (rung && options.eager ? "spool" : null));
    }
  } finally {
    watcher?.close();
    state.files.close();
    state.folders.close();
    withdraw(layout);
    if (state.ctx !== null) closeDatabase(state.ctx.db);
  }
}

type State = {
  ctx: HomeContext | null;
  /** The repositories as of the last pass, for the poll. */
  idle: Map<RepositoryId, { row: RepositoryRow; repository: Repository }>;
  usedAt: number;
  /** When everything was last looked at (wall clock). */
  fullAt: number;
  pollAt: number;
  /** When the next pass is due by itself (monotonic: a clock that is set must not put it off). */
  dueAt: number | null;
  /** What was complained of last, and when (monotonic). */
  said: { code: string; at: number } | null;
  /** Repositories whose files changed since a pass began. */
  stirred: Set<RepositoryId>;
  /** Which share of the watched files the poll looked at last. */
  share: number;
  files: FileWatch;
  folders: FolderWatch;
};

async function onePass(options: ServeOptions, state: State, reach: Reach): Promise<void> {
  const { layout, bell, log, jobs, signal, onLooked = () => {} } = options;
  const began = performance.now();
  try {
    if (isWished(options)) {
      rmSync(ringFile(layout), { force: true });
      if (options.wish !== undefined) options.wish.renew = false;
      if (state.ctx !== null) closeDatabase(state.ctx.db); // settings may have changed: read them anew
      state.ctx = null;
    }
    if (state.ctx !== null) requireInPlace(state.ctx.db);
    const ctx = state.ctx ?? options.open();
    state.ctx = ctx;
    for (const id of state.stirred) ctx.memory.lookAgain.add(id);
    state.stirred.clear();
    // Before anything is looked at: what changes between the look and the watching would be told by nobody.
    if (reach !== "spool") state.files.follow(served(ctx));
    const idle = reach === "changed" && !hasWork(ctx, options.min);
    const passed = idle
      ? nothingDone()
      : await pass(ctx, { reach, min: options.min, stay: false, jobs, signal, onLooked });
    state.dueAt = passed.heldBy === null ? monotonic(passed.dueAt) : performance.now() + 1000;
    refreshIdle(state, ctx, reach, passed);
    if (reach !== "spool") state.folders.follow(ctx.roots.folders());
    state.usedAt = performance.now();
    options.onPass(passed, performance.now() - began);
    onLooked();
  } catch (thrown) {
    const error = knownError(thrown);
    complain(state, log, error.code ?? "", `${layout.home}: ${inOneLine(error)}`);
    onLooked();
    if (state.ctx !== null) closeDatabase(state.ctx.db);
    state.ctx = null;
    state.dueAt = performance.now() + (error.code === "GP_BUSY" || error.code === "GP_LEASE_LOST" ? 1000 : 15_000);
    bell.ring();
    await bell.wait(0, signal); // what rang during the failure waits for the retry
  }
  state.pollAt = performance.now() + options.poll;
}

const isWished = ({ layout, wish }: ServeOptions): boolean => wish?.renew === true || isRung(layout);

/** Says what is wrong, the same thing once a minute; a full disk has several words for it. */
function complain(state: State, log: Log, code: string, message: string): void {
  if (state.said?.code === code && performance.now() - state.said.at < 60_000) return;
  state.said = { code, at: performance.now() };
  log("error", message);
}

/** Whether a pass is called for, and how far it must reach; null when there is nothing to do. */
function nextReach(options: ServeOptions, state: State): Reach | null {
  if (isWished(options) || state.folders.isStirred()) return "changed";
  if (mayHaveEntries(options.layout.spool)) return "spool";
  if (state.stirred.size > 0 || (state.dueAt !== null && state.dueAt <= performance.now())) return "spool";
  if (performance.now() < state.pollAt) return null;
  state.pollAt = performance.now() + options.poll;
  if (!existsSync(options.layout.database)) return "changed"; // the pass finds out what is wrong
  if (refsMoved(options, state) || state.folders.moved() || fullLookDue(options, state)) return "changed";
  return isGateLogDue(options.layout.spool, Date.now()) ? "spool" : null;
}

const fullLookDue = (options: ServeOptions, state: State): boolean => Math.abs(now() - state.fullAt) >= options.min;

/** Brings what the poll compares with up to date: all of it, or what the pass looked at. */
function refreshIdle(state: State, ctx: HomeContext, reach: Reach, passed: Passed): void {
  state.fullAt = lastFullLook(ctx.db);
  if (reach === "spool" && state.idle.size > 0) {
    for (const id of passed.looked) {
      const row = repositoryById(ctx.db, id);
      if (row !== null) state.idle.set(id, { row, repository: ctx.open(row) });
    }
    return;
  }
  state.idle = new Map(served(ctx).map((one) => [one.row.id, one]));
}

const served = (ctx: HomeContext) => listRepositories(ctx.db).map((row) => ({ row, repository: ctx.open(row) }));

/** Files that are watched are looked at by the poll once in this time, all of them, a share each time. */
const SWEEP = 60_000;

/** The idle cycle: nothing but stats. */
function refsMoved(options: ServeOptions, state: State): boolean {
  const at = Date.now();
  const shares = Math.max(1, Math.floor(SWEEP / options.poll));
  state.share = (state.share + 1) % shares;
  let number = 0;
  for (const { row, repository } of state.idle.values()) {
    number += 1;
    if (row.parked !== null) continue;
    const isShare = number % shares === state.share;
    if (isShare && mayMissShims(row, at)) return true;
    const isDue = isShare || row.fingerprint === null || !state.files.sees(row.path);
    if (isDue && mayHaveMoved(repository, row.fingerprint, at)) return true;
  }
  return false;
}

function sleepFor(state: State): number {
  const untilPoll = state.pollAt - performance.now();
  return Math.max(0, state.dueAt === null ? untilPoll : Math.min(untilPoll, state.dueAt - performance.now()));
}

const monotonic = (at: number | null): number | null => (at === null ? null : performance.now() + at - now());

function closeIdle(state: State, keepOpen: boolean): void {
  if (state.ctx === null || (keepOpen && performance.now() - state.usedAt < IDLE_OPEN)) return;
  closeDatabase(state.ctx.db);
  state.ctx = null;
}
