/** `uninstall`: takes a repository out of its home. Hooks folders are as they were before; the home's history stays. */
import { existsSync, rmSync } from "node:fs";
import { homePlace, layout } from "../core/layout.ts";
import { closedBecause, keptBeside, removeAllShims } from "../shim/install.ts";
import { lookInto, write } from "../store/database.ts";
import {
  hooksFolders,
  listRepositories,
  putHooksFolders,
  type RepositoryRow,
  removeRepository,
} from "../store/repository.ts";
import { listRoots, removeRoot } from "../store/root.ts";
import { identifyGit } from "../vcs/git.ts";
import { takeEdited } from "./edited.ts";
import { namesOurEditor, takeOutEntry } from "./fossil-gates.ts";
import { refreshGates } from "./gates.ts";
import { foldersOf, isCommonOne, removeFromGitolite } from "./gitolite.ts";
import { deleteHooks, disableHooks, findHooks } from "./hooks.ts";
import { removePointer } from "./init.ts";
import { forgetMoves } from "./moved.ts";
import { type OpenHome, requireOwner } from "./open.ts";
import { readRegister, removeFromRegister } from "./register.ts";
import { leaveOut } from "./root-find.ts";
import { forgetTeam } from "./team.ts";

export type Uninstalled = {
  removed: string[];
  /** The hooks folder that other registered repositories use as well, so that its shims stay; null usually. */
  keptFor: string | null;
  hooksDeleted: number;
  homeRemoved: boolean;
  stillServed: number;
  /** Where shims were kept that somebody had edited. */
  edited: string[];
  /** Earlier hooks that are kept beside, since another file stands in their place. */
  beside: string[];
  /** Hooks that were files, which are put back: switched off, since somebody edited them. */
  switchedOff: string[];
  /** The settings of gitolite that still name our program, which has gone with the last repository; null usually. */
  trigger: string | null;
  /** The setting `editor` of a Fossil repository names a script that has gone. */
  editorGone: boolean;
};

/**
 * Removes the shims of a repository and puts back the hooks that were there. The repository leaves the home's table,
 * with its receipts and runs. A home that serves nobody else is taken out of the register; with `purge` its folder is
 * deleted, hooks and all.
 */
export async function uninstall(home: OpenHome, row: RepositoryRow, purge: boolean): Promise<Uninstalled> {
  requireOwner(home.dir);
  const { removed, keptFor } = await removeFrom(home, row);
  forgetTeam(home, row);
  const editorGone = row.kind === "fossil" && existsSync(row.path) && (await namesOurEditor(row.path));
  let hooksDeleted = 0;
  const switchedOff: string[] = [];
  const stillServed = write(home.db, () => {
    const others = listRepositories(home.db).filter(({ id }) => id !== row.id).length;
    const inside = home.dir === homePlace(row);
    const { same, edited } = forgetMoves(home, row); // their files run again
    if (inside) {
      deleteHooks(home, same);
      switchedOff.push(...disableHooks(home, edited).map(({ id, name }) => name ?? String(id)));
    }
    // A home inside the repository keeps what it knows, in case init is called again.
    if (!inside) {
      const own = findHooks(home, ["all"], row);
      deleteHooks(home, own); // before they go with the repository: so that the audit tells
      removeRepository(home.db, { id: row.id });
      hooksDeleted = own.length;
    }
    return others;
  });
  refreshGates(home);
  removePointer(row, home.dir);
  leaveOut(home, row.workTree ?? row.path); // no pass takes it for one that was just made
  if (stillServed === 0) {
    for (const { path } of listRoots(home.db)) removeRoot(home.db, { path });
    removeFromRegister(home.dir);
  }
  const homeRemoved = purge && stillServed === 0;
  if (homeRemoved) {
    home.db.sqlite.close();
    rmSync(home.dir, { recursive: true, force: true });
  }
  const asked = hooksFolders(row).find(({ gitolite }) => gitolite?.trigger === true)?.gitolite;
  const trigger = keptFor === null && asked !== undefined ? asked.rc : null;
  const beside = row.kind === "git" ? hooksFolders(row).flatMap(({ path }) => keptBeside(path)) : [];
  return {
    ...{ removed, keptFor, hooksDeleted, homeRemoved, stillServed, edited: takeEdited(), editorGone },
    ...{ beside, switchedOff, trigger },
  };
}

/** Takes the shims out of the hooks folders; of a repository that was deleted there is none to put in order. */
async function removeFrom(home: OpenHome, row: RepositoryRow): Promise<Pick<Uninstalled, "removed" | "keptFor">> {
  if (!existsSync(row.path)) return { removed: [], keptFor: null };
  if (row.kind === "fossil") {
    putHooksFolders(home.db, row.id, [{ path: row.path, use: "left" }]); // first: nobody puts the entry back
    return { removed: (await takeOutEntry(row.path)) ? ["the entry in its hook list"] : [], keptFor: null };
  }
  const identity = await identifyGit(row.path);
  const folders = new Map([...hooksFolders(row), ...(await foldersOf(identity))].map((one) => [one.path, one]));
  const used = usedByOthers(home, row);
  const kept = [...folders.values()].filter(({ path, use }) => use === "everyone" && (used === null || used.has(path)));
  for (const { path } of kept) folders.delete(path);
  // Under the lock, as init installs.
  const removed = write(home.db, () => {
    // An edit of hooks puts no shim back; the gates of this repository say that they have no hooks where a shim stays.
    putHooksFolders(
      home.db,
      row.id,
      kept.map(({ path }) => ({ path, use: "left" })),
    );
    return [...folders.values()].flatMap((folder) => {
      if (isCommonOne(folder)) return removeFromGitolite(folder, row.path);
      return closedBecause(folder.path) === null ? removeAllShims(folder.path) : [];
    });
  });
  return { removed: [...new Set(removed)], keptFor: kept[0]?.path ?? null };
}

/** The hooks folders that this user's other repositories use; null where one of their homes cannot say. */
function usedByOthers(home: OpenHome, row: RepositoryRow): Set<string> | null {
  const rows = listRepositories(home.db).filter(({ id }) => id !== row.id);
  for (const { path } of readRegister().filter((other) => other.path !== home.dir && existsSync(other.path))) {
    try {
      rows.push(...lookInto(layout(path).database, listRepositories));
    } catch {
      return null;
    }
  }
  return new Set(rows.flatMap(hooksFolders).flatMap(({ path, use }) => (use === "left" ? [] : [path])));
}

/** Takes a home whose folder is gone out of this user's register; false when it is not in there, or not gone. */
export function forgetHome(dir: string): boolean {
  if (existsSync(dir) || !readRegister().some(({ path }) => path === dir)) return false;
  removeFromRegister(dir);
  return true;
}
