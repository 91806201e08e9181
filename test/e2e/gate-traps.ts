/** Repositories with gates for strangers to meet, and what must not come of it. */
import * as fs from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { makeWorld, type World } from "../helpers/cli.ts";
import { filesNamed, type Gated, gated } from "../helpers/gates.ts";

/** What no terminal may get: control characters, and marks that turn the direction of text round. */
export const RAW = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

/** A world in which each trap makes a file called `canary` when something runs it. */
export const makeTraps = (): World => makeWorld("gatepost-hostile-");

/** Takes the world away, and fails if one has. */
export function requireNoCanary(world: World): void {
  const found = filesNamed(world.dir, "canary").map((name) => fs.readFileSync(world.at(name), "latin1"));
  world.remove();
  expect(found).toEqual([]);
}

/** A registered repository with a commit. */
export function commits(world: World, name = "app"): Gated {
  const path = world.workTree(name);
  world.commit(path, { "a.txt": "a\n" });
  return gated(world, path);
}

/** A registered bare repository, and a clone with a commit to push. */
export function pushes(world: World): { server: Gated; clone: string } {
  const path = world.bare();
  world.git(["config", "receive.advertisePushOptions", "true"], { cwd: path });
  const clone = world.clone(path);
  world.commit(clone, { "a.txt": "a\n" });
  return { server: gated(world, path), clone };
}

/** What a hook has written to a file of the repository, which `%R` and `$GATEPOST_REPOSITORY` name; a character a byte. */
export const inFile = (world: World, repository: Gated, name: string): string =>
  fs.readFileSync(join(world.git(["rev-parse", "--absolute-git-dir"], { cwd: repository.path }), name), "latin1");

/** A program that leaves a canary. */
export function tell(world: World, name = "program"): string {
  const file = world.at(name);
  fs.writeFileSync(file, `#!/bin/sh\necho "$0 $*" >>'${world.at("canary")}'\nexit 1\n`, { mode: 0o755 });
  return file;
}
