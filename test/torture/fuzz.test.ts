/**
 * Whatever strangers write and we read, nearly right and not right at all: nothing but declared errors may come of it,
 * what is read must be what was written, and nothing may hang. The inputs that once broke something are kept in
 * test/fixtures/fuzz-corpus.json, in whose form a new one is printed, and come first.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Script } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requireCron } from "../../src/backoffice/schedule.ts";
import { GatepostError } from "../../src/core/errors.ts";
import { substitute } from "../../src/core/substitute.ts";
import { makeWorld } from "../helpers/cli.ts";
import { type Random, randomFrom } from "../helpers/random.ts";
import { enter, leave, watch } from "../helpers/served.ts";
import { SHELLS } from "../helpers/shells.ts";
import { importTargets } from "./lib/fuzz-imports.ts";
import { pureTargets, type Target } from "./lib/fuzz-targets.ts";
import { mutator, shortened } from "./lib/mutate.ts";
import { report, torture } from "./lib/torture.ts";

const world = makeWorld();
let targets: readonly Target[] = [];
beforeAll(async () => {
  enter(world);
  const { home } = await watch(world, world.bare());
  targets = [...pureTargets, ...importTargets(home, world.at("register"))];
});
afterAll(() => leave(world));

// Most inputs end in an error, and most of an error's time goes into where it came from.
const { stackTraceLimit } = Error;
beforeAll(() => {
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

/** For inputs of which one takes some microseconds. */
const BATCH = 200;
const WATCHDOG = 5000;

type Broken = { target: string; input: string; error: string };

/** Whether an error is one that says what to do next, or why not. */
const isDeclared = (error: unknown): boolean => error instanceof GatepostError && error.code !== "GP_BUG";

/** Runs `work`, and ends it where it does not end itself; false then. */
function endsInTime(work: () => void): boolean {
  const place = globalThis as unknown as Record<string, () => void>;
  place["gatepostFuzz"] = work;
  try {
    new Script("gatepostFuzz()").runInThisContext({ timeout: WATCHDOG });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    return false;
  }
}

/** What is wrong with a target's answer to an input; null where nothing is. */
function fault({ check }: Target, input: string, random: Random): string | null {
  try {
    check(input, random);
    return null;
  } catch (error) {
    return isDeclared(error) ? null : String(error);
  }
}

function tryInputs(target: Target, inputs: readonly string[], random: Random): Broken[] {
  const broken: Broken[] = [];
  let at = 0;
  while (at < inputs.length) {
    const work = (): void => {
      for (; at < inputs.length; at++) {
        const input = inputs[at] ?? "";
        const error = fault(target, input, random);
        if (error !== null) broken.push({ target: target.name, input, error });
      }
    };
    if (endsInTime(work)) break;
    // The whole batch may have been slow; the one it stopped at hangs only if it does so alone.
    const input = inputs[at++] ?? "";
    if (!endsInTime(() => void fault(target, input, random)))
      broken.push({ target: target.name, input, error: `not over after ${WATCHDOG} ms` });
  }
  return broken;
}

const targetOf = (name: string): Target => {
  const found = targets.find((target) => target.name === name);
  if (found === undefined) throw new Error(`there is no target ${name}`);
  return found;
};

test("A11, E10, G7: inputs that broke something once break nothing now", () => {
  const corpus = JSON.parse(readFileSync(new URL("../fixtures/fuzz-corpus.json", import.meta.url), "utf8")) as {
    target: string;
    input?: string;
    repeat?: [string, number][];
  }[];
  const broken = corpus.flatMap(({ target, input, repeat = [] }) => {
    const text = input ?? repeat.map(([part, times]) => part.repeat(times)).join("");
    return tryInputs(targetOf(target), [text], randomFrom(1));
  });
  expect(broken).toEqual([]);
});

test("A11, E10, G7: whatever is read, only declared errors come of it", () => {
  const asked = torture(200_000);
  const { random, count, seed } = asked;
  const mutate = mutator(random);
  const total = targets.reduce((sum, { share }) => sum + share, 0);
  const broken: Broken[] = [];
  const start = performance.now();
  let tried = 0;
  for (const target of targets) {
    const seen = new Set<string>();
    const begun = performance.now();
    const wanted = Math.ceil((count * target.share) / total);
    for (let left = wanted; left > 0 && seen.size < 3; left -= BATCH) {
      const inputs = Array.from({ length: Math.min(BATCH, left) }, () => mutate(target.seeds));
      tried += inputs.length;
      for (const one of tryInputs(target, inputs, random)) {
        if (seen.has(one.error)) continue;
        seen.add(one.error);
        const isSame = (input: string): boolean => fault(target, input, random) === one.error;
        const input = one.error.startsWith("not over") ? one.input : shortened(one.input, isSame);
        broken.push({ ...one, input });
        console.log(JSON.stringify({ ...one, input, seed }));
      }
    }
    if (process.env["TORTURE_TIMES"])
      console.log(target.name, Math.round(wanted / ((performance.now() - begun) / 1000)), "/s");
  }
  const each = Math.round(tried / ((performance.now() - start) / 1000));
  report("fuzz", { inputs: tried, "broken by them": broken.length, "in a second": each }, asked);
  expect(broken, `seed ${seed}`).toEqual([]);
  expect(tried).toBeGreaterThanOrEqual(count);
});

test("whatever is given as a cron expression, it is taken or refused", async () => {
  const { random, count, seed } = torture(200_000);
  const mutate = mutator(random);
  const seeds = ["*/5 * * * *", "0 1-5/2,7 * jan mon", "30 0 0 1 1 0", "1-999999999 * * * *", "* * L * *"];
  for (let left = Math.ceil(count / 200); left > 0; left--) {
    const expression = mutate(seeds);
    const error = await requireCron(expression).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error === null || isDeclared(error), JSON.stringify({ expression, seed, error: String(error) })).toBe(true);
  }
});

const HOSTILE = [
  "a b; : >canary",
  "$(: >canary)`: >canary`",
  "'; : >canary; '",
  '"; : >canary; "',
  "\n: >canary\n",
  "*",
  "-n",
  "${IFS}\\",
  "&& : >canary #",
  "~/[a-z]*?{a,b}",
];

test("E10: in real shells a place is one word, whatever stands in it and around it", () => {
  const { random, count, seed } = torture(200_000);
  const dir = mkdtempSync(join(tmpdir(), "gatepost-torture-"));
  try {
    for (let left = Math.ceil(count / 500); left > 0; left--) {
      const value = random.pick(HOSTILE);
      // Each word is a pile of such pieces, and what they are when the shell is done with them.
      const pieces: readonly [string, string][] = [
        ["%R", value],
        ["'a %R'", `a ${value}`],
        ['"%R;b"', `${value};b`],
        ["\\%R", value],
        ["${x:-%R}", value],
        ["c", "c"],
        ["%%R", "%R"],
        ["$(printf %%s. %R)", `${value}.`],
      ];
      const words = Array.from({ length: 1 + random.below(4) }, () =>
        Array.from({ length: 1 + random.below(3) }, () => random.pick(pieces)),
      ).filter((word) => !word.some(([part]) => part.startsWith("$(") && /[*?~ \n]/.test(value)));
      const source = words.map((word) => word.map(([text]) => text).join("")).join(" ");
      const wanted = words.map((word) => word.map(([, meaning]) => meaning).join(""));
      const made = substitute(`p ${source}`);
      if (!made.ok) throw new Error(`${JSON.stringify({ source, seed })} was refused: ${made.reason}`);
      const [file, ...flags] = random.pick(SHELLS);
      const text = `p() { for w; do printf '%s\\0' "$w"; done; }\n${made.command}`;
      const shell = spawnSync(file, [...flags, "-c", text], {
        cwd: dir,
        env: { PATH: process.env["PATH"], GATEPOST_REPOSITORY: value, GATEPOST_PROGRAM: "/p", GATEPOST_AUX: "" },
        stdio: ["ignore", "pipe", "ignore"], // bash reads ~/.bashrc where its stdin is a socket
      });
      expect({
        source,
        value,
        said: shell.stdout.toString().split("\0").slice(0, -1),
        seed,
      }).toEqual({
        source,
        value,
        said: wanted,
        seed,
      });
      expect(readdirSync(dir), JSON.stringify({ source, value, seed })).toEqual([]);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
