/** Real Fossil repositories for the tests of vcs/fossil, made by fossil in temporary folders of their own. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { afterAll } from "vitest";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
});

export function temporary(): string {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "vcs-fossil-")));
  folders.push(folder);
  return folder;
}

const home = temporary();
export const environment = {
  PATH: process.env["PATH"] ?? "",
  HOME: home,
  FOSSIL_HOME: home,
  USER: "alice",
  TZ: "UTC",
};

/** Runs fossil in `cwd`, which must end well, and returns what it printed. */
export function fossil(cwd: string, ...args: string[]): string {
  const result = spawnSync("fossil", args, { cwd, env: environment, encoding: "utf8" });
  if (result.status !== 0) throw new Error(`fossil ${args.join(" ")}: ${result.stderr}${result.stdout}`);
  return result.stdout;
}

/** A new repository alone in a folder, in WAL mode if asked for. */
export function repository(options: { wal?: boolean; name?: string } = {}): string {
  const file = path.join(temporary(), options.name ?? "r.fossil");
  fossil("/", "new", file);
  if (options.wal === true) fossil("/", "rebuild", "--wal", file);
  return file;
}

/** A check-out of `file` in a folder of its own. */
export function checkout(file: string): string {
  const folder = temporary();
  fossil(folder, "open", file);
  return folder;
}

/** Commits a file with that name and content. */
export function commit(folder: string, name = "a.txt", content = String(process.hrtime.bigint())): void {
  fs.writeFileSync(path.join(folder, name), content);
  fossil(folder, "add", name);
  fossil(folder, "commit", "-m", content, "--no-warnings", "--hash"); // else a change within the second is overlooked
}

/** A shell that commits `times` times in a row; settles with its exit code. */
export function committing(folder: string, times: number): Promise<number | null> {
  const one = `echo $i > a.txt; fossil add a.txt >/dev/null; fossil commit -m $i --no-warnings --hash >/dev/null || exit 1`;
  const shell = spawn("sh", ["-c", `i=0; while [ $i -lt ${times} ]; do i=$((i+1)); ${one}; done`], {
    cwd: folder,
    env: environment,
    stdio: "ignore",
  });
  return once(shell, "close").then(([code]) => code as number | null);
}

const packageFolder = path.resolve(import.meta.dirname, "../..");

/** Runs `script` (with `db`, a connection that can write to `file`) in a process of its own until it prints something;
 *  then that process waits. */
export async function another(file: string, script: string): Promise<{ kill: () => Promise<void> }> {
  const program = `
    const db = new (require("better-sqlite3"))(process.argv[1]);
    ${script}
    console.log("ready");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["-e", program, file], {
    cwd: packageFolder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  await Promise.race([once(child.stdout, "data"), closed.then(() => Promise.reject(new Error("it ended early")))]);
  return {
    kill: async () => {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

/** Kills a writer in the middle of a transaction whose beginning is in the file already. */
export async function cutShort(file: string): Promise<void> {
  const writer = await another(
    file,
    `db.pragma("cache_size = 1");
     db.exec("BEGIN IMMEDIATE; DELETE FROM config WHERE name = 'project-code'");
     for (let i = 0; i < 400; i++) db.prepare("INSERT INTO config(name, value) VALUES(?, ?)").run("x" + i, "y".repeat(5000));`,
  );
  await writer.kill();
}

/** Opens a file as fossil might have it open, in this process. */
export const connect = (file: string): BetterSqlite3.Database => new BetterSqlite3(file);

export const names = (file: string): string[] => fs.readdirSync(path.dirname(file)).sort();
