/** Making, opening and refusing a database, and what a write is. */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { GatepostError } from "../../src/core/errors.ts";
import {
  change,
  closeDatabase,
  createDatabase,
  type Database,
  openDatabase,
  requireInPlace,
  SCHEMA_VERSION,
  write,
} from "../../src/store/database.ts";
import { putSetting, readSetting } from "../../src/store/setting.ts";
import { freshDatabase, temporary } from "./fixture.ts";

const pragma = (db: Database, name: string): unknown => db.sqlite.pragma(name, { simple: true });

/** What a call throws. */
function thrown(work: () => unknown): { code: string; message: string; hint: string | null } {
  try {
    work();
  } catch (error) {
    if (error instanceof GatepostError) return { code: error.code, message: error.message, hint: error.hint };
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("a new database", () => {
  it("says whose it is and of which version, and is set up not to lose what it acknowledged", () => {
    const db = freshDatabase();
    expect(pragma(db, "application_id")).toBe(0x47506f73);
    expect(pragma(db, "user_version")).toBe(SCHEMA_VERSION);
    expect(pragma(db, "journal_mode")).toBe("wal");
    expect(pragma(db, "synchronous")).toBe(2); // FULL
    expect(pragma(db, "foreign_keys")).toBe(1);
    expect(pragma(db, "busy_timeout")).toBe(5000);
    expect(pragma(db, "integrity_check")).toBe("ok");
  });

  it("leaves nothing beside it but SQLite's own files", () => {
    const db = freshDatabase();
    expect(fs.readdirSync(join(db.path, "..")).filter((name) => !/^gatepost\.db(-wal|-shm)?$/.test(name))).toEqual([]);
  });

  it("is not made twice: who comes second opens the first one's", () => {
    const db = freshDatabase();
    putSetting(db, "home.id", "first");
    const second = createDatabase(db.path);
    expect(readSetting(second, "home.id")).toBe("first");
    closeDatabase(second);
  });

  it("is one and the same for eight processes that make it at once", async () => {
    const path = join(temporary(), "gatepost.db");
    const source = new URL("../../dist/store/", import.meta.url).href;
    // Ready first, so that all of them begin when the line is sent.
    const script = `
      const { createDatabase, write } = await import("${source}database.js");
      const { putSetting, readSetting } = await import("${source}setting.js");
      console.log("ready");
      await new Promise((resolve) => process.stdin.once("data", resolve));
      const db = createDatabase(${JSON.stringify(path)});
      write(db, () => readSetting(db, "home.id") === null && putSetting(db, "home.id", String(process.pid)));
      console.log(readSetting(db, "home.id") + " " + db.identity);
      process.exit(0);`;
    const makers = Array.from({ length: 8 }, () => spawn(process.execPath, ["--input-type=module", "-e", script]));
    const line = (maker: ChildProcess): Promise<string> =>
      new Promise((resolve, reject) => {
        maker.stdout?.once("data", (chunk: Buffer) => resolve(String(chunk).trim()));
        maker.once("exit", (code) => reject(new Error(`a maker ended with ${code}`)));
      });
    expect(await Promise.all(makers.map(line))).toEqual(makers.map(() => "ready"));
    const answers = makers.map(line);
    for (const maker of makers) maker.stdin.end("go\n");
    expect(new Set(await Promise.all(answers)).size).toBe(1);
  });
});

describe("a file that is no database of ours", () => {
  const again =
    "Restore a backup: gatepost backup --restore FILE. Without one, move it away, and the files beside it whose names go on from its own; then register the repository anew: gatepost init";
  const folder = temporary();
  const file = (name: string, content: Buffer | string): string => {
    fs.writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const changed = (name: string, ...sql: string[]): string => {
    const path = join(folder, name);
    closeDatabase(createDatabase(path));
    const db = new SQLite(path);
    for (const statement of sql) db.exec(statement);
    db.close();
    return path;
  };
  const torn = (): Buffer => fs.readFileSync(changed("whole.db")).fill("x", 4096);
  const short = (): Buffer => fs.readFileSync(changed("longer.db")).subarray(0, 20_000);
  const newer = SCHEMA_VERSION + 1;

  const cases: [string, () => string, string, RegExp, string][] = [
    ["empty", () => file("empty", ""), "GP_DAMAGED", /is not a Gatepost database: it is empty\./, again],
    ["a text", () => file("text", "hello ".repeat(99)), "GP_DAMAGED", /: it is no SQLite file\./, again],
    ["another program's", () => changed("other", "PRAGMA application_id = 1"), "GP_DAMAGED", /made by another/, again],
    ["of a newer Gatepost", () => changed("new", `PRAGMA user_version = ${newer}`), "GP_TOO_NEW", /newer/, "Update"],
    ["overwritten in part", () => file("torn", torn()), "GP_DAMAGED", /is damaged/, "gatepost backup --restore FILE"],
    ["cut short", () => file("short", short()), "GP_DAMAGED", /is damaged/, "gatepost backup --restore FILE"],
  ];

  it.for(cases)("is refused and left as it is when it is %s", ([, make, code, message, hint]) => {
    const path = make();
    const before = fs.readFileSync(path);
    const error = thrown(() => {
      const db = openDatabase(path);
      try {
        db.sqlite.exec("SELECT * FROM setting, hook"); // damage shows where it is read
        readSetting(db, "home.id");
      } finally {
        closeDatabase(db);
      }
    });
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.hint).toContain(hint);
    expect(fs.readFileSync(path).equals(before)).toBe(true);
  });

  it("is named as missing when there is none, and none is made", () => {
    const path = join(folder, "none");
    expect(thrown(() => openDatabase(path)).code).toBe("GP_NO_HOME");
    expect(fs.existsSync(path)).toBe(false);
  });
});

describe("a write", () => {
  const add = change<{ name: string }>("INSERT INTO setting (name, value) VALUES (:name, 'x')");

  it("is done whole, or, when it throws, not at all", () => {
    const db = freshDatabase();
    const failing = () =>
      write(db, () => {
        add(db, { name: "a" });
        write(db, () => add(db, { name: "b" })); // joins the one around it
        throw new Error("no");
      });
    expect(failing).toThrow("no");
    expect([readSetting(db, "a"), readSetting(db, "b")]).toEqual([null, null]);
    expect(db.sqlite.inTransaction).toBe(false);
    write(db, () => add(db, { name: "a" }));
    expect(readSetting(db, "a")).toBe("x");
  });

  it("takes its place before it reads, so that another one is told that the database is busy", () => {
    const db = freshDatabase();
    const other = openDatabase(db.path);
    other.sqlite.pragma("busy_timeout = 1");
    write(db, () => {
      const error = thrown(() => write(other, () => readSetting(other, "a")));
      expect(error).toMatchObject({ code: "GP_BUSY", hint: expect.stringContaining("Try again") });
    });
    expect(write(other, () => readSetting(other, "a"))).toBeNull();
    closeDatabase(other);
  });

  it("can tell that the file it goes to is not the one at the path any more", () => {
    const db = freshDatabase();
    requireInPlace(db);
    fs.renameSync(db.path, `${db.path}.moved`);
    expect(thrown(() => requireInPlace(db))).toMatchObject({ code: "GP_DAMAGED" });
    fs.writeFileSync(db.path, "");
    expect(thrown(() => requireInPlace(db))).toMatchObject({ code: "GP_DAMAGED" });
  });
});
