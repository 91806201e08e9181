/** Row C5: the times of `--cron`, with a clock that the test turns. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { onSchedule } from "../../src/backoffice/schedule.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A schedule whose calls are counted and end when the test says so. */
async function scheduled(expression: string, at: Date) {
  vi.setSystemTime(at);
  const stop = new AbortController();
  const calls = { begun: 0, running: 0, most: 0 };
  let release = (): void => {};
  const over = onSchedule(
    expression,
    async () => {
      calls.begun += 1;
      calls.running += 1;
      calls.most = Math.max(calls.most, calls.running);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      calls.running -= 1;
    },
    stop.signal,
  );
  await vi.dynamicImportSettled();
  await vi.advanceTimersByTimeAsync(0);
  return { calls, over, stop: () => stop.abort(), release: () => release() };
}

test("C5: ticks that come while a pass still works are left out, and the next one after it works again", async () => {
  const { calls, release, stop, over } = await scheduled("* * * * * *", new Date(2026, 0, 1, 12, 0, 0, 500));
  await vi.advanceTimersByTimeAsync(5000);
  expect(calls).toEqual({ begun: 1, running: 1, most: 1 });
  release();
  await vi.advanceTimersByTimeAsync(1000);
  expect(calls).toEqual({ begun: 2, running: 1, most: 1 });
  stop();
  release();
  await over;
  expect(calls.running).toBe(0);
});

test("C5: times missed while the process was stopped are made up for by one pass", async () => {
  const { calls, release, stop, over } = await scheduled("0 3,4,5 * * *", new Date(2026, 0, 1, 2, 59, 0));
  vi.setSystemTime(new Date(2026, 0, 1, 5, 30, 0)); // no timer has run meanwhile
  await vi.advanceTimersByTimeAsync(60_000);
  expect(calls).toEqual({ begun: 1, running: 1, most: 1 });
  release();
  await vi.advanceTimersByTimeAsync(3 * 3_600_000);
  expect(calls.begun, "the next is tomorrow").toBe(1);
  stop();
  await over;
});

test("C5: the end waits for the pass that still works", async () => {
  const { calls, release, stop, over } = await scheduled("* * * * * *", new Date(2026, 0, 1, 12, 0, 0, 500));
  await vi.advanceTimersByTimeAsync(1000);
  let hasEnded = false;
  void over.then(() => {
    hasEnded = true;
  });
  stop();
  await vi.advanceTimersByTimeAsync(2000);
  expect([calls.begun, hasEnded]).toEqual([1, false]);
  release();
  await over;
});
