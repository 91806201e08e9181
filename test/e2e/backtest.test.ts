/**
 * `hook test ID --history RANGE`, with the real git and the built program: what a gate hook would have said to commits
 * and to pushes. In every test the repository, its work tree and its home are the same bytes afterwards, and the
 * temporary folder is empty.
 */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeWorld, type Outcome, program, until, type World } from "../helpers/cli.ts";
import { everything } from "../helpers/untouched.ts";

let world: World;
let app: string;
let log: string;

beforeEach(() => {
  world = makeWorld();
  app = world.workTree("app");
  log = world.at("log");
  fs.mkdirSync(world.at("tmp"));
});
afterEach(() => {
  expect(fs.readdirSync(world.at("tmp"))).toEqual([]);
  world.remove();
});

const gatepost = (...args: string[]): Outcome => world.gatepost(args, { cwd: app, env: { TMPDIR: world.at("tmp") } });

function register(path = app): void {
  expect(world.gatepost(["init", path])).toMatchObject({ code: 0 });
  expect(world.gatepost(["settings", "-R", path, "automatic-backoffice", "off"])).toMatchObject({ code: 0 });
}

function add(command: string, ...options: string[]): void {
  const type = options.includes("--type") ? [] : ["--type", "before-commit"];
  expect(gatepost("hook", "add", ...type, ...options, "--command", command)).toMatchObject({ code: 0 });
}

/** Calls with --history, and sees to it that nothing but the answer comes of it. */
function history(range: string, ...options: string[]): Outcome {
  const before = everything(app);
  const outcome = gatepost("hook", "test", "1", "--history", range, ...options);
  expect(everything(app)).toEqual(before);
  return outcome;
}

type Report = {
  unit: string;
  counts: Record<string, number>;
  skipped: Record<string, number>;
  interrupted: boolean;
  refused: { id: string; subject: string; exit: number; why: string; output: string }[];
};

function report(range: string, ...options: string[]): Report {
  const { stdout, stderr, code } = history(range, "--json", ...options);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  return JSON.parse(stdout) as Report;
}

const logged = (): string[] => fs.readFileSync(log, "utf8").trimEnd().split("\n");
const git = (...args: string[]): string => world.git(args, { cwd: app });

describe("a before-commit hook on a range of commits", () => {
  it("is told to have refused what it would have refused, oldest first, with what it said", () => {
    for (const [file, text] of [
      ["a", "ok"],
      ["b", "TODO later"],
      ["c", "ok"],
      ["b", "TODO never"],
    ] as const)
      world.commit(app, { [file]: `${text}\n` }, `change ${file}: ${text}`);
    register();
    add('if grep -n TODO $(git diff --cached --name-only); then echo "leave no TODO"; exit 4; fi');
    const outcome = history("main");
    const [b, d] = [git("rev-parse", "--short=10", "HEAD~2"), git("rev-parse", "--short=10", "HEAD")];
    expect(outcome).toEqual({
      code: 0,
      stderr: "",
      stdout: `4 commits: 2 would pass, 2 would be refused.\nCOMMIT      SUBJECT               SAID\n${b}  change b: TODO later  1:TODO later\n${d}  change b: TODO never  1:TODO never\n`,
    });
    const { counts, refused } = report("main~2..");
    expect(counts).toEqual({ tried: 2, passed: 1, refused: 1, skipped: 0, gone: 0 });
    expect(refused).toEqual([
      {
        ...{ id: git("rev-parse", "HEAD"), subject: "change b: TODO never", exit: 4, why: "exit 4" },
        output: "1:TODO never\nleave no TODO\n",
      },
    ]);
  });

  it("sees HEAD, branch, index, files and author as they were: at a first commit, at others, and at a merge", () => {
    world.commit(app, { a: "1\n", "deep/er": "x\n" }, "first");
    git("switch", "-qc", "side");
    world.commit(app, { b: "1\n", a: "2\n" }, "on the side");
    git("switch", "-q", "main");
    fs.rmSync(join(app, "deep"), { recursive: true });
    world.run(["git", "-c", "user.name=x", "commit", "-qam", "by bob"], {
      cwd: app,
      env: {
        GIT_AUTHOR_NAME: 'bob "b" $(touch canary)',
        GIT_AUTHOR_EMAIL: "bob@x",
        GIT_AUTHOR_DATE: "1700000000 +0130",
      },
    });
    git("merge", "-q", "--no-ff", "-m", "merged", "side");
    register();
    add(
      `{ git rev-parse --verify -q HEAD || echo none; git symbolic-ref HEAD; git write-tree; git diff --name-only | wc -l; find . -name .git -prune -o -type f -print | sort | tr '\\n' ' '; echo "$GIT_AUTHOR_NAME,$GIT_AUTHOR_EMAIL,$GIT_AUTHOR_DATE,$GIT_INDEX_FILE,\${GIT_DIR-unset}"; } >>${log}`,
    );
    expect(report("main").counts).toMatchObject({ tried: 4, passed: 4 });
    const seen = git("rev-list", "--topo-order", "--reverse", "main")
      .split("\n")
      .flatMap((id) => [
        git("rev-list", "--parents", "-1", id).split(" ")[1] ?? "none",
        "refs/heads/main",
        git("rev-parse", `${id}^{tree}`),
        "0",
        `${git("ls-tree", "-r", "--name-only", id)
          .split("\n")
          .sort()
          .map((name) => `./${name} `)
          .join("")}${git("log", "-1", "--format=%an,%ae,@%ad", "--date=raw", id)},.git/index,unset`,
      ]);
    expect(logged()).toEqual(seen);
    expect(fs.existsSync(join(app, "canary"))).toBe(false);
  });

  it("asks pre-merge-commit about a merge and pre-commit about all else", () => {
    world.commit(app, { a: "1\n" });
    git("switch", "-qc", "side");
    world.commit(app, { b: "1\n" });
    git("switch", "-q", "main");
    git("merge", "-q", "--no-ff", "-m", "merged", "side");
    register();
    const climb =
      "p=$PPID; while [ $p -gt 1 ]; do tr '\\0' '\\n' </proc/$p/cmdline | grep '^.git/hooks/' && exit 0; p=$(cut -d' ' -f4 /proc/$p/stat); done; exit 1";
    fs.writeFileSync(world.at("caller"), `#!/bin/sh\n${climb}\n`, { mode: 0o755 });
    add(`${world.at("caller")} >>${log}`);
    report("main");
    expect(logged()).toEqual([".git/hooks/pre-commit", ".git/hooks/pre-commit", ".git/hooks/pre-merge-commit"]);
  });

  it("finds none of what it left at the commit before: files, changes, ignored files, locks, commits, refs", () => {
    for (const n of [1, 2, 3]) world.commit(app, { a: `${n}\n`, ".gitignore": "*.o\n" }, `c${n}`);
    register();
    add(
      `[ -z "$(git status --porcelain --ignored | grep -v '^[AM]  ')" ] || exit 5
       git rev-parse -q --verify refs/heads/main >>${log} || echo none >>${log}
       echo changed >a; echo x >new; echo x >new.o; mkdir -p d/e; echo x >d/e/f; git add new; : >.git/index.lock; chmod 500 d/e
       git commit-tree -m x "$(git rev-parse HEAD^{tree})" | xargs git update-ref refs/heads/main; exit 0`,
    );
    expect(report("main")).toMatchObject({ counts: { tried: 3, passed: 3 }, refused: [] });
    expect(logged()).toEqual(["none", git("rev-parse", "HEAD~2"), git("rev-parse", "HEAD~1")]);
  });

  it("is counted as left out where --path or --ref leaves it out, by the branch of today", () => {
    for (const name of ["a.c", "b.h", "c.c"]) world.commit(app, { [name]: "1\n" });
    register();
    add("false", "--path", "*.c");
    expect(history("main").stdout).toMatch(
      /^3 commits: 0 would pass, 2 would be refused, 1 skipped \(no path matches --path\)\.\n/,
    );
    expect(gatepost("hook", "edit", "1", "--unset", "path", "--ref", "release/*")).toMatchObject({ code: 0 });
    expect(report("main")).toMatchObject({ counts: { tried: 3, skipped: 3 }, skipped: { "no ref matches --ref": 3 } });
    git("switch", "-qc", "release/1");
    expect(report("main").counts).toMatchObject({ tried: 3, refused: 3 });
  });

  it("is judged although it is advisory or disabled, and so is one that cannot be found, is killed, or takes too long", () => {
    world.commit(app, { a: "1\n" });
    register();
    add("exit 9", "--advisory");
    expect(history("main")).toMatchObject({
      stdout: expect.stringContaining("1 would be refused"),
      stderr: "The hook is advisory: as it is, it would refuse nothing.\n",
    });
    gatepost("hook", "edit", "1", "--unset", "advisory");
    gatepost("hook", "disable", "1");
    expect(report("main").refused).toMatchObject([{ exit: 9, why: "exit 9" }]);
    for (const [command, why, ...options] of [
      ["no-such-program", "not found (127)"],
      ["./a", "could not be run (126)"],
      ["kill -9 $$", "killed by signal 9"],
      ["sleep 20", "timed out after 200 ms", "--timeout", "200ms"],
    ] as const) {
      gatepost("hook", "delete", "1");
      expect(
        gatepost("hook", "add", "--name", "one", "--type", "before-commit", ...options, "--command", command).code,
      ).toBe(0);
      const { stdout } = gatepost("hook", "test", "one", "--history", "main", "--json");
      expect((JSON.parse(stdout) as Report).refused).toMatchObject([{ why }]);
      gatepost("hook", "delete", "one");
    }
  });

  it("gets the tools of the real work tree by their bare names, and its commit description file", () => {
    world.commit(app, { a: "1\n", ".gitignore": "node_modules\n" }, "first");
    world.commit(app, { a: "2\n" }, "second");
    fs.mkdirSync(join(app, "node_modules", ".bin"), { recursive: true });
    fs.writeFileSync(join(app, "node_modules", ".bin", "linter"), '#!/bin/sh\ncat "$1"\nexit 1\n', { mode: 0o755 });
    register();
    add("linter %A");
    const [first, second] = report("main").refused.map(({ output }) => output);
    expect(first).toMatch(/\nbranch main\n(.*\n)*ADDED {6}a\n/);
    expect(second).toMatch(/\nEDITED {5}a\n/);
  });

  it("is tried on the newest N with --limit, and where nothing is in the range on nothing", () => {
    for (const n of [1, 2, 3]) world.commit(app, { a: `${n}\n` }, `c${n}`);
    register();
    add(`cat a >>${log}`);
    expect(report("main", "--limit", "2").counts["tried"]).toBe(2);
    expect(logged()).toEqual(["2", "3"]);
    expect(history("main..main").stdout).toBe("0 commits: 0 would pass, 0 would be refused.\n");
  });

  it("takes HEAD from the linked work tree in which it is called", () => {
    world.commit(app, { a: "1\n" });
    register();
    add(`git symbolic-ref HEAD >>${log}`);
    const linked = world.at("linked");
    git("worktree", "add", "-q", "-b", "other", linked);
    world.commit(linked, { b: "1\n" });
    fs.rmSync(log);
    const before = everything(app);
    const env = { TMPDIR: world.at("tmp") };
    expect(world.gatepost(["hook", "test", "1", "--history", "HEAD~1.."], { cwd: linked, env })).toMatchObject({
      stderr: "",
      stdout: "1 commit: 1 would pass, 0 would be refused.\n",
    });
    expect(everything(app)).toEqual(before);
    expect(logged()).toEqual(["refs/heads/other"]);
  });

  it("is tried where HEAD is detached, in a bare repository, in a shallow clone, and in one with SHA-256", () => {
    world.commit(app, { a: "1\n" });
    world.commit(app, { a: "2\n" });
    git("switch", "-q", "--detach");
    const bare = world.at("bare.git");
    git("clone", "-q", "--bare", app, bare);
    const shallow = world.at("shallow");
    git("clone", "-q", "--depth", "1", `file://${app}`, shallow);
    const wide = world.at("wide");
    git("init", "-q", "-b", "main", "--object-format=sha256", wide);
    world.commit(wide, { a: "1\n" });
    for (const [path, range, tried] of [
      [app, "HEAD", 2],
      [bare, "main", 2],
      [shallow, "HEAD", 1],
      [wide, "HEAD", 1],
    ] as const) {
      register(path);
      const env = { TMPDIR: world.at("tmp") };
      world.gatepost(
        ["hook", "add", "--type", "before-commit", "--command", "test -f a && git fsck --connectivity-only"],
        { cwd: path },
      );
      const { stdout } = world.gatepost(["hook", "test", "1", "--history", range], { cwd: path, env });
      expect([path, stdout]).toEqual([
        path,
        `${tried} commit${tried === 1 ? "" : "s"}: ${tried} would pass, 0 would be refused.\n`,
      ]);
    }
  });

  it("shows no subject or output that could move the cursor or look like another line", () => {
    world.commit(app, { a: "1\n" }, "evil \x1b[2J\u202e subject");
    register();
    add("printf '\\033[31mred\\r\\n'; exit 1");
    const { stdout } = history("main");
    expect(stdout.split("\n")[2]).toMatch(/ {2}evil \\x1b\[2J\\u202e subject {2}\\x1b\[31mred\\r$/);
  });

  it("refuses a range that git does not know, and one that is an option, before anything runs", () => {
    world.commit(app, { a: "1\n" });
    register();
    add(`echo ran >>${log}`);
    const hint = "As git rev-list takes it, such as --history HEAD~200.. or --history v1..v2 or --history main\n";
    const bad = (range: string) => gatepost("hook", "test", "1", `--history=${range}`);
    expect(bad("nix..main")).toEqual({
      ...{ code: 2, stdout: "" },
      stderr: `gatepost: "nix..main" is no range of commits (fatal: bad revision 'nix..main').\n${hint}`,
    });
    for (const range of ["--all", "-n1", "--output=x", ""])
      expect(bad(range)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(hint) });
    expect(fs.existsSync(log)).toBe(false);
  });

  it("shows what was found so far when it is interrupted, ends the hook, and leaves nothing", async () => {
    for (const n of [1, 2, 3]) world.commit(app, { a: `${n}\n` }, `c${n}`);
    register();
    add(`[ "$(cat a)" = 1 ] && exit 1; echo $$ >${log}; exec sleep 60`);
    const before = everything(app);
    // In a group of its own, which gets the signal as a whole, as from a terminal.
    const child = spawn(process.execPath, [program, "hook", "test", "1", "--history", "main"], {
      cwd: app,
      env: { ...world.env, TMPDIR: world.at("tmp") },
      detached: true,
    });
    let stdout = "";
    child.stdout?.on("data", (chunk: Buffer) => (stdout += String(chunk)));
    const ended = new Promise((resolve) => child.once("close", resolve));
    const hook = await until("the hook runs", () => fs.existsSync(log) && Number(fs.readFileSync(log, "utf8")));
    process.kill(-(child.pid ?? 0), "SIGINT");
    expect(await ended).toBe(1);
    expect(stdout).toMatch(/^1 commit: 0 would pass, 1 would be refused\. Interrupted; of 3 in all\.\nCOMMIT /);
    expect(fs.existsSync(`/proc/${hook}`)).toBe(false);
    expect(everything(app)).toEqual(before);
  });
});

describe("a commit-msg hook on a range of commits", () => {
  it("gets the bytes of each message, may rewrite them, and sees index and HEAD but no files", () => {
    world.commit(app, { a: "1\n" }, "first\n\nwith a body");
    const latin = world.run(["git", "-c", "i18n.commitEncoding=latin1", "commit", "-q", "--allow-empty", "-F", "-"], {
      cwd: app,
      input: Buffer.from("caf\xe9\n", "latin1"),
    });
    expect(latin.code).toBe(0);
    register();
    add(
      `cat "$1" >>${log}; echo "$1 $(git ls-files) $(ls | wc -l)" >>${log}; [ "$1" -ef %A ] || exit 3; echo more >>"$1"`,
      "--type",
      "commit-msg",
    );
    expect(report("main").counts).toMatchObject({ tried: 2, passed: 2 });
    const name = ".git/COMMIT_EDITMSG a 0\n";
    expect(fs.readFileSync(log, "latin1")).toBe(`first\n\nwith a body\n${name}caf\xe9\n${name}`);
  });

  it("tells which messages have no ticket number", () => {
    for (const message of ["GP-1 a", "no ticket", "GP-2 b"]) world.commit(app, {}, message);
    register();
    add(
      `grep -q '^GP-' "$1" || { echo "no ticket in: $(head -1 "$1")"; exit 1; }`,
      "--type",
      "commit-msg",
      "--dir",
      "packages/web",
    );
    expect(report("main").refused).toMatchObject([{ subject: "no ticket", output: "no ticket in: no ticket\n" }]);
  });
});

describe("a hook of pushes on a range of receipts", () => {
  let clone: string;

  /** Pushes one commit on each branch, and lets a backoffice take note. */
  function push(message: string, args: readonly string[], env: Record<string, string> = {}): string {
    const id = world.commit(clone, { [message]: "x\n" }, message);
    world.git(["push", "-q", ...args], { cwd: clone, env });
    expect(world.gatepost(["backoffice", app])).toMatchObject({ code: 0 });
    return id;
  }

  beforeEach(() => {
    app = world.bare("app.git");
    world.git(["config", "receive.advertisePushOptions", "true"], { cwd: app });
    register(app);
    clone = world.clone(app);
  });

  const zero = "0".repeat(40);

  it("reads the lines of each push, and sees the refs from before it, its options and its user", () => {
    const first = push("one", ["origin", "HEAD:main"]);
    const second = push("two", ["-o", "a b", "-o", "$(touch canary)", "origin", "HEAD:main", "HEAD:refs/tags/v1"], {
      GL_USER: "bob",
    });
    push("three", ["origin", "HEAD:side", ":refs/tags/v1"]);
    add(
      `{ cat; git for-each-ref --format='%(refname) %(objectname)'; echo "user=$GATEPOST_USER n=\${GIT_PUSH_OPTION_COUNT-}"; echo "\${GIT_PUSH_OPTION_0-}|\${GIT_PUSH_OPTION_1-}|$GIT_DIR"; while read -r o n r; do git cat-file -e "$n" || exit 9; done; git update-ref refs/heads/x HEAD 2>&1 | head -c 50; } >>${log}`,
      "--type",
      "before-receive",
    );
    expect(report("..2")).toMatchObject({ unit: "push", counts: { tried: 2, passed: 2, gone: 0 } });
    const said = "fatal: ref updates forbidden inside quarantine env";
    expect(fs.readFileSync(log, "utf8").replaceAll(/fatal[^\n]{45}/g, `${said}\n`)).toContain(
      [
        `${first} ${second} refs/heads/main`,
        `${zero} ${second} refs/tags/v1`,
        `refs/heads/main ${first}`,
        "user=bob n=2",
        "a b|$(touch canary)|.",
      ].join("\n"),
    );
    expect(logged()[0]).toBe(`${zero} ${first} refs/heads/main`);
    expect(logged()[1]).toMatch(/^user= n=/);
    fs.rmSync(log);
    expect(report("3").counts).toMatchObject({ tried: 1 });
    expect(logged().slice(0, 2).sort()[1]).toBe(`${second} ${zero} refs/tags/v1`);
    expect(logged().slice(2, 4)).toEqual([`refs/heads/main ${second}`, `refs/tags/v1 ${second}`]);
  });

  it("is named in the table by receipt, first ref and user", () => {
    push("one", ["origin", "HEAD:main"]);
    push("two", ["origin", "HEAD:main", "HEAD:alpha"], { REMOTE_USER: "eve" });
    add(
      'while read -r old new ref; do case $ref in */alpha) echo "no features, $REMOTE_USER"; exit 1 ;; esac; done',
      "--type",
      "before-receive",
    );
    expect(history("0..")).toEqual({
      ...{ code: 0, stderr: "" },
      stdout:
        "2 pushes: 1 would pass, 1 would be refused.\nRECEIPT  SUBJECT                 SAID\n2        main and 1 more by eve  no features, eve\n",
    });
  });

  it("is asked about each ref where it is one of before-ref, and refs that pass have moved for the next", () => {
    push("one", ["origin", "HEAD:main"]);
    push("two", ["origin", "HEAD:a", "HEAD:b", "HEAD:c"]);
    add(
      `echo "$1 $(git for-each-ref --format='%(refname:short)' | tr '\\n' ' ')" >>${log}; case $1 in */b) exit 1 ;; esac`,
      "--type",
      "before-ref",
    );
    expect(report("2")).toMatchObject({
      unit: "ref",
      counts: { tried: 3, passed: 2, refused: 1 },
      refused: [{ id: "2", subject: "refs/heads/b" }],
    });
    expect(logged()).toEqual(["refs/heads/a main ", "refs/heads/b a main ", "refs/heads/c a main"]);
  });

  it("is not tried where the commits of a push are gone", () => {
    push("one", ["origin", "HEAD:main"]);
    push("two", ["origin", "HEAD:side"]);
    push("three", ["origin", ":side"]);
    world.git(["gc", "-q", "--prune=now"], { cwd: app });
    add(`git for-each-ref >>${log} 2>&1`, "--type", "before-receive");
    expect(report("0..").counts).toEqual({ tried: 1, passed: 1, refused: 0, skipped: 0, gone: 2 });
    expect(history("0..").stdout).toBe(
      "1 push: 1 would pass, 0 would be refused. 2 could not be tried: their commits are gone.\n",
    );
    expect(fs.readFileSync(log, "utf8")).toBe("");
  });

  it("refuses what is no range of receipts, and types that were given what nobody kept", () => {
    push("one", ["origin", "HEAD:main"]);
    add("true", "--type", "before-receive");
    for (const range of ["HEAD~1..", "..", "0", "2", "1...2", "-1", ""])
      expect(gatepost("hook", "test", "1", `--history=${range}`)).toMatchObject({
        ...{ code: 2, stdout: "" },
        stderr: `gatepost: "${range}" is no range of receipts of app.git.\nSuch as 3..7 (after 3, up to 7), 3.. or ..7, or one receipt; its newest is 1.\n`,
      });
    add("true", "--type", "before-push", "--name", "p");
    expect(gatepost("hook", "test", "p", "--history", "main")).toMatchObject({
      ...{ code: 2, stdout: "" },
      stderr: expect.stringMatching(/^gatepost: before-push hooks cannot be tried on history/),
    });
  });
});

describe("the options of --history", () => {
  it("do not go with those that say otherwise what the hook is tried on", () => {
    world.commit(app, { a: "1\n" });
    register();
    add("true");
    for (const option of ["--dry-run", "--aux-file=x", "--base-rcvid=1", "--new-rcvid=1"])
      expect(gatepost("hook", "test", "1", "--history", "main", option)).toMatchObject({ code: 2, stdout: "" });
    expect(gatepost("hook", "test", "1", "--limit", "3")).toMatchObject({ code: 2, stdout: "" });
  });
});
