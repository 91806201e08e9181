import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { register } from "../../src/home/init.ts";
import { readLease } from "../../src/store/lease.ts";
import { makeWorld, until } from "../helpers/cli.ts";
import { endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";
import { backdate, enter, leave, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));
endDaemonsAfterEach();

const nothing = { stdout: "", stderr: "", code: 0 };

test("a push while no daemon runs starts a pass in the background, and its hook runs", async () => {
  const r = await serve(world);
  r.set("automatic-backoffice", "on");
  r.hook(`cat > '${r.file("got.new")}'; mv '${r.file("got.new")}' '${r.file("got")}'`);
  const pushed = r.push();
  await until("the hook ran", () => fs.existsSync(r.file("got")));
  expect(r.read("got")).toContain(`${pushed} check-in to main`);
  await until("the pass is over", () => !fs.existsSync(r.home.layout.daemonPid));
  expect(r.runs()).toMatchObject([{ state: "done" }]);
  expect(readLease(r.home.db)?.holder).toBeNull();
});

test("the automatic pass waits out an embargo and near retries, so that nobody has to come back", async () => {
  const r = await serve(world);
  r.set("retry-base", "1s");
  r.hook(`cat > /dev/null; test "$GATEPOST_ATTEMPT" = 2`, { retries: 1 });
  r.push({ args: ["-o", "gatepost.more"] });
  const [entry = ""] = r.spool();
  backdate(entry, 58_500);
  const until = fs.statSync(entry).mtimeMs + 60_000;
  expect(world.gatepost(["backoffice", "--automatic", "--home", r.home.dir])).toEqual(nothing);
  expect(r.batches()[0]?.cutAt).toBeGreaterThanOrEqual(Math.floor(until));
  expect(r.runs()).toMatchObject([{ state: "done", attempts: 2 }]);
});

test("the automatic pass refuses a home that is not in its user's register; a person who names it may", async () => {
  const r = await serve(world);
  const env = { XDG_STATE_HOME: world.at("another-state") };
  const refused = world.gatepost(["backoffice", "--automatic", "--home", r.home.dir], { env });
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("is not in this user's register");
  expect(world.gatepost(["backoffice", "--home", r.home.dir], { env })).toEqual(nothing);
});

test("one call works on several homes and prints nothing when all is well", async () => {
  const some = [await serve(world), await serve(world)];
  for (const r of some) {
    r.hook("cat; echo and more on stderr >&2");
    r.push();
  }
  expect(world.gatepost(["backoffice", ...some.map(({ path }) => path)])).toEqual(nothing);
  for (const r of some) expect(r.runs()).toMatchObject([{ state: "done" }]);
});

test("where one of several homes cannot be worked on, the others are, and the call fails", async () => {
  const [bad, good] = [await serve(world), await serve(world)];
  for (const r of [bad, good]) {
    r.hook("true");
    r.push();
  }
  const away = `${bad.path}-moved`;
  fs.renameSync(bad.path, away);
  const outcome = world.gatepost(["backoffice", away, good.path]);
  expect(outcome.code).not.toBe(0);
  expect(outcome.stderr).toContain("was copied or moved");
  expect(good.runs()).toMatchObject([{ state: "done" }]);
  await register(away, null);
  expect(world.gatepost(["backoffice", away])).toEqual(nothing);
  expect(world.gatepost(["runs", "-R", away]).stdout).toContain("ok");
});

test("without a repository a call works on every home in the register, and on this folder's in a repository", async () => {
  const other = makeWorld();
  try {
    enter(other);
    const [one, two] = [await serve(other), await serve(other)];
    for (const r of [one, two]) {
      r.hook("true");
      r.push();
    }
    expect(other.gatepost(["backoffice"], { cwd: one.path })).toEqual(nothing);
    expect([one, two].map((r) => r.runs().length)).toEqual([1, 0]);
    expect(other.gatepost(["backoffice"])).toEqual(nothing);
    expect([one, two].map((r) => r.runs().length)).toEqual([1, 1]);
  } finally {
    enter(world);
    other.remove();
  }
});

/** A hook that says it runs and waits until it may end. */
function slowHook(r: Served): { started: string; end: () => void } {
  const [started, go] = [r.file("started"), r.file("go")];
  r.hook(`echo run >> '${r.file("log")}'; : > '${started}'; while [ ! -e '${go}' ]; do sleep 0.02; done`);
  return { started, end: () => fs.writeFileSync(go, "") };
}

test("--nodelay leaves a home that another pass works on to that one; a call without it waits", async () => {
  const r = await serve(world);
  const hook = slowHook(r);
  r.push();
  const passing = r.pass();
  await until("the hook runs", () => fs.existsSync(hook.started));
  expect(world.gatepost(["backoffice", "--nodelay", r.path])).toEqual(nothing);
  const waiting = startDaemon(world, ["backoffice", r.path]);
  hook.end();
  expect(await waiting.ended).toBe(0);
  await passing;
  expect(r.read("log")).toBe("run\n");
  expect(r.runs()).toMatchObject([{ state: "done", attempts: 1 }]);
});

test("--logfile gets a line for each repository whose hooks ran, in Fossil's format, and none for an idle pass", async () => {
  const r = await serve(world);
  r.hook("true");
  r.hook("true");
  r.push();
  const log = world.at("backoffice.log");
  for (let n = 0; n < 2; n++) expect(world.gatepost(["backoffice", "--logfile", log, r.path])).toEqual(nothing);
  expect(fs.readFileSync(log, "utf8")).toMatch(
    new RegExp(`^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d ${r.row.name} 2 hooks elapse-time \\d+ us\n$`),
  );
});

test("--cron makes passes at the times of its expression, seconds included, until it is asked to end", async () => {
  const r = await serve(world);
  r.hook(`cat > '${r.file("got")}'`);
  const cron = startDaemon(world, ["backoffice", "--cron", "* * * * * *", r.path]);
  r.push();
  await until("a pass was made", () => r.runs()[0]?.state === "done");
  r.push();
  await until("and another", () => r.runs()[1]?.state === "done");
  expect(await cron.stop()).toBe(0);
  expect(fs.existsSync(join(r.home.dir, "daemon.pid"))).toBe(false);
});
