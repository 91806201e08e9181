/** Hooks that do what no hook should, run by a real backoffice, and what becomes of them, of others and of us. */
import * as fs from "node:fs";
import { fileURLToPath } from "node:url";
import SQLite from "better-sqlite3";
import { afterAll, expect, test } from "vitest";
import { readLease } from "../../src/store/lease.ts";
import { makeWorld, program, until } from "../helpers/cli.ts";
import { endDaemonsAfterEach, followed, startDaemon } from "../helpers/daemon.ts";
import { enter, leave, type Served, serve } from "../helpers/served.ts";
import { gatepost, hasUsers, makeUsers, UIDS } from "../helpers/users.ts";
import { fixture, runningIn } from "../process/attempts.ts";

const world = makeWorld();
enter(world);
endDaemonsAfterEach();
afterAll(() => leave(world));

/** One pass by a process of its own. */
const backoffice = (at: Served, ...args: string[]) => world.call(["backoffice", ...args, at.home.dir]);
const passed = { stdout: "", stderr: "", code: 0 };
/** A file beside a home as a word for the shell. */
const word = (r: Served, name: string): string => `'${r.file(name)}'`;
const lines = (r: Served, name: string): string[] => r.read(name).split("\n").slice(0, -1);
const attemptsOf = (r: Served, at = 0) => {
  const run = r.runs()[at];
  return run === undefined ? [] : r.attempts(run);
};
const output = (r: Served, at = 0): string =>
  attemptsOf(r, at)
    .map(({ outputHead }) => outputHead?.toString() ?? "")
    .join("");

/** Two repositories of one home. */
async function two(name: string): Promise<[Served, Served]> {
  const home = world.at(name);
  return [await serve(world, { home }), await serve(world, { home })];
}

test("A5: a hook that is killed has failed by that signal, and is tried again as it asked for", async () => {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  const command = `[ "$GATEPOST_ATTEMPT" = 1 ] || exit 0; echo $$ >${word(r, "new")}; mv ${word(r, "new")} ${word(r, "pid")}; while :; do sleep 0.05; done`;
  r.hook(command, { retries: 1 });
  r.hook(`exec ${fixture("dies-by-signal-n")} 11`);
  r.push();
  const pass = backoffice(r, "--nodelay");
  const pid = await until("the hook runs", () => fs.existsSync(r.file("pid")) && Number(r.read("pid")));
  process.kill(pid, "SIGKILL");
  expect((await pass).code).toBe(0);
  await r.pass({ stay: true });
  expect(r.runs()).toMatchObject([
    { state: "done", attempts: 2 },
    { state: "failed", attempts: 1, reason: "killed by SIGSEGV" },
  ]);
  expect(attemptsOf(r)).toMatchObject([
    { outcome: "signal", detail: "SIGKILL", exitCode: null },
    { outcome: "exit", exitCode: 0 },
  ]);
});

test("E6: a hook that calls the backoffice again hears that one is at work, and both end", async () => {
  const r = await serve(world);
  r.hook(`echo ran >>${word(r, "ran")}; %F backoffice %R; echo "said $?"; %F hook list -R %R >${word(r, "list")}`);
  r.push();
  expect(await backoffice(r)).toEqual(passed);
  expect(r.runs()).toMatchObject([{ state: "done", attempts: 1 }]);
  expect(lines(r, "ran")).toEqual(["ran"]);
  expect(output(r)).toMatch(/^(.*\n)*said [04]\n$/);
  expect(r.read("list")).toContain("ran");
});

test("E6: a hook that tries itself, as an after-receive hook or as a gate, is stopped nine deep", async () => {
  const r = await serve(world);
  r.hook(`echo down >>${word(r, "depth")}; %F hook test 1 -R %R`);
  const { stdout, code } = await world.call(["hook", "test", "1", "-R", r.path]);
  expect(lines(r, "depth")).toHaveLength(8);
  expect(stdout).toContain("This trial of a hook stands in 8 others.");
  expect(code).not.toBe(0);
  fs.rmSync(r.file("depth"));
  r.hook(`echo down >>${word(r, "depth")}; %F hook test 2 -R '${r.path}'`, { type: "before-receive" });
  await world.call(["hook", "test", "2", "-R", r.path]);
  expect(lines(r, "depth")).toHaveLength(8);
});

test("E6: a hook may hold our database in a transaction while the run of another repository ends", async () => {
  const [a, b] = await two("e6");
  const sqlite = fileURLToPath(import.meta.resolve("better-sqlite3"));
  const script = a.file("holds.mjs");
  fs.writeFileSync(
    script,
    `import { createRequire } from "node:module";
import { existsSync, writeFileSync } from "node:fs";
const db = createRequire(import.meta.url)(${JSON.stringify(sqlite)})(process.argv[2]);
db.exec("BEGIN IMMEDIATE; INSERT INTO setting VALUES ('held', '1')");
writeFileSync(${JSON.stringify(a.file("locked"))}, "");
const wait = (length) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, length);
while (!existsSync(${JSON.stringify(b.file("ended"))})) wait(10);
wait(500);
db.exec("ROLLBACK");
`,
  );
  a.hook(`'${process.execPath}' '${script}' '${a.home.layout.database}'`);
  b.hook(`until [ -e ${word(a, "locked")} ]; do sleep 0.01; done; : >${word(b, "ended")}`);
  a.push();
  b.push();
  expect(await backoffice(a)).toEqual(passed);
  expect(output(a)).toBe("");
  expect([...a.runs(), ...b.runs()]).toMatchObject([
    { state: "done", attempts: 1 },
    { state: "done", attempts: 1 },
  ]);
});

test("E7: a hook that edits or deletes itself ends as it began; the next batch sees what it did", async () => {
  const r = await serve(world);
  const script = r.file("hook.sh");
  const edit = `'${process.execPath}' '${program}' hook`;
  fs.writeFileSync(
    script,
    `#!/bin/sh
rm "$0"
${edit} edit 1 -R "$GATEPOST_REPOSITORY" --command "echo second >>${word(r, "ran")}; ${edit} delete 1 -R %R; echo deleted >>${word(r, "ran")}"
echo first >>${word(r, "ran")}
`,
    { mode: 0o755 },
  );
  r.hook(`'${script}'; echo third >>${word(r, "ran")}`);
  r.push();
  expect(await backoffice(r)).toEqual(passed);
  expect(lines(r, "ran")).toEqual(["first", "third"]);
  r.push();
  expect(await backoffice(r)).toEqual(passed);
  expect(lines(r, "ran")).toEqual(["first", "third", "second", "deleted"]);
  r.push();
  expect(await backoffice(r)).toEqual(passed);
  expect(lines(r, "ran")).toHaveLength(4);
  expect(r.runs()).toMatchObject([{ state: "done" }, { state: "done" }]);
});

test("E7: a hook that deletes its repository, where it stands, has run; other repositories are served on", async () => {
  const [a, b] = await two("e7");
  a.hook(`rm -rf %R; pwd -P >/dev/null 2>&1; echo gone`);
  a.hook("echo later");
  b.hook(`cat >>${word(b, "got")}`);
  a.push();
  const first = b.push();
  await backoffice(a);
  expect(fs.existsSync(a.path)).toBe(false);
  expect(a.runs()[0]).toMatchObject({ state: "done", attempts: 1 });
  expect(output(a)).toContain("gone\n");
  expect(a.runs()[1]?.state).not.toBe("done");
  const second = b.push();
  await backoffice(a);
  expect(b.runs()).toMatchObject([{ state: "done" }, { state: "done" }]);
  for (const hash of [first, second]) expect(b.read("got")).toContain(hash);
});

test("E8: a hook that always fails is tried again after growing pauses, then parked with its cause; others go on", async () => {
  const r = await serve(world);
  const base = 40;
  r.set("retry-base", `${base}ms`);
  r.hook(`${fixture("exits-n")} 3`, { retries: 3, name: "bad" });
  r.hook(`echo "$GATEPOST_BATCH" >>${word(r, "ran")}`);
  r.push();
  await r.pass({ stay: true });
  r.push();
  await r.pass({ stay: true });
  const parked = { state: "parked", attempts: 4, failures: 4, reason: "exit 3, after 4 attempts", hookName: "bad" };
  expect(r.runs()).toMatchObject([parked, { state: "done" }, parked, { state: "done" }]);
  expect(lines(r, "ran")).toEqual(["1", "2"]);
  const tries = attemptsOf(r);
  expect(tries.map(({ outcome, exitCode }) => [outcome, exitCode])).toEqual(Array(4).fill(["exit", 3]));
  for (const [n, { startedAt }] of tries.entries()) {
    if (n === 0) continue;
    const pause = startedAt - (tries[n - 1]?.endedAt ?? 0);
    expect(pause, `before attempt ${n + 1}`).toBeGreaterThanOrEqual(Math.floor(base * 2 ** (n - 1) * 0.6) - 1);
  }
  expect(world.gatepost(["runs", "--parked", "-R", r.path]).stdout).toContain("exit 3, after 4 attempts");
  await r.pass({ stay: true });
  expect(r.runs().map(({ attempts }) => attempts)).toEqual([4, 1, 4, 1]);
  expect(world.gatepost(["runs", "release", "a-1", "-R", r.path]).code).toBe(0);
  await r.pass({ stay: true });
  expect(r.runs()[0]?.attempts).toBeGreaterThan(4);
});

test("E9: hundreds of hooks run in the order of their numbers, negative ones first, equal ones as they were added", async () => {
  const r = await serve(world);
  const some = [10, 9, 2, -1, 100, 10, 0, -20, 2];
  const sequences = Array.from({ length: 150 }, (_, n) => some[n % some.length] ?? 0);
  for (const [n, sequence] of sequences.entries()) r.hook(`echo ${n} >>${word(r, "ran")}`, { sequence });
  r.push();
  expect(await backoffice(r)).toEqual(passed);
  const wanted = [...sequences.entries()].sort(([a, x], [b, y]) => x - y || a - b).map(([n]) => String(n));
  expect(lines(r, "ran")).toEqual(wanted);
  expect(r.runs().every(({ state }) => state === "done")).toBe(true);
});

test("E9: a slow hook of one repository holds up no other's", async () => {
  const [slow, quick] = await two("e9");
  slow.hook(`until [ "$(wc -l <${word(quick, "ran")})" -ge 3 ]; do sleep 0.02; done`);
  quick.hook(`echo ran >>${word(quick, "ran")}`);
  fs.writeFileSync(quick.file("ran"), "");
  const daemon = startDaemon(world, ["serve", "--poll", "1", slow.home.dir]);
  await until("the daemon serves", () => daemon.said().includes("serving"));
  slow.push();
  await until("the slow hook runs", () => slow.runs()[0]?.state === "running");
  for (let n = 1; n <= 3; n++) {
    quick.push();
    await until(`push ${n} is handed out`, () => lines(quick, "ran").length === n);
  }
  await until("the slow hook ends", () => slow.runs()[0]?.state === "done");
});

test("E11: while a hook breeds hundreds of processes another repository is served; at its timeout all are ended", async () => {
  const [bomb, other] = await two("e11");
  bomb.hook(`echo $$ >${word(bomb, "pid")}; ${fixture("forks-many")} 300 >${word(bomb, "started")}`);
  other.hook(`cat >${word(other, "got")}`);
  const daemon = startDaemon(world, ["serve", "--poll", "1", bomb.home.dir]);
  await until("the daemon serves", () => daemon.said().includes("serving"));
  bomb.push();
  await until("300 are there", () => fs.existsSync(bomb.file("started")) && bomb.read("started") === "started 300\n");
  const hash = other.push();
  await until("the other's push is handed out", () => other.runs()[0]?.state === "done");
  expect(other.read("got")).toContain(hash);
  expect(bomb.runs()).toMatchObject([{ state: "running" }]);
  const session = Number(bomb.read("pid"));
  expect(runningIn(session).length).toBeGreaterThan(300);
  bomb.set("timeout", "300ms");
  daemon.child.kill("SIGTERM");
  expect(await daemon.ended).toBe(0);
  expect(runningIn(session)).toEqual([]);
  await bomb.pass();
  expect(bomb.runs()).toMatchObject([{ state: "failed", attempts: 2, reason: "ended at its timeout" }]);
  expect(runningIn(Number(bomb.read("pid")))).toEqual([]);
  expect(readLease(bomb.home.db)).toMatchObject({ holder: null });
});

test("B6: a command that is missing, not executable, busy or without its interpreter has failed, each with its code", async () => {
  const r = await serve(world);
  const put = (name: string, text: string | Buffer, mode: number): string => {
    fs.writeFileSync(r.file(name), text, { mode });
    return word(r, name);
  };
  const commands = [
    "no-such-program",
    put("plain", "#!/bin/sh\n", 0o644),
    put("bad-shebang", "#!/no/such/shell\n", 0o755),
    put("folder-shebang", "#!/\n", 0o755),
    put("busy", fs.readFileSync(fs.realpathSync("/bin/sleep")), 0o755),
  ];
  const open = fs.openSync(r.file("busy"), "r+");
  try {
    for (const command of commands) r.hook(`exec ${command}`, { retries: 0 });
    r.hook(`echo on >${word(r, "on")}`);
    r.push();
    expect(await backoffice(r)).toEqual(passed);
  } finally {
    fs.closeSync(open);
  }
  expect(r.runs().map(({ state, reason }) => [state, reason])).toEqual([
    ["failed", "exit 127: the shell did not find a program"],
    ["failed", "exit 126: a program could not be executed"],
    ["failed", "exit 127: the shell did not find a program"],
    ["failed", "exit 126: a program could not be executed"],
    ["failed", "exit 126: a program could not be executed"],
    ["done", null],
  ]);
  expect(output(r, 4)).toMatch(/busy/i);
});

test.runIf(hasUsers)("B6: while no process can be started a hook is put off, and not counted as failed", async () => {
  const users = makeUsers();
  const path = users.serve("alice", "echo ran >>$PWD/gatepost/ran; kill -9 $$");
  const home = `${path}/gatepost`;
  const states = () => {
    const db = new SQLite(`${home}/gatepost.db`, { readonly: true });
    try {
      return db.prepare("SELECT state, attempts, failures FROM run").all();
    } finally {
      db.close();
    }
  };
  const limit = (pid: number, most: string) => users.as("alice", ["prlimit", "--pid", String(pid), `--nproc=${most}:`]);
  const daemon = followed(users.start([...gatepost, "serve", "--poll", "1", path]));
  try {
    const pid = await until("alice's daemon serves", () => {
      if (!daemon.said().includes("serving") || !fs.existsSync(`${home}/daemon.pid`)) return null;
      return Number(fs.readFileSync(`${home}/daemon.pid`, "utf8").split(" ")[0]);
    });
    expect(fs.statSync(`/proc/${pid}`).uid).toBe(UIDS.alice);
    expect(limit(pid, "1")).toMatchObject({ code: 0 });
    users.push("alice", path);
    await until("it was tried", () => daemon.said().includes("out of processes"));
    expect(fs.existsSync(`${home}/ran`)).toBe(false);
    expect(limit(pid, "1000")).toMatchObject({ code: 0 });
    await until("the hook has run", () => fs.existsSync(`${home}/ran`));
    await until("its run has ended", () => states().some((run) => (run as { state: string }).state === "failed"));
    expect(states()).toMatchObject([{ failures: 1 }]);
  } finally {
    await daemon.stop();
    users.world.remove();
  }
});

test("B3: a log that cannot be written holds up no run", async () => {
  const r = await serve(world);
  r.hook("echo kept");
  r.push();
  const { code, stderr } = await backoffice(r, "--logfile", "/dev/full", "--debug");
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringContaining("The log file cannot be written (ENOSPC"),
  });
  expect(r.runs()).toMatchObject([{ state: "done", attempts: 1 }]);
  expect(output(r)).toBe("kept\n");
});
