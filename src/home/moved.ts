/**
 * Hook files that the database has taken over: what is still to be done for them, and the way back.
 *
 * The order in which a file is taken over makes each push run exactly one of both, wherever a process dies:
 *   1. One transaction adds the hook, and notes the file by its inode (store/moved.ts).
 *   2. The compiled file is written, with a guard in front of the hook: it is left out where the file ran in the same shell.
 *   3. The shim is put in place, which keeps the file and runs it.
 *   4. The mark (shim/moved.ts) is made. From here on a shim that starts does not run the file.
 * A push that decided before 4 runs the file and, by the guard, not the hook; one that decides later runs the hook alone.
 * All but 1 is part of refreshGates, which is repeated after a death.
 *
 * An after-receive hook runs later, so its guard is in the entry of the push: the shim that runs a file ends the entry's
 * name with "-chained". The cut leaves such a receipt out for the hook that was the file, and says so (backoffice/cutter.ts).
 * So what waited when the file was moved is not run again either.
 *
 * The way back is that of every earlier hook, and the hook goes: deleted where it is as it came, and switched off where
 * somebody edited it.
 *
 * Proven by test/e2e/import-move.test.ts.
 */
import { lstatSync } from "node:fs";
import { join, relative } from "node:path";
import type { Hook } from "../core/hook.ts";
import { findType } from "../core/hook-type.ts";
import { chainedPath } from "../shim/install.ts";
import { isMoved, isOver, markMoved, markOver } from "../shim/moved.ts";
import { listHooks } from "../store/hook.ts";
import { dropMoved, type Moved, movedHooks, putMoved } from "../store/moved.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { OpenHome } from "./open.ts";

/** Notes that hooks were made of files of this folder; part of the transaction that adds them. */
export function noteMoved(
  home: OpenHome,
  row: RepositoryRow,
  hooksDir: string,
  files: readonly { hook: Hook; native: string; inode: number }[],
): void {
  for (const { hook, native, inode } of files)
    putMoved(home.db, {
      ...{ hook: hook.id, repository: row.id, native, inode, over: false },
      folder: relative(row.path, hooksDir),
      command: hook.command ?? "",
    });
}

/** What was moved of a repository. */
export const movedOf = (home: OpenHome, row: Pick<RepositoryRow, "id">): Moved[] =>
  movedHooks(home.db).filter(({ repository }) => repository === row.id);

/** The type whose gate Git asks in the place of that file; null where there is none. */
export const gateTypeOf = ({ native }: Moved): string | null =>
  native === "post-receive" ? null : ((findType(native) ?? findType(`git:${native}`))?.name ?? null);

/** Step 4, for all files of a repository that wait for it. Under the write lock. */
export function finishMoves(home: OpenHome, row: RepositoryRow): void {
  for (const moved of movedOf(home, row)) {
    const folder = join(row.path, moved.folder);
    const kept = lstatSync(chainedPath(folder, moved.native), { throwIfNoEntry: false });
    if (kept !== undefined && !isMoved(folder, moved.native) && !isOver(folder, moved.native)) {
      // Another file, which somebody put there in the meantime, runs besides.
      if (moved.inode !== null && kept.ino !== moved.inode) markOver(folder, moved.native);
      else markMoved(folder, moved.native);
    }
    const over = isOver(folder, moved.native);
    if (moved.inode !== null || moved.over !== over) putMoved(home.db, { ...moved, inode: null, over });
  }
}

/** Forgets what was moved of a repository, whose files are hooks again. Returns the hooks that were they: those to be
 *  deleted, and those to be switched off, since somebody edited them. In a transaction. */
export function forgetMoves(home: OpenHome, row: RepositoryRow): { same: Hook[]; edited: Hook[] } {
  const all = listHooks(home.db);
  const [same, edited]: [Hook[], Hook[]] = [[], []];
  for (const moved of movedOf(home, row)) {
    dropMoved(home.db, moved);
    const hook = all.find(({ id }) => id === moved.hook);
    if (hook !== undefined) (hook.command === moved.command ? same : edited).push(hook);
  }
  return { same, edited };
}
