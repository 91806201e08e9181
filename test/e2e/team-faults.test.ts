/** What a team file and its compiled form can be instead of what they should be, and what happens to commits then. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseTeamFile, teamChange } from "../../src/home/team-file.ts";
import { makeWorld, type Outcome, type World } from "../helpers/cli.ts";

const GOOD = JSON.stringify({
  gatepost: 1,
  hooks: [{ name: "no-bad", type: "before-commit", command: "! test -e bad" }],
});

let world: World;
let app: string;
let count = 0;

beforeAll(() => {
  world = makeWorld();
});
afterAll(() => world.remove());

/** A repository of its own, whose team file is obeyed. */
function begin(): void {
  count += 1;
  app = world.workTree(`app-${count}`);
  world.commit(app, { "gatepost.json": GOOD });
  expect(gatepost("init")).toMatchObject({ code: 0 });
  expect(gatepost("settings", "automatic-backoffice", "off")).toMatchObject({ code: 0 });
}

const gatepost = (...args: string[]): Outcome => world.gatepost(args, { cwd: app });
const commit = (): Outcome => world.run(["git", "commit", "-q", "--allow-empty", "-m", "m"], { cwd: app });
const team = (...names: string[]): string => join(app, ".git", "gatepost-team", ...names);
const refuses = (): boolean => {
  fs.writeFileSync(join(app, "bad"), "");
  const { code, stderr } = commit();
  fs.rmSync(join(app, "bad"));
  return code === 1 && stderr.includes("team hook no-bad refused this commit");
};

describe("a gatepost.json that is no file", () => {
  beforeEach(begin);
  it.for(["a link to a file", "a link that leads nowhere", "a folder", "a pipe"])("refuses commits: %s", (what) => {
    const file = join(app, "gatepost.json");
    fs.rmSync(file);
    fs.writeFileSync(join(app, "other.json"), `${GOOD}\n`);
    if (what === "a folder") fs.mkdirSync(file);
    else if (what === "a pipe") world.run(["mkfifo", file]);
    else fs.symlinkSync(what === "a link to a file" ? "other.json" : "gone.json", file);
    expect(commit()).toMatchObject({ code: 1, stderr: expect.stringContaining("Mend it: edit gatepost.json") });
    expect(gatepost("doctor").code).not.toBe(0);
  });
});

describe("what was compiled", () => {
  beforeEach(begin);
  it("is made anew by the next commit where it is gone or of another file, whoever died in the middle", () => {
    fs.rmSync(team("now"));
    fs.mkdirSync(team("999999999-0123456789abcdef"));
    fs.symlinkSync("nowhere", team("999999999-0123456789abcdef.new"));
    expect(refuses()).toBe(true);
    expect(fs.readdirSync(team()).filter((name) => name.startsWith("999999999"))).toEqual([]);
    fs.rmSync(team("now", "same"));
    fs.writeFileSync(team("now", "gatepost.json"), "{}");
    expect(refuses()).toBe(true);
    expect(gatepost("doctor")).toMatchObject({ code: 0 });
  });

  it("refuses where one file of it is gone, until doctor --fix or init makes it whole", () => {
    for (const mend of [["doctor", "--fix"], ["init"]]) {
      fs.rmSync(team("now", "before-commit"));
      expect(commit()).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("compiled file of gatepost.json is missing"),
      });
      expect(gatepost("doctor")).toMatchObject({ code: 1, stdout: expect.stringContaining("is not whole") });
      expect(gatepost(...mend)).toMatchObject({ code: 0 });
      expect(refuses()).toBe(true);
    }
  });

  it("is made anew in the place of whatever stands there instead, such as what a copy made that follows links", () => {
    const whole = (): void => {
      expect(refuses()).toBe(true);
      expect(gatepost("doctor")).toMatchObject({ code: 0 });
    };
    fs.cpSync(team("now"), team("copy"), { recursive: true, dereference: true });
    fs.rmSync(team("now"));
    fs.renameSync(team("copy"), team("now"));
    expect(refuses()).toBe(true);
    fs.appendFileSync(join(app, "gatepost.json"), "\n");
    whole();
    for (const put of [() => fs.symlinkSync("nowhere", team()), () => fs.writeFileSync(team(), "")]) {
      fs.rmSync(team(), { recursive: true });
      put();
      whole();
    }
  });

  it("where the sign that somebody agreed is gone, doctor says so and puts it back", () => {
    fs.rmSync(team(), { recursive: true });
    expect(commit()).toMatchObject({ code: 0 });
    expect(gatepost("doctor")).toMatchObject({ code: 1, stdout: expect.stringContaining("Gates do not know") });
    expect(gatepost("doctor", "--fix")).toMatchObject({ code: 0 });
    expect(refuses()).toBe(true);
  });
});

describe("a text that is no team file", () => {
  const wrong: [title: string, text: string, says: string][] = [
    ["no JSON", '{"gatepost": 1,\n oops}', "line 2"],
    [
      "a scope",
      '{"gatepost":1,"hooks":[{"type":"before-commit","command":"x","all":true}]}',
      "hooks[0].all: is not for team files",
    ],
    [
      "a server's type",
      '{"gatepost":1,"hooks":[{"type":"pre-receive","command":"x"}]}',
      "hooks[0].type: cannot be before-receive",
    ],
    ["no such type", '{"gatepost":1,"hooks":[{"type":"pre-comit","command":"x"}]}', "hooks[0]"],
    [
      "a function hook",
      '{"gatepost":1,"hooks":[{"name":"f","type":"before-commit","command":null}]}',
      "hooks[0].command: must be a text",
    ],
    [
      "a command that sh cannot read",
      '{"gatepost":1,"hooks":[{"type":"before-commit","command":"if"}]}',
      "sh cannot read",
    ],
    [
      "an option of another type",
      '{"gatepost":1,"hooks":[{"type":"before-commit","command":"x","retries":2}]}',
      "--retries is not for",
    ],
    [
      "a name twice",
      '{"gatepost":1,"hooks":[{"name":"a","type":"before-commit","command":"x"},{"name":"a","type":"commit-msg","command":"x"}]}',
      "hooks[1].name: hook 1 has that name already",
    ],
    ["a newer format", '{"gatepost":2,"hooks":[]}', '"gatepost": 1'],
  ];
  it.for(wrong)("is refused with its place: %s", ([, text, says]) => {
    let message = "";
    try {
      parseTeamFile(Buffer.from(text));
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(/^gatepost\.json: /);
    expect(message).toContain(says);
  });

  it("bytes that are not UTF-8 are refused, and a byte order mark is not", () => {
    expect(() => parseTeamFile(Buffer.from([0x7b, 0xff, 0x7d]))).toThrow("gatepost.json: it is not UTF-8");
    expect(parseTeamFile(Buffer.from(`\ufeff${GOOD}`))).toHaveLength(1);
  });
});

describe("what is said of a change", () => {
  const hooks = (...given: Readonly<Record<string, unknown>>[]) =>
    parseTeamFile(
      Buffer.from(JSON.stringify({ gatepost: 1, hooks: given.map((one) => ({ type: "before-commit", ...one })) })),
    );
  const lint = { name: "lint", command: "a" };

  it("names hooks by their names or places, and nothing where the same hooks run", () => {
    expect(teamChange(hooks(lint, { command: "b" }), hooks({ command: "b" }, lint))).toBe("");
    const change = teamChange(hooks(lint, { command: "b" }), hooks({ ...lint, timeout: 3 }, { command: "c" }));
    expect(change).toBe(
      "gatepost.json changed, and is obeyed as it is now. new: hook 2 (before-commit); changed: lint (before-commit); gone: hook 2 (before-commit)",
    );
  });
});
