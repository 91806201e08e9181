/**
 * The caller's side of a home's thread: turns method calls into messages, and answers into values and errors.
 *
 * Nothing here reads a file, opens a database or starts a program, and nothing it does for one message takes longer than
 * that message is: whatever is long comes in parts (thread-stream.ts).
 *
 * The thread is started by the first call and keeps the program from ending only while a call is under way: a program that
 * forgets `close` ends all the same. Where the thread dies, each call that is under way is rejected with GP_THREAD, the
 * signals of functions at work abort, and the next call starts another thread, which opens the home anew.
 *
 * Proved by test/e2e/library-thread.test.ts.
 */
import type { MessagePort } from "node:worker_threads";
import type { HookFunction } from "../backoffice/function-hook.ts";
import { GatepostError } from "../core/errors.ts";
import { startThread, type Thread } from "../process/thread.ts";
import { LocalFunctions } from "./thread-batches.ts";
import type { Calls, Under } from "./thread-calls.ts";
import { unpack } from "./thread-errors.ts";
import type { FromThread, ToThread } from "./thread-protocol.ts";
import { receiveParts } from "./thread-stream.ts";

type Alone = {
  open: (under: Under, dir: string, cwd: string, create: boolean) => { dir: string };
  registerAlone: (under: Under, path: string, home: string | null) => ReturnType<Calls["register"]>;
  close: () => void;
};
type Known = Calls & Alone;
type Arguments<K extends keyof Known> = Parameters<Known[K]> extends [Under, ...infer Rest] ? Rest : [];
type Value<K extends keyof Known> = Awaited<ReturnType<Known[K]>>;

type Log = (level: "info" | "debug" | "trace" | "error", message: string) => void;
type Waiting = { resolve: (value: unknown) => void; reject: (error: Error) => void; log: Log | undefined };

/** What a call has besides its arguments. */
export type CallOptions = { signal?: AbortSignal | undefined; log?: Log | undefined };

export class ThreadCaller {
  readonly #env: NodeJS.ProcessEnv;
  readonly #functions = new LocalFunctions();
  readonly #waiting = new Map<number, Waiting>();
  #thread: Thread | null = null;
  #last = 0;
  /** With what the home was opened: a thread that follows one that died opens it again. */
  #opened: readonly [dir: string, cwd: string, create: boolean] | null = null;
  #closing: Promise<void> | null = null;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  /** Opens the home; throws as `openHome`, and leaves no thread behind then. */
  async open(dir: string, cwd: string, create: boolean): Promise<{ dir: string }> {
    try {
      const opened = await this.call("open", [dir, cwd, create]);
      this.#opened = [opened.dir, cwd, false];
      return opened;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Has the thread do this. Rejects with a GatepostError and with nothing else. */
  async call<K extends keyof Known>(name: K, args: Arguments<K>, options: CallOptions = {}): Promise<Value<K>> {
    if (this.#closing !== null && name !== "close")
      throw new GatepostError("GP_CLOSED", "This home is closed.", { hint: "Open it anew: openHome(dir)" });
    const { signal, log } = options;
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw new GatepostError("GP_USAGE", "The signal is no AbortSignal.", { hint: "new AbortController().signal" });
    if (log !== undefined && typeof log !== "function")
      throw new GatepostError("GP_USAGE", "The log is no function.", { hint: "log: (level, message) => …" });
    const thread = this.#thread ?? this.#start();
    this.#last += 1;
    const number = this.#last;
    const stop = (): void => post(thread, { abort: number });
    try {
      return (await new Promise<unknown>((resolve, reject) => {
        post(thread, { call: number, name, args, logs: log !== undefined });
        this.#waiting.set(number, { resolve, reject, log });
        thread.ref();
        if (signal?.aborted) stop();
        else signal?.addEventListener("abort", stop, { once: true });
      })) as Value<K>;
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#waiting.delete(number);
      if (this.#waiting.size === 0) this.#thread?.unref();
    }
  }

  /** Supplies a function under the name that the call stores it by; where that fails, what was there stays. */
  supply<T>(name: string, run: HookFunction, store: () => Promise<T>): Promise<T> {
    return this.#functions.supply(name, run, store);
  }

  /** Ends what is under way and then the thread. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const thread = this.#thread;
    if (thread === null) return;
    await Promise.resolve(); // #closing is set: from here on nothing else is begun
    try {
      await this.call("close", []);
    } catch {} // it died: nothing is left to be closed
    await thread.terminate();
  }

  #start(): Thread {
    let thread: Thread;
    try {
      thread = startThread("home/thread", this.#env);
    } catch (error) {
      throw threadGone("could not be started", error);
    }
    let failure: unknown;
    thread.on("message", (message: FromThread) => this.#hear(thread, message));
    thread.on("messageerror", (error) => {
      failure = error;
      void thread.terminate();
    });
    thread.on("error", (error) => {
      failure = error;
    });
    thread.on("exit", () => this.#lose(thread, failure));
    this.#thread = thread;
    if (this.#opened !== null) {
      post(thread, { supply: this.#functions.names() });
      post(thread, { call: 0, name: "open", args: this.#opened, logs: false }); // what comes of it is in each answer
    }
    return thread;
  }

  #hear(thread: Thread, message: FromThread): void {
    if ("done" in message) void this.#resolve(message);
    else if ("failed" in message) this.#waiting.get(message.failed)?.reject(unpack(message.error));
    else if ("log" in message) this.#waiting.get(message.log)?.log?.(message.level, message.message);
    else if ("stop" in message) this.#functions.stop(message.stop, message.reason);
    else void this.#functions.invoke(message, (answer, ports) => post(thread, answer, ports));
  }

  async #resolve(message: Extract<FromThread, { done: number }>): Promise<void> {
    const waiting = this.#waiting.get(message.done);
    if ("value" in message) return waiting?.resolve(message.value);
    try {
      const all: unknown[] = [];
      for await (const part of receiveParts<unknown[]>(message.parts)) all.push(...part);
      waiting?.resolve(all);
    } catch (error) {
      waiting?.reject(error as Error);
    }
  }

  #lose(thread: Thread, failure: unknown): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    const error = threadGone("ended before its time", failure);
    this.#functions.abandon(error);
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}

/** Sends a message; what cannot be sent is the caller's mistake. */
function post(thread: Thread, message: ToThread, ports: MessagePort[] = []): void {
  try {
    thread.postMessage(message, ports);
  } catch (error) {
    throw new GatepostError("GP_USAGE", `An argument cannot be handed over: ${(error as Error).message}`, {
      hint: "Arguments are plain values: texts, numbers, lists and objects of them.",
      cause: error,
    });
  }
}

function threadGone(how: string, cause: unknown): GatepostError {
  const { code, message = "" } = (cause ?? {}) as { code?: string; message?: string };
  const hint =
    code?.endsWith("MODULE_NOT_FOUND") && message.includes("thread.js")
      ? "Gatepost must not be bundled: name it as external, so that its own files stand beside it."
      : "The next call starts another. What was acknowledged before is safe.";
  return new GatepostError("GP_THREAD", `The thread of this home ${how}${code === undefined ? "" : ` (${code})`}.`, {
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}
