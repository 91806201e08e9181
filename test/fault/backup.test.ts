/** A backup, and the way back from it. */
import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";
import SQLite from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { makeWorld, program, until } from "../helpers/cli.ts";
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
    expect(backup(at, "-")).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("A backup is a file"),
    });
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

  const canTrace = world.run(["sh", "-c", "strace -o /dev/null true"]).code === 0;
  it.skipIf(!canTrace)(
    "B14: that was killed leaves nothing that the next one of that name does not take away",
    async () => {
      const at = await hooked();
      const file = fresh();
      const killed = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fsync:signal=KILL:when=1"];
      world.run([...killed, process.execPath, program, "backup", file, "-R", at.path]);
      const left = () => fs.readdirSync(dirname(file)).filter((name) => name.startsWith(`${basename(file)}.`));
      expect(left()).not.toEqual([]);
      expect(fs.existsSync(file)).toBe(false);
      const alive = `${file}.${process.pid}-0123456789abcdef.new`;
      fs.writeFileSync(alive, "");
      expect(backup(at, file).code).toBe(0);
      expect(left()).toEqual([basename(alive)]);
    },
  );

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
      // A daemon that is slow hands several pushes out in one batch.
      await until("all is handed out", () => {
        const ids = at.receipts().map(({ id }) => id);
        const settled = at.runs().every(({ state }) => state === "done");
        return ids.length === 6 && ids.at(-1) === at.repository().cursor && settled;
      });
    } finally {
      await daemon.stop();
    }
    expect(await brokenPromises(at.home.dir, { complete: true, settled: true })).toEqual([]);
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
      expect(restored(at, file)).toMatchObject({ code: 0, stderr: "" }); // nobody needs to start a backoffice
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
      [world.dir, 3, "is a folder"],
      [at.home.layout.database, 2, "is the database itself"],
      ["-", 2, "A backup is a file"],
    ];
    const before = fs.readFileSync(at.home.layout.database);
    const all = names(at);
    for (const [path, code, text] of cases) {
      const bytes = fs.existsSync(path) && fs.statSync(path).isFile() ? fs.readFileSync(path) : null;
      const { code: got, stderr } = restored(at, path);
      expect([got, stderr]).toEqual([code, expect.stringContaining(text)]);
      expect(stderr.match(/nothing was changed/gi) ?? []).toHaveLength(
        code === 5 || (path.startsWith("/") && code === 2) ? 1 : 0,
      );
      if (bytes !== null) expect(fs.readFileSync(path).equals(bytes)).toBe(true);
    }
    const elsewhere = restored(other, file, "--force");
    expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringContaining("of another home, which is there") });
    expect(names(at)).toEqual(all);
    expect(fs.readFileSync(at.home.layout.database).equals(before)).toBe(true);
    expect(at.receipts()).toHaveLength(1);
  });

  it("is refused while a backoffice elsewhere holds the lease, until that has expired", async () => {
    const at = await hooked();
    const file = fresh();
    backup(at, file);
    const hold = (until: number): void =>
      void at.home.db.sqlite
        .prepare("UPDATE lease SET holder = 'h', boot_id = 'another', pid = 1, start_time = '1', expires_at = ?")
        .run(until);
    hold(Date.now() + 3_600_000);
    expect(restored(at, file)).toMatchObject({ code: 4, stderr: expect.stringContaining("in another container") });
    hold(Date.now() - 1);
    expect(restored(at, file).code).toBe(0);
  });

  it("leaves a database of an older Gatepost that was moved aside as it is, and goes on behind its numbers", async () => {
    const at = await hooked();
    const file = fresh();
    backup(at, file);
    const { database } = at.home.layout;
    const old = `${database}.before-restore-7`;
    const other = old.replace("gatepost.db", "garbage.db"); // a name of the same length
    const db = new SQLite(old);
    db.exec(fs.readFileSync(new URL("../fixtures/schema-1.sql", import.meta.url), "utf8"));
    db.exec("INSERT INTO setting VALUES ('incarnation', 'f'); INSERT INTO sqlite_sequence VALUES ('run', 5000)");
    db.pragma("journal_mode = WAL");
    db.close();
    fs.copyFileSync(old, other);
    const writable = new SQLite(other);
    writable.exec("UPDATE setting SET value = 'k' WHERE name = 'incarnation'");
    writable.close();
    const bytes = fs.readFileSync(old);
    expect(restored(at, file).stdout).toContain("named g-NUMBER");
    expect(fs.readFileSync(old).equals(bytes)).toBe(true);
    expect(names(at).filter((name) => name.includes("restore-7"))).toEqual(["gatepost.db.before-restore-7"]);
    expect(fs.existsSync(`${database}.before-restore-8`)).toBe(true);
    const now = await again(at);
    at.push();
    await now.pass();
    expect(now.runs().at(-1)?.id).toBeGreaterThan(5000);
  });

  it("names the repositories that the backup does not know", async () => {
    const at = await hooked();
    const file = fresh();
    backup(at, file);
    const later = world.bare("registered later.git");
    expect(world.gatepost(["init", "--home", at.home.dir, later]).code).toBe(0);
    expect(restored(at, file).stderr).toContain(
      `${later} is not in the backup. Register it again: gatepost init --home ${at.home.dir} '${later}'`,
    );
  });
});

describe("B14: a backup of another home", () => {
  const idOf = (at: Watched): unknown =>
    rows(at.home.layout.database, "SELECT value FROM setting WHERE name = 'home.id'")[0];
  const registered = (): string[] =>
    fs
      .readFileSync(join(world.env["XDG_STATE_HOME"] ?? "", "gatepost", "homes"), "utf8")
      .split("\n")
      .filter((line) => line !== "");

  it("is refused while that home is there, which goes on", async () => {
    const [at, other] = [await hooked(), await hooked()];
    const file = fresh();
    backup(other, file);
    const before = registered();
    for (const more of [[], ["--force"]])
      expect(restored(at, file, ...more)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(
          /another home, which is there: .*Nothing was changed\.\n.*hook export.*hook import/,
        ),
      });
    expect(registered()).toEqual(before);
    for (const home of [at, other]) {
      home.push();
      await home.pass();
      expect(ran(home)).toHaveLength(2);
    }
    fs.writeFileSync(other.home.layout.database, "damaged beyond reading");
    expect(restored(at, file, "--force").code).toBe(2);
  });

  it("is refused in a copy of a home, whose original is there", async () => {
    const at = await hooked();
    const file = fresh();
    backup(at, file);
    const copy = `${at.path} copy`;
    fs.cpSync(at.path, copy, { recursive: true });
    expect(restored({ path: copy }, file)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("which is there"),
    });
    expect(restored(at, file).code).toBe(0);
  });

  it("comes into a home that was lost and made anew at the same path, whose hooks run again", async () => {
    const at = await hooked();
    const file = fresh();
    backup(at, file);
    const id = idOf(at);
    at.home.db.sqlite.close();
    fs.rmSync(at.home.dir, { recursive: true });
    expect(world.gatepost(["init", at.path]).code).toBe(0);
    expect(restored(at, file).code).toBe(0);
    expect(idOf(at)).toEqual(id);
    const now = await again(at);
    at.push();
    await now.pass();
    expect(now.runs().at(-1)).toMatchObject({ state: "done" });
  });

  it("moves to where that home's repository is now, under an id of its own", async () => {
    for (const inside of ["", ".git"]) {
      const from = inside === "" ? world.bare("moving.git") : world.workTree("moving");
      const at = await watch(world, from);
      at.hook("cat > /dev/null");
      const file = fresh();
      backup(at, file);
      const id = idOf(at);
      at.home.db.sqlite.close();
      const path = world.at(inside === "" ? "moved.git" : "moved");
      fs.renameSync(from, path);
      fs.rmSync(join(path, inside, "gatepost"), { recursive: true });
      expect(world.gatepost(["init", path]).code).toBe(0);
      expect(restored({ path }, file)).toMatchObject({ code: 0, stderr: expect.stringMatching(/^Next: .*\n$/) });
      const now = await watch(world, path);
      expect(now.home.dir).toBe(join(path, inside, "gatepost"));
      expect(now.row).toMatchObject({ id: 1, path: join(path, inside), workTree: inside === "" ? null : path });
      expect(idOf(now)).not.toEqual(id);
      const clone = inside === "" ? world.clone(path, "of the moved") : path;
      world.commit(clone);
      if (inside === "") world.git(["push", "-q", "origin", "HEAD:refs/heads/main"], { cwd: clone });
      await now.pass();
      expect(now.runs()).toMatchObject([{ state: "done", incarnation: "b" }]);
      expect(await brokenPromises(now.home.dir, { settled: true })).toEqual([]);
    }
  });

  it("that is gone replaces hooks only with --force, and what needs init is named", async () => {
    const [at, other] = [await hooked(), await serve(world)];
    other.hook("cat > /dev/null");
    const file = fresh();
    backup(other, file);
    other.home.db.sqlite.close();
    fs.rmSync(other.home.dir, { recursive: true });
    expect(restored(at, file)).toMatchObject({ code: 2, stderr: expect.stringContaining("has hooks of its own") });
    const { code, stderr } = restored(at, file, "--force");
    const init = `gatepost init --home ${at.home.dir}`;
    expect([code, stderr]).toEqual([0, expect.stringContaining(`${init} ${other.path}\n`)]);
    expect(stderr).toContain(`${init} ${at.path}\n`);
    for (const { path } of [at, other]) expect(world.gatepost(["init", "--home", at.home.dir, path]).code).toBe(0);
    const now = await again(other);
    other.push();
    await now.pass();
    expect(now.home.dir).toBe(at.home.dir);
    expect(now.runs().at(-1)).toMatchObject({ state: "done" });
    expect(restored(at, `${at.home.layout.database}.before-restore-1`).code).toBe(0); // and back
  });
});

describe("a restore that dies", () => {
  const traced = (options: string[], args: string[]) =>
    world.run(["sh", "-c", '"$@"; echo "$?"', "sh", "strace", "-qq", ...options, process.execPath, program, ...args]);
  const canTrace = world.run(["sh", "-c", "strace -o /dev/null true"]).code === 0;

  it.skipIf(!canTrace)(
    "B14: leaves the old database or the new one at every rename, link and unlink, and goes on when called again",
    async () => {
      const at = await hooked();
      const file = fresh();
      backup(at, file);
      at.push();
      await at.pass(); // its log is not empty, since this process has the database open
      const call = ["backup", "--restore", file, "-R", at.path];
      const { database } = at.home.layout;
      const log = fresh();
      const counted = "rename,link,unlink";
      const before = fs.mkdtempSync(world.at("before-"));
      for (const name of names(at)) fs.copyFileSync(join(at.home.dir, name), join(before, name));
      expect(traced(["-o", log, "-e", `trace=${counted}`], call).stdout).toMatch(/\n0\n$/);
      at.home.db.sqlite.close();
      const calls = fs.readFileSync(log, "utf8").split("\n");
      let died = 0;
      for (const kind of counted.split(","))
        for (let when = 1; when <= calls.filter((line) => line.startsWith(`${kind}(`)).length; when++) {
          const death = `${kind} ${when}`;
          for (const name of names(at)) fs.rmSync(join(at.home.dir, name));
          for (const name of fs.readdirSync(before)) fs.copyFileSync(join(before, name), join(at.home.dir, name));
          const open = new SQLite(database); // as a daemon has: the log stays
          open.prepare("SELECT * FROM receipt").all();
          const inject = ["-e", `trace=${kind}`, "-e", `inject=${kind}:signal=KILL:when=${when}`];
          const isDead = traced(["-o", "/dev/null", ...inject], call).stdout.endsWith("137\n");
          died += Number(isDead);
          if (fs.existsSync(database)) expect(world.gatepost(["runs", "-R", at.path]).code, death).toBe(0);
          expect(world.gatepost(call), death).toMatchObject({ code: 0 });
          open.close();
          const kept = names(at).filter((name) => /before-restore-\d+$/.test(name));
          const receipts = kept.map((name) => rows(join(at.home.dir, name), "SELECT id FROM receipt").length);
          expect(Math.max(...receipts), death).toBe(2);
          expect(
            names(at).filter((name) => name.includes(".new")),
            death,
          ).toEqual([]);
          expect(rows(database, "PRAGMA integrity_check"), death).toEqual([{ integrity_check: "ok" }]);
          expect(world.gatepost(["doctor", "-R", at.path]), death).toMatchObject({ code: 0 });
        }
      expect(died).toBeGreaterThan(5);
    },
  );
});
