/** husky's scripts as hooks, against the real husky. */
import * as fs from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { importing, type Peers, peers } from "./import-fixture.ts";

const world = makeWorld();
let programs: Peers | null = null;
beforeAll(async () => {
  programs = await peers();
}, 130_000);
afterAll(() => world.remove());

describe("hook import --from husky", () => {
  it("makes a hook of each line where each is a plain program, in order", () => {
    const app = importing(world, "lines");
    app.write(".husky/pre-commit", '# first\nnpm test\n\nnpx lint-staged --quiet\nnpx commitlint --edit "$1"\n');
    expect(app.plan("husky")).toEqual({
      hooks: [
        { name: "husky-pre-commit", repository: "lines", type: "before-commit", sequence: 10, command: "npm test" },
        {
          ...{ name: "husky-pre-commit-2", repository: "lines", type: "before-commit", sequence: 20 },
          command: "npx lint-staged --quiet",
        },
        {
          ...{ name: "husky-pre-commit-3", repository: "lines", type: "before-commit", sequence: 30 },
          command: 'npx commitlint --edit "$1"',
        },
      ],
      left: [],
      next: [],
    });
  });

  it.for([
    ["[ -f a ] && npm test\nnpm run lint", "a list, which sh -e passes when its first part fails"],
    ["cd web\nnpm test", "a folder that the next line needs"],
    ["CI=1 npm test\nnpm run lint", "an assignment"],
    ["npm test | tee log\nnpm run lint", "a pipe"],
    ["npm test 'a\nb'\nnpm run lint", "a quoted line break"],
    ['echo "$(date)"\nnpm test', "a substitution"],
    ["npm test &\nwait", "the background"],
    ["# x\nexit 0\nnpm test", "an exit"],
  ])("keeps %j as one hook: %s", ([text], { task }) => {
    const app = importing(world, `whole-${task.id.replace(/\W/g, "")}`);
    app.write(".husky/pre-commit", `${text}\n`);
    expect(app.plan("husky").hooks.map(({ command }) => command)).toEqual([`set -e\n${text}`]);
  });

  it("keeps lines that share their input together", () => {
    const app = importing(world, "pushes");
    app.write(".husky/pre-push", "cat\nnpm test\n");
    expect(app.plan("husky").hooks).toMatchObject([{ type: "before-push", command: "set -e\ncat\nnpm test" }]);
  });

  it("drops the lines by which husky 4 to 8 load themselves, and names what needs them", () => {
    const app = importing(world, "old");
    app.write(".husky/pre-commit", '#!/bin/sh\n. "$(dirname "$0")/_/husky.sh"\n\nnpm test\n');
    app.write(
      ".husky/commit-msg",
      '#!/usr/bin/env sh\n. "$(dirname -- "$0")/_/husky.sh"\n\n. "$(dirname "$0")/common.sh"\n',
    );
    app.write(".husky/pre-push", '. "$(dirname "$0")/common.sh"\ncheck\n');
    app.write(".husky/common.sh", "check() { true; }\n");
    const { hooks, left } = app.plan("husky");
    expect(hooks.map(({ type, command }) => [type, command])).toEqual([
      ["before-commit", "npm test"],
      ["before-push", 'sh -e .husky/pre-push "$@"'],
    ]);
    expect(left.map(({ what }) => what)).toEqual([".husky/commit-msg"]);
  });

  it("doubles a percent sign that would be a place, and leaves out what sh cannot read", () => {
    const app = importing(world, "percent");
    app.write(".husky/pre-commit", 'echo "${1%%.*}" %F %Y\n');
    app.write(".husky/commit-msg", "if true; then\n");
    const { hooks, left } = app.plan("husky");
    expect(hooks.map(({ command }) => command)).toEqual(['set -e\necho "${1%%%.*}" %%F %Y']);
    expect(left).toMatchObject([
      { what: "husky-commit-msg (commit-msg)", why: expect.stringContaining("sh cannot read") },
    ]);
  });

  it("names what of husky is not carried over", () => {
    const app = importing(world, "rest");
    app.write(".husky/pre-commit", "npm test\n");
    app.write(".husky/pre-merge-commit", "npm test\n");
    fs.mkdirSync(world.at("user", ".config", "husky"), { recursive: true });
    fs.writeFileSync(world.at("user", ".config", "husky", "init.sh"), "");
    expect(app.plan("husky").left.map(({ what }) => what)).toEqual([
      ".husky/pre-merge-commit",
      world.at("user", ".config", "husky", "init.sh"),
    ]);
    fs.rmSync(world.at("user", ".config"), { recursive: true });
  });

  it("says where husky's folder should have been", () => {
    const app = importing(world, "none");
    expect(app.run("husky")).toEqual({
      stdout: "",
      stderr:
        `gatepost: There is no ${app.root}/.husky. Nothing was imported.\n` +
        "If husky's folder is elsewhere, name it: gatepost hook import --from … PATH\n",
      code: 3,
    });
  });

  it("runs what the real husky runs, in the same order, with the same arguments and verdict", ({ skip }) => {
    if (programs === null) return skip("husky cannot be had from npm");
    const app = importing(world, "real");
    app.write("package.json", '{ "name": "real" }\n');
    expect(world.run([process.execPath, programs.husky, "init"], { cwd: app.root }).code).toBe(0);
    const say = (what: string) => `#!/bin/sh\necho "${what} $*" >>"$LOG"\n`;
    for (const tool of ["lint", "msg"]) app.write(`node_modules/.bin/${tool}`, say(tool));
    app.write(".gitignore", "node_modules\n");
    app.write(".husky/pre-commit", "lint --staged\nlint 'a b'\n");
    app.write(".husky/prepare-commit-msg", 'if [ "$2" = message ]; then lint "$2"; fi\n');
    app.write(".husky/commit-msg", 'msg "$1"\n! grep -q WIP "$1"\n');
    const theirs = [app.commit(), app.commit({}, "WIP")];
    expect(theirs[0]?.log).toEqual(["lint --staged", "lint a b", "lint message", "msg .git/COMMIT_EDITMSG"]);

    const imported = app.run("husky");
    expect([imported.code, imported.stdout]).toEqual([0, ""]);
    expect(imported.stderr).toContain("\nWhat to do now:\n  git config --unset core.hooksPath\n  gatepost init\n");
    world.git(["config", "--unset", "core.hooksPath"], { cwd: app.root });
    expect(world.gatepost(["init"], { cwd: app.root }).code).toBe(0);
    const ours = [app.commit(), app.commit({}, "WIP")];
    expect(ours.map(({ log }) => log)).toEqual(theirs.map(({ log }) => log));
    expect(ours.map(({ outcome }) => outcome.code)).toEqual(theirs.map(({ outcome }) => outcome.code));
  });
});
