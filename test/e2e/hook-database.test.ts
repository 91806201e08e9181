/** The hook database by its commands: what each prints, and what is stored, audited and written to hooks.json. */
import { userInfo } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fails, makeWorld, prints, silent } from "../helpers/cli.ts";
import { type Hooks, hooksOf } from "../helpers/hooks.ts";

const world = makeWorld();
const inside = (name: string): Hooks => hooksOf(world, world.at(`${name}.git`));
const [life, several, named, off, short] = [
  inside("life"),
  inside("several"),
  inside("named"),
  inside("off"),
  inside("short"),
];

const says = (stderr: string) => ({ stdout: "", stderr, code: 0 });
const added = (id: string, sequence = 10): string => `hook ${id} added: after-receive, sequence ${sequence}\n`;

beforeAll(() => {
  const paths = ["life", "several", "named", "off", "short"].map((name) => world.bare(`${name}.git`));
  expect(world.gatepost(["init", ...paths]).code).toBe(0);
});
afterAll(() => world.remove());

describe("a hook's life", () => {
  const asAdded = {
    repository: "life.git",
    type: "after-receive",
    sequence: 10,
    command: "echo one",
  };
  const asEdited = { ...asAdded, type: "before-commit", sequence: -3, command: "echo 'two'" };

  it("begins with add, which says its id on stderr and nothing on stdout", () => {
    expect(life.add("echo one")).toEqual(says(added("1")));
    expect(life.file()).toEqual({ gatepost: 1, hooks: [asAdded] });
  });

  it("goes on with edit, which changes what is named and nothing else", () => {
    expect(life.hook("edit", "1", "--type", "pre-commit", "--sequence", "-3", "--command", "echo 'two'")).toEqual(
      says(
        "hook 1 changed: before-commit, sequence -3\n" +
          "Mind: life.git is bare: before-commit hooks run where people commit, and nobody does in there.\n",
      ),
    );
    expect(life.hook("list")).toEqual(
      prints("  1: type = before-commit\n     command = echo 'two'\n     sequence = -3\n"),
    );
    expect(life.file().hooks).toEqual([asEdited]);
  });

  it("ends with delete, and its id is never given out again", () => {
    expect(life.hook("delete", "1")).toEqual(says("hook 1 deleted\n"));
    expect(life.hook("list")).toEqual(silent);
    expect(life.hook("status")).toEqual(silent);
    expect(life.file().hooks).toEqual([]);
    expect(life.add("echo three")).toEqual(says(added("2")));
  });

  it("leaves a row in the audit for each change: who, when, what it was and what it became", () => {
    const rows = life.audit();
    expect(rows.map(({ at: _, ...row }) => row)).toEqual(
      [
        { action: "add", hook: 1, old: null, new: asAdded },
        { action: "edit", hook: 1, old: asAdded, new: asEdited },
        { action: "delete", hook: 1, old: asEdited, new: null },
        { action: "add", hook: 2, old: null, new: { ...asAdded, command: "echo three" } },
      ].map((row) => ({ ...row, uid: process.geteuid?.(), user: userInfo().username })),
    );
    const times = rows.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(Math.abs(Date.now() - (times.at(-1) ?? 0))).toBeLessThan(60_000);
  });
});

describe("several hooks in one call", () => {
  it("are those that were named, whatever the order, and each once", () => {
    for (const command of ["a", "b", "c"]) several.add(command);
    expect(several.hook("edit", "3", "1", "3", "--sequence", "007")).toEqual(
      says("hook 3 changed: after-receive, sequence 7\nhook 1 changed: after-receive, sequence 7\n"),
    );
    expect(several.hook("delete", "1", "2")).toEqual(says("2 hooks deleted\n"));
    expect(several.stored()).toEqual(["3 c"]);
  });

  it("change all or not at all: one unknown id, and nothing was done", () => {
    const before = [several.stored(), several.audit(), several.file()];
    for (const call of [
      ["delete", "3", "99"],
      ["edit", "3", "99", "--sequence", "1"],
      ["disable", "3", "99"],
    ])
      expect(several.hook(...call)).toEqual(
        fails(3, 'gatepost: There is no hook "99".\nThe hooks there are: gatepost hook list\n'),
      );
    expect([several.stored(), several.audit(), several.file()]).toEqual(before);
  });

  it("can be all of them, for edit and for delete", () => {
    several.add("d");
    expect(several.hook("edit", "all", "--sequence", "2")).toEqual(
      says("hook 3 changed: after-receive, sequence 2\nhook 4 changed: after-receive, sequence 2\n"),
    );
    expect(several.hook("delete", "all")).toEqual(says("2 hooks deleted\n"));
    expect(several.stored()).toEqual([]);
    expect(several.hook("delete", "all")).toEqual(says("0 hooks deleted\n"));
  });
});

describe("a name", () => {
  it("stands wherever the id may", () => {
    expect(named.add("true", "--name", "ci")).toEqual(says(added("1 (ci)")));
    expect(named.hook("edit", "ci", "--sequence", "5", "--name", "build-1.x")).toEqual(
      says("hook 1 (build-1.x) changed: after-receive, sequence 5\n"),
    );
    expect(named.hook("list")).toEqual(
      prints("  1: type = after-receive\n     command = true\n     sequence = 5\n     name = build-1.x\n"),
    );
    expect(named.hook("test", "build-1.x", "--dry-run").code).toBe(0);
    expect(named.hook("delete", "build-1.x")).toEqual(says("hook 1 (build-1.x) deleted\n"));
  });

  it("is free again once its hook is deleted, and near misses are answered with it", () => {
    expect(named.add("true", "--name", "build-1.x")).toEqual(says(added("2 (build-1.x)")));
    expect(named.hook("delete", "biuld-1.x")).toEqual(
      fails(
        3,
        'gatepost: There is no hook "biuld-1.x". Did you mean build-1.x?\n' +
          "The hooks there are: gatepost hook list\n",
      ),
    );
  });

  it("belongs to one hook", () => {
    named.add("false", "--name", "other");
    const taken =
      "gatepost: Hook 2 is already named build-1.x. Nothing was changed.\n" +
      "Change that one (gatepost hook edit build-1.x …), or choose another name.\n";
    expect(named.add("true", "--name", "build-1.x")).toEqual(fails(2, taken));
    expect(named.hook("edit", "other", "--name", "build-1.x")).toEqual(fails(2, taken));
    expect(named.hook("edit", "all", "--name", "x")).toEqual(
      fails(2, "gatepost: A name belongs to one hook.\nEdit one hook at a time to name it.\n"),
    );
    expect(named.stored()).toEqual(["2 true", "3 false"]);
  });
});

describe("the options of a hook", () => {
  const options = [
    ["--timeout", "1.5", "--retries", "2", "--in-order", "--ref", "refs/heads/*", "--ref", "refs/tags/v1"],
    ["--path", "src", "--stdin", "updates", "--each", "receipt", "--trees", "--name", "full"],
  ].flat();
  const plain = "  1: type = after-receive\n     command = true\n     sequence = 10\n";

  it("are listed each on a line, and not at all where they have their default", () => {
    off.add("true", ...options);
    expect(off.hook("list")).toEqual(
      prints(
        `${plain}     name = full\n     timeout = 1.5\n     retries = 2\n     in-order = yes\n` +
          "     ref = refs/heads/* refs/tags/v1\n     path = src\n     stdin = updates\n     each = receipt\n" +
          "     trees = yes\n",
      ),
    );
  });

  it("go back to their defaults by --unset, one by one", () => {
    const unset = ["timeout", "retries", "in-order", "ref", "path", "stdin", "each", "trees", "name"];
    expect(off.hook("edit", "full", ...unset.flatMap((name) => ["--unset", name]))).toEqual(
      says("hook 1 changed: after-receive, sequence 10\n"),
    );
    expect(off.hook("list")).toEqual(prints(plain));
    expect(off.file().hooks).toEqual([{ repository: "off.git", type: "after-receive", sequence: 10, command: "true" }]);
  });

  it("survive disable and enable, and so does the type", () => {
    off.hook("edit", "1", "--type", "commit-msg", "--name", "x", "--advisory");
    expect(off.hook("disable", "x")).toEqual(says("hook 1 (x) switched off: disabled, sequence 10\n"));
    expect(off.hook("list")).toEqual(
      prints(
        "  1: type = disabled\n     command = true\n     sequence = 10\n     name = x\n     was = commit-msg\n" +
          "     advisory = yes\n",
      ),
    );
    expect(off.hook("disable", "x")).toEqual(says("hook 1 (x) was switched off already\n"));
    expect(off.hook("enable", "all")).toEqual(
      says(
        "hook 1 (x) switched on: commit-msg, sequence 10\n" +
          "Mind: off.git is bare: commit-msg hooks run where people commit, and nobody does in there.\n",
      ),
    );
    expect(off.file().hooks).toMatchObject([{ type: "commit-msg", name: "x", advisory: true }]);
  });

  it("do not include disabled: as a type it is remembered by edit too, and a hook born so asks for a type", () => {
    off.hook("edit", "x", "--type", "disabled");
    expect(off.file().hooks).toMatchObject([{ type: "disabled", wasType: "commit-msg" }]);
    off.hook("add", "--type", "disabled", "--command", "true");
    expect(off.hook("enable", "all")).toEqual(
      fails(
        2,
        "gatepost: Hook 2 was added as disabled and never had another type.\n" +
          "Give it one: gatepost hook edit 2 --type after-receive\n",
      ),
    );
    expect(off.file().hooks).toMatchObject([{ type: "disabled", wasType: "commit-msg" }, { type: "disabled" }]);
  });
});

describe("the scope of a hook", () => {
  const home = world.at("shared");
  const at = (name: string): Hooks => hooksOf(world, world.at("team", name), home);
  const [one, two] = [at("one.git"), at("two.git")];
  const list = (hooks: Hooks): string[] => hooks.hook("export").stdout.match(/(?<="command": ")\w+/g) ?? [];

  beforeAll(() => {
    const paths = ["team/one.git", "team/two.git"].map((name) => world.bare(name));
    expect(world.gatepost(["init", "--home", home, ...paths]).code).toBe(0);
  });

  it("is the repository that the call is made in, one pattern, or all of them", () => {
    one.add("mine");
    one.add("everywhere", "--all");
    one.add("ones", "--pattern", "o*");
    expect([list(one), list(two)]).toEqual([["mine", "everywhere", "ones"], ["everywhere"]]);
    expect(two.hook("list", "--home", home).stdout).toBe(
      "  1: type = after-receive\n     command = mine\n     sequence = 10\n\n" +
        "  2: type = after-receive\n     command = everywhere\n     sequence = 10\n" +
        "     for = every repository of the home\n\n" +
        "  3: type = after-receive\n     command = ones\n     sequence = 10\n     for = o*\n",
    );
  });

  it("is never widened by --home alone, nor by edit, nor by both -R and --all", () => {
    expect(one.add("x", "--home", home)).toEqual(
      fails(
        2,
        "gatepost: For which repository? --home alone does not say. Nothing was changed.\n" +
          "Add -R REPOSITORY, --pattern 'team/*', or --all for every repository of the home.\n",
      ),
    );
    expect(one.add("x", "-R", ".", "--all")).toEqual(
      fails(
        2,
        "gatepost: --all stands for every repository; -R or --pattern cannot stand beside it.\n" +
          "From elsewhere, name the home: gatepost hook add --home DIR --all …\n",
      ),
    );
    one.hook("edit", "1", "--home", home, "--sequence", "4");
    expect(list(two)).toEqual(["everywhere"]);
  });

  it("keeps `all` to the repository's own hooks, and the wider ones are named", () => {
    expect(one.hook("delete", "all")).toEqual(
      says("hook 1 deleted\nLeft as they are, being for other repositories too: 2, 3. Name them to change them.\n"),
    );
    expect(one.stored()).toEqual(["2 everywhere", "3 ones"]);
    expect(world.gatepost(["hook", "delete", "all", "--home", home])).toEqual(says("2 hooks deleted\n"));
  });
});

describe("sub-commands", () => {
  it("may be shortened as in Fossil: a e d l s t", () => {
    short.hook("a", "--type", "after-receive", "--command", "true");
    expect(short.hook("e", "1", "--sequence", "+4").stderr).toBe("hook 1 changed: after-receive, sequence 4\n");
    expect(short.hook("l").stdout).toContain("sequence = 4");
    expect(short.hook("s").stdout).toBe(`hooks: '[{"cmd":"true","type":"after-receive","seq":4}]'\n`);
    expect(short.hook("t", "1", "-n").stdout).toBe("true\n");
    expect(short.hook("d", "1").stderr).toBe("hook 1 deleted\n");
  });

  it("of Gatepost's own need as many letters as tell them apart", () => {
    expect(short.hook("ex")).toEqual(prints('{\n  "gatepost": 1,\n  "hooks": []\n}\n'));
    expect(short.hook("ty").stdout).toMatch(/^TYPE +KIND +GIT HOOK +WHEN\nafter-receive +after +post-receive +/);
  });
});
