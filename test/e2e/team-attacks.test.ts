/** Ways in which a team file's hooks could be gone round without anybody choosing to, and commits that `check` could miss. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorld, type Outcome, program, type World } from "../helpers/cli.ts";

type Given = Readonly<Record<string, unknown>>;

const fileOf = (...hooks: readonly Given[]): string => JSON.stringify({ gatepost: 1, hooks });
const NO_BAD = { name: "no-bad", type: "before-commit", command: "! test -e bad" };
const TICKET = { name: "ticket", type: "commit-msg", command: "grep -q ^APP %A" };
const NO_PUSH = { name: "no-push", type: "before-push", command: "exit 1" };

let world: World;
let app: string;
let count = 0;

beforeAll(() => {
  world = makeWorld();
});
afterAll(() => world.remove());

const git = (args: readonly string[], cwd = app): Outcome => world.run(["git", ...args], { cwd });
const gatepost = (args: readonly string[], cwd = app): Outcome => world.gatepost(args, { cwd });
const commit = (message = "m", cwd = app): Outcome => git(["commit", "-q", "--allow-empty", "-m", message], cwd);
const write = (folder: string, ...hooks: readonly Given[]): void =>
  fs.writeFileSync(join(folder, "gatepost.json"), fileOf(...hooks));

/** A repository of its own, whose team file is obeyed. */
function begin(...hooks: readonly Given[]): void {
  count += 1;
  app = world.workTree(`app-${count}`);
  world.commit(app, { "gatepost.json": fileOf(...hooks) });
  expect(gatepost(["init"])).toMatchObject({ code: 0 });
  expect(gatepost(["settings", "automatic-backoffice", "off"])).toMatchObject({ code: 0 });
}

describe("a type that is new in a team file", () => {
  it("is asked by the push, also where no commit or checkout brought the file", () => {
    begin(NO_BAD);
    git(["checkout", "-q", "-b", "other"]);
    write(app, NO_PUSH);
    git(["-c", "core.hooksPath=/dev/null", "commit", "-qam", "other"]);
    git(["-c", "core.hooksPath=/dev/null", "checkout", "-q", "main"]);
    git(["reset", "-q", "--hard", "other"]);
    const to = world.bare(`to-${count}.git`);
    expect(git(["push", "-q", to, "HEAD:refs/heads/main"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("before-push team hook no-push refused this push"),
    });
  });

  it("is asked where the program that stands its gate was killed, whenever", () => {
    // After the database has the type, and before the shim stands.
    for (const at of [2, 3]) {
      begin(NO_BAD);
      write(app, NO_BAD, TICKET);
      const real = join(app, ".git", "gatepost", "bin", "gatepost");
      fs.renameSync(real, `${real}.real`);
      const dies = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=/^rename"]
        .concat(`--inject=/^rename:signal=KILL:when=${at}`, process.execPath, program)
        .map((word) => `'${word}'`);
      fs.writeFileSync(real, `#!/bin/sh\nexec ${dies.join(" ")} "$@"\n`, { mode: 0o755 });
      commit();
      fs.renameSync(`${real}.real`, real);
      expect([at, commit("no ticket").code]).toEqual([at, 1]);
      expect([at, commit("APP-1").code]).toEqual([at, 0]);
    }
  });

  it("stays asked when the file of its work tree was wrong for a while, and init was called in another", () => {
    begin(NO_BAD);
    const tree = world.at(`tree-${count}`);
    git(["worktree", "add", "-q", "-b", "side", tree]);
    write(tree, TICKET);
    expect(commit("no ticket", tree)).toMatchObject({ code: 1 });
    fs.writeFileSync(join(tree, "gatepost.json"), "<<<<<<< HEAD");
    expect(gatepost(["init"])).toMatchObject({ code: 0 });
    write(tree, TICKET);
    expect(commit("no ticket", tree)).toMatchObject({ code: 1 });
    expect(gatepost(["doctor"])).toMatchObject({ code: 0 });
  });
});

describe("the work tree", () => {
  it("that core.worktree names is the one whose file is shown and obeyed", () => {
    app = world.workTree("elsewhere");
    const root = world.at("root");
    fs.mkdirSync(root);
    git(["config", "core.worktree", root]);
    write(app, { ...NO_BAD, name: "wrong" });
    write(root, NO_BAD);
    expect(gatepost(["init"])).toMatchObject({ code: 0, stderr: expect.stringContaining("no-bad") });
    expect(gatepost(["settings", "automatic-backoffice", "off"])).toMatchObject({ code: 0 });
    expect(gatepost(["doctor"])).toMatchObject({ code: 0 });
    expect(commit()).toEqual({ code: 0, stdout: "", stderr: "" });
    fs.writeFileSync(join(root, "bad"), "");
    expect(commit()).toMatchObject({ code: 1, stderr: expect.stringContaining("team hook no-bad refused") });
  });
});

describe("gatepost check", () => {
  it("says of a range that begins nowhere, as where a variable is not set, that it checked nothing", () => {
    begin(NO_BAD);
    for (const range of ["..HEAD", "...HEAD"])
      expect(gatepost(["check", "--range", range])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("Nothing was checked"),
      });
  });

  it("asks about each commit on its branch, whatever branch a hook has switched to", () => {
    begin(NO_BAD);
    for (const name of ["one", "two"]) {
      fs.writeFileSync(join(app, "bad"), name);
      git(["add", "bad"]);
      git(["-c", "core.hooksPath=/dev/null", "commit", "-qm", name]);
    }
    write(app, { type: "before-commit", ref: ["main"], command: "git checkout -q -b mine; ! test -e bad" });
    expect(gatepost(["check", "--range", "HEAD~2..HEAD"])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("0 passed, 2 refused"),
    });
  });
});
