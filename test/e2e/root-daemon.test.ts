/** A repository that is made below a root while a daemon runs. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { makeWorld, until } from "../helpers/cli.ts";
import { endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";

const world = makeWorld();
afterAll(() => world.remove());
endDaemonsAfterEach();

it("is served without a poll: what was pushed first is handed out, and its gate refuses from then on", async () => {
  const root = world.at("srv");
  const home = join(root, ".gatepost");
  fs.mkdirSync(join(root, "team"), { recursive: true });
  world.bare("srv/first.git");
  expect(world.gatepost(["init", "--root", root]).code).toBe(0);
  world.gatepost(["settings", "--home", home, "reconcile-age", "200ms"]);
  const add = ["hook", "add", "--home", home, "-R", "team/*"];
  const told = world.at("told");
  world.gatepost([...add, "--type", "after-receive", "--stdin", "updates", "--command", `cat >> ${told}`]);
  world.gatepost([...add, "--type", "before-receive", "--command", "echo not so; exit 1"]);
  const daemon = startDaemon(world, ["serve", "--home", home, "--poll", "3600"]);
  await until("it serves", () => daemon.said().includes("serving"));

  // A folder that is new itself, and a repository with something in it the moment it is there.
  const clone = world.workTree("work");
  const commit = world.commit(clone);
  fs.mkdirSync(join(root, "team/new"));
  world.git(["clone", "-q", "--bare", clone, join(root, "team/new/made.git")]);
  await until("its refs are handed out", () => fs.existsSync(told) && fs.readFileSync(told, "utf8").includes(commit));
  expect(fs.readFileSync(told, "utf8")).toBe(`${"0".repeat(40)} ${commit} refs/heads/main\n`);
  expect(daemon.said()).toContain(`team/new/made.git was made below ${root}; it is served from now on`);

  const push = ["git", "push", "-q", join(root, "team/new/made.git"), "HEAD:refs/heads/other"];
  const refused = world.run(push, { cwd: clone });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("not so");

  // And one of Fossil's.
  const fossil = join(root, "team/wiki.fossil");
  expect(world.run(["fossil", "init", fossil]).code).toBe(0);
  await until("it is served", () => daemon.said().includes("team/wiki.fossil was made below"));
  expect(fs.existsSync(`${fossil}.gatepost`)).toBe(true);
  expect(await daemon.stop()).toBe(0);
});
