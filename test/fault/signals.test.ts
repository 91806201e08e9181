/**
 * Rows D7 to D9: signals at every stage of a backoffice, logs that nobody reads, and many starts and stops.
 *
 * Hooks that wait here wait for ever, and the grace is an hour, so that only what the test does can end them.
 */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { readLease } from "../../src/store/lease.ts";
import { makeWorld, program, until, type World } from "../helpers/cli.ts";
import { type Daemon, endDaemonsAfterEach, startDaemon, startServer } from "../helpers/daemon.ts";
import { enter, fileOf, isDone, leave, runs, type Served, serve } from "../helpers/served.ts";

const worlds: World[] = [];
afterEach(() => {
  for (const world of worlds.splice(0)) leave(world);
});
endDaemonsAfterEach();

/** A world of its own, so that its register holds nothing but what the test puts there. */
function newWorld(): World {
  const world = makeWorld();
  enter(world);
  worlds.push(world);
  return world;
}

/** A hook that tells its pid and that it was asked to end, and ends only where `on` says so; done at once when repeated. */
const waits = (r: Served, on: "exit 9" | ":") =>
  r.hook(
    `[ "$GATEPOST_ATTEMPT" = 1 ] || exit 0; trap ': > "${r.file("asked")}"; ${on}' TERM; echo $$ > '${r.file("pid")}'; while :; do sleep 0.05; done`,
  );

/** A server at work: its hook waits, and has a grace of an hour once it is asked to end. */
async function atWork(on: "exit 9" | ":"): Promise<{ r: Served; daemon: Daemon; hook: number }> {
  const r = await serve(newWorld());
  r.set("grace", "1h");
  waits(r, on);
  const daemon = await startServer(r);
  r.push();
  return { r, daemon, hook: Number(await fileOf(r, "pid")) };
}

/** Nothing is left of whoever worked on the home. */
function expectNothingLeft(r: Served): void {
  expect(readLease(r.home.db)?.pid ?? null).toBeNull();
  const left = fs.readdirSync(r.home.dir).filter((name) => /\.new$|^daemon\.pid$|^starting$/.test(name));
  expect([...left, ...fs.readdirSync(r.home.layout.auxiliary)]).toEqual([]);
}

/** Whether the process has a handler for the signal. That for HUP is the last one made; Node makes some itself. */
function catches(pid: number, signal: keyof typeof constants.signals): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(fs.readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
}

describe("D7: signals", () => {
  test.for(["SIGTERM", "SIGINT", "SIGQUIT"] as const)("D7: %s while it starts is not lost", async (signal) => {
    const r = await serve(newWorld());
    const early = startDaemon(r.world, ["serve", r.path]);
    early.child.kill(signal);
    expect([0, signal], "before its handlers stand the kernel ends it").toContain(await early.ended);
    const daemon = startDaemon(r.world, ["serve", r.path]);
    await until("its handlers stand", () => catches(daemon.pid, "SIGHUP"));
    daemon.child.kill(signal);
    expect(await daemon.ended).toBe(0);
    expectNothingLeft(r);
  });

  test("D7: HUP while it starts is taken for a reload, and it serves", async () => {
    const r = await serve(newWorld());
    r.hook("true");
    const daemon = startDaemon(r.world, ["serve", r.path]);
    await until("its handlers stand", () => catches(daemon.pid, "SIGHUP"));
    daemon.child.kill("SIGHUP");
    r.push();
    await isDone(r, 1);
  });

  test.for(["SIGTERM", "SIGINT"] as const)("D7: %s lets a running hook end in its own way", async (signal) => {
    const { r, daemon, hook } = await atWork("exit 9");
    daemon.child.kill(signal);
    expect(await daemon.ended).toBe(0);
    expect(fs.existsSync(r.file("asked"))).toBe(true);
    expect(runs(hook)).toBe(false);
    expect(r.runs()).toMatchObject([{ state: "waiting", attempts: 1, failures: 0 }]);
    expect(daemon.said().split(`gatepost: stopping: ${signal}\n`), "said once").toHaveLength(2);
    expect(daemon.said()).toMatch(/ gatepost: run a-1: ended by shutdown in \d+ ms; it runs again\n/);
    expectNothingLeft(r);
  });

  test.for([
    ["SIGTERM", "SIGTERM"],
    ["SIGINT", "SIGINT"],
    ["SIGTERM", "SIGINT"],
    ["SIGINT", "SIGQUIT"],
  ] as const)("D7: %s and then %s end a running hook's grace", async ([first, second]) => {
    const { r, daemon, hook } = await atWork(":");
    daemon.child.kill(first);
    await until("the hook was asked to end", () => fs.existsSync(r.file("asked")));
    expect(runs(hook), "and has its grace").toBe(true);
    daemon.child.kill(second);
    expect(await daemon.ended).toBe(0);
    expect(runs(hook)).toBe(false);
    expect(r.runs()).toMatchObject([{ state: "waiting", attempts: 1, failures: 0 }]);
    expectNothingLeft(r);
    await r.pass();
    expect(r.runs()).toMatchObject([{ state: "done", attempts: 2 }]);
  });

  test("D7: QUIT gives no grace", async () => {
    const { r, daemon, hook } = await atWork(":");
    daemon.child.kill("SIGQUIT");
    expect(await daemon.ended).toBe(0);
    expect(runs(hook)).toBe(false);
    expectNothingLeft(r);
  });

  test.for([
    ["SIGTERM", 143],
    ["SIGINT", 130],
    ["SIGHUP", 129],
    ["SIGQUIT", 131],
  ] as const)("D7: a single pass that %s broke off ends with %i", async ([signal, code]) => {
    const r = await serve(newWorld());
    waits(r, "exit 9");
    r.push();
    const pass = startDaemon(r.world, ["backoffice", r.path]);
    const hook = Number(await fileOf(r, "pid"));
    pass.child.kill(signal);
    expect(await pass.ended).toBe(code);
    expect(runs(hook)).toBe(false);
    expect(r.runs()).toMatchObject([{ state: "waiting", attempts: 1, failures: 0 }]);
    expectNothingLeft(r);
  });

  test("D7: HUP has settings read anew and disturbs no hook that runs", async () => {
    const r = await serve(newWorld());
    r.hook(
      `[ "$GATEPOST_RUN" = a-1 ] || { : > '${r.file("second")}'; exec sleep 300; }; echo $$ > '${r.file("pid")}'; until [ -e '${r.file("go")}' ]; do sleep 0.05; done`,
    );
    const daemon = await startServer(r);
    r.push();
    const hook = Number(await fileOf(r, "pid"));
    r.set("timeout", "300ms"); // written behind its back: nobody rings
    daemon.child.kill("SIGHUP");
    await until("it says so", () => daemon.said().includes("reloaded"));
    expect(runs(hook)).toBe(true);
    fs.writeFileSync(r.file("go"), "");
    await isDone(r, 1);
    expect(r.runs()).toMatchObject([{ attempts: 1 }]);
    r.push();
    await until("the new timeout ends the next", () => r.runs()[1]?.state === "failed");
    expect(r.runs()[1]).toMatchObject({ reason: "ended at its timeout" });
  });

  test("D7: HUP has the list of homes read anew: those that came are served, those that went are let go", async () => {
    const world = newWorld();
    const [one, two] = [await serve(world), await serve(world)];
    const daemon = startDaemon(world, ["serve", "--poll", "3600"]);
    const serves = (r: Served) => fs.existsSync(r.home.layout.daemonPid);
    await until("it serves both", () => serves(one) && serves(two));
    const three = await serve(world);
    three.hook("true");
    one.hook(`echo $$ > '${one.file("pid")}'; until [ -e '${one.file("go")}' ]; do sleep 0.05; done`);
    one.push();
    await fileOf(one, "pid");
    fs.appendFileSync(
      join(world.env["XDG_STATE_HOME"] ?? "", "gatepost", "homes"),
      `${JSON.stringify({ removed: one.home.dir })}\n`,
    );
    daemon.child.kill("SIGHUP");
    await until("it serves the third", () => serves(three));
    three.push();
    await isDone(three, 1);
    expect(serves(one), "its hook still runs").toBe(true);
    fs.writeFileSync(one.file("go"), "");
    await until("it has let go of the first", () => !serves(one));
    expect(one.runs()).toMatchObject([{ state: "done", attempts: 1 }]);
    expect(serves(two)).toBe(true);
    daemon.child.kill("SIGTERM");
    expect(await daemon.ended).toBe(0);
  });

  // A terminal of its own, on which the program is started. Once the server is up a line on stdin closes the terminal,
  // and the end of the program is told.
  const ON_TERMINAL = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
said = b""
while b"serving" not in said: said += os.read(terminal, 4096)
sys.stdin.readline()
os.close(terminal)
status = os.waitpid(pid, 0)[1]
print(os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status), flush=True)
`;

  test("D7: a server whose terminal goes away ends in order, since nobody could end it from there", async ({
    skip,
  }) => {
    const r = await serve(newWorld());
    if (r.world.run(["sh", "-c", "command -v python3"]).code !== 0) skip("python3 is needed to make a terminal");
    waits(r, "exit 9");
    const words = ["-c", ON_TERMINAL, process.execPath, program, "serve", "--poll", "3600", r.path];
    const child = spawn("python3", words, { env: { ...process.env, ...r.world.env }, cwd: r.world.dir });
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    await until("it looks at the spool", () => fs.existsSync(r.home.layout.daemonPid));
    r.push();
    const hook = Number(await fileOf(r, "pid"));
    child.stdin.end("\n");
    await ended;
    expect(said).toBe("0\n");
    expect(runs(hook)).toBe(false);
    expectNothingLeft(r);
  });
});

describe("D8: nobody reads what it says", () => {
  const shell = (r: Served, line: string) =>
    spawn("sh", ["-c", line, process.execPath, program, r.path], { env: r.world.env, cwd: r.world.dir, stdio: "pipe" });
  const ended = (child: ReturnType<typeof shell>) =>
    new Promise((resolve) => child.once("exit", (code) => resolve(code)));

  test.for([
    ["closed", ">&- 2>&-"],
    ["full", "> /dev/full 2>&1"],
  ])("D8: it serves and ends well where stdout and stderr are %s from the start", async ([, redirection]) => {
    const r = await serve(newWorld());
    r.hook("true");
    const child = shell(r, `exec "$0" "$1" serve --debug --poll 3600 "$2" ${redirection}`);
    const end = ended(child);
    for (let n = 1; n <= 3; n++) {
      r.push();
      await isDone(r, n);
    }
    child.kill("SIGTERM");
    expect(await end).toBe(0);
    expectNothingLeft(r);
  });

  test("D8: it serves on when the reader of its log has ended", async () => {
    const r = await serve(newWorld());
    r.hook("true");
    const gone = r.file("gone");
    const child = shell(r, `"$0" "$1" serve --debug --poll 3600 "$2" 2>&1 | { head -n 1; exec <&-; : > '${gone}'; }`);
    const end = ended(child);
    await until("the reader is gone", () => fs.existsSync(gone));
    for (let n = 1; n <= 3; n++) {
      r.push();
      await isDone(r, n);
    }
    process.kill(Number(fs.readFileSync(r.home.layout.daemonPid, "latin1").split(" ")[0]), "SIGTERM");
    await end;
    expectNothingLeft(r);
  });

  test("D8: a single pass does all of its work though nobody reads it any more", async () => {
    const r = await serve(newWorld());
    for (const name of ["one", "two", "three"]) r.hook(`echo ${name} >> '${r.file("log")}'`);
    r.push();
    expect(
      r.world.run([
        "sh",
        "-c",
        '{ "$0" "$1" backoffice --trace "$2" 2>&1; echo $? >&2; } | :',
        process.execPath,
        program,
        r.path,
      ]).stderr,
    ).toBe("0\n");
    expect(r.read("log")).toBe("one\ntwo\nthree\n");
  });
});

/** The processes that live in this world, by its register's folder in their environment. */
function processesOf(world: World): number[] {
  const mark = `XDG_STATE_HOME=${world.env["XDG_STATE_HOME"]}\0`;
  return fs.readdirSync("/proc").flatMap((name) => {
    try {
      const isOurs = /^\d+$/.test(name) && fs.readFileSync(`/proc/${name}/environ`, "latin1").includes(mark);
      return isOurs && runs(Number(name)) ? Number(name) : [];
    } catch {
      return [];
    }
  });
}

const SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

test("D9: started and stopped again and again by several at once, no process and no temporary file is left", async () => {
  const r = await serve(newWorld());
  r.hook("sleep 0.05");
  const client = async (number: number): Promise<void> => {
    for (let n = 0; n < 5; n++) {
      const daemon = startDaemon(r.world, ["serve", r.path]);
      if (n % 2 === 0) await until("it serves", () => daemon.said().includes("serving"));
      else await until("its handlers stand", () => catches(daemon.pid, "SIGHUP"));
      daemon.child.kill(SIGNALS[(number + n) % SIGNALS.length] ?? "SIGTERM");
      expect(await daemon.ended).toBe(0);
    }
  };
  const clients = Promise.all([0, 1, 2, 3].map(client));
  for (let n = 0; n < 4; n++) r.push();
  await clients;
  await until("the last hook has ended", () => processesOf(r.world).length === 0);
  await r.pass();
  expect(r.runs().every(({ state }) => state === "done")).toBe(true);
  expectNothingLeft(r);
  expect(r.spool()).toEqual([]);
});

test("D9: a server that was reloaded again and again, at work, has no descriptor and no child more than before", async () => {
  const r = await serve(newWorld());
  r.hook("true");
  const daemon = await startServer(r);
  const count = () => daemon.said().split("reloaded").length - 1;
  const held = () => fs.readdirSync(`/proc/${daemon.pid}/fd`).length;
  const cycle = async (): Promise<void> => {
    const [reloads, done] = [count(), r.runs().length];
    r.push();
    daemon.child.kill("SIGHUP");
    await until("it was reloaded", () => count() > reloads);
    await isDone(r, done + 1);
  };
  // Pipes are made some at a time and used up, so what is held goes up and down by a few; what a
  // leak adds grows with every cycle.
  let peak = 0;
  for (let n = 0; n < 10; n++) {
    await cycle();
    peak = Math.max(peak, held());
  }
  for (let n = 0; n < 20; n++) {
    await cycle();
    await until("it holds no more than before", () => held() <= peak + 8);
  }
  const children = () => fs.readFileSync(`/proc/${daemon.pid}/task/${daemon.pid}/children`, "latin1").trim();
  await until("the last of its children has ended", () => children() === "");
});

test("D7: USR1 opens no debugger, which would run what anybody on this machine tells it", async () => {
  const r = await serve(newWorld());
  const daemon = await startServer(r);
  const before = socketsOf(daemon.pid).length;
  daemon.child.kill("SIGUSR1");
  r.hook("true");
  r.push();
  await isDone(r, 1);
  expect(daemon.said()).not.toMatch(/[Dd]ebugger/);
  expect(socketsOf(daemon.pid)).toHaveLength(before);
});

/** The sockets that a process has open. */
const socketsOf = (pid: number): string[] =>
  fs
    .readdirSync(`/proc/${pid}/fd`)
    .map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`))
    .filter((target) => target.startsWith("socket:"));
