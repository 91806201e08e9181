/**
 * Where Fossil's own backoffice fails people and Gatepost does not, one test for each defect (numbered as in our notes on
 * Fossil): first the real fossil, then Gatepost, as a rule on the same repository and the same arrivals. What Gatepost
 * does in detail is shown by fossil-batches.test.ts and fossil-daemon.test.ts. D7 and D12 to D15 are in
 * fossil-gates.test.ts, D8 to D11 in hook-fossil.test.ts, D16 to D19 and D23 to D25 in fossil-defects-more.test.ts.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { until } from "../helpers/cli.ts";
import { endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";
import { checkIns, enterFossil, makeFossilWorld, manyFiles, watchFossil } from "../helpers/fossil.ts";
import { both } from "../helpers/fossil-both.ts";
import { leave } from "../helpers/served.ts";
import { another } from "../vcs/fossil-stand.ts";

const world = makeFossilWorld();
enterFossil(world);
afterAll(() => leave(world));
endDaemonsAfterEach();

const HOUR = 3_600_000;

test("Fossil's D1: a lone push after a quiet day reaches the hook; with Fossil it gets an empty list", async () => {
  const file = world.repository();
  world.sql(file, "INSERT INTO config(name, value, mtime) VALUES('hook-last-rcvid', 1, 0)");
  world.age(file, 25 * HOUR);
  const b = await both(world, file);
  const pushed = world.checkIn(world.open(file));
  b.fossilPass();
  expect(await b.fossilGot()).toBe("");
  expect(b.config("hook-last-rcvid"), "and it is lost").toBe("2");
  await b.r.pass();
  expect(checkIns(b.got("gatepost") ?? "")).toEqual([pushed]);
});

test("Fossil's D2: what is older than a day is left out by name, or not at all; Fossil drops it without a word", async () => {
  const file = world.repository();
  world.sql(file, "INSERT INTO config(name, value, mtime) VALUES('hook-last-rcvid', 1, 0)");
  world.age(file, 60 * HOUR);
  const b = await both(world, file);
  b.r.home.db.sqlite.prepare("UPDATE receipt SET at = 0").run();
  const w = world.open(file);
  const pushed = [world.checkIn(w), world.checkIn(w), world.checkIn(w)];
  world.age(file, 48 * HOUR, 2);
  world.age(file, 47 * HOUR, 3);
  b.fossilPass();
  expect(checkIns(await b.fossilGot())).toEqual([]);
  b.r.set("window", "all");
  await b.r.pass();
  expect(checkIns(b.got("gatepost") ?? "")).toEqual(pushed);

  world.checkIn(w);
  world.checkIn(w);
  b.r.set("window", "24h");
  world.age(file, 30 * HOUR, 5);
  b.r.home.db.sqlite.prepare("UPDATE receipt SET at = at - ?").run(40 * HOUR);
  b.r.home.db.sqlite.prepare("UPDATE repository SET looked_at = looked_at - ?").run(40 * HOUR);
  await b.r.pass();
  const run = `${b.r.runs().at(-1)?.id}`;
  expect(world.gatepost(["runs", "show", run, "-R", file]).stdout).toContain(
    "1 receipt older than the window left out",
  );
});

test("Fossil's D3: a second pass right behind the first works at once; Fossil's does nothing for a minute", async () => {
  const b = await both(world);
  world.fossil(["backoffice", b.path]);
  world.wiki(b.path);
  fs.rmSync(b.file("fossil"), { force: true });
  const last = b.config("hook-last-rcvid");
  expect(world.tryFossil(["backoffice", "--nodelay", b.path])).toEqual({ stdout: "", stderr: "", code: 0 });
  expect([b.got("fossil"), b.config("hook-last-rcvid")]).toEqual([null, last]);
  const [, expires] = b.config("backoffice").split(" ").map(Number);
  expect((expires ?? 0) - Date.now() / 1000, "the lease, for which it would have slept").toBeGreaterThan(40);

  expect(world.gatepost(["backoffice", b.path]).code).toBe(0);
  world.wiki(b.path, "second");
  expect(world.gatepost(["backoffice", "--nodelay", b.path]).code).toBe(0);
  expect(b.got("gatepost")).toContain(' wiki "second"\n');
});

test("Fossil's D4: how a hook ended and what it said is kept; Fossil throws away both", async () => {
  const b = await both(world);
  b.add(`echo said; echo x >&2; : > '${b.file("ran")}'; exit 3`);
  b.r.hook("echo said; echo x >&2; exit 3", { name: "fails", sequence: 1 });
  world.wiki(b.path);
  const passed = world.tryFossil(["backoffice", "--nolease", b.path]);
  await until("it ran", () => fs.existsSync(b.file("ran")));
  expect(passed.code).toBe(0);
  expect(b.config("hook-last-rcvid"), "it counts as done").toBe("2");
  expect(world.fossil(["hook", "status", "-R", b.path]).replace(/'\[.*\n/, "")).not.toMatch(/said|3\b/);
  await b.r.pass();
  const [failed, after] = b.r.runs();
  expect(failed).toMatchObject({ state: "failed", reason: "exit 3" });
  expect(after).toMatchObject({ state: "done" });
  const shown = world.gatepost(["runs", "show", `${failed?.id}`, "-R", b.path]).stdout;
  for (const part of ["exit 3", "said\n", "x\n"]) expect(shown).toContain(part);
});

test("Fossil's D5: a hook that does not read holds up nobody; with Fossil a commit fails", async () => {
  const r = await watchFossil(world);
  const w = world.open(r.path);
  world.fossil(["settings", "autosync", "off", "-R", r.path]);
  manyFiles(world, r.path);
  const sits = (whose: string): string =>
    `: > '${r.file(whose)}'; while [ ! -e '${r.file("go")}' ]; do sleep 0.02; done; cat > '${r.file(`${whose}-got`)}'`;
  const add = ["hook", "add", "--type", "after-receive", "--command", sits("fossil"), "-R", r.path];
  world.fossil(add);
  world.sql(r.path, "INSERT INTO config(name, value, mtime) VALUES('hook-last-rcvid', 1, 0)");
  fs.writeFileSync(`${w.root}/own`, "own\n");
  world.fossil(["add", "own"], { cwd: w.root });
  const commit = () => world.tryFossil(["commit", "-m", "own", "--no-warnings"], { cwd: w.root });

  const fossil = world.startFossil(["backoffice", "--nolease", r.path]);
  await until("Fossil's hook sits", () => fs.existsSync(r.file("fossil")));
  const refused = commit();
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("database is locked");
  fs.writeFileSync(r.file("go"), "");
  await fossil;

  fs.rmSync(r.file("go"));
  r.hook(sits("gatepost"));
  const gatepost = world.start(["backoffice", r.path]);
  const ended = once(gatepost, "exit");
  await until("Gatepost's hook sits", () => fs.existsSync(r.file("gatepost")));
  expect(commit()).toMatchObject({ code: 0 });
  fs.writeFileSync(r.file("go"), "");
  await ended;
});

test("Fossil's D6: hooks run one after the other in their sequence; Fossil starts them side by side", async () => {
  const b = await both(world);
  // The first waits for what the second does, which can only end well where they overlap.
  b.add(`while [ ! -e '${b.file("go")}' ]; do sleep 0.02; done; echo first >> '${b.file("log")}'`, 1);
  b.add(`echo second >> '${b.file("log")}'; : > '${b.file("go")}'`, 2);
  world.wiki(b.path);
  b.fossilPass();
  await until(
    "both ran",
    () => fs.existsSync(b.file("log")) && fs.readFileSync(b.file("log"), "utf8").includes("first"),
  );
  expect(fs.readFileSync(b.file("log"), "utf8")).toBe("second\nfirst\n");

  const log = b.file("log2");
  b.r.hook(`echo 10 begins >> '${log}'`, { sequence: 10 });
  b.r.hook(`echo 9 begins >> '${log}'; cat > /dev/null; sleep 0.1; echo 9 ends >> '${log}'`, { sequence: 9 });
  await b.r.pass();
  expect(fs.readFileSync(log, "utf8")).toBe("9 begins\n9 ends\n10 begins\n");
});

test("Fossil's D20: called twice, and with several repositories, a pass does all of it; Fossil passes over them in silence", async () => {
  const [a, b] = [await both(world), await both(world)];
  world.fossil(["backoffice", a.path, b.path]);
  for (const one of [a, b]) {
    world.wiki(one.path, "later");
    fs.rmSync(one.file("fossil"), { force: true });
  }
  expect(world.tryFossil(["backoffice", a.path, b.path, world.at("none.fossil")])).toMatchObject({
    stderr: "",
    code: 0,
  });
  expect([a.got("fossil"), b.got("fossil")]).toEqual([null, null]);

  world.gatepost(["backoffice", a.path, b.path]);
  for (const one of [a, b]) fs.rmSync(one.file("gatepost"));
  for (const one of [a, b]) world.wiki(one.path, "again");
  const outcome = world.gatepost(["backoffice", a.path, b.path, world.at("none.fossil")]);
  for (const one of [a, b]) expect(one.got("gatepost")).toContain(' wiki "again"\n');
  expect(outcome.code).not.toBe(0);
  expect(outcome.stderr).toContain("none.fossil");
});

test("Fossil's D21: a commit in WAL mode is seen while somebody reads; Fossil's poll looks at the main file's time alone", async () => {
  const [a, marker] = [await both(world), await both(world)];
  world.fossil(["rebuild", "--wal", a.path]);
  const w = world.open(a.path);
  const poll = spawn("fossil", ["backoffice", "--poll", "1", "--nolease", a.path, marker.path], {
    cwd: world.dir,
    env: world.env,
    stdio: "ignore",
  });
  const ended = once(poll, "exit");
  try {
    // A page in the second repository, once it is handed out, says that a cycle has passed by the first.
    const cycle = async (page: string): Promise<void> => {
      world.wiki(marker.path, page);
      await until("a cycle has passed", () => marker.got("fossil")?.includes(`"${page}"`));
    };
    for (const page of ["1", "2", "3"]) await cycle(page);
    const reader = await another(a.path, 'db.exec("BEGIN"); db.prepare("SELECT count(*) FROM blob").get()');
    const hash = world.checkIn(w);
    for (const page of ["4", "5"]) await cycle(page);
    expect(a.got("fossil") ?? "").not.toContain(hash);
    await a.r.pass();
    expect(a.got("gatepost")).toContain(hash);
    await reader.kill();
  } finally {
    poll.kill("SIGTERM");
    await ended;
  }
});

test("Fossil's D22: a push by path and a local commit reach the hook; with Fossil not before somebody fetches a page", async () => {
  const b = await both(world);
  b.fossilPass();
  await b.fossilGot();
  fs.rmSync(b.file("fossil"));
  const daemon = startDaemon(world, ["serve", "--poll", "3600", b.path]);
  await until("the daemon serves", () => daemon.said().includes("serving"));
  const c = world.apart(b.path);
  const pushed = world.checkIn(c);
  world.push(c, b.path);
  await until("the push is there", () => b.got("gatepost")?.includes(pushed));
  const local = world.checkIn(world.open(b.path));
  await until("the commit is there", () => b.got("gatepost")?.includes(local));
  await daemon.stop();
  expect(b.got("fossil"), "Fossil has started nothing").toBeNull();
  expect(b.config("hook-last-rcvid")).toBe("1");

  const server = await world.server(b.path);
  expect((await fetch(server.anyone)).status).toBe(200);
  expect(checkIns(await b.fossilGot())).toEqual([pushed, local]);
  await server.stop();
});
