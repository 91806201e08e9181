/** `hook add|edit|delete|enable|disable`: what changes the hook database. */
import { type Command, Option } from "commander";
import { GatepostError } from "../../core/errors.ts";
import {
  ARTIFACTS,
  covers,
  DEFAULT_SEQUENCE,
  type Hook,
  type HookSpec,
  NO_OPTIONS,
  parseSequence,
  type Scope,
} from "../../core/hook.ts";
import { findType } from "../../core/hook-type.ts";
import { type Millis, parseDuration } from "../../core/units.ts";
import { plain, printJson, say } from "../output.ts";
import { addScope, type ScopeOptions, withScope } from "../scopes.ts";
import { addWhere, type Opened, type Where, withHome } from "../where.ts";
import { requireCount } from "../words.ts";

type Options = Omit<Where, "repository"> &
  ScopeOptions & {
    json?: boolean;
    command?: string;
    type?: string;
    sequence?: string;
    name?: string;
    timeout?: string;
    retries?: string;
    inOrder?: boolean;
    ref?: string[];
    path?: string[];
    stdin?: string;
    each?: string;
    trees?: boolean;
    advisory?: boolean;
    dir?: string;
    parallel?: boolean;
    artifact?: string[];
    unset?: string[];
  };

type Each = Where & { json?: boolean };

const collect = (value: string, before: string[] = []): string[] => [...before, value];

function addHookOptions(command: Command, how: "add" | "edit"): Command {
  return addScope(command, how)
    .option("--command <COMMAND>", "the shell line to run; %F, %R, %A and %% are substituted")
    .option("--type <TYPE>", "when it runs: gatepost hook types")
    .option("--sequence <N>", `order among hooks of the type, ascending as a number (default ${DEFAULT_SEQUENCE})`)
    .option("--name <NAME>", "a name that stands wherever the id may")
    .option("--timeout <SECONDS>", "end the hook after this time (TERM, then KILL)")
    .option("--retries <N>", "try again up to N times, with growing waits; then park the run")
    .option("--in-order", "a run that waits or is parked holds back the hook's later runs")
    .addOption(new Option("--ref <PATTERN>", "run only when such a ref moved; repeatable").argParser(collect))
    .addOption(new Option("--path <PATHSPEC>", "run only when such a path changed; repeatable").argParser(collect))
    .addOption(
      new Option("--artifact <KIND>", "run only when such an artifact arrived: wiki, tag, …; repeatable").argParser(
        collect,
      ),
    )
    .option("--stdin <WHAT>", "what it reads: artifacts (after-receive's default), updates or paths")
    .option("--each <WHAT>", "receipt: run once for each push instead of once for the batch")
    .option("--trees", "list trees too")
    .option("--advisory", "gates: a refusal is shown and recorded, and refuses nothing")
    .option("--dir <DIR>", "local gates: run there, below the root of the work tree")
    .option("--parallel", "local gates: run side by side with the neighbours so marked")
    .option("--json", "print the hooks as JSON");
}

export function registerHookEdit(hook: Command): void {
  addHookOptions(hook.command("add").description("add a hook"), "add")
    .addHelpText(
      "after",
      `
Examples:
  gatepost hook add --name ci --type after-receive --command 'make -C /srv/ci test' --retries 3
  gatepost hook add -R a.git -R b.git --type before-receive --command check-push
  gatepost hook add --home /srv/git/.gatepost -R 'team/*' --type after-receive --command mirror`,
    )
    .action(add);
  addHookOptions(hook.command("edit").description("change hooks").argument("<ID...>", "ids or names, or all"), "edit")
    .addOption(
      new Option("--unset <OPTION>", "take an option back to its default, such as timeout; repeatable").argParser(
        collect,
      ),
    )
    .addHelpText("after", "\nExample:\n  gatepost hook edit ci --sequence 5 --unset ref")
    .action(edit);
  addWhere(
    hook.command("delete").description("delete hooks; their runs stay").argument("<ID...>", "ids or names, or all"),
  )
    .addHelpText("after", "\nExample:\n  gatepost hook delete 3 ci")
    .action((words: string[], options: Each) => changeEach(words, options, "delete"));
  addWhere(
    hook.command("enable").description("switch disabled hooks on again").argument("<ID...>", "ids or names, or all"),
  )
    .addHelpText("after", "\nExample:\n  gatepost hook enable ci")
    .action((words: string[], options: Each) => changeEach(words, options, "enable"));
  addWhere(
    hook
      .command("disable")
      .description("switch hooks off; enable remembers their type")
      .argument("<ID...>", "ids or names, or all"),
  )
    .addHelpText("after", "\nExample:\n  gatepost hook disable ci lint")
    .action((words: string[], options: Each) => changeEach(words, options, "disable"));
}

function options(given: Options): Partial<HookSpec> {
  const { command, type, sequence, name, timeout, retries, inOrder, ref, path, stdin, each, trees } = given;
  const { advisory, dir, parallel, artifact } = given;
  return {
    ...(command === undefined ? {} : { command }),
    ...(type === undefined ? {} : { type }),
    ...(sequence === undefined ? {} : { sequence: parseSequence(sequence) }),
    ...(name === undefined ? {} : { name }),
    ...(timeout === undefined ? {} : { timeout: seconds(timeout) }),
    ...(retries === undefined ? {} : { retries: requireCount(retries, "--retries") }),
    ...(inOrder === undefined ? {} : { inOrder }),
    ...(ref === undefined ? {} : { refs: nonEmpty(ref, "--ref") }),
    ...(path === undefined ? {} : { paths: nonEmpty(path, "--path") }),
    ...(stdin === undefined
      ? {}
      : { stdin: requireWord(stdin, "--stdin", ["artifacts", "updates", "paths"] as const) }),
    ...(each === undefined ? {} : { each: requireWord(each, "--each", ["receipt"] as const) }),
    ...(trees === undefined ? {} : { trees }),
    ...(advisory === undefined ? {} : { advisory }),
    ...(dir === undefined ? {} : { dir }),
    ...(parallel === undefined ? {} : { parallel }),
    ...(artifact === undefined
      ? {}
      : { artifacts: artifact.map((kind) => requireWord(kind, "--artifact", ARTIFACTS)) }),
  };
}

/** Seconds, or a length with its unit: 30, 0.5, 90s, 10m. */
function seconds(text: string): Millis {
  const value = /^\d{1,9}\.\d{1,3}$/.test(text) ? Math.round(Number(text) * 1000) : (parseDuration(text) ?? 0);
  if (value > 0) return value as Millis;
  throw new GatepostError("GP_USAGE", `--timeout takes seconds above 0, not "${text}".`, {
    hint: "Such as --timeout 30 or 10m. Without it a gate waits for ever, and after-receive has the setting timeout.",
  });
}

function nonEmpty(values: string[], option: string): string[] {
  if (values.every((value) => value !== "")) return values;
  throw new GatepostError("GP_USAGE", `${option} cannot be empty.`, {
    hint: `No ${option} at all means every one; of a hook that has one: --unset ${option.slice(2)}`,
  });
}

function requireWord<W extends string>(word: string, option: string, words: readonly W[]): W {
  const found = words.find((known) => known === word);
  if (found !== undefined) return found;
  throw new GatepostError("GP_USAGE", `${option} does not take "${word}".`, { hint: `It takes: ${words.join(" ")}` });
}

/** The defaults of the options that --unset names. */
function unset(words: readonly string[]): Partial<HookSpec> {
  const fields = {
    name: "name",
    sequence: "sequence",
    timeout: "timeout",
    retries: "retries",
    "in-order": "inOrder",
    ref: "refs",
    path: "paths",
    stdin: "stdin",
    each: "each",
    trees: "trees",
    advisory: "advisory",
    dir: "dir",
    parallel: "parallel",
    artifact: "artifacts",
  } as const;
  const defaults: Partial<HookSpec> = { ...NO_OPTIONS, name: null, sequence: DEFAULT_SEQUENCE };
  return Object.fromEntries(
    words.map((word) => {
      const field = fields[requireWord(word, "--unset", Object.keys(fields) as (keyof typeof fields)[])];
      return [field, defaults[field]];
    }),
  );
}

/** The scope that was asked for, else the repository that the call is about. */
function requireScope(scope: Scope | null, { repository }: Opened): Scope {
  if (scope !== null) return scope;
  if (repository !== null) return { scope: "repository", repository: repository.id };
  throw new GatepostError("GP_USAGE", "For which repository? --home alone does not say. Nothing was changed.", {
    hint: "Add -R REPOSITORY, --pattern 'team/*', or --all for every repository of the home.",
  });
}

async function add(given: Options): Promise<void> {
  const { command, type } = given;
  if (command === undefined || type === undefined)
    throw new GatepostError("GP_USAGE", "The --command and --type options are required.", {
      hint: "Such as: gatepost hook add --type after-receive --command 'make test'",
    });
  await withScope(given, async (opened, scope) => {
    const { addHook } = await import("../../home/hooks.ts");
    await beforeArrivals(opened, type);
    const hook = addHook(opened.home, {
      ...NO_OPTIONS,
      name: null,
      sequence: DEFAULT_SEQUENCE,
      scope: requireScope(scope, opened),
      ...options(given),
      command,
      type,
    });
    await done(opened, [hook], "added", given.json);
  });
}

/** A hook of arrivals starts with what comes after it. */
export async function beforeArrivals({ home }: Opened, type: string | null | undefined): Promise<void> {
  if (type === null || type === undefined || findType(type)?.name !== "after-receive") return;
  const { catchUp } = await import("../../home/catch-up.ts");
  await catchUp(home);
}

async function edit(words: string[], given: Options): Promise<void> {
  const isMoved =
    given.all ||
    given.pattern !== undefined ||
    (given.repository ?? []).length > 1 ||
    (given.repository ?? []).some((name) => name.includes("*"));
  const changed: Partial<HookSpec> = { ...unset(given.unset ?? []), ...options(given) };
  if (!isMoved && Object.keys(changed).length === 0)
    throw new GatepostError(
      "GP_USAGE",
      "At least one of --command, --type, --sequence or another option is required.",
      {
        hint: "What can be changed: gatepost hook edit --help",
      },
    );
  await withScope(given, async (opened, scope) => {
    const { editHooks, findHooks } = await import("../../home/hooks.ts");
    const found = findHooks(opened.home, words, opened.repository);
    for (const type of scope === null ? [changed.type] : found.map((hook) => hook.type))
      await beforeArrivals(opened, changed.type ?? type);
    const hooks = editHooks(opened.home, found, scope === null ? changed : { ...changed, scope });
    await done(opened, hooks, "changed", given.json);
    if (words.includes("all")) await sayWhatStays(opened);
  });
}

async function changeEach(words: string[], given: Each, how: "delete" | "enable" | "disable"): Promise<void> {
  await withHome(given, async (opened) => {
    const { deleteHooks, disableHooks, enableHooks, findHooks } = await import("../../home/hooks.ts");
    const hooks = findHooks(opened.home, words, opened.repository);
    if (how === "enable") for (const { wasType } of hooks) await beforeArrivals(opened, wasType);
    if (how === "delete") {
      deleteHooks(opened.home, hooks);
      say(hooks.length === 1 ? `hook ${label(hooks[0] as Hook)} deleted` : `${hooks.length} hooks deleted`);
    } else {
      const changed = (how === "enable" ? enableHooks : disableHooks)(opened.home, hooks);
      const verb = how === "enable" ? "switched on" : "switched off";
      await done(opened, changed, verb, given.json);
      const already = hooks.filter((hook) => !changed.some(({ id }) => id === hook.id));
      for (const hook of already) say(`hook ${label(hook)} was ${verb} already`);
    }
    if (words.includes("all")) await sayWhatStays(opened);
  });
}

/** `all` with a repository means its own hooks; those that serve others too must be named. */
async function sayWhatStays({ home, repository }: Opened): Promise<void> {
  const { hooksFor } = await import("../../home/hooks.ts");
  if (repository === null) return;
  const wider = hooksFor(home, repository).filter(({ scope }) => scope.scope !== "repository");
  if (wider.length > 0)
    say(
      `Left as they are, being for other repositories too: ${wider.map(label).join(", ")}. Name them to change them.`,
    );
}

const label = (hook: Hook): string => (hook.name === null ? String(hook.id) : `${hook.id} (${hook.name})`);

/** Says what was done, warns of a type that this version does not run, and tells a daemon that there may be work. */
export async function done(opened: Opened, hooks: readonly Hook[], verb: string, json?: boolean): Promise<void> {
  const { findType } = await import("../../core/hook-type.ts");
  const { ringDaemon } = await import("../../home/ring.ts");
  const { hookToJson } = await import("../../home/exchange.ts");
  if (json) printJson({ hooks: hooks.map((hook) => ({ id: hook.id, ...hookToJson(opened.home, hook) })) });
  for (const hook of hooks) {
    say(`hook ${label(hook)} ${verb}: ${hook.type}, sequence ${hook.sequence}`);
    if (hook.scope.scope === "pattern") say(await coverage(opened, hook.scope));
    const { gateWarnings } = await import("../../home/gates.ts");
    const { arrivalWarnings } = await import("../../home/arrival-warnings.ts");
    const warnings = [...gateWarnings(opened.home, hook), ...arrivalWarnings(opened.home, hook)];
    for (const warning of warnings.slice(0, 3)) say(`Mind: ${plain(warning)}`);
    if (findType(hook.type)?.ready === false)
      say(
        hook.type.startsWith("on:")
          ? `Mind: nothing fires ${hook.type} in this version. What does: gatepost hook types`
          : `Mind: this version keeps ${hook.type} hooks but does not run them yet. Nothing is checked by this one.`,
      );
  }
  ringDaemon(opened.home);
}

/** How many repositories a pattern covers today; one that covers none is most likely not what was meant. */
async function coverage({ home }: Opened, scope: Scope): Promise<string> {
  const { registeredRepositories } = await import("../../home/repositories.ts");
  const all = registeredRepositories(home);
  const covered = all.filter((row) => covers(scope, row)).length;
  const mind = covered === 0 ? ' In a pattern only "*" is special; it stands for anything.' : "";
  return `It covers ${covered} of ${all.length} repositories now.${mind}`;
}
