/** What systemd hears of a server: a listener stands in for it, and systemd-notify is the real one. */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { Bell } from "../../src/backoffice/bell.ts";
import { serviceManager } from "../../src/process/notify.ts";
import { makeWorld, until } from "../helpers/cli.ts";
import { endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";
import { enter, isDone, leave, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
endDaemonsAfterEach();
afterAll(() => leave(world));

const missing = ["python3", "systemd-notify"].filter(
  (name) => world.run(["sh", "-c", 'command -v "$0"', name]).code !== 0,
);

/** Takes messages in as systemd does, and writes each on a line of its own. */
const LISTENER = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
log = open(sys.argv[2], "ab", 0)
while True: log.write(s.recv(65536).strip().replace(b"\\n", b" ") + b"\\n")
`;

let listener: ChildProcess;
let socket = "";
let log = "";
let number = 0;

beforeEach(async ({ skip }) => {
  if (missing.length > 0) skip(`needs ${missing.join(" and ")}`);
  socket = world.at(`notify${++number}`);
  log = world.at(`heard${number}`);
  listener = spawn("python3", ["-c", LISTENER, socket, log], { stdio: "inherit" });
  await until("it listens", () => fs.existsSync(log));
});
afterEach(() => {
  listener?.kill("SIGKILL");
});

/** The messages so far; systemd-notify's own barrier is none. */
const heard = (): string[] =>
  fs
    .readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => line !== "" && line !== "BARRIER=1");

test("sd_notify: a server is ready once it has looked, beats, and says that it stops; no hook can speak for it", async () => {
  const [one, two] = [await serve(world), await serve(world)];
  one.hook(`env > '${one.file("env")}'`);
  one.push();
  const daemon = startDaemon(world, ["serve", "--poll", "3600", one.path, two.path], {
    NOTIFY_SOCKET: socket,
    WATCHDOG_USEC: "200000",
  });
  await until("it is ready", () => heard().includes("READY=1 STATUS=serving 2 homes"));
  await until("it beats twice", () => heard().filter((line) => line === "WATCHDOG=1").length >= 2);
  await isDone(one, 1);
  expect(one.read("env")).not.toMatch(/NOTIFY|WATCHDOG/);
  daemon.child.kill("SIGTERM");
  expect(await daemon.ended).toBe(0);
  await until("the stop is told", () => heard().includes("STOPPING=1 STATUS=stopping"));
});

test("sd_notify: a first look is enough to be ready: hooks that still run, and a home that cannot be opened, are not waited for", async () => {
  const [good, bad] = [await serve(world), await serve(world)];
  good.hook(`: > '${good.file("runs")}'; until [ -e '${good.file("go")}' ]; do sleep 0.05; done`);
  good.push();
  fs.renameSync(bad.home.layout.database, `${bad.home.layout.database}-away`);
  const daemon = startDaemon(world, ["serve", "--poll", "3600", good.path, bad.path], { NOTIFY_SOCKET: socket });
  await until("it is ready", () => heard().includes("READY=1 STATUS=serving 1 home"));
  await until("the hook runs", () => fs.existsSync(good.file("runs")));
  expect(good.runs()).toMatchObject([{ state: "running" }]);
  fs.writeFileSync(good.file("go"), "");
  await isDone(good, 1);
  daemon.child.kill("SIGTERM");
  expect(await daemon.ended).toBe(0);
});

test("sd_notify: without the program systemd-notify a server says so once and serves", async () => {
  const r = await serve(world);
  r.hook("true");
  const tools = world.at("tools");
  fs.mkdirSync(tools);
  for (const name of ["git", "sh", "cat", "setpriv", "getent"]) {
    const { stdout } = world.run(["sh", "-c", 'command -v "$0"', name]);
    if (stdout !== "") fs.symlinkSync(stdout.trim(), `${tools}/${name}`);
  }
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "50000", PATH: tools };
  const daemon = startDaemon(world, ["serve", "--poll", "3600", r.path], env);
  await until("it says so", () => daemon.said().includes("the program systemd-notify is missing"));
  r.push();
  await isDone(r, 1);
  daemon.child.kill("SIGTERM");
  expect(await daemon.ended).toBe(0);
  expect(daemon.said().split("systemd-notify is missing")).toHaveLength(2);
  expect(heard()).toEqual([]);
});

test("sd_notify: while the loops do not turn the watchdog is not answered, and its variables are for one process only", async () => {
  const complaints: string[] = [];
  Object.assign(process.env, { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "20000", WATCHDOG_PID: String(process.pid) });
  const manager = serviceManager((message) => complaints.push(message));
  expect([process.env["NOTIFY_SOCKET"], process.env["WATCHDOG_USEC"]]).toEqual([undefined, undefined]);
  let asked = 0;
  manager?.beat(() => ++asked > 10);
  await until("it was asked ten times", () => asked >= 10);
  expect(heard()).toEqual([]);
  await until("it beats", () => heard().includes("WATCHDOG=1"));
  manager?.close();
  const before = asked;
  Object.assign(process.env, { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "20000", WATCHDOG_PID: "1" });
  const other = serviceManager((message) => complaints.push(message));
  other?.beat(() => expect.unreachable("the watchdog is another's"));
  other?.ready("up");
  await until("it is ready", () => heard().includes("READY=1 STATUS=up"));
  other?.close();
  expect([asked, complaints]).toEqual([before, []]);
  expect(serviceManager(() => {})).toBeNull();
});

test("sd_notify: a loop counts as alive while it waits at its bell, and by the time since it left", async () => {
  const bell = new Bell();
  const stop = new AbortController();
  const waiting = bell.wait(null, stop.signal);
  expect(bell.unattended()).toBe(0);
  bell.ring();
  await waiting;
  const left = bell.unattended();
  await until("time goes by", () => bell.unattended() > left);
});
