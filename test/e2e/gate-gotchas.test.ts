/**
 * What git does to hooks that a gate must live with: one test for each numbered peculiarity. The index that is not the
 * index, GIT_DIR without GIT_WORK_TREE, whose repository it is, where hooks stand, quarantine, children that hold pipes,
 * stdin for several, exit codes, interrupts, two at once, unusual places, and hooks that change what they check.
 */
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { makeWorld, type Outcome, until, type World } from "../helpers/cli.ts";
import { type Gated, gated } from "../helpers/gates.ts";

let world: World;
let app: Gated;
let server: Gated;
let log: string;

beforeAll(() => {
  world = makeWorld();
  log = world.at("log");
  const path = world.workTree("app");
  server = gated(world, world.bare("target.git"));
  app = gated(world, path);
  world.git(["remote", "add", "target", server.path], { cwd: path });
  world.commit(path, { f: "f\n", "part/p": "p\n" });
});
afterAll(() => world.remove());
beforeEach(() => {
  fs.writeFileSync(log, "");
  for (const one of [app, server]) one.records();
});
afterEach(() => {
  for (const one of [app, server]) one.hooks();
  world.git(["reset", "-q", "--hard"], { cwd: app.path });
});

const run = (args: readonly string[], cwd = app.path, env: Record<string, string> = {}): Outcome =>
  world.run(["git", ...args], { cwd, env: { LOG: log, ...env } });
const git = (args: readonly string[], cwd = app.path): string => {
  const { code, stdout, stderr } = run(args, cwd);
  expect({ code, stderr }, `git ${args.join(" ")}`).toEqual({ code: 0, stderr: "" });
  return stdout.trimEnd();
};
const logged = (): string[] => {
  const lines = fs.readFileSync(log, "utf8").split("\n").slice(0, -1);
  fs.writeFileSync(log, "");
  return lines;
};
let edits = 0;
const edit = (name: string, root = app.path): void => fs.writeFileSync(join(root, name), `${++edits}\n`);

test.each([
  { how: "a plain commit", args: [] },
  { how: "commit -a", args: ["-a"] },
  { how: "commit --include", args: ["--include", "f"] },
  { how: "commit FILE", args: ["f"] },
])("1. in $how every hook sees the index that is committed, and what a hook adds is committed", ({ args }) => {
  const see = 'git write-tree >>"$LOG"';
  app.hooks(see, { command: see, timeout: 20 }, { command: see, dir: "part" }, { command: see, parallel: true });
  edit("f");
  edit("part/p");
  if (args.length === 0) git(["add", "f"]);
  git(["commit", "-q", "-m", "m", ...args]);
  const tree = git(["rev-parse", "HEAD^{tree}"]);
  expect(logged()).toEqual([tree, tree, tree, tree]);

  app.hooks("echo fixed >f; git add f", { type: "commit-msg", command: see, dir: "part" });
  edit("f");
  if (args.length === 0) git(["add", "f"]);
  git(["commit", "-q", "-m", "m", ...args]);
  expect(git(["show", "HEAD:f"])).toBe("fixed");
  expect(logged()).toEqual([git(["rev-parse", "HEAD^{tree}"])]);
});

test("2. in a linked work tree, where git sets GIT_DIR alone, git works from the folder of --dir, and git -c arrives", () => {
  const tree = world.at("tree");
  git(["worktree", "add", "-q", "--detach", tree]);
  const command = 'echo added >q; git add q; git ls-files --full-name . >>"$LOG"; git config test.it >>"$LOG"';
  app.hooks({ dir: "part", command }, { dir: "part", timeout: 20, command: "git diff --cached --quiet -- ../f" });
  for (const cwd of [tree, join(tree, "part")]) {
    edit("part/p", tree);
    git(["-c", "test.it=yes", "commit", "-q", "-a", "-m", "m"], cwd);
    expect(git(["show", "--format=", "--name-only", "HEAD"], tree)).toContain("part/p");
    expect(git(["status", "--porcelain"], tree)).toBe("");
    expect(logged()).toEqual(["part/p", "part/q", "yes"]);
  }
  expect(fs.existsSync(join(app.path, "q"))).toBe(false);
  git(["worktree", "remove", "-f", tree]);
});

test("3. a repository is known by its real git common dir, from each work tree, through a link, and when it receives", () => {
  app.hooks('echo "$GATEPOST_REPOSITORY" >>"$LOG"');
  const tree = world.at("tree-3");
  git(["worktree", "add", "-q", "--detach", tree]);
  fs.symlinkSync(app.path, world.at("link"));
  for (const cwd of [app.path, join(app.path, "part"), tree, join(tree, "part"), world.at("link")])
    git(["commit", "-q", "--allow-empty", "-m", "m"], cwd);
  git(["-C", app.path, "commit", "-q", "--allow-empty", "-m", "m"], world.dir);
  const common = join(app.path, ".git");
  const env = { GIT_DIR: common, GIT_WORK_TREE: app.path };
  expect(run(["commit", "-q", "--allow-empty", "-m", "m"], world.dir, env).code).toBe(0);
  expect(logged()).toEqual(Array.from({ length: 7 }, () => common));

  const receive = { type: "before-receive", command: 'echo "$GATEPOST_REPOSITORY $PWD $GIT_DIR" >>"$LOG"' };
  server.hooks(receive);
  git(["push", "-q", "target", "HEAD:refs/heads/three"]);
  expect(logged()).toEqual([`${server.path} ${server.path} .`]);
  app.hooks(receive);
  git(["push", "-q", app.path, "HEAD:refs/heads/three"], tree);
  expect(logged()).toEqual([`${common} ${common} .`]);
  git(["worktree", "remove", "-f", tree]);
});

test("4. shims go along when the repository is moved, and an earlier hook counts as git counts it", () => {
  const path = world.workTree("stays here");
  const hook = join(path, ".git/hooks/pre-commit");
  fs.writeFileSync(hook, '#!/bin/sh\necho "earlier in $PWD" >>"$LOG"\n', { mode: 0o755 });
  fs.writeFileSync(join(path, ".git/hooks/commit-msg"), "#!/bin/sh\nexit 1\n", { mode: 0o644 });
  const one = gated(world, path);
  one.hooks('echo "ours in $PWD" >>"$LOG"', { type: "commit-msg", command: "true" });
  const moved = world.at("moved to a place with 'quotes'");
  fs.renameSync(path, moved);
  const { code } = run(["commit", "-q", "--allow-empty", "-m", "m"], moved);
  expect([code, logged()]).toEqual([0, [`earlier in ${moved}`, `ours in ${moved}`]]);
});

test("4. a relative core.hooksPath counts from the root of each work tree, and its gates judge there", () => {
  const path = world.workTree("relative");
  git(["config", "core.hooksPath", "my hooks"], path);
  const one = gated(world, path);
  one.hooks('pwd >>"$LOG"; exit 1');
  fs.mkdirSync(join(path, "below"));
  for (const cwd of [path, join(path, "below")]) {
    expect(run(["commit", "-q", "--allow-empty", "-m", "m"], cwd).code).toBe(1);
    expect(logged()).toEqual([path]);
  }
});

test("5. in the quarantine new objects can be read, refs cannot be moved, and a refusal leaves nothing", () => {
  const command = `while read -r old new ref; do
    git cat-file -t "$new" >>"$LOG"
    git rev-list --count "$new" --not --all >>"$LOG"
    git update-ref refs/heads/other "$new" 2>>"$LOG" || echo forbidden >>"$LOG"
  done
  exit 1`;
  server.hooks({ type: "before-receive", command }, { type: "before-ref", command: 'echo never >>"$LOG"' });
  edit("f");
  git(["commit", "-q", "-a", "-m", "m"]);
  const head = git(["rev-parse", "HEAD"]);
  expect(run(["push", "-q", "target", "HEAD:refs/heads/five"]).code).toBe(1);
  const [type, , ...rest] = logged();
  expect([type, rest.at(-1)]).toEqual(["commit", "forbidden"]);
  expect(run(["cat-file", "-e", head], server.path).code).not.toBe(0);
  expect(run(["rev-parse", "-q", "--verify", "refs/heads/other"], server.path).code).not.toBe(0);
  expect(fs.readdirSync(join(server.path, "objects")).filter((name) => name.includes("tmp_objdir"))).toEqual([]);
});

test("6. who reads git's output through a pipe waits for no watchdog and no backoffice", () => {
  const bin = world.at("bin-6");
  fs.mkdirSync(bin);
  for (const name of ["git", "sh", "sleep", "rm", "cat"])
    fs.symlinkSync(world.run(["sh", "-c", `command -v ${name}`]).stdout.trim(), join(bin, name));
  for (const PATH of [world.env["PATH"] ?? "", bin]) {
    app.hooks(
      { timeout: 600, command: "true" },
      { timeout: 600, parallel: true, command: "true" },
      { timeout: 600, parallel: true, command: "true" },
      { type: "after-commit", timeout: 600, command: "true" },
    );
    // The call ends when both pipes are closed; after 25 s it would fail.
    expect(run(["commit", "-q", "--allow-empty", "-m", "m"], app.path, { PATH })).toMatchObject({ code: 0 });
  }
});

test("7. each of several hooks reads all of stdin, however long it is, and one that reads nothing harms nobody", () => {
  const count = (type: string) => ({ type, command: 'wc -l >>"$LOG"' });
  server.hooks(
    ...[count("before-receive"), { type: "before-receive", command: "true" }],
    ...[count("before-receive"), { ...count("before-receive"), timeout: 20 }],
  );
  app.hooks(
    count("before-push"),
    { type: "before-push", command: "exec <&-" },
    { ...count("before-push"), parallel: true },
  );
  for (const refs of [1, 24, 25, 26, 1000]) {
    git(["push", "-q", "target", ...Array.from({ length: refs }, (_, n) => `HEAD:refs/many/${refs}/${n}`)]);
    expect(logged().map(Number), `${refs} refs`).toEqual([refs, refs, refs, refs, refs]);
  }
  app.hooks({ type: "before-push", command: 'cat >>"$LOG"' });
  server.hooks();
  const [head, parent, zero] = [git(["rev-parse", "HEAD"]), git(["rev-parse", "HEAD~1"]), "0".repeat(40)];
  git(["push", "-q", "target", "HEAD~1:refs/heads/seven", ":refs/many/1/0"]);
  expect(logged().sort()).toEqual([
    `(delete) ${zero} refs/many/1/0 ${head}`,
    `HEAD~1 ${parent} refs/heads/seven ${zero}`,
  ]);
});

test("8. anything but 0 refuses; what fails after a push is shown and recorded, and refuses nothing", () => {
  for (const [command, verdict] of [
    ["exit 1", "before-receive refused, 1 refused 1"],
    ["exit 255", "before-receive refused, 1 refused 255"],
    ["/no/such/program", "before-receive broken, 1 broken 127"],
    ["/etc/passwd", "before-receive broken, 1 broken 126"],
    ["kill -9 $$", "before-receive broken, 1 signal 137"],
  ] as const) {
    server.hooks({ type: "before-receive", command });
    const { code, stderr } = run(["push", "-q", "target", "HEAD:refs/heads/eight"]);
    expect([code, stderr], command).toEqual([1, expect.stringContaining("remote: gatepost: before-receive hook")]);
    expect(server.verdicts()).toEqual([verdict]);
  }
  server.hooks({ type: "git:post-update", command: "echo late; exit 3" });
  const { code, stderr } = run(["push", "-q", "target", "HEAD:refs/heads/eight"]);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/remote: late.*\nremote: gatepost: .* failed: exit 3\./)]);
  expect(server.verdicts()).toEqual(["git:post-update pass, 1 advisory 3"]);
});

test("9. SIGTERM to git alone leaves the gate to end by itself: it records its verdict, and there is no commit", async () => {
  const fifo = world.at("fifo-9");
  world.run(["mkfifo", fifo]);
  app.hooks(`echo begun >>"$LOG"; cat '${fifo}' >/dev/null`);
  const before = git(["rev-parse", "HEAD"]);
  edit("f");
  const child = spawn("git", ["commit", "-q", "-a", "-m", "m"], {
    cwd: app.path,
    env: { ...world.env, LOG: log },
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => child.on("exit", (_code, signal) => resolve(signal)));
  await until("the hook has begun", () => fs.readFileSync(log, "utf8") !== "");
  child.kill("SIGTERM");
  expect(await ended).toBe("SIGTERM");
  fs.writeFileSync(fifo, "");
  expect(await until("it is recorded", () => app.verdicts()[0])).toBe("before-commit pass, 1 pass 0");
  expect(git(["rev-parse", "HEAD"])).toBe(before);
  app.hooks();
  git(["commit", "-q", "-a", "-m", "m"]);
});

test("10. two pushes at once are judged side by side, with files of their own and a record each", async () => {
  server.hooks({
    type: "before-receive",
    command: `echo "$GATEPOST_AUX $GATEPOST_RUN" >>"$LOG"; cat %A >>"$LOG"
until [ "$(grep -c '^/.*aux' "$LOG")" -eq 2 ]; do sleep 0.01; done`,
  });
  const push = (ref: string) =>
    new Promise((resolve) =>
      spawn("git", ["push", "-q", "target", `HEAD:${ref}`], {
        cwd: app.path,
        env: { ...world.env, LOG: log },
        stdio: "ignore",
      }).on("exit", resolve),
    );
  expect(await Promise.all([push("refs/heads/ten-a"), push("refs/heads/ten-b")])).toEqual([0, 0]);
  const lines = logged();
  const calls = lines.filter((line) => line.startsWith("/")).map((line) => line.split(" "));
  expect(new Set(calls.flat()).size).toBe(4);
  expect(lines.filter((line) => line.startsWith("update ")).sort()).toEqual(
    ["a", "b"].map((one) => expect.stringMatching(`^update 0{40} [0-9a-f]{40} refs/heads/ten-${one}$`)),
  );
  expect(server.verdicts()).toEqual(["before-receive pass, 1 pass 0", "before-receive pass, 1 pass 0"]);
  expect(fs.readdirSync(join(server.home, "aux"))).toEqual([]);
});

test("F4: 11. before the first commit, in a submodule, during a rebase, with a short PATH", () => {
  const first = gated(world, world.workTree("first"));
  first.hooks({ ref: ["main"], path: ["f"], command: 'echo "first $GATEPOST_USER" >>"$LOG"' });
  world.commit(first.path, {});
  expect(logged(), "nothing is staged").toEqual([]);
  git(["update-ref", "-d", "HEAD"], first.path);
  edit("f", first.path);
  git(["add", "f"], first.path);
  expect(run(["commit", "-q", "-m", "m"], first.path).code).toBe(0);
  expect(logged()).toEqual(["first alice"]);

  const top = world.workTree("top");
  git(["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", app.path, "sub"], top);
  const sub = gated(world, join(top, "sub"));
  sub.hooks({ command: 'echo "$GATEPOST_REPOSITORY $PWD" >>"$LOG"', path: ["part"] });
  edit("part/p", sub.path);
  expect(run(["commit", "-q", "-a", "-m", "m"], join(sub.path, "part")).code).toBe(0);
  expect(logged()).toEqual([`${join(top, ".git/modules/sub")} ${sub.path}`]);

  app.hooks({ type: "after-commit", ref: ["topic"], command: 'echo rebased >>"$LOG"' });
  git(["checkout", "-q", "-b", "topic", "HEAD~1"]);
  fs.writeFileSync(join(app.path, "topic"), "t\n");
  git(["add", "topic"]);
  git(["commit", "-q", "--no-verify", "-m", "topic"]);
  logged();
  git(["rebase", "-q", "main"]);
  expect(logged()).toEqual(["rebased"]);
  git(["checkout", "-q", "main"]);
  git(["branch", "-q", "-D", "topic"]);

  const settings = world.at("user", ".config", "gatepost");
  fs.mkdirSync(settings, { recursive: true });
  fs.writeFileSync(join(settings, "env.sh"), `PATH=$PATH:${world.at("tools")}\n`);
  fs.mkdirSync(world.at("tools"));
  fs.writeFileSync(world.at("tools", "my-linter"), '#!/bin/sh\necho linted >>"$LOG"\n', { mode: 0o755 });
  app.hooks("my-linter");
  expect(run(["commit", "-q", "--allow-empty", "-m", "m"], app.path, { PATH: "/usr/bin:/bin" }).code).toBe(0);
  expect(logged()).toEqual(["linted"]);
  fs.rmSync(settings, { recursive: true });
});

test.skipIf(process.getuid?.() !== 0)("11. for another uid that pushes into a shared repository", () => {
  const shared = world.at("shared.git");
  git(["init", "-q", "--bare", "--shared=0666", "-b", "main", shared], world.dir);
  const one = gated(world, shared);
  one.hooks({ type: "before-receive", command: "id -u; cat %A; exit 1" });
  world.run(["chmod", "a+rx", world.dir]);
  world.run(["chmod", "-R", "a+rwX", join(shared, "objects"), join(shared, "refs"), world.at("user")]);
  const result = spawnSync("git", ["-c", "safe.directory=*", "push", "-q", shared, "HEAD:refs/heads/main"], {
    cwd: app.path,
    uid: 65534,
    encoding: "utf8",
    env: {
      ...world.env,
      ...{ GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "safe.directory", GIT_CONFIG_VALUE_0: "*" },
      GIT_CONFIG_GLOBAL: safeEverywhere(),
    },
  });
  expect(result.stderr).toMatch(/^remote: 65534 *\nremote: update 0{40} [0-9a-f]{40} refs\/heads\/main *\n/);
  expect(one.verdicts()).toEqual(["before-receive refused, 1 refused 1"]);
});

function safeEverywhere(): string {
  const file = world.at("safe");
  fs.writeFileSync(file, "[safe]\n\tdirectory = *\n");
  return file;
}

test("12. a hook that changes the index changes it for the hooks behind it and for the commit", () => {
  app.hooks(
    { sequence: 1, command: 'git write-tree >>"$LOG"' },
    { sequence: 2, command: "echo made >made; git add made; git rm -q --cached part/p" },
    { sequence: 3, stdin: "paths", command: 'xargs -0 >>"$LOG"' },
    { sequence: 3, path: ["part"], command: 'git write-tree >>"$LOG"' },
  );
  edit("f");
  git(["add", "f"]);
  git(["commit", "-q", "-m", "m"]);
  const [before, paths, after] = logged();
  expect(paths).toBe("f made");
  expect(after).toBe(git(["rev-parse", "HEAD^{tree}"]));
  expect(before).not.toBe(after);
});
