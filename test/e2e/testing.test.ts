/** `gatepost/testing`, as the test of a program that embeds Gatepost uses it. */
import * as fs from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type TestHome, testHome } from "../../src/testing.ts";
import { makeWorld, type World } from "../helpers/cli.ts";

let world: World;
let place: TestHome;
let state: string | undefined;

beforeEach(async () => {
  world = makeWorld();
  state = process.env["XDG_STATE_HOME"];
  process.env["XDG_STATE_HOME"] = world.env["XDG_STATE_HOME"]; // the register of whoever runs these tests
  place = await testHome();
});

afterEach(async () => {
  await place.dispose();
  process.env["XDG_STATE_HOME"] = state;
  if (state === undefined) delete process.env["XDG_STATE_HOME"];
  world.remove();
});

it("hands pushes to the hooks of the test, when the test says so", async () => {
  const seen: string[] = [];
  await place.home.hook({
    name: "index",
    type: "after-receive",
    run: async (batch) => {
      seen.push(...batch.updates.map((update) => `${update.ref} ${update.new}`));
      for await (const line of batch.artifacts()) seen.push(line.split(" ").slice(1, 3).join(" "));
    },
  });
  const first = await place.push({ "src/a.txt": "hello", "b.txt": "b" });
  expect(seen).toEqual([]);
  await place.pass();
  expect(seen).toEqual([`refs/heads/main ${first}`, "check-in to", "file b.txt", "file src/a.txt"]);
  const second = await place.push({ "b.txt": null }, { branch: "topic", message: "without b" });
  await place.pass();
  expect(seen.slice(4)).toEqual([`refs/heads/topic ${second}`, "check-in to"]);
  expect(await place.git("log", "--format=%s")).toBe("without b\na commit");
  expect((await place.runs()).map(({ hook, run }) => [hook, run.state])).toEqual([
    ["index", "done"],
    ["index", "done"],
  ]);
});

it("rejects a push that a gate refused, with what git said", async () => {
  const scope = { scope: "all" } as const;
  await place.home.addHook({ name: "freeze", type: "before-receive", command: "echo not today; exit 1", scope });
  await expect(place.push({ a: "a" })).rejects.toMatchObject({
    code: "GP_VCS",
    message: expect.stringContaining("not today"),
  });
});

it("leaves nothing of it behind, and nothing in the register of whoever runs the tests", async () => {
  expect(fs.existsSync(`${process.env["XDG_STATE_HOME"]}/gatepost`)).toBe(false);
  const { dir } = place;
  await Promise.all([place.dispose(), place[Symbol.asyncDispose]()]);
  expect(fs.existsSync(dir)).toBe(false);
  await expect(place.runs()).rejects.toMatchObject({ code: "GP_CLOSED" });
});

it("is found by its name from outside, as the library is", async () => {
  const manifest = JSON.parse(fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  for (const [name, { types, default: file }] of Object.entries<{ types: string; default: string }>({
    ".": manifest.exports["."],
    "./testing": manifest.exports["./testing"],
  })) {
    for (const one of [types, file]) expect(fs.existsSync(new URL(`../../${one}`, import.meta.url)), name).toBe(true);
  }
  const script =
    'import { testHome } from "gatepost/testing"; import { openHome } from "gatepost"; console.log(typeof testHome, typeof openHome)';
  const cwd = fs.realpathSync(new URL("../..", import.meta.url));
  const { stdout } = world.run([process.execPath, "--input-type=module", "-e", script], { cwd });
  expect(stdout).toBe("function function\n");
});
