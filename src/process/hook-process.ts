/**
 * One attempt of one after-receive hook: a shell in a session of its own, the list on its stdin, what it prints kept
 * in part, and a true account of how it ended.
 *
 * Three things end at different times, and waiting for the wrong one is how a runner hangs or loses track:
 *   the leader   the shell we started. Its exit code is the hook's.
 *   the group    what the hook started and did not detach by setsid. It may outlive the leader; an attempt is over only
 *                when the group is dead, so that a repeat never meets what is left of the attempt before.
 *   the output   a pipe that any process may still hold open, also one that left the group. It may stay open for ever.
 *
 * So: the leader exits; output and group get `drain` to end by themselves (a `tee` behind `exec > >(tee log)` is still
 * writing); what is then left of the group gets SIGTERM, `grace`, SIGKILL, and is counted as survivors; the pipe is
 * closed whoever holds it. At the timeout, on abort, and when stdin's source fails, the whole group gets SIGTERM,
 * `grace`, SIGKILL. Nothing in this file waits without a limit, except for the hook itself when it has no timeout.
 *
 * Output is read without limit, since closing the pipe would kill a chatty hook by SIGPIPE. stdout and stderr are one
 * pipe, so what is kept is in the order in which it was printed.
 *
 * A process that SIGKILL does not end (stuck in the kernel, or another user's by setuid) is waited for two seconds and
 * then reported in `remaining`; it is for the caller not to repeat such an attempt blindly.
 *
 * Known limit: Node reports death by a real-time signal (34 to 64) as exit code 0 (20.20: its table of names ends at 31).
 *
 * If we die here: the hook runs on without us, and its stdin ends early. The caller has stored the identity it was given
 * by `onStart`, ends what is left by it, and repeats the attempt under the same run id.
 * Proved by test/process/hook-process.test.ts, rows E1 to E5, E10 and E12.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import type { Instant, Millis } from "../core/units.ts";
import { StdinFeed } from "./feed.ts";
import { ProcessGroup, VANISH } from "./group.ts";
import { type HookOutput, OutputReader } from "./hook-output.ts";
import { type ProcessIdentity, processIdentity } from "./identity.ts";
import { startTimer, turn, waitUntil, within } from "./pace.ts";
import { closePipe, type Pipe, takePipes } from "./pipe.ts";

/** What is to be run, and with which limits. */
export type Attempt = {
  /** A shell line, run by `/bin/sh -c`; substituted already. */
  command: string;
  cwd: string;
  /** The whole environment (see hookEnvironment); nothing of ours is added. */
  env: Record<string, string>;
  /** What the hook reads; null is /dev/null. Asked for only when the hook has been started, and always closed. */
  stdin: AsyncIterable<Uint8Array> | null;
  /** SIGTERM to the group after this time; null: never. */
  timeout: Millis | null;
  /** How long the group has between SIGTERM and SIGKILL. */
  grace: Millis;
  /** How long the group may live and the output stay open after the leader's exit. */
  drain: Millis;
  /** Bytes kept from the start of the output, and again from its end. */
  keep: number;
  /** Aborting it ends the hook as a timeout does. */
  signal?: AbortSignal;
  /** Aborting it ends every grace: what has had its SIGTERM gets SIGKILL at once. */
  hurry?: AbortSignal;
  /** Told who was started, before a byte of stdin is handed over. If it throws, the hook is killed and the attempt
   *  rejects with what was thrown. */
  onStart?: (process: ProcessIdentity) => void;
};

/** How an attempt ended. */
export type End =
  | { kind: "exit"; code: number }
  | { kind: "signal"; signal: string }
  | { kind: "timeout" }
  | { kind: "aborted" }
  /** `retryable`: the system was short of processes, descriptors or memory, and the hook is not to blame. */
  | { kind: "not-started"; code: string; retryable: boolean }
  /** The list could not be read to its end. */
  | { kind: "stdin-failed"; message: string };

/** The account of an attempt that is over. */
export type Outcome = {
  end: End;
  startedAt: Instant;
  endedAt: Instant;
  /** From start to end by the monotonic clock. */
  tookMs: number;
  /** When the first byte of stdin was in the pipe, by performance.now(). */
  firstByteAt: number | null;
  /** stdout and stderr together, in the order of printing. */
  output: HookOutput;
  /** Processes that outlived the leader and had to be ended. */
  survivors: number;
  /** Processes that could not be ended. */
  remaining: number;
};

type Interruption = Extract<End, { kind: "timeout" | "aborted" | "stdin-failed" }>;
type Exit = Extract<End, { kind: "exit" | "signal" }>;
type NotStarted = Extract<End, { kind: "not-started" | "aborted" }>;
type Hook = {
  group: ProcessGroup;
  ended: Promise<Exit>;
  child: ChildProcess;
  output: OutputReader;
  feed: StdinFeed | null;
};

/** The most that is waited for output once all writers but escaped ones are dead: it is in the pipe already. */
const REST = 100;

/** How long SIGKILL may take before it is sent to whoever is there then. */
const AGAIN = 50;

const silence: HookOutput = { head: Buffer.alloc(0), tail: Buffer.alloc(0), bytes: 0, cut: false };

/** Runs the attempt and settles when it is over: the group is dead, the pipes are closed, stdin's source is closed.
 *  Whatever the hook does is a value; rejects only if `onStart` throws. */
export async function runAttempt(attempt: Attempt): Promise<Outcome> {
  const startedAt = Date.now() as Instant;
  const start = performance.now();
  const ran = await startAndFinish(attempt);
  return { ...ran, startedAt, endedAt: Date.now() as Instant, tookMs: performance.now() - start };
}

async function startAndFinish(attempt: Attempt): Promise<Omit<Outcome, "startedAt" | "endedAt" | "tookMs">> {
  const hook = await startHook(attempt);
  if ("kind" in hook) {
    await within(VANISH, closeUnread(attempt.stdin));
    return { end: hook, firstByteAt: null, output: silence, survivors: 0, remaining: 0 };
  }
  const interruption = watchForInterruption(attempt, hook.feed);
  const end = await Promise.race([hook.ended, interruption.happened]);
  const exited = end.kind === "exit" || end.kind === "signal";
  if (exited) hook.feed?.close();
  else hook.feed?.halt();
  const survivors = exited
    ? await finish(hook, attempt, interruption)
    : await endHook(hook, attempt.grace, attempt.hurry);
  interruption.stop();
  if (!exited || survivors > 0) await within(Math.min(attempt.drain, REST), hook.output.ended);
  const remaining = hook.group.isEmpty() ? 0 : Math.max(1, hook.group.count());
  if (remaining > 0) hook.child.unref();
  if (hook.feed !== null) await within(VANISH, hook.feed.close());
  const firstByteAt = hook.feed?.firstByteAt ?? null;
  return { end, firstByteAt, output: hook.output.close(), survivors, remaining };
}

/** After the leader's own exit. Returns how many processes it left behind that had to be ended. */
async function finish(hook: Hook, attempt: Attempt, interruption: Watch): Promise<number> {
  await Promise.all([
    waitUntil(() => hook.group.isEmpty(), attempt.drain, interruption.hasHappened),
    within(attempt.drain, Promise.race([hook.output.ended, interruption.happened])),
  ]);
  if (hook.group.isEmpty()) return 0;
  const survivors = Math.max(1, hook.group.count()); // none is seen where each forks the next and ends
  await endHook(hook, attempt.grace, attempt.hurry);
  return survivors;
}

/** SIGTERM, grace, SIGKILL. Returns how many had outlived the leader when SIGKILL became necessary. */
async function endHook(hook: Hook, grace: number, hurry?: AbortSignal): Promise<number> {
  hook.group.signal("SIGTERM");
  if (await isGone(hook, grace, hurry)) return 0;
  const outlived = hook.child.exitCode === null && hook.child.signalCode === null ? 0 : hook.group.count();
  hook.group.signal("SIGKILL");
  const until = performance.now() + VANISH;
  await within(VANISH, hook.ended);
  // Again and again, for those who left each of their process groups before the signal reached it.
  while (!(await isGone(hook, AGAIN)) && performance.now() < until) {
    hook.group.signal("SIGKILL");
    await turn();
  }
  return outlived;
}

async function isGone(hook: Hook, length: number, hurry?: AbortSignal): Promise<boolean> {
  const until = performance.now() + length;
  const stop = new AbortController();
  const hurried = new Promise<void>((resolve) => {
    if (hurry?.aborted === true) resolve();
    hurry?.addEventListener("abort", () => resolve(), { signal: stop.signal });
  });
  await within(length, Promise.race([hook.ended, hurried]));
  stop.abort();
  return waitUntil(
    () => hook.group.isEmpty(),
    until - performance.now(),
    () => hurry?.aborted === true,
  );
}

type Watch = { happened: Promise<Interruption>; hasHappened: () => boolean; stop: () => void };

/** What may end a hook before its time, whichever comes first. */
function watchForInterruption(attempt: Attempt, feed: StdinFeed | null): Watch {
  let happened = false;
  let stop = (): void => {};
  const promise = new Promise<Interruption>((resolve) => {
    const interrupt = (interruption: Interruption): void => {
      happened = true;
      resolve(interruption);
    };
    const abort = (): void => interrupt({ kind: "aborted" });
    const stopTimer =
      attempt.timeout === null ? stop : startTimer(attempt.timeout, () => interrupt({ kind: "timeout" }));
    attempt.signal?.addEventListener("abort", abort);
    if (attempt.signal?.aborted === true) abort();
    feed?.failed.then(({ message }) => interrupt({ kind: "stdin-failed", message }));
    stop = () => {
      stopTimer();
      attempt.signal?.removeEventListener("abort", abort);
    };
  });
  return { happened: promise, hasHappened: () => happened, stop };
}

/** Spawns first and only then asks stdin's source for anything: the source may take its time, the hook may not. */
async function startHook(attempt: Attempt): Promise<Hook | NotStarted> {
  let pipes: Pipe[] = [];
  let child: ChildProcess;
  let before: number;
  try {
    pipes = await takePipes(attempt.stdin === null ? 1 : 2);
    before = performance.now();
    child = await spawnHook(attempt, pipes);
  } catch (error) {
    pipes.forEach(closePipe);
    return attempt.signal?.aborted === true ? { kind: "aborted" } : notStarted(error);
  }
  const pid = child.pid as number;
  const group = new ProcessGroup(pid, before);
  const ended = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => {
      group.leaderEnded();
      resolve(signal === null ? { kind: "exit", code: code as number } : { kind: "signal", signal });
    });
  });
  const [printed, read] = pipes as [Pipe, Pipe?];
  closeSync(printed.writeEnd);
  if (read !== undefined) closeSync(read.readEnd);
  const output = new OutputReader(printed.readEnd, attempt.keep);
  const hook = { group, ended, child, output, feed: null };
  try {
    // The leader is our unreaped child, so /proc knows it even if it has ended already.
    attempt.onStart?.(processIdentity(pid) as ProcessIdentity);
  } catch (error) {
    if (read !== undefined) closeSync(read.writeEnd);
    await endHook(hook, 0);
    output.close();
    await within(VANISH, closeUnread(attempt.stdin));
    throw error;
  }
  if (attempt.stdin === null || read === undefined) return hook;
  return { ...hook, feed: new StdinFeed(attempt.stdin, read.writeEnd) };
}

async function spawnHook(attempt: Attempt, [printed, read]: Pipe[]): Promise<ChildProcess> {
  if (printed === undefined || attempt.signal?.aborted === true) throw new Error("aborted");
  const child = spawn("/bin/sh", ["-c", attempt.command], {
    cwd: attempt.cwd,
    env: attempt.env,
    detached: true, // setsid: its own session and group, and no terminal to be stopped or hung up by
    stdio: [read === undefined ? "ignore" : read.readEnd, printed.writeEnd, printed.writeEnd],
  });
  // Some errors Node throws, others it reports later; both mean that nothing was started.
  if (child.pid === undefined) throw await new Promise((resolve) => child.once("error", resolve));
  return child;
}

const shortage = new Set(["EAGAIN", "EMFILE", "ENFILE", "ENOMEM"]);

function notStarted(error: unknown): NotStarted {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return { kind: "not-started", code, retryable: shortage.has(code) };
}

/** A source that was never read may still hold something. */
async function closeUnread(source: AsyncIterable<Uint8Array> | null): Promise<void> {
  try {
    await source?.[Symbol.asyncIterator]().return?.();
  } catch {
    // It has nothing to say about a hook that did not run.
  }
}
