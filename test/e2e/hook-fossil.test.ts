/**
 * `fossil hook` beside `gatepost hook`: where Gatepost shows the same, and each slip of Fossil's (numbered as in our
 * notes on Fossil, D8 to D13) that Gatepost does not have. Fossil counts hooks from 0, Gatepost from 1.
 */
import * as fs from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fails, makeWorld, type Outcome, prints, silent, until } from "../helpers/cli.ts";
import { hooksOf } from "../helpers/hooks.ts";

const world = makeWorld();
const installed = (process.env["PATH"] ?? "").split(":").some((folder) => fs.existsSync(`${folder}/fossil`));

/** A hook database of Fossil's. */
function fossilAt(file: string) {
  const fossil = (...args: string[]): Outcome => world.run(["fossil", ...args, "-R", file]);
  world.run(["fossil", "init", file]);
  return {
    hook: (...args: string[]) => fossil("hook", ...args),
    add: (command: string, type = "after-receive", sequence = "10") =>
      fossil("hook", "add", "--type", type, "--sequence", sequence, "--command", command),
    commands: (): string[] => fossil("hook", "list").stdout.match(/(?<=command = ).*/g) ?? [],
  };
}

/** Fossil's list as it would be if it counted from 1. */
const fromOne = (list: string): string =>
  list.replace(/^ *(\d+):/gm, (_, id: string) => `${String(Number(id) + 1).padStart(3)}:`);

const [same, ids, tries, spaced] = ["same.git", "ids.git", "tries.git", "pa th $(touch x)'\".git"].map((name) =>
  hooksOf(world, world.at(name)),
) as [ReturnType<typeof hooksOf>, ReturnType<typeof hooksOf>, ReturnType<typeof hooksOf>, ReturnType<typeof hooksOf>];

beforeAll(() => {
  const paths = [same, ids, tries, spaced].map(({ home }) => {
    const path = home.replace(/\/gatepost$/, "");
    return world.bare(path.slice(world.dir.length + 1));
  });
  expect(world.gatepost(["init", ...paths]).code).toBe(0);
});
afterAll(() => world.remove());

describe.skipIf(!installed)("the same calls to fossil and to gatepost", () => {
  const calls: [command: string, type?: string, sequence?: string][] = [
    ["echo A"],
    [`printf '%s\\n' "a/b" 'c' > /dev/null`, "after-receive", "-3"],
    ["cat | é\\$x; true", "before-commit", "7"],
    ["exit 3", "disabled"],
  ];

  it("list and show the same, but for where ids begin", () => {
    const fossil = fossilAt(world.at("same.fossil"));
    for (const [command, type = "after-receive", sequence = "10"] of calls) {
      expect(fossil.add(command, type, sequence)).toEqual(silent);
      const options = ["--type", type, "--sequence", sequence, "--command", command];
      expect(same.hook("add", ...options)).toMatchObject({ code: 0, stdout: "" });
    }
    expect(fossil.hook("edit", "--sequence", "12", "0")).toEqual(silent);
    expect(same.hook("edit", "--sequence", "12", "1")).toMatchObject({ code: 0, stdout: "" });

    const list = fossil.hook("list");
    expect(list.stdout.split("\n")).toHaveLength(4 * 3 + 3 + 1);
    expect(same.hook("list")).toEqual({ ...list, stdout: fromOne(list.stdout) });
    expect(same.hook("status")).toEqual(fossil.hook("status"));
    expect(same.hook("test", "--dry-run", "1").stdout).toBe(fossil.hook("test", "--dry-run", "0").stdout);
  });
});

describe.skipIf(!installed)("what fossil gets wrong", () => {
  const fossil = installed ? fossilAt(world.at("wrong.fossil")) : ({} as ReturnType<typeof fossilAt>);

  it("Fossil's D8: several ids delete exactly those hooks, and words that are no id delete nothing", () => {
    for (const command of ["a", "b", "c", "d", "e"]) fossil.add(command);
    fossil.hook("delete", "0", "1");
    expect(fossil.commands()).toEqual(["b", "d", "e"]); // meant: c d e
    fossil.hook("delete", "");
    expect(fossil.commands()).toEqual(["d", "e"]);
    fossil.hook("delete", "4294967297");
    expect(fossil.commands()).toEqual(["d"]);
    expect(fossil.hook("delete", "17")).toEqual(silent);

    for (const command of ["a", "b", "c", "d", "e"]) ids.add(command);
    ids.hook("delete", "1", "2");
    expect(ids.stored()).toEqual(["3 c", "4 d", "5 e"]);
    for (const word of ["", "4294967297", "17"]) expect(ids.hook("delete", word).code).toBe(3);
    expect(ids.stored()).toEqual(["3 c", "4 d", "5 e"]);
  });

  it("Fossil's D9: edit takes all, its complaint is about edit, and status is among the commands", () => {
    expect(fossil.hook("edit", "--type", "disabled", "all")).toEqual(fails(1, 'not a valid ID: "all"\n'));
    expect(fossil.hook("edit", "--type", "disabled").stderr).toBe("Usage: fossil hook delete ID ...\n");
    expect(fossil.hook("bogus").stderr).not.toContain("status");

    ids.hook("edit", "--type", "disabled", "all");
    expect(ids.file().hooks.map(({ type }) => type)).toEqual(["disabled", "disabled", "disabled"]);
    expect(ids.hook("edit", "--type", "disabled").stderr).toContain("gatepost hook edit");
    expect(ids.hook("bogus").stderr).toContain(" status ");
  });

  it("Fossil's D10: a test ends as the hook did, and wants a hook and receipts that are there", () => {
    fossil.hook("delete", "all");
    fossil.add("exit 3", "before-commit");
    expect(fossil.hook("test", "0")).toEqual(silent);
    expect(fossil.hook("test", "abc")).toEqual(silent);
    fossil.hook("edit", "--type", "after-receive", "0");
    expect(fossil.hook("test", "-n", "0", "--new-rcvid", "999").stdout).toMatch(/^exit 3\n[0-9a-f]{64} check-in /);

    tries.add("echo out; echo err >&2; exit 3", "--name", "fails");
    expect(tries.hook("test", "fails")).toMatchObject({ code: 1, stdout: "out\nerr\n" });
    expect(tries.hook("test", "fails").stderr).toContain("gatepost: hook fails: exit 3\n");
    expect(tries.hook("test", "abc").code).toBe(3);
    expect(tries.hook("test", "fails", "-n", "--new-rcvid", "999")).toMatchObject({ code: 2, stdout: "" });
  });

  it("Fossil's D11: a literal %F, %R or %A can be written", () => {
    fossil.hook("edit", "--command", "echo %%F %F", "0");
    const program = world.run(["sh", "-c", "command -v fossil"]).stdout.trim();
    expect(fossil.hook("test", "-n", "0").stdout).toBe(`echo %${program} ${program}\n`);

    tries.add("echo %%F %%R %%A %% %x; basename %F", "--name", "percent");
    expect(tries.hook("test", "percent")).toMatchObject({ code: 0, stdout: "%F %R %A % %x\ngatepost\n" });
  });

  it("Fossil's D12: a path with blanks, quotes and dollars is one word, and always absolute", async () => {
    fs.mkdirSync(world.at("pa th"));
    fs.copyFileSync(world.at("wrong.fossil"), world.at("pa th", "r.fossil"));
    const bad = fossilAt("pa th/r.fossil");
    bad.hook("edit", "--command", "printf '[%s]' %R", "0");
    const dry = bad.hook("test", "-n", "0").stdout;
    expect(world.run(["sh", "-c", dry]).stdout).toBe("[pa][th/r.fossil]");
    fossil.hook("edit", "--command", "echo %R >told.new; mv told.new told", "0");
    world.run(["fossil", "backoffice", "--nolease", "wrong.fossil"]);
    await until("fossil's hook runs", () => fs.existsSync(world.at("told")));
    expect(fs.readFileSync(world.at("told"), "utf8")).toBe("wrong.fossil\n");

    const here = spaced.home.replace(/\/gatepost$/, "");
    spaced.add(`printf '[%%s]' %R "%R" '%R' $(printf '(%%s)' "%R")`);
    const expected = `[${here}]`.repeat(3) + `[(${here})]`.replaceAll(" ", "][");
    expect(spaced.hook("test", "1").stdout).toBe(expected);
    const pasted = spaced.hook("test", "1", "-n").stdout;
    expect(world.run(["sh", "-c", pasted]).stdout).toBe(expected);
    expect(fs.existsSync(world.at("x")) || fs.existsSync(`${here}/x`)).toBe(false);
  });

  it("Fossil's D13: a command may be any shell line", () => {
    fossil.hook("edit", "--type", "before-commit", "--command", "echo a; echo b", "0");
    const tree = world.at("tree");
    fs.mkdirSync(tree);
    world.run(["fossil", "open", "-f", world.at("wrong.fossil")], { cwd: tree });
    fs.writeFileSync(world.at("tree", "f"), "f\n");
    world.run(["fossil", "add", "f"], { cwd: tree });
    const commit = world.run(["sh", "-c", "ulimit -c 0; fossil commit -m m --no-warnings; echo $?"], { cwd: tree });
    expect(commit.stdout).toBe("134\n");
    expect(commit.stderr).toContain("Unsafe command string: echo a; echo b\n");
    expect(fs.readdirSync(tree).filter((name) => name.startsWith("commit-description-"))).toHaveLength(1);

    tries.add(
      'x=$(echo a); { echo "$x"; false; } | cat && echo `echo b` &\nwait; echo c > /dev/null',
      "--name",
      "line",
    );
    expect(tries.hook("test", "line")).toEqual({
      ...prints("a\nb\n"),
      stderr: "Nothing was received yet; showing the newest commit of HEAD as if it had just arrived.\n",
    });
    expect(fs.readdirSync(`${tries.home}/aux`)).toEqual([]);
  });
});
