/**
 * `backup --restore`: the way back from a backup.
 *
 * Restoring never touches the file it restores. A copy of it is checked and made ready beside the database; then, in
 * this order, the database that is there is moved aside with its log, so that it can be restored in its turn, and the
 * copy takes its name. Between the two there is no database: whoever looks finds none, and no log of the one is ever
 * read into the other. If the process dies here, both files are there, and calling it again finishes. A backoffice that
 * has the old file open notices before its next write.
 *
 * Afterwards the past is that of the backup and goes on under a new incarnation: numbers continue behind those that were
 * given out since, what moved since is found by looking, and what had not ended is run again under its own run id.
 * Proven by the tests "B14" in test/fault/backup.test.ts.
 */
import { chmodSync, constants, copyFileSync, existsSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { layout } from "../core/layout.ts";
import { bootId, isAlive } from "../process/identity.ts";
import { syncPath } from "../process/sync.ts";
import { faultsOf, type Reached, reachedBy, resume, unusable } from "../store/backup.ts";
import { about, closeDatabase, type Database, lookInto, openDatabase, removeDatabase } from "../store/database.ts";
import { giveName } from "./backup.ts";
import { writeHooksFile } from "./exchange.ts";
import { bringFossilInLine } from "./fossil-gates.ts";
import { refreshGates } from "./gates.ts";
import { furtherIncarnation } from "./incarnation.ts";
import { showSettings } from "./marks.ts";
import { closeHome, openHome, requireOwner } from "./open.ts";
import { addToRegister } from "./register.ts";
import { ringDaemon } from "./ring.ts";

/** The home that a folder is, also where its database is gone. Throws GP_NO_HOME. */
export function homeAt(given: string): string {
  const { database, spool } = layout(resolve(given));
  if (existsSync(database) || existsSync(spool)) return realpathSync(given);
  throw new GatepostError("GP_NO_HOME", `${resolve(given)} is no Gatepost home.`, {
    hint: "Make one first, then restore into it: gatepost init",
  });
}

/** What a restore did. `aside`: where the database that was there is now; null when there was none. */
export type Restored = { home: string; aside: string | null; incarnation: string; trouble: string[] };

/** Puts the state of a backup into the home at `dir`. Throws GP_DAMAGED or GP_TOO_NEW where the file cannot be used,
 *  GP_BUSY while a backoffice works there; then nothing was changed. `force`: also a backup of another home. */
export async function restore(dir: string, given: string, force: boolean): Promise<Restored> {
  requireOwner(dir);
  const file = resolve(given);
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true)
    throw new GatepostError("GP_NO_FILE", `There is no backup at ${file}.`, { hint: "Name the file of a backup." });
  const { database } = layout(dir);
  const since = stateOf(database);
  requireIdle(dir, since);
  const temporary = `${database}.${process.pid}.new`;
  const incarnation = furtherIncarnation(dir, since);
  try {
    const made = about(database, () => {
      copyWhole(file, temporary);
      const db = openCopy(file, temporary);
      try {
        const own = reachedBy(db);
        if (!force) requireOwnBackup(file, own, dir, since);
        const inode = statSync(dir).ino;
        const next = incarnation(own);
        resume(db, { path: dir, inode, incarnation: next }, since);
        return { incarnation: next, id: own.id ?? "", inode };
      } finally {
        closeDatabase(db);
      }
    });
    const aside = about(database, () => exchange(temporary, database));
    addToRegister({ id: made.id, path: dir, inode: made.inode });
    return { home: dir, aside, incarnation: made.incarnation, trouble: await bringInLine(dir) };
  } finally {
    removeDatabase(temporary);
  }
}

/** How far the database that is there has come; null where it is gone or cannot be read. */
function stateOf(database: string): Reached | null {
  try {
    return lookInto(database, reachedBy);
  } catch (error) {
    if (error instanceof GatepostError && error.code !== "GP_BUSY") return null;
    throw error;
  }
}

/** While hooks run, their runs are not to be taken from under them. */
function requireIdle(dir: string, since: Reached | null): void {
  const { bootId: boot, pid, startTime } = since?.lease ?? {};
  if (!pid || !startTime || boot !== bootId() || !isAlive({ pid, startTime })) return;
  throw new GatepostError("GP_BUSY", `A backoffice (pid ${pid}) works on ${dir}. Nothing was changed.`, {
    hint: "Stop it, or wait until it is done, and try again.",
  });
}

/** A database that somebody copied as it was may have its log beside it. */
function copyWhole(file: string, temporary: string): void {
  removeDatabase(temporary);
  for (const suffix of ["", "-wal"]) {
    if (!existsSync(file + suffix)) continue;
    copyFileSync(file + suffix, temporary + suffix, constants.COPYFILE_EXCL);
    chmodSync(temporary + suffix, 0o600); // it came with the mode of the backup
  }
}

/** Opens the copy, brought up to date, if it is whole and one of ours. */
function openCopy(file: string, temporary: string): Database {
  try {
    const db = openDatabase(temporary);
    try {
      const [fault] = faultsOf(temporary);
      if (fault !== undefined) throw unusable(file, fault);
      return db;
    } catch (error) {
      closeDatabase(db);
      throw error;
    }
  } catch (error) {
    if (!(error instanceof GatepostError)) throw error;
    if (error.code !== "GP_DAMAGED" && error.code !== "GP_TOO_NEW") throw error;
    const message = error.message.replaceAll(temporary, file);
    throw new GatepostError(error.code, message, {
      hint: error.code === "GP_TOO_NEW" ? (error.hint ?? "") : "Name another backup; nothing was changed.",
      cause: error,
    });
  }
}

function requireOwnBackup(file: string, own: Reached, dir: string, since: Reached | null): void {
  if (own.path === dir || (since !== null && since.id === own.id)) return;
  throw new GatepostError("GP_USAGE", `${file} is a backup of another home: ${own.path ?? "unknown"}.`, {
    hint: "If its hooks shall run here: --force. Nothing was changed.",
  });
}

/** Moves the database aside and the copy into its place; returns where the old one is now. */
function exchange(temporary: string, database: string): string | null {
  syncPath(temporary);
  const aside = freeName(`${database}.before-restore`);
  const there = existsSync(database);
  if (there) renameSync(database, aside);
  if (existsSync(`${database}-wal`)) renameSync(`${database}-wal`, `${aside}-wal`);
  for (const suffix of ["-shm", "-journal"]) rmSync(database + suffix, { force: true });
  if (!giveName(temporary, database))
    throw new GatepostError("GP_BUSY", `Another process made a database at ${database} meanwhile.`, {
      hint: there ? `The one that was there is now ${aside}. Call this again.` : "Call this again.",
    });
  syncPath(dirname(database));
  return there ? aside : null;
}

function freeName(start: string): string {
  for (let number = 1; ; number++) if (!existsSync(`${start}-${number}`)) return `${start}-${number}`;
}

/** What follows from the hooks is made anew. The database stays restored whatever cannot be reached. */
async function bringInLine(dir: string): Promise<string[]> {
  const home = openHome(dir);
  try {
    writeHooksFile(home);
    showSettings(home);
    const unreached = refreshGates(home).map(
      ({ folder, why }) => `The hooks folder ${folder} cannot be written (${why}).`,
    );
    const unlisted = await bringFossilInLine(home);
    ringDaemon(home);
    return [...unreached, ...unlisted.map(({ message }) => message)];
  } finally {
    closeHome(home);
  }
}
