/** What an enemy tries (in a spool: see spool-attacks): what stands in a home or beside a backup, and moments at which things are killed. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { makeWorld, program, until } from "../helpers/cli.ts";
import { endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";
import { enter, fileOf, leave, type Served, serve, watch } from "../helpers/served.ts";

const root = process.geteuid?.() === 0;
const STRANGER = 12_002;
const hasNamespaces = root && spawnSync("unshare", ["-p", "-f", "--mount-proc", "true"]).status === 0;

const world = makeWorld();
enter(world);
afterAll(() => leave(world));
endDaemonsAfterEach();

/** A repository with a hook that notes each start, and one push that nobody drained. */
async function hooked(command = ":"): Promise<Served> {
  const r = await serve(world);
  r.hook(`echo "$GATEPOST_RUN $GATEPOST_ATTEMPT" >> '${r.file("ran")}'; ${command}`);
  r.push();
  return r;
}

/** A work tree whose home came along, as an archive holds it; nothing of it is registered. */
function unpacked(): { path: string; home: string } {
  const made = world.workTree();
  world.gatepost(["init", made]);
  const path = `${made}.unpacked`;
  fs.cpSync(made, path, { recursive: true });
  return { path, home: join(path, ".git", "gatepost") };
}

/** Calls gatepost as the process that `before`, a line of sh, knows as $$. */
const callAs = (before: string, args: string, cwd: string) =>
  world.run(["sh", "-c", `${before}; exec "$0" "$1" ${args}`, process.execPath, program], { cwd });

describe("an archive with a home in it", () => {
  it("K1: links in its bin folder lead no write to a file of whoever lists", () => {
    const { path, home } = unpacked();
    const victim = world.at("victim");
    fs.writeFileSync(victim, "precious\n", { mode: 0o600 });
    fs.writeFileSync(join(home, "bin", "gatepost"), "another\n");
    callAs(`ln -s '${victim}' '${home}/bin/gatepost.'$$.new`, "runs", path);
    expect([fs.readFileSync(victim, "utf8"), fs.statSync(victim).mode & 0o777]).toEqual(["precious\n", 0o600]);
  });

  it("K1: a journal beside its database, which names another file, has SQLite delete nothing", () => {
    const { path, home } = unpacked();
    const victim = world.at("named by a journal");
    fs.writeFileSync(victim, "precious\n");
    const database = join(home, "gatepost.db");
    const bytes = fs.readFileSync(database);
    const size = bytes.readUInt16BE(16);
    const journal = Buffer.alloc(512);
    const magic = Buffer.from("d9d505f920a163d7", "hex");
    magic.copy(journal);
    for (const [index, value] of [0, 1, bytes.length / size, 512, size].entries())
      journal.writeUInt32BE(value, 8 + 4 * index);
    const name = Buffer.from(victim);
    const [before, after] = [Buffer.alloc(4), Buffer.alloc(8)];
    before.writeUInt32BE(0x40000000 / size + 1);
    after.writeUInt32BE(name.length);
    after.writeUInt32BE(
      name.reduce((sum, byte) => sum + byte, 0),
      4,
    );
    fs.writeFileSync(`${database}-journal`, Buffer.concat([journal, before, name, after, magic]));
    world.gatepost(["runs"], { cwd: path });
    expect(fs.existsSync(victim)).toBe(true);
  });
});

it.runIf(root)("K1: root opens no stranger's database in a folder that everybody may write to", () => {
  const { home } = unpacked();
  const folder = world.at("for all");
  fs.mkdirSync(join(folder, "bin"), { recursive: true });
  fs.chmodSync(folder, 0o1777);
  fs.copyFileSync(join(home, "gatepost.db"), join(folder, "gatepost.db"));
  fs.writeFileSync(join(folder, "bin", "gatepost"), "another\n");
  for (const name of ["gatepost.db", "bin", "bin/gatepost"]) fs.chownSync(join(folder, name), STRANGER, STRANGER);
  const { code } = world.gatepost(["runs"], { cwd: folder });
  expect([code, fs.readFileSync(join(folder, "bin", "gatepost"), "utf8")]).toEqual([7, "another\n"]);
});

describe("a restore", () => {
  const backup = (r: Served, ...args: string[]) => world.gatepost(["backup", ...args, "-R", r.path]);
  const alive = (text: string): number =>
    fs.readdirSync("/proc").filter((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(text);
      } catch {
        return false;
      }
    }).length;

  it("B14: after the backoffice was killed ends what is left of its hook before anything runs", async () => {
    const r = await hooked("exec sleep 47.11");
    const file = world.at("of the killed");
    backup(r, file);
    const daemon = startDaemon(world, ["backoffice", r.path]);
    await fileOf(r, "ran");
    await until("it sleeps", () => alive("sleep\x0047.11") === 1);
    daemon.child.kill("SIGKILL");
    await daemon.ended;
    expect(backup(r, "--restore", file)).toMatchObject({ code: 0 });
    startDaemon(world, ["backoffice", r.path]);
    await until("it runs again", () => r.read("ran").split("\n").length === 3);
    await until("the second sleeps", () => alive("sleep\x0047.11") > 0);
    expect(alive("sleep\x0047.11")).toBe(1);
  });

  it.runIf(hasNamespaces)("B14: is refused while a backoffice of another pid namespace holds the lease", async () => {
    const r = await hooked("exec sleep 30");
    const file = world.at("of the contained");
    backup(r, file);
    const inside = ["unshare", "-p", "-f", "--kill-child", "--mount-proc", process.execPath, program, "backoffice"];
    const line = `"$@" > /dev/null 2>&1 & echo $!`;
    const holder = world.run(["sh", "-c", line, "sh", ...inside, r.path]);
    try {
      await fileOf(r, "ran");
      expect(backup(r, "--restore", file)).toMatchObject({ code: 4 });
    } finally {
      process.kill(Number(holder.stdout), "SIGKILL");
    }
  });

  it.runIf(root)("B14: reads no log beside the backup that is another user's", async () => {
    const r = await hooked();
    const folder = world.at("public");
    fs.mkdirSync(folder);
    fs.chmodSync(folder, 0o1777);
    const file = join(folder, "backup");
    backup(r, file);
    const planted = world.at("planted.db");
    fs.copyFileSync(file, planted);
    const db = new SQLite(planted);
    db.pragma("journal_mode = WAL");
    db.pragma("wal_autocheckpoint = 0");
    db.exec("UPDATE hook SET command = 'planted'; VACUUM");
    fs.copyFileSync(`${planted}-wal`, `${file}-wal`);
    db.close();
    fs.chownSync(`${file}-wal`, STRANGER, STRANGER);
    backup(r, "--restore", file);
    expect(world.gatepost(["hook", "list", "-R", r.path]).stdout).not.toContain("planted");
  });

  it("B14: that died between moving the database and its log keeps both together when it is called again", async () => {
    const r = await hooked();
    const file = world.at("of the halved");
    backup(r, file);
    await r.pass(); // the log holds the run, since this process has the database open
    const { database } = r.home.layout;
    fs.cpSync(r.home.dir, `${r.home.dir}.as it was`, { recursive: true }); // no checkpoint: nothing is opened there
    for (const suffix of ["", "-wal"])
      fs.copyFileSync(`${r.home.dir}.as it was/gatepost.db${suffix}`, `${database}.x${suffix}`);
    fs.renameSync(`${database}.x`, `${database}.before-restore-1`);
    fs.rmSync(database);
    fs.renameSync(`${database}.x-wal`, `${database}-wal`);
    fs.rmSync(`${database}-shm`, { force: true });
    expect(backup(r, "--restore", file)).toMatchObject({ code: 0 });
    const old = new SQLite(`${database}.before-restore-1`, { readonly: true });
    expect(old.prepare("SELECT count(*) AS runs FROM run").get()).toEqual({ runs: 1 });
    old.close();
  });
});

describe("a home whose database is gone", () => {
  it("B10: is made anew by init without the log that was left of it", async () => {
    const r = await hooked();
    await r.pass();
    const { database } = r.home.layout;
    const log = fs.readFileSync(`${database}-wal`);
    r.home.db.sqlite.close();
    fs.rmSync(database);
    fs.writeFileSync(`${database}-wal`, log); // as it is left where the last who had it open was killed
    expect(world.gatepost(["init", r.path])).toMatchObject({ code: 0 });
    expect(world.gatepost(["doctor", "-R", r.path])).toMatchObject({ code: 0 });
  });

  it("B10: gives out no run id again after init made it anew", async () => {
    const r = await hooked();
    await r.pass();
    const before = r.read("ran");
    const { database } = r.home.layout;
    r.home.db.sqlite.close();
    for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(database + suffix, { force: true });
    const again = await watch(world, r.path);
    again.hook(`echo "$GATEPOST_RUN $GATEPOST_ATTEMPT" >> '${r.file("ran")}'`);
    r.push();
    await again.pass();
    const after = r.read("ran").slice(before.length);
    expect([after === "", after === before]).toEqual([false, false]);
  });
});
