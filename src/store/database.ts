/**
 * The connection to a home's database, and the only code that knows SQLite's ways.
 *
 * - WAL with synchronous=FULL: a transaction that returned survives a power cut. (The library is built with NORMAL.)
 * - Every write is one short IMMEDIATE transaction; none is open while a process runs or a promise is awaited, which
 *   `write` enforces by taking a function that is not async.
 * - A statement is prepared once per connection: `all`, `one` and `change` make a function of an SQL text.
 * - A database is made under a temporary name and linked into place whole: whoever finds gatepost.db finds it finished,
 *   and of two processes that make it at once one wins and the other uses the winner's.
 *
 * SQLite's own error codes never leave this file: see `translate`.
 */
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  readFileSync,
  rmSync,
  type Stats,
  statfsSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import SQLite from "better-sqlite3";
import { GatepostError } from "../core/errors.ts";
import { migrate, SCHEMA_VERSION, versionOf } from "./migrate.ts";

export { SCHEMA_VERSION } from "./migrate.ts";

/** As in schema.sql: tells our file from any other. */
const APPLICATION_ID = 0x47506f73;

const schemaFile = new URL("../../schema.sql", import.meta.url);

export type Database = {
  readonly path: string;
  readonly sqlite: SQLite.Database;
  readonly prepared: Map<string, SQLite.Statement>;
  /** dev:inode of the file when it was opened, to notice a database that was moved or replaced under us. */
  readonly identity: string;
};

type Values = Readonly<Record<string, unknown>>;

function prepare(db: Database, sql: string): SQLite.Statement {
  let statement = db.prepared.get(sql);
  if (statement === undefined) {
    statement = db.sqlite.prepare(sql);
    db.prepared.set(sql, statement);
  }
  return statement;
}

const guarded = <T>(db: Database, work: () => T): T => about(db.path, work);

/** Lets `work` deal with SQLite and the file at `path`; what it throws is one of our errors, about that file. */
export function about<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translate(error, path);
  }
}

/** The text of every statement of the modules that are loaded, for whoever looks at their plans. */
export const STATEMENTS = new Set<string>();

function made<P extends Values, Result>(sql: string, work: (statement: SQLite.Statement, values: P) => Result) {
  STATEMENTS.add(sql);
  return (db: Database, values: P): Result => guarded(db, () => work(prepare(db, sql), values));
}

/** Makes a function that returns every row of the query. Sorting and limits belong into the SQL. */
export const all = <Row, P extends Values = Values>(sql: string) =>
  made<P, Row[]>(sql, (statement, values) => statement.all(values) as Row[]);

/** Makes a function that returns the query's rows one by one; no write may happen until it is used up or broken off. */
export const each = <Row, P extends Values = Values>(sql: string) =>
  made<P, IterableIterator<Row>>(sql, (statement, values) => statement.iterate(values) as IterableIterator<Row>);

/** Makes a function that returns the query's first row, or null. */
export const one = <Row, P extends Values = Values>(sql: string) =>
  made<P, Row | null>(sql, (statement, values) => (statement.get(values) as Row | undefined) ?? null);

/** Makes a function that changes rows and returns how many, and the id of the last one inserted. */
export const change = <P extends Values = Values>(sql: string) =>
  made<P, { changes: number; id: number }>(sql, (statement, values) => {
    const { changes, lastInsertRowid } = statement.run(values);
    return { changes, id: Number(lastInsertRowid) };
  });

/** How long a write waits for another process to end its own, in milliseconds. */
const PATIENCE = 5000;

/** Runs `work` in one IMMEDIATE transaction: all of it is done, or, when it throws, nothing. Inside another `write` it
 *  joins that one. GP_BUSY when another process keeps writing for longer than `patience`. */
export function write<T>(db: Database, work: () => T, patience = PATIENCE): T {
  if (db.sqlite.inTransaction) return work();
  if (patience === PATIENCE) return guarded(db, () => db.sqlite.transaction(work).immediate());
  db.sqlite.pragma(`busy_timeout = ${patience}`);
  try {
    return guarded(db, () => db.sqlite.transaction(work).immediate());
  } finally {
    db.sqlite.pragma(`busy_timeout = ${PATIENCE}`);
  }
}

/** Reads one state of the database, whatever others write meanwhile. */
export const snapshot = <T>(db: Database, work: () => T): T =>
  guarded(db, () => db.sqlite.transaction(work).deferred());

const load = (path: string, options: SQLite.Options): SQLite.Database => about(path, () => new SQLite(path, options));

/** The files of a database: itself, and what SQLite makes beside it. */
export const databaseFiles = (path: string): string[] => ["", "-wal", "-shm", "-journal"].map((end) => path + end);

/** Removes a database that nobody has open, whatever there is of it. */
export function removeDatabase(path: string): void {
  for (const file of databaseFiles(path)) rmSync(file, { force: true });
}

function configure(sqlite: SQLite.Database): void {
  sqlite.pragma("synchronous = FULL");
  sqlite.pragma("foreign_keys = ON");
}

/** Makes the database at `path` if there is none, and opens it. */
export function createDatabase(path: string): Database {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    const temporary = `${path}.${process.pid}.new`;
    rmSync(temporary, { force: true });
    try {
      const sqlite = load(temporary, {});
      try {
        sqlite.exec(readFileSync(schemaFile, "utf8"));
        sqlite.pragma("journal_mode = WAL"); // stays with the file
      } finally {
        sqlite.close();
      }
      linkSync(temporary, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw translate(error, path);
    } finally {
      removeDatabase(temporary);
    }
  }
  return openDatabase(path);
}

/** Whether nothing can be made beside the database, and nothing waits in a log beside it: SQLite, which wants to make that
 *  log even to read, refuses to open it then. */
function isSealed(path: string): boolean {
  if (existsSync(`${path}-wal`)) return false;
  try {
    accessSync(dirname(path), constants.W_OK);
    return false;
  } catch {
    return true; // a read-only file system, an immutable folder, or one of another user's
  }
}

/** Its content as of now, to be read only. */
function loadSealed(path: string): SQLite.Database {
  return about(path, () => {
    const bytes = readFileSync(path);
    bytes.fill(1, 18, 20); // as a database without a log, which is what it is in memory
    return new SQLite(bytes, { readonly: true });
  });
}

/** Opens an existing database; one that an older program made is brought up to date first. Refuses what is not ours,
 *  damaged, of a newer program, or out of date and not this user's; never changes such a file. Where nothing can be
 *  written it is read all the same. */
export function openDatabase(path: string): Database {
  let stat: Stats | undefined;
  try {
    stat = statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw translate(error, path); // a folder on the way that this user may not enter
  }
  if (stat === undefined) throw noDatabase(path);
  if (stat.size === 0) throw notOurs(path, "it is empty");
  const sqlite = isSealed(path) ? loadSealed(path) : load(path, { fileMustExist: true, timeout: PATIENCE });
  try {
    if (Number(sqlite.pragma("application_id", { simple: true })) !== APPLICATION_ID)
      throw notOurs(path, "it was made by another program");
    const version = versionOf(sqlite);
    if (version < 1) throw notOurs(path, "it says of no version");
    if (version > SCHEMA_VERSION)
      throw new GatepostError("GP_TOO_NEW", `The database ${path} was made by a newer Gatepost (schema ${version}).`, {
        hint: `This one knows schemas up to ${SCHEMA_VERSION}. Update Gatepost; nothing was changed.`,
      });
    if (version < SCHEMA_VERSION) {
      requireOwnerToMigrate(path, stat, version);
      migrate(sqlite, path);
    }
    configure(sqlite);
  } catch (error) {
    sqlite.close();
    throw translate(error, path);
  }
  return { path, sqlite, prepared: new Map(), identity: `${stat.dev}:${stat.ino}` };
}

/** Idempotent. */
export function closeDatabase(db: Database): void {
  if (db.sqlite.open) db.sqlite.close();
}

/** What `read` finds in an existing database, which is opened for that alone. Throws as `openDatabase` does. */
export function lookInto<T>(path: string, read: (db: Database) => T): T {
  const db = openDatabase(path);
  try {
    return read(db);
  } finally {
    closeDatabase(db);
  }
}

/** Throws GP_DAMAGED unless the file at the database's path is still the one that was opened. SQLite itself would go on
 *  writing into a file that was renamed or deleted, and everything it acknowledged would be lost. */
export function requireInPlace(db: Database): void {
  const stat = statSync(db.path, { throwIfNoEntry: false });
  if (stat !== undefined && `${stat.dev}:${stat.ino}` === db.identity) return;
  throw new GatepostError("GP_DAMAGED", `The database ${db.path} was moved, replaced or deleted while it was in use.`, {
    hint: `Nothing was written into the old file since. Put it back, or ${RESTORE}`,
  });
}

/** Whoever else may write the database would leave files beside it that its owner cannot use. */
function requireOwnerToMigrate(path: string, stat: Stats, version: number): void {
  if (stat.uid === (process.geteuid?.() ?? stat.uid)) return;
  throw new GatepostError("GP_NOT_OWNER", `The database ${path} is of an older Gatepost (schema ${version}).`, {
    hint: `Its owner's next call brings it up to date: sudo -u '#${stat.uid}' gatepost …; nothing was changed.`,
  });
}

/** The way back from a database that is gone or cannot be used. */
export const RESTORE = "restore a backup: gatepost backup --restore FILE";
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const noDatabase = (path: string): GatepostError =>
  new GatepostError("GP_NO_HOME", `There is no database at ${path}.`, {
    hint: `Register the repository: gatepost init. If it is gone for good: gatepost uninstall --home ${dirname(path)}`,
  });

const notOurs = (path: string, why: string): GatepostError =>
  new GatepostError("GP_DAMAGED", `${path} is not a Gatepost database: ${why}. Nothing was changed.`, {
    hint: `${capital(RESTORE)}. Without one, move it away and register the repository anew: gatepost init`,
  });

/** An error of SQLite, of the file system or of loading the native module, as one of ours; ours pass through. */
function translate(error: unknown, path: string): unknown {
  if (error instanceof GatepostError) return error;
  const code = String((error as { code?: unknown }).code ?? "");
  const message = (error as Error).message;
  if (error instanceof TypeError && /directory does not exist/.test(message)) return noDatabase(path); // gone just now
  if (/NOTADB/.test(code)) return notOurs(path, "it is no SQLite file");
  if (/CORRUPT/.test(code))
    return new GatepostError("GP_DAMAGED", `The database ${path} is damaged (${message}). Nothing was changed.`, {
      hint: `${capital(RESTORE)}. Pushes go on: their receipts wait in the spool.`,
      cause: error,
    });
  if (/BUSY|LOCKED/.test(code))
    return new GatepostError("GP_BUSY", `The database ${path} is in use by another process.`, {
      hint: `Try again in a moment; if it lasts, see who has it open: fuser -v ${path}`,
      cause: error,
    });
  if (/FULL|ENOSPC|EDQUOT|EMFILE|ENFILE|NOMEM/.test(code))
    return new GatepostError("GP_FULL", `There is no room to write ${path} (${message}).`, {
      hint: FULL,
      cause: error,
    });
  if (/READONLY|CANTOPEN|PERM|AUTH|EACCES|EPERM|EROFS/.test(code))
    return new GatepostError(
      "GP_DENIED",
      `${path} cannot be read or written by this user (${message.split(",")[0]}).`,
      {
        hint: "Call gatepost as the owner of the home, or mend the permissions of its folder.",
        cause: error,
      },
    );
  if (/IOERR/.test(code) && isFull(path))
    return new GatepostError("GP_FULL", `There is no room to write ${path} (${message}).`, {
      hint: FULL,
      cause: error,
    });
  if (/IOERR/.test(code))
    return new GatepostError("GP_DAMAGED", `Reading or writing ${path} failed (${message}).`, {
      hint: "Look at the disk (dmesg); what was acknowledged before is safe.",
      cause: error,
    });
  if (code === "ERR_DLOPEN_FAILED" || /bindings file|better_sqlite3\.node/.test(message)) return nativeMissing(error);
  return error;
}

const FULL = "Free some space; what was acknowledged before is safe, and the rest waits in the spool.";

/** SQLite tells a full disk from a sick one only when it writes the database itself, not its shared memory. */
function isFull(path: string): boolean {
  try {
    return statfsSync(dirname(path)).bavail === 0;
  } catch {
    return false;
  }
}

const nativeMissing = (cause: unknown): GatepostError =>
  new GatepostError("GP_NATIVE", "The native SQLite module is missing, or was built for another version of Node.", {
    hint: "Build it where Gatepost is installed: npm rebuild better-sqlite3 (pnpm: pnpm approve-builds)",
    cause,
  });
