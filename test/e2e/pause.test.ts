/** Pauses: what waits, what does not, and that nothing is lost or left out by one. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Hook } from "../../src/core/hook.ts";
import { pauseHook, pauseRepositories, resumeHook, resumeRepositories } from "../../src/home/pause.ts";
import { makeWorld, silent, until } from "../helpers/cli.ts";
import { backdate, enter, leave, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

const DAY = 86_400_000;
const pause = (r: Served): void => void pauseRepositories(r.home, [r.row], "migration");
const resume = (r: Served): void => void resumeRepositories(r.home, [r.row]);
const states = (r: Served): string[] => r.runs().map(({ state }) => state);

test("a repository that is paused hands out nothing and loses nothing, as the program tells it", async () => {
  const r = await serve(world);
  r.hook(`cat >> '${r.file("got")}'`, { name: "ci" });
  const at = ["-R", r.path];
  const paused = world.gatepost(["pause", ...at, "--reason", "moving\x1b[31m disks"]);
  expect(paused.code).toBe(0);
  expect(paused.stderr).toMatch(/^\S+\.git is paused\. To go on: gatepost resume -R \S+ --home \S+\n$/);
  const pushed = [r.push({ files: { a: "1" } }), r.push({ files: { a: "2" } })];
  expect(world.gatepost(["backoffice", r.path])).toEqual(silent);
  expect(r.receipts(), "receipts go on being taken in").toHaveLength(2);
  expect(r.spool()).toEqual([]);
  expect(r.batches()).toEqual([]);

  const again = world.gatepost(["pause", ...at, "--reason", "other"]);
  expect(again.stderr).toMatch(
    /is paused already, by \S+ (?:now|\d+ m?s ago): moving\\x1b\[31m disks\. That stays\.\n$/,
  );
  expect(world.gatepost(["hook", "status", ...at]).stdout).toContain("paused: 'by ");
  expect(world.gatepost(["doctor", ...at]).stdout).toMatch(/WARN .* is paused by .*\. Mend: gatepost resume -R /);
  const status = JSON.parse(world.gatepost(["status", ...at, "--json"]).stdout);
  expect(status.paused.repositories).toMatchObject([{ name: r.row.name, why: "moving\x1b[31m disks" }]);

  const resumed = world.gatepost(["resume", ...at]);
  expect(resumed.stderr).toMatch(
    / goes on; it was paused by .*\nNo backoffice is running; make a pass: gatepost backoffice/,
  );
  expect(world.gatepost(["resume", ...at]).stderr).toMatch(/ was not paused\.\n$/);
  expect(world.gatepost(["backoffice", r.path])).toEqual(silent);
  expect(r.batches()).toMatchObject([{ receipts: 2, leftOut: 0 }]);
  for (const hash of pushed) expect(r.read("got")).toContain(hash);
});

test("what arrived during a pause of three days is handed out whole, and the window is as before afterwards", async () => {
  const r = await serve(world);
  r.hook("true");
  pause(r);
  r.home.db.sqlite.prepare("UPDATE repository SET held_from = ? WHERE id = ?").run(Date.now() - 3 * DAY, r.row.id);
  r.push({ files: { a: "1" } });
  for (const file of r.spool()) backdate(file, 2.5 * DAY);
  r.push({ files: { a: "2" } });
  await r.pass();
  resume(r);
  expect(r.repository().heldFrom).not.toBeNull();
  await r.pass();
  expect(r.batches()).toMatchObject([{ receipts: 2, leftOut: 0 }]);
  expect(r.repository().heldFrom).toBeNull();
});

test("a hook that is paused lets its runs wait, and holds back no other hook", async () => {
  const r = await serve(world);
  const held = r.hook(`echo held >> '${r.file("log")}'`, { name: "held", inOrder: true, sequence: 1 });
  r.hook(`echo other >> '${r.file("log")}'`, { name: "other", sequence: 2 });
  pauseHook(r.home, held, null);
  r.push({ files: { a: "1" } });
  await r.pass();
  r.push({ files: { a: "2" } });
  await r.pass();
  expect(r.read("log")).toBe("other\nother\n");
  expect(states(r)).toEqual(["waiting", "done", "waiting", "done"]);
  expect(world.gatepost(["hook", "list", "-R", r.path]).stdout).toMatch(/name = held\n(.*\n)*? +paused = by /);
  resumeHook(r.home, held);
  await r.pass();
  expect(r.read("log")).toBe("other\nother\nheld\nheld\n");
});

test("a backoffice that a push started ends though runs wait for the end of a pause, and takes no lease for them", async () => {
  const r = await serve(world);
  const hook = r.hook("true");
  r.push();
  pauseHook(r.home, hook, null);
  await r.pass({ stay: true });
  expect(states(r)).toEqual(["waiting"]);
  const token = () => r.home.db.sqlite.prepare("SELECT token FROM lease").pluck().get();
  resumeHook(r.home, hook);
  pause(r);
  await until("the shims' folders are no longer young", () => {
    const seen = r.repository().hooksSeen;
    return seen !== null && Date.now() - (JSON.parse(seen).young ?? 0) > 2100;
  });
  await r.pass({ stay: true });
  const before = token();
  await r.pass({ stay: true });
  await r.pass();
  expect(token()).toBe(before);
  expect(states(r)).toEqual(["waiting"]);
});

test("what runs when the pause begins ends by itself, and nothing follows it", async () => {
  const r = await serve(world);
  r.hook(`echo first >> '${r.file("log")}'; until [ -e '${r.file("go")}' ]; do sleep 0.02; done`, { sequence: 1 });
  r.hook(`echo second >> '${r.file("log")}'`, { sequence: 2 });
  r.push();
  const passing = r.pass();
  await until("the first runs", () => fs.existsSync(r.file("log")));
  pause(r);
  fs.writeFileSync(r.file("go"), "");
  await passing;
  expect(states(r)).toEqual(["done", "waiting"]);
  expect(r.read("log")).toBe("first\n");
});

test("a daemon goes on when it is told to resume", async () => {
  const r = await serve(world);
  r.hook(`echo done >> '${r.file("log")}'`);
  pause(r);
  r.push();
  const daemon = world.start(["serve", "--home", r.home.dir, "--poll", "60"]);
  try {
    await until("it has taken the receipt in", () => r.receipts().length === 1);
    expect(r.runs()).toEqual([]);
    expect(world.gatepost(["resume", "-R", r.path]).stderr).not.toContain("No backoffice");
    await until("the hook has run", () => fs.existsSync(r.file("log")));
  } finally {
    daemon.kill("SIGTERM");
    await until("it has ended", () => daemon.exitCode !== null || daemon.signalCode !== null);
  }
});

test("gates are not paused, a home alone names no repository, and --all means every one", async () => {
  const home = world.at("home");
  const [one, two] = [await serve(world, { home }), await serve(world, { home })];
  const gate: Hook = one.hook("true", { type: "before-receive", name: "gate" });
  const refused = world.gatepost(["pause", "--hook", "gate", "--home", home]);
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Switch it off: gatepost hook disable gate"),
  });
  expect(world.gatepost(["pause", "--home", home])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--all"),
  });
  expect(world.gatepost(["pause", "--home", home, "--all"]).code).toBe(0);
  expect([one, two].map((r) => r.repository().paused === null)).toEqual([false, false]);
  expect(world.gatepost(["resume", "--home", home, "-R", one.row.name]).code).toBe(0);
  expect([one, two].map((r) => r.repository().paused === null)).toEqual([true, false]);
  expect(fs.existsSync(join(one.path, "hooks", "pre-receive")), `${gate.id} is asked as before`).toBe(true);
});
