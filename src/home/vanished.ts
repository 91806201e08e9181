/** Which shims should stand and do not, for backoffice/shims.ts, `status` and the alarms. */
import { existsSync, lstatSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Missing } from "../backoffice/context.ts";
import { isSystemError } from "../core/errors.ts";
import type { RepositoryId } from "../core/units.ts";
import { closedBecause, gatePlace, inspectShim } from "../shim/install.ts";
import { write } from "../store/database.ts";
import { hooksFolders, listRepositories } from "../store/repository.ts";
import { isEntryGone } from "./fossil-gates.ts";
import { compileAll } from "./gates.ts";
import type { OpenHome } from "./open.ts";

/**
 * The shims that are missing from the folders that these repositories use. Asked under the write lock, under which edits
 * put shims in place and take them out; while an edit has not come to that, nothing is missing. A folder that another
 * manager owns, or that is gone with its repository, misses nothing.
 */
export async function missingShims(home: OpenHome, of: ReadonlySet<RepositoryId>): Promise<Missing[]> {
  const rows = listRepositories(home.db).filter(({ id }) => of.has(id));
  const found = write(home.db, () =>
    missingOfGit(home, new Set(rows.filter(({ kind }) => kind === "git").map(({ id }) => id))),
  );
  for (const row of rows)
    if (row.kind === "fossil" && !existsSync(home.layout.stale) && (await isEntryGone(home, row)))
      found.push({ repository: row.id, shared: 1, folder: row.path, hook: "before-commit", how: "is gone" });
  return found;
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
