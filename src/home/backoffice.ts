/**
 * The backoffice over one or many homes: one pass. Staying (serving, passes on a schedule) is stay.ts.
 *
 * Homes work side by side, up to `jobs` in a single pass; a failing home does not keep the others from being worked on,
 * and its error is thrown at the end.
 */
import { existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { Bell } from "../backoffice/bell.ts";
import type { Log, Progress } from "../backoffice/context.ts";
import type { FunctionCall } from "../backoffice/function-hook.ts";
import { hasWork } from "../backoffice/idle.ts";
import { nothingDone, type Passed, pass } from "../backoffice/pass.ts";
import { announce, withdraw } from "../backoffice/presence.ts";
import { watchSpool } from "../backoffice/watch.ts";
import { escapeControls } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import { layout } from "../core/layout.ts";
import type { Millis } from "../core/units.ts";
import { ancestors } from "../process/ancestors.ts";
import { closeInheritedDescriptors } from "../process/environment.ts";
import { replaceFile } from "../process/replace-file.ts";
import { entryNames } from "../spool/drain.ts";
import { closeHome } from "./open.ts";
import { rootsOf } from "./root-look.ts";
import { contextOf, openToRun } from "./serve.ts";

export type { Log, Progress } from "../backoffice/context.ts";
export type {
  BatchOnTheWay,
  BatchReceipt,
  BatchUpdate,
  FunctionCall,
  HookBatch,
  HookFunction,
} from "../backoffice/function-hook.ts";
export type { Passed } from "../backoffice/pass.ts";

/** What every way of working on homes is given. */
export type BackofficeOptions = {
  homes: readonly string[];
  jobs: number;
  /** Everything is looked at when that was last done this long ago. */
  min: Millis;
  /** Aborting it stops: nothing new starts, running hooks are ended with their grace. */
  signal: AbortSignal;
  /** Aborting it, too, ends that grace. */
  hurry?: AbortSignal;
  log: Log;
  progress: Progress;
  onPass: (home: string, passed: Passed, tookMs: number) => void;
  functions?: ReadonlyMap<string, FunctionCall>;
};

/** Makes this process fit to start hooks: what they inherit is none of whoever started us. GP_DENIED where there is no /proc
 *  as Linux has it: no process could be told from another. */
export function prepareProcess(): void {
  process.umask(0o077);
  try {
    closeInheritedDescriptors();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new GatepostError("GP_DENIED", "/proc cannot be read: nothing can run hooks of arrivals here.", {
      hint: "It must be mounted, as Linux has it. What was received meanwhile is kept. More: docs/platforms.md",
    });
  }
}

/** How long a pass waits for another process that holds the lease. Fossil's lease is as long. */
const LEASE_PATIENCE = 60_000;

/** One pass over every home. `stay`: wait for embargoes and near retries, and look once more after the last; `nodelay`:
 *  leave a home that another backoffice works on to that one. */
export async function passOnce(
  options: BackofficeOptions,
  mode: { stay: boolean; nodelay: boolean; automatic: boolean },
): Promise<void> {
  const failures: unknown[] = [];
  const waiting = [...options.homes];
  const worker = async (): Promise<void> => {
    for (let home = waiting.shift(); home !== undefined && !options.signal.aborted; home = waiting.shift()) {
      try {
        await passHome(home, options, mode);
      } catch (error) {
        if (failures.length > 0) options.log("error", (error as Error).message); // the first is thrown
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.jobs, waiting.length) }, worker));
  if (failures.length > 0) throw failures[0];
}

/** A pass that a push started. Nobody sees what it prints, so a failure is left in the home, where `runs` shows it. */
export async function passAutomatically(
  options: BackofficeOptions,
  mode: { stay: boolean; nodelay: boolean; automatic: boolean },
): Promise<void> {
  const failed = options.homes.map((dir) => layout(dir).failed);
  try {
    await passOnce(options, mode);
    for (const file of failed) rmSync(file, { force: true });
  } catch (error) {
    for (const file of failed) {
      try {
        // For whoever pushes to read, in one line: see shim/runtime/receive.sh.
        const mode = existsSync(join(dirname(file), "shared")) ? 0o644 : 0o600;
        replaceFile(file, `${escapeControls((error as Error).message)}\n`, { mode });
      } catch {} // the home cannot be written to, which may be the very reason
    }
    throw error;
  }
}

/** The log with the home on each line. */
export const logOf =
  ({ log }: BackofficeOptions, dir: string): Log =>
  (level, message) =>
    log(level, message, dir);

/** The signal that ends every grace, for whoever spreads options. */
export const hurryOf = ({ hurry }: BackofficeOptions): { hurry?: AbortSignal } =>
  hurry === undefined ? {} : { hurry };

async function passHome(
  dir: string,
  options: BackofficeOptions,
  { stay, nodelay, automatic }: { stay: boolean; nodelay: boolean; automatic: boolean },
): Promise<void> {
  const { jobs, min, signal, progress } = options;
  const log = logOf(options, dir);
  const places = layout(dir);
  const home = openToRun(dir, automatic);
  const bell = new Bell();
  const functions = options.functions ?? new Map();
  const ctx = contextOf(home, { functions, bell, log, progress, findNew: rootsOf, ...hurryOf(options) });
  const watcher = watchSpool(places, bell); // while it stays, pushes rely on it
  const giveUpAt = performance.now() + (nodelay ? 0 : LEASE_PATIENCE);
  try {
    for (;;) {
      const announced = announce(places);
      const began = performance.now();
      let passed: Passed;
      try {
        passed = hasWork(ctx, min) ? await pass(ctx, { reach: "changed", min, stay, jobs, signal }) : nothingDone();
      } finally {
        if (announced) withdraw(places);
      }
      options.onPass(dir, passed, performance.now() - began);
      if (signal.aborted) return;
      if (passed.heldBy === null) {
        // While it was announced, a push relied on this process; what came after the last look is still ours to see.
        if (!announced || entryNames(places.spool).every((name) => ctx.memory.seen.has(name))) return;
      } else if (performance.now() >= giveUpAt || ancestors().has(passed.heldBy))
        return; // a hook of it called us
      else await bell.wait(250, signal);
    }
  } finally {
    watcher?.close();
    closeHome(home);
  }
}
