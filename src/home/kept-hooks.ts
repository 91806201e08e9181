/** The hooks.json of a home that has lost its database: kept aside, so that making the home anew does not empty it. */
import { existsSync, lstatSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readHookText } from "../core/hook-text.ts";
import { type Layout, layout } from "../core/layout.ts";

const KEPT = ".kept-";

/** Keeps the hooks.json of a home that has lost its database, before the empty one of a new database takes its place. */
export function keepHooksFile({ hooksFile }: Layout): void {
  if (hasHooks(hooksFile)) renameSync(hooksFile, `${hooksFile}${KEPT}${Date.now()}`);
}

function hasHooks(path: string): boolean {
  try {
    return lstatSync(path).isFile() && readHookText(readFileSync(path, "utf8")).drafts.length > 0;
  } catch {
    return false;
  }
}

/** Those that were kept, oldest first. */
export function keptFiles({ hooksFile }: Layout): string[] {
  const folder = dirname(hooksFile);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.startsWith(`${basename(hooksFile)}${KEPT}`));
  return names.sort().map((name) => join(folder, name));
}

/** Where the hooks of a home that lost its database were kept; null where none were, or it has hooks again. */
export function keptHooks(dir: string): string | null {
  const places = layout(dir);
  return hasHooks(places.hooksFile) ? null : (keptFiles(places).at(-1) ?? null);
}
