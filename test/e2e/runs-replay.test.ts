/** `runs replay` and `runs drop` of many runs at once: what failed, what is parked, what the window left out. */
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { write } from "../../src/store/database.ts";
import { makeWorld, type Outcome } from "../helpers/cli.ts";
import { enter, leave, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

const gatepost = (r: Served, ...args: string[]): Outcome => world.gatepost([...args, "-R", r.path]);
const states = (r: Served): string[] => r.runs().map(({ id, state }) => `${id} ${state}`);
/** The rows of what was printed, their blanks made one. */
const rows = ({ stdout }: Outcome): string[] =>
  stdout
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.trim().replaceAll(/ {2,}/g, " "));

test("all that failed or is parked runs again once, as said before by --dry-run, and nothing of it a second time", async () => {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  const ready = r.file("ready");
  r.hook(`test -e '${ready}'`, { name: "once" });
  r.hook(`test -e '${ready}'`, { name: "again", retries: 1 });
  r.push();
  await r.pass({ stay: true });
  r.push();
  await r.pass({ stay: true });
  expect(states(r)).toEqual(["1 failed", "2 parked", "3 failed", "4 parked"]);
  expect(rows(gatepost(r, "runs", "replay", "--failed", "--dry-run"))).toEqual([
    "new r1.git once a-1, exit 1",
    "a-2 r1.git again a-2, exit 1, after 2 attempts",
    "new r1.git once a-3, exit 1",
    "a-4 r1.git again a-4, exit 1, after 2 attempts",
  ]);
  expect(gatepost(r, "runs", "replay", "--failed", "--hook", "again", "--dry-run").stderr).toBe(
    "2 runs would start.\n",
  );
  expect(states(r), "nothing was changed").toEqual(["1 failed", "2 parked", "3 failed", "4 parked"]);

  fs.writeFileSync(ready, "");
  const done = gatepost(r, "runs", "replay", "--failed");
  expect(rows(done).map((line) => line.split(" ")[0])).toEqual(["a-5", "a-2", "a-6", "a-4"]);
  expect(done.stderr).toMatch(/^4 runs will start\.\nNo backoffice is running; start one: /);
  await r.pass();
  expect(states(r)).toEqual(["1 failed", "2 done", "3 failed", "4 done", "5 done", "6 done"]);
  expect(gatepost(r, "runs", "replay", "--failed")).toMatchObject({ code: 0, stdout: "", stderr: "No run matches.\n" });
  expect(JSON.parse(gatepost(r, "runs", "replay", "--failed", "--json").stdout)).toEqual({ dryRun: false, runs: [] });
});

test("parked runs alone are released or given up, those since a time, and more than a thousand are counted aloud", async () => {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  r.hook("exit 1", { name: "ci", retries: 1 });
  r.push();
  await r.pass({ stay: true });
  const [first] = r.runs();
  const { sqlite } = r.home.db;
  const copy = sqlite.prepare(
    `INSERT INTO run (incarnation, repository, hook, hook_name, type, sequence, batch, replay_of, state, reason, made_at, ended_at)
     SELECT incarnation, repository, hook, hook_name, type, sequence, batch, NULL, state, reason, :at, ended_at FROM run WHERE id = 1`,
  );
  sqlite.exec("DROP INDEX run_once");
  write(r.home.db, () => {
    for (let more = 0; more < 1200; more++) copy.run({ at: Date.now() - 86_400_000 });
  });
  expect(first?.state).toBe("parked");
  const all = gatepost(r, "runs", "replay", "--parked", "--dry-run");
  expect(all.stderr).toBe("1,201 runs would start; mind that this is more than a thousand.\n");
  expect(rows(all)).toHaveLength(21);
  expect(rows(all).at(-1)).toBe("… and 1,181 more");
  expect(rows(gatepost(r, "runs", "replay", "--parked", "--since", "1h", "--dry-run"))).toHaveLength(1);
  expect(gatepost(r, "runs", "drop", "--parked", "--since", "1h").stderr).toBe("1 run given up.\n");
  expect(sqlite.prepare("SELECT reason FROM run WHERE id = 1").pluck().get()).toMatch(/^dropped by /);
  expect(gatepost(r, "runs", "drop", "--parked", "--json").code).toBe(0);
  expect(sqlite.prepare("SELECT count(*) FROM run WHERE state = 'parked'").pluck().get()).toBe(0);
});

test("what the window left out is handed to each hook that got the batch, once, one run for each receipt", async () => {
  const r = await serve(world);
  r.hook(`cat >> '${r.file("got")}'`, { name: "mail" });
  r.hook(`cat >> '${r.file("docs")}'`, { name: "docs", refs: ["docs/*"] });
  const old = [r.push(), r.push({ to: "docs/x" })];
  r.hook("true", { name: "off" });
  r.set("window", "1h");
  for (const entry of r.spool()) {
    const at = fs.statSync(entry).mtimeMs / 1000 - 9000; // in their order still
    fs.utimesSync(entry, at, at);
  }
  const young = r.push();
  await r.pass();
  expect(r.batches()).toMatchObject([{ receipts: 1, leftOut: 2 }]);
  expect(r.read("got")).toContain(`${young} check-in`);
  expect(r.read("got")).not.toContain(old[0]);
  const late = r.hook(`cat > '${r.file("late")}'`, { name: "late" });
  expect(rows(gatepost(r, "runs", "replay", "--left-out", "--dry-run"))).toEqual([
    "new r3.git mail receipt 1",
    "new r3.git off receipt 1",
    "new r3.git mail receipt 2",
    "new r3.git docs receipt 2",
    "new r3.git off receipt 2",
  ]);
  expect(gatepost(r, "runs", "replay", "--left-out", "--since", "1h").stderr).toBe("No run matches.\n");
  expect(gatepost(r, "runs", "replay", "--left-out").stderr).toMatch(/^5 runs will start\./);
  await r.pass();
  for (const hash of old) expect(r.read("got")).toContain(`${hash} check-in`);
  expect(r.read("docs")).toContain(`${old[1]} check-in`);
  expect(gatepost(r, "runs", "replay", "--left-out").stderr, "no second time").toBe("No run matches.\n");
  expect(gatepost(r, "runs", "replay", "--left-out", "--hook", String(late.id)).stderr).toMatch(/^2 runs will start\./);
  await r.pass();
  expect(r.read("late")).toContain(`${old[1]} check-in`);
  expect(r.runs().filter(({ state, reason }) => state === "skipped" && reason === null)).toEqual([]);
});

test("runs are named or all of a kind are meant, not both, and the limits are nothing without a kind", async () => {
  const r = await serve(world);
  for (const args of [
    ["replay", "a-1", "--failed"],
    ["replay", "--failed", "--parked"],
    ["replay", "--since", "1h"],
    ["drop", "--hook", "1"],
    ["drop"],
    ["replay"],
  ])
    expect(gatepost(r, "runs", ...args), args.join(" ")).toMatchObject({ code: 2, stdout: "" });
});
