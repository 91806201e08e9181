/** Work trees to commit in: without hooks, with raw ones, with ours and with those of other managers. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { timed } from "./account.mjs";

/** Makes a work tree with one commit, in which git does nothing besides. */
export function makeTree(place, name, prepare = () => {}) {
  const tree = place.path(name);
  place.run("git", ["init", "-q", tree]);
  for (const [key, value] of [
    ["gc.auto", "0"],
    ["maintenance.auto", "false"],
  ])
    place.git(tree, ["config", key, value]);
  writeFileSync(join(tree, "file"), "1\n");
  place.git(tree, ["add", "file"]);
  place.git(tree, ["commit", "-q", "-m", "first"]);
  prepare(tree);
  return tree;
}

export function rawHook(tree, name, text) {
  const file = join(tree, ".git", "hooks", name);
  mkdirSync(join(tree, ".git", "hooks"), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
}

/** Registers the tree and adds hooks: each a list of arguments of `hook add`. */
export function ourHooks(place, tree, ...hooks) {
  place.gatepost("init", tree);
  place.gatepost("settings", "-R", tree, "automatic-backoffice", "off");
  for (const hook of hooks) place.gatepost("hook", "add", "-R", tree, ...hook);
}

/** A variant of a round: one commit. `before` prepares what is committed and is not measured. */
export const committing =
  (place, tree, { before = () => {}, args = ["--allow-empty"], env = {} } = {}) =>
  async (round) => {
    before(round);
    const argv = ["git", "-C", tree, "commit", "-q", ...args, "-m", `m${round}`];
    const { wall, cpu } = timed(argv, { env: { ...place.env, ...env } });
    return { wall, cpu };
  };
