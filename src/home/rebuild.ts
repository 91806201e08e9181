/**
 * `init --from FILE`: the hooks of a home whose database was lost, out of its hooks.json or any file in export's format.
 *
 * The file is read and judged before anything is registered, for it may be the very hooks.json that a home's making
 * writes anew; what makes a home where such a file lies keeps it beside itself first (kept-hooks.ts). All hooks are
 * imported, or none: one of a repository that is not registered would else be gone without anybody having decided so.
 * A home that has hooks keeps them, and nothing is imported: `hook apply` is for that.
 *
 * Proven by test/e2e/hook-rebuild.test.ts.
 */
import { readFileSync, rmSync } from "node:fs";
import { GatepostError } from "../core/errors.ts";
import type { Hook, HookSpec, Scope } from "../core/hook.ts";
import { type HookText, mistakesError, readHookText } from "../core/hook-text.ts";
import { listHooks } from "../store/hook.ts";
import { listRepositories } from "../store/repository.ts";
import { scopeIn } from "./exchange.ts";
import { bringFossilInLine, requireListed } from "./fossil-gates.ts";
import { importHooks } from "./hooks.ts";
import { keptFiles } from "./kept-hooks.ts";
import { closeHome, openHome } from "./open.ts";

/** Reads the file; throws GP_IMPORT, with every mistake, before anything was done. */
export function readForRebuild(json: string): HookText {
  const text = readHookText(json);
  if (text.mistakes.length > 0) throw mistakesError(text.mistakes, "Nothing was done.");
  return text;
}

/** What came of it: the hooks that were imported, or how many the home had already. */
export type Rebuilt = { imported: Hook[] } | { has: number };

/** Imports the hooks into a home that has none. Throws GP_IMPORT where one is for a repository that is not registered;
 *  then none was imported. */
export async function rebuildHooks(dir: string, json: string): Promise<Rebuilt> {
  const { drafts } = readForRebuild(json);
  const home = openHome(dir);
  try {
    const has = listHooks(home.db).length;
    if (has > 0) return { has };
    const [only, ...others] = listRepositories(home.db);
    const fallback: Scope | null =
      only !== undefined && others.length === 0 ? { scope: "repository", repository: only.id } : null;
    const found = drafts.map((draft) => ({ draft, scope: scopeIn(home, draft, fallback, false) }));
    const mistakes = found.flatMap(({ scope }) => ("what" in scope ? [scope] : []));
    if (mistakes.length > 0) throw notAll(mistakesError(mistakes, "No hook was imported."));
    const specs = found.flatMap(({ draft, scope }): HookSpec[] => ("what" in scope ? [] : [{ ...draft.hook, scope }]));
    const imported = specs.length === 0 ? [] : importHooks(home, specs);
    requireListed(await bringFossilInLine(home));
    for (const path of keptFiles(home.layout)) if (readFileSync(path, "utf8") === json) rmSync(path); // they are in the database again
    return { imported };
  } finally {
    closeHome(home);
  }
}

const notAll = ({ code, message }: GatepostError): GatepostError =>
  new GatepostError(code, message, {
    hint: "Name all its repositories in one call, or take their hooks out of the file: gatepost init --from FILE --home DIR PATH…",
  });
