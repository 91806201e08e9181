/** Hooks of Git's own configuration (2.54 and later) as hooks. */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { type Importing, importing } from "./import-fixture.ts";

const world = makeWorld();
afterAll(() => world.remove());

const set = (app: Importing, ...settings: (readonly [string, string])[]): void => {
  for (const [key, value] of settings) world.git(["config", "--add", key, value], { cwd: app.root });
};

describe("hook import --from git-config", () => {
  it("takes hooks in the order of their last event lines, with the arguments that Git appends", () => {
    const app = importing(world, "order");
    set(
      app,
      ...([
        ["hook.late.command", "late"],
        ["hook.late.event", "commit-msg"],
        ["hook.Two.Dots.command", "old"],
        ["hook.Two.Dots.event", "commit-msg"],
        ["hook.Two.Dots.event", "pre-commit"],
        ["hook.Two.Dots.command", "printf '%F\\n' >\"$1\" &&\nnew"],
        ["hook.off.command", "off"],
        ["hook.off.event", "pre-push"],
        ["hook.off.enabled", "no"],
        ["hook.again.event", "post-merge"],
        ["hook.again.event", ""],
        ["hook.again.event", "post-receive"],
        ["hook.again.command", "./again"],
        ["hook.all.command", "x"],
        ["hook.all.event", "update"],
      ] as const),
    );
    // A second section of the name: git config --add would put the line into the first.
    appendFileSync(join(app.root, ".git", "config"), '[hook "late"]\n\tevent = commit-msg\n');
    const dots = "printf '%%F\\n' >\"$1\" &&\nnew";
    const common = { repository: "order", sequence: 10 };
    const { hooks, left, next } = app.plan("git-config");
    expect(hooks).toEqual([
      { ...common, name: "Two.Dots", type: "commit-msg", command: `${dots} "$@"` },
      { ...common, name: "Two.Dots-2", type: "before-commit", command: dots },
      { ...common, name: "off", type: "disabled", wasType: "before-push", command: 'off "$@"' },
      { ...common, name: "again", type: "after-receive", command: "./again", stdin: "updates", each: "receipt" },
      { ...common, name: "hook-all", type: "before-ref", command: 'x "$@"' },
      { ...common, name: "late", type: "commit-msg", sequence: 20, command: 'late "$@"' },
    ]);
    expect(left).toEqual([]);
    expect(next).toEqual(
      ["late", "Two.Dots", "off", "again", "all"].map((name) => `git config --local --remove-section hook.${name}`),
    );
  });

  it("reads every scope that Git reads, and names the one to clear", () => {
    const app = importing(world, "scopes");
    const GIT_CONFIG_GLOBAL = world.at("global");
    world.git(["config", "--file", GIT_CONFIG_GLOBAL, "hook.a b.command", "x"]);
    world.git(["config", "--file", GIT_CONFIG_GLOBAL, "hook.a b.event", "pre-commit"]);
    const args = ["hook", "import", "--from", "git-config", "--dry-run", "--json"];
    const { stdout } = world.gatepost(args, { cwd: app.root, env: { GIT_CONFIG_GLOBAL } });
    expect(JSON.parse(stdout)).toMatchObject({
      hooks: [{ name: "a-b", command: "x" }],
      next: ["git config --global --remove-section 'hook.a b'"],
    });
    expect(app.plan("git-config", GIT_CONFIG_GLOBAL).hooks).toMatchObject([{ name: "a-b", command: "x" }]);
    expect(app.run("git-config").stderr).toBe("There is no hook that could be carried over. Nothing was added.\n");
  });

  it("marks as parallel only what Git runs so: all of an event, and never at commits", () => {
    const app = importing(world, "parallel");
    for (const name of ["a", "b"])
      set(
        app,
        [`hook.${name}.command`, name],
        [`hook.${name}.event`, "pre-push"],
        [`hook.${name}.event`, "pre-commit"],
        [`hook.${name}.parallel`, "true"],
      );
    const marks = () => app.plan("git-config").hooks.map(({ type, parallel }) => [type, parallel ?? false]);
    expect(marks()).toEqual([
      ["before-push", true],
      ["before-commit", false],
      ["before-push", true],
      ["before-commit", false],
    ]);
    set(app, ["hook.b.parallel", "false"]);
    expect(marks().every(([, parallel]) => parallel === false)).toBe(true);
  });

  it("names what has no command, no event or no type, and keeps what is switched off for a whole event off", () => {
    const app = importing(world, "left");
    set(
      app,
      ["hook.none.event", "pre-commit"],
      ["hook.idle.command", "x"],
      ["hook.odd.command", "x"],
      ["hook.odd.event", "fsmonitor-watchman"],
      ["hook.msg.command", "x"],
      ["hook.msg.event", "commit-msg"],
      ["hook.commit-msg.enabled", "false"],
      ["hook.broken.command", "if"],
      ["hook.broken.event", "pre-commit"],
    );
    const { hooks, left } = app.plan("git-config");
    expect(hooks).toMatchObject([{ name: "msg", type: "disabled", wasType: "commit-msg" }]);
    expect(left.map(({ what }) => what)).toEqual([
      ...["hook.none, event pre-commit", "hook.odd, event fsmonitor-watchman", "hook.idle", "broken (before-commit)"],
    ]);
  });
});
