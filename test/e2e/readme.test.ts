/** README's readers: each section's transcripts are typed as they stand, on real repositories, and compared with what is
 *  seen. Paths of the page lie in the test's own folder; a push is by bob, and its hooks have ended before the next line. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeWorld, program, until, type World } from "../helpers/cli.ts";
import { endDaemonsAfterEach, followed } from "../helpers/daemon.ts";
import { expectSeen, sectionsOf } from "../helpers/manual.ts";

const PLACES = ["/srv/git", "/home/alice", "/home/bob", "/tmp/arrived", "/tmp/ci"];
let world: World;

beforeEach(() => {
  world = makeWorld();
  for (const folder of ["bin", "srv/git/team", "home/alice", "home/bob", "tmp"])
    fs.mkdirSync(world.at(folder), { recursive: true });
  fs.symlinkSync(program, world.at("bin/gatepost"));
});
afterEach(() => world.remove());
endDaemonsAfterEach();

/** A bare repository with one commit that holds these files, and bob's clone of it. */
function withServer(name: string, files: Record<string, string>): void {
  const server = world.bare(join("srv/git", name));
  const clone = world.clone(server, "home/bob/app");
  world.commit(clone, files, "APP-1 start");
  world.git(["push", "-q", "origin", "main"], { cwd: clone });
}

/** Types a section's transcripts, beginning in a folder, and compares what is seen. `cd` holds for the lines after it. */
async function follow(title: string, start: string): Promise<void> {
  const section = sectionsOf("README.md").find((one) => one.title === title);
  expect(section?.transcripts.length, `README has transcripts below "${title}"`).toBeGreaterThan(0);
  let cwd = world.at(start);
  const env = { PATH: `${world.at("bin")}:${world.env["PATH"]}`, GL_USER: "bob" };
  for (const step of section?.transcripts.flat() ?? []) {
    const line = PLACES.reduce((text, place) => text.replaceAll(place, world.at(place)), step.typed);
    const folder = /^cd (\S+)$/.exec(line)?.[1];
    if (folder !== undefined) {
      cwd = folder;
      continue;
    }
    const { stdout } = world.run(["sh", "-c", `exec 2>&1\n${line}`], { cwd, env });
    expectSeen(stdout.replaceAll(world.dir, ""), step);
    if (/^git .*\bpush\b/.test(line)) await until("its hooks have ended", () => haveEnded(cwd));
  }
}

/** Whether something ran in the repository of a folder, and nothing waits or is running any more. */
function haveEnded(cwd: string): boolean {
  const { stdout, code } = world.gatepost(["runs", "--json"], { cwd });
  if (code !== 0) return true; // in no repository: a pass is made by hand there
  const { runs } = JSON.parse(stdout) as { runs: { state: string }[] };
  return runs.length > 0 && runs.every(({ state }) => state !== "waiting" && state !== "running");
}

it("a server is set up, tells of a push, and refuses one, as README shows it", async () => {
  withServer("app.git", { "src/server.ts": "serve\n" });
  world.commit(world.at("home/bob/app"), { "src/server.ts": "serve more\n" }, "APP-2 serve more");
  await follow("A server", "home/bob");
});

it("a clone's minute goes as README shows it", async () => {
  withServer("app.git", {});
  const app = world.clone(world.at("srv/git/app.git"), "home/alice/app");
  world.git(["commit", "-q", "--amend", "--allow-empty", "-m", "start"], { cwd: app });
  fs.writeFileSync(join(app, "login"), "mended\n");
  world.git(["add", "login"], { cwd: app });
  await follow("A clone", "home/alice/app");
});

it("a colleague who clones gets the team's hooks as README shows it", async () => {
  const file = /^```json\n(.*?)^```$/ms.exec(fs.readFileSync(new URL("../../README.md", import.meta.url), "utf8"))?.[1];
  withServer("app.git", { "gatepost.json": file ?? "" });
  const app = world.clone(world.at("srv/git/app.git"), "home/alice/app");
  fs.writeFileSync(join(app, "login"), "mended\n");
  world.git(["add", "login"], { cwd: app });
  await follow("A team", "home/alice/app");
});

it("a fleet is covered, those that are made later too, as README shows it", async () => {
  withServer("team/app.git", {});
  world.bare("srv/git/web.git");
  const section = sectionsOf("README.md").find(({ title }) => title === "A fleet");
  const shown = section?.transcripts.flat().find(({ typed }) => typed === "cat hooks.json")?.seen ?? [];
  const file = shown.join("\n").replace("/tmp/ci", world.at("tmp/ci"));
  fs.writeFileSync(world.at("home/bob/hooks.json"), `${file}\n`);
  await follow("A fleet", "home/bob");
});

it("a program hears of a push as README shows it", async () => {
  withServer("app.git", {});
  world.gatepost(["init", "--root", world.at("srv/git")]);
  const text = fs.readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const code = /^## A program\n\n```js\n(.*?)^```$/ms.exec(text)?.[1]?.replace("/srv/git", world.at("srv/git"));
  const package_ = dirname(dirname(fileURLToPath(new URL("../../bin/gatepost", import.meta.url))));
  fs.mkdirSync(world.at("node_modules"));
  fs.symlinkSync(package_, world.at("node_modules/gatepost"));
  fs.writeFileSync(world.at("index.mjs"), code ?? "");
  const started = followed(spawn(process.execPath, [world.at("index.mjs")], { env: world.env, cwd: world.dir }));
  await until("the function is there", () =>
    /index/.test(world.gatepost(["hook", "list", "--home", world.at("srv/git/.gatepost")]).stdout),
  );
  world.commit(world.at("home/bob/app"), { a: "2" }, "APP-2 more");
  world.git(["push", "-q", "origin", "main"], { cwd: world.at("home/bob/app") });
  await until("it heard of the push", () => started.said().includes("refs/heads/main"));
  started.child.kill("SIGTERM");
  expect(await started.ended).toBe(0);
});

it("what is wrong is told as README shows it", async () => {
  withServer("app.git", {});
  const server = world.at("srv/git/app.git");
  world.gatepost(["init", server]);
  for (const words of [
    ["settings", "automatic-backoffice", "off"],
    ["settings", "retry-base", "1ms"],
    ["hook", "add", "--name", "ci", "--type", "after-receive", "--retries", "1", "--command", "exit 22"],
    ["hook", "add", "--name", "docs", "--type", "after-receive", "--ref", "refs/heads/docs/*", "--command", "true"],
  ])
    expect(world.gatepost(words, { cwd: server }).code).toBe(0);
  world.commit(world.at("home/bob/app"), { a: "2" }, "APP-2 more");
  world.git(["push", "-q", "origin", "main"], { cwd: world.at("home/bob/app"), env: { GL_USER: "bob" } });
  await until("it is parked", () => {
    world.gatepost(["backoffice"], { cwd: server });
    return world.gatepost(["runs", "--parked", "--json"], { cwd: server }).stdout.includes('"parked"');
  });
  await follow("Three in the morning", "srv/git/app.git");
});
