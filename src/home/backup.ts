/**
 * `backup`: a copy of a home's database in one file. The way back from it is restore.ts.
 *
 * The database holds hooks, settings, history and the ledger, and that is all that cannot be made again: compiled gates,
 * shims and hooks.json follow from it, and what waits in the spool is in the repositories, too.
 *
 * Backing up disturbs nobody: it reads one state while others write. The file appears whole and synced under its name,
 * after it was read back from end to end, or not at all; what a death leaves ends in `.new`, and
 * the next backup of that name takes it away.
 * Proven by the tests "B14" in test/fault/backup.test.ts.
 */
import {
  closeSync,
  existsSync,
  linkSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { layout } from "../core/layout.ts";
import { typed } from "../core/shell-word.ts";
import { ownMark } from "../process/replace-file.ts";
import { syncPath } from "../process/sync.ts";
import { copyDatabase, faultsOf } from "../store/backup.ts";
import { about, databaseFiles, removeDatabase } from "../store/database.ts";
import { removeLitterOf } from "./litter.ts";
import { type OpenHome, requireOwner } from "./open.ts";

/** Writes the backup and returns its path and size. `force`: in place of a file that is there. Throws GP_USAGE where the
 *  file is there, or is a database in use; then, and after any other error, everything is as it was. */
export function backup(home: OpenHome, given: string, force: boolean): { file: string; bytes: number } {
  requireOwner(home.dir);
  requireName(given);
  const file = placeOf(given);
  const present = statSync(file, { throwIfNoEntry: false });
  requireFree(home, file, present, force);
  removeLitterOf(file);
  const temporary = `${file}.${ownMark()}.new`;
  try {
    about(file, () => {
      rmSync(temporary, { force: true });
      closeSync(openSync(temporary, "wx", 0o600));
      copyDatabase(home.db, temporary);
      const [fault] = faultsOf(temporary);
      if (fault !== undefined)
        throw new GatepostError("GP_DAMAGED", `The backup would not be whole (${fault}). It was not kept.`, {
          hint: `See what is wrong with the database: gatepost doctor --home ${typed(home.dir)}`,
        });
      syncPath(temporary);
      if (force) renameSync(temporary, file);
      else if (!giveName(temporary, file)) throw taken(file);
      syncPath(dirname(file));
    });
    return { file, bytes: statSync(file).size };
  } finally {
    removeDatabase(temporary);
  }
}

/** Refuses "-": a backup is read back and renamed, which only a file can be. */
function requireName(given: string): void {
  if (given !== "-") return;
  throw new GatepostError("GP_USAGE", "A backup is a file: it is neither written to a pipe nor read from one.", {
    hint: "Name a file. One that is called so: ./-",
  });
}

/** The file of a backup that is to be restored into the home at `dir`. Throws GP_NO_FILE, and GP_USAGE on the live one. */
export function requireBackup(dir: string, given: string): string {
  requireName(given);
  const file = resolve(given);
  const stat = statSync(file, { throwIfNoEntry: false });
  const hint = "Name the file of a backup.";
  if (stat === undefined) throw new GatepostError("GP_NO_FILE", `There is no backup at ${file}.`, { hint });
  if (!stat.isFile())
    throw new GatepostError("GP_NO_FILE", `${file} is ${stat.isDirectory() ? "a folder" : "no regular file"}.`, {
      hint,
    });
  const isLive = databaseFiles(layout(dir).database).some((live) => {
    const other = statSync(live, { throwIfNoEntry: false });
    return other?.ino === stat.ino && other.dev === stat.dev;
  });
  if (!isLive) return file;
  throw new GatepostError("GP_USAGE", `${file} is the database itself, no backup of it. Nothing was changed.`, {
    hint,
  });
}

/** The path with its folder's real one; the folder must be there. */
function placeOf(given: string): string {
  const file = resolve(given);
  try {
    return join(realpathSync(dirname(file)), basename(file));
  } catch (error) {
    throw new GatepostError("GP_NO_FILE", `There is no folder ${dirname(file)} to put a backup into.`, {
      hint: "Make it, or name another place.",
      cause: error,
    });
  }
}

function requireFree(
  { layout: { database } }: OpenHome,
  file: string,
  present: Stats | undefined,
  force: boolean,
): void {
  const own = statSync(database);
  const isOwn = databaseFiles(database).includes(file) || (present?.ino === own.ino && present.dev === own.dev);
  if (isOwn || existsSync(`${file}-wal`) || existsSync(`${file}-shm`))
    throw new GatepostError("GP_USAGE", `${file} is ${isOwn ? "the database itself" : "a database in use"}.`, {
      hint: "A backup goes into a file of its own. Nothing was changed.",
    });
  if (present !== undefined && !present.isFile())
    throw new GatepostError("GP_USAGE", `${file} is no regular file. Nothing was changed.`, {
      hint: "Name the file that the backup shall be.",
    });
  if (present !== undefined && !force) throw taken(file);
}

const taken = (file: string): GatepostError =>
  new GatepostError("GP_USAGE", `${file} is there already. Nothing was changed.`, {
    hint: "Name another file, or let it be replaced: --force",
  });

/** Gives a finished file its name; false where there is one of that name by now. */
export function giveName(temporary: string, file: string): boolean {
  try {
    linkSync(temporary, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP") throw error;
    renameSync(temporary, file); // a file system without hard links
  }
  return true;
}
