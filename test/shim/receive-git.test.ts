/** The receive shim under real git: pushes of every kind, and work in every kind of work tree. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  cleanEnv,
  entries,
  makeHome,
  onlyEntry,
  run,
  shimText,
  temporary,
  writeProgram,
  zero,
} from "./receive-fixture.ts";

const folder = temporary();
const identity = { GIT_AUTHOR_NAME: "A", GIT_AUTHOR_EMAIL: "a@b", GIT_COMMITTER_NAME: "A", GIT_COMMITTER_EMAIL: "a@b" };
// Thousands of refs need not survive a power cut here; and submodules are added by path.
fs.writeFileSync(join(folder, "config"), '[core]\n\tfsync = none\n[protocol "file"]\n\tallow = always\n');
const env = { ...cleanEnv(folder), ...identity, GIT_CONFIG_GLOBAL: join(folder, "config") };
const workHooks = ["post-commit", "post-merge", "post-rewrite", "post-checkout"];
let count = 0;

/** Runs git; anything on stderr that a shim could have written is a failure. */
function git(
  cwd: string,
  args: readonly string[],
  more: Record<string, string> = {},
  input: string | Buffer = "",
): string {
  const outcome = run(["git", ...args], { cwd, env: { ...env, ...more }, input });
  if (outcome.code !== 0) throw new Error(`git ${args.join(" ")}: ${outcome.stderr}`);
  expect(outcome.stderr).not.toMatch(/gatepost|remote:|\bsh:|hooks\//);
  return outcome.stdout.trimEnd();
}

/** A work tree with one commit, and a bare repository with a home to push it to. */
function pair(format = "sha1", name = "a.git") {
  count += 1;
  const work = join(folder, `${count}`, "work");
  const bare = join(folder, `${count}`, name);
  fs.mkdirSync(work, { recursive: true });
  git(work, ["init", "-q", "-b", "main", `--object-format=${format}`]);
  git(work, ["commit", "-q", "--allow-empty", "-m", "first"]);
  git(work, ["init", "-q", "--bare", `--object-format=${format}`, bare]);
  return { work, bare, home: makeHome(bare), head: git(work, ["rev-parse", "HEAD"]) };
}

/** A repository whose work hooks are shims. */
function workTree() {
  const { work, head } = pair();
  return { work, head, gitDir: join(work, ".git"), home: makeHome(join(work, ".git"), workHooks) };
}

const emptySpool = (home: string) => {
  fs.rmSync(join(home, "spool"), { recursive: true });
  fs.mkdirSync(join(home, "spool"));
};

describe("a push", () => {
  test.each([
    ["sha1", 40],
    ["sha256", 64],
  ])("to a %s repository leaves one entry with what moved", (format, width) => {
    const { work, bare, home, head } = pair(format);
    git(work, ["push", "-q", bare, "HEAD:refs/heads/main", "HEAD:refs/tags/t"]);
    const none = "0".repeat(width);
    expect(onlyEntry(home)).toMatchObject({
      kind: "push",
      hook: "post-receive",
      dir: bare,
      namespace: null,
      options: [],
    });
    expect(onlyEntry(home).updates).toEqual([
      { old: none, new: head, ref: "refs/heads/main" },
      { old: none, new: head, ref: "refs/tags/t" },
    ]);
    emptySpool(home);
    git(work, ["push", "-q", bare, ":refs/tags/t"]);
    expect(onlyEntry(home).updates).toEqual([{ old: head, new: none, ref: "refs/tags/t" }]);
  });

  test("of refs with bytes that are no text, or that a shell would run, names them byte for byte", () => {
    const { work, bare, home, head } = pair();
    const refs = ["$(touch${IFS}canary)", "`touch`", "a;b&c|d", "'\"", "\xff\xfe\x81\x88", "%s", "-n", "#", "\xc3\xa4"];
    const names = refs.map((ref) => `refs/heads/${ref}`);
    git(
      work,
      ["update-ref", "--stdin"],
      {},
      Buffer.from(names.map((ref) => `create ${ref} ${head}\n`).join(""), "latin1"),
    );
    git(work, ["push", "-q", "--all", bare]);
    expect(
      onlyEntry(home)
        .updates.map((update) => update.ref)
        .sort(),
    ).toEqual([...names, "refs/heads/main"].sort());
    expect(fs.existsSync(join(bare, "canary"))).toBe(false);
  });

  test("with options keeps each of them, and without any has none", () => {
    const { work, bare, home } = pair();
    git(bare, ["config", "receive.advertisePushOptions", "true"]);
    const options = ["ci.skip", "", "a  b ", "$(touch canary)", "end 1", `long ${"x".repeat(30_000)}`];
    git(work, ["push", "-q", ...options.flatMap((option) => ["-o", option]), bare, "main"]);
    expect(onlyEntry(home).options).toEqual(options);
    emptySpool(home);
    git(work, ["push", "-q", bare, "main:other"]);
    expect(onlyEntry(home).options).toEqual([]);
  });

  test("R5: of 3,000 refs is one entry with all of them, and reaches the chained hook whole", () => {
    const { work, bare, home, head } = pair();
    writeProgram(join(bare, "hooks/gatepost/chained/post-receive"), "#!/bin/sh\ncat >got\n");
    const names = Array.from({ length: 3000 }, (_, i) => `refs/heads/b/${i}`);
    fs.writeFileSync(join(work, ".git/packed-refs"), names.map((ref) => `${head} ${ref}\n`).join(""));
    git(work, ["push", "-q", bare, "refs/heads/b/*:refs/heads/b/*"]);
    const { updates } = onlyEntry(home);
    expect(updates.map((update) => update.ref).sort()).toEqual([...names].sort());
    const got = fs.readFileSync(join(bare, "got"), "utf8");
    expect(got).toBe(updates.map((update) => `${zero} ${head} ${update.ref}\n`).join(""));
  }, 90_000);

  test("into a namespace says which", () => {
    const { work, bare, home } = pair();
    git(work, ["push", "-q", bare, "main"], { GIT_NAMESPACE: "a/b" });
    expect(onlyEntry(home).namespace).toBe("a/b");
    expect(onlyEntry(home).updates[0]?.ref).toBe("refs/heads/main");
    expect(git(bare, ["for-each-ref", "--format=%(refname)"])).toBe(
      "refs/namespaces/a/refs/namespaces/b/refs/heads/main",
    );
  });

  test.each(['it\'s "a" $(touch canary) dir.git', "two\nlines\n.git", "-n.git", "\xc3\xa4 *.git"])(
    "to a repository at %j says where it is",
    (name) => {
      const { work, bare, home } = pair("sha1", name);
      git(work, ["push", "-q", bare, "main"]);
      expect(onlyEntry(home).dir).toBe(Buffer.from(bare).toString("latin1"));
    },
  );

  test("through a symbolic link says where the repository really is", () => {
    const { work, bare, home } = pair();
    fs.symlinkSync(bare, `${bare}.link`);
    git(work, ["push", "-q", `${bare}.link`, "main"]);
    expect(onlyEntry(home).dir).toBe(bare);
  });

  test("R8: to a repository with a work tree, or to a linked work tree, is its git dir's", () => {
    const { work } = pair();
    const there = workTree();
    writeProgram(join(there.gitDir, "hooks/post-receive"), shimText);
    git(work, ["push", "-q", there.work, "main:refs/heads/one"]);
    expect(onlyEntry(there.home).dir).toBe(there.gitDir);
    git(there.work, ["worktree", "add", "-q", "../linked", "-b", "l"]);
    emptySpool(there.home);
    git(work, ["push", "-q", join(there.work, "../linked"), "main:refs/heads/two"]);
    expect(onlyEntry(there.home)).toMatchObject({ kind: "push", dir: there.gitDir });
  });

  test("is recorded where the hooks folder is elsewhere, by an absolute or a relative path", () => {
    const { work, bare, home } = pair();
    const hooks = join(bare, "../my hooks");
    fs.renameSync(join(bare, "hooks"), hooks);
    writeProgram(join(hooks, "gatepost/chained/post-receive"), "#!/bin/sh\ncat >>chained\n");
    git(bare, ["config", "core.hooksPath", hooks]);
    git(work, ["push", "-q", bare, "main:one"]);
    git(bare, ["config", "core.hooksPath", "../my hooks"]);
    git(work, ["push", "-q", bare, "main:two"]);
    expect(
      entries(home)
        .map((entry) => entry.updates[0]?.ref)
        .sort(),
    ).toEqual(["refs/heads/one", "refs/heads/two"]);
    expect(fs.readFileSync(join(bare, "chained"), "utf8").match(/\n/g)).toHaveLength(2);
  });

  test("that starts a backoffice is not held by it", () => {
    const { work, bare, home } = pair();
    fs.rmSync(join(home, "daemon.pid"));
    writeProgram(
      join(home, "bin/gatepost"),
      '#!/bin/sh\necho $$ >"$4/pid.new"\nmv "$4/pid.new" "$4/pid"\nexec sleep 1000\n',
    );
    git(work, ["push", "-q", bare, "main"]); // would not come back before that sleep ends
    while (!fs.existsSync(join(home, "pid")));
    process.kill(Number(fs.readFileSync(join(home, "pid"), "utf8")));
  });

  test("beside others loses no entry", async () => {
    const { work, bare, home } = pair();
    const pushes = Array.from({ length: 12 }, (_, i) =>
      spawn("git", ["push", "-q", bare, `main:refs/heads/b${i}`], { cwd: work, env, stdio: "ignore" }),
    );
    expect(await Promise.all(pushes.map(async (child) => (await once(child, "exit"))[0]))).toEqual(pushes.map(() => 0));
    expect(
      entries(home)
        .map((entry) => entry.updates[0]?.ref)
        .sort(),
    ).toEqual(pushes.map((_, i) => `refs/heads/b${i}`).sort());
  });
});

describe("work", () => {
  const hooksOf = (home: string) =>
    entries(home)
      .map((entry) => `${entry.kind} ${entry.hook}`)
      .sort();

  test("in a work tree is noted at each commit, amend, merge and checkout", () => {
    const { work, gitDir, home } = workTree();
    const does = (args: string[], ...expected: string[]) => {
      git(work, args);
      expect(hooksOf(home)).toEqual(expected.map((hook) => `work ${hook}`));
      for (const entry of entries(home)) expect(entry.dir).toBe(gitDir);
      emptySpool(home);
    };
    does(["checkout", "-q", "-b", "side"], "post-checkout");
    does(["commit", "-q", "--allow-empty", "-m", "two"], "post-commit");
    does(["commit", "-q", "--allow-empty", "--amend", "-m", "2"], "post-commit", "post-rewrite");
    does(["checkout", "-q", "main"], "post-checkout");
    does(["merge", "-q", "side"], "post-merge");
  });

  test("is not noted where files are checked out, for that moves no ref", () => {
    const { work, home } = workTree();
    writeProgram(join(home, "../hooks/gatepost/chained/post-checkout"), `#!/bin/sh\necho "$3" >>'${home}/flags'\n`);
    fs.writeFileSync(join(work, "file"), "one\n");
    git(work, ["add", "file"]);
    git(work, ["checkout", "--", "file"]);
    expect(fs.readFileSync(join(home, "flags"), "utf8")).toBe("0\n");
    expect(hooksOf(home)).toEqual([]);
  });

  test("from a folder inside the work tree, with a relative hooks path, is noted and chained", () => {
    const { work, gitDir, home } = workTree();
    fs.renameSync(join(gitDir, "hooks"), join(work, "my hooks"));
    git(work, ["config", "core.hooksPath", "my hooks"]);
    writeProgram(join(work, "my hooks/gatepost/chained/post-commit"), "#!/bin/sh\npwd >chained\n");
    fs.mkdirSync(join(work, "deep"));
    git(join(work, "deep"), ["commit", "-q", "--allow-empty", "-m", "two"]);
    expect(onlyEntry(home)).toMatchObject({ kind: "work", hook: "post-commit", dir: gitDir });
    expect(fs.readFileSync(join(work, "chained"), "utf8")).toBe(`${work}\n`);
  });

  test("in a linked work tree is noted in the repository it belongs to, from its first checkout on", () => {
    const { work, gitDir, home } = workTree();
    git(work, ["worktree", "add", "-q", "../linked\ntree", "-b", "l"]);
    expect(onlyEntry(home)).toMatchObject({ hook: "post-checkout", dir: gitDir });
    emptySpool(home);
    const [linked] = fs.readdirSync(join(gitDir, "worktrees"));
    fs.writeFileSync(join(gitDir, "worktrees", linked ?? "", "commondir"), "../.."); // git reads it so, too
    git(join(work, "../linked\ntree"), ["commit", "-q", "--allow-empty", "-m", "two"]);
    expect(onlyEntry(home)).toMatchObject({ hook: "post-commit", dir: gitDir });
  });

  test("R8: in a submodule is noted in the submodule's home alone", () => {
    const outer = workTree();
    const inner = pair();
    git(outer.work, ["submodule", "add", "-q", inner.work, "sub"]);
    const gitDir = join(outer.gitDir, "modules/sub");
    const home = makeHome(gitDir, workHooks);
    emptySpool(outer.home);
    git(join(outer.work, "sub"), ["commit", "-q", "--allow-empty", "-m", "two"]);
    expect(onlyEntry(home).dir).toBe(gitDir);
    expect(entries(outer.home)).toEqual([]);
  });
});
