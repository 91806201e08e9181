/**
 * Hooks as JSON: the format of `hook export`, of `<home>/hooks.json`, and of the audit's old and new.
 *
 * {"gatepost": 1, "hooks": [{"name": …, "repository": … | "pattern": … | "all": true, "type": …, "sequence": …,
 * "command": …, and each option that is not at its default}]}
 *
 * Ids are not part of it: they belong to a home. A repository is written by its name in the home. How a file is read and
 * judged is in src/core/hook-text.ts; here its hooks are put into relation to a home.
 */
import type { Hook, HookSpec, Scope } from "../core/hook.ts";
import { type HookDraft, type Mistake, mistakesError, readHookText } from "../core/hook-text.ts";
import { replaceFile } from "../process/replace-file.ts";
import { write } from "../store/database.ts";
import { listHooks } from "../store/hook.ts";
import { listRepositories, repositoryById, repositoryByName } from "../store/repository.ts";
import { readSetting } from "../store/setting.ts";
import { noteIncarnation } from "./given-out.ts";
import type { OpenHome } from "./open.ts";

export type HookJson = Readonly<Record<string, unknown>>;
export type Exported = { gatepost: 1; hooks: HookJson[] };

/** A hook in export's format: only what differs from the defaults. */
export function hookToJson(home: OpenHome, hook: HookSpec): HookJson {
  const scope =
    hook.scope.scope === "all"
      ? { all: true }
      : hook.scope.scope === "pattern"
        ? { pattern: hook.scope.pattern.includes("\n") ? hook.scope.pattern.split("\n") : hook.scope.pattern }
        : { repository: repositoryById(home.db, hook.scope.repository)?.name ?? null };
  return {
    ...(hook.name === null ? {} : { name: hook.name }),
    ...scope,
    type: hook.type,
    ...(hook.wasType === null ? {} : { wasType: hook.wasType }),
    sequence: hook.sequence,
    command: hook.command,
    ...(hook.timeout === null ? {} : { timeout: hook.timeout / 1000 }),
    ...(hook.retries === 0 ? {} : { retries: hook.retries }),
    ...(hook.inOrder ? { inOrder: true } : {}),
    ...(hook.advisory ? { advisory: true } : {}),
    ...(hook.refs === null ? {} : { ref: hook.refs }),
    ...(hook.paths === null ? {} : { path: hook.paths }),
    ...(hook.stdin === null ? {} : { stdin: hook.stdin }),
    ...(hook.each === null ? {} : { each: hook.each }),
    ...(hook.trees ? { trees: true } : {}),
    ...(hook.dir === null ? {} : { dir: hook.dir }),
    ...(hook.parallel ? { parallel: true } : {}),
    ...(hook.artifacts === null ? {} : { artifact: hook.artifacts }),
  };
}

/** These hooks as one value that `readExported` takes back. */
export const exportHooks = (home: OpenHome, hooks: readonly Hook[]): Exported => ({
  gatepost: 1,
  hooks: hooks.map((hook) => hookToJson(home, hook)),
});

/** Rewrites `<home>/hooks.json`, so that a lost database costs history but never hooks, and notes beside it which run ids
 *  were given out. */
export function writeHooksFile(home: OpenHome): void {
  // Read and written under the write lock: of two edits at once, the later one's file stays.
  write(home.db, () => {
    const text = `${JSON.stringify(exportHooks(home, listHooks(home.db)), null, 2)}\n`;
    replaceFile(home.layout.hooksFile, text, { mode: 0o600 });
    noteIncarnation(home.layout, readSetting(home.db, "incarnation") ?? "a");
  });
}

/** Reads export's format; every mistake is named with its place. A hook without scope gets `fallback`; with `rescope`,
 *  so does one that was for a single repository: whoever names another one wants it there. */
export function readExported(home: OpenHome, json: string, fallback: Scope | null, rescope = false): HookSpec[] {
  const { drafts, mistakes } = readHookText(json);
  const specs: HookSpec[] = [];
  for (const draft of drafts) {
    const scope = scopeIn(home, draft, fallback, rescope);
    if ("what" in scope) mistakes.push(scope);
    else specs.push({ ...draft.hook, scope });
  }
  if (mistakes.length > 0) throw mistakesError(mistakes, "Nothing was imported.");
  return specs;
}

/** The scope of a hook of a file in this home, as `readExported` says; or what is wrong with it. */
export function scopeIn(
  home: OpenHome,
  { scope, mistake }: HookDraft,
  fallback: Scope | null,
  rescope: boolean,
): Scope | Mistake {
  if (scope !== null && "all" in scope) return { scope: "all" };
  if (scope !== null && "pattern" in scope) return { scope: "pattern", pattern: scope.pattern };
  if (scope === null || rescope) {
    const hint = 'Give it "repository", "pattern" or "all": true, or name a repository with -R.';
    return fallback ?? mistake("names no repository", undefined, hint);
  }
  const row = repositoryByName(home.db, scope.repository);
  if (row !== null) return { scope: "repository", repository: row.id };
  const known = listRepositories(home.db).map(({ name }) => name);
  const more = known.length > 20 ? ` and ${known.length - 20} more` : "";
  return mistake(
    `"${scope.repository}" is not registered here`,
    "repository",
    known.length === 0 ? "No repository is registered." : `Known: ${known.slice(0, 20).join(" ")}${more}`,
  );
}
