/** What stands in a home, and in what surroundings it is called: odd places, odd modes, odd entries, odd environments. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerPath } from "../../src/home/register.ts";
import { makeWorld, until, type World } from "../helpers/cli.ts";
import { endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";
import { enter, leave, type Served, serve } from "../helpers/served.ts";

const root = process.geteuid?.() === 0;
const mode = (path: string): string => (fs.lstatSync(path).mode & 0o7777).toString(8);

let world: World;
beforeAll(() => {
  world = makeWorld();
  enter(world);
});
afterAll(() => leave(world));
endDaemonsAfterEach();

const pass = (r: Served) => world.gatepost(["backoffice", r.path]);
/** Whether a pass would run the hook. */
const ran = (r: Served): boolean => fs.existsSync(r.file("ran"));
async function hooked(): Promise<Served> {
  const r = await serve(world);
  r.hook(`: > '${r.file("ran")}'`);
  r.push();
  return r;
}

const FOLDERS = ["spool", "spool/bad", "gates", "aux", "bin"];

describe("of the folders of a home", () => {
  it("K1: those that are missing are made anew, 0700, and the hooks run", async () => {
    const r = await hooked();
    for (const name of ["spool/bad", "gates", "aux", "bin"]) fs.rmSync(r.file(name), { recursive: true });
    expect(pass(r)).toEqual({ stdout: "", stderr: "", code: 0 });
    expect(FOLDERS.map((name) => mode(r.file(name)))).toEqual(["700", "700", "700", "700", "700"]);
    expect(ran(r)).toBe(true);
    fs.rmSync(r.file("spool"), { recursive: true });
    const pushed = r.push();
    expect(pass(r)).toEqual({ stdout: "", stderr: "", code: 0 });
    expect(mode(r.file("spool"))).toBe("700");
    expect(r.receipts().at(-1)).toMatchObject({ source: "reconciled", updates: [expect.stringContaining(pushed)] });
  });

  it.each(FOLDERS)(
    "K1: %s is refused where it is a link, a pipe, or open to others, and nothing is run or followed",
    async (name) => {
      const r = await hooked();
      const [path, kept] = [r.file(name), `${r.home.dir}.kept`];
      const refused = (why: string): void => {
        expect(pass(r)).toMatchObject({ code: 7, stderr: expect.stringContaining(`${path}${why}`) });
        expect(ran(r)).toBe(false);
      };
      fs.renameSync(path, kept);
      const before = fs.readdirSync(kept);
      fs.symlinkSync(kept, path);
      refused(" is a symbolic link. The hooks of this home do not run.\nMove it away; it is made anew.\n");
      expect(world.gatepost(["init", r.path])).toMatchObject({
        code: 7,
        stderr: expect.stringContaining("a symbolic link"),
      });
      expect(fs.readdirSync(kept)).toEqual(before);
      fs.rmSync(path);
      world.run(["mkfifo", path]);
      refused(" is no folder.");
      fs.rmSync(path);
      fs.renameSync(kept, path);
      for (const open of [0o777, 0o1777, 0o770]) {
        fs.chmodSync(path, open);
        expect(pass(r)).toMatchObject({ code: 7, stderr: expect.stringContaining(`may write to ${path}`) });
      }
      expect(ran(r)).toBe(false);
      fs.chmodSync(path, 0o700);
      expect(pass(r).code).toBe(0);
      expect(ran(r)).toBe(true);
    },
  );

  it("K1: the home itself is refused where others may write to it", async () => {
    const r = await hooked();
    fs.chmodSync(r.home.dir, 0o777);
    expect(pass(r)).toMatchObject({ code: 7, stderr: expect.stringContaining(`may write to ${r.home.dir}`) });
    expect(world.gatepost(["doctor", "--fix"], { cwd: r.path }).stdout).toContain("Others than its owner may write");
    expect(mode(r.home.dir)).toBe("700");
    expect(pass(r).code).toBe(0);
    expect(ran(r)).toBe(true);
  });

  it.runIf(root)("K1: one of another user is refused, with the call that gives it back", async () => {
    const r = await hooked();
    for (const name of [...FOLDERS, "gatepost.db"]) {
      fs.chownSync(r.file(name), 12345, 12345);
      const { stderr, code } = pass(r);
      expect(code).toBe(7);
      expect(stderr).toContain(
        `${r.file(name)} belongs to another user (uid 12345). The hooks of this home do not run.`,
      );
      expect(stderr).toContain(`As root: chown 0 ${r.file(name)}`);
      fs.chownSync(r.file(name), 0, 0);
    }
    expect(ran(r)).toBe(false);
    expect(pass(r).code).toBe(0);
  });

  it("K1: a database that is a link or a pipe is opened by no command, and nothing hangs", async () => {
    const r = await hooked();
    const database = r.home.layout.database;
    const kept = `${database}.kept`;
    fs.renameSync(database, kept);
    const elsewhere = world.at("elsewhere.db");
    fs.symlinkSync(elsewhere, database);
    for (const words of [["backoffice"], ["runs"], ["hook", "list"], ["init"], ["doctor"]])
      expect(world.gatepost(words, { cwd: r.path }), words.join(" ")).toMatchObject({
        code: expect.toSatisfy((code) => code !== 0 && code !== 70),
      });
    expect(fs.existsSync(elsewhere), "nothing is made where the link leads").toBe(false);
    fs.rmSync(database);
    world.run(["mkfifo", database]);
    for (const words of [["backoffice"], ["runs"], ["hook", "list"]])
      expect(world.gatepost(words, { cwd: r.path, timeout: 60_000 })).toMatchObject({
        code: 7,
        stderr: expect.stringContaining("is a pipe: it is not opened"),
      });
    fs.rmSync(database);
    fs.renameSync(kept, database);
    expect(pass(r).code).toBe(0);
  });

  it.runIf(root && spawnSync("unshare", ["-m", "true"]).status === 0)(
    "K1: spool and bad may be on other devices: what is set aside stays in the spool under another name",
    async () => {
      const r = await hooked();
      const [spool, bad] = [r.file("spool"), r.file("spool/bad")];
      const script = `mount --bind '${spool}' '${spool}' && mount -t tmpfs -o size=64k,mode=700 none '${bad}' && "$@" && ls '${bad}' '${spool}'`;
      fs.writeFileSync(join(spool, "odd.entry"), "gatepost 1\nnonsense\nend 1\n");
      const argv = ["unshare", "-m", "sh", "-ec", script, "sh", process.execPath, "bin/gatepost", "backoffice", r.path];
      const out = world.run(argv, { cwd: join(import.meta.dirname, "../..") });
      expect(out.code, out.stderr).toBe(0);
      expect(out.stdout).toMatch(/^odd\.entry\.reason$/m);
      expect(out.stdout).toMatch(/^odd\.entry\.[0-9a-f-]+\.aside$/m);
      expect(ran(r)).toBe(true);
    },
  );
});

describe("in the spool of a shared home, where anyone may put anything,", () => {
  let r: Served;
  beforeAll(async () => {
    r = await serve(world);
    world.git(["config", "core.sharedRepository", "0666"], { cwd: r.path });
    expect(world.gatepost(["init", r.path]).code).toBe(0);
    expect(mode(r.file("spool"))).toBe("1733");
  });

  const strange: [string, (path: string) => unknown, RegExp][] = [
    ["a link", (path) => fs.symlinkSync("/etc/passwd", path), /^is a symbolic link$/],
    ["a pipe", (path) => world.run(["mkfifo", path]), /^is no regular file$/],
    ["a folder", (path) => fs.mkdirSync(path), /^is no regular file$/],
    ["a hard link", (path) => fs.linkSync(r.file("bin/gatepost"), path), /^has more than one name$/],
    [
      "a file of many GiB",
      (path) => {
        fs.writeFileSync(path, "gatepost 1\n");
        fs.truncateSync(path, 2 ** 36);
      },
      /^is larger than \d+ bytes$/,
    ],
    ["binary", (path) => fs.writeFileSync(path, Buffer.alloc(4096, 0xff)), /./],
  ];
  it.each(strange)(
    "K2: %s named as an entry is set aside with its reason, and neither blocks nor is followed",
    async (what, make, reason) => {
      const path = join(r.file("spool"), "0-strange.entry");
      const bad = r.file("spool/bad");
      make(path);
      const pushed = r.push();
      await r.pass();
      expect(r.receipts().at(-1)).toMatchObject({ source: "push", updates: [expect.stringContaining(pushed)] });
      if (what === "binary") fs.utimesSync(path, 0, 0); // the others cannot become entries by waiting
      await r.pass();
      expect(fs.existsSync(path)).toBe(false);
      expect(fs.readFileSync(join(bad, "0-strange.entry.reason"), "utf8").trim()).toMatch(reason);
      for (const name of fs.readdirSync(bad)) fs.rmSync(join(bad, name), { recursive: true });
    },
  );

  it("K2: a socket is set aside", async () => {
    const path = join(r.file("spool"), "socket.entry");
    const server = createServer().listen(path);
    await until("it is there", () => fs.existsSync(path));
    const pushed = r.push();
    await r.pass();
    expect(r.receipts().at(-1)).toMatchObject({ source: "push", updates: [expect.stringContaining(pushed)] });
    expect(r.aside()).toEqual(["is no regular file"]);
    fs.rmSync(join(r.file("spool/bad"), "socket.entry"));
    fs.rmSync(join(r.file("spool/bad"), "socket.entry.reason"));
    server.close();
  });

  it.each<[string, (path: string) => unknown]>([
    ["a link", (path) => fs.symlinkSync("/etc/passwd", path)],
    ["a folder", (path) => fs.mkdirSync(path)],
    ["a pipe", (path) => world.run(["mkfifo", path])],
    [
      "a file of many GiB",
      (path) => {
        fs.writeFileSync(path, "");
        fs.truncateSync(path, 2 ** 36);
      },
    ],
  ])("%s in place of the log of gates, and of the ring, holds nobody up", async (_, make) => {
    for (const name of ["gates", "ring"]) make(join(r.file("spool"), name));
    fs.writeFileSync(
      r.home.layout.daemonPid,
      `${process.pid} ${fs.readFileSync("/proc/self/stat", "latin1").split(" ")[21]}\n`,
    );
    expect(world.gatepost(["settings", "-R", r.path, "window", "24h"]).code, "which rings").toBe(0);
    expect(world.gatepost(["runs", "-R", r.path]).code).toBe(0);
    fs.rmSync(r.home.layout.daemonPid);
    const daemon = startDaemon(world, ["serve", "--poll", "1", r.path]);
    const pushed = r.push();
    await until("it is drained", () => r.receipts().at(-1)?.updates[0]?.includes(pushed));
    expect(await daemon.stop()).toBe(0);
    expect(daemon.said()).not.toMatch(/a bug|EISDIR|ELOOP/);
    expect(fs.readFileSync("/etc/passwd", "utf8")).not.toBe("");
    for (const name of fs.readdirSync(r.file("spool")))
      if (name !== "bad") fs.rmSync(join(r.file("spool"), name), { recursive: true });
    for (const name of fs.readdirSync(r.file("spool/bad")))
      fs.rmSync(join(r.file("spool/bad"), name), { recursive: true });
  });

  it.runIf(root)(
    "K2: a full folder of another user's is put out of the way, and does not stop the home of one who is not root",
    async () => {
      const owner = 12001;
      const dir = fs.mkdtempSync(world.at("foreign-"));
      const spool = join(dir, "spool");
      fs.mkdirSync(join(spool, "theirs.entry", "full"), { recursive: true });
      fs.chmodSync(dir, 0o755);
      fs.chownSync(spool, owner, owner);
      fs.chmodSync(spool, 0o1733);
      fs.chownSync(join(spool, "theirs.entry"), 12002, 12002);
      fs.chmodSync(join(spool, "theirs.entry"), 0o755);
      fs.chmodSync(world.dir, 0o755);
      const code = `const {readSpool, setAside} = await import(process.argv[1]);
      for (const one of readSpool(process.argv[2], Date.now(), new Map()).unusable) setAside(process.argv[2], one);
      console.log(readSpool(process.argv[2], Date.now(), new Map()).unusable.length)`;
      const module = new URL("../../dist/spool/drain.js", import.meta.url).href;
      const argv = ["setpriv", `--reuid=${owner}`, `--regid=${owner}`, "--clear-groups", process.execPath];
      const out = world.run([...argv, "--input-type=module", "-e", code, module, spool]);
      expect(out).toMatchObject({ code: 0, stdout: "0\n" });
      expect(fs.readdirSync(spool).filter((name) => name.endsWith(".aside"))).toHaveLength(1);
    },
  );
});

describe("whatever it is called with,", () => {
  const sh = (umask: string, args: string[]): string[] => ["sh", "-c", `umask ${umask}; exec "$@" <&-`, "sh", ...args];
  const bare = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "Antarctica/Troll" };

  it.each(["000", "777"])(
    "K3: umask %s, no HOME, no terminal, locale C, an odd time zone and no stdin: modes are as ever",
    (umask) => {
      const path = world.bare(`umask-${umask}.git`);
      const state = world.at(`state-${umask}`);
      const env = [
        "env",
        "-i",
        ...Object.entries({ ...bare, XDG_STATE_HOME: state }).map(([key, value]) => `${key}=${value}`),
      ];
      const gatepost = (...args: string[]) =>
        world.run([...env, ...sh(umask, [process.execPath, join(import.meta.dirname, "../../bin/gatepost"), ...args])]);
      const got = world.at(`got-${umask}`);
      for (const args of [
        ["init", path],
        ["settings", "-R", path, "automatic-backoffice", "off"],
        ["hook", "add", "-R", path, "--type", "after-receive", "--command", `umask > '${got}'; cat >> '${got}'`],
        ["hook", "add", "-R", path, "--type", "before-receive", "--command", "true"],
      ])
        expect(gatepost(...args), args.join(" ")).toMatchObject({ code: 0 });
      const clone = world.clone(path, `clone-${umask}`);
      const hash = world.commit(clone, { a: umask });
      const pushed = world.run([
        ...env,
        ...sh(umask, ["git", "-C", clone, "push", "-q", path, "HEAD:refs/heads/main"]),
      ]);
      expect(pushed.code, pushed.stderr).toBe(0);
      const home = join(path, "gatepost");
      const entries = fs.readdirSync(join(home, "spool")).filter((name) => name.endsWith(".entry"));
      expect(entries.map((name) => mode(join(home, "spool", name)))).toEqual(["600"]);
      expect(gatepost("backoffice", path)).toEqual({ stdout: "", stderr: "", code: 0 });
      expect(fs.readFileSync(got, "utf8")).toMatch(new RegExp(`^0077\n${hash}`));
      expect(gatepost("runs", "-R", path)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^a-1 .* ok$/m) });
      const modes = Object.fromEntries(
        [
          ".",
          "gatepost.db",
          "hooks.json",
          "spool",
          "spool/bad",
          "gates",
          "gates/before-receive",
          "aux",
          "bin",
          "bin/gatepost",
        ].map((name) => [name, mode(join(home, name))]),
      );
      expect(modes).toEqual({
        ...{ ".": "700", "gatepost.db": "600", "hooks.json": "600", spool: "700", "spool/bad": "700", gates: "700" },
        ...{ "gates/before-receive": "600", aux: "700", bin: "700", "bin/gatepost": "755" },
      });
      expect(mode(join(path, "hooks", "post-receive"))).toBe("755");
      expect([mode(dirname(join(state, "gatepost", "homes"))), mode(join(state, "gatepost", "homes"))]).toEqual([
        "700",
        "600",
      ]);
    },
  );
});

it("secrets in the environment of a backoffice reach no hook, and are stored nowhere", async () => {
  const r = await serve(world);
  r.hook(`env; env >&2; cp %A '${r.file("aux-kept")}'; env > '${r.file("environment")}'`);
  r.hook("exit 3", { retries: 1 } as never);
  r.push({ env: { SECRET_OF_PUSHER: "s3cret-of-pusher" } });
  const env = { AWS_SECRET_ACCESS_KEY: "s3cret-of-daemon", NODE_EXTRA_CA_CERTS: "", DATABASE_URL: "s3cret-of-daemon" };
  const out = world.gatepost(["backoffice", "--trace", "--logfile", world.at("secret.log"), r.path], { env });
  expect(out.code).toBe(0);
  expect(r.read("environment")).toContain("GATEPOST_RUN=");
  r.home.db.sqlite.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const kept = fs.readdirSync(r.home.dir, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  expect(kept.length).toBeGreaterThan(5);
  const files = [...kept.map((one) => join(one.parentPath, one.name)), world.at("secret.log"), registerPath()];
  const leaking = files.filter((file) => fs.readFileSync(file, "latin1").includes("s3cret-of"));
  expect(leaking).toEqual([]);
  expect(out.stdout + out.stderr).not.toContain("s3cret-of");
});

it("every change of a hook is in the audit, with who, old and new, and nothing ever changes or removes an audit line", async () => {
  const { STATEMENTS } = await import("../../src/store/database.ts");
  await import("../../src/home/hooks.ts");
  await import("../../src/home/make.ts");
  await import("../../src/home/backoffice.ts");
  const touching = [...STATEMENTS].filter((sql) => /\bhook_audit\b/.test(sql));
  expect(touching.map((sql) => sql.trim().split(/\s/)[0])).toEqual(expect.arrayContaining(["INSERT", "SELECT"]));
  expect(touching.filter((sql) => !/^\s*(?:INSERT INTO hook_audit|SELECT)\b/.test(sql))).toEqual([]);
  const r = await serve(world);
  for (const args of [
    ["add", "--type", "after-receive", "--command", "echo one"],
    ["edit", "1", "--command", "echo two"],
    ["disable", "1"],
    ["enable", "1"],
    ["delete", "1"],
  ])
    expect(world.gatepost(["hook", ...args, "-R", r.path]).code).toBe(0);
  const lines = r.home.db.sqlite.prepare("SELECT action, uid, old, new FROM hook_audit ORDER BY id").all() as Record<
    string,
    unknown
  >[];
  expect(lines.map(({ uid }) => uid)).toEqual(lines.map(() => process.geteuid?.()));
  expect(
    lines.map(({ action, old, new: now }) => [
      action,
      String(old).includes("echo one"),
      String(now).includes("echo two"),
    ]),
  ).toEqual([
    ["add", false, false],
    ["edit", true, true],
    ["edit", false, true],
    ["edit", false, true],
    ["delete", false, false],
  ]);
});
