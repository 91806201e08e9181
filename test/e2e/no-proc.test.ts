/** A machine without /proc: what docs/platforms.md says of each part. Root hides it below a mount of its own. */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeWorld, type Outcome, program, type World } from "../helpers/cli.ts";

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.remove());

const isRoot = process.geteuid?.() === 0;

/** Runs a program where /proc is an empty folder. */
const without = (argv: readonly string[], cwd?: string): Outcome =>
  world.run(["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh", ...argv], cwd ? { cwd } : {});
const gatepost = (...words: string[]): Outcome => without([process.execPath, program, ...words]);

it.skipIf(!isRoot)("gates judge a commit, and leave their record", () => {
  const tree = world.workTree();
  world.gatepost(["init", tree]);
  world.gatepost(["hook", "add", "-R", tree, "--type", "before-commit", "--command", "[ ! -e no ]", "--name", "ask"]);
  expect(without(["git", "commit", "-q", "--allow-empty", "-m", "one"], tree).code).toBe(0);
  world.run(["touch", "no"], { cwd: tree });
  expect(without(["git", "commit", "-q", "--allow-empty", "-m", "two"], tree)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("hook 1 (ask) refused"),
  });
  const { runs } = JSON.parse(world.gatepost(["runs", "-R", tree, "--json"]).stdout) as { runs: { state: string }[] };
  expect(runs.map(({ state }) => state)).toEqual(["failed", "done"]);
});

it.skipIf(!isRoot)("a push is kept, the backoffice says what it lacks, and a later pass hands it out", () => {
  const server = world.bare();
  world.gatepost(["init", server]);
  world.gatepost(["settings", "-R", server, "automatic-backoffice", "off"]);
  world.gatepost(["hook", "add", "-R", server, "--type", "after-receive", "--command", `cat > '${world.at("got")}'`]);
  const clone = world.clone(server);
  const hash = world.commit(clone, { a: "a" });
  expect(without(["git", "push", "-q", "origin", "main"], clone)).toEqual({ stdout: "", stderr: "", code: 0 });
  for (const words of [
    ["backoffice", server],
    ["serve", server],
  ])
    expect(gatepost(...words), words[0]).toEqual({
      code: 7,
      stdout: "",
      stderr: expect.stringMatching(/^gatepost: \/proc cannot be read: .*\nIt must be mounted, .*\n$/),
    });
  expect(gatepost("hook", "list", "-R", server).code).toBe(0);
  expect(gatepost("init", world.bare("other.git")).code).toBe(0);
  expect(world.gatepost(["backoffice", server]).code).toBe(0);
  expect(readFileSync(world.at("got"), "utf8")).toContain(hash);
});
