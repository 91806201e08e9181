/** The transcripts of README that need no background, typed as they stand: gates in a work tree, and on a server. */
import * as fs from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeWorld, program, type World } from "../helpers/cli.ts";
import { expectSeen, sectionsOf } from "../helpers/manual.ts";

let world: World;

beforeEach(() => {
  world = makeWorld();
  for (const folder of ["bin", "srv/git", "home/alice"]) fs.mkdirSync(world.at(folder), { recursive: true });
  fs.symlinkSync(program, world.at("bin/gatepost"));
  const server = world.bare("srv/git/app.git");
  world.bare("srv/git/web.git");
  const app = world.clone(server, "home/alice/app");
  world.commit(app, {}, "start");
  world.git(["push", "-q", "origin", "main"], { cwd: app });
});
afterEach(() => world.remove());

/** Types each line of a section's transcripts in alice's clone and compares what is seen. */
function follow(title: string): void {
  const section = sectionsOf("README.md").find((one) => one.title === title);
  expect(section, `README has no section "${title}"`).toBeDefined();
  for (const step of section?.transcripts.flat() ?? []) {
    const line = step.typed.replaceAll("/srv/git", world.at("srv/git"));
    const { stdout } = world.run(["sh", "-c", `exec 2>&1\n${line}`], {
      cwd: world.at("home/alice/app"),
      env: { PATH: `${world.at("bin")}:${world.env["PATH"]}` },
    });
    expectSeen(stdout.replaceAll(world.dir, ""), step);
  }
}

it("a work tree's minute goes as README shows it", () => {
  fs.writeFileSync(world.at("home/alice/app/login"), "mended\n");
  world.git(["add", "login"], { cwd: world.at("home/alice/app") });
  follow("A work tree, one minute");
});

it("a server's gates answer as README shows it", () => {
  world.git(["commit", "-q", "--amend", "--allow-empty", "-m", "another"], { cwd: world.at("home/alice/app") });
  follow("A server's gates");
});
