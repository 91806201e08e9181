import { spawn, spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { endCarriers } from "../../src/process/carriers.ts";
import { endGroup } from "../../src/process/group.ts";
import { type ProcessIdentity, processIdentity } from "../../src/process/identity.ts";
import { runningIn, until } from "./attempts.ts";

/** Starts a group as a hook's keeper would, and then knows nothing of it but the leader's identity. */
async function abandoned(command: string, env: Record<string, string>): Promise<ProcessIdentity> {
  const leader = spawn("/bin/sh", ["-c", command], { detached: true, stdio: ["ignore", "pipe", "ignore"], env });
  const identity = processIdentity(leader.pid as number) as ProcessIdentity;
  await new Promise((resolve) => leader.stdout.once("data", resolve));
  leader.stdout.destroy();
  return identity;
}

const path = "/usr/bin:/bin";
const hook = { PATH: path, GATEPOST_RUN: "a-1" };

test("A1 what is left of a hook whose keeper died is ended with its leader", async () => {
  const leader = await abandoned("sleep 1000 & echo up; wait", { PATH: path });
  expect(await endGroup(leader)).toEqual({ found: 2, left: 0 });
  expect(runningIn(leader.pid)).toEqual([]);
});

test("A1 SIGKILL ends what ignores SIGTERM", async () => {
  const leader = await abandoned("trap '' TERM; echo up; while :; do sleep 1000; done", { PATH: path });
  await until(() => runningIn(leader.pid).length === 2);
  expect(await endGroup(leader, 50)).toEqual({ found: 2, left: 0 });
  expect(runningIn(leader.pid)).toEqual([]);
});

test("A1 a group without its leader is ended when its environment says that it is a hook's", async () => {
  const leader = await abandoned("sleep 1000 & echo up", hook);
  await until(() => processIdentity(leader.pid) === null);
  expect(await endGroup(leader)).toEqual({ found: 1, left: 0 });
  expect(runningIn(leader.pid)).toEqual([]);
});

test("E2: a child with a process group of its own is ended when its leader is gone", async () => {
  const leader = await abandoned("timeout 99 sh -c 'echo up; exec sleep 98' & :", hook);
  await until(() => processIdentity(leader.pid) === null);
  expect(() => process.kill(-leader.pid, 0)).toThrow("ESRCH");
  expect(await endGroup(leader)).toEqual({ found: 2, left: 0 });
  expect(runningIn(leader.pid)).toEqual([]);
});

test("E2: what carries a hook's variables is ended in every session that it made, and nobody else", async () => {
  const variables = { GATEPOST_RUN: `a-${process.pid}`, GATEPOST_A: "/x" };
  const env = { ...hook, ...variables };
  const leader = await abandoned("timeout 99 sh -c 'echo up; exec sleep 98' & setsid sleep 97 & :", env);
  const stranger = await abandoned("echo up; exec sleep 96", { ...env, GATEPOST_A: "/y" });
  await until(() => processIdentity(leader.pid) === null);
  expect(await endCarriers(variables)).toEqual({ found: 3, left: 0 });
  expect(await endCarriers(variables)).toEqual({ found: 0, left: 0 });
  expect(runningIn(stranger.pid)).toEqual([stranger.pid]);
  await endGroup(stranger);
});

test("E2: a process that a hook started anew does not end itself as what is left of it", async () => {
  const carriers = new URL("../../dist/process/carriers.js", import.meta.url).href;
  const variables = { GATEPOST_RUN: `b-${process.pid}` };
  const text = `import { endCarriers } from "${carriers}"; console.log((await endCarriers(${JSON.stringify(variables)})).found)`;
  const env = { ...hook, ...variables };
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", text], { env, encoding: "utf8" });
  expect(stdout).toBe("0\n");
});

test("D3 a group that is not known to be a hook's is left alone", async () => {
  const leader = await abandoned("sleep 1000 & echo up", { PATH: path });
  await until(() => processIdentity(leader.pid) === null);
  expect(await endGroup(leader)).toEqual({ found: 0, left: 0 });
  const left = runningIn(leader.pid);
  expect(left).toHaveLength(1);
  for (const pid of left) process.kill(pid, "SIGKILL");
});

test("D3 a stranger who got the leader's number is not signalled", async () => {
  const leader = await abandoned("echo up; exec sleep 1000", hook);
  expect(await endGroup({ pid: leader.pid, startTime: "1" })).toEqual({ found: 0, left: 0 });
  expect(runningIn(leader.pid)).toEqual([leader.pid]);
  expect(await endGroup(leader)).toEqual({ found: 1, left: 0 });
  expect(await endGroup(leader)).toEqual({ found: 0, left: 0 });
});
