/** Databases of earlier versions: what an open makes of them, and that none of it is lost on the way. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { closeDatabase, type Database, openDatabase, SCHEMA_VERSION, write } from "../../src/store/database.ts";
import { freshDatabase, temporary } from "./fixture.ts";

const schemaOf = (version: number): string =>
  fs.readFileSync(new URL(`../fixtures/schema-${version}.sql`, import.meta.url), "utf8");

/** Rows in every table, with references of every sort, and counters that are ahead of the highest row. */
const rows = `
INSERT INTO setting VALUES ('home.id', 'x'), ('incarnation', 'b');
INSERT INTO repository (id, name, kind, path, inode, registered_at) VALUES (3, 'app', 'git', '/srv/app', 1, 1);
INSERT INTO ref VALUES (3, x'726566ff', 'abc');
INSERT INTO hook (id, scope, type, command) VALUES (2, 'all', 'after-receive', 'true'), (7, 'all', 'after-receive', 'no');
DELETE FROM hook WHERE id = 7;
INSERT INTO hook_audit (at, uid, user, action, hook, new) VALUES (1, 0, 'root', 'add', 2, '{}');
INSERT INTO receipt (id, repository, source, at, user) VALUES (1, 3, 'push', 1, x'616cff'), (2, 3, 'push', 2, NULL);
INSERT INTO ref_update (receipt, repository, name, old, new, how) VALUES (1, 3, x'61', '0', '1', 'entry');
INSERT INTO artifact (receipt, hash, description) VALUES (1, 'abc', x'61');
INSERT INTO batch (id, repository, base, upto, cut_at, receipts) VALUES (5, 3, 0, 2, 9, 2);
INSERT INTO run (id, incarnation, repository, hook, hook_name, type, sequence, batch, receipt, replay_of, state, reason,
  attempts, failures, due_at, made_at, ended_at, note) VALUES
  (10, 'a', 3, 2, 'ci', 'after-receive', 10, 5, NULL, NULL, 'done', NULL, 1, 0, NULL, 1, 2, '{"gone":2}'),
  (11, 'b', 3, 2, NULL, 'after-receive', -1, 5, 1, 10, 'waiting', 'exit 1', 2, 2, 99, 1, NULL, NULL),
  (12, 'b', 3, 9, NULL, 'after-receive', 10, 5, 2, 11, 'parked', 'exit 7', 3, 3, NULL, 1, 8, NULL),
  (40, 'b', 3, 2, NULL, 'after-receive', 10, 5, 2, NULL, 'failed', 'exit 1', 1, 1, NULL, 1, 8, NULL);
DELETE FROM run WHERE id = 40;
INSERT INTO attempt (run, number, token, started_at, ended_at, outcome, exit_code, output_head) VALUES
  (10, 1, 4, 1, 2, 'exit', 0, x'00ff'), (11, 1, 4, 1, 2, 'exit', 1, NULL), (11, 2, 4, 1, NULL, NULL, NULL, NULL);
UPDATE lease SET token = 17;
`;

const folder = temporary();
let made = 0;

/** A database of an earlier version with rows in it, as a program of then left it. */
function old(sql = rows, version = 1): string {
  const path = join(folder, `${++made}.db`);
  const sqlite = new SQLite(path);
  sqlite.exec(schemaOf(version));
  sqlite.pragma("journal_mode = WAL");
  sqlite.exec(sql);
  sqlite.close();
  return path;
}

const opened: Database[] = [];
afterAll(() => opened.forEach(closeDatabase));
function open(path: string): Database {
  const db = openDatabase(path);
  opened.push(db);
  return db;
}

type Row = Record<string, unknown>;
const names = (sqlite: SQLite.Database): string[] =>
  (sqlite.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all() as { name: string }[])
    .map(({ name }) => name)
    .filter((name) => name !== "sqlite_stat1");

/** Every row of every table, the counters of AUTOINCREMENT too. */
function content(path: string): Record<string, Row[]> {
  const sqlite = new SQLite(path, { readonly: true });
  try {
    return Object.fromEntries(
      names(sqlite).map((name) => [name, sqlite.prepare(`SELECT * FROM ${name} ORDER BY 1, 2`).all() as Row[]]),
    );
  } finally {
    sqlite.close();
  }
}

/** What columns that an earlier version did not have hold where nothing was said: nothing, or the number 0 in a flag. */
function unsaid(row: Row | undefined): Row {
  const flags = new Set(["applied"]);
  return Object.fromEntries(Object.keys(row ?? {}).map((column) => [column, flags.has(column) ? 0 : null]));
}

/** The shape of a database: of each table its text without comments, blanks and quotes, and what SQLite makes of it. */
function shape({ sqlite }: Database): unknown {
  const texts = sqlite
    .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
    .all() as Row[];
  const bare = (sql: unknown): string =>
    String(sql)
      .replace(/--.*/g, "")
      .replace(/[\s"]+/g, "");
  return {
    texts: texts.map(({ sql, ...row }) => ({ ...row, sql: bare(sql) })),
    tables: names(sqlite).map((name) => ({
      name,
      columns: sqlite.pragma(`table_xinfo(${name})`),
      references: sqlite.pragma(`foreign_key_list(${name})`),
      indexes: (sqlite.pragma(`index_list(${name})`) as Row[]).map(({ seq: _, ...index }) => ({
        ...index,
        columns: sqlite.pragma(`index_xinfo(${index["name"]})`),
      })),
    })),
    version: sqlite.pragma("user_version"),
  };
}

const sortIndexes = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, found) =>
    key === "indexes" ? (found as Row[]).sort((a, b) => String(a["name"]).localeCompare(String(b["name"]))) : found,
  );

describe("a database of version 1", () => {
  it("has the shape of a new one once its owner has opened it", () => {
    expect(sortIndexes(shape(open(old())))).toEqual(sortIndexes(shape(freshDatabase())));
    expect(sortIndexes(shape(open(old(""))))).toEqual(sortIndexes(shape(freshDatabase())));
  });

  it("keeps every row, and every counter, so that no number is given out again", () => {
    const path = old();
    const before = content(path);
    const db = open(path);
    const after = content(path);
    const { gate, gate_update, event, root, sqlite_sequence, ...tables } = after;
    const { sqlite_sequence: countersBefore = [], ...tablesBefore } = before;
    expect(Object.keys(tablesBefore)).toHaveLength(12);
    for (const [name, rowsBefore] of Object.entries(tablesBefore)) {
      const missing = unsaid(tables[name]?.[0]);
      expect(tables[name], name).toEqual(rowsBefore.map((row) => ({ ...missing, ...row })));
    }
    expect(Object.keys(tables)).toEqual(Object.keys(tablesBefore));
    expect([gate, gate_update, event, root]).toEqual([[], [], [], []]);
    const byName = (a: Row, b: Row): number => String(a["name"]).localeCompare(String(b["name"]));
    expect(sqlite_sequence?.sort(byName)).toEqual(countersBefore.sort(byName));
    expect(countersBefore).toContainEqual({ name: "run", seq: 40 });
    const next = `INSERT INTO run (incarnation, repository, hook, type, sequence, batch, state, due_at, made_at)
      VALUES ('b', 3, 50, 'after-receive', 10, 5, 'waiting', 1, 1)`;
    expect(db.sqlite.prepare(next).run().lastInsertRowid).toBe(41);
  });

  it("keeps the counter of a table of runs that is empty", () => {
    const path = old(`${rows} DELETE FROM attempt; DELETE FROM run;`);
    open(path);
    expect(content(path)["sqlite_sequence"]).toContainEqual({ name: "run", seq: 40 });
  });

  it("has its references enforced again, attempts with their runs and runs with their batches", () => {
    const db = open(old());
    expect(db.sqlite.pragma("foreign_keys", { simple: true })).toBe(1);
    expect(db.sqlite.pragma("busy_timeout", { simple: true })).toBe(5000);
    expect(db.sqlite.pragma("foreign_key_check")).toEqual([]);
    expect(db.sqlite.pragma("integrity_check", { simple: true })).toBe("ok");
    db.sqlite.exec("DELETE FROM run WHERE id = 10");
    expect(db.sqlite.prepare("SELECT run FROM attempt ORDER BY id").pluck().all()).toEqual([11, 11]);
    expect(db.sqlite.prepare("SELECT replay_of FROM run WHERE id = 11").pluck().get()).toBeNull();
    db.sqlite.exec("DELETE FROM batch");
    expect(db.sqlite.prepare("SELECT count(*) FROM attempt").pluck().get()).toBe(0);
  });

  it("is migrated once by twenty programs that open it together, and all of them work on", async () => {
    const path = old();
    const source = new URL("../../dist/store/database.js", import.meta.url).href;
    const script = `
      const { openDatabase, write, closeDatabase } = await import("${source}");
      console.log("ready");
      await new Promise((resolve) => process.stdin.once("data", resolve));
      const db = openDatabase(${JSON.stringify(path)});
      write(db, () => db.sqlite.exec("INSERT INTO setting VALUES ('p" + process.pid + "', 'x')"));
      closeDatabase(db);
      process.exit(0);`;
    const programs = Array.from({ length: 20 }, () => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
      let errors = "";
      child.stderr.on("data", (chunk: Buffer) => {
        errors += chunk;
      });
      const ready = new Promise((resolve, reject) => {
        child.stdout.once("data", resolve);
        child.once("exit", (code) => reject(new Error(`ended with ${code}: ${errors}`)));
      });
      const end = new Promise<string>((resolve) => {
        child.once("close", (code) => resolve(`${code} ${errors}`));
      });
      return { child, ready, end };
    });
    await Promise.all(programs.map(({ ready }) => ready));
    for (const { child } of programs) child.stdin.end("go\n");
    expect(await Promise.all(programs.map(({ end }) => end))).toEqual(programs.map(() => "0 "));
    const after = content(path);
    expect(after["setting"]).toHaveLength(22);
    expect(after["run"]).toHaveLength(3);
    expect(after["attempt"]).toHaveLength(3);
  });

  it("stays what it was, whole, when a step cannot be done", () => {
    const path = old(`${rows} PRAGMA foreign_keys = OFF; UPDATE attempt SET run = 99 WHERE number = 2;`);
    const before = content(path);
    const error = { code: "GP_DAMAGED", message: expect.stringContaining("a row of attempt refers") };
    expect(() => openDatabase(path)).toThrow(expect.objectContaining(error));
    expect(content(path)).toEqual(before);
  });

  it.skipIf(process.getuid?.() !== 0)(
    "is left alone by whoever is not its owner, who is told whose call will do it",
    () => {
      const path = old();
      for (const suffix of ["", "-wal", "-shm"])
        if (fs.existsSync(path + suffix)) fs.chownSync(path + suffix, 12345, 12345);
      const before = content(path);
      const error = { code: "GP_NOT_OWNER", hint: expect.stringContaining("sudo -u '#12345'") };
      expect(() => openDatabase(path)).toThrow(expect.objectContaining(error));
      expect(content(path)).toEqual(before);
    },
  );

  it("goes on serving a program of then that has it open, until that one would open it again", () => {
    const path = old();
    const then = new SQLite(path);
    const insert =
      then.prepare(`INSERT INTO run (incarnation, repository, hook, type, sequence, batch, state, due_at, made_at)
      VALUES ('b', 3, ?, 'after-receive', 10, 5, 'waiting', 1, 1)`);
    insert.run(60);
    const db = open(path);
    insert.run(61);
    then.close();
    expect(write(db, () => db.sqlite.prepare("SELECT hook, gate FROM run WHERE hook >= 60").all())).toEqual([
      { hook: 60, gate: null },
      { hook: 61, gate: null },
    ]);
    expect(db.sqlite.pragma("user_version", { simple: true })).toBe(SCHEMA_VERSION);
  });
});

it("a database that says of no version is refused as damaged", () => {
  const path = old("PRAGMA user_version = 0");
  expect(() => openDatabase(path)).toThrow(expect.objectContaining({ code: "GP_DAMAGED" }));
});

describe.each([2, 3, 4])("a database of version %i", (version) => {
  it("has the shape of a new one once its owner has opened it, and keeps every row", () => {
    const path = old(rows, version);
    const before = content(path);
    expect(sortIndexes(shape(open(path)))).toEqual(sortIndexes(shape(freshDatabase())));
    const { event, root, ...after } = content(path);
    expect([event, root]).toEqual([[], []]);
    expect(Object.keys(after)).toEqual(Object.keys(before));
    for (const [name, rowsBefore] of Object.entries(before)) {
      const missing = unsaid(after[name]?.[0]);
      expect(after[name], name).toEqual(rowsBefore.map((row) => ({ ...missing, ...row })));
    }
  });
});
