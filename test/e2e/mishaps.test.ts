/** What goes wrong around a backoffice, and that it goes on: nothing lost, nobody else held up, no repair by hand. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeWorld, until, type World } from "../helpers/cli.ts";
import { type Daemon, endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";
import { enter, leave, runs, serve } from "../helpers/served.ts";

let world: World;
beforeAll(() => {
  world = makeWorld();
  enter(world);
});
afterAll(() => {
  leave(world);
  world.remove();
});

endDaemonsAfterEach();

const daemon = (...paths: string[]): Daemon => startDaemon(world, ["serve", "--poll", "1", ...paths]);

test("a home that is deleted while it is served is complained of, and the others are served on", async () => {
  const gone = await serve(world);
  const other = await serve(world);
  other.hook(`cat > '${other.file("got")}'`);
  const { said, stop } = daemon(gone.path, other.path);
  await until("it serves", () => said().includes("serving"));
  fs.renameSync(gone.home.dir, `${gone.home.dir}.away`);
  await until("it complains", () => said().includes(gone.home.dir));
  other.push();
  await until("the other is served", () => fs.existsSync(other.file("got")));
  expect(await stop()).toBe(0);
  expect(said()).not.toContain("a bug");
  fs.renameSync(`${gone.home.dir}.away`, gone.home.dir);
});

test("a home whose aux folder is gone gets it back", async () => {
  const r = await serve(world);
  r.hook(`cat %A > '${r.file("got")}'`);
  r.push();
  fs.rmdirSync(r.home.layout.auxiliary);
  await r.pass();
  expect(r.runs()).toMatchObject([{ state: "done" }]);
  expect(r.read("got")).toContain('"run": "a-1"');
});

test("R7: a repository that cannot be looked at is parked with its reason, and the others of its home are served", async () => {
  const home = world.at("one-home");
  const bad = await serve(world, { home });
  const good = await serve(world, { home });
  good.hook(`cat > '${good.file("got")}'`);
  const aside = `${bad.path}.aside`;
  fs.renameSync(bad.path, aside);
  fs.symlinkSync(bad.path, bad.path); // a link to itself: every look at it is an error of the system
  good.push();
  await good.pass();
  expect(good.runs().filter(({ repository }) => repository === good.row.id)).toMatchObject([{ state: "done" }]);
  fs.rmSync(bad.path);
  fs.renameSync(aside, bad.path);
  const pushed = bad.push();
  await bad.pass();
  expect(bad.receipts()).toMatchObject([{ source: "push", updates: [expect.stringContaining(pushed)] }]);
  expect(bad.repository().parked).toBeNull();
});

test("B11: a database that was replaced under a daemon takes no receipt: the entry waits for the one that is there", async () => {
  const r = await serve(world);
  r.hook("cat > /dev/null");
  const { said, stop } = daemon(r.path);
  r.push({ env: { GL_USER: "bob" } });
  await until("the first push is handed out", () => r.runs()[0]?.state === "done");
  const copy = `${r.home.layout.database}.copy`;
  await r.home.db.sqlite.backup(copy);
  for (const suffix of ["-wal", "-shm"]) fs.rmSync(r.home.layout.database + suffix, { force: true });
  fs.renameSync(copy, r.home.layout.database);
  const pushed = r.push({ env: { GL_USER: "carol" } });
  await until("it is noticed", () => said().includes("was moved, replaced or deleted"));
  expect(await stop()).toBe(0);
  const out = world.gatepost(["backoffice", r.path]);
  expect(out).toEqual({ stdout: "", stderr: "", code: 0 });
  const detail = world.gatepost(["runs", "show", "2", "--json", "-R", r.path]).stdout;
  expect(JSON.parse(detail)).toMatchObject({ receipts: [{ user: "carol", updates: [{ new: pushed }] }] });
});

test("a hook may make a pass itself, and does not wait for its own backoffice", async () => {
  const r = await serve(world);
  r.hook(`%F backoffice '${r.path}' && : > '${r.file("went on")}'`, { timeout: 20_000 as never });
  r.push();
  await r.pass();
  expect(r.runs()).toMatchObject([{ state: "done" }]);
  expect(fs.existsSync(r.file("went on"))).toBe(true);
});

test("a hook that empties its environment is ended before it is repeated, however young it was when its backoffice died", async () => {
  const r = await serve(world);
  r.hook(
    `[ "$GATEPOST_ATTEMPT" = 1 ] || exit 0; while [ ! -e %A.pid ]; do sleep 0.01; done
          kill -KILL "$PPID"; echo $$ > '${r.file("pid")}'; exec env -i sleep 600`,
  );
  r.push();
  expect(world.gatepost(["backoffice", r.path]).code).toBeNull();
  const pid = Number(
    await until("the hook tells who it is", () => fs.existsSync(r.file("pid")) && r.read("pid").trim()),
  );
  await r.pass();
  expect(r.runs()).toMatchObject([{ state: "done", attempts: 2 }]);
  expect(runs(pid)).toBe(false);
});

test("a home whose path is too long for SQLite is refused before anything is made", () => {
  const deep = world.at(...Array.from({ length: 10 }, () => "x".repeat(50)));
  fs.mkdirSync(deep, { recursive: true });
  world.git(["init", "-q", "--bare", join(deep, "a.git")]);
  const { stderr, code } = world.gatepost(["init", join(deep, "a.git")]);
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /^gatepost: The path of the home, .* is too long for SQLite\.\nChoose a place with a shorter path/,
  );
  expect(fs.existsSync(join(deep, "a.git", "gatepost"))).toBe(false);
});
