/**
 * A backoffice that stays: serving homes, or passes over them on a schedule, until it is told to stop.
 *
 * Each home is served by a loop of its own, so that one that is damaged or slow holds up no other. A reload has every
 * home opened anew (settings and hooks are read then), begins to serve homes that came, and lets go of those that went
 * once nothing of theirs runs; what runs is not disturbed. Proved by the tests "D7" in test/fault/signals.test.ts.
 */
import { Bell } from "../backoffice/bell.ts";
import { serveHome, type Wish } from "../backoffice/daemon.ts";
import { onSchedule } from "../backoffice/schedule.ts";
import { inOneLine, knownError } from "../core/errors.ts";
import { layout } from "../core/layout.ts";
import type { Millis } from "../core/units.ts";
import type { ServiceManager } from "../process/notify.ts";
import { whenAborted } from "../process/pace.ts";
import { type BackofficeOptions, hurryOf, logOf, passOnce } from "./backoffice.ts";
import { closeHome } from "./open.ts";
import { rootsOf } from "./root-look.ts";
import { contextOf, openToRun } from "./serve.ts";

export { type ServiceManager, serviceManager } from "../process/notify.ts";

/** A pass's options, for whoever stays. */
export type StayOptions = BackofficeOptions & {
  /** Is told how it goes. */
  manager?: ServiceManager | null;
};

/** What serving takes besides. */
export type ServeOptions = StayOptions & {
  poll: Millis;
  /** Called with the homes that can be served, once it is known that there are any. */
  onBegin?: (homes: readonly string[]) => void;
  /** Is handed the function that reloads. */
  onReload?: (reload: () => void) => void;
  /** The homes as of now, for a reload; without it they stay those of `homes`. */
  homesAnew?: () => readonly string[];
};

type Loop = { wish: Wish; bell: Bell; ended: Promise<void> };

/** A loop that has been away from its bell for this long is taken to hang. A look at very many repositories, or a hook
 *  that a failed pass waits for, may rightly take minutes. */
const HUNG = 3_600_000;

/** Serves the homes until the signal aborts. */
export async function serve(options: ServeOptions): Promise<void> {
  const { manager = null } = options;
  const loops = new Map<string, Loop>();
  const homes = servable(options);
  const toLook = new Set(homes);
  options.onBegin?.(homes);
  const bug = new AbortController();
  const signal = AbortSignal.any([options.signal, bug.signal]);
  let failure: unknown = null;
  const count = (): string => `serving ${loops.size} ${loops.size === 1 ? "home" : "homes"}`;
  const looked = (dir: string): void => {
    if (toLook.delete(dir) && toLook.size === 0) manager?.ready(count());
  };
  const begin = (dir: string): void => {
    const bell = new Bell();
    const wish = { renew: false, leave: false };
    const keepOpen = (): boolean => loops.size <= 64;
    const ended = serveOne(dir, { ...options, signal }, { bell, wish, keepOpen, onLooked: () => looked(dir) })
      .catch((error) => {
        // What is wrong with one home is logged there and tried again; this is a bug. Ending in order lets whoever
        // supervises us start anew, which is better than to go on with one home less.
        failure ??= error;
        bug.abort();
      })
      .finally(() => loops.delete(dir));
    loops.set(dir, { wish, bell, ended });
  };
  for (const dir of homes) begin(dir);
  manager?.beat(() => [...loops.values()].every(({ bell }) => bell.unattended() < HUNG));
  options.onReload?.(() => {
    if (signal.aborted) return;
    reload(options, loops, begin);
    manager?.status(count());
  });
  await whenAborted(signal);
  manager?.stopping();
  await Promise.all([...loops.values()].map(({ ended }) => ended));
  manager?.close();
  if (failure !== null) throw failure;
}

type Around = { bell: Bell; wish: Wish; keepOpen: () => boolean; onLooked: () => void };

function serveOne(dir: string, options: ServeOptions, { bell, wish, keepOpen, onLooked }: Around): Promise<void> {
  const { poll, min, jobs, signal, progress, functions = new Map() } = options;
  const log = logOf(options, dir);
  const around = { functions, bell, log, progress, findNew: rootsOf, ...hurryOf(options) };
  return serveHome({
    layout: layout(dir),
    open: () => contextOf(openToRun(dir), around),
    onPass: (passed, took) => options.onPass(dir, passed, took),
    eager: functions.size > 0,
    keepOpen: keepOpen(),
    ...{ bell, log, poll, min, jobs, signal, wish, onLooked },
  });
}

function reload(options: ServeOptions, loops: ReadonlyMap<string, Loop>, begin: (dir: string) => void): void {
  let homes: readonly string[] = [...loops].flatMap(([dir, { wish }]) => (wish.leave ? [] : dir));
  try {
    homes = options.homesAnew?.() ?? homes;
  } catch (error) {
    options.log("error", `The list of homes cannot be read anew: ${(error as Error).message}`);
  }
  for (const [dir, { wish, bell }] of loops) {
    wish.leave = !homes.includes(dir);
    wish.renew = true;
    bell.ring();
  }
  for (const dir of homes) {
    if (loops.has(dir)) continue;
    const wrong = whyNot(dir);
    if (wrong === null) begin(dir);
    else options.log("error", inOneLine(wrong), dir);
  }
  options.log("info", "reloaded: settings, hooks and the list of homes were read anew");
}

/** The homes that can be run now. Each of the others is named with its reason; only when none is left is that an error. */
function servable({ homes, log }: BackofficeOptions): string[] {
  const failures: unknown[] = [];
  const good = homes.filter((dir) => {
    const wrong = whyNot(dir);
    if (wrong === null) return true;
    failures.push(wrong);
    if (homes.length > 1) log("error", inOneLine(wrong), dir);
    return false;
  });
  if (good.length === 0) throw failures[0];
  return good;
}

/** Why a home cannot be run now; null when it can. */
function whyNot(dir: string): Error | null {
  try {
    closeHome(openToRun(dir));
    return null;
  } catch (error) {
    return knownError(error);
  }
}

/** A pass over the homes at each time of the cron expression, until the signal aborts. */
export async function passOnSchedule(
  options: StayOptions & { homesAnew?: () => readonly string[] },
  expression: string,
): Promise<void> {
  const { manager = null } = options;
  manager?.ready(`passes at ${expression}`);
  manager?.beat(() => true);
  options.signal.addEventListener("abort", () => manager?.stopping(), { once: true });
  const tick = async (): Promise<void> => {
    try {
      const homes = options.homesAnew?.() ?? options.homes; // each pass reads settings and hooks anew by itself
      await passOnce({ ...options, homes }, { stay: false, nodelay: true, automatic: false });
    } catch (error) {
      options.log("error", inOneLine(knownError(error))); // the next tick tries again
    }
  };
  await onSchedule(expression, tick, options.signal);
  manager?.close();
}
