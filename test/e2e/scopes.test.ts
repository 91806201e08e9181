/** -R, --pattern and --all: which repositories of a home a hook is for, and that it is never for more. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorld } from "../helpers/cli.ts";

describe("the scope of a hook", () => {
  const world = makeWorld();
  afterAll(() => world.remove());
  const home = world.at("srv", ".gatepost");
  const at = (name: string): string => world.at("srv", name);
  const hook = (...words: string[]) => world.gatepost(["hook", ...words]);
  /** Names of the repositories of which a gate hook of that name stands compiled. */
  const standingFor = (mark: string): string[] => {
    const rows = JSON.parse(world.gatepost(["init", "--root", world.at("srv"), "--json"]).stdout) as {
      unchanged: number;
    };
    expect(rows.unchanged).toBe(names.length);
    return names.filter((name) => {
      const pointer = fs.readFileSync(join(at(name), "gatepost"), "utf8");
      const file = join(home, "gates", `${/gates: (\d+)/.exec(pointer)?.[1]}.before-receive`);
      return fs.existsSync(file) && fs.readFileSync(file, "utf8").includes(`mark_${mark}_`);
    });
  };
  const names = ["a.git", "b.git", "c.git", "team/a.git", "team/d*.git"];
  const gate = (mark: string): string[] => ["--type", "before-receive", "--name", mark, "--command", `: mark_${mark}_`];

  beforeAll(() => {
    fs.mkdirSync(at("team"), { recursive: true });
    for (const name of names) world.bare(join("srv", name));
    world.bare("elsewhere.git");
    expect(world.gatepost(["init", world.at("elsewhere.git")]).code).toBe(0);
    expect(world.gatepost(["init", "--root", world.at("srv")]).code).toBe(0);
  });

  it("is never widened by --home alone, and the error names the three choices", () => {
    const { code, stderr } = hook("add", "--home", home, ...gate("wide"));
    expect(code).toBe(2);
    expect(stderr).toBe(
      "gatepost: For which repository? --home alone does not say. Nothing was changed.\n" +
        "Add -R REPOSITORY, --pattern 'team/*', or --all for every repository of the home.\n",
    );
    expect(standingFor("wide")).toEqual([]);
  });

  it("is one repository with one -R, those that are named with several, by path or by name", () => {
    expect(hook("add", "-R", at("a.git"), ...gate("one")).code).toBe(0);
    expect(standingFor("one")).toEqual(["a.git"]);
    expect(hook("add", "-R", at("a.git"), "-R", at("b.git"), ...gate("two")).stderr).toContain(
      "It covers 2 of 5 repositories now.",
    );
    expect(standingFor("two")).toEqual(["a.git", "b.git"]);
    expect(hook("add", "--home", home, "-R", "c.git", "-R", "team/a.git", ...gate("named")).code).toBe(0);
    expect(standingFor("named")).toEqual(["c.git", "team/a.git"]);
  });

  it("is a pattern where -R has a star, together with what else is named", () => {
    expect(hook("add", "--home", home, "-R", "team/*", ...gate("team")).code).toBe(0);
    expect(standingFor("team")).toEqual(["team/a.git", "team/d*.git"]);
    expect(hook("add", "--home", home, "-R", "b.git", "-R", "c*", "-R", "team/a*", ...gate("mixed")).code).toBe(0);
    expect(standingFor("mixed")).toEqual(["b.git", "c.git", "team/a.git"]);
    expect(hook("add", "--home", home, "--pattern", "a*", "--pattern", "*/a*", ...gate("both")).code).toBe(0);
    expect(standingFor("both")).toEqual(["a.git", "team/a.git"]);
  });

  it("is shown by list, and written by export so that import makes the same", () => {
    expect(hook("list", "--home", home).stdout).toContain("     for = b.git, c*, team/a*\n");
    const exported = hook("export", "--home", home, "two", "team").stdout;
    expect(JSON.parse(exported)).toMatchObject({ hooks: [{ pattern: ["a.git", "b.git"] }, { pattern: "team/*" }] });
    fs.writeFileSync(world.at("hooks.json"), exported);
    expect(hook("delete", "--home", home, "two", "team").code).toBe(0);
    expect(hook("import", "--home", home, world.at("hooks.json")).code).toBe(0);
    expect(standingFor("two")).toEqual(["a.git", "b.git"]);
    expect(hook("list", "-R", at("c.git"), "--json").stdout).not.toContain('"two"');
    expect(hook("list", "-R", at("b.git"), "--json").stdout).toContain('"two"');
  });

  it("is changed by edit, where several or a pattern are named; one -R says where the hook is, as ever", () => {
    expect(hook("edit", "one", "-R", at("b.git"), "--sequence", "3").code).toBe(0);
    expect(standingFor("one")).toEqual(["a.git"]);
    expect(hook("edit", "one", "-R", at("b.git"), "-R", at("c.git")).code).toBe(0);
    expect(standingFor("one")).toEqual(["b.git", "c.git"]);
    expect(hook("edit", "one", "--home", home, "--pattern", "team/a.git").code).toBe(0);
    expect(standingFor("one")).toEqual(["team/a.git"]);
    expect(hook("edit", "one", "--home", home, "--all").code).toBe(0);
    expect(standingFor("one")).toEqual(names);
    expect(hook("edit", "one", "--home", home).code).toBe(2);
  });

  it.each([
    [["-R", "a.git", "-R", "elsewhere.git"], "elsewhere.git has another home"],
    [["--all", "-R", "a.git"], "--all stands for every repository"],
    [["-R", "a.git", "-R", "team/d*.git"], "The name team/d*.git has a star"],
    [["-R", "a.git", "-R", "nothing.git"], "There is nothing at"],
    [["-R", ""], "A path is empty"],
    [["-R", "a.git", "--pattern", ""], "A pattern of repositories cannot be empty"],
  ])("is refused where it cannot be meant: %j", (words, sentence) => {
    const cwd = world.at("srv");
    const given = words.map((word) => (word === "elsewhere.git" ? "../elsewhere.git" : word));
    const { code, stderr } = world.gatepost(["hook", "add", ...given, ...gate("wrong")], { cwd });
    expect(stderr).toContain(sentence);
    expect([2, 3]).toContain(code);
    expect(hook("list", "--home", home).stdout).not.toContain("wrong");
  });

  it.each([["hook", "list"], ["hook", "delete", "1"], ["runs"], ["uninstall"]])(
    "takes one -R in commands about one repository: %s %s",
    (...words) => {
      const { code, stderr } = world.gatepost([...words, "-R", at("a.git"), "-R", at("b.git")]);
      expect(stderr).toContain("-R is given twice");
      expect(code).toBe(2);
    },
  );

  it("begins, where it is widened, with what arrives from then on", () => {
    world.gatepost(["settings", "--home", home, "automatic-backoffice", "off"]);
    world.gatepost(["settings", "--home", home, "reconcile-age", "200ms"]);
    const clone = world.clone(at("c.git"), "work");
    const push = (): string => {
      const commit = world.commit(clone);
      world.git(["push", "-q", "origin", "HEAD:refs/heads/main"], { cwd: clone });
      return commit;
    };
    const told = world.at("told");
    const words = ["--type", "after-receive", "--name", "tell", "--stdin", "updates", "--command", `cat >> ${told}`];
    expect(hook("add", "-R", at("a.git"), ...words).code).toBe(0);
    push();
    expect(world.gatepost(["backoffice", "--home", home]).code).toBe(0);
    expect(hook("edit", "tell", "-R", at("a.git"), "-R", at("c.git")).code).toBe(0);
    const later = push();
    expect(world.gatepost(["backoffice", "--home", home]).code).toBe(0);
    expect(fs.readFileSync(told, "utf8").trim().split("\n")).toEqual([expect.stringContaining(later)]);
  });
});
