/** What `gatepost runs` says of runs on batches, and which of its calls a run takes: the built program, asked by a person. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { write } from "../../src/store/database.ts";
import { putSetting } from "../../src/store/setting.ts";
import { fails, makeWorld, type Outcome, prints, until } from "../helpers/cli.ts";
import { enter, leave, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

const gatepost = (r: Served, ...args: string[]): Outcome => world.gatepost([...args, "-R", r.path]);
const states = (r: Served): string[] => r.runs().map(({ state }) => state);
/** The lines of the list below its headings, newest run first. */
const list = (r: Served, ...args: string[]): string[] =>
  gatepost(r, "runs", ...args)
    .stdout.trimEnd()
    .split("\n")
    .slice(1);
const noneRuns = (r: Served): string =>
  `No backoffice is running; start one: gatepost backoffice --home ${r.home.dir}\n`;

/** A hook that fails until there is a file, with one retry after a millisecond. */
async function failing(options: { inOrder?: boolean } = {}): Promise<Served> {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  r.hook(`test -e '${r.file("ready")}'`, { name: "ci", retries: 1, ...options });
  return r;
}

/** Passes of a program of its own, as cron makes them, until the run is parked; what the last of them said. */
async function parkByCron(r: Served): Promise<Outcome> {
  let last: Outcome | null = null;
  await until("the run is parked", () => {
    last = world.gatepost(["backoffice", r.path]);
    return r.runs()[0]?.state === "parked";
  });
  if (last === null) throw new Error("no pass was made");
  return last;
}

test("a pass that parks a run says so in one line on stderr and ends well, and the attempts it names are all there were", async () => {
  const r = await failing();
  r.push();
  expect(await parkByCron(r)).toEqual(fails(0, "gatepost: run a-1 is parked: exit 1, after 2 attempts\n"));
  expect(gatepost(r, "runs", "release", "a-1")).toEqual(fails(0, `run a-1 will start\n${noneRuns(r)}`));
  expect(await parkByCron(r)).toEqual(fails(0, "gatepost: run a-1 is parked: exit 1, after 4 attempts\n"));
  const shown = gatepost(r, "runs", "show", "a-1").stdout;
  expect(shown.match(/^attempt /gm)).toHaveLength(4);
  expect(shown).toMatch(
    /\nparked: exit 1, after 4 attempts\nAgain, with all its retries: gatepost runs release a-1 {5}Give up: gatepost runs drop a-1\n$/,
  );
});

test("release takes parked runs alone, and of another says which call fits", async () => {
  const r = await failing();
  r.push();
  await r.pass({ stay: true });
  expect(states(r)).toEqual(["parked"]);
  r.set("retry-base", "1h");
  r.push();
  await r.pass();
  expect(states(r)).toEqual(["parked", "waiting"]);
  expect(gatepost(r, "runs", "release", "a-1", "a-2")).toEqual(
    fails(
      2,
      "gatepost: Run a-2 waits, and is not parked. Nothing was changed.\nTo start it now: gatepost runs replay a-2\n",
    ),
  );
  expect(states(r), "none, where one is refused").toEqual(["parked", "waiting"]);
  expect(gatepost(r, "runs", "release", "1").code).toBe(0);
  fs.writeFileSync(r.file("ready"), "");
  await r.pass();
  expect(states(r)).toEqual(["done", "waiting"]);
  expect(gatepost(r, "runs", "release", "a-1")).toEqual(
    fails(
      2,
      "gatepost: Run a-1 is done, not parked. Nothing was changed.\nTo run it once more: gatepost runs replay a-1\n",
    ),
  );
  expect(r.runs()).toHaveLength(2);
});

test("a run that --in-order holds back names the one it waits for, in the list, alone and in the JSON", async () => {
  const r = await failing({ inOrder: true });
  r.hook("true", { name: "free" });
  r.push();
  await r.pass({ stay: true });
  r.push();
  r.push();
  await r.pass();
  expect(
    r
      .runs()
      .filter(({ state }) => state === "waiting")
      .map(({ id }) => id),
  ).toEqual([3]);
  expect(list(r, "--hook", "ci").map((line) => line.split(/ {2,}/).at(-1))).toEqual([
    "waits for a-1, which is parked",
    "parked: exit 1, after 2 attempts",
  ]);
  const shown = gatepost(r, "runs", "show", "a-3").stdout;
  expect(shown).toMatch(
    /\nwaits for a-1, which is parked\nAbout that: gatepost runs show a-1 {5}Stop trying: gatepost runs drop a-3\n$/,
  );
  expect(shown).not.toContain("is due");
  r.set("retry-base", "1h");
  gatepost(r, "runs", "release", "a-1");
  await r.pass();
  expect(list(r, "--hook", "ci")[0]).toMatch(/ waits for a-1, which waits too$/);
  const { runs } = JSON.parse(gatepost(r, "runs", "--json").stdout) as {
    runs: { id: string; heldBy: string | null }[];
  };
  expect(runs.map(({ id, heldBy }) => [id, heldBy])).toEqual([
    ["a-4", null],
    ["a-3", "a-1"],
    ["a-2", null],
    ["a-1", null],
  ]);
});

test("a filter that no run meets is not taken for a home where nothing ran", async () => {
  const r = await failing();
  expect(gatepost(r, "runs")).toEqual(fails(0, "Nothing ran yet.\n"));
  expect(gatepost(r, "runs", "--failed")).toEqual(fails(0, "Nothing ran yet.\n"));
  r.set("retry-base", "1h");
  r.push();
  await r.pass();
  expect(states(r)).toEqual(["waiting"]);
  for (const filter of [["--failed"], ["--parked"], ["--refused"], ["--since", "2999-01-01"]])
    expect(gatepost(r, "runs", ...filter), filter.join(" ")).toEqual(fails(0, "No run matches.\n"));
  expect(list(r)).toHaveLength(1);
});

describe("after a restore", () => {
  test("a run keeps its name in the log, its number does not answer to another's, and what it is replayed as has the new series' name", async () => {
    const r = await serve(world);
    r.hook('[ "$GATEPOST_ATTEMPT" != 1 ] || kill -KILL "$PPID"');
    r.push();
    expect(world.gatepost(["backoffice", r.path]).code).toBeNull();
    write(r.home.db, () => putSetting(r.home.db, "incarnation", "b"));
    const { stderr, code } = world.gatepost(["backoffice", "--debug", r.path]);
    expect(stderr).toContain("gatepost: run a-1: attempt 1 was lost with its backoffice; it runs again\n");
    expect(stderr).not.toContain("b-1");
    expect({ code, states: states(r) }).toEqual({ code: 0, states: ["done"] });
    const missing = (word: string, hint: string) => fails(3, `gatepost: There is no run ${word}.\n${hint}\n`);
    expect(gatepost(r, "runs", "show", "b-1")).toEqual(missing("b-1", "Number 1 is run a-1."));
    expect(gatepost(r, "runs", "drop", "a-2")).toEqual(missing("a-2", "The latest runs: gatepost runs"));
    expect(gatepost(r, "runs", "show", "7")).toEqual(missing("7", "The latest runs: gatepost runs"));
    expect(gatepost(r, "runs", "replay", "a-1").stderr).toBe(`run b-2 will start\n${noneRuns(r)}`);
    expect(gatepost(r, "runs", "show", "b-2").code).toBe(0);
  });
});

test("a length of time that was set without its unit is shown with it, but to programs as it was set", async () => {
  const r = await serve(world);
  expect(gatepost(r, "settings", "retry-base", "1")).toEqual(fails(0, "retry-base is 1 s\n"));
  expect(gatepost(r, "settings", "grace", "2m")).toEqual(fails(0, "grace is 2m\n"));
  expect(gatepost(r, "settings", "retention-runs", "7")).toEqual(fails(0, "retention-runs is 7\n"));
  expect(gatepost(r, "settings").stdout).toMatch(/^retry-base +1 s +wait before/m);
  expect(gatepost(r, "settings", "retry-base")).toEqual(prints("1\n"));
});

test("a torture that is not named is asked for, with the names there are", () => {
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  for (const words of [[], ["nothing"]]) {
    const { status, stderr } = spawnSync(process.execPath, ["test/torture/run.mjs", ...words], {
      cwd,
      encoding: "utf8",
    });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^(Which torture\?|There is no torture "nothing"\.) There are: .*\bkill\b.*\n$/);
  }
});
