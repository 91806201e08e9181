/** Reading a repository's identity from its files: as git has it, or not at all. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { identifyGit, isCommonPlain, plainIdentity } from "../../src/vcs/git.ts";
import { makeWorld } from "../helpers/cli.ts";
import { enter } from "../helpers/served.ts";

const world = makeWorld();
beforeAll(() => enter(world));
afterAll(() => world.remove());

let made = 0;
function bare(...args: string[]): string {
  const path = world.at(`r${++made}.git`);
  world.git(["init", "-q", "--bare", ...args, path]);
  return path;
}
function tree(...args: string[]): string {
  const path = world.at(`w${++made}`);
  world.git(["init", "-q", ...args, path]);
  return join(path, ".git");
}
const configured = (path: string, ...args: string[]): string => {
  world.git(["config", "-f", join(path, "config"), ...args]);
  return path;
};
const written = (path: string, text: string): string => {
  fs.appendFileSync(join(path, "config"), text);
  return path;
};

describe("a repository of the usual kind", () => {
  it.each<[string, () => string]>([
    ["bare", () => bare()],
    ["with a work tree", () => tree()],
    ["of sha256", () => bare("--object-format=sha256")],
    ["shared with a group", () => bare("--shared=group")],
    ["shared by mode", () => configured(bare(), "core.sharedRepository", "0660")],
    ["not shared, in words", () => configured(bare(), "core.sharedRepository", "umask")],
    ["with remotes and other settings", () => configured(bare(), "remote.a b.url", "/nowhere")],
    ["with comments", () => written(bare(), "; a comment\n# and [core] bare = false\n[gc]\n\tauto = 0 ; off\n")],
    [
      "with a linked work tree",
      () => {
        const path = tree();
        world.git(["commit", "-q", "--allow-empty", "-m", "m"], { cwd: join(path, "..") });
        world.git(["worktree", "add", "-q", world.at(`linked${made}`)], { cwd: join(path, "..") });
        return path;
      },
    ],
  ])("is what git says: %s", async (_, make) => {
    const path = make();
    expect(plainIdentity(path, true)).toEqual(await identifyGit(path.endsWith("/.git") ? join(path, "..") : path));
  });
});

describe("a doubt is left to git", () => {
  it.each<[string, () => string]>([
    ["core.hooksPath", () => configured(bare(), "core.hooksPath", "elsewhere")],
    ["a quote that does not end", () => written(bare(), '[user]\n\tname = "al\n')],
    ["settings that look like the core's", () => written(bare(), '[core "x"]\n\tsharedRepository = group\n')],
    ["core.worktree", () => configured(tree(), "core.worktree", "..")],
    ["an include", () => configured(bare(), "include.path", "more")],
    ["a conditional include", () => configured(bare(), "includeIf.gitdir:/.path", "more")],
    ["settings of a work tree", () => configured(tree(), "extensions.worktreeConfig", "true")],
    ["another storage of refs", () => configured(bare(), "extensions.refStorage", "reftable")],
    ["a value that is set twice", () => written(bare(), "[core]\n\tbare = false\n")],
    ["a line that goes on", () => written(bare(), "[core]\n\tfoo = a\\\n\thooksPath = x\n")],
    ["a section and a setting on one line", () => written(bare(), "[core] hooksPath = x\n")],
    ["a subsection that is none", () => written(bare(), "[core.x]\n\thooksPath = x\n")],
    ["a value in quotes", () => written(bare(), '[core]\n\tsharedRepository = "group"\n')],
    ["a bare repository called .git", () => configured(tree(), "core.bare", "true")],
    [
      "no configuration",
      () => {
        const path = bare();
        fs.rmSync(join(path, "config"));
        return path;
      },
    ],
    [
      "a HEAD that is none",
      () => {
        const path = bare();
        fs.writeFileSync(join(path, "HEAD"), "nothing\n");
        return path;
      },
    ],
  ])("%s", (_, make) => {
    expect(plainIdentity(make(), true)).toBeNull();
  });

  it("where the user's configuration has a say", async () => {
    expect(await isCommonPlain()).toBe(true);
    const file = world.at("gitconfig");
    const before = process.env["GIT_CONFIG_GLOBAL"];
    for (const [text, plain] of [
      ["[user]\n\tname = a\n", true],
      ["[core]\n\thooksPath = /srv/hooks\n", false],
      ['[includeIf "gitdir:/srv/"]\n\tpath = more\n', false],
      ["[safe]\n\tbareRepository = explicit\n", false],
      ["[include]\n\tpath = included\n", false],
    ] as const) {
      fs.writeFileSync(world.at("included"), "[core]\n\tsharedRepository = group\n");
      fs.writeFileSync(file, text);
      process.env["GIT_CONFIG_GLOBAL"] = file;
      expect([text, await isCommonPlain()]).toEqual([text, plain]);
    }
    process.env["GIT_CONFIG_GLOBAL"] = before;
    expect(plainIdentity(bare(), false)).toBeNull();
  });
});
