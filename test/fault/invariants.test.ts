/** The checker of the promises: a home that was used keeps them all, and each that is broken by hand is named. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { invariants, type Judging } from "../../src/home/doctor/invariants.ts";
import { doctor } from "../../src/home/doctor.ts";
import { closeDatabase, openDatabase } from "../../src/store/database.ts";
import { brokenIn } from "../../src/store/invariants.ts";
import { makeWorld, until } from "../helpers/cli.ts";
import { brokenPromises } from "../helpers/promises.ts";
import { backdate, enter, leave, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

/** A home with three batches, a run that was tried twice, one that was skipped, one that is parked, and a branch that
 *  came and went. */
async function used(): Promise<Served> {
  const served = await serve(world);
  served.set("retry-base", "1s");
  served.hook("cat > /dev/null");
  served.hook("exit 1", { name: "stubborn", retries: 1 });
  served.hook("true", { refs: ["refs/heads/none"] });
  for (const to of ["main", "other", "main"]) {
    served.push({ to });
    await served.pass();
  }
  served.git(["push", "-q", "origin", ":refs/heads/other"]);
  await served.pass({ stay: true });
  return served;
}

let served: Served;
beforeAll(async () => {
  served = await used();
});

const judge = (at: Served, judging: Judging = {}) =>
  invariants(at.home, judging).then((found) => found.map(({ promise, level, says }) => `${promise} ${level} ${says}`));

describe("a home that was used", () => {
  it("keeps its promises, however strictly they are judged", async () => {
    expect(served.runs().map(({ state }) => state)).toContain("parked");
    expect(await judge(served, { complete: true, settled: true })).toEqual([]);
    expect(await brokenPromises(served.home.dir, { complete: true, settled: true })).toEqual([]);
  });

  it("gets one line from doctor", () => {
    const { stdout } = world.gatepost(["doctor", "-R", served.path]);
    expect(stdout).toMatch(/^ {2}ok {4}10 promises hold \(docs\/promise\.md\): I1 I2 I3 I4 I5 I6 I7 I9 I10 I14\.$/m);
  });

  it("keeps them after all was pruned that may be", async () => {
    const old = await used();
    old.home.db.sqlite.exec("UPDATE run SET ended_at = 1 WHERE ended_at IS NOT NULL; UPDATE batch SET cut_at = 1");
    old.home.db.sqlite.exec("UPDATE receipt SET at = 1; DELETE FROM setting WHERE name = 'pruned.at'");
    old.set("retention-runs", "1");
    old.push();
    await old.pass();
    expect(old.runs().length).toBeLessThan(15);
    expect(await judge(old, { settled: true })).toEqual([]);
  });

  it("keeps them when its last hook goes and one comes later: what arrived between is nobody's", async () => {
    const at = await serve(world);
    at.hook("true", { name: "first" });
    at.push();
    await at.pass();
    expect(world.gatepost(["hook", "delete", "first", "-R", at.path]).code).toBe(0);
    at.push();
    await at.pass();
    at.hook("true");
    at.push();
    await at.pass();
    expect(at.batches()).toHaveLength(2);
    expect(await judge(at, { settled: true })).toEqual([]);
  });
});

/** What is done to the database; what is found then, as promise and place. */
const spoilt: [string, string, string[]][] = [
  ["a receipt that is gone from its batch", "DELETE FROM receipt WHERE id = 2", ["I1 batch 2", "I14 ref_update 2"]],
  ["a batch that counts wrongly", "UPDATE batch SET receipts = 7 WHERE id = 2", ["I1 batch 2"]],
  ["a receipt that is said to be left out", "UPDATE receipt SET left_out = 1 WHERE id = 3", ["I1 batch 3"]],
  ["an update that does not go on from the last", "UPDATE ref_update SET old = new WHERE id = 3", ["I2 update 3"]],
  ["a ledger that says something else", "UPDATE ref SET value = 'x'", ["I2 update 3"]],
  [
    "a batch that is gone",
    "DELETE FROM batch WHERE id = 2; UPDATE sqlite_sequence SET seq = seq WHERE name = 'batch'",
    ["I3 batch 3", "I14 *"],
  ],
  ["a batch that begins too early", "UPDATE batch SET base = -1 WHERE id = 3", ["I1 batch 3", "I3 *"]],
  ["a cursor that was set back", "UPDATE repository SET cursor = 1", ["I3 repository 1"]],
  ["a cursor ahead of all receipts", "UPDATE repository SET cursor = 99", ["I3 repository 1", "I14 repository 1"]],
  ["a batch without runs", "DELETE FROM attempt; DELETE FROM run WHERE batch = 2", ["I4 batch 2", "I5 *"]],
  ["a run on a receipt of another batch", "UPDATE run SET receipt = 1 WHERE id = 4", ["I4 run 4"]],
  [
    "a run that was skipped for no reason",
    "UPDATE run SET reason = '' WHERE state = 'skipped' AND id = 3",
    ["I4 run 3"],
  ],
  ["an attempt that is gone", "DELETE FROM attempt WHERE run = 1", ["I5 run 1"]],
  ["attempts that are numbered with a gap", "UPDATE attempt SET number = 3 WHERE run = 1", ["I5 run 1"]],
  ["more failures than attempts", "UPDATE run SET failures = 9 WHERE id = 1", ["I5 run 1"]],
  [
    "two open attempts of one hook",
    `UPDATE lease SET holder = 'x', expires_at = 1;
     UPDATE run SET state = 'running', ended_at = NULL, reason = NULL WHERE hook = 1 AND id < 5;
     UPDATE attempt SET ended_at = NULL, outcome = NULL, exit_code = NULL WHERE run IN (SELECT id FROM run WHERE state = 'running')`,
    ["I6 hook 1, repository 1"],
  ],
  [
    "two attempts at the same time",
    `UPDATE attempt SET boot_id = 'b', start_time = 1000, took = 2000 WHERE run = 1;
     UPDATE attempt SET boot_id = 'b', start_time = 1080, took = 5 WHERE run = 4`,
    ["I6 attempt 1 of run 4"],
  ],
  [
    "an attempt with an old token",
    "UPDATE attempt SET token = 0 + 1 WHERE run = 10 AND number = 1",
    ["I7 attempt 1 of run 10"],
  ],
  ["an attempt with a token that never was", "UPDATE lease SET token = 1", ["I7 *"]],
  [
    "an attempt that is open and nobody's",
    "UPDATE attempt SET ended_at = NULL, outcome = NULL, exit_code = NULL WHERE run = 1",
    ["I7 attempt 1 of run 1", "I14 run 1"],
  ],
  [
    "more output than is kept",
    "UPDATE attempt SET output_head = zeroblob(32769), output_bytes = 40000 WHERE run = 1",
    ["I10 attempt 1 of run 1"],
  ],
  ["a run that hangs", "UPDATE run SET state = 'running', ended_at = NULL WHERE id = 1", ["I14 run 1"]],
  ["a run whose batch is gone", "UPDATE run SET batch = 77 WHERE id = 10", ["I14 run 10"]],
  [
    "a counter that was set back",
    "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'receipt'",
    ["I14 receipt 4", "I14 repository 1"],
  ],
];

describe("a database that was spoilt", () => {
  it.for(spoilt)("is found out by %s", ([, sql, expected]) => {
    const copy = world.at(`spoilt-${Math.random()}.db`);
    served.home.db.sqlite.prepare("VACUUM INTO ?").run(copy);
    const db = openDatabase(copy);
    try {
      db.sqlite.pragma("foreign_keys = OFF");
      db.sqlite.exec(sql);
      const found = brokenIn(db, { complete: true }).flatMap(({ promise, where }) =>
        where.map((at) => `${promise} ${at}`),
      );
      for (const one of expected)
        expect(found).toContainEqual(one.endsWith("*") ? expect.stringContaining(one.slice(0, -1)) : one);
      const others = found.filter((at) => !expected.some((one) => at.startsWith(one.replace(/\*$/, ""))));
      expect(others).toEqual([]);
    } finally {
      closeDatabase(db);
    }
  });
});

describe("what lies around a database", () => {
  it("an entry that nobody fetched is named once it is a minute old, or at once where nothing goes on", async () => {
    const at = await serve(world);
    at.push();
    expect(await judge(at)).toEqual([]);
    expect(await judge(at, { settled: true })).toContainEqual(
      expect.stringMatching(/^I1 fail 1 entry of the spool waits for a backoffice: /),
    );
    for (const file of at.spool()) backdate(file, 61_000);
    expect(await judge(at)).toEqual([expect.stringMatching(/^I1 warn 1 entry of the spool waits/)]);
    await at.pass();
    expect(await judge(at, { settled: true })).toEqual([]);
  });

  it("a receipt that is not cut is named where nothing goes on and a hook wants it", async () => {
    const at = await serve(world);
    at.hook("true");
    at.push({ args: ["-o", "gatepost.more"] });
    await at.pass();
    expect(await judge(at, { settled: true })).toEqual([]);
    at.home.db.sqlite.exec("UPDATE receipt SET more = 0");
    expect(await judge(at, { settled: true })).toEqual([
      `I1 fail What arrived in ${at.row.name} was not cut into a batch: receipt 1.`,
    ]);
    expect(await judge(at)).toEqual([]);
  });

  it("a ref that moved is not yet seen, but one that nobody would look at is named", async () => {
    const at = await serve(world);
    backdate(join(at.path, "refs", "heads", "main"), 60_000);
    for (const name of ["refs", "refs/heads", "refs/tags", "."]) backdate(join(at.path, name), 60_000);
    await at.pass();
    at.home.db.sqlite.exec("UPDATE repository SET fingerprint = NULL");
    await at.pass();
    at.inside(["update-ref", "refs/heads/more", "main"]);
    expect(await judge(at)).toEqual([]);
    expect(await judge(at, { settled: true })).toEqual([
      `I2 fail Refs of ${at.row.name} moved without a receipt: refs/heads/more.`,
    ]);
    await until("a pass that saw it", () => {
      void at.pass();
      return at.receipts().length > 0;
    });
    await at.pass();
    expect(await judge(at, { settled: true })).toEqual([]);
    at.home.db.sqlite.exec("DELETE FROM ref WHERE name = CAST('refs/heads/more' AS BLOB)");
    const { fingerprint } = at.repository();
    if (fingerprint !== null)
      expect(await judge(at)).toEqual([`I2 fail Refs of ${at.row.name} moved without a receipt: refs/heads/more.`]);
  });

  it("a file of a run that is over is named, and doctor --fix removes it", async () => {
    const at = await serve(world);
    const files = ["a-77.json", "a-77.json.pid", "gatepost-old"].map((name) => join(at.home.layout.auxiliary, name));
    for (const file of files) fs.writeFileSync(file, "{}");
    fs.writeFileSync(join(at.home.layout.auxiliary, "gatepost-young"), "");
    backdate(files[2] ?? "", 7_200_000);
    expect(await judge(at)).toEqual([
      expect.stringMatching(/^I14 warn Files of runs that are over .*: a-77\.json, a-77\.json\.pid, gatepost-old\.$/),
    ]);
    await doctor({ repository: at.path, cwd: world.dir, fix: true });
    expect(fs.readdirSync(at.home.layout.auxiliary)).toEqual(["gatepost-young"]);
  });

  it("what others may read of it is named, and doctor --fix closes it", async () => {
    const at = await serve(world);
    const { database, auxiliary, bad } = at.home.layout;
    fs.chmodSync(database, 0o640);
    fs.chmodSync(auxiliary, 0o755);
    const found = await doctor({ repository: at.path, cwd: world.dir, fix: true });
    expect(found.mended.map(({ says }) => says)).toEqual(
      [database, auxiliary].map((path) => `Others than the owner may read ${path}.`),
    );
    for (const path of [database, auxiliary, bad]) expect(fs.statSync(path).mode & 0o077).toBe(0);
  });

  it("a process of a hook that is over is named, unless it left on purpose", async () => {
    const at = await serve(world);
    at.hook("true");
    at.push();
    await at.pass();
    const run = at.runs()[0];
    const env = { ...world.env, GATEPOST_AUX: join(at.home.layout.auxiliary, `a-${run?.id}.json`) };
    const child = spawn("sleep", ["600"], { env, detached: true, stdio: "ignore" });
    try {
      await until("the process", () => fs.readFileSync(`/proc/${child.pid}/comm`, "utf8") === "sleep\n");
      expect(await judge(at)).toEqual([]); // a session of its own
      at.home.db.sqlite.prepare("UPDATE attempt SET pid = ?").run(child.pid);
      expect(await judge(at)).toEqual([`I9 fail Processes of hooks that are over still run: ${child.pid}.`]);
    } finally {
      child.kill("SIGKILL");
    }
  });
});
