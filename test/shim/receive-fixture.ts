/** What the tests of the receive shim share: folders that look like a git dir, and ways to run the shim in them. */
import { type SpawnSyncOptions, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { type Entry, parseEntry } from "../../src/spool/entry.ts";

export const shimText = fs.readFileSync(new URL("../../src/shim/runtime/receive.sh", import.meta.url), "utf8");

/** A temporary folder by its physical path, gone when the tests of the file are done. */
export function temporary(name = "gatepost shim "): string {
  const folder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), name)));
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const installed = (program: string): boolean =>
  (process.env["PATH"] ?? "").split(":").some((folder) => fs.existsSync(join(folder, program)));

/** The shells that the shim must work in, as far as this machine has them. */
export const shells = [["dash"], ["bash", "--posix"], ["busybox", "sh"]].filter(([program]) =>
  installed(program ?? ""),
);

/** What a git without anybody's configuration runs in. */
export const cleanEnv = (home: string): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: home,
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
});

export function writeProgram(path: string, text: string): void {
  fs.mkdirSync(join(path, ".."), { recursive: true });
  fs.writeFileSync(path, text, { mode: 0o755 });
}

/** Start time of a process as /proc has it; the stand-in for a live backoffice is this test itself. */
export function startTime(pid = process.pid): string {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(") ") + 2).split(" ")[19] ?? "";
}

/** Gives a git dir a home with a live backoffice, and the shim under the given names. */
export function makeHome(gitDir: string, hooks: readonly string[] = ["post-receive"], text = shimText): string {
  const home = join(gitDir, "gatepost");
  fs.mkdirSync(join(home, "spool"), { recursive: true });
  fs.chmodSync(home, 0o700);
  fs.writeFileSync(join(home, "daemon.pid"), `${process.pid} ${startTime()}\n`);
  for (const hook of hooks) writeProgram(join(gitDir, "hooks", hook), text);
  return home;
}

/** The entries in a home's spool, in no order. Each must be whole. */
export function entries(home: string): Entry[] {
  return fs.readdirSync(join(home, "spool")).map((name) => {
    const parsed = parseEntry(fs.readFileSync(join(home, "spool", name)));
    if (parsed.state !== "whole") throw new Error(`${name} is ${parsed.state}: ${JSON.stringify(parsed)}`);
    return parsed.entry;
  });
}

/** The one entry in a home's spool. */
export function onlyEntry(home: string): Entry {
  const all = entries(home);
  expect(all).toHaveLength(1);
  return all[0] as Entry;
}

export type Outcome = { code: number | null; stdout: string; stderr: string };

/** Runs a program to the end of its output; each character of what it prints is one byte. */
export function run(argv: readonly string[], options: SpawnSyncOptions): Outcome {
  const result = spawnSync(argv[0] ?? "", argv.slice(1), { timeout: 60_000, ...options, encoding: "latin1" });
  // EPIPE: the program did not read all of its input, which is its own affair.
  if (result.error !== undefined && (result.error as NodeJS.ErrnoException).code !== "EPIPE") throw result.error;
  return { code: result.status, stdout: result.stdout ?? "", stderr: result.stderr ?? "" };
}

/** Waits until a file is there: what programs in the background leave when they are done. */
export async function appears(path: string): Promise<string> {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((resolve) => setImmediate(resolve))) {
    if (fs.existsSync(path)) return fs.readFileSync(path, "latin1");
  }
  throw new Error(`${path} did not appear`);
}

export const quiet: Outcome = { code: 0, stdout: "", stderr: "" };
export const zero = "0".repeat(40);
export const one = "1".repeat(40);
export const lines = (count: number): string =>
  Array.from({ length: count }, (_, i) => `${zero} ${one} refs/heads/b${i}\n`).join("");
