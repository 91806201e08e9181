/** The team file from the first commit to a colleague's clone, with the real git: whose hooks run where, and what follows when. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeWorld, type Outcome, type World } from "../helpers/cli.ts";

type Given = Readonly<Record<string, unknown>>;

const fileOf = (...hooks: readonly Given[]): string =>
  `${JSON.stringify({ gatepost: 1, hooks: hooks.map((hook) => ({ type: "before-commit", ...hook })) }, null, 2)}\n`;
const says = (word: string): Given => ({ name: word, command: `echo ${word} >>"$LOG"` });

let world: World;
let log: string;
let origin: string;
let clone: string;
let count = 0;

beforeAll(() => {
  world = makeWorld();
  log = world.at("log");
});
afterAll(() => world.remove());
beforeEach(() => {
  count += 1;
  fs.writeFileSync(log, "");
  origin = world.workTree(`origin-${count}`);
  world.git(["config", "receive.denyCurrentBranch", "ignore"], { cwd: origin });
  world.commit(origin, { "gatepost.json": fileOf(says("lint"), { name: "no-bad", command: "! test -e bad" }) }, "one");
  clone = world.clone(origin, `clone-${count}`);
});

const git = (args: readonly string[], cwd = clone, env: Record<string, string> = {}): Outcome =>
  world.run(["git", ...args], { cwd, env: { LOG: log, ...env } });
const commit = (cwd = clone, env: Record<string, string> = {}): Outcome =>
  git(["commit", "-q", "--allow-empty", "-m", "m"], cwd, env);
const gatepost = (args: readonly string[], cwd = clone, env: Record<string, string> = {}): Outcome =>
  world.gatepost(args, { cwd, env: { LOG: log, ...env } });
function ran(): string[] {
  const words = fs.readFileSync(log, "utf8").split("\n").slice(0, -1);
  fs.writeFileSync(log, "");
  return words;
}
function agree(cwd = clone): void {
  expect(gatepost(["init"], cwd)).toMatchObject({ code: 0 });
  expect(gatepost(["settings", "automatic-backoffice", "off"], cwd)).toMatchObject({ code: 0 });
  ran();
}
/** Takes the program away by which gates would start Node, so that whatever passes did without. */
const withoutNode = (cwd = clone): void => fs.rmSync(join(cwd, ".git", "gatepost", "bin"), { recursive: true });
const write = (folder: string, ...hooks: readonly Given[]): void =>
  fs.writeFileSync(join(folder, "gatepost.json"), fileOf(...hooks));

describe("a colleague's clone", () => {
  it("runs nothing until gatepost init showed what it would run, and then runs it, without Node", () => {
    expect(commit()).toMatchObject({ code: 0 });
    expect(ran()).toEqual([]);
    const { code, stdout, stderr } = gatepost(["init"]);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: [
        "gatepost.json asks to run here:",
        "  TYPE           NAME    COMMAND",
        '  before-commit  lint    echo lint >>"$LOG"',
        "  before-commit  no-bad  ! test -e bad",
        "",
      ].join("\n"),
    });
    expect(stdout.split("\n").at(-2)).toBe(
      "gatepost.json: 2 hooks of the team run here from now on, and changes of the file are followed.",
    );
    gatepost(["settings", "automatic-backoffice", "off"]);
    const node = join(clone, ".git", "gatepost", "bin");
    fs.renameSync(node, `${node}.away`);
    expect(commit()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(ran()).toEqual(["lint"]);
    fs.writeFileSync(join(clone, "bad"), "");
    expect(commit()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        "before-commit team hook no-bad refused this commit. Skip this one: GATEPOST_SKIP=no-bad",
      ),
    });
    expect(commit(clone, { GATEPOST_SKIP: "no-bad" })).toMatchObject({ code: 0 });
    fs.renameSync(`${node}.away`, node);
    const runs = JSON.parse(gatepost(["runs", "--json"]).stdout) as { runs: { hook: Given; state: string }[] };
    expect(runs.runs.map(({ hook, state }) => [hook["id"], hook["name"], state]).slice(0, 2)).toEqual([
      [-1, "team:no-bad", "skipped"],
      [-1, "team:lint", "done"],
    ]);
    expect(gatepost(["runs"]).stdout).toContain("team:lint");
    expect(gatepost(["init"])).toMatchObject({ code: 0, stderr: "" });
  });

  it("is told by hook list where the team's hooks are, and whether they run", () => {
    gatepost(["init", "--no-team"]);
    expect(gatepost(["hook", "list"])).toEqual({
      ...{ code: 0, stdout: "" },
      stderr: "gatepost.json: 2 hooks of the team do not run here: gatepost init\n",
    });
    agree();
    expect(gatepost(["hook", "list"])).toEqual({
      ...{ code: 0, stdout: "" },
      stderr: "gatepost.json: 2 hooks of the team run here too: lint (before-commit), no-bad (before-commit)\n",
    });
    expect(gatepost(["hook", "list", "-R", clone], origin).stderr).toContain("run here too: lint");
    expect(gatepost(["hook", "list", "--json"])).toMatchObject({ code: 0, stderr: "" });
    fs.writeFileSync(join(clone, "gatepost.json"), "{");
    expect(gatepost(["hook", "list"])).toMatchObject({ code: 0, stderr: expect.stringContaining("is not JSON") });
  });

  it("whose question went elsewhere than to its terminal has not agreed", () => {
    const program = [process.execPath, join(import.meta.dirname, "../../bin/gatepost"), "init"];
    const line = `${program.map((word) => `'${word}'`).join(" ")} 2>log`;
    world.run(["script", "-qec", line, "/dev/null"], { cwd: clone, input: "" });
    expect(fs.readFileSync(join(clone, "log"), "utf8")).toContain("gatepost.json was left out");
    expect(fs.existsSync(join(clone, ".git", "gatepost-team"))).toBe(false);
  });

  it("that says no on its terminal has everything but the team's hooks, and can say yes later", () => {
    const program = [process.execPath, join(import.meta.dirname, "../../bin/gatepost"), "init"];
    const asked = (answer: string): Outcome =>
      world.run(["script", "-qec", program.map((word) => `'${word}'`).join(" "), "/dev/null"], {
        cwd: clone,
        input: `${answer}\n`,
      });
    expect(asked("n").stdout).toMatch(/follow changes of the file\? \[y\/N\][\s\S]*gatepost.json was left out/);
    expect(fs.readdirSync(join(clone, ".git", "hooks"))).not.toContain("pre-commit");
    expect(fs.readdirSync(join(clone, ".git", "hooks"))).toContain("post-receive");
    expect(commit()).toMatchObject({ code: 0 });
    expect(ran()).toEqual([]);
    expect(gatepost(["doctor"]).stdout).toContain("gatepost.json is not obeyed: nobody agreed to it here");
    expect(asked("y").stdout).toContain("2 hooks of the team run here from now on");
    gatepost(["settings", "automatic-backoffice", "off"]);
    expect(commit()).toMatchObject({ code: 0 });
    expect(ran()).toEqual(["lint"]);
    expect(gatepost(["init", "--no-team"]).stdout).toContain("gatepost.json is no longer obeyed here.");
    expect(fs.readdirSync(join(clone, ".git", "hooks"))).not.toContain("pre-commit");
    expect(fs.existsSync(join(clone, ".git", "gatepost-team"))).toBe(false);
  });

  it("follows a pull: Node runs there, names what changed, and no commit waits for it", () => {
    agree();
    world.commit(origin, {
      "gatepost.json": fileOf(says("lint"), says("test"), { ...says("msg"), type: "commit-msg" }),
    });
    const pulled = git(["pull", "-q"]);
    expect(pulled).toMatchObject({
      code: 0,
      stderr:
        "gatepost: gatepost.json changed, and is obeyed as it is now. new: test (before-commit), msg (commit-msg); gone: no-bad (before-commit)\n",
    });
    withoutNode();
    expect(commit()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(ran()).toEqual(["lint", "test", "msg"]);
  });

  it("obeys a file that was edited by hand at the next commit, types and all, and before it is committed", () => {
    agree();
    write(clone, says("edited"), { ...says("msg"), type: "commit-msg" }, { ...says("after"), type: "after-commit" });
    expect(commit()).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("new: edited (before-commit), msg (commit-msg), after (after-commit)"),
    });
    expect(ran()).toEqual(["edited", "msg", "after"]);
    withoutNode();
    expect(commit()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(ran()).toEqual(["edited", "msg", "after"]);
  });

  it("refuses commits while the file is wrong, says where, and checks out whatever comes all the same", () => {
    agree();
    fs.writeFileSync(
      join(clone, "gatepost.json"),
      '{"gatepost": 1,\n "hooks": [{"type": "after-receive", "command": "x"}]}\n',
    );
    const { code, stderr } = commit();
    expect(code).toBe(1);
    expect(stderr).toContain("gatepost.json: hooks[0].type (line 2): cannot be after-receive in a team file");
    expect(stderr).toContain("Mend it: edit gatepost.json. Way round: git commit --no-verify");
    const out = git(["checkout", "-q", "-b", "other"]);
    expect([out.code, out.stderr]).toEqual([0, expect.stringContaining("commits are refused")]);
    expect(gatepost(["doctor"])).toMatchObject({ stdout: expect.stringContaining("Commits are refused.") });
    fs.writeFileSync(join(clone, "gatepost.json"), fileOf(says("fine")));
    expect(commit()).toMatchObject({ code: 0 });
    expect(ran()).toEqual(["fine"]);
  });

  it("vouches with the team's hooks beside its own, and names a commit that went round both", () => {
    agree();
    expect(gatepost(["hook", "add", "--type", "before-commit", "--command", 'echo own >>"$LOG"'])).toMatchObject({
      code: 0,
    });
    expect(commit()).toMatchObject({ code: 0 });
    expect(ran()).toEqual(["own", "lint"]);
    expect(gatepost(["runs", "--ungated"]).stdout).not.toContain("--no-verify");
    const later = { GIT_COMMITTER_DATE: new Date(Date.now() + 5000).toISOString() };
    gatepost(["settings", "reconcile-age", "0"]);
    expect(git(["commit", "-qn", "--allow-empty", "-m", "round"], clone, later)).toMatchObject({ code: 0 });
    const { ungated } = JSON.parse(gatepost(["runs", "--ungated", "--json"]).stdout) as {
      ungated: { subject: string }[];
    };
    expect(ungated.map(({ subject }) => subject)).toEqual(["round"]);
  });
});

describe("two work trees on two branches", () => {
  it("each obey their own file, and the branch without one has no team hooks and needs no Node", () => {
    agree();
    git(["checkout", "-q", "-b", "bare-branch"]);
    git(["rm", "-q", "gatepost.json"]);
    expect(commit()).toMatchObject({ code: 0 });
    expect(ran()).toEqual([]);
    const other = world.at(`other-${count}`);
    expect(git(["worktree", "add", "-q", other, "main"])).toMatchObject({
      code: 0,
      stderr: "gatepost: gatepost.json is obeyed in this work tree: lint (before-commit), no-bad (before-commit)\n",
    });
    write(other, says("other"));
    expect(commit(other)).toMatchObject({ stderr: expect.stringContaining("gatepost.json changed") });
    withoutNode();
    expect(commit(other)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(commit()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(ran()).toEqual(["other", "other"]);
    expect(git(["checkout", "-q", "--detach", "main"])).toMatchObject({ code: 0, stderr: "" });
    expect(commit()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(ran()).toEqual(["lint"]);
  });

  it("are all left by uninstall, which takes every trace away", () => {
    const before = fs.readdirSync(join(clone, ".git", "hooks")).sort();
    agree();
    const other = world.at(`linked-${count}`);
    git(["worktree", "add", "-q", "-b", "linked", other]);
    expect(fs.existsSync(join(clone, ".git", "worktrees", `linked-${count}`, "gatepost-team"))).toBe(true);
    expect(gatepost(["uninstall"])).toMatchObject({ code: 0 });
    expect(fs.existsSync(join(clone, ".git", "worktrees", `linked-${count}`, "gatepost-team"))).toBe(false);
    expect(fs.existsSync(join(clone, ".git", "gatepost-team"))).toBe(false);
    expect(fs.readdirSync(join(clone, ".git", "hooks")).sort()).toEqual(before);
    expect(commit(other)).toMatchObject({ code: 0 });
    expect(ran()).toEqual([]);
  });
});

describe("where gatepost init has nothing to do", () => {
  it("in CI it prints one line and ends well, and nothing is registered", () => {
    const { code, stdout, stderr } = gatepost(["init"], clone, { CI: "true" });
    expect({ code, stdout, lines: stderr.split("\n").length }).toEqual({ code: 0, stdout: "", lines: 2 });
    expect(stderr).toContain("gatepost check --range origin/main..HEAD");
    expect(fs.existsSync(join(clone, ".git", "gatepost"))).toBe(false);
    expect(gatepost(["init", "."], clone, { CI: "true" })).toMatchObject({ code: 0 });
    expect(fs.existsSync(join(clone, ".git", "gatepost"))).toBe(true);
  });

  it("called by a package manager outside of a repository, or for a dependency, it does not touch anybody's", () => {
    const outside = world.at(`outside-${count}`);
    fs.mkdirSync(outside);
    expect(gatepost(["init"], outside)).toMatchObject({ code: 3 });
    expect(gatepost(["init"], outside, { npm_lifecycle_event: "prepare" })).toEqual({
      code: 0,
      stdout: "",
      stderr: "gatepost: This folder is in no repository, so no hooks are put in place.\n",
    });
    const within = join(clone, "node_modules", "some-package");
    fs.mkdirSync(within, { recursive: true });
    expect(gatepost(["init"], within, { npm_lifecycle_event: "postinstall" })).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("a package in node_modules"),
    });
    expect(fs.existsSync(join(clone, ".git", "gatepost"))).toBe(false);
  });
});
