/** What a pass over a root does with what is not yet, or hardly, a repository. */
import * as fs from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeWorld, type Outcome, until, type World } from "../helpers/cli.ts";

let world: World;
let root: string;
let home: string;

beforeEach(() => {
  world = makeWorld();
  root = world.at("outer", "srv");
  home = world.at("home");
  fs.mkdirSync(root, { recursive: true });
});
afterEach(() => world.remove());

const follow = (): void => {
  expect(world.gatepost(["init", "--root", root, "--home", home]).code).toBe(0);
  world.gatepost(["settings", "--home", home, "automatic-backoffice", "off"]);
  world.gatepost(["settings", "--home", home, "reconcile-age", "1ms"]);
  const told = ["--stdin", "updates", "--command", `cat >> ${world.at("told")}`];
  expect(world.gatepost(["hook", "add", "--home", home, "--all", "--type", "after-receive", ...told]).code).toBe(0);
};
const pass = (): Outcome => world.gatepost(["backoffice", "--home", home]);

function paths(): unknown[] {
  const db = new SQLite(join(home, "gatepost.db"), { readonly: true });
  try {
    return db.prepare("SELECT path FROM repository ORDER BY path").pluck().all();
  } finally {
    db.close();
  }
}

/** Waits until the times of these are older than a walk doubts. */
const age = (...places: string[]): Promise<unknown> =>
  until("the folders are old enough", () =>
    places.every((place) => Date.now() - Math.max(fs.statSync(place).mtimeMs, fs.statSync(place).ctimeMs) > 2100),
  );

it("registers a work tree whose .git was empty when the first pass came, and hands out what is in it once", async () => {
  follow();
  const tree = join(root, "slow");
  fs.mkdirSync(join(tree, ".git"), { recursive: true });
  expect(pass()).toEqual({ stdout: "", stderr: "", code: 0 }); // it may become one in the next moment
  await age(root, tree, join(tree, ".git"));
  expect(pass().stderr).toContain("is not a Git repository");
  expect(pass().stderr).toBe("");
  // From here on nothing changes in the folder itself, only in its .git.
  world.git(["init", "-q", "-b", "main", tree]);
  const commit = world.commit(tree);
  expect(pass().stderr).toBe("");
  expect(paths()).toEqual([join(tree, ".git")]);
  expect(pass().code).toBe(0);
  expect(fs.readFileSync(world.at("told"), "utf8")).toBe(`${"0".repeat(40)} ${commit} refs/heads/main\n`);
});

it("does not register the repository around the root in place of one below it that is half made", async () => {
  world.git(["init", "-q", "-b", "main", world.at("outer")]);
  world.commit(world.at("outer"), { a: "a" });
  follow();
  const [tree, bare] = [join(root, "tree"), join(root, "bare.git")];
  fs.mkdirSync(join(tree, ".git"), { recursive: true });
  for (const folder of ["objects", "refs"]) fs.mkdirSync(join(bare, folder), { recursive: true });
  fs.writeFileSync(join(bare, "HEAD"), "");
  await age(root, tree, join(tree, ".git"), bare);
  const { stderr } = pass();
  expect(stderr).toContain(`${tree} is not a repository`);
  expect(stderr).toContain(`${bare} is not a repository`);
  expect(paths()).toEqual([]);
  expect(fs.existsSync(world.at("outer", ".git", "gatepost"))).toBe(false);
  expect(fs.existsSync(world.at("told"))).toBe(false);
});

it("goes on looking into a folder whatever it is called", async () => {
  const odd = join(root, "__proto__");
  fs.mkdirSync(odd);
  await age(root, odd);
  follow();
  pass();
  world.git(["init", "-q", "--bare", join(odd, "app.git")]);
  pass();
  expect(paths()).toEqual([join(odd, "app.git")]);
});

it("names a folder that it cannot look into because its name is not UTF-8, once", async () => {
  follow();
  const odd = Buffer.concat([Buffer.from(join(root, "caf")), Buffer.from([0xe9])]);
  fs.mkdirSync(odd);
  await age(root);
  expect(pass().stderr).toMatch(/^gatepost: The path of .*caf.* is not UTF-8 or has a newline\.\n$/);
  expect(pass().stderr).toBe("");
});
