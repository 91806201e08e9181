/** Who works on a home, when holders die, stop, lose sight of the database, or are mistaken for others. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { Bell } from "../../src/backoffice/bell.ts";
import { type Keeper, keepLease } from "../../src/backoffice/keeper.ts";
import type { Instant, Millis } from "../../src/core/units.ts";
import { closeHome } from "../../src/home/open.ts";
import { contextOf, openToRun } from "../../src/home/serve.ts";
import { bootId, isGone, processIdentity, sinceBoot } from "../../src/process/identity.ts";
import { readLease, renewLease } from "../../src/store/lease.ts";
import { makeWorld, until } from "../helpers/cli.ts";
import { type Daemon, endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";
import { enter, isDone, leave, runs, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
endDaemonsAfterEach();
afterAll(() => leave(world));

const daemon = (r: Served): Daemon => startDaemon(world, ["backoffice", "--poll", "1", "--home", r.home.dir]);
const holderOf = (r: Served): number | null => readLease(r.home.db)?.pid ?? null;
const sql = (r: Served, text: string): void => void r.home.db.sqlite.exec(text);
const attempts = (r: Served, run = 0) => {
  const found = r.runs()[run];
  return found === undefined ? [] : r.attempts(found);
};

/** A hook that notes each attempt with its process id, and ends when the file `go` is there. */
const waits = (r: Served): void =>
  void r.hook(
    `echo "$GATEPOST_ATTEMPT $$" >> '${r.file("begun")}'; until [ -e '${r.file("go")}' ]; do sleep 0.1; done`,
  );
const begun = (r: Served): { attempt: number; pid: number }[] =>
  fs.existsSync(r.file("begun"))
    ? r
        .read("begun")
        .split("\n")
        .slice(0, -1)
        .map((line) => ({ attempt: Number(line.split(" ")[0]), pid: Number(line.split(" ")[1]) }))
    : [];
const hasBegun = (r: Served, attempt: number) =>
  until(`attempt ${attempt} has begun`, () => begun(r).find((one) => one.attempt === attempt));

/** A lease that would last for days yet, by every clock. */
const lastLong = (r: Served): void => sql(r, "UPDATE lease SET expires_at = expires_at + 3e8, until = until + 3e8");

test("D1: of several daemons one works at a time, each push is handed out once, and tokens only grow", async () => {
  const r = await serve(world);
  r.hook(`echo "$GATEPOST_RUN" >> '${r.file("ran")}'`);
  const all = [daemon(r), daemon(r), daemon(r)];
  for (let pushed = 1; pushed <= 5; pushed += 1) {
    r.push();
    await isDone(r, pushed);
  }
  expect(new Set(r.read("ran").split("\n").slice(0, -1)).size).toBe(5);
  expect(r.read("ran").split("\n")).toHaveLength(6);
  const tokens = r.home.db.sqlite.prepare("SELECT token FROM attempt ORDER BY id").pluck().all() as number[];
  expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
  expect(all.map(({ child }) => child.exitCode)).toEqual([null, null, null]);
});

test("D2: a holder that was killed is replaced on the proof of its death, and its hook ended before it runs again", async () => {
  const r = await serve(world);
  waits(r);
  const first = daemon(r);
  r.push();
  const { pid } = await hasBegun(r, 1);
  lastLong(r);
  first.child.kill("SIGKILL");
  await first.ended;
  expect(runs(pid)).toBe(true);
  daemon(r);
  await hasBegun(r, 2);
  expect(runs(pid)).toBe(false);
  fs.writeFileSync(r.file("go"), "");
  await isDone(r, 1);
  expect(attempts(r)).toMatchObject([{ outcome: "lost" }, { outcome: "exit", exitCode: 0 }]);
});

test("D2: what a holder of another boot left is taken over when its lease has ended", async () => {
  const r = await serve(world);
  r.hook(":");
  r.push();
  const left = `token = 5, holder = 'x', boot_id = 'another', pid = 1, start_time = '1', until = 9e15`;
  sql(r, `UPDATE lease SET ${left}, expires_at = ${Date.now() + 20_000}`);
  await r.pass({ nodelay: true });
  expect(r.runs()).toEqual([]);
  sql(r, `UPDATE lease SET expires_at = ${Date.now()}`);
  await r.pass({ nodelay: true });
  expect(r.runs()).toMatchObject([{ state: "done" }]);
  expect(readLease(r.home.db)).toMatchObject({ token: 6, holder: null });
});

/** A lease in the hands of a process, with nothing that ends it for days. */
function heldBy(r: Served, pid: number, startTime: string): void {
  const who = `boot_id = '${bootId()}', pid = ${pid}, start_time = '${startTime}'`;
  sql(r, `UPDATE lease SET token = 5, holder = 'x', ${who}, expires_at = 9e15, until = 9e15`);
}

test("D3: a stranger with the holder's pid is not mistaken for it, and gets no signal", async () => {
  const r = await serve(world);
  r.hook(":");
  r.push();
  const stranger = spawn("sleep", ["1000"]);
  try {
    heldBy(r, stranger.pid ?? 0, "1");
    await r.pass({ nodelay: true });
    expect(r.runs()).toMatchObject([{ state: "done" }]);
    expect(runs(stranger.pid ?? 0)).toBe(true);
  } finally {
    stranger.kill("SIGKILL");
  }
});

test.skipIf(process.getuid?.() !== 0)("D4: a holder of another user counts as alive until it is gone", async () => {
  const r = await serve(world);
  r.hook(":");
  r.push();
  const other = spawn("sleep", ["1000"], { uid: 12_345, gid: 12_345 });
  const identity = processIdentity(other.pid ?? 0);
  try {
    heldBy(r, other.pid ?? 0, identity?.startTime ?? "");
    await r.pass({ nodelay: true });
    expect(r.runs()).toEqual([]);
    expect(readLease(r.home.db)).toMatchObject({ token: 5, holder: "x" });
  } finally {
    other.kill("SIGKILL");
  }
  await new Promise((resolve) => other.once("exit", resolve));
  await r.pass({ nodelay: true });
  expect(r.runs()).toMatchObject([{ state: "done" }]);
});

test.skipIf(process.getuid?.() !== 0)("D4: a process that /proc hides from us is not proven dead", () => {
  const source = new URL("../../dist/process/identity.js", import.meta.url).href;
  const ask = `
    import { isGone } from "${source}";
    const pid = ${process.pid};
    console.log(isGone({ pid, startTime: "${processIdentity(process.pid)?.startTime}" }), isGone({ pid: 2 ** 22 - 1, startTime: "1" }));`;
  const shell = `mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid 12345 --clear-groups "$0" --input-type=module -e "$1"`;
  const asked = world.run(["unshare", "-m", "sh", "-c", shell, process.execPath, ask]);
  expect(asked, asked.stderr).toMatchObject({ stdout: "false true\n", code: 0 });
  expect(isGone({ pid: process.pid, startTime: "1" })).toBe(true);
});

test("D5: a holder whose lease was deleted by hand steps down and comes back with a higher token", async () => {
  const r = await serve(world);
  waits(r);
  daemon(r);
  r.push();
  const { pid } = await hasBegun(r, 1);
  const [first] = attempts(r);
  sql(r, "DELETE FROM lease");
  await hasBegun(r, 2);
  expect(runs(pid)).toBe(false);
  fs.writeFileSync(r.file("go"), "");
  await isDone(r, 1);
  const tokens = r.home.db.sqlite.prepare("SELECT token FROM attempt ORDER BY id").pluck().all() as number[];
  expect(first).toBeDefined();
  expect(tokens[1]).toBeGreaterThan(tokens[0] ?? 0);
  expect(attempts(r)).toMatchObject([{ outcome: "lost" }, { outcome: "exit", exitCode: 0 }]);
});

/** A keeper in this process while `work` goes on, with a lease so short that a test need not wait for it. */
async function keeping(length: number, work: (r: Served, keeper: Keeper) => Promise<void>): Promise<void> {
  const r = await serve(world);
  const home = openToRun(r.home.dir);
  const quiet = { functions: new Map(), bell: new Bell(), log: () => {}, progress: () => {} };
  home.db.sqlite.pragma("busy_timeout = 1");
  const keeper = keepLease(contextOf(home, quiet), length as Millis);
  if ("heldBy" in keeper) throw new Error("the lease is held");
  try {
    await work(r, keeper);
  } finally {
    keeper.release();
    closeHome(home);
  }
}
const isLost = (keeper: Keeper) => until("the lease is given up", () => keeper.lost.aborted);

test("D6: a holder that cannot renew gives up when its trust is over, and not before somebody could take the lease", () =>
  keeping(600, async (r, keeper) => {
    sql(r, "BEGIN IMMEDIATE");
    const { until: ends } = readLease(r.home.db) ?? {};
    await isLost(keeper);
    expect(keeper.lost.reason).toMatchObject({ code: "GP_BUSY" });
    expect(sinceBoot()).toBeGreaterThanOrEqual((ends ?? 0) - 60);
    sql(r, "ROLLBACK");
    expect(readLease(r.home.db)).toMatchObject({ until: ends });
  }));

test("B2: a lease that cannot be given back breaks nothing, and holds up another process until it ends, but not this one", () =>
  keeping(60_000, async (r, keeper) => {
    r.hook(":");
    r.push();
    sql(r, "BEGIN IMMEDIATE");
    keeper.release();
    sql(r, "ROLLBACK");
    expect(holderOf(r)).toBe(process.pid);
    expect(world.gatepost(["backoffice", "--nodelay", "--home", r.home.dir]).code).toBe(0);
    expect(r.runs()).toEqual([]);
    await r.pass({ nodelay: true });
    expect(r.runs()).toMatchObject([{ state: "done" }]);
    expect(readLease(r.home.db)).toMatchObject({ token: keeper.token + 1, holder: null });
  }));

test("D6: a renewal that fails for a moment costs nothing", () =>
  keeping(9000, async (r, keeper) => {
    sql(r, "BEGIN IMMEDIATE");
    const before = readLease(r.home.db)?.until ?? 0;
    await until("a beat was due", () => sinceBoot() > before - 5900);
    sql(r, "ROLLBACK");
    await until("the lease was renewed", () => (readLease(r.home.db)?.until ?? 0) > before);
    expect(keeper.lost.aborted).toBe(false);
  }));

test("C6: of a renewal that had to wait, the lease and the trust in it count from its start", () =>
  keeping(60_000, async (r, keeper) => {
    const before = readLease(r.home.db)?.until ?? 0;
    const text = `
      const db = new (await import("better-sqlite3")).default(process.argv[1]);
      db.exec("BEGIN IMMEDIATE"); console.log("locked");
      process.stdin.once("data", () => {
        // Not before the other has asked: it waits in its system call.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
        console.log(String(process.hrtime.bigint() / 1000000n)); db.exec("COMMIT"); process.exit(0);
      });`;
    const locker = spawn(process.execPath, ["--input-type=module", "-e", text, r.home.layout.database]);
    let said = "";
    locker.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    await until("the database is locked", () => said.includes("locked"));
    const other = openToRun(r.home.dir);
    const lease = readLease(other.db);
    const start = { wall: Date.now() as Instant, sinceBoot: sinceBoot() };
    locker.stdin.write("go\n");
    expect(renewLease(other.db, lease?.token ?? 0, lease?.holder ?? "", start, 60_000 as Millis)).toBe(true);
    closeHome(other);
    await until("it said when it let go", () => said.split("\n").length === 3);
    const released = Number(said.split("\n")[1]);
    const renewed = readLease(r.home.db)?.until ?? 0;
    expect(renewed).toBeGreaterThan(before);
    expect(renewed).toBeLessThan(released + 60_000);
    expect(keeper.lost.aborted).toBe(false);
  }));

test("C3: a holder that was stopped for longer than its lease writes nothing when it goes on, and its hook is ended", async () => {
  const r = await serve(world);
  waits(r);
  const first = daemon(r);
  r.push();
  const { pid } = await hasBegun(r, 1);
  const held = holderOf(r);
  expect(held).toBe(first.pid);
  first.child.kill("SIGSTOP");
  sql(r, "UPDATE lease SET expires_at = 1, until = 1");
  const second = daemon(r);
  await hasBegun(r, 2);
  expect(runs(pid)).toBe(false);
  first.child.kill("SIGCONT");
  await until("it has noticed", () => /taken over/.test(first.said()));
  fs.writeFileSync(r.file("go"), "");
  await isDone(r, 1);
  expect(attempts(r)).toMatchObject([{ outcome: "lost" }, { outcome: "exit", exitCode: 0 }]);
  second.child.kill("SIGTERM");
  await second.ended;
  r.push();
  await isDone(r, 2);
  expect(first.child.exitCode).toBeNull();
  expect(begun(r).map(({ attempt }) => attempt)).toEqual([1, 2, 1]);
});
