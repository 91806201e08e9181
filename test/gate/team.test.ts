/** The team file as a gate sees it, whatever /bin/sh is: the repository's own hooks first, then the team's, each by its name. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { compileTeam } from "../../src/home/team-compile.ts";
import { parseTeamFile } from "../../src/home/team-file.ts";
import { STAND_SHELLS, Stand } from "./stand.ts";

type Given = Readonly<Record<string, unknown>>;

describe.each(STAND_SHELLS)("where /bin/sh is %s", (shell) => {
  let stand: Stand;
  const at = (...names: string[]): string => join(stand.tree, ...names);
  const bytesOf = (hooks: readonly Given[]): Buffer =>
    Buffer.from(JSON.stringify({ gatepost: 1, hooks: hooks.map((hook) => ({ type: "before-commit", ...hook })) }));
  /** Puts a team file there, and compiles it. */
  function team(...hooks: Given[]): void {
    const bytes = bytesOf(hooks);
    fs.writeFileSync(at("gatepost.json"), bytes);
    compileTeam({ gitDir: stand.git }, { bytes, hooks: parseTeamFile(bytes) }, 0o600);
  }
  /** What stands for Node: a program that leaves a mark, prints this, and ends with that status. */
  function follower(text: string, status: number): void {
    fs.mkdirSync(join(stand.home, "bin"), { recursive: true });
    const program = `#!/bin/sh\necho "$@" >>${stand.dir}/called\nprintf '%s' '${text}'\nexit ${status}\n`;
    fs.writeFileSync(join(stand.home, "bin", "gatepost"), program, { mode: 0o755 });
  }
  const ask = (env: Record<string, string> = {}) => stand.ask("before-commit", { env });
  const called = (): boolean => fs.existsSync(join(stand.dir, "called"));
  const ran = () =>
    stand.records().map(({ verdict, hooks }) => [
      verdict,
      ...hooks.map((one) => {
        const which = one.team === undefined ? one.hook : `team:${one.team}`;
        return one.line === "ran" ? `${which} ${one.word}` : `${which} ${one.line}`;
      }),
    ]);

  beforeAll(() => {
    stand = new Stand(shell);
  });
  beforeEach(() => {
    for (const path of [stand.log, join(stand.dir, "called"), at("gatepost.json"), join(stand.git, "gatepost-team")])
      fs.rmSync(path, { recursive: true, force: true });
    follower("", 70);
    stand.compile("before-commit", []);
  });
  afterAll(() => stand.remove());

  it("the repository's own hooks run first, then the team's, and one record names all of them", () => {
    stand.compile("before-commit", [{ command: "echo own $GATEPOST_HOOK" }]);
    team({ name: "late", sequence: 20, command: "echo $GATEPOST_HOOK" }, { command: "echo $GATEPOST_HOOK" });
    expect(ask()).toEqual({ code: 0, stdout: "own 1\nteam:2\nlate\n", stderr: "" });
    expect(ran()).toEqual([["pass", "1 pass", "team:2 pass", "team:late pass"]]);
    expect(called()).toBe(false);
  });

  it("a refusal on either side refuses, and what is not run is named", () => {
    stand.compile("before-commit", [{ command: "exit 3" }]);
    team({ name: "lint", command: "true" });
    expect(ask()).toMatchObject({ code: 3, stderr: expect.stringContaining("Not run: team hook lint.") });
    stand.compile("before-commit", [{ command: "true" }]);
    team({ name: "lint", command: "exit 4" }, { command: "true" });
    expect(ask()).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(
        "before-commit team hook lint refused this commit. Not run: team hook 2. Skip this one: GATEPOST_SKIP=lint git commit",
      ),
    });
    expect(ran()).toEqual([
      ["refused", "1 refused", "team:lint unrun"],
      ["refused", "1 pass", "team:lint refused", "team:2 unrun"],
    ]);
  });

  it("GATEPOST_SKIP takes the name and the place of a team hook, and a place is no hook's number", () => {
    stand.compile("before-commit", [{ command: "true" }]);
    team({ command: "exit 1" }, { name: "lint", command: "exit 1" });
    expect(ask({ GATEPOST_SKIP: "lint,1" }).code).toBe(1);
    expect(ask({ GATEPOST_SKIP: "lint, team:1" })).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(ran().at(-1)).toEqual(["pass", "1 pass", "team:1 skipped", "team:lint skipped"]);
  });

  it("with neither file nor hooks nothing is started and nothing is written down", () => {
    team({ command: "exit 1" });
    fs.rmSync(at("gatepost.json"));
    expect(ask({ PATH: "/nowhere" })).toEqual({ code: 0, stdout: "", stderr: "" });
    expect([called(), fs.existsSync(stand.log)]).toEqual([false, false]);
  });

  it("a link is left to Node, also where it leads to the very text that was compiled", () => {
    for (const size of [0, 1100]) {
      team({ command: `: ${"x".repeat(size)}` });
      fs.renameSync(at("gatepost.json"), at("other.json"));
      fs.symlinkSync("other.json", at("gatepost.json"));
      follower("gatepost.json: it is a symbolic link\nedit it\n", 2);
      expect(ask()).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("it is a symbolic link. Mend it: edit it."),
      });
      fs.rmSync(at("gatepost.json"));
    }
  });

  it("where nobody agreed, the file is not looked at", () => {
    fs.writeFileSync(at("gatepost.json"), bytesOf([{ command: "exit 1" }]));
    expect(ask()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(called()).toBe(false);
  });

  it("a file that differs is given to Node once, whose line is shown and whose no refuses with what mends it", () => {
    team({ command: "true" });
    fs.appendFileSync(at("gatepost.json"), "\n");
    follower("gatepost.json changed", 0);
    expect(ask()).toEqual({ code: 0, stdout: "", stderr: "gatepost: gatepost.json changed\n" });
    expect(fs.readFileSync(join(stand.dir, "called"), "utf8")).toBe(`follow-team ${stand.home} ${stand.git} ./.git\n`);
    follower("gatepost.json: it is wrong\nedit it\n", 2);
    expect(ask().stderr).toBe(
      "gatepost: The before-commit gate is broken, so this commit is refused: gatepost.json: it is wrong. Mend it: edit it. Way round: git commit --no-verify\n",
    );
  });

  it("a large file is compared by cmp, from wherever the system has it, and by Node where there is none", () => {
    team({ command: "true" }, { command: `: ${"x".repeat(1100)}` });
    expect(fs.existsSync(join(stand.git, "gatepost-team", "now", "same"))).toBe(false);
    expect(ask({ PATH: "/nowhere" })).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(called()).toBe(false);
    fs.appendFileSync(at("gatepost.json"), "\n");
    follower("gatepost.json changed", 0);
    expect(ask().stderr).toBe("gatepost: gatepost.json changed\n");
  });

  it("without Node, or with what was compiled cut anywhere or gone, nothing passes", () => {
    team({ command: "true" }, { command: "true", parallel: true }, { command: "true", parallel: true });
    expect(ask().code).toBe(0);
    const folder = fs.realpathSync(join(stand.git, "gatepost-team", "now"));
    const file = join(folder, "before-commit");
    const size = fs.statSync(file).size;
    const sizes = Array.from({ length: 40 }, (_, n) => Math.floor((n * size) / 40)).concat([size - 2, size - 1]);
    expect(stand.cut(file, sizes, "before-commit").filter((code) => code === 0)).toEqual([]);
    fs.rmSync(file);
    expect(ask()).toMatchObject({ code: 1, stderr: expect.stringContaining("Mend it: gatepost init.") });
    fs.appendFileSync(at("gatepost.json"), "\n");
    fs.rmSync(join(stand.home, "bin"), { recursive: true });
    expect(ask()).toMatchObject({ code: 1, stderr: expect.stringContaining("cannot compile it (exit 127)") });
  });

  it("side by side, the database's hooks and the team's do not take each other's output", () => {
    const pair = (word: string) => [1, 2].map((n) => ({ command: `echo ${word} ${n}`, parallel: true }));
    stand.compile("before-commit", pair("own"));
    team(...pair("team"));
    expect(ask()).toMatchObject({ code: 0, stderr: "own 1\nown 2\nteam 1\nteam 2\n" });
  });
});
