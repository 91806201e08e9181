/** Where git looks for hooks: linked work trees, submodules, every kind of core.hooksPath, and repositories that move. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { deleteHooks } from "../../src/home/hooks.ts";
import { register } from "../../src/home/init.ts";
import { makeWorld } from "../helpers/cli.ts";
import { enter } from "../helpers/served.ts";
import { add, contents, everyHook, logIn, natives, put, registered, takeOut } from "../helpers/standing.ts";

const world = makeWorld();
enter(world);
afterAll(() => world.remove());
const { notes, noted, committing, commit } = logIn(world);
const git = (cwd: string, ...args: string[]) => world.git(args, { cwd });

/** A repository with a first commit, and a linked work tree of it. */
function withLinked(name: string): { tree: string; linked: string } {
  const tree = world.workTree(name);
  world.commit(tree, { a: "a" });
  const linked = world.at(`${name}-linked`);
  git(tree, "worktree", "add", "-q", "--detach", linked);
  return { tree, linked };
}

describe("work trees of one repository", () => {
  it("have the same gates, whether they were made before init or after", async () => {
    const { tree, linked } = withLinked("shared hooks");
    const at = await registered(linked);
    add(at, notes("ours"));
    const later = world.at("shared-later");
    git(tree, "worktree", "add", "-q", "--detach", later);
    for (const place of [tree, linked, later]) expect(committing(place)).toEqual(["ours"]);
  });

  it("of a bare repository have its gates", async () => {
    const { tree } = withLinked("seed");
    const bare = world.at("bare.git");
    world.git(["clone", "-q", "--bare", tree, bare]);
    const before = world.at("bare-before");
    git(bare, "worktree", "add", "-q", "--detach", before);
    const at = await registered(bare);
    add(at, notes("ours"));
    add(at, notes("received"), "before-receive");
    const after = world.at("bare-after");
    git(bare, "worktree", "add", "-q", "--detach", after);
    for (const place of [before, after]) expect(committing(place)).toEqual(["ours"]);
    git(tree, "push", "-q", bare, "HEAD:refs/heads/pushed");
    expect(noted()).toEqual(["received"]);
  });

  it("that are submodules have gates of their own", async () => {
    const { tree: part } = withLinked("part");
    const whole = world.workTree("whole");
    git(whole, "-c", "protocol.file.allow=always", "submodule", "add", "-q", part, "a part");
    const at = await registered(join(whole, "a part"));
    expect(at.path).toBe(join(whole, ".git", "modules", "a part"));
    add(at, notes("ours"));
    expect(committing(join(whole, "a part"))).toEqual(["ours"]);
    expect(committing(whole)).toEqual([]);
  });
});

describe("core.hooksPath", () => {
  afterEach(() => {
    noted();
    process.env["GIT_CONFIG_GLOBAL"] = world.env["GIT_CONFIG_GLOBAL"];
  });

  it("relative: each work tree has its own folder; that of a later one comes with init", async () => {
    const { tree, linked } = withLinked("relative");
    git(tree, "config", "core.hooksPath", "my hooks");
    put(join(tree, "my hooks", "pre-commit"), `${notes("earlier")}\n`);
    const before = contents(join(tree, "my hooks"));
    const at = await registered(tree);
    add(at, notes("ours"));
    expect(committing(tree)).toEqual(["earlier", "ours"]);
    expect(committing(linked)).toEqual(["ours"]);
    const later = world.at("relative-later");
    git(tree, "worktree", "add", "-q", "--detach", later);
    expect(committing(later)).toEqual([]);
    await register(tree, null);
    expect(committing(later)).toEqual(["ours"]);
    git(tree, "worktree", "remove", "--force", later);
    everyHook(at, deleteHooks);
    add(at, notes("again"));
    expect(committing(tree)).toEqual(["earlier", "again"]);
    expect(fs.existsSync(later)).toBe(false);
    await takeOut(at);
    expect(contents(join(tree, "my hooks"))).toEqual(before);
    expect(contents(join(linked, "my hooks"))).toEqual({});
  });

  it("relative, of the user: each work tree has its own folder, too", async () => {
    const { tree, linked } = withLinked("users");
    const config = put(world.at("users.config"), "[core]\n\thooksPath = my hooks\n", 0o644);
    process.env["GIT_CONFIG_GLOBAL"] = config;
    const at = await registered(tree);
    add(at, notes("ours"));
    for (const cwd of [tree, linked]) {
      world.git(["commit", "-q", "--allow-empty", "-m", "m"], { cwd, env: { GIT_CONFIG_GLOBAL: config } });
      expect(noted()).toEqual(["ours"]);
    }
    await takeOut(at);
    for (const cwd of [tree, linked]) expect(contents(join(cwd, "my hooks"))).toEqual({});
  });

  it("of one work tree holds there, and the others keep the repository's folder", async () => {
    const { tree, linked } = withLinked("scoped");
    git(tree, "config", "extensions.worktreeConfig", "true");
    git(linked, "config", "--worktree", "core.hooksPath", world.at("scoped-hooks"));
    put(world.at("scoped-hooks", "pre-commit"), `${notes("earlier")}\n`);
    const at = await registered(tree);
    add(at, notes("ours"));
    expect(committing(tree)).toEqual(["ours"]);
    expect(committing(linked)).toEqual(["earlier", "ours"]);
    await takeOut(at);
    expect(committing(tree)).toEqual([]);
    expect(committing(linked)).toEqual(["earlier"]);
  });

  it("of everybody serves registered repositories of two homes, and lets others pass", async () => {
    const hooks = world.at("everyone's");
    const config = world.at("everyone's.config");
    put(join(hooks, "pre-commit"), `${notes("earlier")}\n`);
    const before = contents(hooks);
    const [a, b, stranger] = ["of-a", "of-b", "of-nobody"].map((name) => world.workTree(name)) as [
      string,
      string,
      string,
    ];
    fs.writeFileSync(config, `[core]\n\thooksPath = "${hooks}"\n`);
    process.env["GIT_CONFIG_GLOBAL"] = config;
    const by = (cwd: string): string[] => {
      world.git(["-c", `core.hooksPath=${hooks}`, "commit", "-q", "--allow-empty", "-m", "m"], { cwd });
      return noted();
    };
    const [atA, atB] = [await registered(a), await registered(b)];
    add(atA, notes("a"));
    expect([a, b, stranger].map(by)).toEqual([["earlier", "a"], ["earlier"], ["earlier"]]);
    add(atB, notes("b"));
    expect([a, b, stranger].map(by)).toEqual([["earlier", "a"], ["earlier", "b"], ["earlier"]]);
    everyHook(atA, deleteHooks);
    expect([a, b, stranger].map(by)).toEqual([["earlier"], ["earlier", "b"], ["earlier"]]);
    add(atA, notes("a"));
    expect((await takeOut(atA)).keptFor).toBe(hooks);
    expect([a, b, stranger].map(by)).toEqual([["earlier"], ["earlier", "b"], ["earlier"]]);
    await takeOut(atB);
    expect(contents(hooks)).toEqual(before);
  });

  it("that is no folder switches hooks off: nothing is written, and init says so", async () => {
    const tree = world.workTree("off");
    git(tree, "config", "core.hooksPath", "/dev/null");
    const { noShim } = await register(tree, null);
    expect(noShim).toBe("the hooks folder is /dev/null, and it is no folder, so Git runs no hooks at all");
    const at = await registered(tree);
    add(at, notes("ours"));
    expect(committing(tree)).toEqual([]);
    await takeOut(at);
  });

  it("set later and taken back: both folders are as they were after uninstall", async () => {
    const tree = world.workTree("changed");
    const [first, second] = [join(tree, ".git", "hooks"), world.at("changed-hooks")];
    put(join(first, "pre-commit"), `${notes("first")}\n`);
    put(join(second, "pre-commit"), `${notes("second")}\n`);
    const before = [contents(first), contents(second)];
    const at = await registered(tree);
    add(at, notes("ours"));
    git(tree, "config", "core.hooksPath", second);
    await register(tree, null);
    expect(committing(tree)).toEqual(["second", "ours"]);
    git(tree, "config", "--unset", "core.hooksPath");
    expect(committing(tree)).toEqual(["first", "ours"]);
    await takeOut(at);
    expect([contents(first), contents(second)]).toEqual(before);
    await register(tree, null);
    git(tree, "config", "core.hooksPath", second);
    await register(tree, null);
    expect(committing(tree)).toEqual(["second", "ours"]);
    await takeOut(at);
    expect([contents(first), contents(second)]).toEqual(before);
  });

  it("committed with the repository: a clone passes with the shims in it, and has gates of its own after init", async () => {
    const tree = world.workTree("tracked");
    put(join(tree, "hooks", "pre-commit"), `${notes("earlier")}\n`);
    git(tree, "config", "core.hooksPath", "hooks");
    const at = await registered(tree);
    add(at, notes("ours"));
    world.commit(tree);
    const clone = world.clone(tree, "tracked-clone");
    git(clone, "config", "core.hooksPath", "hooks");
    expect(committing(clone)).toEqual(["earlier"]);
    const cloned = await registered(clone);
    expect(committing(clone)).toEqual(["earlier"]);
    add(cloned, notes("cloned"));
    expect(committing(clone)).toEqual(["earlier", "cloned"]);
    expect(committing(tree)).toEqual(["earlier", "ours"]);
  });
});

describe("a repository that is moved or copied", () => {
  it("with its home keeps its gates and earlier hooks, a relative link too, at once and after init", async () => {
    const tree = world.workTree("before the move");
    put(join(tree, "scripts", "check"), `${notes("earlier")}\n`);
    fs.symlinkSync("../../scripts/check", join(tree, ".git", "hooks", "pre-commit"));
    const before = contents(join(tree, ".git", "hooks"));
    const at = await registered(tree);
    add(at, notes("ours"));
    const moved = world.at("after the move");
    fs.renameSync(tree, moved);
    expect(committing(moved)).toEqual(["earlier", "ours"]);
    const there = await registered(moved);
    expect(committing(moved)).toEqual(["earlier", "ours"]);
    expect(fs.existsSync(tree)).toBe(false);
    await takeOut(there);
    expect(contents(join(moved, ".git", "hooks"))).toEqual(before);
  });

  it("away from a home that serves many: an edit does not make its old folder again", async () => {
    const home = world.at("many", "home");
    const at = await registered(world.bare("many-a.git"), home);
    await registered(world.bare("many-b.git"), home);
    fs.renameSync(at.path, world.at("elsewhere.git"));
    add(at, "true", "before-receive", { scope: "all" });
    expect(fs.existsSync(at.path)).toBe(false);
  });

  it("as a copy: what is edited there leaves the shims of the original alone", async () => {
    const tree = world.workTree("original");
    const at = await registered(tree);
    add(at, notes("ours"));
    const standing = contents(join(tree, ".git", "hooks"));
    const copy = world.at("a copy");
    fs.cpSync(tree, copy, { recursive: true });
    const home = join(copy, ".git", "gatepost");
    expect(world.gatepost(["hook", "delete", "--home", home, "all"])).toMatchObject({ code: 0 });
    expect(contents(join(tree, ".git", "hooks"))).toEqual(standing);
    const copied = await registered(copy);
    expect(natives(join(copy, ".git", "hooks"))).toEqual(["post-receive"]);
    expect(contents(join(tree, ".git", "hooks"))).toEqual(standing);
    expect(committing(tree)).toEqual(["ours"]);
    await takeOut(copied);
    expect(commit(copy)).toMatchObject({ code: 0, stderr: "" });
  });
});
