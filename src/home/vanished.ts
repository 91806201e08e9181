/** Which shims should stand and do not, for backoffice/shims.ts, `status` and the alarms. */
import { existsSync, lstatSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Missing } from "../backoffice/context.ts";
import { GatepostError, isSystemError } from "../core/errors.ts";
import type { RepositoryId } from "../core/units.ts";
import { closedBecause, gatePlace, inspectShim } from "../shim/install.ts";
import { textOf } from "../shim/look-in.ts";
import { write } from "../store/database.ts";
import { hooksFolders, listRepositories, type RepositoryRow } from "../store/repository.ts";
import { identifyGit } from "../vcs/git.ts";
import { isEntryGone } from "./fossil-gates.ts";
import { compileAll } from "./gates.ts";
import { foldersOf, gitoliteUser } from "./gitolite.ts";
import type { OpenHome } from "./open.ts";

/**
 * The shims that are missing from the folders that these repositories use. Asked under the write lock, under which edits
 * put shims in place and take them out; while an edit has not come to that, nothing is missing. A folder that another
 * manager owns, or that is gone with its repository, misses nothing; but where Git was told since to look for hooks in
 * another folder, all are missing there. Git is asked for that where the configuration hints at it, less with `asksGit` false.
 */
export async function missingShims(
  home: OpenHome,
  of: ReadonlySet<RepositoryId>,
  { asksGit = true } = {},
): Promise<Missing[]> {
  const rows = listRepositories(home.db).filter(({ id }) => of.has(id));
  const found = write(home.db, () =>
    missingOfGit(home, new Set(rows.filter(({ kind }) => kind === "git").map(({ id }) => id))),
  );
  for (const row of rows)
    if (row.kind === "fossil" && !existsSync(home.layout.stale) && (await isEntryGone(home, row)))
      found.push({ repository: row.id, shared: 1, folder: row.path, hook: "before-commit", how: "is gone" });
  if (asksGit && !existsSync(home.layout.stale))
    for (const row of rows) if (row.kind === "git") found.push(...(await elsewhere(home, row)));
  return found;
}

/** What is missing where Git looks for hooks now, which is no folder that `init` or `doctor` saw. */
async function elsewhere(home: OpenHome, row: RepositoryRow): Promise<Missing[]> {
  const known = hooksFolders(row);
  if (known.length === 0 || known.every(({ use }) => use === "left") || !mayLookElsewhere(row)) return [];
  const wanted = compileAll(home).shims.find(({ folder }) => known.some(({ path }) => path === folder));
  const hook = wanted?.natives[0] ?? wanted?.receivers[0];
  if (hook === undefined) return [];
  try {
    const folders = await foldersOf(await identifyGit(row.workTree ?? row.path));
    const others = folders.filter(({ path }) => !known.some((one) => one.path === path));
    const how = "is not where Git looks for hooks now,";
    return others.map(({ path }) => ({ repository: row.id, shared: 1, folder: path, hook, how }));
  } catch (error) {
    if (error instanceof GatepostError || isSystemError(error)) return []; // the look at its refs says what is wrong
    throw error;
  }
}

/** Whether the repository's own configuration could name a folder, or named one when hooks were put there. */
function mayLookElsewhere(row: RepositoryRow): boolean {
  const isUsual =
    hooksFolders(row).some(({ path }) => path === join(row.path, "hooks")) || gitoliteUser(row.path) !== null;
  return !isUsual || /hookspath|include/i.test(textOf(join(row.path, "config"), "latin1") ?? "");
}

function missingOfGit(home: OpenHome, of: ReadonlySet<RepositoryId>): Missing[] {
  if (of.size === 0 || existsSync(home.layout.stale)) return [];
  const users = new Map<string, RepositoryId[]>();
  for (const row of listRepositories(home.db)) {
    if (row.kind !== "git") continue;
    for (const { path, use } of hooksFolders(row))
      if (use !== "left") users.set(path, [...(users.get(path) ?? []), row.id]);
  }
  return compileAll(home).shims.flatMap(({ folder, natives, receivers }) => {
    const using = users.get(folder) ?? [];
    const [repository] = using;
    if (repository === undefined || !using.some((id) => of.has(id))) return [];
    const places = new Set([...receivers, ...natives, ...natives.map(gatePlace)]);
    if (natives.length > 0) places.add(join("gatepost", "gate.sh"));
    return [...places].flatMap((hook) => {
      const how = missedBecause(folder, hook);
      return how === null ? [] : [{ repository, shared: using.length, folder, hook, how }];
    });
  });
}

/** Why what stands under that name is not our shim, or is none that Git runs; null where it is. */
function missedBecause(folder: string, name: string): string | null {
  try {
    if (!existsSync(folder) && !existsSync(dirname(folder))) return null;
    if (closedBecause(folder) !== null) return null;
    const state = inspectShim(folder, name);
    if (state === "absent") return "is gone";
    // A folder of that name is nothing to put a shim over: doctor names it.
    if (state === "foreign") return lstatSync(join(folder, name)).isDirectory() ? null : "was replaced by another hook";
    const isRead = name.startsWith("gatepost/gate.sh");
    return isRead || (statSync(join(folder, name)).mode & 0o111) !== 0 ? null : "cannot be executed";
  } catch (error) {
    if (isSystemError(error)) return null; // not for this user to see
    throw error;
  }
}
