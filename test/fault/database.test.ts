/** A database that is damaged, gone, locked, or of another version; and one that is being made when its maker dies. */
import * as fs from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { doctor } from "../../src/home/doctor.ts";
import { SCHEMA_VERSION } from "../../src/store/database.ts";
import { makeWorld, program, until } from "../helpers/cli.ts";
import { endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";
import { brokenPromises } from "../helpers/promises.ts";
import { enter, leave, type Served, serve, watch } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
endDaemonsAfterEach();
afterAll(() => leave(world));

const complete = { complete: true, settled: true };

/** A served repository with a gate that refuses a branch, a hook, and one batch. Its database is open nowhere. */
async function closed(): Promise<Served> {
  const at = await serve(world);
  at.hook(`cat > /dev/null; echo >> ${at.file("ran")}`);
  at.hook("! grep -q refs/heads/forbidden", { type: "before-receive" });
  at.push();
  await at.pass();
  at.home.db.sqlite.close();
  return at;
}

const push = (at: Served, to = "main") => {
  world.commit(at.clone);
  return world.run(["git", "push", "-q", "origin", `HEAD:refs/heads/${to}`], { cwd: at.clone });
};
const ask = (at: Served, ...args: string[]) => world.gatepost([...args, "-R", at.path]);
const files = (at: Served): string[] => fs.readdirSync(at.home.dir).filter((name) => name.startsWith("gatepost.db"));

/** A statement that another program runs on the database, as long as `work` goes on. */
async function meanwhile<T>(at: Served, sql: string, work: () => T | Promise<T>): Promise<T> {
  const other = new SQLite(at.home.layout.database);
  try {
    other.exec(sql);
    return await work();
  } finally {
    if (other.inTransaction) other.exec("ROLLBACK");
    other.close();
  }
}

type Damage = [what: string, text: RegExp, spoil: (database: string) => void];
const overwrite = (from: number, to: number) => (database: string) =>
  fs.writeFileSync(database, ((bytes) => bytes.fill("x", from, Math.min(to, bytes.length)))(fs.readFileSync(database)));
const pragma = (text: string) => (database: string) => {
  const db = new SQLite(database);
  db.pragma(text);
  db.close();
};
const damages: Damage[] = [
  ["its header is overwritten", /is no SQLite file/, overwrite(0, 100)],
  ["the first page is overwritten behind the header", /is damaged/, overwrite(100, 4096)],
  ["all pages but the first are overwritten", /is damaged/, overwrite(4096, Number.MAX_SAFE_INTEGER)],
  ["it is cut off in the middle", /is damaged/, (database) => fs.truncateSync(database, 5 * 4096)],
  ["it is cut off in its header", /is not a Gatepost database/, (database) => fs.truncateSync(database, 50)],
  ["it is empty", /it is empty/, (database) => fs.truncateSync(database, 0)],
  ["it says that it is another program's", /made by another program/, pragma("application_id = 1")],
];

describe("a damaged database", () => {
  it.for(damages)(
    "B10: when %s, each call fails with exit 5, the file stays, pushes and gates go on",
    async ([, text, spoil]) => {
      const at = await closed();
      const { database } = at.home.layout;
      const good = fs.readFileSync(database);
      spoil(database);
      const bytes = fs.readFileSync(database);
      for (const args of [
        ["runs"],
        ["hook", "list"],
        ["hook", "add", "--type", "after-receive", "--command", "true"],
        ["settings", "window", "all"],
        ["backup", world.at("none")],
      ])
        expect(ask(at, ...args)).toMatchObject({ code: 5, stderr: expect.stringMatching(text) });
      const { code, stderr } = world.gatepost(["backoffice", at.path]);
      expect([code, stderr]).toEqual([5, expect.stringContaining("gatepost backup --restore FILE")]);
      expect(ask(at, "doctor")).toMatchObject({ code: 1, stdout: expect.stringMatching(text) });
      expect(ask(at, "doctor", "--fix").code).toBe(1);
      expect(push(at)).toMatchObject({ code: 0, stderr: "" });
      expect(push(at, "forbidden").code).not.toBe(0);
      expect(at.spool().length).toBeGreaterThan(0);
      expect(fs.readFileSync(database).equals(bytes)).toBe(true);
      expect(fs.existsSync(world.at("none"))).toBe(false);

      for (const name of files(at)) fs.rmSync(join(at.home.dir, name));
      fs.writeFileSync(database, good);
      expect(world.gatepost(["backoffice", at.path])).toEqual({ stdout: "", stderr: "", code: 0 });
      expect(await brokenPromises(at.home.dir, complete)).toEqual([]);
    },
  );

  it("B10: a log or an index of it that is torn takes nothing with it that cannot be found again", async () => {
    for (const suffix of ["-wal", "-shm"]) {
      const at = await serve(world);
      at.hook("cat > /dev/null");
      at.push();
      await at.pass();
      at.home.db.sqlite.pragma("wal_checkpoint(TRUNCATE)");
      at.push();
      await at.pass();
      const { database } = at.home.layout;
      const copies = ["", "-wal", "-shm"].map((end) => [end, fs.readFileSync(database + end)] as const);
      at.home.db.sqlite.close();
      for (const [end, bytes] of copies)
        fs.writeFileSync(database + end, end === suffix ? bytes.fill("x", 0, Math.ceil(bytes.length / 2)) : bytes);
      const now = await watch(world, at.path);
      await now.pass();
      expect(now.receipts()).toHaveLength(2);
      expect(now.runs().every(({ state }) => state === "done")).toBe(true);
      expect(await brokenPromises(at.home.dir, complete)).toEqual([]);
    }
  });
});

describe("a database that does not stay where it is", () => {
  const moves: [string, (database: string) => void][] = [
    ["renamed", (database) => fs.renameSync(database, `${database}.away`)],
    ["deleted", (database) => fs.copyFileSync(database, `${database}.away`)],
  ];
  it.for(moves)(
    "B11: a daemon notices that it was %s, puts nothing into it, and goes on when it is back",
    async ([what, move]) => {
      const at = await closed();
      const { database } = at.home.layout;
      const { said, child } = startDaemon(world, ["serve", "--poll", "1", at.path]);
      await until("it serves", () => fs.existsSync(at.home.layout.daemonPid));
      push(at);
      await until("a second run", () => at.read("ran").length === 2);
      await until("nobody works", () => {
        const db = new SQLite(database);
        const free = db.prepare("SELECT holder FROM lease").get() as { holder: string | null };
        db.pragma("wal_checkpoint(TRUNCATE)");
        db.close();
        return free.holder === null;
      });
      move(database);
      if (what === "deleted") fs.rmSync(database);
      for (const end of ["-wal", "-shm"]) fs.rmSync(database + end, { force: true });
      const before = fs.readFileSync(`${database}.away`);
      expect(push(at)).toMatchObject({ code: 0 });
      await until("it complains", () => /moved, replaced or deleted|There is no database/.test(said()));
      expect(ask(at, "runs").code).toBe(3);
      expect(at.spool().length).toBeGreaterThan(0);
      expect(fs.readFileSync(`${database}.away`).equals(before)).toBe(true);
      fs.renameSync(`${database}.away`, database);
      await until("a third run", () => at.read("ran").length === 3);
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
      expect(await brokenPromises(at.home.dir, complete)).toEqual([]);
    },
  );
});

describe("a database that others use", () => {
  it("B8: a long writer makes calls wait, then fail with exit 4; a push does not wait for it", async () => {
    const at = await closed();
    await meanwhile(at, "BEGIN IMMEDIATE; UPDATE lease SET token = token", async () => {
      expect(push(at)).toMatchObject({ code: 0, stderr: "" });
      expect(push(at, "forbidden").code).not.toBe(0);
      expect(ask(at, "runs").code).toBe(0);
      const [edit, pass] = await Promise.all([
        world.call(["hook", "add", "-R", at.path, "--type", "after-receive", "--command", "true"]),
        world.call(["backoffice", at.path]),
      ]);
      for (const { code, stderr } of [edit, pass])
        expect([code, stderr]).toEqual([4, expect.stringMatching(/is in use by another process\.\n.*fuser -v /)]);
    });
    expect(world.gatepost(["backoffice", at.path]).code).toBe(0);
    expect(await brokenPromises(at.home.dir, complete)).toEqual([]);
  });

  it("B9: a reader that never ends lets the log grow, doctor names it, and it is gone when the reader is", async () => {
    const at = await closed();
    const wal = `${at.home.layout.database}-wal`;
    const warned = async () => {
      const { examined } = await doctor({ repository: at.path, cwd: world.dir, fix: false });
      return examined.flatMap(({ findings }) =>
        findings.filter(({ level }) => level !== "ok").map(({ says, mend }) => `${says} ${mend}`),
      );
    };
    await meanwhile(at, "UPDATE lease SET token = token; BEGIN; SELECT count(*) FROM receipt", async () => {
      const writer = new SQLite(at.home.layout.database);
      const put = writer.prepare("INSERT INTO setting (name, value) VALUES ('big ' || ?, hex(zeroblob(8000000)))");
      for (let round = 0; round < 5; round++) put.run(round);
      writer.exec("DELETE FROM setting WHERE name LIKE 'big %'");
      writer.close();
      push(at);
      expect(world.gatepost(["backoffice", at.path]).code).toBe(0);
      expect(fs.statSync(wal).size).toBeGreaterThan(64 * 1024 * 1024);
      expect(await warned()).toEqual([expect.stringMatching(/gatepost\.db-wal has grown to \d+ MiB.*fuser -v /)]);
    });
    expect(ask(at, "runs").stdout).toContain("a-3");
    expect(fs.existsSync(wal) ? fs.statSync(wal).size : 0).toBe(0);
    expect(await warned()).toEqual([]);
    expect(await brokenPromises(at.home.dir, complete)).toEqual([]);
  });

  // A file system without locks, as the kernel would answer there; one without shared memory likewise.
  const strange: [string, string[]][] = [
    ["locks", ["-P", "gatepost.db", "-e", "trace=fcntl", "-e", "inject=fcntl:error=ENOLCK"]],
    ["shared memory", ["-P", "gatepost.db-shm", "-e", "trace=mmap", "-e", "inject=mmap:error=ENODEV"]],
  ];
  const canTrace = world.run(["sh", "-c", "strace -o /dev/null true"]).code === 0;
  it.skipIf(!canTrace).for(strange)(
    "B12: where there are no %s, each call fails cleanly and pushes go on",
    async ([, inject]) => {
      const at = await closed();
      const options = inject.map((word) => word.replace(/^gatepost\.db/, at.home.layout.database));
      const traced = (...args: string[]) =>
        world.run(["strace", "-f", "-qq", "-o", "/dev/null", ...options, process.execPath, program, ...args]);
      for (const args of [
        ["runs", "-R", at.path],
        ["backoffice", at.path],
      ]) {
        const { code, stderr } = traced(...args);
        expect([4, 5, 7]).toContain(code);
        expect(stderr).toMatch(/^gatepost: .*gatepost\.db.*\n.+\n$/);
      }
      expect(push(at).code).toBe(0);
      expect(world.gatepost(["backoffice", at.path]).code).toBe(0);
      expect(await brokenPromises(at.home.dir, complete)).toEqual([]);
    },
  );
});

describe("a database of another version", () => {
  it("B13: one of a newer Gatepost is refused with exit 5 by every call, and not changed; pushes and gates go on", async () => {
    const at = await closed();
    const { database } = at.home.layout;
    pragma(`user_version = ${SCHEMA_VERSION + 1}`)(database);
    const bytes = fs.readFileSync(database);
    for (const args of [
      ["runs", "-R", at.path],
      ["backoffice", at.path],
      ["init", at.path],
      ["settings", "window", "1h", "-R", at.path],
    ])
      expect(world.gatepost(args)).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(/newer Gatepost.*\n.*Update Gatepost/),
      });
    expect(push(at)).toMatchObject({ code: 0, stderr: "" });
    expect(push(at, "forbidden").code).not.toBe(0);
    expect(fs.readFileSync(database).equals(bytes)).toBe(true);
  });

  it("B13: one of the first Gatepost is brought up to date once, by twenty programs that start at the same time", async () => {
    const at = await closed();
    const { database } = at.home.layout;
    const hex = (sql: string): string[] => {
      const db = new SQLite(database, { readonly: true });
      const texts = db.prepare(sql).all() as { text: string }[];
      db.close();
      return texts.map(({ text }) => text);
    };
    const settings = hex("SELECT quote(name) || ', ' || quote(value) AS text FROM setting");
    const [repository = ""] = hex(
      "SELECT id || ', ' || quote(name) || ', ''git'', ' || quote(path) || ', ' || inode || ', 1' AS text FROM repository",
    );
    for (const name of files(at)) fs.rmSync(join(at.home.dir, name));
    const old = new SQLite(database);
    old.exec(fs.readFileSync(new URL("../fixtures/schema-1.sql", import.meta.url), "utf8"));
    old.pragma("journal_mode = WAL");
    for (const values of settings) old.exec(`INSERT INTO setting VALUES (${values})`);
    old.exec(`INSERT INTO repository (id, name, kind, path, inode, registered_at) VALUES (${repository})`);
    old.exec("INSERT INTO hook (scope, type, command) VALUES ('all', 'after-receive', 'cat > /dev/null')");
    old.close();
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => world.call(["hook", "list", "-R", at.path])));
    expect(outcomes.map(({ code, stderr }) => [code, stderr])).toEqual(outcomes.map(() => [0, ""]));
    expect(new Set(outcomes.map(({ stdout }) => stdout)).size).toBe(1);
    expect(outcomes[0]?.stdout).toContain("cat > /dev/null");
    expect(world.gatepost(["backoffice", at.path]).code).toBe(0);
    expect(await brokenPromises(at.home.dir, { settled: true })).toEqual([]);
  });

  it("B15: a receipt that comes after all were pruned has a number above every earlier one, and is handed out", async () => {
    const at = await serve(world);
    at.hook("cat > /dev/null");
    for (let round = 0; round < 3; round++) {
      at.push();
      await at.pass();
    }
    const newest = Math.max(...at.receipts().map(({ id }) => id));
    at.home.db.sqlite.exec("DELETE FROM attempt; DELETE FROM run; DELETE FROM batch; DELETE FROM receipt");
    at.push();
    await at.pass();
    expect(at.receipts().map(({ id }) => id)).toEqual([newest + 1]);
    expect(at.runs()).toMatchObject([{ state: "done" }]);
    expect(await brokenPromises(at.home.dir, { settled: true })).toEqual([]);
  });
});

describe("a home whose maker dies", () => {
  const canTrace = world.run(["sh", "-c", "strace -o /dev/null true"]).code === 0;
  const deaths = "mkdir 3, link 1, rename 1, rename 2, fsync 1, pwrite64 12, unlink 1, chmod 5";

  it.skipIf(!canTrace)(
    "A8: wherever a first init is killed, the next one completes it, and what is pushed arrives",
    () => {
      let died = 0;
      for (const death of deaths.split(", ")) {
        const [call = "", when = ""] = death.split(" ");
        const app = world.bare(`${call}-${when}.git`);
        const clone = world.clone(app, `${call}-${when}`);
        const inject = ["-e", `trace=${call}`, "-e", `inject=${call}:signal=KILL:when=${when}`];
        const maker = ["strace", "-qq", "-o", "/dev/null", ...inject, process.execPath, program, "init", app];
        died += Number(world.run(["sh", "-c", '"$@"; echo $?', "sh", ...maker]).stdout.endsWith("137\n"));
        expect(world.gatepost(["init", app]), `after a death at ${death}`).toMatchObject({ code: 0 });
        fs.writeFileSync(join(app, "gatepost", "manual"), "");
        const got = world.at(`${call}-${when}.got`);
        const hook = ["hook", "add", "-R", app, "--type", "after-receive", "--command", `cat > '${got}'`];
        expect(world.gatepost(hook).code).toBe(0);
        world.commit(clone);
        world.git(["push", "-q", "origin", "HEAD:refs/heads/main"], { cwd: clone });
        expect(world.gatepost(["backoffice", app])).toMatchObject({ code: 0 });
        expect(fs.readFileSync(got, "utf8")).toMatch(/^[0-9a-f]{40} check-in to main by alice /);
        expect(world.gatepost(["doctor", "-R", app]), `after a death at ${death}`).toMatchObject({ code: 0 });
      }
      expect(died).toBeGreaterThan(4);
    },
  );
});
