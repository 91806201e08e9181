/**
 * The thread of a home that an embedding program opened: all of Gatepost that touches the database, the repositories and
 * processes. SQLite is synchronous, waits up to 5 s for another process's write lock, and drains ten thousand entries in
 * one go; none of that may happen in the caller's event loop, so all of it happens here.
 *
 *   - Calls are begun in the order in which they arrive, once the home is open. One that waits (a pass, serving) lets
 *     others in between; one that does not holds up the next.
 *   - `close` aborts what is under way, waits for it, and closes the database. Nothing is ended in the middle.
 *   - A hook that is a function stays in the caller's thread: thread-functions.ts.
 *
 * If the thread dies here, the caller's side (thread-caller.ts) fails what was under way, and its next call starts another
 * thread; for the home it is as if a backoffice had died. If the caller's process ends, so does this, likewise.
 *
 * Proved by test/e2e/library-loop.test.ts and test/e2e/library-thread.test.ts. This module is the thread: nobody imports
 * it.
 */
import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { type MessagePort, parentPort } from "node:worker_threads";
import { GatepostError } from "../core/errors.ts";
import { layout } from "../core/layout.ts";
import { catchUp } from "./catch-up.ts";
import { register } from "./init.ts";
import { locate } from "./locate.ts";
import { makeHome } from "./make.ts";
import { closeHome, type OpenHome, openHome } from "./open.ts";
import { requireWord } from "./thread-arguments.ts";
import { calls, type Under } from "./thread-calls.ts";
import { coded, pack } from "./thread-errors.ts";
import { RemoteFunctions } from "./thread-functions.ts";
import type { FromThread, Level, ToThread } from "./thread-protocol.ts";
import { inParts, sendParts } from "./thread-stream.ts";

if (parentPort === null) throw new GatepostError("GP_BUG", "This module is started as a thread.");
const port: MessagePort = parentPort;
const functions = new RemoteFunctions(port);
const stops = new Map<number, AbortController>();
const underWay = new Set<Promise<void>>();
let opening: Promise<OpenHome> | null = null;

type Call = Extract<ToThread, { call: number }>;

const say = (message: FromThread, ports: MessagePort[] = []): void => port.postMessage(message, ports);

port.on("message", (message: ToThread) => {
  if ("call" in message) begin(message);
  else if ("abort" in message) stops.get(message.abort)?.abort();
  else if ("supply" in message) for (const name of message.supply) functions.supply(name);
  else if ("settled" in message) functions.settled(message.settled, message.thrown);
  else functions.list(message.list, message.port);
});

function begin(message: Call): void {
  const stop = new AbortController();
  stops.set(message.call, stop);
  const doing = answer(message, stop.signal).finally(() => {
    stops.delete(message.call);
    underWay.delete(doing);
  });
  if (message.name !== "close") underWay.add(doing);
}

async function answer({ call, name, args, logs }: Call, signal: AbortSignal): Promise<void> {
  try {
    const log = (level: Level, text: string): void => void (logs && say({ log: call, level, message: text }));
    const value = await perform(name, args, signal, log);
    if (!Array.isArray(value) || value.length <= SHORT) return say({ done: call, value });
    const { port1, port2 } = new MessageChannel();
    say({ done: call, parts: port2 }, [port2]);
    await sendParts(port1, inParts(value));
  } catch (error) {
    say({ failed: call, error: pack(coded(error)) });
  }
}

/** An array that is longer than this crosses in parts. */
const SHORT = 64;

async function perform(name: string, args: readonly unknown[], signal: AbortSignal, log: Under["log"]) {
  switch (name) {
    case "open": {
      opening = open(args[0], String(args[1]), args[2] === true);
      return { dir: (await opening).dir };
    }
    case "registerAlone":
      return await register(requireWord("path", args[0]), args[1] == null ? null : requireWord("home", args[1]));
    case "close":
      return await close();
  }
  if (opening === null) throw new GatepostError("GP_BUG", `${name} before open.`);
  const under: Under = {
    home: await opening,
    functions: functions.byName,
    supply: (of) => functions.supply(of),
    signal,
    log,
  };
  const use = calls[name as keyof typeof calls] as (under: Under, ...args: readonly unknown[]) => unknown;
  return await use(under, ...args);
}

async function open(named: unknown, cwd: string, create: boolean): Promise<OpenHome> {
  const dir = requireWord("home", named);
  if (create && !existsSync(layout(resolve(cwd, dir)).database)) return makeAt(resolve(cwd, dir));
  const home = openHome(locate({ repository: dir, cwd }).home);
  await catchUp(home); // so that a hook that the program adds starts with what comes after it
  return home;
}

function makeAt(dir: string): OpenHome {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return makeHome(realpathSync(dir), false).home;
}

async function close(): Promise<void> {
  for (const stop of stops.values()) stop.abort();
  await Promise.all(underWay);
  const home = await opening?.catch(() => null); // never opened: whoever tried was told
  if (home) closeHome(home);
}
