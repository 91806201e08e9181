/** Hooks that were files, in places and of kinds that nobody thought of when they were moved. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { makeWorld, type Outcome } from "../helpers/cli.ts";

const world = makeWorld();
afterAll(() => world.remove());

function bareWith(name: string, scripts: Readonly<Record<string, string>>): string {
  const bare = world.bare(`${name}.git`);
  for (const [file, text] of Object.entries(scripts))
    fs.writeFileSync(join(bare, "hooks", file), text, { mode: 0o755 });
  return bare;
}

function push(to: string): Outcome {
  const from = fs.existsSync(world.at("from")) ? world.at("from") : world.workTree("from");
  world.commit(from);
  return world.run(["git", "push", "-q", to, "HEAD:refs/heads/main"], { cwd: from });
}

it("a moved hook whose scope is widened runs also where another repository has a file of that name", () => {
  const home = world.at("home");
  const log = world.at("log");
  const one = bareWith("one", {
    "pre-receive": "#!/bin/sh\nexit 1\n",
    "post-receive": `#!/bin/sh\ncat >>${log}\n`,
  });
  const other = bareWith("other", { "pre-receive": "#!/bin/sh\n", "post-receive": "#!/bin/sh\n" });
  const call = (...args: string[]): Outcome => world.gatepost([...args, "--home", home]);
  expect(call("init", one, other)).toMatchObject({ code: 0 });
  expect(call("settings", "automatic-backoffice", "off")).toMatchObject({ code: 0 });
  expect(world.gatepost(["hook", "import", "--from", "hooks-dir", "--move", "-R", one])).toMatchObject({ code: 0 });
  for (const name of ["pre-receive", "post-receive"])
    expect(call("hook", "edit", name, "--all")).toMatchObject({ code: 0 });
  expect(push(other)).toMatchObject({ code: 1, stderr: expect.stringContaining("hook 2 (pre-receive) refused") });
  expect(push(one)).toMatchObject({ code: 1 });
  expect(call("hook", "disable", "pre-receive")).toMatchObject({ code: 0 });
  expect(push(other)).toMatchObject({ code: 0 });
  expect(call("backoffice")).toMatchObject({ code: 0 });
  expect(fs.readFileSync(log, "utf8")).toMatch(/ refs\/heads\/main\n$/);
});

it("a script whose shell has options that only a program takes is moved and runs as before", () => {
  for (const options of ["-l", "-eu"]) {
    const bare = bareWith(`options${options}`, { "pre-receive": `#!/bin/sh ${options}\necho "ran $-"\n` });
    expect(world.gatepost(["init", bare])).toMatchObject({ code: 0 });
    expect(world.gatepost(["settings", "automatic-backoffice", "off", "-R", bare])).toMatchObject({ code: 0 });
    const before = push(bare);
    expect(world.gatepost(["hook", "import", "--from", "hooks-dir", "--move", "-R", bare])).toMatchObject({ code: 0 });
    expect([options, push(bare)]).toEqual([options, before]);
    expect([options, before]).toEqual([options, expect.objectContaining({ code: 0 })]);
  }
});
