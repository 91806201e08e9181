/**
 * `hook test ID` of gate hooks, with the real git and the built program: what the gate would say now. In every test the
 * repository and its home are the same bytes afterwards, and the temporary folder is empty.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CallOptions, fails, makeWorld, type Outcome, prints, until, type World } from "../helpers/cli.ts";
import { everything } from "../helpers/untouched.ts";

let world: World;
let app: string;
let env: Record<string, string>;

beforeEach(() => {
  world = makeWorld();
  app = world.workTree("app");
  fs.mkdirSync(world.at("tmp"));
  env = { TMPDIR: world.at("tmp") };
});
afterEach(() => {
  expect(fs.readdirSync(world.at("tmp"))).toEqual([]);
  world.remove();
});

const git = (...args: string[]): string => world.git(args, { cwd: app });

function register(path = app): void {
  app = path;
  expect(world.gatepost(["init", path])).toMatchObject({ code: 0 });
  expect(world.gatepost(["settings", "-R", path, "automatic-backoffice", "off"])).toMatchObject({ code: 0 });
}

function add(type: string, command: string, ...options: string[]): void {
  const words = ["hook", "add", "--type", type, "--name", "it", ...options, "--command", command];
  expect(world.gatepost(words, { cwd: app })).toMatchObject({ code: 0 });
}

/** Tries the hook, and sees to it that nothing else comes of it. */
function test(args: readonly string[] = [], options: CallOptions = {}): Outcome {
  const before = everything(app);
  const outcome = world.gatepost(["hook", "test", "it", ...args], {
    cwd: app,
    ...options,
    env: { ...env, ...options.env },
  });
  expect(everything(app)).toEqual(before);
  return outcome;
}

describe("a before-commit hook", () => {
  beforeEach(() => {
    world.commit(app, { a: "1\n", b: "1\n" }, "first");
    register();
  });

  it("sees the real files, what is staged, and who would commit", () => {
    fs.writeFileSync(join(app, "a"), "staged\n");
    git("add", "a");
    fs.writeFileSync(join(app, "b"), "not staged\n");
    fs.writeFileSync(join(app, "new"), "");
    add(
      "before-commit",
      `pwd -P; git status --porcelain; git diff --cached --name-only; git symbolic-ref HEAD; cat b; echo "$GIT_AUTHOR_NAME $GATEPOST_TYPE"; git rev-parse --show-toplevel; exit 3`,
    );
    const said = [app, "M  a", " M b", "?? new", "a", "refs/heads/main", "not staged", "alice before-commit", app, ""];
    expect(test()).toEqual(fails(1, "gatepost: hook it: exit 3\n", said.join("\n")));
  });

  it("keeps nothing of what it stages, commits or sets", () => {
    fs.writeFileSync(join(app, "a"), "2\n");
    add(
      "before-commit",
      "git add -A && git commit -qm x && git config user.name evil && git tag t && git branch b && git gc -q && git diff --cached --quiet HEAD",
    );
    expect(test()).toEqual(prints(""));
    expect(git("status", "--porcelain")).toBe(" M a");
  });

  it("has a commit description file of what is staged, and that of --aux-file instead", () => {
    fs.writeFileSync(join(app, "c"), "1\n");
    git("add", "c");
    add("before-commit", "cat %A");
    expect(test()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^checkout .*\/app\/\n(.*\n)*ADDED {6}c\n/),
    });
    fs.writeFileSync(world.at("facts"), "mine\n");
    expect(test(["--aux-file", "../facts"])).toEqual(prints("mine\n"));
    expect(test(["--aux-file", "../none"])).toMatchObject({ code: 3, stdout: "" });
  });

  it("would not run where no staged path matches, and that is said", () => {
    add("before-commit", "false", "--path", "*.c");
    expect(test()).toEqual({
      code: 0,
      stdout: "",
      stderr: "gatepost: hook it would not run: no path matches --path.\n",
    });
    fs.writeFileSync(join(app, "x.c"), "");
    git("add", "x.c");
    expect(test()).toEqual(fails(1, "gatepost: hook it: exit 1\n"));
    const { stdout } = test(["--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      end: { kind: "exit", code: 1 },
      verdict: "refused",
      why: "exit 1",
      output: "",
    });
  });

  it("is tried when it is disabled or advisory", () => {
    add("before-commit", "echo no; exit 2", "--advisory");
    expect(test()).toEqual(fails(1, "gatepost: hook it: exit 2\n", "no\n"));
    world.gatepost(["hook", "disable", "it"], { cwd: app });
    expect(test()).toEqual(fails(1, "gatepost: hook it: exit 2\n", "no\n"));
  });

  it("is asked in the linked work tree of the call, in a merge under way, and at a branch that is not born", () => {
    add(
      "before-commit",
      "git symbolic-ref -q HEAD; for r in HEAD MERGE_HEAD; do git rev-parse -q --verify $r; done | wc -l; pwd -P",
    );
    const linked = world.at("linked");
    git("worktree", "add", "-q", "-b", "other", linked);
    expect(test([], { cwd: linked })).toEqual(prints(`refs/heads/other\n1\n${linked}\n`));
    world.commit(linked, { c: "1\n" });
    git("merge", "-q", "--no-ff", "--no-commit", "other");
    expect(test()).toEqual(prints(`refs/heads/main\n2\n${app}\n`));
    git("merge", "--abort");
    git("symbolic-ref", "HEAD", "refs/heads/none");
    expect(test()).toEqual(prints(`refs/heads/none\n0\n${app}\n`));
  });

  it("shows its command with its values and runs nothing with --dry-run", () => {
    add("before-commit", "touch ran; cat %R/x");
    expect(test(["--dry-run"])).toEqual(prints(`touch ran; cat ${app}/.git/x\n`));
  });

  it("takes nothing that speaks of another repository or run from the environment", () => {
    add(
      "before-commit",
      'echo "${GIT_OBJECT_DIRECTORY-} ${GIT_CONFIG_COUNT-} ${GATEPOST_SKIP-} $GATEPOST_USER"; git log --format=%s',
    );
    const foreign = { GIT_DIR: "/nowhere", GIT_OBJECT_DIRECTORY: "/x", GIT_CONFIG_COUNT: "0" };
    const ours = { GATEPOST_SKIP: "it", GATEPOST_TRACE: "1", GATEPOST_USER: "eve" };
    expect(test([], { env: { ...foreign, ...ours } })).toEqual(prints("   alice\nfirst\n"));
  });

  it("ends with the call, and leaves nothing", async () => {
    add("before-commit", `echo $$ >${world.at("pid")}; exec sleep 60`);
    const child = world.start(["hook", "test", "it"], { cwd: app, env });
    const ended = new Promise((resolve) => child.once("close", resolve));
    const pid = await until(
      "the hook runs",
      () => fs.existsSync(world.at("pid")) && Number(fs.readFileSync(world.at("pid"), "utf8")),
    );
    child.kill("SIGTERM");
    expect(await ended).toBe(1);
    expect(fs.existsSync(`/proc/${pid}`)).toBe(false);
  });
});

it("a before-commit hook is refused in a bare repository, where nothing can be staged", () => {
  register(world.bare());
  add("before-commit", "true");
  expect(test()).toEqual(
    fails(
      2,
      "gatepost: Nothing can be staged in a bare repository.\nOn commits that are there: gatepost hook test it --history RANGE\n",
    ),
  );
});

describe("a commit-msg hook", () => {
  it("reads HEAD's message, or the file that is named, which stands for %A and is its first argument", () => {
    world.commit(app, { a: "1\n" }, "first\n\nbody");
    register();
    add("commit-msg", 'cat "$1"; [ "$1" -ef %A ] && echo same; echo more >>"$1"');
    expect(test()).toEqual(prints("first\n\nbody\nsame\n"));
    fs.writeFileSync(world.at("message"), "mine\n");
    expect(test(["--aux-file", "../message"])).toEqual(prints("mine\nsame\n"));
    expect(fs.readFileSync(world.at("message"), "utf8")).toBe("mine\nmore\n");
  });

  it("reads them in a bare repository too, and is refused where there is no commit yet", () => {
    const bare = world.bare();
    register(bare);
    add("commit-msg", 'cat "$1"');
    expect(test()).toMatchObject({ code: 2, stderr: expect.stringMatching(/^gatepost: There is no commit yet/) });
    world.commit(world.clone(bare), { a: "1\n" }, "pushed");
    world.git(["push", "-q", "origin", "main"], { cwd: world.at("clone") });
    expect(test()).toEqual(prints("pushed\n"));
  });
});

describe("a hook of pushes", () => {
  let clone: string;
  const zero = "0".repeat(40);

  function push(message: string, args: readonly string[], more: Record<string, string> = {}): string {
    const id = world.commit(clone, { [message]: "x\n" }, message);
    world.git(["push", "-q", ...args], { cwd: clone, env: more });
    expect(world.gatepost(["backoffice", app])).toMatchObject({ code: 0 });
    return id;
  }

  beforeEach(() => {
    register(world.bare());
    world.git(["config", "receive.advertisePushOptions", "true"], { cwd: app });
    clone = world.clone(app);
  });

  it("is shown the newest commit of HEAD before anything was received, and afterwards the last receipt", () => {
    add(
      "before-receive",
      "cat; git for-each-ref --format='%(objectname) %(refname)'; echo \"$GATEPOST_USER ${GIT_PUSH_OPTION_0-}\"",
    );
    const one = world.commit(clone, { a: "1\n" });
    world.git(["push", "-q", "origin", "HEAD:main"], { cwd: clone });
    expect(test()).toEqual({
      code: 0,
      stderr: "Nothing was received yet; showing the newest commit of HEAD as if it had just arrived.\n",
      stdout: `${zero} ${one} refs/heads/main\n \n`,
    });
    expect(world.gatepost(["backoffice", app])).toMatchObject({ code: 0 });
    const two = push("two", ["-o", "x y", "origin", "HEAD:main"], { GL_USER: "bob" });
    const three = push("three", ["origin", "HEAD:main", "HEAD:side"]);
    expect(test()).toEqual(
      prints(`${two} ${three} refs/heads/main\n${zero} ${three} refs/heads/side\n${two} refs/heads/main\n \n`),
    );
    expect(test(["--new-rcvid", "2"])).toEqual(
      prints(`${one} ${two} refs/heads/main\n${one} refs/heads/main\nbob x y\n`),
    );
  });

  it("reads several receipts as if they were one push", () => {
    const one = push("one", ["origin", "HEAD:main"]);
    push("two", ["origin", "HEAD:main", "HEAD:gone"]);
    const three = push("three", ["origin", "HEAD:main", ":gone"]);
    add("before-receive", "cat");
    expect(test(["--base-rcvid", "1"])).toEqual(prints(`${one} ${three} refs/heads/main\n`));
    expect(test(["--base-rcvid", "9"])).toMatchObject({ code: 2 });
  });

  it("is asked about each ref where it is one of before-ref, and its first refusal is the answer", () => {
    push("one", ["origin", "HEAD:main"]);
    const two = push("two", ["origin", "HEAD:a", "HEAD:b", "HEAD:c"]);
    add("before-ref", 'echo "$1 $2 $3"; case $1 in */b) exit 7 ;; esac');
    const lines = ["a", "b", "c"].map((name) => `refs/heads/${name} ${zero} ${two}\n`);
    expect(test()).toEqual(fails(1, "gatepost: hook it: exit 7\n", lines.join("")));
  });

  it("is told of the push of HEAD's branch to its upstream where it is one of before-push", () => {
    push("one", ["-u", "origin", "HEAD:main"]);
    const url = app;
    const there = world.git(["rev-parse", "HEAD"], { cwd: clone });
    const here = world.commit(clone, { two: "1\n" });
    register(clone);
    add("before-push", 'echo "$1 $2"; cat; pwd -P');
    expect(test()).toEqual(prints(`origin ${url}\nrefs/heads/main ${here} refs/heads/main ${there}\n${clone}\n`));
    git("switch", "-qc", "topic");
    expect(test()).toEqual(prints(`origin ${url}\nrefs/heads/topic ${here} refs/heads/topic ${zero}\n${clone}\n`));
    git("remote", "rename", "origin", "else");
    expect(test()).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^gatepost: HEAD's branch has no upstream/),
    });
  });
});

describe("other hooks that Git runs in place", () => {
  beforeEach(() => {
    world.commit(app, { a: "1\n" });
    register();
  });

  it("get the arguments behind --, which no other hook takes", () => {
    add("git:pre-rebase", 'printf "<%s>" "$@"; exit 6');
    expect(test(["--", "main", "a b'$(touch canary)"])).toEqual(
      fails(1, "gatepost: hook it: exit 6\n", "<main><a b'$(touch canary)>"),
    );
    world.gatepost(["hook", "edit", "it", "--type", "before-commit"], { cwd: app });
    expect(test(["--", "main"])).toMatchObject({ code: 2, stdout: "" });
  });

  it("are run though they come after the fact, and their failure is one", () => {
    add("after-commit", "git log -1 --format=%s; exit 5");
    expect(test()).toEqual(fails(1, "gatepost: hook it: exit 5\n", "m\n"));
  });
});

it("receipts are refused for hooks that do not run on them", () => {
  world.commit(app, { a: "1\n" });
  register();
  add("before-commit", "true");
  for (const option of ["--base-rcvid", "--new-rcvid"])
    expect(test([option, "1"])).toMatchObject({ code: 2, stdout: "" });
});
