/**
 * Hooks that print gigabytes, run by a real backoffice: what it takes of memory and of the disk does not depend on how
 * much that is. The same hook, printing a few bytes, says what both are without a flood.
 */
import { readFileSync } from "node:fs";
import SQLite from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { enter, leave, type Served, serve } from "../helpers/served.ts";
import { fixture } from "../process/attempts.ts";
import { report, torture } from "./lib/torture.ts";

const world = makeWorld();
beforeAll(() => enter(world));
afterAll(() => leave(world));

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const KEPT = 32 * KIB;

type Printed = { peak: number; stored: number; head: string; tail: string; bytes: number };

/** Bytes that the database takes, its log not counted. */
function databaseSize({ home }: Served): number {
  const db = new SQLite(home.layout.database, { readonly: true });
  try {
    const of = (name: string): number => db.pragma(name, { simple: true }) as number;
    return of("page_count") * of("page_size");
  } finally {
    db.close();
  }
}

/** Has a backoffice of its own run a hook that prints that many bytes between a first and a last line, and notes before it
 *  ends what the process that reads them has taken at most. */
async function print(bytes: number): Promise<Printed> {
  const r = await serve(world);
  r.set("timeout", "12h");
  const note = r.file("peak");
  r.hook(`echo first; ${fixture("floods")} ${bytes}; echo last; exec grep VmHWM "/proc/$PPID/status" >'${note}'`);
  const before = databaseSize(r);
  r.push();
  const { code, stderr } = await world.call(["backoffice", r.path], { timeout: 43_200_000 });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [run] = r.runs();
  if (run === undefined) throw new Error("the hook did not run");
  expect(run.state).toBe("done");
  const [attempt] = r.attempts(run);
  const peak = Number(/(\d+) kB/.exec(readFileSync(note, "utf8"))?.[1]) * KIB;
  return {
    peak,
    stored: databaseSize(r) - before,
    head: attempt?.outputHead?.toString() ?? "",
    tail: attempt?.outputTail?.toString() ?? "",
    bytes: attempt?.outputBytes ?? 0,
  };
}

test("E3: a hook that prints gigabytes grows neither the backoffice nor its database; first and last bytes are kept", async () => {
  const asked = torture(1);
  const bytes = asked.count * GIB;
  const little = await print(10);
  const start = performance.now();
  const much = await print(bytes);
  const growth = much.peak - little.peak;
  report(
    "output",
    {
      "bytes printed": bytes,
      "KiB of growth in memory": Math.round(growth / KIB),
      "KiB of growth on disk": (much.stored - little.stored) / KIB,
      "MiB/s": Math.round(bytes / MIB / ((performance.now() - start) / 1000)),
    },
    asked,
  );
  expect(little).toMatchObject({ head: "first\ny\ny\ny\ny\ny\nlast\n", tail: "" });
  expect(much.bytes).toBe(bytes + "first\nlast\n".length);
  expect([much.head.length, much.tail.length]).toEqual([KEPT, KEPT]);
  expect(much.head.slice(0, 10)).toBe("first\ny\ny\n");
  expect(much.tail.slice(-9)).toBe("y\ny\nlast\n");
  expect(little.peak, "a peak that was read").toBeGreaterThan(10 * MIB);
  expect(growth).toBeLessThanOrEqual(16 * MIB);
  expect(much.stored - little.stored).toBeLessThanOrEqual(64 * KIB + 2 * KEPT);
});
