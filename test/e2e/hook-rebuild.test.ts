/** `init --from`: a home whose database was lost gets its hooks back from its hooks.json, or from any file of hooks. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeWorld, type World } from "../helpers/cli.ts";

let world: World;
let home: string;
let paths: string[];

beforeEach(() => {
  world = makeWorld();
  home = world.at("home");
  paths = ["a.git", "b.git"].map((name) => world.bare(name));
  expect(world.gatepost(["init", "--home", home, ...paths]).code).toBe(0);
  add("ci", "-R", "a.git", "--type", "after-receive", "--command", "make", "--retries", "2", "--ref", "refs/heads/*");
  add("gate", "--pattern", "*.git", "--type", "before-receive", "--command", "exit 1");
  add("off", "--all", "--type", "before-ref", "--command", "true");
  expect(world.gatepost(["hook", "disable", "--home", home, "off"]).code).toBe(0);
});
afterEach(() => world.remove());

const add = (name: string, ...options: string[]) =>
  expect(world.gatepost(["hook", "add", "--home", home, "--name", name, ...options]).code).toBe(0);
const file = (): string => join(home, "hooks.json");
const exported = (): string => world.gatepost(["hook", "export", "--home", home]).stdout;
const init = (...args: string[]) => world.gatepost(["init", "--home", home, ...args]);
const kept = (): string[] => fs.readdirSync(home).filter((name) => name.startsWith("hooks.json."));

function loseDatabase(): void {
  for (const name of fs.readdirSync(home)) if (name.startsWith("gatepost.db")) fs.rmSync(join(home, name));
}

it("a home that lost its database gets the same hooks back from its own hooks.json, and its gates refuse again", () => {
  const before = exported();
  loseDatabase();
  const outcome = init("--from", file(), ...paths);
  expect([outcome.code, outcome.stderr.split("\n")[0]]).toEqual([0, `3 hooks imported from ${file()}`]);
  expect(exported()).toBe(before);
  expect(fs.readFileSync(file(), "utf8")).toBe(before);
  expect(kept()).toEqual([]);
  const work = world.clone(world.at("a.git"));
  world.commit(work);
  expect(world.run(["git", "push", "-q", "origin", "main"], { cwd: work }).code).toBe(1);
  const again = init("--from", file(), ...paths);
  expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining("The home has 3 hooks: ") });
  expect(exported()).toBe(before);
});

it("making a home anew where a database was lost keeps its hooks.json and says where", () => {
  const before = exported();
  loseDatabase();
  const { stderr, code } = init(...paths);
  const [name = ""] = kept();
  expect(code).toBe(0);
  expect(stderr).toContain(`Its hooks are in ${join(home, name)}: gatepost hook import --home ${home} `);
  expect(fs.readFileSync(join(home, name), "utf8")).toBe(before);
  expect(init("--from", join(home, name), ...paths).code).toBe(0);
  expect([exported(), kept()]).toEqual([before, []]);
});

it("nothing is imported where a repository of the file is not registered, and the file is kept", () => {
  const before = exported();
  loseDatabase();
  const { stderr, code } = init("--from", file(), world.at("b.git"));
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining('hooks[0].repository (line 6): "a.git" is not registered here. No hook was imported.\n'),
  ]);
  expect(JSON.parse(exported())).toEqual({ gatepost: 1, hooks: [] });
  const [name = ""] = kept();
  expect(fs.readFileSync(join(home, name), "utf8")).toBe(before);
  expect(init("--from", join(home, name), ...paths).code).toBe(0);
  expect(exported()).toBe(before);
});

it("a file with a mistake stops it before anything is registered; several homes cannot be meant", () => {
  const bad = world.at("bad.json");
  fs.writeFileSync(bad, '{"gatepost": 1, "hooks": [{"type": "before-receive"}]}');
  const fresh = world.bare("fresh.git");
  expect(world.gatepost(["init", "--from", bad, fresh])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining('hooks[0]: has no "command". Nothing was done.'),
  });
  expect(fs.existsSync(join(fresh, "gatepost"))).toBe(false);
  expect(world.gatepost(["init", "--from", file(), fresh, world.bare("other.git")])).toMatchObject({
    code: 2,
    stdout: "",
  });
  fs.writeFileSync(bad, '{"gatepost": 1, "hooks": [{"type": "before-receive", "command": "true"}]}');
  expect(world.gatepost(["init", "--from", bad, fresh])).toMatchObject({
    code: 0,
    stderr: expect.stringContaining(`1 hook imported from ${bad}\n`),
  });
});
