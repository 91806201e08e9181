/** Status: one screen for people, one line and a code for monitoring. */
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { pauseRepositories } from "../../src/home/pause.ts";
import { makeWorld, program, until } from "../helpers/cli.ts";
import { backdate, enter, leave, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

const check = (r: Served, ...more: string[]) => world.gatepost(["status", "--check", "--home", r.home.dir, ...more]);
const json = (r: Served) => JSON.parse(world.gatepost(["status", "--home", r.home.dir, "--json"]).stdout);

test("shows a quiet home on one screen, and one line for monitoring", async () => {
  const r = await serve(world);
  r.hook("true");
  r.push();
  await r.pass();
  const shown = world.gatepost(["status", "-R", r.path]);
  expect(shown).toMatchObject({ code: 0, stderr: "" });
  expect(shown.stdout.split("\n").map((line) => line.split("  ")[0])).toEqual([
    ...["home", "backoffice", "last look", "repositories", "hooks", "waits", "runs", "database"],
    ...["All is well.", ""],
  ]);
  expect(shown.stdout).toMatch(/^waits +nothing$/m);
  expect(shown.stdout).toMatch(/^runs +0 running, 0 waiting, 0 parked, 0 failed in the last day$/m);
  expect(shown.stdout).toMatch(/^backoffice +none, and pushes start none$/m);
  expect(check(r)).toEqual({ code: 0, stdout: "nothing waits, no backoffice running\n", stderr: "" });
});

test("what waits is a trouble when it has waited for longer than is allowed, with the command that ends it", async () => {
  const r = await serve(world);
  r.hook("true");
  r.push();
  expect(check(r)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^the oldest waits \d+ m?s, no backoffice/),
  });
  for (const file of r.spool()) backdate(file, 600_000);
  const late = check(r);
  expect(late.code).toBe(1);
  expect(late.stdout).toMatch(/^1 entry of the spool waits: no backoffice is running, the oldest waits 10 m, /);
  expect(check(r, "--max-wait", "1h").code).toBe(0);
  expect(world.gatepost(["status", "-R", r.path]).stdout).toContain(`Mend: gatepost backoffice --home ${r.home.dir}`);
  await r.pass();
  expect(check(r).code).toBe(0);
});

test("what a pause holds back waits, too, and is named as paused", async () => {
  const r = await serve(world);
  r.hook("true");
  pauseRepositories(r.home, [r.row], "migration");
  r.push();
  for (const file of r.spool()) backdate(file, 600_000);
  await r.pass();
  const found = json(r);
  expect(found.waits).toMatchObject([{ what: "receipts", repository: r.row.name, count: 1, paused: true }]);
  const late = check(r);
  expect(late).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/1 receipt of \S+ waits: paused by .* paused for /),
  });
  const shown = world.gatepost(["status", "-R", r.path]).stdout;
  expect(shown).toMatch(/^PAUSED \S+, by .*: migration\. To go on: gatepost resume -R /m);
  expect(shown).toContain("Mend: gatepost resume -R ");
});

test("a parked run, a failure, a repository that is gone and an entry set aside are shown; only the first is an alarm", async () => {
  const home = world.at("several");
  const [r, gone] = [await serve(world, { home }), await serve(world, { home })];
  r.set("retry-base", "1ms");
  r.hook("exit 1", { name: "ci", retries: 1 });
  r.hook("exit 2", { name: "mail" });
  r.push();
  fs.renameSync(gone.path, `${gone.path}.away`);
  await r.pass({ stay: true });
  fs.writeFileSync(`${r.home.layout.bad}/odd.entry`, "");
  const checked = check(r);
  expect(checked.code).toBe(1);
  expect(checked.stdout).toBe(`1 run parked (ci on ${r.row.name}), nothing waits, no backoffice running\n`);
  const found = json(r);
  expect(found).toMatchObject({
    repositories: { count: 2, unreachable: [{ name: gone.row.name }] },
    runs: { waiting: 0, running: 0, parked: 1, failedLastDay: 1 },
  });
  expect(found.troubles.map(({ alarms }: { alarms: boolean }) => alarms)).toEqual([true, false, false]);
  const [run] = r.runs();
  world.gatepost(["runs", "drop", `a-${run?.id}`, "--home", home]);
  expect(check(r).code).toBe(0);
  const other = world.gatepost(["status", "--check", "--home", home, "-R", gone.row.name]);
  expect(other.code, "with -R, only what concerns that one").toBe(0);
});

test("a run that waits for its retry is no alarm; one that nobody starts is", async () => {
  const r = await serve(world);
  r.hook("exit 1", { retries: 3 });
  r.push();
  await r.pass();
  expect(check(r, "--max-wait", "1ms").code).toBe(0);
  expect(json(r).runs).toMatchObject({ waiting: 1 });
  r.home.db.sqlite.exec(`UPDATE run SET due_at = ${Date.now() - 600_000} WHERE state = 'waiting'`);
  expect(check(r)).toMatchObject({ code: 1, stdout: expect.stringContaining("has not had its turn") });
});

test("a backoffice is alive since its start, and the failure of an earlier one is forgotten then", async () => {
  const r = await serve(world);
  fs.writeFileSync(r.home.layout.failed, "no room \x1b[31m\n");
  expect(check(r)).toMatchObject({ code: 1, stdout: expect.stringContaining("could not work: no room \\x1b[31m") });
  const daemon = world.start(["serve", "--home", r.home.dir]);
  try {
    await until("it serves", () => fs.existsSync(r.home.layout.daemonPid));
    expect(check(r)).toMatchObject({ code: 0, stdout: expect.stringMatching(/backoffice alive since \d+ m?s\n$/) });
    expect(json(r).backoffice).toMatchObject({ pid: daemon.pid });
  } finally {
    daemon.kill("SIGTERM");
    await until("it has ended", () => daemon.exitCode !== null || daemon.signalCode !== null);
  }
});

test("a database that cannot be used is one line and code 1 for monitoring; a wrong call stays a wrong call", async () => {
  const r = await serve(world);
  r.home.db.sqlite.close();
  fs.writeFileSync(r.home.layout.database, "no database\n".repeat(500));
  const damaged = check(r);
  expect(damaged).toMatchObject({ code: 1, stderr: "" });
  expect(damaged.stdout).toMatch(/is not a Gatepost database.*\n$/);
  expect(damaged.stdout.trim().split("\n")).toHaveLength(1);
  expect(world.gatepost(["status", "-R", r.path]).code, "without --check, as every command").toBe(5);
  expect(world.gatepost(["status", "--check", "--home", world.at("nowhere")]).code).toBe(3);
  expect(check(r, "--max-wait", "soon").code).toBe(2);
});

test("what it says to type works as it is, from any folder and whatever a repository is called; what was taken out is named", () => {
  const odd = world.at("it's odd.git");
  world.git(["init", "-q", "--bare", odd]);
  world.gatepost(["init", odd]);
  world.gatepost(["hook", "add", "-R", odd, "--type", "after-receive", "--name", "ci", "--command", "true"]);
  fs.mkdirSync(world.at("bin"));
  fs.symlinkSync(program, world.at("bin", "gatepost"));
  const env = { PATH: `${world.at("bin")}:${world.env["PATH"]}` };
  const shown = () => world.gatepost(["status", "--home", `${odd}/gatepost`]).stdout;
  world.gatepost(["pause", "-R", odd]);
  world.gatepost(["pause", "--hook", "ci", "-R", odd]);
  const calls = [...shown().matchAll(/To go on: (.*)$/gm)].map(([, call = ""]) => call);
  expect(calls).toHaveLength(2);
  for (const call of calls) expect(world.run(["sh", "-c", call], { cwd: "/", env })).toMatchObject({ code: 0 });
  expect(shown()).toContain("All is well.");

  world.gatepost(["uninstall", "-R", odd]);
  const mend = /^WARN .*was taken out.*\. Mend: (.*)$/m.exec(shown())?.[1] ?? "";
  const asked = world.git(["commit-tree", "-m", "x", world.git(["mktree"], { cwd: odd, input: "" })], { cwd: odd });
  world.git(["update-ref", "refs/heads/main", asked], { cwd: odd });
  const why = world.gatepost(["why", "main", "-R", odd]).stdout;
  expect(why).toContain(`it's odd.git was taken out, so no shim tells of what arrives. Take it in again: ${mend}\n`);
  expect(why, "and nothing that would not help").not.toContain("doctor --fix");
  expect(world.run(["sh", "-c", mend], { cwd: "/", env })).toMatchObject({ code: 0 });
  expect(shown()).toContain("All is well.");
  fs.renameSync(odd, `${odd}.away`);
  fs.mkdirSync(odd);
  fs.renameSync(`${odd}.away/gatepost`, `${odd}/gatepost`);
  world.gatepost(["backoffice", "--home", `${odd}/gatepost`]);
  expect(shown()).toMatch(/^WARN .*cannot be looked at: .*[^.]\. Mend: /m);
});
