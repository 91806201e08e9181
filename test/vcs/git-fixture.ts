/** Real repositories for the tests of vcs/git: made in temporary folders, with fixed names and dates. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll } from "vitest";
import { type ByteString, fromText } from "../../src/core/bytes.ts";
import type { Move } from "../../src/vcs/repository.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
});

export function temporary(): string {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "vcs-git-")));
  folders.push(folder);
  return folder;
}

export const environment = {
  PATH: process.env["PATH"] ?? "",
  LC_ALL: "C",
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "alice",
  GIT_AUTHOR_EMAIL: "alice@example.org",
  GIT_AUTHOR_DATE: "2026-11-21T08:56:30 +0100",
  GIT_COMMITTER_NAME: "bob",
  GIT_COMMITTER_EMAIL: "bob@example.org",
  GIT_COMMITTER_DATE: "2026-11-22T10:00:00 +0000",
};

/** Runs git in `cwd`, which must end well, and returns what it printed without the last newline. */
export function git(cwd: string, args: readonly string[], input?: Buffer | string): string {
  const result = spawnSync("git", ["-c", "advice.nestedTag=false", "-c", "protocol.file.allow=always", ...args], {
    cwd,
    input: input ?? "",
    env: environment,
    maxBuffer: 1e9,
  });
  if (result.status !== 0) throw new Error(`git ${args.join(" ")}: ${result.stderr}`);
  return result.stdout.toString("latin1").replace(/\n$/, "");
}

export function init(options: { bare?: boolean; format?: "sha1" | "sha256"; at?: string } = {}): string {
  const at = options.at ?? path.join(temporary(), "r");
  const bare = options.bare === true ? ["--bare"] : [];
  git("/", ["init", "-q", "-b", "main", `--object-format=${options.format ?? "sha1"}`, ...bare, at]);
  return at;
}

/** Writes the files and commits everything; a content of null removes the file. Returns the hash. */
export function commit(at: string, files: Record<string, string | null>, message = "m"): string {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(at, name);
    if (content === null) fs.rmSync(file);
    else {
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, content);
    }
  }
  git(at, ["add", "-A"]);
  git(at, ["commit", "-q", "--allow-empty", "-m", message]);
  return git(at, ["rev-parse", "HEAD"]);
}

export const ZERO = "0".repeat(40);
export const move = (ref: string, old: string, value: string): Move => ({ ref: fromText(ref), old, new: value });
export const bytes = (text: string): ByteString => text as ByteString;

export async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString("latin1");
}

export const linesOf = async (chunks: AsyncIterable<Buffer>): Promise<string[]> =>
  (await textOf(chunks)).split("\n").slice(0, -1);

/** Lines without their hash. */
export const described = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/^[0-9a-f]+ /, ""));

/** Command lines of running programs that mention `text`. */
export function running(text: string): string[] {
  return fs.readdirSync("/proc").flatMap((pid) => {
    try {
      const line = fs.readFileSync(`/proc/${pid}/cmdline`, "latin1");
      return /^\d+$/.test(pid) && Number(pid) !== process.pid && line.includes(text) ? [line] : [];
    } catch {
      return [];
    }
  });
}

/** A history of `count` commits, one file each, straight into `at`. */
export function manyCommits(at: string, count: number): string {
  const parts: string[] = [];
  for (let i = 0; i < count; i++)
    parts.push(
      `commit refs/heads/main\ncommitter c <c@x> ${1_700_000_000 + i} +0000\ndata 0\nM 100644 inline f${i % 50}\n`,
      `data ${String(i).length}\n${i}\n`,
    );
  git(at, ["fast-import", "--quiet"], parts.join(""));
  return git(at, ["rev-parse", "main"]);
}
