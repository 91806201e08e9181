/** Files that a process which was killed left in hooks folder and home: they go, and those of a living one stay. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { HOUR } from "../../src/core/units.ts";
import { refreshGates } from "../../src/home/gates.ts";
import { makeWorld } from "../helpers/cli.ts";
import { enter, leave, serve } from "../helpers/served.ts";
import { type Hooking, put, registered, takeOut, withHome } from "../helpers/standing.ts";

const world = makeWorld();
enter(world);
afterAll(() => {
  leave(world);
  world.remove();
});

const gone = spawnSync("true").pid;
const alive = process.ppid;
const hooksLitter = (pid: number) =>
  ["pre-commit", ".pre-push", "post-receive", "gatepost/gate.sh", "gatepost/after/post-merge"].map(
    (name) => `hooks/${name}.gatepost-${pid}`,
  );
const homeLitter = (pid: number) =>
  ["hooks.json", "daemon.pid", "gatepost.db", "bin/gatepost"].map((name) => `gatepost/${name}.${pid}.new`);
const litter = (pid: number) => [...hooksLitter(pid), ...homeLitter(pid)];

const ways: [string, (at: Hooking) => unknown][] = [
  ["the next refresh", (at) => withHome(at, (home) => void refreshGates(home))],
  ["doctor --fix", (at) => expect(world.gatepost(["doctor", "--fix", "-R", at.path]).code).toBe(0)],
  ["uninstall", takeOut],
];

it.for(ways)("%s removes them, and the folder with the last of them", async ([way, removes]) => {
  const at = await registered(world.workTree(way));
  for (const name of litter(gone)) put(join(at.path, name), "#!/bin/sh\n");
  await removes(at);
  expect(litter(gone).filter((name) => fs.existsSync(join(at.path, name)))).toEqual([]);
  expect(fs.existsSync(join(at.path, "hooks", "gatepost"))).toBe(false);
});

it.for(ways)("%s leaves those of a living process, and what only looks like one", async ([way, removes]) => {
  const at = await registered(world.workTree(`alive ${way}`));
  const others = ["hooks/notes.gatepost-1", `hooks/pre-commit.gatepost-${gone}.txt`, `gatepost/hooks.json.${gone}`];
  const kept = [...litter(alive), ...others.map((name) => name.replace("gatepost-1", `gatepost-${gone}`))];
  for (const name of kept) put(join(at.path, name), "#!/bin/sh\n");
  await removes(at);
  expect(kept.filter((name) => !fs.existsSync(join(at.path, name)))).toEqual([]);
});

it("doctor names them", async () => {
  const at = await registered(world.workTree("named"));
  for (const name of [...hooksLitter(gone).slice(0, 1), ...homeLitter(gone).slice(0, 1)]) put(join(at.path, name), "");
  const { stdout, code } = world.gatepost(["doctor", "-R", at.path]);
  expect(code).toBe(1);
  expect(stdout).toContain(`A command that was killed left files: pre-commit.gatepost-${gone}. Mend:`);
  expect(stdout).toContain(`A command that was killed left files: ${at.home}/hooks.json.${gone}.new. Mend:`);
});

it("the temporary files of a gate go when they are older than an hour", async () => {
  const r = await serve(world);
  const folder = r.home.layout.auxiliary;
  const old = new Date(Date.now() - HOUR - 60_000);
  const young = new Date(Date.now() - HOUR + 60_000);
  for (const [name, time] of [
    ["gatepost-1234.room", old],
    ["gatepost-1234.refs", old],
    ["gatepost-5678.room", young],
    ["notes", old],
  ] as const)
    fs.utimesSync(put(join(folder, name), ""), time, time);
  await r.pass();
  expect(fs.readdirSync(folder).sort()).toEqual(["gatepost-5678.room", "notes"]);
});
