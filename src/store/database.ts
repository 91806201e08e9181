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
 * SQLite's own error codes never leave this file: translate.ts makes ours of them.
 */
import { randomBytes } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  readFileSync,
  rmSync,
  type Stats,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import SQLite from "better-sqlite3";
import { GatepostError } from "../core/errors.ts";
import { requireSafeFiles, setAsideLeft } from "./beside.ts";
import { migrate, SCHEMA_VERSION, versionOf } from "./migrate.ts";
import { noDatabase, notOurs, RESTORE, translate } from "./translate.ts";

export { SCHEMA_VERSION } from "./migrate.ts";
export { RESTORE } from "./translate.ts";

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

/** Makes the database at `path` if there is none, and opens it. What a lost one left beside its place is moved away. */
export function createDatabase(path: string): Database {
  if (isFree(path)) {
    const temporary = `${path}.${process.pid}-${randomBytes(8).toString("hex")}.new`;
    try {
      const sqlite = load(temporary, {});
      try {
        sqlite.exec(readFileSync(schemaFile, "utf8"));
        sqlite.pragma("journal_mode = WAL"); // stays with the file
      } finally {
        sqlite.close();
      }
      alone(path, () => {
        setAsideLeft(path);
        linkSync(temporary, path);
      });
    } catch (error) {
      throw translate(error, path);
    } finally {
      removeDatabase(temporary);
    }
  }
  rmSync(lockFile(path), { force: true });
  return openDatabase(path);
}

const isFree = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) === undefined;
const lockFile = (path: string): string => `${path}.making`;

/**
 * Lets only one process at a time do `make` at a place where no database is; where one has come meanwhile, nothing is done.
 * What lies beside the place may else be the log of a database that another process has just put there. A lock of SQLite's
 * ends with its process; its file, which stays empty, goes once the database is there: whoever waited for it finds that.
 */
function alone(path: string, make: () => void): void {
  const place = lockFile(path);
  requireSafeFiles(place);
  const lock = load(place, { timeout: PATIENCE });
  try {
    lock.pragma("journal_mode = MEMORY"); // a journal would be left by a death
    lock.exec("BEGIN EXCLUSIVE");
    if (isFree(path)) make();
  } finally {
    lock.close();
  }
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

type Opened = { sqlite: SQLite.Database; stat: Stats; version: number };

/** Refuses what is not ours, damaged or of a newer program. */
function open(path: string): Opened {
  let stat: Stats | undefined;
  try {
    stat = statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw translate(error, path); // a folder on the way that this user may not enter
  }
  if (stat === undefined) throw noDatabase(path);
  requireSafeFiles(path);
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
    return { sqlite, stat, version };
  } catch (error) {
    sqlite.close();
    throw translate(error, path);
  }
}

/** Opens an existing database; one that an older program made is brought up to date first. Refuses what is not ours,
 *  damaged, of a newer program, or out of date and not this user's; never changes such a file. Where nothing can be
 *  written it is read all the same. */
export function openDatabase(path: string): Database {
  const { sqlite, stat, version } = open(path);
  try {
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

/** The version of an existing database, which stays as it is. Throws as `openDatabase` does. */
export function versionAt(path: string): number {
  const { sqlite, version } = open(path);
  sqlite.close();
  return version;
}

/** What SQLite notes of each table, index and trigger that a statement made. */
export const madeIn = (db: Database): { type: string; name: string; sql: string }[] =>
  guarded(db, () => {
    const made = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*'";
    return db.sqlite.prepare(`${made} ORDER BY type, name`).all() as { type: string; name: string; sql: string }[];
  });

/** Runs `work` on a database in memory that is as new as one can be. */
export function withFreshDatabase<T>(work: (db: Database) => T): T {
  const path = ":memory:";
  const sqlite = load(path, {});
  try {
    sqlite.exec(readFileSync(schemaFile, "utf8"));
    return work({ path, sqlite, prepared: new Map(), identity: path });
  } finally {
    sqlite.close();
  }
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
