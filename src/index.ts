/**
 * The library: what the command line uses, for programs that embed Gatepost beside it or instead of it. Each open home has
 * a thread of its own, in which all of its work is done: the program's event loop waits for none of it.
 *
 * Whatever a method rejects with is a `GatepostError` with a code of `ERRORS`. What this module exports, names and types,
 * is what the version numbers speak of.
 *
 * @example
 * const home = await openHome("/srv/git/.gatepost");
 * await home.hook({ name: "index", type: "after-receive", run: async (batch, { signal }) => index(batch.updates, signal) });
 * await home.serve({ signal }); // what arrived while the program was down comes first; a throw is a failed attempt
 */
import { resolve } from "node:path";
import { GatepostError } from "./core/errors.ts";
import type { Hook, HookSpec, Scope } from "./core/hook.ts";
import type { HookFunction } from "./home/backoffice.ts";
import type { Registration } from "./home/init.ts";
import type { RepositoryRow } from "./home/repositories.ts";
import type { Status } from "./home/status.ts";
import type { PauseOf, RunsFilter } from "./home/thread-arguments.ts";
import { ThreadCaller } from "./home/thread-caller.ts";
import { coded } from "./home/thread-errors.ts";
import type { RunDetail, RunLine } from "./home/thread-shown.ts";
import type { Why } from "./home/why.ts";

export { ERRORS, type ErrorCode, EXIT, GatepostError } from "./core/errors.ts";
export type { Hook, HookSpec, Scope } from "./core/hook.ts";
export type { BatchReceipt, BatchUpdate, HookBatch, HookFunction } from "./home/backoffice.ts";
export type { Registration } from "./home/init.ts";
export type { RepositoryRow } from "./home/repositories.ts";
export type { Status } from "./home/status.ts";
export type { PauseOf, RunsFilter } from "./home/thread-arguments.ts";
export type { RunDetail, RunGate, RunLine } from "./home/thread-shown.ts";
export type { Step, Why } from "./home/why.ts";

/** Where a home's thread looks for programs, the user's register, and what hooks inherit. */
export type Surroundings = {
  /** In place of the program's own environment, as that is when the home is opened. */
  env?: Readonly<Record<string, string | undefined>>;
};

/** Registers a repository, as `gatepost init` does: idempotent, and mends what is not in order. With `home`, that home
 *  serves it, and is made where it is not there. A program that has that home open calls its `registerRepository`. */
export async function registerRepository(
  path: string,
  options: Surroundings & { home?: string } = {},
): Promise<Registration> {
  const { home, env } = options ?? {};
  const [at, into] = [fromHere(path), fromHere(home ?? null)];
  const thread = new ThreadCaller({ ...(env ?? process.env) });
  try {
    return await thread.call("registerAlone", [at, into]);
  } finally {
    await thread.close();
  }
}

/** `create`: a home without repositories is made at `dir` where none is. */
export type OpenOptions = Surroundings & { create?: boolean };

/** Opens the home at `dir`, or the one that serves the repository at `dir`. Throws GP_NO_HOME, GP_DAMAGED, GP_TOO_NEW,
 *  GP_DENIED. */
export const openHome = (dir: string, options: OpenOptions = {}): Promise<Home> => Home.open(dir, options);

/** What of a hook can be said, each with the default of `gatepost hook add`; `timeout` is in milliseconds. */
export type HookOptions = Partial<Omit<HookSpec, "timeout" | "command" | "scope" | "wasType">> & {
  timeout?: number | null;
};

/** What a hook of a program may set. Without `scope` it is for every repository of the home. */
export type FunctionHook = { name: string; type: "after-receive"; run: HookFunction; scope?: Scope } & Pick<
  HookOptions,
  "sequence" | "timeout" | "retries" | "inOrder" | "refs" | "paths" | "each" | "trees" | "artifacts"
>;

/** How a pass is made; serving has `poll` besides. */
export type PassOptions = {
  /** Aborting it stops: nothing new starts, running hooks are ended with their grace. */
  signal?: AbortSignal;
  /** How often to read everything, in milliseconds (default 1 h). */
  min?: number;
  /** Repositories that run side by side (default: one per processor). */
  jobs?: number;
  /** Told of what goes on; by default nobody is. */
  log?: (level: "info" | "debug" | "trace" | "error", message: string) => void;
};

export type ServeOptions = PassOptions & {
  signal: AbortSignal;
  /** How often to look at what no push tells of, in milliseconds (default 5 s). */
  poll?: number;
};

/** An open home. */
export class Home {
  readonly #thread: ThreadCaller;
  /** Real path of the home. */
  readonly dir: string;

  private constructor(thread: ThreadCaller, dir: string) {
    this.#thread = thread;
    this.dir = dir;
  }

  /** The same as `openHome`. */
  static async open(dir: string, options: OpenOptions = {}): Promise<Home> {
    const { env, create = false } = options ?? {};
    const place = fromHere(dir);
    const thread = new ThreadCaller({ ...(env ?? process.env) });
    return new Home(thread, (await thread.open(place, "/", create)).dir);
  }

  /** Registers a repository in this home: idempotent, and mends what is not in order. */
  async registerRepository(path: string): Promise<Registration> {
    return await this.#thread.call("register", [fromHere(path)]);
  }

  /** The registered repositories, by name. */
  async repositories(): Promise<RepositoryRow[]> {
    return await this.#thread.call("repositories", []);
  }

  /** All hooks of the home, or those that cover a repository (its path or name), by id. */
  async hooks(repository?: string): Promise<Hook[]> {
    return await this.#thread.call("hooks", [repository ?? null]);
  }

  /** Adds a command hook. */
  async addHook(spec: { type: string; command: string; scope: Scope } & HookOptions): Promise<Hook> {
    return await this.#thread.call("addHook", [spec as Partial<HookSpec>]);
  }

  /** Changes a hook, by id or name. */
  async editHook(hook: string | number, edit: HookOptions & { command?: string; scope?: Scope }): Promise<Hook> {
    return await this.#thread.call("editHook", [hook, edit as Partial<HookSpec>]);
  }

  /** Deletes a hook, by id or name. Its runs stay. */
  async deleteHook(hook: string | number): Promise<void> {
    await this.#thread.call("deleteHook", [hook]);
  }

  /** Supplies a function hook, which is called in this thread. The first call of a name adds it to the database, where it
   *  stays: batches that arrive while no program supplies it wait for the next one that does. Throws GP_NAME when a
   *  command hook has the name. */
  async hook(hook: FunctionHook): Promise<Hook> {
    const { name, type, run, ...options } = hook ?? {};
    if (typeof run !== "function")
      throw new GatepostError("GP_USAGE", "A function hook needs a function.", { hint: "run: async (batch) => …" });
    return await this.#thread.supply(name, run, () =>
      this.#thread.call("hook", [name, type, options as Partial<HookSpec>]),
    );
  }

  /** The newest runs that match, newest first. */
  async runs(filter: RunsFilter = {}): Promise<RunLine[]> {
    return await this.#thread.call("runs", [filter]);
  }

  /** Everything about one run, by its number or name ("a-41"). Throws GP_NO_RUN. */
  async run(id: number | string): Promise<RunDetail> {
    const detail = await this.#thread.call("run", [id]);
    const attempts = detail.attempts.map((one) => ({
      ...one,
      outputHead: buffer(one.outputHead),
      outputTail: buffer(one.outputTail),
    }));
    return { ...detail, attempts };
  }

  /** Runs it once more and returns the name under which that happens. Throws GP_NO_RUN, or GP_BUSY while it runs. */
  async replay(id: number | string): Promise<string> {
    return await this.#thread.call("replay", [id]);
  }

  /** Gives up a run that waits or is parked. Throws GP_NO_RUN, or GP_USAGE for one that is over. */
  async drop(id: number | string): Promise<void> {
    await this.#thread.call("drop", [id]);
  }

  /** How the home is, or one repository of it: what waits and since when, and each trouble with what mends it. What waits
   *  for more than five minutes is a trouble. */
  async status(repository?: string): Promise<Status> {
    return await this.#thread.call("status", [repository ?? null]);
  }

  /** How far a commit or ref of a repository came on its way to the hooks, or to one of them; or where it stopped, and
   *  what mends that. */
  async why(commit: string, repository: string, hook?: string | number): Promise<Why> {
    return await this.#thread.call("why", [commit, repository, hook ?? null]);
  }

  /** Pauses a repository or a hook: what arrives is kept and waits. One that is paused already keeps its pause. */
  async pause(what: PauseOf): Promise<void> {
    await this.#thread.call("pause", [what]);
  }

  /** Ends a pause. */
  async resume(what: PauseOf): Promise<void> {
    await this.#thread.call("resume", [what]);
  }

  /** Sets what `gatepost settings NAME VALUE` sets; null takes it back to its default. */
  async set(setting: string, value: string | null): Promise<void> {
    await this.#thread.call("set", [setting, value]);
  }

  /** Makes one pass: hands out what arrived, and settles when nothing is left to do now. */
  async pass(options: PassOptions = {}): Promise<void> {
    const { signal, log, ...rest } = options ?? {};
    await this.#thread.call("pass", [rest], { signal, log });
  }

  /** Serves the home until the signal aborts. Settles when the last hook has ended. */
  async serve(options: ServeOptions): Promise<void> {
    const { signal, log, ...rest } = options ?? {};
    if (signal === undefined)
      throw new GatepostError("GP_USAGE", "Serving needs a signal that ends it.", {
        hint: "serve({ signal: new AbortController().signal })",
      });
    await this.#thread.call("serve", [rest], { signal, log });
  }

  /** Ends passes and serving as their signals would, waits for that, and closes the home. Idempotent. A function hook
   *  must not wait for it: it waits for the function. */
  async close(): Promise<void> {
    await this.#thread.close();
  }

  /** `await using home = await openHome(dir)` closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A path as it is meant at the moment of the call: the program may go to another folder before the thread looks. What is
 *  no path is the thread's to refuse. */
function fromHere<T>(path: T): T | string {
  if (typeof path !== "string" || path === "") return path;
  try {
    return resolve(path);
  } catch (error) {
    throw coded(error); // the folder that the program is in is gone
  }
}

/** Bytes that crossed from another thread have lost their class. */
const buffer = (bytes: Uint8Array | null): Buffer | null =>
  bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
