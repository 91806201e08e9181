/**
 * Rows A2, A9, A10, B2, B4, B5 and B6 of the fault catalogue: every system call of a pass (drain, cut, run, finish) that opens,
 * writes, syncs, renames, removes or starts a process fails once, and is a point to die at. Whatever happens to the pass,
 * it ends with a documented code, the database is in a state that keeps all promises, and the next pass delivers all.
 *
 * In the test suite a fixed sample is tried; with a large count, all of them: npm run torture:syscalls -- --count 10000
 */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { enter, leave } from "../helpers/served.ts";
import { OldHome } from "./lib/syscall-old.ts";
import { Prepared } from "./lib/syscall-place.ts";
import {
  canTrace,
  describePoint,
  type Ended,
  FAULTS,
  type Place,
  type Point,
  placesOf,
  sample,
  strike,
} from "./lib/syscall-points.ts";
import { report, torture } from "./lib/torture.ts";

const traced = canTrace();
if (!traced) console.log("torture syscalls: skipped, since strace is missing or may not trace");

const work = torture(200);
const world = makeWorld("gatepost-syscalls-");
const prepared: Prepared[] = [];
let places: Place[] = [];
/** The home in which they were seen. */
let seenIn = "";

beforeAll(async () => {
  if (!traced) return;
  enter(world);
  for (let number = 0; number < 2; number++) {
    const one = await Prepared.make(world);
    one.reset();
    places = await placesOf(world, one.args, one.home);
    seenIn = one.home;
    one.expect();
    prepared.push(one);
  }
});
afterAll(() => leave(world));

/** Where a fault may strike. A file that is only read needs no space. */
const withFault = (fault: string): Point[] =>
  places
    .filter(({ call }) => fault === "KILL" || (FAULTS[call] as readonly string[]).includes(fault))
    .filter(({ call, line }) => fault !== "ENOSPC" || call !== "openat" || line.includes("O_CREAT"))
    .map((place) => ({ ...place, fault }));

type Row = {
  says: string;
  faults: readonly string[];
  /** Of all that is tried. */
  part: number;
  /** Where it strikes, if not everywhere. */
  at?: RegExp;
};

const ROWS: Row[] = [
  {
    says: "A2: a pass that is killed at any of its calls leaves what the next one finishes",
    faults: ["KILL"],
    part: 0.3,
  },
  {
    says: "A10: a pass that is killed between its commit and the removal of an entry makes one receipt of it",
    faults: ["KILL"],
    part: 0.05,
    at: /^unlink\(".*\.entry"/,
  },
  {
    says: "B2: a disk that is full at any call leaves no half state, and all is delivered when there is room",
    faults: ["ENOSPC"],
    part: 0.2,
  },
  {
    says: "B4: an error of the disk at any call is no commit, and all is delivered afterwards",
    faults: ["EIO"],
    part: 0.2,
  },
  { says: "B5: a want of descriptors at any open puts off and fails nothing", faults: ["EMFILE"], part: 0.15 },
  {
    says: "B5: a spool that cannot be read is not taken for empty, and who pushed is told to the hooks",
    faults: ["EMFILE", "EIO"],
    part: 0.05,
    at: /^openat\(.*\/spool", .*O_DIRECTORY/,
  },
  {
    says: "B6: a process that cannot be started is started later, and its hook did not fail",
    faults: ["EAGAIN"],
    part: 0.05,
  },
];

test.skipIf(!traced).each(ROWS.map((row) => [row.says, row] as const))("%s", async (says, { faults, part, at }) => {
  const points = faults.flatMap(withFault).filter(({ line }) => at === undefined || at.test(line));
  const chosen = sample(points, Math.ceil(work.count * part));
  expect(chosen.length).toBeGreaterThan(0);
  const waiting = [...chosen];
  const figures = { points: chosen.length, killed: 0, failed: 0, untouched: 0, delivered: 0 };
  const wrong: string[] = [];
  await Promise.all(
    prepared.map(async (place) => {
      for (let point = waiting.shift(); point !== undefined; point = waiting.shift()) {
        place.reset();
        const { code, signal, stderr, stdout } = await strike(world, inHome(point, place.home), place.args);
        if (signal === "SIGKILL") figures.killed += 1;
        else if (code === 0) figures.untouched += 1;
        else figures.failed += 1;
        const found: string[] = [];
        const documented = isDocumented(point, { code, signal, stderr });
        if (!documented) found.push(`it ended ${code ?? signal}: ${stderr}${stdout}`);
        try {
          found.push(...place.halfDone().map((what) => `half done: ${what}`));
          found.push(...(await place.afterwards()));
        } catch (error) {
          found.push(`the next pass failed: ${(error as Error).message}`);
        }
        if (found.length === 0) figures.delivered += 1;
        else wrong.push(`${describePoint(point)}\n  ${found.join("\n  ")}\n  ${stderr}`);
      }
    }),
  );
  report(`syscalls ${says.slice(0, says.indexOf(":"))}`, { ...figures, wrong: wrong.length, ...byCall(chosen) }, work);
  expect(wrong).toEqual([]);
});

test.skipIf(!traced)(
  "A9: a migration that is struck at any of its calls leaves the old version or the new",
  async () => {
    const place = prepared[0] as Prepared;
    place.reset();
    await place.afterwards();
    const old = new OldHome(place);
    old.reset();
    const calls = await placesOf(world, old.args, join(place.home, "gatepost.db"));
    old.expect();
    const faults = calls.flatMap((at) => ["KILL", ...FAULTS[at.call]].map((fault) => ({ ...at, fault })));
    const chosen = sample(faults, Math.ceil(work.count * 0.1));
    const figures = { points: chosen.length, killed: 0, failed: 0, untouched: 0 };
    const wrong: string[] = [];
    for (const point of chosen) {
      old.reset();
      const { code, signal, stderr } = await strike(world, point, old.args);
      if (signal === "SIGKILL") figures.killed += 1;
      else figures[code === 0 ? "untouched" : "failed"] += 1;
      const documented = isDocumented(point, { code, signal, stderr });
      const found = [...(documented ? [] : [`it ended ${code ?? signal}`]), ...old.afterwards()];
      if (found.length > 0) wrong.push(`${describePoint(point)}\n  ${found.join("\n  ")}\n  ${stderr}`);
    }
    report("syscalls A9", { ...figures, wrong: wrong.length, ...byCall(chosen) }, work);
    expect(wrong).toEqual([]);
  },
);

/** The same point in another home. */
const inHome = (point: Point, home: string): Point => ({ ...point, file: point.file?.replace(seenIn, home) ?? null });

/** Whether a struck run ended as it may. Not each run comes to its last calls: then nothing struck it. */
function isDocumented({ fault }: Point, { code, signal, stderr }: Omit<Ended, "stdout">): boolean {
  if (fault === "KILL" && signal === "SIGKILL") return stderr === ""; // not by the patience of whoever waited
  return code !== null && (fault === "KILL" ? code === 0 : code >= 0 && code <= 7);
}

/** How many points there were of each call. */
function byCall(points: readonly Point[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { call } of points) counts[call] = (counts[call] ?? 0) + 1;
  return counts;
}
