/**
 * `backup --restore`: the way back from a backup.
 *
 * Restoring never touches the file it restores. A copy of it is checked and made ready beside the database; then, in
 * this order, the database that is there is moved aside with its log, so that it can be restored in its turn, and the
 * copy takes its name. Between the two there is no database: whoever looks finds none, and no log of the one is ever
 * read into the other. If the process dies here, both files are there, and calling it again finishes. A backoffice that
 * has the old file open notices before its next write.
 *
 * Two homes must not be one: the register knows one place for each id, and the other's hooks would stop. So a backup
 * goes into the home that it is of, and elsewhere only when that home is gone; see `idFor`.
 *
 * Afterwards the past is that of the backup and goes on under a new incarnation: numbers continue behind those that were
 * given out since, what moved since is found by looking, and what had not ended is run again under its own run id.
 * Proven by the tests "B14" in test/fault/backup.test.ts.
 */
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { watcherOf } from "../backoffice/presence.ts";
import { GatepostError } from "../core/errors.ts";
import { HOME_NAME, homePlace, layout } from "../core/layout.ts";
import { typed } from "../core/shell-word.ts";
import { ownMark } from "../process/replace-file.ts";
import { syncPath } from "../process/sync.ts";
import { faultsOf, type Reached, reachedBy, resume, unusable } from "../store/backup.ts";
import { about, closeDatabase, type Database, lookInto, openDatabase, removeDatabase } from "../store/database.ts";
import { listRepositories, placeRepository, type RepositoryRow, repositoryByPath } from "../store/repository.ts";
import { readSetting } from "../store/setting.ts";
import { giveName, requireBackup } from "./backup.ts";
import { writeHooksFile } from "./exchange.ts";
import { bringFossilInLine } from "./fossil-gates.ts";
import { refreshGates } from "./gates.ts";
import { furtherIncarnation, givenBefore, movedAside } from "./incarnation.ts";
import { homeOf } from "./locate.ts";
import { showSettings } from "./marks.ts";
import { closeHome, isOwner, type OpenHome, openHome, requireOwner } from "./open.ts";
import { addToRegister, isRegistered, readRegister } from "./register.ts";
import { ringDaemon } from "./ring.ts";
import { takeFromWork } from "./take-from-work.ts";

/** The home that a folder is, also where its database is gone. Throws GP_NO_HOME. */
export function homeAt(given: string): string {
  const { database, spool } = layout(resolve(given));
  if (existsSync(database) || existsSync(spool)) return realpathSync(given);
  throw new GatepostError("GP_NO_HOME", `${resolve(given)} is no Gatepost home.`, {
    hint: "Make one first, then restore into it: gatepost init",
  });
}

/** What a restore did. `aside`: where the database that was there is now; null when there was none. `served`: a daemon
 *  goes on with it. */
export type Restored = {
  home: string;
  aside: string | null;
  incarnation: string;
  served: boolean;
  trouble: string[];
};

/** The database in whose place a backup comes. */
type Since = Reached & { repositories: RepositoryRow[] };

/** Puts the state of a backup into the home at `dir`. Throws GP_DAMAGED or GP_TOO_NEW where the file cannot be used,
 *  GP_BUSY while a backoffice works there, GP_USAGE where it is of another home; then nothing was changed. `force`: what
 *  moves here from a home that is gone may replace hooks. */
export async function restore(dir: string, given: string, force: boolean): Promise<Restored> {
  requireOwner(dir);
  const file = requireBackup(dir, given);
  const { database, gates, stale } = layout(dir);
  const found = stateOf(database);
  if (found !== null) await takeFromWork(dir, found.lease);
  const since = found === null ? null : stateOf(database);
  const temporary = `${database}.${ownMark()}.new`;
  const before = givenBefore(dir);
  try {
    const made = about(database, () => {
      copyWhole(file, temporary);
      const db = openCopy(file, temporary);
      try {
        const own = reachedBy(db);
        const inode = statSync(dir).ino;
        const id = idFor(file, own, dir, since, force);
        const incarnation = furtherIncarnation(own, since, before);
        resume(db, { id, path: dir, inode, incarnation }, since, before);
        placeInner(db, own.path ?? dir, dir);
        return { incarnation, id, inode };
      } finally {
        closeDatabase(db);
      }
    });
    if (existsSync(gates)) writeFileSync(stale, "", { mode: 0o644 }); // should we die before they are compiled
    const aside = about(database, () => exchange(temporary, database, since !== null));
    addToRegister({ id: made.id, path: dir, inode: made.inode });
    return { home: dir, aside, incarnation: made.incarnation, ...(await bringInLine(dir, since)) };
  } finally {
    removeDatabase(temporary);
  }
}

/** How far the database that is there has come; null where it is gone or cannot be read. */
function stateOf(database: string): Since | null {
  try {
    return lookInto(database, (db) => ({ ...reachedBy(db), repositories: listRepositories(db) }));
  } catch (error) {
    if (error instanceof GatepostError && error.code !== "GP_BUSY") return null;
    throw error;
  }
}

/** A database that somebody copied as it was may have its log beside it. One of another owner's is not that. */
function copyWhole(file: string, temporary: string): void {
  removeDatabase(temporary);
  const log = lstatSync(`${file}-wal`, { throwIfNoEntry: false });
  const isItsLog = log?.isFile() === true && log.uid === statSync(file).uid;
  for (const suffix of isItsLog ? ["", "-wal"] : [""]) {
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
      hint: error.code === "GP_TOO_NEW" ? (error.hint ?? "") : "Name another backup.",
      cause: error,
    });
  }
}

/**
 * The id of the home at `dir` once the backup is in it. It is the backup's, where that is of this home: of the same id,
 * or made at this path. A home that is gone moves here, under a new id as long as the register knows the old one: what
 * seems gone may be a disk that is not mounted. Throws GP_USAGE where the home of the backup is there, elsewhere.
 */
function idFor(file: string, own: Reached, dir: string, since: Reached | null, force: boolean): string {
  const { id, path } = own;
  if (id === null || path === null) throw unusable(file, "it does not say of which home it is");
  const register = readRegister();
  const known = register.filter((entry) => entry.id === id && !isSame(entry.path, dir)).map((entry) => entry.path);
  const isSameHome = since === null ? register.some((entry) => entry.id === id && entry.path === dir) : since.id === id;
  const isThisHome = isSameHome || isSame(path, dir);
  const places = [path, since?.path ?? dir, ...known].filter((place) => !isSame(place, dir));
  const present = places.find((place) => hasId(place, id) || (!isThisHome && place === path && stands(place)));
  if (present !== undefined)
    throw new GatepostError(
      "GP_USAGE",
      `${file} is of another home, which is there: ${present}. Nothing was changed.`,
      {
        hint: `Its hooks alone: gatepost hook export --home ${typed(present)} | gatepost hook import --home ${typed(dir)} -`,
      },
    );
  if (!isThisHome && (since?.hooks ?? 0) > 0 && !force)
    throw new GatepostError("GP_USAGE", `${file} is of another home, ${path}, and ${dir} has hooks of its own.`, {
      hint: "To have those of the backup instead: --force. Nothing was changed.",
    });
  return isSameHome || known.length === 0 ? id : randomUUID();
}

function isSame(place: string, dir: string): boolean {
  try {
    return realpathSync(place) === dir;
  } catch {
    return place === dir;
  }
}

/** Whether a home is there; also where this user may not see it. */
function stands(dir: string): boolean {
  const { database, spool } = layout(dir);
  return [database, spool].some((path) => {
    try {
      return lstatSync(path) !== undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return code !== "ENOENT" && code !== "ENOTDIR";
    }
  });
}

/** Whether the home of that id is there: by its database, or by the register where that cannot be read. */
function hasId(dir: string, id: string): boolean {
  if (!stands(dir)) return false;
  try {
    if (isOwner(dir)) return lookInto(layout(dir).database, (db) => readSetting(db, "home.id")) === id;
  } catch {}
  return isRegistered({ id, path: dir });
}

/** The repository in which, or beside which, a home stands moves with it. */
function placeInner(db: Database, from: string, dir: string): void {
  const row = listRepositories(db).find((each) => homePlace(each) === from);
  if (from === dir || row === undefined || existsSync(row.path)) return;
  const path = row.kind === "git" ? dirname(dir) : dir.slice(0, -HOME_NAME.length - 1);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (homePlace({ path, kind: row.kind }) !== dir || stat === undefined || repositoryByPath(db, path) !== null) return;
  const workTree = row.workTree !== null && basename(path) === ".git" ? dirname(path) : null;
  placeRepository(db, { id: row.id, path, inode: stat.ino, workTree, objectFormat: row.objectFormat });
}

/** Moves the database aside and the copy into its place; returns where the old one is now. */
function exchange(temporary: string, database: string, isWhole: boolean): string | null {
  syncPath(temporary);
  const there = existsSync(database);
  if (there && isWhole) emptyLog(database);
  const { last, next } = movedAside(database);
  // Without a database, a log is that of the one which a call that died here moved aside before.
  const unfinished = !there && last !== null && !existsSync(`${last}-wal`) ? last : null;
  const aside = unfinished ?? next;
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

/** Brings what is in the log into the database, so that a death between the renames parts nothing that is needed. */
function emptyLog(database: string): void {
  try {
    lookInto(database, (db) => db.sqlite.pragma("wal_checkpoint(TRUNCATE)"));
  } catch {} // then its log goes with it
}

/** What follows from the hooks is made anew. The database stays restored whatever cannot be reached. */
async function bringInLine(dir: string, since: Since | null): Promise<{ served: boolean; trouble: string[] }> {
  const home = openHome(dir);
  try {
    writeHooksFile(home);
    showSettings(home);
    const unreached = refreshGates(home).map(
      ({ folder, why }) => `The hooks folder ${folder} cannot be written (${why}).`,
    );
    const unlisted = await bringFossilInLine(home);
    ringDaemon(home);
    const trouble = [...unreached, ...unlisted.map(({ message }) => message), ...unserved(home, since)];
    return { served: watcherOf(home.layout) !== null, trouble };
  } finally {
    closeHome(home);
  }
}

/** Repositories that the home knows and that do not know it, and those that it knew before. */
function unserved(home: OpenHome, since: Since | null): string[] {
  const init = ({ path }: RepositoryRow): string => `gatepost init --home ${typed(home.dir)} ${typed(path)}`;
  const rows = listRepositories(home.db);
  const strange = rows.flatMap((row) => {
    if (!existsSync(row.path)) return [`${row.path} is gone. If it was moved: gatepost init, where it is now.`];
    const other = homeOf(row);
    if (other === home.dir) return [];
    return [`${row.path} ${other === null ? "has no home" : `has the home ${other}`}. To have it here: ${init(row)}`];
  });
  const dropped = (since?.repositories ?? []).filter(
    (row) => existsSync(row.path) && homeOf(row) === home.dir && !rows.some(({ path }) => path === row.path),
  );
  return [...strange, ...dropped.map((row) => `${row.path} is not in the backup. Register it again: ${init(row)}`)];
}
