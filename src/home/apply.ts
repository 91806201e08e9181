/**
 * `hook apply`: makes the hooks of a home those of a file, so that the file can be kept under version control and applied
 * by whatever brings it there.
 *
 * Rules
 *   1. Hooks are matched by name; one without a name in the file is a mistake. What has the name and differs is changed
 *      and keeps its id, and with it its runs.
 *   2. A hook that apply made, or took over by its name, is marked (hook.applied). Those so marked that the file no longer
 *      has are deleted; every other one is somebody's, and left alone unless the call prunes.
 *   3. With a repository, only hooks of that repository's own scope are spoken of, by the file and here.
 *   4. The difference is found again inside the transaction that makes it. All of it is done, or nothing; where there is
 *      none, nothing is written at all: no audit, no gate, no hooks.json.
 *   5. Every mistake of the file is named, before anything changes.
 *
 * If we die here: before the transaction ends nothing has happened; after it the marker gates/stale stands, by which the
 * next call brings the gates in line (see gates.ts). Proven by test/e2e/hook-apply.test.ts.
 */
import { existsSync } from "node:fs";
import { GatepostError } from "../core/errors.ts";
import { covers, type Hook, type HookSpec, type Scope } from "../core/hook.ts";
import { type HookDraft, type Mistake, mistakesError, readHookText } from "../core/hook-text.ts";
import { findType } from "../core/hook-type.ts";
import { substitute } from "../core/substitute.ts";
import type { HookId } from "../core/units.ts";
import { askAheadOf } from "../gate/command.ts";
import { snapshot, write } from "../store/database.ts";
import { appliedHooks, listHooks, markApplied } from "../store/hook.ts";
import { listRepositories, type RepositoryRow } from "../store/repository.ts";
import { arrivalWarnings } from "./arrival-warnings.ts";
import { catchUp } from "./catch-up.ts";
import { hookToJson, scopeIn } from "./exchange.ts";
import { gateWarnings, refreshGates, requireReached } from "./gates.ts";
import { changeHooks, checkHook, dropHook, putHook, replaceHook, startAtNow } from "./hooks.ts";
import { type OpenHome, requireOwner } from "./open.ts";

export type ApplyOptions = {
  /** Only hooks of this repository's own scope. */
  repository: RepositoryRow | null;
  /** For a hook of the file that does not say for which repositories it is. */
  fallback: Scope | null;
  /** Delete also what apply did not make. */
  prune: boolean;
  /** Change nothing. */
  dryRun: boolean;
};

export type Change = {
  was: Hook;
  hook: Hook;
  /** What differs, by its key in the file. */
  fields: readonly string[];
};

/** What apply did, or would do. An added hook has an id only once it was added. */
export type Difference = {
  added: readonly (HookSpec | Hook)[];
  changed: readonly Change[];
  deleted: readonly Hook[];
  /** Those that are as the file says but were not apply's until now. */
  takenOver: readonly Hook[];
  /** Those that the file does not have and apply did not make. */
  left: readonly Hook[];
  unchanged: number;
};

/** Makes the hooks what the file says, and returns what that took. Throws GP_IMPORT, with every mistake of the file.
 *  Idempotent: a second call finds nothing to do and writes nothing. */
export async function applyHooks(home: OpenHome, json: string, options: ApplyOptions): Promise<Difference> {
  const text = readHookText(json);
  askAheadOf(newCommands(home, text.drafts));
  const look = (): Difference => snapshot(home.db, () => differenceOf(home, text, options));
  let difference = look();
  if (options.dryRun) return difference;
  requireOwner(home.dir);
  if (isNone(difference)) {
    if (existsSync(home.layout.stale)) requireReached(refreshGates(home)); // a call before this one died
    if (difference.takenOver.length > 0)
      write(home.db, () => {
        difference = differenceOf(home, text, options);
        if (isNone(difference)) for (const { id } of difference.takenOver) markApplied(home.db, { id });
      });
    if (isNone(difference)) return difference;
  }
  if (hearing(difference).length > 0) await catchUp(home); // so that they begin with what arrives from now on
  return changeHooks(home, () => {
    const found = differenceOf(home, text, options);
    startAtNow(home, hearing(found)); // while those that go are there: what waits for them, waits for their successors
    for (const hook of found.deleted) dropHook(home, hook);
    for (const { was, hook } of found.changed) replaceHook(home, was, hook);
    const added = found.added.map((spec) => putHook(home, spec, "add"));
    for (const { id } of [...added, ...found.takenOver, ...found.changed.map(({ hook }) => hook)])
      markApplied(home.db, { id });
    return { ...found, added };
  });
}

/** The commands of the file that no hook has, as the shell will be asked about them. */
function newCommands(home: OpenHome, drafts: readonly HookDraft[]): string[] {
  const stored = new Set(listHooks(home.db).map(({ command }) => command));
  return drafts.flatMap(({ hook: { command } }) => {
    const read = command === null || stored.has(command) ? null : substitute(command);
    return read?.ok ? [read.command] : [];
  });
}

const isNone = ({ added, changed, deleted }: Difference): boolean =>
  added.length + changed.length + deleted.length === 0;

/** The scopes of the after-receive hooks that are new or changed. */
const hearing = ({ added, changed }: Difference): Scope[] =>
  [...added, ...changed.map(({ hook }) => hook)]
    .filter(({ type }) => type === "after-receive")
    .map(({ scope }) => scope);

function differenceOf(
  home: OpenHome,
  { drafts, mistakes: before }: { drafts: readonly HookDraft[]; mistakes: readonly Mistake[] },
  { repository, fallback, prune }: ApplyOptions,
): Difference {
  const hooks = listHooks(home.db);
  const byName = new Map(hooks.map((hook) => [hook.name, hook]));
  const applied = appliedHooks(home.db);
  const isMeant = ({ scope }: Hook): boolean =>
    repository === null || (scope.scope === "repository" && scope.repository === repository.id);
  const mistakes = [...before];
  const kept = new Set<HookId>();
  const names = new Set<string>();
  const [added, changed, takenOver]: [HookSpec[], Change[], Hook[]] = [[], [], []];
  let unchanged = 0;
  for (const draft of drafts) {
    const { name } = draft.hook;
    const wanted = specOf(home, draft, fallback, repository);
    const wrong = "what" in wanted ? wanted : nameMistake(draft, names);
    if (wrong !== null || "what" in wanted || name === null) {
      if (wrong !== null) mistakes.push(wrong);
      continue;
    }
    names.add(name);
    const was = byName.get(name);
    if (was !== undefined && !isMeant(was)) {
      mistakes.push(draft.mistake(`hook ${was.id} has that name and is not only for ${repository?.name}`, "name"));
      continue;
    }
    const fields = was === undefined ? [] : differing(home, was, wanted);
    if (was !== undefined) kept.add(was.id);
    if (was !== undefined && fields.length === 0) {
      if (applied.has(was.id)) unchanged += 1;
      else takenOver.push(was);
      continue;
    }
    const checked = checkedOf(home, draft, wanted);
    if ("what" in checked) mistakes.push(checked);
    else if (was === undefined) added.push(checked);
    else changed.push({ was, hook: { ...checked, id: was.id }, fields });
  }
  if (mistakes.length > 0) throw mistakesError(mistakes, "Nothing was changed.");
  const rest = hooks.filter((hook) => isMeant(hook) && !kept.has(hook.id));
  const goes = ({ id }: Hook): boolean => prune || applied.has(id);
  return {
    ...{ added, changed, takenOver, unchanged },
    deleted: rest.filter(goes),
    left: rest.filter((hook) => !goes(hook)),
  };
}

function nameMistake(draft: HookDraft, names: ReadonlySet<string>): Mistake | null {
  const { name } = draft.hook;
  if (name === null)
    return draft.mistake('has no "name"', undefined, "apply matches hooks by their names: give each one.");
  return names.has(name) ? draft.mistake(`there is another hook ${name} in this file`, "name") : null;
}

/** A hook of the file as it would be stored, as far as that can be said without asking a shell. */
function specOf(
  home: OpenHome,
  draft: HookDraft,
  fallback: Scope | null,
  repository: RepositoryRow | null,
): HookSpec | Mistake {
  const own: Scope | null = repository === null ? null : { scope: "repository", repository: repository.id };
  const scope = scopeIn(home, draft, own ?? fallback, own !== null);
  if ("what" in scope) return scope;
  if (repository !== null && scope.scope !== "repository")
    return draft.mistake(
      `is for more than ${repository.name}`,
      scope.scope === "all" ? "all" : "pattern",
      "Apply it to the home, without -R, or leave its scope out.",
    );
  const { type, wasType } = draft.hook;
  const kind = findType(type)?.name ?? type;
  return {
    ...draft.hook,
    scope,
    type: kind,
    wasType: kind === "disabled" && wasType !== null ? (findType(wasType)?.name ?? wasType) : null,
  };
}

function checkedOf(home: OpenHome, draft: HookDraft, wanted: HookSpec): HookSpec | Mistake {
  try {
    return checkHook(home, wanted);
  } catch (error) {
    if (!(error instanceof GatepostError)) throw error;
    const { code, hint, message } = error;
    const what = message.replace(/ Nothing was changed\.$/, "").replace(/\.$/, "");
    const key = code === "GP_COMMAND" || code === "GP_SUBSTITUTE" ? "command" : code === "GP_TYPE" ? "type" : undefined;
    return draft.mistake(what, key, hint ?? undefined);
  }
}

/** The keys of export's format in which two hooks differ. */
function differing(home: OpenHome, a: HookSpec, b: HookSpec): string[] {
  const [was, is] = [hookToJson(home, a), hookToJson(home, b)];
  return [...new Set([...Object.keys(was), ...Object.keys(is)])].filter(
    (key) => JSON.stringify(was[key]) !== JSON.stringify(is[key]),
  );
}

/** Each look at a repository's hooks folder costs; in a fleet a person would not read more of them. */
const MOST_LOOKS = 3000;

/** Why hooks will not be asked, or not as one may think; a few sentences. */
export function warningsOf(home: OpenHome, hooks: readonly HookSpec[]): string[] {
  const repositories = listRepositories(home.db);
  const seen = new Set<string>();
  const sentences = new Set<string>();
  let looks = 0;
  for (const hook of hooks) {
    const key = JSON.stringify([hook.type, hook.scope, hook.stdin, hook.paths]);
    looks += seen.has(key) ? 0 : repositories.filter((row) => covers(hook.scope, row)).length;
    if (looks > MOST_LOOKS || sentences.size > 3) break;
    if (seen.has(key)) continue;
    seen.add(key);
    for (const sentence of [...gateWarnings(home, hook), ...arrivalWarnings(home, hook)]) sentences.add(sentence);
  }
  return [...sentences].slice(0, 3);
}
