/**
 * Hooks that escape, flood, stop, breed and never end, several at a time and with hardly any patience: each is one of
 * test/fixtures, with a timeout, grace and drain of some ten milliseconds, sometimes aborted, sometimes with a list on
 * stdin that has no end. A second after a run is over, nothing may be left that carries its environment but what has
 * left by setsid on purpose; and when all are over, our own process holds no descriptor more than before.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type Outcome, runAttempt } from "../../src/process/hook-process.ts";
import { isRunning, processStatus } from "../../src/process/identity.ts";
import { preparePipes, releasePipes } from "../../src/process/pipe.ts";
import { attempt, fixture, ms } from "../process/attempts.ts";
import { report, torture } from "./lib/torture.ts";

const dir = mkdtempSync(join(tmpdir(), "gatepost-torture-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const SIDE_BY_SIDE = 4;
/** How long what belongs to a run may outlive it. */
const LEFT = 1000;
/** Far beyond the longest timeout, grace, drain and what the kernel takes. */
const STUCK = 60_000;

type Misbehaviour = { name: string; command: (file: string) => string; detaches?: true };
const misbehaviours: readonly Misbehaviour[] = [
  { name: "never-ends", command: () => fixture("never-ends") },
  { name: "ignores-term", command: () => fixture("ignores-term") },
  { name: "forks-away", command: (file) => `${fixture("forks-away")} '${file}'`, detaches: true },
  {
    name: "forks-away and never ends",
    command: (file) => `${fixture("forks-away")} '${file}'; sleep 99`,
    detaches: true,
  },
  { name: "holds-stdout", command: () => fixture("holds-stdout") },
  { name: "ends before a child that floods", command: () => `${fixture("floods")} & exit 0` },
  { name: "floods", command: () => fixture("floods") },
  { name: "closes-stdin", command: (file) => `${fixture("closes-stdin")} '${file}'` },
  { name: "reads-slowly", command: () => `${fixture("reads-slowly")} 100000` },
  { name: "regroups", command: (file) => `${fixture("regroups")} '${file}'` },
  {
    name: "regroups and never ends",
    command: (file) => `${fixture("regroups")} '${file}'; ${fixture("ignores-term")}`,
  },
  { name: "respawns", command: () => `${fixture("respawns")} 3000` },
  { name: "respawns apart", command: () => `${fixture("respawns")} 3000 apart` },
  { name: "respawns, and ends", command: () => `${fixture("respawns")} 3000; echo over` },
  { name: "stops-itself", command: () => fixture("stops-itself") },
  { name: "forks-many", command: () => `${fixture("forks-many")} 40` },
  {
    name: "forks-many, and ends",
    command: () => `${fixture("forks-many")} 20 & until false; do sleep 0.03; exit 4; done`,
  },
  { name: "dies-by-signal-n", command: () => `${fixture("ignores-term")} & ${fixture("dies-by-signal-n")} 9` },
  { name: "exits-n", command: () => `${fixture("exits-n")} 7` },
];

/** Running processes that were started with this variable. */
function carriersOf(variable: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const status = processStatus(pid);
        if (status === null || !isRunning(status)) return false;
        return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(variable);
      } catch {
        return false; // it ended meanwhile
      }
    });
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {} // it ended meanwhile
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield Buffer.alloc(65_536, "line\n");
}

const pause = (length: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, length));
const descriptors = (): number => readdirSync("/proc/self/fd").length;

test("E1, E2, E4, E11: of hooks that escape, flood and never end nothing is left a second after the run", async () => {
  const asked = torture(200);
  const { random, count, seed } = asked;
  const figures = { runs: 0, left: 0, detached: 0, survivors: 0 };
  const faults: string[] = [];
  await preparePipes();
  releasePipes();
  const before = descriptors();

  async function misbehave(number: number): Promise<void> {
    const { name, command, detaches = false } = random.pick(misbehaviours);
    const variable = `GATEPOST_RUN=torture-${process.pid}-${number}`;
    const [key = "", value = ""] = variable.split("=");
    let leader = 0;
    const abort = new AbortController();
    const aborting = random.chance(0.2) ? setTimeout(() => abort.abort(), random.below(100)) : null;
    const hook = attempt(command(join(dir, String(number))), {
      env: { PATH: "/usr/bin:/bin", [key]: value },
      stdin: random.chance(0.5) ? endless() : null,
      timeout: ms(10 + random.below(200)),
      grace: ms(random.below(60)),
      drain: ms(random.below(60)),
      signal: abort.signal,
      onStart: ({ pid }) => {
        leader = pid;
      },
    });
    const stuck = pause(STUCK).then(() => null);
    const outcome: Outcome | null = await Promise.race([runAttempt(hook), stuck]);
    if (aborting !== null) clearTimeout(aborting);
    figures.runs += 1;
    figures.survivors += outcome?.survivors ?? 0;
    const isOurs = (pid: number): boolean => !detaches || processStatus(pid)?.session === leader;
    const end = performance.now() + LEFT;
    let carriers = carriersOf(variable);
    while (carriers.some(isOurs) && performance.now() < end) {
      await pause(10);
      carriers = carriersOf(variable);
    }
    const left = carriers.filter(isOurs);
    figures.left += left.length;
    figures.detached += carriers.length - left.length;
    for (const pid of carriers) kill(pid);
    if (outcome === null) faults.push(`run ${number}, ${name}: not over after ${STUCK / 1000} s`);
    else if (outcome.remaining > 0) faults.push(`run ${number}, ${name}: says that ${outcome.remaining} remain`);
    if (left.length > 0)
      faults.push(`run ${number}, ${name}: left ${left.length} processes, ended as ${outcome?.end.kind}`);
  }

  let next = 0;
  const line = async (): Promise<void> => {
    while (next < count && faults.length < 10) await misbehave(next++);
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, line));

  releasePipes();
  for (const end = performance.now() + 10_000; descriptors() > before && performance.now() < end; ) await pause(10);
  const leaked = descriptors() - before;
  report("hooks", { ...figures, "descriptors leaked": leaked }, asked);
  expect(faults, `seed ${seed}`).toEqual([]);
  expect(leaked, `descriptors leaked, seed ${seed}`).toBeLessThanOrEqual(0);
  expect(figures.runs).toBe(count);
});
