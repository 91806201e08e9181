/**
 * The library: what the command line uses, for programs that embed Gatepost beside it or instead of it.
 *
 * @example
 * const home = await openHome("/srv/git/.gatepost");
 * home.hook({ name: "index", type: "after-receive", run: async (batch, { signal }) => index(batch.updates, signal) });
 * await home.serve({ signal }); // what arrived while the program was down comes first; a throw is a failed attempt
 */
import { availableParallelism } from "node:os";
import { GatepostError } from "./core/errors.ts";
import { DEFAULT_SEQUENCE, type Hook, type HookSpec, NO_OPTIONS, type Scope } from "./core/hook.ts";
import { type Millis, type RunId, SECOND } from "./core/units.ts";
import { type HookFunction, passOnce } from "./home/backoffice.ts";
import { catchUp } from "./home/catch-up.ts";
import { addHook, deleteHooks, editHooks, findHook, hooksFor } from "./home/hooks.ts";
import { type Registration, register } from "./home/init.ts";
import { locate } from "./home/locate.ts";
import { closeHome, type OpenHome, openHome as open } from "./home/open.ts";
import { type RepositoryRow, registeredRepositories, requireRepository } from "./home/repositories.ts";
import { listRuns, type RunDetail, type RunFilter, type RunLine, replayRun, showRun } from "./home/runs.ts";
import { serve } from "./home/stay.ts";

export { ERRORS, type ErrorCode, EXIT, GatepostError } from "./core/errors.ts";
export type { Hook, HookSpec, Scope } from "./core/hook.ts";
export type { BatchReceipt, BatchUpdate, HookBatch, HookFunction } from "./home/backoffice.ts";
export type { Registration } from "./home/init.ts";
export type { RepositoryRow } from "./home/repositories.ts";
export type { RunDetail, RunFilter, RunLine } from "./home/runs.ts";

/** Registers a repository, as `gatepost init` does: idempotent, and mends what is not in order. With `home`, that home
 *  serves it. */
export const registerRepository = (path: string, home: string | null = null): Promise<Registration> =>
  register(path, home);

/** Opens the home at `dir`, or the one that serves the repository at `dir`. Throws GP_NO_HOME, GP_DAMAGED, GP_TOO_NEW,
 *  GP_DENIED. */
export async function openHome(dir: string): Promise<Home> {
  const home = open(locate({ repository: dir, cwd: process.cwd() }).home);
  await catchUp(home); // so that a hook that the program adds starts with what comes after it
  return new Home(home);
}

/** What a hook of a program may set; all but name, type and run have the defaults of `gatepost hook add`. Without
 *  `scope` it is for every repository of the home. */
export type FunctionHook = { name: string; type: "after-receive"; run: HookFunction } & Partial<
  Pick<
    HookSpec,
    "scope" | "sequence" | "timeout" | "retries" | "inOrder" | "refs" | "paths" | "each" | "trees" | "artifacts"
  >
>;

export type ServeOptions = {
  /** Aborting it stops: nothing new starts, running hooks are ended with their grace. */
  signal: AbortSignal;
  /** How often to look at what no push tells of, in milliseconds (default 5 s). */
  poll?: number;
  /** How often to read everything, in milliseconds (default 1 h). */
  min?: number;
  /** Repositories that run side by side (default: one per processor). */
  jobs?: number;
  /** Told of what goes on; by default nobody is. */
  log?: (level: "info" | "debug" | "trace" | "error", message: string) => void;
};

/** An open home. All methods but `pass` and `serve` are synchronous and short. */
export class Home {
  readonly #home: OpenHome;
  readonly #functions = new Map<string, HookFunction>();

  /** Use `openHome`. */
  constructor(home: OpenHome) {
    this.#home = home;
  }

  /** Real path of the home. */
  get dir(): string {
    return this.#home.dir;
  }

  /** The registered repositories, by name. */
  repositories(): RepositoryRow[] {
    return registeredRepositories(this.#home);
  }

  /** All hooks of the home, or those that cover a repository (its path or name), by id. */
  hooks(repository?: string): Hook[] {
    return hooksFor(this.#home, repository === undefined ? null : requireRepository(this.#home, repository));
  }

  /** Adds a command hook. */
  addHook(spec: { type: string; command: string; scope: Scope } & Partial<HookSpec>): Hook {
    return addHook(this.#home, { ...NO_OPTIONS, name: null, sequence: DEFAULT_SEQUENCE, ...spec });
  }

  /** Changes a hook, by id or name. */
  editHook(hook: string | number, edit: Partial<HookSpec>): Hook {
    return editHooks(this.#home, [findHook(this.#home, String(hook))], edit)[0] as Hook;
  }

  /** Deletes a hook, by id or name. Its runs stay. */
  deleteHook(hook: string | number): void {
    deleteHooks(this.#home, [findHook(this.#home, String(hook))]);
  }

  /** Supplies a function hook. The first call of a name adds it to the database, where it stays: batches that arrive
   *  while no program supplies it wait for the next one that does. Throws GP_NAME when a command hook has the name. */
  hook({ name, type, run, ...options }: FunctionHook): Hook {
    if (type !== "after-receive")
      throw new GatepostError("GP_TYPE", `A function hook is an after-receive hook, not ${type}.`);
    const known = hooksFor(this.#home, null).find((hook) => hook.name === name);
    if (known !== undefined && known.command !== null)
      throw new GatepostError("GP_NAME", `Hook ${known.id} is named ${name} and is a command, not a function.`, {
        hint: "Choose another name.",
      });
    this.#functions.set(name, run);
    const wanted = { scope: { scope: "all" } as Scope, sequence: DEFAULT_SEQUENCE, ...options };
    if (known === undefined) return addHook(this.#home, { ...NO_OPTIONS, ...wanted, name, type, command: null });
    const differs = Object.entries(wanted).some(
      ([key, value]) => JSON.stringify(known[key as keyof Hook]) !== JSON.stringify(value),
    );
    return differs && known.type !== "disabled" ? (editHooks(this.#home, [known], wanted)[0] as Hook) : known;
  }

  /** The newest runs that match, newest first. */
  runs(filter: Partial<RunFilter> = {}): RunLine[] {
    const all = { repository: null, hook: null, states: null, since: null, after: null, limit: 20 };
    return listRuns(this.#home, { ...all, ...filter });
  }

  /** Everything about one run. Throws GP_NO_RUN. */
  run(id: number): RunDetail {
    return showRun(this.#home, { id: id as RunId, word: String(id) });
  }

  /** Runs it once more and returns the id under which that happens. Throws GP_NO_RUN, or GP_BUSY while it runs. */
  replay(id: number): string {
    return replayRun(this.#home, { id: id as RunId, word: String(id) });
  }

  /** Makes one pass: hands out what arrived, and returns when nothing is left to do now. */
  async pass(options: Partial<Omit<ServeOptions, "poll">> = {}): Promise<void> {
    const signal = options.signal ?? new AbortController().signal;
    await passOnce(this.#backoffice({ ...options, signal }), { stay: false, nodelay: false, automatic: false });
  }

  /** Serves the home until the signal aborts. Settles when the last hook has ended. */
  async serve(options: ServeOptions): Promise<void> {
    const poll = (options.poll ?? 5 * SECOND) as Millis;
    await serve({ ...this.#backoffice(options), poll });
  }

  /** Closes the database. Call it when nothing of the home is used any more. */
  close(): void {
    closeHome(this.#home);
  }

  #backoffice({ signal, min, jobs, log }: Omit<ServeOptions, "poll">) {
    return {
      homes: [this.#home.dir],
      jobs: jobs ?? availableParallelism(),
      min: (min ?? 3600 * SECOND) as Millis,
      signal,
      log: log ?? (() => {}),
      progress: () => {},
      onPass: () => {},
      functions: this.#functions,
    };
  }
}
