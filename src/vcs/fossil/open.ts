/**
 * Reading a Fossil repository's file: the only code that opens one. It must disturb nobody, leave nothing, and never
 * write to it, while fossil does with it what it likes.
 *
 * - A read is one deferred transaction of a read-only connection, from opening to closing without a pause. So no two
 *   connections of this process are ever open to different reads, and none is while anything is awaited; therefore the
 *   header may be read through a plain descriptor before (closing one drops all locks that this process has on a file).
 * - Rollback mode (the usual one) asks for nothing: a reader leaves nothing behind. But where a writer died in the
 *   middle, a read-only connection cannot undo what it did; the fossil program does that, run as the owner (finish.ts).
 * - WAL mode: even a reader makes -wal and -shm, and a read-only one leaves them behind, in its own name (measured with
 *   SQLite 3.53). Made by somebody else than the owner they would lock fossil out. So whoever is not the owner reads
 *   only where both are there already. The owner, where neither is, opens a second connection first, the `keeper`: it
 *   could write but is forbidden to, and reads nothing but the schema. Being the last to close, it has SQLite take the
 *   files away again. A fossil that opens, writes and ends meanwhile finds all as if another fossil were reading; what
 *   it wrote then goes to the main file when the keeper closes, as it would have at its own end.
 *   Where there is a -wal with content, a keeper that closes last would write that into the file. So there is none then;
 *   a fossil that ends while such a read goes on leaves -wal and -shm to the next fossil, having moved their content.
 *   A -wal with content but without -shm was copied here, or its machine died: fossil takes it over as it does a
 *   cut-off write.
 * - What this process leaves if it dies in between: in WAL mode an empty -wal and a -shm of the owner's, which the next
 *   fossil removes. As a stranger it may leave them too if the last fossil ends in the microseconds between the look at
 *   the files and the opening.
 * - Locked: SQLite waits a moment, then the event loop gets a turn, for `patience` in all.
 *
 * Proven by test/vcs/fossil-open.test.ts.
 */
import { accessSync, closeSync, constants, openSync, readSync, realpathSync, type Stats, statSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import BetterSqlite3 from "better-sqlite3";
import { GatepostError } from "../../core/errors.ts";
import { letFossilFinish } from "./finish.ts";
import { refuse, refusedBySystem } from "./refusal.ts";
import { namedRepository, requireRepository } from "./shape.ts";

const PATIENCE = 5000;
const BLOCKED = 50; // ms that SQLite may hold up the whole process, each time
const TURN = 50;

/** Runs `read` on the repository in `path`, in one read transaction, and returns what it returns. `read` gets a
 *  connection on which only temporary tables can be written; it must be synchronous, must use up or end its iterators,
 *  and is called at most once. Throws the refusals of refusal.ts: GP_NO_REPOSITORY, GP_REPOSITORY, GP_DENIED, and
 *  GP_BUSY when another program keeps it locked for `patience` milliseconds. */
export async function readFossil<T>(
  path: string,
  read: (db: BetterSqlite3.Database) => T,
  options: { patience?: number } = {},
): Promise<T> {
  const patience = options.patience ?? PATIENCE;
  await undefined; // called from within a `read`, this one waits until that connection is closed
  const began = performance.now();
  let finished = false;
  for (;;) {
    const tried = attempt(path, read);
    if ("value" in tried) return tried.value;
    if (tried.state === "unfinished") {
      if (tried.owner !== process.geteuid?.()) throw refuse.unfinished(tried.file, tried.owner);
      const why = finished ? "it is still there" : await letFossilFinish(tried.file);
      if (why !== null) throw refuse.notUndone(tried.file, why);
      finished = true;
    } else {
      if (performance.now() - began >= patience) throw refuse.locked(tried.file, patience);
      await pause(TURN);
    }
  }
}

/** The repository that the check-out's database `file` names, as it stands there; null where the file is none.
 *  Synchronous, waits up to a second for a fossil that writes it; throws GP_BUSY, GP_DENIED. */
export function repositoryOfCheckout(file: string): string | null {
  const db = new BetterSqlite3(file, { readonly: true, fileMustExist: true, timeout: 1000 });
  try {
    return namedRepository(db);
  } catch (error) {
    if (isLocked(error)) throw refuse.locked(file, 1000);
    if (isUnfinished(error)) throw refuse.unfinished(file, statSync(file).uid);
    if (error instanceof BetterSqlite3.SqliteError) return null;
    throw error;
  } finally {
    db.close();
  }
}

/** What the first hundred bytes of an SQLite file say. */
export type Header = { wal: boolean; application: number };

/** Null unless the file begins as SQLite's files do. Not to be called while a `read` runs. */
export function readHeader(file: string): Header | null {
  if (reading) throw new GatepostError("GP_BUG", "A repository's file was opened while a connection to one was open.");
  const bytes = Buffer.alloc(100);
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe in its place must not hold us
  try {
    if (readSync(descriptor, bytes, 0, 100, 0) < 100 || bytes.toString("latin1", 0, 16) !== MAGIC) return null;
  } finally {
    closeSync(descriptor);
  }
  return { wal: bytes[18] === 2 || bytes[19] === 2, application: bytes.readUInt32BE(68) };
}

const MAGIC = "SQLite format 3\0";
let reading = false;

type Tried<T> = { value: T } | { state: "locked" | "unfinished"; file: string; owner: number };

function attempt<T>(path: string, read: (db: BetterSqlite3.Database) => T): Tried<T> {
  const { file, stat } = find(path);
  const how = wayIn(file, stat);
  if (how === "unfinished") return { state: how, file, owner: stat.uid };
  const opened: BetterSqlite3.Database[] = [];
  let begun = false;
  reading = true;
  try {
    if (how === "kept") opened.push(keeper(file));
    const db = new BetterSqlite3(file, { readonly: true, fileMustExist: true, timeout: BLOCKED });
    opened.push(db);
    db.pragma("trusted_schema = OFF"); // its schema may be a stranger's work
    const inOne = db.transaction(() => {
      requireRepository(db, file, stat.ino);
      db.pragma("user_version"); // preparing took no lock that lasts: the snapshot begins here
      begun = true;
      return read(db);
    });
    return { value: inOne.deferred() };
  } catch (error) {
    if (!begun && isLocked(error)) return { state: "locked", file, owner: stat.uid };
    if (isUnfinished(error)) return { state: "unfinished", file, owner: stat.uid };
    if (!begun && statSync(file, { throwIfNoEntry: false }) === undefined) throw refuse.missing(file); // since just now
    if (how === "kept" && /^SQLITE_(CANTOPEN|READONLY)/.test(codeOf(error)) && !begun) throw refuse.sealed(file);
    throw translate(error, file, stat.uid);
  } finally {
    for (const db of opened.reverse()) db.close(); // the keeper last
    reading = false;
  }
}

function find(path: string): { file: string; stat: Stats } {
  let file = resolve(path);
  try {
    file = realpathSync(file);
    if (file !== file.trim()) throw refuse.blank(file); // better-sqlite3 (12.11) would open another one
    const stat = statSync(file);
    if (stat.isDirectory()) throw refuse.folder(file);
    if (!stat.isFile()) throw refuse.notFile(file);
    if (stat.size === 0) throw refuse.empty(file);
    return { file, stat };
  } catch (error) {
    throw error instanceof GatepostError ? error : refusedBySystem(file, null, error);
  }
}

/** How the file can be opened so that nothing of ours stays: as it is, with a keeper, or not before fossil had it. */
function wayIn(file: string, stat: Stats): "plain" | "kept" | "unfinished" {
  let header: Header | null;
  try {
    header = readHeader(file);
  } catch (error) {
    throw refusedBySystem(file, stat.uid, error);
  }
  if (header === null) throw refuse.foreign(file);
  if (!header.wal) return "plain";
  const wal = statSync(`${file}-wal`, { throwIfNoEntry: false });
  const shm = statSync(`${file}-shm`, { throwIfNoEntry: false });
  if (wal !== undefined && shm !== undefined) return "plain"; // an empty -wal too: somebody may be about to fill it
  if (stat.uid !== process.geteuid?.()) throw refuse.notOurs(file, stat.uid);
  if (wal !== undefined && wal.size > 0) return "unfinished";
  try {
    accessSync(file, constants.W_OK); // else SQLite would open it read-only, without a word
  } catch {
    throw refuse.sealed(file);
  }
  return "kept";
}

function keeper(file: string): BetterSqlite3.Database {
  const db = new BetterSqlite3(file, { fileMustExist: true, timeout: BLOCKED });
  try {
    db.pragma("query_only = ON");
    db.pragma("user_version"); // opens the -wal
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

const codeOf = (error: unknown): string =>
  error instanceof BetterSqlite3.SqliteError ? error.code : String((error as { code?: unknown }).code ?? "");

const isLocked = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(codeOf(error));
const isUnfinished = (error: unknown): boolean => codeOf(error) === "SQLITE_READONLY_ROLLBACK";

function translate(error: unknown, file: string, owner: number): unknown {
  const code = codeOf(error);
  if (isLocked(error)) return refuse.locked(file, BLOCKED);
  if (/^SQLITE_NOTADB/.test(code)) return refuse.foreign(file);
  if (/^SQLITE_CORRUPT/.test(code)) return refuse.damaged(file, error);
  if (/^SQLITE_IOERR/.test(code)) return refuse.sick(file, error);
  if (/^SQLITE_(FULL|NOMEM)/.test(code)) return refuse.full(file, error);
  if (/^SQLITE_(CANTOPEN|READONLY|PERM|AUTH)/.test(code)) return refuse.denied(file, owner, error);
  if (error instanceof BetterSqlite3.SqliteError) return refuse.odd(file, error);
  return error;
}
