/** `hook list|status|types|export`: what there is. For hooks without options, list and status look as Fossil's do. */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { GatepostError } from "../../core/errors.ts";
import { type Hook, patternsOf } from "../../core/hook.ts";
import { paint, plain, print, printJson, say, table } from "../output.ts";
import { addWhere, type Opened, type Where, withHome } from "../where.ts";
import { ago, counted } from "../words.ts";

type Options = Where & { json?: boolean };

export function registerHookShow(hook: Command): void {
  addWhere(hook.command("list").description("list the hooks of a repository; with --home alone, of the home"))
    .option("--json", "print them as JSON")
    .addHelpText("after", "\nExamples:\n  gatepost hook list\n  gatepost hook list --home /srv/git/.gatepost")
    .action(list);
  addWhere(hook.command("status").description("show embargo, last receipt handed out, and the hooks, as stored"))
    .option("--json", "print it as JSON")
    .addHelpText("after", "\nExample:\n  gatepost hook status -R /srv/git/app.git")
    .action(status);
  addWhere(hook.command("types").description("list the hook types and what each is for"))
    .option("--json", "print them as JSON")
    .addHelpText("after", "\nExample:\n  gatepost hook types")
    .action(types);
  addWhere(hook.command("export").description("print hooks as JSON, for hook import; or give them to Fossil"))
    .argument("[ID...]", "ids or names (default: all that list shows)")
    .addOption(
      new Option("--to <PROGRAM>", "put them into the repository's own list instead, to be run by it").choices([
        "fossil",
      ]),
    )
    .option("--schema", "print the JSON Schema of the format instead, for editors")
    .addHelpText(
      "after",
      `
Examples:
  gatepost hook export -R app.git > hooks.json
  gatepost hook export --schema > hooks.schema.json    the package has it as hooks.schema.json
  gatepost hook export --to fossil -R project.fossil   here they are switched off; none misses a receipt`,
    )
    .action((words: string[], given: Options & { to?: string; schema?: boolean }) => {
      if (given.schema) return printSchema(words, given);
      return given.to === undefined ? exportHooks(words, given) : exportToFossil(words, given);
    });
}

const scopeText = (hook: Hook): string | null =>
  hook.scope.scope === "all"
    ? "every repository of the home"
    : hook.scope.scope === "pattern"
      ? patternsOf(hook.scope.pattern).join(", ")
      : null;

/** A hook as `fossil hook list` shows it, then a line for each option that it has. */
function block(hook: Hook, paused: string | null): string {
  const lines = [
    `${String(hook.id).padStart(3)}: type = ${hook.type}`,
    `     command = ${hook.command === null ? "(a function of an embedding program)" : plain(hook.command)}`,
    `     sequence = ${hook.sequence}`,
  ];
  const more: [string, string | null][] = [
    ["name", hook.name],
    ["was", hook.wasType],
    ["for", scopeText(hook)],
    ["timeout", hook.timeout === null ? null : String(hook.timeout / 1000)],
    ["retries", hook.retries === 0 ? null : String(hook.retries)],
    ["in-order", hook.inOrder ? "yes" : null],
    ["ref", hook.refs?.join(" ") ?? null],
    ["path", hook.paths?.join(" ") ?? null],
    ["stdin", hook.stdin],
    ["each", hook.each],
    ["trees", hook.trees ? "yes" : null],
    ["advisory", hook.advisory ? "yes" : null],
    ["dir", hook.dir],
    ["parallel", hook.parallel ? "yes" : null],
    ["artifact", hook.artifacts?.join(" ") ?? null],
    ["paused", paused],
  ];
  for (const [key, value] of more) if (value !== null) lines.push(`     ${key} = ${plain(value)}`);
  return lines.join("\n");
}

async function list(given: Options): Promise<void> {
  await withHome(given, async ({ home, repository }) => {
    const { hooksFor } = await import("../../home/hooks.ts");
    const hooks = hooksFor(home, repository);
    const { pauseInWords, pausesOf } = await import("../../home/pause.ts");
    const paused = new Map(pausesOf(home, repository).hooks.map(({ hook, pause }) => [hook.id, pause]));
    if (given.json) {
      const { hookToJson } = await import("../../home/exchange.ts");
      const withPause = (hook: Hook) => (paused.has(hook.id) ? { paused: paused.get(hook.id) } : {});
      printJson({ hooks: hooks.map((hook) => ({ id: hook.id, ...hookToJson(home, hook), ...withPause(hook) })) });
    } else if (hooks.length > 0) {
      const words = (hook: Hook): string | null => {
        const pause = paused.get(hook.id);
        return pause === undefined ? null : pauseInWords(pause, (at) => ago(at, Date.now()));
      };
      print(hooks.map((hook) => block(hook, words(hook))).join("\n\n"));
    }
    if (!given.json && repository !== null) await sayTeam(repository, given.repository ?? ".");
  });
}

/** The team's hooks stand in a file of their own: somebody who looks for them here is told so. */
async function sayTeam(repository: NonNullable<Opened["repository"]>, at: string): Promise<void> {
  const { lookAtTeam, TEAM_FILE } = await import("../../home/team.ts");
  try {
    const found = lookAtTeam(repository, resolve(at));
    if (found?.team == null || found.team.hooks.length === 0) return;
    const count = counted(found.team.hooks.length, "hook");
    const names = found.team.hooks.map(({ id, name, type }) => `${name ?? id} (${type})`).join(", ");
    const one = found.team.hooks.length === 1;
    if (found.agreed) say(plain(`${TEAM_FILE}: ${count} of the team ${one ? "runs" : "run"} here too: ${names}`));
    else say(plain(`${TEAM_FILE}: ${count} of the team ${one ? "does" : "do"} not run here: gatepost init`));
  } catch (error) {
    if (!(error instanceof GatepostError)) throw error;
    say(plain(error.message)); // its gate refuses, and says so; the list is none the worse for it
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

async function status(given: Options): Promise<void> {
  await withHome(given, async (opened) => {
    const { hooksFor } = await import("../../home/hooks.ts");
    const { embargoOf } = await import("../../home/embargo.ts");
    const { nativeCursor } = await import("../../home/take-over.ts");
    const { home, repository } = opened;
    const hooks = hooksFor(home, repository).map(({ command, type, sequence }) => ({
      cmd: command,
      type,
      seq: sequence,
    }));
    const embargo = repository === null ? null : embargoOf(home, repository, Date.now());
    const last = repository === null ? null : (nativeCursor(home, repository) ?? repository.cursor);
    const { pauseInWords, readPause } = await import("../../home/pause.ts");
    const pause = readPause(repository?.paused ?? null);
    if (given.json)
      return printJson({ embargoUntil: embargo, lastRcvid: last, hooks, ...(pause ? { paused: pause } : {}) });
    if (pause !== null) print(`paused: ${quoted(plain(pauseInWords(pause, (at) => ago(at, Date.now()))))}`);
    if (embargo !== null) print(`hook-embargo: ${quoted(String(Math.ceil(embargo / 1000)))}`);
    if (last !== null && last > 0) print(`hook-last-rcvid: ${quoted(String(last))}`);
    if (hooks.length > 0) print(`hooks: ${quoted(JSON.stringify(hooks))}`);
  });
}

async function kindFor(given: Options): Promise<Opened["repository"]> {
  try {
    return await withHome(given, ({ repository }) => repository);
  } catch (error) {
    if (given.repository !== undefined || given.home !== undefined) throw error;
    return null; // outside of any repository: the types of every kind
  }
}

async function types(given: Options): Promise<void> {
  const { EVENT_TYPES, NATIVE_TYPES, nativeHooks, TYPES } = await import("../../core/hook-type.ts");
  const kind = (await kindFor(given))?.kind ?? null;
  const shown = [...TYPES, ...EVENT_TYPES, ...NATIVE_TYPES].filter(
    (type) => kind === null || type.runsOn.includes(kind),
  );
  if (given.json)
    return printJson({
      types: shown.map(({ name, role, runsOn, ready, says }) => {
        return { name, role, runsOn, ready, says, gitHooks: nativeHooks(name) };
      }),
    });
  const gitHook = (name: string): string => (name === "after-receive" ? "post-receive" : nativeHooks(name).join(" "));
  const ofGit = kind === null || kind === "git";
  print(
    table(
      ["TYPE", "KIND", ...(ofGit ? ["GIT HOOK"] : []), "WHEN"],
      shown.map(({ name, role, says, ready }) => [
        name,
        role,
        ...(ofGit ? [gitHook(name)] : []),
        ready ? says : `${says} ${paint("dim", "(not run yet)")}`,
      ]),
    ),
  );
}

async function exportHooks(words: string[], given: Options): Promise<void> {
  await withHome(given, async ({ home, repository }) => {
    const { findHooks, hooksFor } = await import("../../home/hooks.ts");
    const { exportHooks } = await import("../../home/exchange.ts");
    printJson(exportHooks(home, words.length === 0 ? hooksFor(home, repository) : findHooks(home, words, repository)));
  });
}

async function printSchema(words: string[], given: Options & { to?: string }): Promise<void> {
  if (words.length > 0 || given.to !== undefined)
    throw new GatepostError("GP_USAGE", "--schema stands alone: it is the same for all hooks.", {
      hint: "gatepost hook export --schema",
    });
  const { hooksSchema } = await import("../../core/hook-fields.ts");
  printJson(hooksSchema());
}

async function exportToFossil(words: string[], given: Options): Promise<void> {
  await withHome(given, async ({ home, repository }) => {
    const { exportToFossil } = await import("../../home/export-to-fossil.ts");
    const { requireOne } = await import("./hook-import.ts");
    const { handover, stays, disordered } = await exportToFossil(home, requireOne({ home, repository }), words);
    const hooks = handover?.hooks ?? [];
    const after = handover?.after == null ? "" : `, which goes on after receipt ${handover.after}`;
    if (hooks.length === 0) say("There is no hook that could go to Fossil. Nothing was changed.");
    else
      say(
        `${hooks.length} ${hooks.length === 1 ? "hook" : "hooks"} given to Fossil${after}. Here they are switched off; to forget them: gatepost hook delete ${hooks.map(({ id }) => id).join(" ")}`,
      );
    if (disordered) say("Mind: Fossil runs before-commit hooks in the order of their number's text: 10 before 9.");
    for (const { hook, why } of stays)
      say(`hook ${hook.id}${hook.name === null ? "" : ` (${hook.name})`} stays here: ${plain(why)}`);
  });
}
