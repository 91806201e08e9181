/** The options of hooks in gates: how long they may take, whether they count, where and side by side they run. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { GatepostError } from "../../src/core/errors.ts";
import { makeWorld, type Outcome, until, type World } from "../helpers/cli.ts";
import { type Gated, type Given, gated } from "../helpers/gates.ts";

let world: World;
let app: Gated;
let server: Gated;
let log: string;

beforeAll(() => {
  world = makeWorld();
  log = world.at("log");
  const path = world.workTree("app");
  world.commit(path, { "packages/web/a.js": "a\n", "with space/b": "b\n" });
  server = gated(world, world.bare("target.git"));
  app = gated(world, path);
  world.git(["remote", "add", "target", server.path], { cwd: path });
});
afterAll(() => world.remove());
beforeEach(() => {
  fs.writeFileSync(log, "");
  app.records();
  server.records();
});

const git = (args: readonly string[], env: Record<string, string> = {}, cwd = app.path): Outcome =>
  world.run(["git", ...args], { cwd, env: { LOG: log, ...env } });
const commit = (env: Record<string, string> = {}): Outcome => git(["commit", "-q", "--allow-empty", "-m", "m"], env);
const logged = (): string[] => fs.readFileSync(log, "utf8").split("\n").slice(0, -1);
const left = (): string[] => fs.readdirSync(join(app.home, "aux"));

/** Stages a file in a folder that is then taken away. */
function stageWhatIsGone(): void {
  fs.mkdirSync(join(app.path, "gone"));
  fs.writeFileSync(join(app.path, "gone", "file"), "x");
  git(["add", "gone"]);
  fs.rmSync(join(app.path, "gone"), { recursive: true });
}

/** Is a process alive, and no zombie? */
function lives(pid: string | undefined): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(fs.readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

describe("--timeout", () => {
  it("lets a hook that is quick enough alone, with what git gave it", () => {
    app.hooks(
      { type: "commit-msg", timeout: 20, command: 'printf "%s|" "$#" "$1" "$PWD" >>"$LOG"; cat >>"$LOG"' },
      { type: "commit-msg", command: 'echo changed >"$1"', timeout: 20 },
    );
    expect(commit()).toMatchObject({ code: 0, stderr: "" });
    expect(fs.readFileSync(log, "utf8")).toBe(`1|.git/COMMIT_EDITMSG|${app.path}|`);
    expect(git(["log", "-1", "--format=%B"]).stdout.trim()).toBe("changed");
    expect(app.verdicts()).toEqual(["commit-msg pass, 1 pass 0, 2 pass 0"]);
  });

  it("F1: ends a hook that takes longer, says so, and refuses", () => {
    app.hooks({ name: "slow", timeout: 0.3, command: "echo begun; exec sleep 60" }, "echo never");
    const { code, stderr } = commit();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^begun\ngatepost: before-commit hook \d+ \(slow\) is broken, so this commit is refused: ended after 0\.3 s \(--timeout\)\. Not run: hook \d+\. Way round: git commit --no-verify\n$/,
    );
    expect(app.verdicts()).toEqual(["before-commit broken, 1 timeout 124, 2 not run"]);
  });

  it("ends its children too, one that does not hear TERM among them", async () => {
    app.hooks({
      timeout: 0.3,
      command: `(trap '' TERM; echo "$(exec sh -c 'echo $PPID')" >>"$LOG"; while :; do sleep 60; done) & wait`,
    });
    expect(commit()).toMatchObject({ code: 1 });
    const [child] = logged();
    expect(child).toMatch(/^\d+$/);
    await until("the child is gone", () => !lives(child));
    expect(app.verdicts()).toEqual(["before-commit broken, 1 timeout 124"]);
  });

  it("kills a hook that does not hear TERM", () => {
    app.hooks({ timeout: 0.3, command: `trap 'echo heard >>"$LOG"' TERM; while :; do sleep 0.1; done` });
    expect(commit()).toMatchObject({ code: 1 });
    expect(logged()[0]).toBe("heard");
    expect(app.verdicts()).toEqual(["before-commit broken, 1 timeout 137"]);
  });

  it.each([0.9, 20])("takes the hook's own exit 124 within %s s for a refusal", (timeout) => {
    app.hooks({ timeout, command: "exit 124" }, "true");
    expect(commit().stderr).toMatch(/^gatepost: before-commit hook \d+ refused this commit\./);
    expect(app.verdicts()).toEqual(["before-commit refused, 1 refused 124, 2 not run"]);
  });

  it("reads stdin like any other, and nothing is left open for the hooks behind it", () => {
    const open = '[ ! -e /proc/self/fd/3 ] || echo open >>"$LOG"'; // what the runtime uses; git itself leaves 4 and 5 open
    app.hooks(
      { type: "before-push", timeout: 20, command: `cat >>"$LOG"; ${open}` },
      { type: "before-push", stdin: "paths", command: `xargs -0 >>"$LOG"; ${open}` },
      { type: "before-push", command: open },
      { timeout: 20, command: open },
      open,
    );
    expect(commit()).toMatchObject({ code: 0 });
    const head = git(["rev-parse", "HEAD"]).stdout.trim();
    expect(git(["push", "-q", "target", "HEAD:refs/heads/timed"])).toMatchObject({ code: 0, stderr: "" });
    expect(logged()).toEqual([`HEAD ${head} refs/heads/timed ${"0".repeat(40)}`, "packages/web/a.js with space/b"]);
  });

  it("works where there is no program timeout", () => {
    const bin = world.at("bin");
    fs.mkdirSync(bin, { recursive: true });
    for (const name of ["git", "sh", "sleep", "rm", "cat"]) fs.symlinkSync(which(name), join(bin, name));
    app.hooks({ timeout: 0.3, command: "exec sleep 60" });
    expect(commit({ PATH: bin }).stderr).toContain("ended after 0.3 s (--timeout)");
    expect(app.verdicts()).toEqual(["before-commit broken, 1 timeout 143"]);
    app.hooks({ timeout: 20, command: 'echo "$#" >>"$LOG"; exit 3' });
    expect(commit({ PATH: bin })).toMatchObject({ code: 1 });
    expect(logged()).toEqual(["0"]);
    expect(app.verdicts()).toEqual(["before-commit refused, 1 refused 3"]);
  });

  const which = (name: string): string => world.run(["sh", "-c", `command -v ${name}`]).stdout.trim();
});

describe("--advisory", () => {
  it("shows a refusal and refuses nothing; the hooks behind it run", () => {
    app.hooks({ name: "style", advisory: true, command: "echo untidy; exit 3" }, 'echo two >>"$LOG"');
    const { code, stderr } = commit();
    expect(stderr).toMatch(
      /^untidy\ngatepost: before-commit hook \d+ \(style\) failed: exit 3\. It is advisory, so nothing is refused\.\n$/,
    );
    expect([code, logged()]).toEqual([0, ["two"]]);
    expect(app.verdicts()).toEqual(["before-commit pass, 1 advisory 3, 2 pass 0"]);
  });

  it("does not make a refusal of another hook less", () => {
    app.hooks({ advisory: true, command: "kill -9 $$" }, { command: "exit 4" }, { advisory: true, command: "true" });
    expect(commit()).toMatchObject({ code: 1 });
    expect(app.verdicts()).toEqual(["before-commit refused, 1 advisory 137, 2 refused 4, 3 not run"]);
  });

  it("counts on a server as well", () => {
    server.hooks({ type: "before-receive", advisory: true, command: "echo no; exit 1" });
    const { code, stderr } = git(["push", "-q", "--no-verify", "target", "HEAD:refs/heads/advised"]);
    expect([code, stderr]).toEqual([0, expect.stringContaining("It is advisory, so nothing is refused.")]);
    server.hooks();
  });
});

describe("the sequence", () => {
  it("orders hooks as numbers, equal ones by their ids, and the first refusal ends it", () => {
    const given: Given[] = [10, 9, 2, -1, 9].map((sequence, n) => ({
      sequence,
      command: `echo ${sequence} ${"abcde"[n]} >>"$LOG"; ${sequence === 10 ? "exit 1" : ":"}`,
    }));
    app.hooks(...given, { sequence: 11, command: 'echo 11 >>"$LOG"' });
    expect(commit()).toMatchObject({ code: 1 });
    expect(logged()).toEqual(["-1 d", "2 c", "9 b", "9 e", "10 a"]);
  });
});

describe("--dir", () => {
  // A commit of what git says is staged there, and a line of where it is.
  const look = 'echo "$PWD $(git rev-parse --show-prefix --show-toplevel | tr "\\n" " ")" >>"$LOG"';

  it("runs the hook there, and git works there, in a linked work tree and with commit -a too", () => {
    const tree = world.at("tree");
    git(["worktree", "add", "-q", "--detach", tree]);
    app.hooks({ dir: "packages/web", command: `${look}; git diff --cached --name-only --relative >>"$LOG"` });
    for (const root of [app.path, tree])
      for (const args of [[], ["-a"], ["packages/web/a.js"]]) {
        fs.writeFileSync(log, "");
        fs.appendFileSync(join(root, "packages/web/a.js"), "more\n");
        fs.appendFileSync(join(root, "with space/b"), "more\n");
        if (args.length === 0) git(["add", "."], {}, root);
        expect(git(["commit", "-q", "-m", "m", ...args], {}, root)).toMatchObject({ code: 0, stderr: "" });
        expect(logged()).toEqual([`${root}/packages/web packages/web/ ${root} `, "a.js"]);
      }
  });

  it("makes the paths of --stdin paths and --path relative to it, and node_modules/.bin there come first", () => {
    const bin = join(app.path, "packages/web/node_modules/.bin");
    fs.mkdirSync(bin, { recursive: true });
    fs.writeFileSync(join(bin, "lint"), '#!/bin/sh\necho "lint $*" >>"$LOG"\n', { mode: 0o755 });
    app.hooks(
      { dir: "packages/web", stdin: "paths", path: ["*.js"], command: "xargs -0 lint --" },
      { dir: "with space", path: ["b"], command: 'echo b >>"$LOG"' },
      { dir: "with space", path: ["packages"], command: 'echo never >>"$LOG"' },
    );
    fs.writeFileSync(join(app.path, "packages/web/c.js"), "c\n");
    fs.writeFileSync(join(app.path, "with space/b"), "b again\n");
    git(["add", "packages/web/c.js", "with space/b"]);
    expect(commit()).toMatchObject({ code: 0, stderr: "" });
    expect(logged()).toEqual(["lint -- c.js", "b"]);
    expect(app.verdicts()).toEqual(["before-commit pass, 1 pass 0, 2 pass 0, 3 skipped path"]);
  });

  it("gives a commit-msg hook a message file that it finds from there, and with --timeout as well", () => {
    app.hooks(
      { type: "commit-msg", dir: "packages/web", command: 'sed -i s/m/n/ "$1"' },
      { type: "commit-msg", dir: "packages/web", timeout: 20, command: 'sed -i s/n/o/ %A; echo "$# $PWD" >>"$LOG"' },
    );
    expect(commit()).toMatchObject({ code: 0, stderr: "" });
    expect(git(["log", "-1", "--format=%s"]).stdout).toBe("o\n");
    expect(logged()).toEqual([`1 ${app.path}/packages/web`]);
  });

  it("that is not there, nor anything of it in the index, leaves the hook out; else it breaks the gate", () => {
    app.hooks({ dir: "gone", command: "exit 3" });
    expect(commit()).toMatchObject({ code: 0 });
    stageWhatIsGone();
    expect(commit().stderr).toContain("is broken, so this commit is refused: the folder gone of --dir is not there");
    expect(app.verdicts()).toEqual(["before-commit pass, 1 skipped path", "before-commit broken, 1 broken 1"]);
    git(["reset", "-q", "--hard"]);
  });
});

describe("--parallel", () => {
  // Each says that it is there and waits for the other: one after the other, neither would end.
  const meet = (own: string, other: string): string =>
    `: >"$MEET.${own}"; n=0; until [ -e "$MEET.${other}" ]; do n=$((n + 1)); [ $n -lt 500 ] || exit 9; sleep 0.01; done`;
  const parallel = (command: string, more: Record<string, unknown> = {}): Given => ({
    parallel: true,
    command,
    ...more,
  });
  const env = (name: string) => ({ MEET: world.at(name) });

  it("runs neighbours at the same time, and shows what they wrote one after the other, in their order", () => {
    app.hooks(
      parallel(`echo 1a; echo 1b >&2; ${meet("a", "b")}; echo 1c`),
      parallel(`echo 2a; ${meet("b", "a")}; echo 2b`, { timeout: 20 }),
      parallel('cat; echo "3 $GATEPOST_HOOK"', { name: "third" }),
    );
    expect(commit(env("meet-1"))).toEqual({ code: 0, stdout: "", stderr: "1a\n1b\n1c\n2a\n2b\n3 third\n" });
    expect(app.verdicts()).toEqual(["before-commit pass, 1 pass 0, 2 pass 0, 3 pass 0"]);
    expect(left()).toEqual([]);
  });

  it("lets all of them end before the verdict; a refusal among them keeps the next hook from running", () => {
    app.hooks(
      parallel(`${meet("c", "d")}; echo first; exit 5`, { name: "first" }),
      parallel(`${meet("d", "c")}; echo second >>"$LOG"; echo second`, { name: "second" }),
      'echo third >>"$LOG"',
    );
    const { code, stderr } = commit(env("meet-2"));
    expect(stderr).toMatch(
      /^first\nsecond\ngatepost: before-commit hook \d+ \(first\) refused this commit\. Not run: hook \d+\. /,
    );
    expect([code, logged()]).toEqual([1, ["second"]]);
    expect(app.verdicts()).toEqual(["before-commit refused, 1 refused 5, 2 pass 0, 3 not run"]);
    expect(left()).toEqual([]);
  });

  it("keeps to neighbours: one without it between them is a wall", () => {
    app.hooks(
      parallel('echo 1 >>"$LOG"'),
      'echo "2 $(wc -l <"$LOG")" >>"$LOG"',
      parallel('echo "3 $(wc -l <"$LOG")" >>"$LOG"'),
    );
    expect(commit()).toMatchObject({ code: 0 });
    expect(logged()).toEqual(["1", "2 1", "3 2"]);
  });

  it("goes with all other options: one is left out, one timed out, one killed, one advisory, one reads paths", () => {
    app.hooks(
      parallel("true", { ref: ["refs/heads/none"] }),
      parallel("exec sleep 60", { timeout: 0.3 }),
      parallel("kill -9 $$"),
      parallel("exit 3", { advisory: true }),
      parallel('xargs -0 >>"$LOG"; pwd >>"$LOG"', { stdin: "paths", dir: "packages/web" }),
      parallel("true", { name: "skipme" }),
    );
    fs.appendFileSync(join(app.path, "packages/web/a.js"), "more\n");
    git(["add", "packages/web/a.js"]);
    expect(commit({ GATEPOST_SKIP: "skipme" })).toMatchObject({ code: 1 });
    expect(logged()).toEqual(["a.js", `${app.path}/packages/web`]);
    expect(app.verdicts()).toEqual([
      "before-commit broken, 1 skipped ref, 6 skipped asked, 2 timeout 124, 3 signal 137, 4 advisory 3, 5 pass 0",
    ]);
    expect(left()).toEqual([]);
  });

  it("none of them is run, nor said to have been, where one of them cannot be prepared", () => {
    stageWhatIsGone();
    app.hooks(parallel('echo 1 >>"$LOG"'), parallel('echo 2 >>"$LOG"', { dir: "gone" }));
    expect(commit().stderr).toContain("the folder gone of --dir is not there");
    expect(logged()).toEqual([]);
    expect(app.verdicts()).toEqual(["before-commit broken, 2 broken 1, 1 not run"]);
    git(["reset", "-q", "--hard"]);
  });

  it("gives each its own copy of what git hands over", () => {
    app.hooks(
      parallel('sed s/^/1:/ >>"$LOG.1"', { type: "before-push" }),
      parallel('sed s/^/2:/ >>"$LOG.2"', { type: "before-push" }),
    );
    const head = git(["rev-parse", "HEAD"]).stdout.trim();
    expect(git(["push", "-q", "target", "HEAD:refs/heads/copies"])).toMatchObject({ code: 0 });
    for (const n of [1, 2])
      expect(fs.readFileSync(`${log}.${n}`, "utf8")).toBe(`${n}:HEAD ${head} refs/heads/copies ${"0".repeat(40)}\n`);
  });
});

describe("GATEPOST_SKIP", () => {
  it("leaves hooks out by id and by name, and nothing else; all of it is recorded", () => {
    const [, second] = app.hooks(
      { name: "lint", command: 'echo 1 >>"$LOG"' },
      'echo 2 >>"$LOG"',
      { name: "lint-more", command: 'echo 3 >>"$LOG"' },
      { name: "x", command: 'echo 4 >>"$LOG"' },
    );
    expect(commit({ GATEPOST_SKIP: `lint,${second},no-such,*` })).toMatchObject({ code: 0, stderr: "" });
    expect(logged()).toEqual(["3", "4"]);
    expect(app.verdicts()).toEqual(["before-commit pass, 1 skipped asked, 2 skipped asked, 3 pass 0, 4 pass 0"]);
  });

  it("means nothing to a server, nor does GATEPOST_TRACE", () => {
    server.hooks({ type: "before-receive", name: "policy", command: 'echo "${GATEPOST_SKIP-unset}"; exit 1' });
    const env = { GATEPOST_SKIP: "policy", GATEPOST_TRACE: "1" };
    const { code, stderr } = git(["push", "-q", "--no-verify", "target", "HEAD:refs/heads/skip"], env);
    expect([code, stderr]).toEqual([1, expect.stringContaining("remote: unset")]);
    expect(stderr).not.toMatch(/\d ms/);
    expect(server.verdicts()).toEqual(["before-receive refused, 1 refused 1"]);
    server.hooks();
  });
});

describe("what a local hook finds", () => {
  it("is $1, node_modules/.bin before all else on PATH, and what env.sh says", () => {
    const bin = join(app.path, "node_modules/.bin");
    fs.mkdirSync(bin, { recursive: true });
    fs.writeFileSync(join(bin, "git"), '#!/bin/sh\necho "a git of its own"\n', { mode: 0o755 });
    const settings = world.at("user", ".config", "gatepost");
    fs.mkdirSync(settings, { recursive: true });
    fs.writeFileSync(join(settings, "env.sh"), "export TOLD=yes\nalias echo=false\nFROM_ENV=1\n");
    app.hooks({ type: "commit-msg", command: 'git --version >>"$LOG"; echo "$TOLD $# $1 $@" >>"$LOG"' });
    server.hooks({ type: "before-receive", command: 'echo "${TOLD-not told} $PATH" >>"$LOG"' });
    expect(git(["commit", "-q", "--allow-empty", "-m", "m"])).toMatchObject({ code: 0, stderr: "" });
    expect(logged()).toEqual(["a git of its own", "yes 1 .git/COMMIT_EDITMSG .git/COMMIT_EDITMSG"]);
    fs.writeFileSync(log, "");
    expect(git(["push", "-q", "target", "HEAD:refs/heads/env"])).toMatchObject({ code: 0, stderr: "" });
    expect(logged()).toEqual([expect.stringMatching(/^not told (?!.*node_modules)\//)]);
    server.hooks();
    fs.rmSync(settings, { recursive: true });
    fs.rmSync(join(app.path, "node_modules"), { recursive: true });
  });
});

describe("an option that a type cannot have", () => {
  const refusals: [string, Record<string, unknown>, string][] = [
    ["before-receive", { dir: "x" }, "--dir is not for before-receive hooks. Nothing was changed."],
    ["before-receive", { parallel: true }, "--parallel is not for before-receive hooks. Nothing was changed."],
    ["before-ref", { parallel: true }, "--parallel is not for before-ref hooks. Nothing was changed."],
    ["git:post-update", { dir: "x" }, "--dir is not for git:post-update hooks. Nothing was changed."],
    ["before-commit", { retries: 2 }, "--retries is not for before-commit hooks. Nothing was changed."],
    ["before-commit", { inOrder: true }, "--in-order is not for before-commit hooks. Nothing was changed."],
    ["before-push", { each: "receipt" }, "--each is not for before-push hooks. Nothing was changed."],
    ["before-commit", { trees: true }, "--trees is not for before-commit hooks. Nothing was changed."],
    ["git:pre-rebase", { ref: ["main"] }, "--ref is not for git:pre-rebase hooks. Nothing was changed."],
    ["git:post-merge", { path: ["x"] }, "--path is not for git:post-merge hooks. Nothing was changed."],
    ["after-receive", { advisory: true }, "--advisory is not for after-receive hooks. Nothing was changed."],
    ["git:post-merge", { stdin: "paths" }, "--stdin paths is not for git:post-merge hooks. Nothing was changed."],
    ["before-commit", { stdin: "updates" }, "--stdin updates is not for before-commit hooks. Nothing was changed."],
    ["before-commit", { dir: "../x" }, '--dir takes a folder below the root of the work tree, not "../x".'],
    ["before-commit", { dir: "/x" }, '--dir takes a folder below the root of the work tree, not "/x".'],
    ["before-commit", { path: ["*.{a,b}"] }, 'Git knows no braces in a path: "*.{a,b}" would match nothing.'],
    ["before-commit", { ref: ["x/**/*y"] }, 'A gate cannot match the ref pattern "x/**/*y".'],
  ];

  it.each(refusals)("is refused: %s %j", (type, options, message) => {
    app.hooks();
    const add = (): unknown => app.hooks({ type, command: "true", ...options });
    expect(add).toThrow(GatepostError);
    expect(add).toThrow(message);
  });

  it("is refused by the command line with the way out, and two patterns for one with braces", () => {
    const add = (...args: string[]): Outcome =>
      world.gatepost(["hook", "add", "--command", "true", ...args], { cwd: app.path });
    expect(add("--type", "before-receive", "--parallel")).toEqual({
      code: 2,
      stdout: "",
      stderr:
        "gatepost: --parallel is not for before-receive hooks. Nothing was changed.\nLeave it out; of a hook that has it: --unset parallel\n",
    });
    expect(add("--type", "before-commit", "--path", "src/*.{ts,js}")).toEqual({
      code: 2,
      stdout: "",
      stderr:
        "gatepost: Git knows no braces in a path: \"src/*.{ts,js}\" would match nothing.\nWrite --path 'src/*.ts' --path 'src/*.js'\n",
    });
  });
});
