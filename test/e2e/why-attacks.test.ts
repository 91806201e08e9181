/** What an enemy of `why`, the bulk commands, the alarms and `status` found: each was answered wrongly, or broke a pass. */
import * as fs from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { brokenIn } from "../../src/store/invariants.ts";
import { until } from "../helpers/cli.ts";
import { hearing, type Served, serve } from "../helpers/served.ts";
import { answer, short, whyWorld } from "../helpers/why.ts";

const world = whyWorld();
const gatepost = (r: Served, ...args: string[]) => world.gatepost([...args, "-R", r.path]);
const states = (r: Served): string[] => r.runs().map(({ id, state }) => `${id} ${state}`);

/** A run that failed, with two replays of it and a replay of the first of these. */
async function replayed(): Promise<Served> {
  const r = await serve(world);
  r.hook("exit 1", { name: "ci" });
  r.push();
  await r.pass();
  for (const again of [["a-1", "a-1"], ["a-2"]]) {
    for (const name of again) expect(gatepost(r, "runs", "replay", name).code).toBe(0);
    await r.pass();
  }
  expect(r.runs().map(({ replayOf }) => replayOf)).toEqual([null, 1, 1, 2]);
  return r;
}

test("of a run that was replayed twice retention deletes what is old, and no replay is taken for a first run", async () => {
  const r = await replayed();
  r.home.db.sqlite.exec("UPDATE run SET ended_at = id; DELETE FROM setting WHERE name = 'pruned.at'");
  r.set("retention-runs", "4");
  r.push();
  await r.pass(); // five runs: the first goes
  expect(r.runs().map(({ id, replayOf }) => [id, replayOf])).toEqual([
    [2, null],
    [3, 2],
    [4, 2],
    [5, null],
  ]);
  // A clock that was set back may let a replay seem older than what it replays.
  r.home.db.sqlite.exec("UPDATE run SET replay_of = 3 WHERE id = 4; DELETE FROM setting WHERE name = 'pruned.at'");
  r.home.db.sqlite.exec(`UPDATE run SET ended_at = ${Date.now()} WHERE id = 2`);
  r.set("retention-runs", "1");
  r.push();
  await r.pass();
  expect(r.runs().map(({ id, replayOf }) => [id, replayOf])).toEqual([
    [2, null],
    [5, null],
    [6, null],
  ]);
  expect(brokenIn(r.home.db)).toEqual([]);
});

test("a copy forgets runs that were replayed twice, and a repository with such runs can be taken out", async () => {
  const r = await replayed();
  const copy = world.at("copy.git");
  world.run(["cp", "-R", r.path, copy]);
  expect(world.gatepost(["init", copy])).toMatchObject({ code: 0 });
  expect(world.gatepost(["runs", "-R", copy]).stdout).toBe("");

  const home = world.at("apart");
  const apart = await serve(world, { home });
  apart.hook("exit 1", { name: "ci" });
  apart.push();
  await apart.pass();
  for (const name of ["a-1", "a-1"]) gatepost(apart, "runs", "replay", name);
  await apart.pass();
  expect(gatepost(apart, "uninstall")).toMatchObject({ code: 0 });
  expect(apart.home.db.sqlite.prepare("SELECT count(*) FROM run").pluck().get()).toBe(0);
});

test("a copy that is still paused holds its window from when the pause began", async () => {
  const r = await serve(world);
  r.hook("true");
  gatepost(r, "pause");
  const copy = world.at("paused.git");
  world.run(["cp", "-R", r.path, copy]);
  expect(world.gatepost(["init", copy]).code).toBe(0);
  const status = JSON.parse(world.gatepost(["status", "--json", "-R", copy]).stdout);
  expect(status.paused.repositories).toHaveLength(1);
  expect(world.gatepost(["doctor", "-R", copy]).stdout).toMatch(/ok .* promises hold/);
});

test("HEAD of a linked work tree is the commit that is checked out there", async () => {
  const path = world.workTree("main-tree");
  world.commit(path, { a: "1" });
  const r = await hearing(world, path);
  world.git(["worktree", "add", "-q", "-b", "side", world.at("linked")], { cwd: path });
  const side = world.commit(world.at("linked"), { b: "1" });
  await r.pass();
  const asked = world.gatepost(["why", "HEAD"], { cwd: world.at("linked") });
  expect(asked.stdout).toMatch(new RegExp(`^${short(side)} reached refs/heads/side `));
  expect(world.gatepost(["why", "HEAD", "-R", world.at("linked")]).stdout).toBe(asked.stdout);
  expect(world.gatepost(["why", "HEAD", "-R", path]).stdout).not.toBe(asked.stdout);
  const runs = world.gatepost(["runs", "--commit", "HEAD", "--json"], { cwd: world.at("linked") });
  expect(JSON.parse(runs.stdout).runs).toMatchObject([
    { repository: "main-tree", what: expect.stringMatching(/^side /) },
  ]);
});

test("a commit is found below a tag of a tag that was pushed to a ref which is none of tags", async () => {
  const r = await serve(world);
  r.hook("true", { name: "ci" });
  const below = world.commit(r.clone, { a: "1" });
  world.commit(r.clone, { a: "2" });
  r.git(["tag", "-a", "-m", "x", "v1"]);
  r.git(["tag", "-a", "-m", "x", "v2", "v1"]);
  r.git(["push", "-q", "origin", "refs/tags/v2:refs/releases/v2"]);
  await r.pass();
  expect(answer(r, 0, below)[0]).toBe(
    `${short(below)} reached refs/releases/v2 of ${r.row.name} at AT, pushed by ${userOf(r)} (receipt 1).`,
  );
});

const userOf = (r: Served): string => r.receipts()[0]?.user ?? "?";

test("a commit of somebody whose clock is ahead came with its own push, not with a branch that was made of it later", async () => {
  const r = await serve(world);
  r.hook("true", { name: "ci" });
  const date = new Date(Date.now() + 3_600_000).toISOString();
  const env = { GIT_COMMITTER_DATE: date, GIT_AUTHOR_DATE: date };
  r.git(["commit", "-q", "--allow-empty", "-m", "ahead"], { env });
  const ahead = r.git(["rev-parse", "HEAD"]);
  r.push();
  await r.pass();
  r.git(["push", "-q", "origin", "HEAD:refs/heads/topic"]);
  await r.pass();
  r.home.db.sqlite.exec("UPDATE receipt SET at = at + 7200000 WHERE id = 2");
  expect(answer(r, 0, ahead)[0]).toMatch(/ reached refs\/heads\/main .*\(receipt 1\)\.$/);
});

test("of a ref that was deleted behind our back it is said that it was, and the beginning of two lost hashes names neither", async () => {
  const r = await serve(world);
  r.hook("true", { name: "ci" });
  r.inside(["update-ref", "-d", "refs/heads/main"]);
  expect(answer(r, 1, "main")[0]).toMatch(/^refs\/heads\/main of r\d+\.git was deleted, no shim has told of it/);
  expect(gatepost(r, "why", "nothing").stderr).toContain(`gatepost runs -R ${r.path}`);
  await r.pass();
  r.home.db.sqlite
    .prepare(
      "INSERT INTO ref_update (receipt, repository, name, old, new, how) SELECT 1, 1, ?, old, ?, 'claimed' FROM ref_update LIMIT 1",
    )
    .run(Buffer.from("refs/heads/x"), `abcd${"1".repeat(36)}`);
  r.home.db.sqlite
    .prepare(
      "INSERT INTO ref_update (receipt, repository, name, old, new, how) SELECT 1, 1, ?, old, ?, 'claimed' FROM ref_update LIMIT 1",
    )
    .run(Buffer.from("refs/heads/y"), `abcd${"2".repeat(36)}`);
  expect(gatepost(r, "why", "abcd")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("More than one object"),
  });
});

test("many are replayed only where something would come of it, and given up also where the hook is gone", async () => {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  for (const name of ["off", "gone", "there"]) r.hook("exit 1", { name, retries: 1 });
  r.push();
  await r.pass({ stay: true });
  expect(states(r)).toEqual(["1 parked", "2 parked", "3 parked"]);
  gatepost(r, "hook", "disable", "off");
  gatepost(r, "hook", "delete", "gone");
  expect(gatepost(r, "runs", "replay", "--parked").stderr).toMatch(/^1 run will start\.\n/);
  await r.pass({ stay: true });
  expect(states(r), "nobody gave up what waits for its hook").toEqual(["1 parked", "2 parked", "3 parked"]);
  expect(gatepost(r, "runs", "drop", "--parked").stdout.trimEnd().split("\n")).toHaveLength(4);
  expect(gatepost(r, "status", "--check")).toMatchObject({ code: 0 });
});

test("a hook that becomes one of another type while it runs is not started beside itself", async () => {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  const [lock, go, log] = ["lock", "go", "log"].map((name) => r.file(name));
  const command = `mkdir '${lock}' || echo overlap >> '${log}'; until test -e '${go}'; do sleep 0.05; done; rmdir '${lock}'; echo ran >> '${log}'`;
  r.hook("exit 1", { name: "ci", retries: 1 });
  r.hook(command, { name: "page", type: "on:parked" });
  r.push();
  const passing = r.pass({ stay: true });
  await until("the alarm runs", () => fs.existsSync(lock ?? ""));
  expect(gatepost(r, "hook", "edit", "page", "--type", "after-receive").code).toBe(0);
  expect(gatepost(r, "hook", "edit", "ci", "--command", "true").code).toBe(0);
  r.push();
  await until(
    "the other hook of the second batch is done",
    () => states(r).includes("2 done") || states(r).includes("3 done"),
  );
  fs.writeFileSync(go ?? "", "");
  await passing;
  await r.pass({ stay: true });
  expect(fs.readFileSync(log ?? "", "utf8")).toBe("ran\nran\n");
});

test("status --check tells of a home that is a copy, in which nothing runs", async () => {
  const r = await serve(world);
  const copy = world.at("copied-home");
  world.run(["cp", "-R", r.home.dir, copy]);
  const { code, stdout } = world.gatepost(["status", "--check", "--home", copy]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringMatching(/^the home was copied or moved: /) });
});

test("where Git was told to look for hooks in another folder, a pass says once that the gates are not there, until they are", async () => {
  const r = await serve(world);
  r.hook("exit 1", { type: "before-receive", name: "gate" });
  r.hook(`cat %A >> '${r.file("told")}'`, { type: "on:gate-missing" });
  await r.pass();
  r.inside(["config", "core.hooksPath", world.at("others")]);
  for (let time = 0; time < 2; time++) await r.pass();
  expect(r.complaints).toEqual([
    expect.stringMatching(
      /the shim pre-receive is not where Git looks for hooks now, in .*others\. It cannot be put back\./,
    ),
  ]);
  expect(JSON.parse(r.read("told"))).toMatchObject({ missing: { hook: "pre-receive", folder: world.at("others") } });
  expect(gatepost(r, "status", "--check")).toMatchObject({ code: 1, stdout: expect.stringContaining("pre-receive") });
  expect(gatepost(r, "doctor", "--fix").code).toBe(0);
  expect(fs.existsSync(join(world.at("others"), "pre-receive"))).toBe(true);
  await r.pass();
  expect(gatepost(r, "status", "--check").code).toBe(0);
  r.inside(["config", "--unset", "core.hooksPath"]);
});

test("the promises are judged over events, too", async () => {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  r.hook("exit 1", { name: "ci", retries: 1 });
  r.hook("true", { name: "page", type: "on:parked" });
  r.push();
  await r.pass({ stay: true });
  const { sqlite } = r.home.db;
  expect(brokenIn(r.home.db, { complete: true })).toEqual([]);
  const broken = (sql: string): string[] => {
    sqlite.exec(`SAVEPOINT s; ${sql}`);
    const found = brokenIn(r.home.db, { complete: true }).map(({ promise, where }) => `${promise} ${where}`);
    sqlite.exec("ROLLBACK TO s; RELEASE s");
    return found;
  };
  expect(broken("UPDATE run SET state = 'running', ended_at = NULL WHERE event IS NOT NULL")).toEqual(["I14 run 2"]);
  expect(broken("UPDATE run SET type = 'on:left-out' WHERE event IS NOT NULL")).toEqual(["I4 run 2"]);
  expect(broken("UPDATE event SET cause = 'another'")).toEqual(["I4 run 1"]);
  expect(broken("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'event'")).toEqual(["I14 event 1"]);
  expect(broken(`UPDATE repository SET paused = '{}'`)).toEqual([`I4 repository ${r.row.id}`]);
});

test("a shim that was deleted is missed though the time of its folder was put back", async () => {
  const r = await serve(world);
  r.hook("exit 1", { type: "before-receive", name: "gate" });
  await until("a pass has nothing left to look behind", async () => {
    await r.pass();
    return JSON.parse(r.repository().hooksSeen ?? "{}").young === undefined && r.repository().hooksSeen !== null;
  });
  const hooks = join(r.path, "hooks");
  world.run(["touch", "-r", hooks, world.at("time")]);
  fs.rmSync(join(hooks, "pre-receive"));
  world.run(["touch", "-r", world.at("time"), hooks]);
  await r.pass();
  expect(r.complaints).toEqual([expect.stringContaining("the shim pre-receive is gone")]);
});
