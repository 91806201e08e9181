/**
 * The files that SQLite makes beside a database, as somebody else may have made them.
 *
 * SQLite believes what it finds there. A rollback journal may name another file, which SQLite deletes once it has played
 * the journal back; ours never has one, since our databases write ahead and are made under another name. The log of a
 * database that is gone is played into whatever stands in its place. And a link leads anywhere.
 *
 * Proven by the tests "K1" and "B10" in test/fault/enemy.test.ts.
 */
import { existsSync, lstatSync, renameSync, rmSync, type Stats } from "node:fs";
import { GatepostError } from "../core/errors.ts";

/** What SQLite makes beside a database. */
export const BESIDE = ["-shm", "-journal", "-wal"];

/** Throws unless the database is a regular file with nothing beside it that would lead SQLite astray. Nothing is opened;
 *  a database that is not there is none. */
export function requireSafeFiles(path: string): void {
  const database = look(path);
  if (database !== null && !database.isFile()) throw noFile(path);
  for (const end of BESIDE) {
    const file = path + end;
    const stat = look(file);
    if (stat === null) continue;
    if (!stat.isFile()) throw noFile(file);
    if (database !== null && stat.uid !== database.uid)
      throw new GatepostError("GP_DENIED", `${file} belongs to another user (uid ${stat.uid}) than the database.`, {
        hint: `The database is not opened. If that file is to be read, as root: chown ${database.uid} FILE`,
      });
    if (end === "-journal" && stat.size > 0)
      throw new GatepostError("GP_DAMAGED", `Beside the database stands ${file}, which Gatepost never makes.`, {
        hint: "The database is not opened, since SQLite would do as that file says. Move it away and try again.",
      });
  }
}

const noFile = (file: string): GatepostError =>
  new GatepostError("GP_DENIED", `${file} is no regular file: the database is not opened.`, {
    hint: "Move it away; of a database, put the file itself there or restore a backup.",
  });

function look(path: string): Stats | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    return null; // this user may not know, and will open nothing either
  }
}

/** Moves away what a lost database left beside its place: the log as NAME-wal.lost-N, since it may hold what somebody
 *  wants to have back. The caller sees to it that no database can come to stand there meanwhile. */
export function setAsideLeft(path: string): void {
  for (const end of BESIDE) {
    const file = path + end;
    if (look(file) === null) continue;
    if (end === "-shm") rmSync(file, { force: true });
    else renameSync(file, freeName(`${file}.lost`));
  }
}

function freeName(start: string): string {
  for (let number = 1; ; number++) if (!existsSync(`${start}-${number}`)) return `${start}-${number}`;
}
