/**
 * A home whose database an earlier program made, with rows in its tables: what a command that brings it up to date
 * leaves when it is struck, is the old version or the new one, with every row.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { damages } from "../../../src/store/check.ts";
import { closeDatabase, openDatabase, SCHEMA_VERSION } from "../../../src/store/database.ts";
import type { Prepared } from "./syscall-place.ts";

const schema = fs.readFileSync(new URL("../../fixtures/schema-1.sql", import.meta.url), "utf8");

type Content = { version: number; schema: string; rows: string };

export class OldHome {
  readonly #home: string;
  readonly #old: string;
  readonly #before: Content;
  #after: Content | null = null;

  /** Takes the home of a repository after a pass, and makes its database one of version 1 with the same rows. */
  constructor(place: Prepared) {
    this.#home = place.home;
    this.#old = join(place.world.dir, "old.db");
    const sqlite = new SQLite(this.#old);
    sqlite.exec(schema);
    sqlite.pragma("journal_mode = WAL");
    sqlite.pragma("foreign_keys = OFF");
    sqlite.prepare("ATTACH ? AS now").run(join(this.#home, "gatepost.db"));
    for (const name of tablesOf(sqlite)) {
      const columns = (database: string): string[] =>
        (sqlite.pragma(`${database}.table_info(${name})`) as { name: string }[]).map((column) => column.name);
      const there = new Set(columns("now"));
      const both = columns("main")
        .filter((column) => there.has(column))
        .join(", ");
      sqlite.exec(`DELETE FROM main.${name}; INSERT INTO main.${name} (${both}) SELECT ${both} FROM now.${name}`);
    }
    sqlite.close();
    this.#before = contentOf(this.#old);
  }

  /** What opens the database. */
  get args(): string[] {
    return ["runs", "--home", this.#home];
  }

  /** Puts the old database back. */
  reset(): void {
    for (const suffix of ["-wal", "-shm", "-journal"])
      fs.rmSync(join(this.#home, `gatepost.db${suffix}`), { force: true });
    fs.copyFileSync(this.#old, join(this.#home, "gatepost.db"));
  }

  /** Remembers what an untouched command made of it; that every row is there is tried in test/store/migrate.test.ts. */
  expect(): void {
    this.#after = contentOf(join(this.#home, "gatepost.db"));
    if (this.#after.version !== SCHEMA_VERSION) throw new Error("the untouched command did not bring it up to date");
  }

  /** What is wrong with what a struck command left, and with what the next open makes of that. */
  afterwards(): string[] {
    const wrong: string[] = [];
    const file = join(this.#home, "gatepost.db");
    const scratch = `${this.#old}.scratch`;
    for (const suffix of ["", "-wal"]) {
      fs.rmSync(scratch + suffix, { force: true });
      if (fs.existsSync(file + suffix)) fs.copyFileSync(file + suffix, scratch + suffix);
    }
    const left = contentOf(scratch);
    const whole = left.version === SCHEMA_VERSION ? this.#after : this.#before;
    if (JSON.stringify(left) !== JSON.stringify(whole)) wrong.push(`it is between the versions, at ${left.version}`);
    const db = openDatabase(file);
    wrong.push(...damages(db));
    closeDatabase(db);
    if (JSON.stringify(contentOf(file)) !== JSON.stringify(this.#after))
      wrong.push("the next open made something else of it");
    return wrong;
  }
}

const tablesOf = (sqlite: SQLite.Database): string[] =>
  (sqlite.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table' ORDER BY name").all() as { name: string }[])
    .map(({ name }) => name)
    .filter((name) => !name.startsWith("sqlite_stat"));

function contentOf(path: string): Content {
  const sqlite = new SQLite(path);
  try {
    const all = (sql: string): string => JSON.stringify(sqlite.prepare(sql).all());
    return {
      version: Number(sqlite.pragma("user_version", { simple: true })),
      schema: all("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name"),
      rows: tablesOf(sqlite)
        .map((name) => all(`SELECT * FROM ${name} ORDER BY 1, 2`))
        .join("\n"),
    };
  } finally {
    sqlite.close();
  }
}
