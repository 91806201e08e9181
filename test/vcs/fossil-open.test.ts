import fs from "node:fs";
import path from "node:path";
import type BetterSqlite3 from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { GatepostError } from "../../src/core/errors.ts";
import { readFossil } from "../../src/vcs/fossil/open.ts";
import { everything } from "../helpers/untouched.ts";
import {
  another,
  checkout,
  commit,
  committing,
  connect,
  cutShort,
  environment,
  fossil,
  names,
  repository,
  temporary,
} from "./fossil-stand.ts";

const root = process.geteuid?.() === 0;
const STRANGER = 65534;

const receipts = (db: BetterSqlite3.Database): unknown => db.prepare("SELECT count(*) FROM rcvfrom").pluck().get();
const projectCode = (db: BetterSqlite3.Database): unknown =>
  db.prepare("SELECT value FROM config WHERE name = 'project-code'").pluck().get();
/** What a process does that keeps a snapshot. (Not in this one: reading the file beside it would drop its locks.) */
const READS = `db.exec("BEGIN"); db.prepare("SELECT count(*) FROM rcvfrom").get();`;
const all = (file: string): string[] => everything(path.dirname(file));

async function refusal(file: string, patience = 0): Promise<GatepostError> {
  return readFossil(file, () => "read", { patience }).then(
    (value) => Promise.reject(new Error(`it was ${value}`)),
    (error) => error as GatepostError,
  );
}

async function withPath<T>(value: string, work: () => Promise<T>): Promise<T> {
  const before = process.env["PATH"];
  process.env["PATH"] = value;
  try {
    return await work();
  } finally {
    process.env["PATH"] = before;
  }
}

describe("reading a Fossil repository", () => {
  it("leaves every byte beside it as it was in rollback mode", async () => {
    const file = repository();
    const before = all(file);
    expect(await readFossil(file, receipts)).toBe(1);
    expect(all(file)).toEqual(before);
  });

  it("leaves every byte beside it as it was in WAL mode when nobody has it open", async () => {
    const file = repository({ wal: true });
    const before = all(file);
    expect(before.length).toBe(1);
    const during = await readFossil(file, () => names(file));
    expect(during).toEqual(["r.fossil", "r.fossil-shm", "r.fossil-wal"]);
    expect(all(file)).toEqual(before);
  });

  it("sees what is only in the -wal, and neither moves nor removes it", async () => {
    const file = repository({ wal: true });
    const folder = checkout(file);
    const other = await another(file, READS);
    commit(folder);
    const before = all(file).filter((line) => !line.startsWith("r.fossil-shm"));
    expect(fs.statSync(`${file}-wal`).size).toBeGreaterThan(0);
    expect(await readFossil(file, receipts)).toBe(2);
    expect(all(file).filter((line) => !line.startsWith("r.fossil-shm"))).toEqual(before);
    expect(names(file)).toEqual(["r.fossil", "r.fossil-shm", "r.fossil-wal"]);
    await other.kill();
  });

  it("loses nothing of a fossil that opened, wrote and ended while it read", async () => {
    const file = repository({ wal: true });
    const folder = checkout(file);
    const seen = await readFossil(file, (db) => {
      const before = receipts(db);
      commit(folder);
      return [before, receipts(db)];
    });
    expect(seen).toEqual([1, 1]);
    expect(names(file)).toEqual(["r.fossil"]);
    expect(await readFossil(file, receipts)).toBe(2);
    expect(fossil("/", "test-integrity", "-R", file)).toContain(" 0 errors");
  });

  it.each([
    ["WAL", true],
    ["rollback", false],
  ])("sees one state while fossil commits in a loop in %s mode, which it does not hinder", async (_, wal) => {
    const file = repository({ wal });
    const folder = checkout(file);
    let over = false;
    const ended = committing(folder, 12).finally(() => {
      over = true;
    });
    const counts: number[] = [];
    while (!over) {
      const [first, second] = await readFossil(file, (db) => {
        const at = receipts(db);
        const until = performance.now() + 30;
        while (performance.now() < until); // time for a commit to come in between
        return [at, receipts(db)];
      });
      expect(second).toBe(first);
      counts.push(first as number);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await ended).toBe(0);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(new Set(counts).size).toBeGreaterThan(2);
    expect(await readFossil(file, receipts)).toBe(13);
    fossil("/", "info", "-R", file); // in WAL mode a fossil that ended during a read leaves the cleaning to the next one
    expect(names(file)).toEqual(["r.fossil"]);
  });

  it.each([false, true])("can make temporary tables but no others (WAL: %s)", async (wal) => {
    const file = repository({ wal });
    const before = all(file);
    const failed = await readFossil(file, (db) => {
      db.exec("CREATE TEMP TABLE t AS SELECT rid FROM blob");
      try {
        db.exec("CREATE TABLE u(x)");
      } catch (error) {
        return (error as { code: string }).code;
      }
      return "written";
    });
    expect(failed).toBe("SQLITE_READONLY");
    expect(all(file)).toEqual(before);
  });

  it("passes on what the reader throws, and closes the file", async () => {
    const file = repository({ wal: true });
    const mine = new Error("mine");
    const thrown = readFossil(file, (db) => {
      for (const _ of db.prepare("SELECT 1 FROM config").iterate()) throw mine;
    });
    await expect(thrown).rejects.toBe(mine);
    expect(names(file)).toEqual(["r.fossil"]);
  });

  it("waits with a read that is asked for within another until that one is closed", async () => {
    const file = repository({ wal: true });
    const order: string[] = [];
    let inner: Promise<void> | undefined;
    await readFossil(file, () => {
      inner = readFossil(file, () => void order.push("inner"));
      order.push("outer");
    });
    await inner;
    expect(order).toEqual(["outer", "inner"]);
  });

  it("opens a file of any name", async () => {
    for (const name of [" a b?c#d%20.fossil", "ä'\"\\\n.fossil", "file:x?mode=memory", ":memory:"])
      expect(await readFossil(repository({ name }), receipts)).toBe(1);
  });

  it("goes through links to the -wal beside the real file", async () => {
    const file = repository({ wal: true });
    const link = path.join(temporary(), "l");
    fs.symlinkSync(file, link);
    expect(await readFossil(link, receipts)).toBe(1);
    expect(names(link)).toEqual(["l"]);
    expect(names(file)).toEqual(["r.fossil"]);
  });
});

describe("a repository of another user", () => {
  it.runIf(root)("in WAL mode that nobody has open is left alone, and the user is named", async () => {
    const file = repository({ wal: true });
    fs.chownSync(file, STRANGER, STRANGER);
    const before = all(file);
    const error = await refusal(file);
    expect(error.code).toBe("GP_DENIED");
    expect(error.message).toMatch(/is in WAL mode: only its owner, .*uid 65534.*, can open it unharmed\.$/);
    expect(error.hint).toMatch(/sudo -u \S+ gatepost/);
    expect(all(file)).toEqual(before);
  });

  it.runIf(root)("in WAL mode is read when somebody has it open", async () => {
    const file = repository({ wal: true });
    fs.chownSync(file, STRANGER, STRANGER);
    const other = await another(file, READS);
    const before = names(file);
    expect(before.length).toBe(3);
    expect(await readFossil(file, receipts)).toBe(1);
    expect(names(file)).toEqual(before);
    await other.kill();
  });

  it.runIf(root)("in rollback mode is read", async () => {
    const file = repository();
    fs.chownSync(file, STRANGER, STRANGER);
    expect(await readFossil(file, receipts)).toBe(1);
  });

  it.runIf(root)("that may not be read is refused with the owner's name", async () => {
    const file = repository();
    const folder = path.dirname(file);
    fs.chmodSync(folder, 0o755);
    fs.chmodSync(file, 0o600);
    process.seteuid?.(STRANGER);
    try {
      const error = await refusal(file);
      expect(error.code).toBe("GP_DENIED");
      expect(error.message).toMatch(/cannot be read by this user; it belongs to root \(uid 0\)\.$/);
      fs.accessSync(folder);
    } finally {
      process.seteuid?.(0);
    }
  });

  it.runIf(root)("in WAL mode in a folder that its owner cannot write is refused, and nothing is made", async () => {
    const file = repository({ wal: true });
    fs.chownSync(file, STRANGER, STRANGER);
    fs.chmodSync(path.dirname(file), 0o755);
    process.seteuid?.(STRANGER);
    try {
      const error = await refusal(file);
      expect(error.code).toBe("GP_DENIED");
      expect(error.message).toMatch(/it or its folder cannot be written\.$/);
    } finally {
      process.seteuid?.(0);
    }
    expect(names(file)).toEqual(["r.fossil"]);
  });
});

describe("a write that was cut short", () => {
  it("is undone by fossil for the owner, then read, and leaves nothing in the user's home", async () => {
    const file = repository();
    const code = await readFossil(file, projectCode);
    await cutShort(file);
    expect(fs.statSync(`${file}-journal`).size).toBeGreaterThan(0);
    const home = temporary();
    const [before, fossilHome] = [process.env["HOME"], process.env["FOSSIL_HOME"]];
    process.env["HOME"] = home;
    delete process.env["FOSSIL_HOME"];
    try {
      expect(await readFossil(file, projectCode)).toBe(code);
    } finally {
      process.env["HOME"] = before;
      if (fossilHome !== undefined) process.env["FOSSIL_HOME"] = fossilHome;
    }
    expect(names(file)).toEqual(["r.fossil"]);
    expect(fs.readdirSync(home)).toEqual([]);
  });

  it.runIf(root)("is left to its owner by others", async () => {
    const file = repository();
    await cutShort(file);
    for (const name of names(file)) fs.chownSync(path.join(path.dirname(file), name), STRANGER, STRANGER);
    const before = all(file);
    const error = await refusal(file);
    expect(error.code).toBe("GP_DENIED");
    expect(error.message).toMatch(/was cut short, and only its owner, .*uid 65534.*, may undo it\.$/);
    expect(error.hint).toMatch(/sudo -u \S+ fossil info -R FILE/);
    expect(all(file)).toEqual(before);
  });

  it("is said to need fossil where there is none", async () => {
    const file = repository();
    await cutShort(file);
    const before = all(file);
    const error = await withPath(temporary(), () => refusal(file));
    expect(error.code).toBe("GP_REPOSITORY");
    expect(error.message).toMatch(/was cut short, and fossil could not undo it: fossil could not be started/);
    expect(all(file)).toEqual(before);
  });

  it("is not asked of fossil for ever where fossil does not do it", async () => {
    const file = repository();
    await cutShort(file);
    const folder = temporary();
    fs.writeFileSync(path.join(folder, "fossil"), `#!/bin/sh\necho called >> '${folder}/calls'\n`, { mode: 0o755 });
    const error = await withPath(`${folder}:${environment.PATH}`, () => refusal(file));
    expect(error.message).toMatch(/fossil could not undo it: it is still there/);
    expect(fs.readFileSync(path.join(folder, "calls"), "utf8")).toBe("called\n");
  });

  it("is taken over by fossil where a -wal came without its -shm", async () => {
    const file = repository({ wal: true });
    const folder = checkout(file);
    const other = await another(file, READS);
    commit(folder);
    const copy = path.join(temporary(), "c.fossil");
    fs.copyFileSync(file, copy);
    fs.copyFileSync(`${file}-wal`, `${copy}-wal`);
    await other.kill();
    const before = all(copy);
    expect((await withPath(temporary(), () => refusal(copy))).code).toBe("GP_REPOSITORY");
    expect(all(copy)).toEqual(before); // not by us
    expect(await readFossil(copy, receipts)).toBe(2);
    expect(names(copy)).toEqual(["c.fossil"]);
  });
});

describe("R9: a locked repository", () => {
  it("is given up after the patience, in which the event loop goes on", async () => {
    const file = repository();
    const other = await another(file, `db.exec("BEGIN EXCLUSIVE")`);
    let turns = 0;
    const timer = setInterval(() => turns++, 10);
    const error = await refusal(file, 300);
    clearInterval(timer);
    await other.kill();
    expect(error.code).toBe("GP_BUSY");
    expect(error.message).toMatch(/was locked by another program for 0\.3 s\.$/);
    expect(turns).toBeGreaterThan(2);
  });

  it("is read once the lock is gone", async () => {
    const file = repository();
    const other = await another(file, `db.exec("BEGIN EXCLUSIVE")`);
    const reading = readFossil(file, receipts, { patience: 60_000 });
    await new Promise((resolve) => setImmediate(resolve)); // by now it has met the lock
    await other.kill();
    expect(await reading).toBe(1);
  });
});

describe("what is no repository", () => {
  const put = (content: Buffer | string): string => {
    const file = path.join(temporary(), "r.fossil");
    fs.writeFileSync(file, content);
    return file;
  };
  const database = (sql: string): string => {
    const file = path.join(temporary(), "d");
    const db = connect(file);
    db.exec(sql);
    db.close();
    return file;
  };
  const whole = (): Buffer => fs.readFileSync(repository());
  const checkoutFile = (): string => {
    const folder = checkout(repository());
    return path.join(folder, fs.readdirSync(folder)[0] ?? "");
  };
  const old = (): string => {
    const file = repository();
    const db = connect(file);
    db.exec("ALTER TABLE mlink DROP COLUMN isaux");
    db.close();
    return file;
  };

  it.each<[string, () => string, string, RegExp]>([
    ["nothing", () => path.join(temporary(), "no"), "GP_NO_REPOSITORY", /^There is nothing at /],
    ["below a file", () => `${put("x")}/r.fossil`, "GP_NO_REPOSITORY", /^There is nothing at /],
    ["a folder", temporary, "GP_NO_REPOSITORY", /is a folder, no Fossil repository\.$/],
    ["a device", () => "/dev/null", "GP_NO_REPOSITORY", /is no regular file\.$/],
    ["an empty file", () => put(""), "GP_NO_REPOSITORY", /is empty, no Fossil repository\.$/],
    ["a text", () => put("hello".repeat(1000)), "GP_NO_REPOSITORY", /is no Fossil repository, or is encrypted\.$/],
    ["fewer bytes than a header", () => put(whole().subarray(0, 60)), "GP_NO_REPOSITORY", /or is encrypted\.$/],
    ["a file cut in a page", () => put(whole().subarray(0, 9000)), "GP_REPOSITORY", /is damaged or cut short \(/],
    ["a page of rubbish", () => put(Buffer.from(whole()).fill(0x5a, 100, 3000)), "GP_REPOSITORY", /is damaged/],
    ["another program's database", () => database("CREATE TABLE t(x)"), "GP_NO_REPOSITORY", /but no Fossil repository/],
    ["a check-out's database", checkoutFile, "GP_NO_REPOSITORY", /to a check-out; its repository is \/.*r\.fossil\.$/],
    ["a user's settings", () => path.join(environment.HOME, ".fossil"), "GP_NO_REPOSITORY", /a user's settings/],
    ["a name with a blank at its end", () => repository({ name: "r " }), "GP_REPOSITORY", /ends with a blank\.$/],
    ["an old schema", old, "GP_REPOSITORY", /has an old schema \(no such column: isaux\)\.$/],
  ])("is said in a sentence, and nothing is written: %s", async (_, make, code, message) => {
    const file = make();
    const around = fs.existsSync(path.dirname(file)) && fs.statSync(path.dirname(file)).isDirectory();
    const before = around && file !== "/dev/null" ? names(file) : null;
    const error = await refusal(file);
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
    expect(error.hint).toMatch(/\S/);
    if (before !== null) expect(names(file)).toEqual(before);
  });

  it("is told from an old schema that fossil can bring up to date", async () => {
    expect((await refusal(old())).hint).toContain("fossil rebuild FILE");
  });

  it("cannot write to the terminal with its name", async () => {
    const error = await refusal(path.join(temporary(), "\x1b[31m"));
    expect(error.message).not.toContain("\x1b");
  });

  it("is noticed when it is found only while reading", async () => {
    const content = whole();
    const file = put(content);
    const db = connect(file);
    const page = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'rcvfrom'").pluck().get() as number;
    const size = db.pragma("page_size", { simple: true }) as number;
    db.close();
    content.fill(0x5a, (page - 1) * size, page * size);
    fs.writeFileSync(file, content);
    const thrown = readFossil(file, (open) => open.prepare("SELECT * FROM rcvfrom").all());
    await expect(thrown).rejects.toMatchObject({ code: "GP_REPOSITORY" });
  });
});
