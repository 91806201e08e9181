/**
 * Passes at the times of a cron expression, in this process.
 *
 * Two never overlap: a time that comes while the last call still works is left out, for what it would have found the
 * next one finds. Times that went by while the process was stopped, or the machine slept, are made up for by one call,
 * however many they were. Proved by the tests "C5" in test/fault/schedule.test.ts.
 */
import { GatepostError } from "../core/errors.ts";
import { whenAborted } from "../process/pace.ts";

/** node-cron, once it has taken the expression; GP_USAGE where it does not. Numbers of three digits, which no field has,
 *  do not get to it: it counts a range out before it judges its ends, and Node dies of 1-999999999. */
export async function requireCron(expression: string): Promise<typeof import("node-cron")> {
  const cron = await import("node-cron");
  if (!/\d{3}/.test(expression) && cron.validate(expression)) return cron;
  throw new GatepostError("GP_USAGE", `"${expression}" is not a cron expression.`, {
    hint: "Five fields, minute hour day month weekday (a sixth in front for seconds): --cron '*/5 * * * *'",
  });
}

/** Calls `work` at each time of the expression (local time) until the signal aborts and the last call has ended. */
export async function onSchedule(expression: string, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const cron = await requireCron(expression);
  const failed = new AbortController();
  const end = AbortSignal.any([signal, failed.signal]);
  let cause: unknown = null;
  let working: Promise<void> | null = null;
  const tick = (): void => {
    if (working !== null || end.aborted) return;
    working = work()
      .catch((error) => {
        cause = error;
        failed.abort();
      })
      .finally(() => {
        working = null;
      });
  };
  const planned = cron.schedule(expression, tick);
  planned.on("execution:missed", tick);
  await whenAborted(end);
  await planned.destroy();
  await working;
  if (cause !== null) throw cause;
}
