/** Alarms: on:NAME hooks are told once of each cause, with the facts, and never of themselves. */
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { findRuns } from "../../src/store/run-view.ts";
import { makeWorld, until } from "../helpers/cli.ts";
import { backdate, enter, leave, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

/** All runs for events, oldest first. */
const alarms = (r: Served) =>
  findRuns(r.home.db, { repository: r.row.id, hook: null, states: null, since: null, after: null, limit: 99 })
    .filter(({ event }) => event !== null)
    .reverse();
const events = (r: Served): { name: string; cause: string; over_at: number | null }[] =>
  r.home.db.sqlite
    .prepare("SELECT name, cause, over_at FROM event WHERE repository = ? ORDER BY id")
    .all(r.row.id) as never;

test("a run that is parked is told of once, with the facts in a file, nothing on stdin and the run in the environment", async () => {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  r.hook("exit 7", { name: "ci", retries: 1 });
  const told = `cat %A > '${r.file("facts")}'; cat > '${r.file("stdin")}'; echo "$GATEPOST_TYPE $GATEPOST_RUN $GATEPOST_ATTEMPT $GATEPOST_REPOSITORY" >> '${r.file("env")}'`;
  r.hook(told, { type: "on:parked", name: "page" });
  r.push();
  await r.pass({ stay: true });
  const [parked] = r.runs();
  expect(parked).toMatchObject({ state: "parked", attempts: 2 });
  const facts = JSON.parse(r.read("facts"));
  expect(facts).toMatchObject({
    attempt: 1,
    hook: { name: "page", type: "on:parked" },
    repository: { name: r.row.name, path: r.path, kind: "git" },
    event: { name: "parked" },
    says: `run a-${parked?.id} is parked: exit 7, after 2 attempts`,
    parked: { run: `a-${parked?.id}`, attempts: 2, reason: "exit 7, after 2 attempts", hook: { name: "ci" } },
  });
  expect(facts.mend).toContain(`gatepost runs replay a-${parked?.id}`);
  expect(r.read("stdin")).toBe("");
  expect(r.read("env")).toBe(`on:parked ${facts.run} 1 ${r.path}\n`);
  expect(alarms(r)).toMatchObject([{ state: "done", type: "on:parked", batch: null, gate: null }]);
  await r.pass();
  expect(alarms(r), "the cause is told of once").toHaveLength(1);
  expect(world.gatepost(["runs", "-R", r.path]).stdout).toContain("is parked: exit 7");
  expect(world.gatepost(["runs", "show", facts.run, "-R", r.path]).stdout).toContain("hook 2 (page) on:parked");

  world.gatepost(["runs", "release", `a-${parked?.id}`, "-R", r.path]);
  await r.pass({ stay: true });
  expect(alarms(r), "parked again is news").toHaveLength(2);
});

test("an alarm that fails is tried again and parked as any hook, and raises no alarm about itself", async () => {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  r.hook("kill -9 $$; exit 1", { retries: 1 });
  r.hook("exit 1", { type: "on:parked", retries: 2 });
  r.push();
  await r.pass({ stay: true });
  expect(alarms(r)).toMatchObject([{ state: "parked", attempts: 3, reason: "exit 1, after 3 attempts" }]);
  expect(events(r)).toMatchObject([{ name: "parked" }]);
});

test("an alarm does not wait behind the batches of its repository", async () => {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  const log = r.file("log");
  r.hook("exit 1", { retries: 1, sequence: 1, refs: ["refs/heads/main"] });
  r.hook(`echo told >> '${log}'`, { type: "on:parked" });
  r.push();
  await r.pass();
  // Ends only when the alarm was given.
  r.hook(`until [ -e '${log}' ]; do sleep 0.02; done`, { sequence: 2 });
  r.push({ to: "other" });
  await r.pass({ stay: true });
  expect(r.runs().map(({ state }) => state)).toEqual(["parked", "skipped", "done"]);
  expect(r.read("log")).toBe("told\n");
});

test("what the window left out is told of with its batch, in the transaction of the cut", async () => {
  const r = await serve(world);
  r.hook("true");
  r.hook(`cat %A > '${r.file("facts")}'`, { type: "on:left-out" });
  r.push({ files: { a: "1" } });
  for (const file of r.spool()) backdate(file, 3 * 86_400_000);
  const left = r.spool().length;
  r.push({ files: { a: "2" } });
  await r.pass();
  const [batch] = r.batches();
  expect(batch).toMatchObject({ receipts: 1, leftOut: left });
  const facts = JSON.parse(r.read("facts"));
  expect(facts.leftOut).toMatchObject({
    batch: batch?.id,
    count: 1,
    window: "24h",
    receipts: [{ rcvid: r.receipts()[0]?.id }],
  });
  expect(events(r)).toMatchObject([{ name: "left-out", cause: `batch ${batch?.id}` }]);
});

test("a run whose backoffice died too often is parked by the next one, which tells of it", async () => {
  const r = await serve(world);
  r.hook("true");
  r.hook(`echo told >> '${r.file("log")}'`, { type: "on:parked" });
  r.push();
  const hook = r.runs();
  expect(hook).toEqual([]);
  const { sqlite } = r.home.db;
  await r.pass();
  const [run] = r.runs();
  for (let number = 2; number <= 11; number++)
    sqlite
      .prepare("INSERT INTO attempt (run, number, token, started_at, ended_at, outcome) VALUES (?, ?, 0, 0, 0, 'lost')")
      .run(run?.id, number);
  sqlite
    .prepare("UPDATE run SET state = 'running', ended_at = NULL, due_at = NULL, attempts = 12 WHERE id = ?")
    .run(run?.id);
  sqlite.prepare("INSERT INTO attempt (run, number, token, started_at) VALUES (?, 12, 0, 0)").run(run?.id);
  await r.pass();
  expect(r.runs()[0]).toMatchObject({ state: "parked", reason: expect.stringContaining("died") });
  expect(r.read("log")).toBe("told\n");
});

test("the types say which events are fired, a misspelt one is corrected, and another is kept with a word of warning", async () => {
  const r = await serve(world);
  const at = ["-R", r.path];
  const types = world.gatepost(["hook", "types", ...at]).stdout;
  for (const name of ["parked", "left-out", "gate-missing"]) expect(types).toContain(`on:${name}`);
  const add = (type: string) => world.gatepost(["hook", "add", ...at, "--type", type, "--command", "true"]);
  expect(add("on:parkd")).toMatchObject({ code: 2, stderr: expect.stringContaining("Did you mean on:parked?") });
  expect(add("on:deployed")).toMatchObject({ code: 0, stderr: expect.stringContaining("nothing fires on:deployed") });
  expect(add("on:parked").stderr).not.toContain("Mind");
  expect(
    world.gatepost(["hook", "add", ...at, "--type", "on:parked", "--command", "x", "--each", "receipt"]).code,
  ).toBe(2);
});

test("retention takes events with the last of their runs", async () => {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  r.hook("exit 1", { retries: 1 });
  r.hook("true", { type: "on:parked" });
  r.push();
  await r.pass({ stay: true });
  expect(events(r)).toHaveLength(1);
  const { sqlite } = r.home.db;
  sqlite.exec("UPDATE run SET ended_at = 1 WHERE ended_at IS NOT NULL; UPDATE event SET at = 1");
  sqlite.exec("INSERT OR REPLACE INTO setting VALUES ('retention-runs', '1'), ('retention-age', '1s')");
  sqlite.exec("DELETE FROM setting WHERE name = 'pruned.at'");
  for (let n = 0; n < 2; n++) r.push({ files: { a: `${n}` } });
  await r.pass();
  await until("the event is gone", () => events(r).length <= 1);
  expect(fs.existsSync(r.home.layout.database)).toBe(true);
});
