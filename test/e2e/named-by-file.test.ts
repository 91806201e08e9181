/** A repository is named by a file that is in it, or by one that is none: found, or one sentence. */
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fails } from "../helpers/cli.ts";
import { type Checkout, type FossilWorld, makeFossilWorld } from "../helpers/fossil.ts";

let world: FossilWorld;
let checkout: Checkout;

beforeAll(() => {
  world = makeFossilWorld();
  checkout = world.open(world.repository("r.fossil"));
  fs.writeFileSync(world.at("text"), "no repository\n");
  world.commit(world.workTree("app"), { "src/a": "a\n" });
  world.git(["worktree", "add", "-q", "../linked"], { cwd: world.at("app") });
});
afterAll(() => world.remove());

it("init names what is no repository in one sentence", () => {
  const hint = "Name a repository's file; Gatepost cannot read encrypted ones.";
  expect(world.gatepost(["init", "text"])).toEqual(
    fails(3, `gatepost: ${world.at("text")} is no Fossil repository, or is encrypted.\n${hint}\n`),
  );
});

it.each(["text", "text/more"])("so does a command that is to work on %s", (path) => {
  const { code, stderr } = world.gatepost(["backoffice", path]);
  expect({ code, stderr }).toEqual({
    code: 3,
    stderr: expect.stringMatching(/^gatepost: [^\n]*\/text[^\n]*\.\n.*\n$/),
  });
});

it("the database of a check-out stands for its repository", () => {
  const database = fs.readdirSync(checkout.root).find((name) => /^(_FOSSIL_|\.fslckout)$/.test(name));
  const { code, stdout } = world.gatepost(["init", `${checkout.root}/${database}`]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^r\.fossil: registered \(fossil, /) });
});

it.each(["app/src/a", "linked/.git"])("%s stands for the Git repository that it is in", (path) => {
  const { code, stdout } = world.gatepost(["init", path]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/ \(git, work tree, /) });
  expect(world.gatepost(["hook", "list", "-R", path]).code).toBe(0);
});
