/** What a home's thread does for an embedding program: each call is one use case. */
import { availableParallelism } from "node:os";
import type { FunctionCall } from "../backoffice/function-hook.ts";
import { GatepostError } from "../core/errors.ts";
import { DEFAULT_SEQUENCE, type Hook, type HookSpec, NO_OPTIONS, type Scope } from "../core/hook.ts";
import { typed } from "../core/shell-word.ts";
import { type Instant, MINUTE, type Millis, type RunId, SECOND } from "../core/units.ts";
import { passOnce } from "./backoffice.ts";
import { addHook, deleteHooks, editHooks, findHook, hooksFor } from "./hooks.ts";
import { type Registration, register } from "./init.ts";
import type { OpenHome } from "./open.ts";
import { pauseHook, pauseRepositories, resumeHook, resumeRepositories } from "./pause.ts";
import { type RepositoryRow, registeredRepositories, requireRepository } from "./repositories.ts";
import { ringDaemon } from "./ring.ts";
import { giveUpRuns, listRuns, replayRuns, showRun } from "./runs.ts";
import { changeSetting } from "./settings.ts";
import { type Status, statusOf } from "./status.ts";
import { serve } from "./stay.ts";
import {
  type Pace,
  type PauseOf,
  type RunsFilter,
  requireBackoffice,
  requireFilter,
  requireName,
  requireOnly,
  requirePauseOf,
  requireRunId,
  requireWord,
} from "./thread-arguments.ts";
import type { Level } from "./thread-protocol.ts";
import { type RunDetail, type RunLine, showDetail, showLine } from "./thread-shown.ts";
import { type Why, why } from "./why.ts";

/** What a call has besides its arguments. */
export type Under = {
  home: OpenHome;
  functions: ReadonlyMap<string, FunctionCall>;
  supply: (name: string) => void;
  signal: AbortSignal;
  log: (level: Level, message: string) => void;
};

export const calls = {
  register: ({ home }: Under, path: string): Promise<Registration> => register(requireWord("path", path), home.dir),

  repositories: ({ home }: Under): RepositoryRow[] => registeredRepositories(home),

  hooks: ({ home }: Under, repository: string | null): Hook[] =>
    hooksFor(home, repository === null ? null : theRepository(home, repository)),

  addHook({ home }: Under, spec: Partial<HookSpec>): Hook {
    const given = requireOnly("The hook", spec, ["type", "command", "scope"]);
    return addHook(home, { ...PLAIN, ...(given as Given) });
  },

  editHook: ({ home }: Under, hook: number | string, edit: Partial<HookSpec>): Hook =>
    editHooks(home, [named(home, hook)], requireOnly("The edit", edit, []))[0] as Hook,

  deleteHook: ({ home }: Under, hook: number | string): void => deleteHooks(home, [named(home, hook)]),

  hook({ home, supply }: Under, name: string, type: string, options: Partial<HookSpec>): Hook {
    requireName(name);
    if (type !== "after-receive")
      throw new GatepostError("GP_TYPE", `A function hook is an after-receive hook, not ${String(type)}.`, {
        hint: 'A gate is a command: addHook({ type: "before-receive", command: "…", … })',
      });
    const known = hooksFor(home, null).find((hook) => hook.name === name);
    if (known !== undefined && known.command !== null)
      throw new GatepostError("GP_NAME", `Hook ${known.id} is named ${name} and is a command, not a function.`, {
        hint: "Choose another name.",
      });
    const given = requireOnly("The hook", options, [], FUNCTION_OPTIONS);
    const wanted = { scope: { scope: "all" } as Scope, sequence: DEFAULT_SEQUENCE, ...given };
    const isOther =
      known !== undefined &&
      known.type !== "disabled" &&
      Object.entries(wanted).some(([key, value]) => JSON.stringify(known[key as keyof Hook]) !== JSON.stringify(value));
    const hook =
      known === undefined
        ? addHook(home, { ...PLAIN, ...wanted, name, type, command: null })
        : isOther
          ? (editHooks(home, [known], wanted)[0] as Hook)
          : known;
    supply(name);
    return hook;
  },

  runs({ home }: Under, filter: RunsFilter): RunLine[] {
    const { repository, hook, states, since, after, refused, limit } = requireFilter(filter);
    const found = listRuns(home, {
      repository: repository === undefined ? null : requireRepository(home, repository).id,
      hook: hook === undefined ? null : named(home, hook).id,
      states: states ?? null,
      since: since === undefined ? null : (since.getTime() as Instant),
      after: after === undefined ? null : (after as RunId),
      refused: refused ?? false,
      limit: limit ?? 20,
    });
    return found.map(showLine);
  },

  run: ({ home }: Under, id: number | string): RunDetail => showDetail(showRun(home, requireRunId(id))),

  replay: ({ home }: Under, id: number | string): string => replayRuns(home, [requireRunId(id)])[0] ?? "",

  drop: ({ home }: Under, id: number | string): void => giveUpRuns(home, [requireRunId(id)]),

  set: ({ home }: Under, setting: string, value: string | null): void =>
    void changeSetting(home, requireWord("setting", setting), value === null ? null : requireWord("value", value)),

  status: ({ home }: Under, repository: string | null): Promise<Status> =>
    statusOf(home, repository === null ? null : theRepository(home, repository), (5 * MINUTE) as Millis),

  why: ({ home }: Under, word: string, repository: string, hook: number | string | null): Promise<Why> =>
    why(home, {
      repository: theRepository(home, repository),
      word: requireWord("commit or ref", word),
      hook: hook === null ? null : named(home, hook),
      where: ` --home ${typed(home.dir)} -R ${typed(repository)}`,
      from: repository,
    }),

  pause({ home }: Under, what: PauseOf): void {
    const { repository, hook, reason = null } = requirePauseOf(what);
    if (repository !== undefined) pauseRepositories(home, [theRepository(home, repository)], reason);
    else if (hook !== undefined) pauseHook(home, named(home, hook), reason);
  },

  resume({ home }: Under, what: PauseOf): void {
    const { repository, hook } = requirePauseOf(what);
    if (repository !== undefined) resumeRepositories(home, [theRepository(home, repository)]);
    else if (hook !== undefined) resumeHook(home, named(home, hook));
    ringDaemon(home);
  },

  async pass(under: Under, pace: Pace): Promise<void> {
    await passOnce(backoffice(under, pace), { stay: false, nodelay: false, automatic: false });
  },

  async serve(under: Under, pace: Pace): Promise<void> {
    await serve({ ...backoffice(under, pace), poll: (pace.poll ?? 5 * SECOND) as Millis });
  },
};

export type Calls = typeof calls;

const PLAIN = { ...NO_OPTIONS, name: null, sequence: DEFAULT_SEQUENCE };
type Given = Pick<HookSpec, "scope" | "type" | "command"> & Partial<HookSpec>;
const FUNCTION_OPTIONS = "scope sequence timeout retries inOrder refs paths each trees artifacts".split(" ");

const theRepository = (home: OpenHome, word: string): RepositoryRow =>
  requireRepository(home, requireWord("repository", word));

/** A hook by its id or name. Of a number only the hook with that id is meant. */
const named = (home: OpenHome, hook: number | string): Hook => findHook(home, requireWord("hook", hook));

function backoffice({ home, functions, signal, log }: Under, pace: Pace) {
  const { min, jobs } = requireBackoffice(pace);
  return {
    homes: [home.dir],
    jobs: jobs ?? availableParallelism(),
    min: (min ?? 3600 * SECOND) as Millis,
    signal,
    log,
    progress: () => {},
    onPass: () => {},
    functions,
  };
}
