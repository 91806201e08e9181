import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bootId, isAlive, processIdentity, processStatus } from "../../src/process/identity.ts";
import { until } from "./attempts.ts";

test("this process has an identity and is alive", () => {
  const self = processIdentity(process.pid);
  expect(self).toEqual({ pid: process.pid, startTime: expect.stringMatching(/^\d+$/) });
  expect(self !== null && isAlive(self)).toBe(true);
});

test("a pid that nobody has is nobody's", () => {
  const beyond = Number(readFileSync("/proc/sys/kernel/pid_max", "latin1"));
  expect(processIdentity(beyond)).toBeNull();
  expect(isAlive({ pid: beyond, startTime: "1" })).toBe(false);
});

test("the same pid with another start time is another process", () => {
  expect(isAlive({ pid: process.pid, startTime: "1" })).toBe(false);
});

test("a zombie has an identity and is not alive", async () => {
  // The shell starts a child and becomes a program that never waits for it.
  const parent = spawn("/bin/sh", ["-c", "sleep 0 & echo $!; exec sleep 1000"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const pid = await new Promise<number>((resolve) => parent.stdout.once("data", (text) => resolve(Number(text))));
  await until(() => processStatus(pid)?.state === "Z");
  const zombie = processIdentity(pid);
  expect(zombie).not.toBeNull();
  expect(zombie !== null && isAlive(zombie)).toBe(false);
  parent.kill("SIGKILL");
  await new Promise((resolve) => parent.once("close", resolve));
});

test("a program whose name looks like the rest of the line is read right", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gatepost-identity-"));
  const program = join(folder, ") Z 1 (1 2");
  copyFileSync("/bin/sleep", program);
  const child = spawn(program, ["1000"], { stdio: "ignore", detached: true });
  const pid = child.pid as number;
  await until(() => readFileSync(`/proc/${pid}/comm`, "latin1").startsWith(")"));
  const status = processStatus(pid);
  expect(status).toMatchObject({ pid, group: pid, session: pid, state: expect.stringMatching(/^[RSD]$/) });
  expect(Number(status?.startTime)).toBeGreaterThanOrEqual(Number(processIdentity(process.pid)?.startTime));
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  rmSync(folder, { recursive: true });
});

test("the boot has an id, which stays, and says in which namespaces pids and time count", () => {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  const [pids, time] = ["pid", "time"].map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
  expect(bootId()).toBe(`${boot} ${pids} ${time}`);
});

test.skipIf(process.getuid?.() !== 0)("another pid namespace of the same boot has another id", () => {
  const source = new URL("../../dist/process/identity.js", import.meta.url).href;
  const text = `import { bootId } from "${source}"; console.log(bootId())`;
  const node = [process.execPath, "--input-type=module", "-e", text];
  const said = execFileSync("unshare", ["-p", "-f", "--mount-proc", ...node], { encoding: "utf8" }).trim();
  expect(said).not.toBe(bootId());
  expect(said.split(" ")[0]).toBe(bootId().split(" ")[0]);
});
