/**
 * What a gate does when something around it is broken. All it needs is sh, the compiled file and its shim: whatever else
 * fails, a commit that passes passes, one that is refused is refused, and a person is told in one line at most. Without
 * its home a gate cannot know its hooks: then it refuses, and says why.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NO_OPTIONS } from "../../src/core/hook.ts";
import type { RepositoryId } from "../../src/core/units.ts";
import { addHook } from "../../src/home/hooks.ts";
import { closeHome, type OpenHome, openHome } from "../../src/home/open.ts";
import { listHooks } from "../../src/store/hook.ts";
import { listRepositories } from "../../src/store/repository.ts";
import { makeWorld, type Outcome, program, silent, type World } from "../helpers/cli.ts";
import { type Gated, gated } from "../helpers/gates.ts";

const ROOT = process.getuid?.() === 0;
const STRANGER = 54321;

let world: World;
let app: Gated;
beforeEach(() => {
  world = makeWorld("gatepost-faults-");
  const path = world.workTree();
  world.commit(path, { "a.txt": "a\n" });
  app = gated(world, path);
  app.hooks("test ! -e refuse", { command: "cat %A >/dev/null" }, { command: "cat >/dev/null", stdin: "paths" });
});
afterEach(() => world.remove());

const lines = ({ stderr }: Outcome): string[] => stderr.match(/gatepost: .*/g) ?? [];
const REFUSAL = /^gatepost: before-commit hook \d+ refused this commit\. Not run: hook \d+, hook \d+\./;

/** Makes a commit; `as` goes before git. */
function commit(name: string, as: readonly string[] = [], env: Record<string, string> = {}): Outcome {
  fs.writeFileSync(join(app.path, name), "x\n");
  const script = 'git add "$1" && git commit -q -m "$1"';
  return world.run([...as, "sh", "-c", script, "sh", name], { cwd: app.path, env });
}

/** A commit that passes and one that is refused are judged as ever. Returns the warnings of each. */
function judgesAsEver(as: readonly string[] = [], env: Record<string, string> = {}): string[][] {
  const passed = commit("fine", as, env);
  expect(passed.code, passed.stderr).toBe(0);
  const refused = commit("refuse", as, env);
  expect(refused.code, refused.stderr).toBe(1);
  const all = lines(refused);
  expect(all.filter((line) => REFUSAL.test(line))).toHaveLength(1);
  return [lines(passed), all.filter((line) => !REFUSAL.test(line))];
}

/** A folder with every program of PATH but node, for PATH. */
function withoutNode(): string {
  const folder = world.at("programs");
  fs.mkdirSync(folder);
  for (const from of (world.env["PATH"] ?? "").split(":").filter((dir) => fs.existsSync(dir)))
    for (const name of fs.readdirSync(from))
      if (!/^node/.test(name) && !fs.existsSync(join(folder, name)))
        fs.symlinkSync(join(from, name), join(folder, name));
  return folder;
}

/** Gives the repository to another user, who then commits; alone, that is us. */
function asOther(): string[] {
  if (!ROOT) return [];
  fs.chmodSync(world.dir, 0o755);
  const chown = (path: string) => fs.lchownSync(path, STRANGER, STRANGER);
  chown(app.path);
  for (const name of fs.readdirSync(app.path, { recursive: true }) as string[]) chown(join(app.path, name));
  return ["setpriv", `--reuid=${STRANGER}`, `--regid=${STRANGER}`, "--clear-groups"];
}

describe("F1: a gate judges as ever", () => {
  it("without Node", () => {
    fs.rmSync(join(app.home, "bin"), { recursive: true });
    expect(judgesAsEver([], { PATH: withoutNode() })).toEqual([[], []]);
    expect(app.verdicts()).toHaveLength(2);
  });

  it("when the program has been moved away", () => {
    fs.writeFileSync(join(app.home, "bin", "gatepost"), '#!/bin/sh\nexec /nowhere/node /nowhere/gatepost "$@"\n');
    expect(judgesAsEver()).toEqual([[], []]);
  });

  it("while another process keeps the database locked", () => {
    const db = new SQLite(join(app.home, "gatepost.db"));
    try {
      db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
      expect(judgesAsEver()).toEqual([[], []]);
    } finally {
      db.close();
    }
  });

  it("when the database is damaged, and when it is gone", () => {
    fs.writeFileSync(join(app.home, "gatepost.db"), randomBytes(20_000));
    expect(judgesAsEver()).toEqual([[], []]);
    fs.rmSync(join(app.path, "refuse"));
    for (const name of fs.readdirSync(app.home)) if (name.startsWith("gatepost.db")) fs.rmSync(join(app.home, name));
    fs.rmSync(join(app.home, "hooks.json"));
    world.git(["rm", "-q", "--cached", "--ignore-unmatch", "refuse"], { cwd: app.path });
    fs.writeFileSync(join(app.path, "another"), "");
    world.git(["add", "another"], { cwd: app.path });
    fs.rmSync(join(app.path, "fine"));
    expect(judgesAsEver()).toEqual([[], []]);
  });

  it("when nothing can be written in its home, with a line that says so", () => {
    const as = asOther();
    const folders = ["", "spool", "aux", "gates"].map((name) => join(app.home, name));
    const files = [join(app.home, "spool", "gates")].filter((file) => fs.existsSync(file));
    for (const place of [...files, ...folders]) fs.chmodSync(place, 0o500);
    try {
      const warning = "gatepost: this run could not be recorded in the spool; the verdict stands";
      expect(judgesAsEver(as)).toEqual([[warning], [warning]]);
    } finally {
      for (const place of folders) fs.chmodSync(place, 0o700);
    }
  });

  it("when spool and aux are gone", () => {
    for (const name of ["spool", "aux"]) fs.rmSync(join(app.home, name), { recursive: true });
    const warning = "gatepost: this run could not be recorded in the spool; the verdict stands";
    expect(judgesAsEver()).toEqual([[warning], [warning]]);
  });
});

describe.skipIf(!ROOT)("on a disk that is full (mounting one needs root)", () => {
  let disk: string;
  beforeEach((context) => {
    disk = world.at("disk");
    fs.mkdirSync(disk);
    const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1500k", "tmpfs", disk]);
    if (status !== 0) context.skip("no file system can be mounted here");
  });
  afterEach(() => {
    spawnSync("umount", ["-l", disk]);
  });

  it("F1: a gate judges as ever, and says in one line that nothing was recorded", () => {
    const home = join(disk, "home");
    const path = world.workTree("full");
    world.commit(path, { "a.txt": "a\n" });
    const call = (...args: string[]) => expect(world.gatepost(args, { cwd: path })).toMatchObject({ code: 0 });
    call("init", "--home", home, path);
    call("settings", "automatic-backoffice", "off");
    for (const command of ["test ! -e refuse", "grep -q '^checkin-comment' %A"])
      call("hook", "add", "--type", "before-commit", "--command", command);
    call("hook", "add", "--type", "before-commit", "--stdin", "paths", "--command", "grep -qz .");
    app = { ...app, path, home };
    const filler = fs.openSync(join(disk, "filler"), "w");
    try {
      for (let size = 65_536; size >= 1; size = Math.trunc(size / 2))
        for (;;) {
          try {
            if (fs.writeSync(filler, Buffer.alloc(size)) < size) break;
          } catch {
            break; // ENOSPC: now with less
          }
        }
    } finally {
      fs.closeSync(filler);
    }
    const warning = "gatepost: this run could not be recorded in the spool; the verdict stands";
    expect(judgesAsEver()).toEqual([[warning], [warning]]);
  });
});

describe("F1: a gate whose home is not there", () => {
  const broken = (why: string) => [
    1,
    [
      `gatepost: The before-commit gate is broken, so this commit is refused: ${why}. Mend it: gatepost init. Way round: git commit --no-verify`,
    ],
  ];
  const outcome = () => {
    const refused = commit("fine");
    return [refused.code, lines(refused)];
  };
  const missing = () => `its home is missing (${join(app.path, ".git")}/gatepost)`;

  it("refuses when the folder was deleted", () => {
    fs.rmSync(app.home, { recursive: true });
    expect(outcome()).toEqual(broken(missing()));
  });

  it("refuses when what points to it is damaged, cut off or points nowhere", () => {
    fs.renameSync(app.home, world.at("elsewhere"));
    const texts = ["", "home", "home: ", "home: relative\ngates: 1\n", `home: ${world.at("elsewhere")}\n`];
    for (const text of [
      ...texts,
      `home: ${world.at("elsewhere")}\ngates: x\n`,
      "\0\0\0",
      `home: ${world.at("elsewhere")}\ngates: 1`,
    ]) {
      fs.writeFileSync(app.home, text);
      expect([text, ...outcome()]).toEqual([text, ...broken(missing())]);
    }
    for (const place of ["/nowhere", world.at("elsewhere")]) {
      fs.writeFileSync(app.home, `home: ${place}\ngates: 7\n`);
      const { code, stderr } = commit("fine");
      expect([
        code,
        stderr.includes(`its compiled file is missing, or may not be read by this user (${place}/gates/7.`),
      ]).toEqual([1, true]);
    }
  });

  it("refuses a push as well", () => {
    const bare = world.bare();
    const server = gated(world, bare);
    server.hooks({ type: "before-receive", command: "true" });
    world.git(["push", "-q", bare, "main"], { cwd: app.path });
    fs.rmSync(server.home, { recursive: true });
    const { code, stderr } = world.run(["git", "push", bare, "main:other"], { cwd: app.path });
    expect([code, stderr.includes("The before-receive gate is broken, so this push is refused")]).toEqual([1, true]);
  });
});

describe("hook add that is killed", () => {
  /** Kills the process before its Nth call that changes a file. */
  const killer = `
    const fs = require("node:fs");
    let left = Number(process.env.KILL_AT);
    for (const name of ["writeFileSync", "renameSync", "linkSync", "rmSync", "mkdirSync", "chmodSync", "fsyncSync", "symlinkSync"]) {
      const real = fs[name];
      fs[name] = (...args) => {
        if (--left === 0) process.kill(process.pid, "SIGKILL");
        return real(...args);
      };
    }
    require("node:module").syncBuiltinESMExports();`;

  const inHome = <T>(work: (home: OpenHome) => T): T => {
    const home = openHome(app.home);
    try {
      return work(home);
    } finally {
      closeHome(home);
    }
  };
  const stored = () => inHome((home) => listHooks(home.db).map(({ command }) => command ?? ""));
  const add = (command: string) =>
    inHome((home) => {
      const [row] = listRepositories(home.db);
      const scope = { scope: "repository", repository: row?.id ?? (0 as RepositoryId) } as const;
      addHook(home, { ...NO_OPTIONS, scope, name: null, sequence: 10, type: "before-commit", command });
    });

  it.each([
    ["first", []],
    ["second", ["echo one"]],
  ])(
    "at any step, over the %s hook, leaves the old gate or the new one whole, and the next call mends the rest",
    (_, old) => {
      const file = world.at("killer.cjs");
      fs.writeFileSync(file, killer);
      const hooksFolder = join(app.path, ".git", "hooks");
      const shim = join(hooksFolder, "pre-commit");
      const said = (commands: string[]) => commands.map((command) => `${command.replace("echo ", "")}\n`).join("");
      const ask = () => (fs.existsSync(shim) ? world.run([".git/hooks/pre-commit"], { cwd: app.path }) : silent);
      const call = ["hook", "add", "--type", "before-commit", "--command", "echo two"];
      const seen = new Set<string>();
      let [step, ended] = [0, false];
      while (!ended) {
        app.hooks(...old);
        step += 1;
        const { status, signal } = spawnSync(process.execPath, ["--require", file, program, ...call], {
          ...{ cwd: app.path, env: { ...world.env, KILL_AT: String(step) }, encoding: "utf8" },
        });
        ended = status === 0;
        expect([step, signal ?? status]).toEqual([step, ended ? 0 : "SIGKILL"]);
        const gate = ask();
        seen.add(gate.stdout);
        expect([step, gate.code, gate.stderr]).toEqual([step, 0, ""]);
        const hooks = stored();
        if (gate.stdout !== said(hooks))
          expect([step, fs.existsSync(join(app.home, "gates", "stale"))]).toEqual([step, true]);
        add("echo three");
        expect([step, ask().stdout]).toEqual([step, said([...hooks, "echo three"])]);
        expect([step, fs.readdirSync(join(app.home, "gates"))]).toEqual([step, ["before-commit"]]);
      }
      expect(step).toBeGreaterThan(8);
      expect([...seen].sort()).toEqual([said(old), said([...old, "echo two"])]);
    },
  );
});
