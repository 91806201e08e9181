/**
 * docs/gates.md against the program: its table of operations against what the real git asks, its options against what
 * `hook add` takes, its list of variables against what a server gate takes out, its examples as they stand.
 */
import * as fs from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IN_PLACE, isServerType } from "../../src/core/hook-type.ts";
import { makeWorld, type Outcome, program, type World } from "../helpers/cli.ts";
import { gated } from "../helpers/gates.ts";
import { sectionsOf } from "../helpers/manual.ts";

const page = fs.readFileSync(new URL("../../docs/gates.md", import.meta.url), "utf8");

/** The rows of the table below a heading, cell by cell, without its head. */
function tableOf(title: string): string[][] {
  const section = page.split(`## ${title}\n`)[1]?.split("\n## ")[0] ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .slice(1)
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

let world: World;
let app: string;
const sh = (line: string, cwd: string, env: Record<string, string> = {}): Outcome =>
  world.run(["sh", "-c", line], { cwd, env: { PATH: `${world.at("bin")}:${world.env["PATH"]}`, ...env } });

beforeAll(() => {
  world = makeWorld();
  app = world.workTree();
  fs.mkdirSync(world.at("bin"));
  fs.symlinkSync(program, world.at("bin", "gatepost"));
});
afterAll(() => world.remove());

describe("which operation runs which gate", () => {
  /** From a branch `work` on the commit `base`, beside which there are `side` and `other`, to the operation's end. */
  const DONE: Record<string, string> = {
    "`git commit`": "git commit -q --allow-empty -m x",
    "`git commit --amend`": "git commit -q --amend --allow-empty -m x",
    "`git commit --no-verify`": "git commit -q --no-verify --allow-empty -m x",
    "`git merge`, making a commit": "git reset -q --hard other; git merge -q --no-edit side",
    "`git merge --no-verify`": "git reset -q --hard other; git merge -q --no-edit --no-verify side",
    "`git merge`, fast-forward": "git merge -q side",
    "`git merge --squash`": "git reset -q --hard other; git merge -q --squash side",
    "`git cherry-pick`": "git reset -q --hard other; git cherry-pick side",
    "`git revert`": "git reset -q --hard side; git revert --no-edit HEAD",
    "`git rebase`": "git reset -q --hard side; git rebase -q other",
    "`git am`": "git reset -q --hard other; git format-patch -q -1 --stdout side | git am -q",
    "`git checkout`, `git switch`": "git switch -q --detach side",
    "`git push`": "git push -q target other:refs/heads/new",
    "`git push`, nothing to push": "git push -q target base:refs/heads/old",
    "`git push --dry-run`": "git push -q --dry-run target other:refs/heads/never",
    "`git push --no-verify`": "git push -q --no-verify target other:refs/heads/newer",
  };
  let log: string;

  beforeAll(() => {
    log = world.at("log");
    const server = world.bare("target.git");
    const made = sh(
      `set -e
      git commit -q --allow-empty -m base; git tag base
      git switch -q -c s; echo >side; git add .; git commit -q -m side; git tag side
      git switch -q -c o base; echo >other; git add .; git commit -q -m other; git tag other
      git remote add target ${server}; git push -q target base:refs/heads/old`,
      app,
    );
    expect(made).toMatchObject({ code: 0 });
    const each = (types: readonly string[]) => types.map((type) => ({ type, command: `echo ${type} >>'${log}'` }));
    const native = ["post-index-change", "reference-transaction", "pre-auto-gc"].map((name) => `git:${name}`);
    gated(world, app).hooks(...each(IN_PLACE.filter((type) => !isServerType(type) && !native.includes(type))));
    gated(world, server).hooks(...each(IN_PLACE.filter(isServerType)));
  });

  it.each(tableOf("Which operation of Git runs which gate"))("%s", (operation, types = "") => {
    expect(sh("git switch -q --force-create work base", app, NO_HOOKS)).toMatchObject({ code: 0 });
    const line = DONE[operation ?? ""];
    const [before, run] = line?.includes("; ")
      ? [line.slice(0, line.indexOf("; ")), line.slice(line.indexOf("; ") + 2)]
      : ["", line];
    sh(before, app, NO_HOOKS);
    fs.rmSync(log, { force: true });
    expect(sh(run ?? "exit 1", app)).toMatchObject({ code: 0 });
    expect(fs.readFileSync(log, "utf8").trim().split("\n")).toEqual(types.split(/[,;] /));
  });

  it("has a row for each that is tried here", () => {
    expect(tableOf("Which operation of Git runs which gate").map(([operation]) => operation)).toEqual(
      Object.keys(DONE),
    );
  });
});

const NO_HOOKS = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "core.hooksPath", GIT_CONFIG_VALUE_0: "/dev/null" };

describe("the options", () => {
  let other: string;
  beforeAll(() => {
    other = world.workTree("options");
    gated(world, other);
  });
  const VALUES: Record<string, string> = { timeout: "5", ref: "main", path: "src", dir: "src" };
  const groups: Record<string, (type: string) => boolean> = {
    all: () => true,
    "local types": (type) => !isServerType(type),
  };

  it.each(tableOf("Options"))(
    "%s is taken by the types that the page names, and by no other",
    (cell = "", types = "") => {
      const [option = "", value] = cell.replaceAll("`", "").slice(2).split(" ");
      const named = groups[types] ?? ((type: string) => types.split(", ").includes(type));
      const [key, given] = option === "stdin" ? ["stdin", value] : [option, VALUES[option]];
      const tried = IN_PLACE.filter(
        (type) => type === "git:post-merge" || type === "git:post-update" || !type.startsWith("git:"),
      );
      for (const type of tried) {
        const { code } = world.gatepost(
          ["hook", "add", "--type", type, "--command", "true", `--${key}`, ...(given === undefined ? [] : [given])],
          { cwd: other },
        );
        expect({ type, code }).toEqual({ type, code: named(type) ? 0 : 2 });
      }
    },
  );

  it("are in the examples as they can be typed", () => {
    const [section] = sectionsOf("docs/gates.md").filter(({ title }) => title === "Options");
    const lines = section?.commands.flatMap((block) => block.split("\n")).filter((line) => line.startsWith("gatepost"));
    expect(lines).toHaveLength(8);
    for (const line of lines ?? []) {
      const { code, stderr } = sh(line, other);
      expect({ line, code, stderr }).toEqual({
        line,
        code: 0,
        stderr: expect.stringMatching(/^hook \d+ added: .*\n$/),
      });
    }
  });
});

describe("the environment of server gates", () => {
  const marked = page.split("a test compares -->\n")[1]?.split("\n\n")[0] ?? "";
  const named = [...marked.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name);

  it("has none of the variables that the page names, and all others", () => {
    const server = world.bare("environment.git");
    const home = gated(world, server);
    const seen = world.at("seen");
    home.hooks({ type: "before-receive", command: `env >'${seen}'` });
    const theirs = Object.fromEntries(named.map((name) => [name, ""]));
    const env = { ...theirs, GIT_DIR: ".", THEIRS: "kept" };
    const input = `${"0".repeat(40)} ${"1".repeat(40)} refs/heads/main\n`;
    expect(world.run(["hooks/pre-receive"], { cwd: server, env, input })).toEqual({ code: 0, stdout: "", stderr: "" });
    const names = fs
      .readFileSync(seen, "utf8")
      .split("\n")
      .map((line) => line.split("=", 1)[0]);
    expect(names).toContain("THEIRS");
    expect(names.filter((name) => named.includes(name ?? ""))).toEqual([]);
  });

  it("loses what the source takes out, no more and no less than the page names", () => {
    const file = new URL("../../src/gate/runtime/distrust.sh", import.meta.url);
    const [, unset = ""] = /^ {2}unset ([A-Z][\s\S]*?[A-Z])\n {2}export /m.exec(fs.readFileSync(file, "utf8")) ?? [];
    expect(named).toEqual(unset.split(/[\s\\]+/));
  });
});

describe("a before-ref hook with --stdin updates", () => {
  it("reads the line that Git gives it as arguments", () => {
    const server = world.bare("updates.git");
    const home = gated(world, server);
    home.hooks({ type: "before-ref", stdin: "updates", command: `cat >'${world.at("lines")}'` });
    expect(sh(`git push -q '${server}' base:refs/heads/main`, app)).toMatchObject({ code: 0 });
    const zero = "0".repeat(40);
    const base = world.git(["rev-parse", "base"], { cwd: app });
    expect(fs.readFileSync(world.at("lines"), "utf8")).toBe(`${zero} ${base} refs/heads/main\n`);
  });
});
