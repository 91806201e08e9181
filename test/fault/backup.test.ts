/** A backup, and the way back from it. */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import SQLite from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { makeWorld, until } from "../helpers/cli.ts";
import { endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";
import { brokenPromises } from "../helpers/promises.ts";
import { enter, leave, type Served, serve, type Watched, watch } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));
endDaemonsAfterEach();

let number = 0;
const fresh = (): string => world.at(`backup ${++number}`);
const backup = (at: { path: string }, ...args: string[]) => world.gatepost(["backup", ...args, "-R", at.path]);
const restored = (at: { path: string }, file: string, ...more: string[]) => backup(at, "--restore", file, ...more);

const rows = (file: string, sql: string): unknown[] => {
  const db = new SQLite(file, { readonly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
};

/** A served repository with a hook that notes run and attempt, and one batch. */
async function hooked(): Promise<Served> {
  const at = await serve(world);
  at.hook(`cat > /dev/null; echo "$GATEPOST_RUN $GATEPOST_ATTEMPT" >> ${at.file("ran")}`);
  at.push();
  await at.pass();
  return at;
}

/** The same repository after its database was put back: what was open is the old file. */
const again = (at: Served): Promise<Watched> => watch(world, at.path);
const ran = (at: Watched): string[] => at.read("ran").trim().split("\n");
const names = (at: Watched): string[] => fs.readdirSync(at.home.dir).filter((name) => name.startsWith("gatepost.db"));

describe("a backup", () => {
  it("is one file, 0600 and whole, and nothing beside it", async () => {
    const at = await hooked();
    const file = fresh();
    const { stdout, stderr, code } = backup(at, file);
    expect([stdout, stderr, code]).toEqual([`${file}: ${fs.statSync(file).size} bytes, read back and whole.\n`, "", 0]);
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
    expect(rows(file, "SELECT count(*) AS receipts FROM receipt")).toEqual([{ receipts: 1 }]);
    expect(rows(file, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
    expect(fs.readdirSync(world.dir).filter((name) => name.startsWith(`${file.slice(world.dir.length + 1)}`))).toEqual([
      file.slice(world.dir.length + 1),
    ]);
  });

  it("replaces nothing without --force, and never the database itself", async () => {
    const at = await hooked();
    const file = fresh();
    fs.writeFileSync(file, "mine");
    expect(backup(at, file)).toMatchObject({ code: 2, stderr: expect.stringContaining("is there already") });
    expect(fs.readFileSync(file, "utf8")).toBe("mine");
    expect(backup(at, file, "--force").code).toBe(0);
    const { database } = at.home.layout;
    fs.symlinkSync(dirname(database), `${file}.link`);
    for (const target of [database, `${database}-wal`, join(`${file}.link`, "gatepost.db")])
      expect(backup(at, target, "--force")).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("Nothing was changed."),
      });
    expect(backup(at, join(file, "under", "a file")).code).toBe(3);
    expect(backup(at, world.dir, "--force").code).toBe(2);
    expect(at.receipts()).toHaveLength(1);
  });

  it("B14: brings back the settings, and what shims see of them", async () => {
    const at = await hooked();
    const file = fresh();
    at.set("durable-spool", "on");
    at.set("automatic-backoffice", "on");
    expect(backup(at, file).code).toBe(0);
    at.set("durable-spool", "off");
    at.set("automatic-backoffice", "off");
    expect(restored(at, file).code).toBe(0);
    const { durable, manual } = at.home.layout;
    expect([durable, manual].map((mark) => fs.existsSync(mark))).toEqual([true, false]);
  });

  it("can be made while a daemon works and pushes come, again and again", async () => {
    const at = await hooked();
    const daemon = startDaemon(world, ["serve", at.path]);
    try {
      for (let round = 0; round < 5; round++) {
        at.push();
        const file = fresh();
        expect(backup(at, file).code).toBe(0);
        expect(rows(file, "SELECT * FROM pragma_foreign_key_check")).toEqual([]);
      }
      await until("all runs", () => ran(at).length === 6);
    } finally {
      await daemon.stop();
    }
    expect(await brokenPromises(at.home.dir, { strict: true, settled: true })).toEqual([]);
  });
});

describe("B14: a backup that is restored", () => {
  it("goes on: what moved since is found, numbers go on behind those of the lost time, run ids are never given out twice", async () => {
    const at = await hooked();
    const file = fresh();
    expect(backup(at, file).code).toBe(0);
    at.push();
    at.push({ to: "lost" });
    await at.pass();
    const before = { receipts: at.receipts().map(({ id }) => id), runs: at.runs().map(({ id }) => id) };
    const { code, stdout, stderr } = restored(at, file);
    expect([code, stdout, stderr]).toEqual([
      0,
      `${at.home.dir}: restored. Runs from now on are named b-NUMBER.\nThe database that was there is now ${at.home.layout.database}.before-restore-1.\n`,
      `Next: gatepost backoffice --home ${at.home.dir}\n`,
    ]);
    const now = await again(at);
    expect(now.receipts()).toHaveLength(1);
    await now.pass();
    expect(now.receipts().map(({ source }) => source)).toEqual(["push", "reconciled"]);
    expect(now.receipts()[1]?.updates).toHaveLength(2);
    expect(
      Math.min(
        ...now
          .receipts()
          .slice(1)
          .map(({ id }) => id),
      ),
    ).toBeGreaterThan(Math.max(...before.receipts));
    const made = now.runs().slice(1);
    expect(Math.min(...made.map(({ id }) => id))).toBeGreaterThan(Math.max(...before.runs));
    expect(made.map(({ incarnation }) => incarnation)).toEqual(["b"]);
    expect(new Set(ran(now)).size).toBe(ran(now).length);
    expect(await brokenPromises(now.home.dir, { settled: true })).toEqual([]);
    expect(world.gatepost(["doctor", "-R", at.path]).code).toBe(0);
  });

  it("repeats under its own run id what had not ended when it was made", async () => {
    const at = await hooked();
    at.hook("exit 1", { name: "stubborn", retries: 5 });
    at.push();
    await at.pass();
    const waiting = at.runs().find(({ state }) => state === "waiting");
    const file = fresh();
    expect(backup(at, file).code).toBe(0);
    at.home.db.sqlite.exec("UPDATE run SET due_at = 0 WHERE state = 'waiting'");
    await at.pass();
    expect(restored(at, file).code).toBe(0);
    const now = await again(at);
    now.home.db.sqlite.exec("UPDATE run SET due_at = 0 WHERE state = 'waiting'");
    await now.pass();
    expect(now.runs().find(({ state }) => state === "waiting")).toMatchObject({
      ...{ id: waiting?.id, incarnation: "a", attempts: 2 },
    });
    expect(await brokenPromises(now.home.dir, { settled: true })).toEqual([]);
  });

  it("can be taken back, and restored twice without giving a run id twice", async () => {
    const at = await hooked();
    const file = fresh();
    backup(at, file);
    at.push();
    await at.pass();
    for (const incarnation of ["b", "c"]) {
      expect(restored(at, file).stdout).toContain(`named ${incarnation}-NUMBER`);
      const now = await again(at);
      await now.pass();
    }
    expect(restored(at, `${at.home.layout.database}.before-restore-1`).stdout).toContain("named d-NUMBER");
    const now = await again(at);
    expect(now.receipts().map(({ source }) => source)).toEqual(["push", "push"]);
    expect(new Set(ran(now)).size).toBe(ran(now).length);
  });

  it("comes into the place of a database that is damaged, which is kept as it is", async () => {
    const at = await hooked();
    const file = fresh();
    backup(at, file);
    at.push();
    await at.pass();
    at.home.db.sqlite.close();
    const { database } = at.home.layout;
    fs.writeFileSync(database, fs.readFileSync(database).fill("x", 0, 8192));
    const torn = fs.readFileSync(database);
    expect(world.gatepost(["runs", "-R", at.path])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("gatepost backup --restore FILE"),
    });
    expect(restored(at, file).code).toBe(0);
    expect(fs.readFileSync(`${database}.before-restore-1`).equals(torn)).toBe(true);
    const now = await again(at);
    await now.pass();
    expect(now.receipts().map(({ source }) => source)).toEqual(["push", "reconciled"]);
    expect(now.receipts()[1]?.id).toBeGreaterThan(1_000_000); // how far the lost one had come is not known
    expect(now.runs()[1]?.incarnation).toMatch(/^b[a-z]+$/);
    expect(new Set(ran(now)).size).toBe(ran(now).length);
    expect(await brokenPromises(now.home.dir, { settled: true })).toEqual([]);
  });

  it("comes into a home whose database is gone, by repository or by --home, with gates and hooks.json", async () => {
    const at = await hooked();
    at.hook("false", { type: "before-receive" });
    const file = fresh();
    backup(at, file);
    at.home.db.sqlite.close();
    for (const name of names(at)) fs.rmSync(join(at.home.dir, name));
    fs.rmSync(join(at.home.layout.gates, "before-receive"));
    fs.rmSync(at.home.layout.hooksFile);
    fs.chmodSync(file, 0o644);
    const { code, stdout } = world.gatepost(["backup", "--restore", file, "--home", at.home.dir]);
    expect([code, stdout.split("\n").length]).toEqual([0, 2]);
    expect(fs.statSync(at.home.layout.database).mode & 0o777).toBe(0o600);
    expect(fs.existsSync(at.home.layout.hooksFile)).toBe(true);
    expect(() => at.push()).toThrow(/refused/);
  });

  it("leaves a daemon at work: it goes on in the restored database", async () => {
    const at = await hooked();
    const file = fresh();
    backup(at, file);
    at.home.db.sqlite.close();
    const daemon = startDaemon(world, ["serve", at.path, "--poll", "1"]);
    try {
      at.push();
      await until("the run before", () => ran(at).length === 2);
      await until(
        "the lease is free",
        () => rows(at.home.layout.database, "SELECT 1 FROM lease WHERE holder IS NULL")[0],
      );
      expect(restored(at, file).code).toBe(0);
      at.push();
      await until("a run of the new incarnation", () => ran(at).some((line) => line.startsWith("b-")));
    } finally {
      await daemon.stop();
    }
    const now = await again(at);
    await now.pass();
    expect(await brokenPromises(at.home.dir, { settled: true })).toEqual([]);
  });

  it("is refused while hooks run", async () => {
    const at = await hooked();
    const file = fresh();
    backup(at, file);
    at.hook(`echo $$ > ${at.file("pid")}; exec sleep 600`);
    at.push();
    const stop = new AbortController();
    const passing = at.pass({ signal: stop.signal });
    await until("the hook", () => fs.existsSync(at.file("pid")) && at.read("pid") !== "");
    const before = names(at);
    const { code, stderr } = await world.call(["backup", "--restore", file, "-R", at.path]);
    stop.abort();
    await passing;
    expect([code, stderr]).toEqual([
      4,
      expect.stringMatching(/^gatepost: A backoffice \(pid \d+\) works on .*\. Nothing was changed\.\n/),
    ]);
    expect(names(at)).toEqual(before);
  });

  it("is refused when it is damaged, too new, no database, not there, or of another home; nothing is changed", async () => {
    const at = await hooked();
    const other = await hooked();
    const file = fresh();
    backup(at, file);
    const variant = (change: (copy: string) => void): string => {
      const copy = fresh();
      fs.copyFileSync(file, copy);
      change(copy);
      return copy;
    };
    const sql = (text: string) => (copy: string) => {
      const db = new SQLite(copy);
      db.exec(text);
      db.close();
    };
    const torn = variant((copy) => fs.writeFileSync(copy, fs.readFileSync(copy).fill("x", 3 * 4096, 30 * 4096)));
    const cases: [string, number, string][] = [
      [torn, 5, torn],
      [variant(sql("PRAGMA user_version = 99")), 5, "newer Gatepost"],
      [variant(sql("PRAGMA application_id = 1")), 5, "made by another program"],
      [variant((copy) => fs.truncateSync(copy, 0)), 5, "it is empty"],
      [fresh(), 3, "There is no backup at"],
      [world.dir, 3, "There is no backup at"],
    ];
    const before = fs.readFileSync(at.home.layout.database);
    const all = names(at);
    for (const [path, code, text] of cases) {
      const bytes = fs.existsSync(path) && fs.statSync(path).isFile() ? fs.readFileSync(path) : null;
      expect(restored(at, path)).toMatchObject({ code, stderr: expect.stringContaining(text) });
      if (bytes !== null) expect(fs.readFileSync(path).equals(bytes)).toBe(true);
    }
    expect(restored(other, file)).toMatchObject({ code: 2, stderr: expect.stringContaining("of another home") });
    expect(names(at)).toEqual(all);
    expect(fs.readFileSync(at.home.layout.database).equals(before)).toBe(true);
    expect(at.receipts()).toHaveLength(1);
  });
});
