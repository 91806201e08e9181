/** Passes at the times of a cron expression, in this process. */
import { GatepostError } from "../core/errors.ts";

/** Calls `work` at each time of the expression (local time) until the signal aborts. A time that comes while the last
 *  call still works is left out: what it would have found, the next one finds. */
export async function onSchedule(expression: string, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const cron = await import("node-cron");
  if (!cron.validate(expression))
    throw new GatepostError("GP_USAGE", `"${expression}" is not a cron expression.`, {
      hint: "Five fields, minute hour day month weekday (a sixth in front for seconds): --cron '*/5 * * * *'",
    });
  const failed = new AbortController();
  let cause: unknown = null;
  const planned = cron.schedule(
    expression,
    async () => {
      try {
        await work();
      } catch (error) {
        cause = error;
        failed.abort();
      }
    },
    { noOverlap: true },
  );
  await new Promise<void>((resolve) => {
    const end = AbortSignal.any([signal, failed.signal]);
    if (end.aborted) resolve();
    end.addEventListener("abort", () => resolve(), { once: true });
  });
  await planned.destroy();
  if (cause !== null) throw cause;
}
