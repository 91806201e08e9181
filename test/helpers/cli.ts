/**
 * A world of its own for each test that calls the built program: a temporary folder with a HOME and an XDG_STATE_HOME,
 * so that neither the caller's register of homes nor their git configuration has a say, and a fixed author and clock.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const program = fileURLToPath(new URL("../../bin/gatepost", import.meta.url));

export type Outcome = { stdout: string; stderr: string; code: number | null };
export type CallOptions = { cwd?: string; input?: string | Buffer; env?: Record<string, string>; timeout?: number };

export type World = {
  /** The real path of the temporary folder; programs start here unless told otherwise. */
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  /** A path inside the world. */
  at(...parts: string[]): string;
  /** Runs any program to its end. */
  run(argv: readonly string[], options?: CallOptions): Outcome;
  /** Runs the built gatepost to its end. */
  gatepost(args: readonly string[], options?: CallOptions): Outcome;
  /** The same without blocking, for calls side by side. */
  call(args: readonly string[], options?: CallOptions): Promise<Outcome>;
  /** Starts the built gatepost and leaves it running, with pipes; the caller ends it. */
  start(args: readonly string[], options?: CallOptions): ChildProcess;
  /** Runs git, which must end well, and returns what it printed without the last newline. */
  git(args: readonly string[], options?: CallOptions): string;
  /** Makes a bare repository and returns its path. */
  bare(name?: string): string;
  /** Clones a repository (an empty one too) onto a branch main and returns the clone's path. */
  clone(from: string, name?: string): string;
  /** Makes a repository with a work tree and returns its path. */
  workTree(name?: string): string;
  /** Writes files, commits everything and returns the hash. */
  commit(repository: string, files?: Readonly<Record<string, string>>, message?: string): string;
  /** Takes the folder away, whatever modes were set in it. */
  remove(): void;
};

/** Makes a world. Call `remove` when done: `const world = makeWorld(); afterAll(() => world.remove());` */
export function makeWorld(name = "gatepost-"): World {
  const dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), name)));
  const env: Record<string, string> = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: join(dir, "user"),
    XDG_STATE_HOME: join(dir, "user", "state"),
    USER: "alice",
    LC_ALL: "C",
    TZ: "UTC",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "alice",
    GIT_AUTHOR_EMAIL: "alice@example.org",
    GIT_COMMITTER_NAME: "alice",
    GIT_COMMITTER_EMAIL: "alice@example.org",
  };
  fs.mkdirSync(join(dir, "user"), { recursive: true });
  const at = (...parts: string[]): string => join(dir, ...parts);

  function run(argv: readonly string[], options: CallOptions = {}): Outcome {
    const { status, stdout, stderr, error } = spawnSync(argv[0] ?? "", argv.slice(1), {
      cwd: options.cwd ?? dir,
      env: { ...env, ...options.env },
      input: options.input ?? "",
      timeout: options.timeout ?? 90_000,
      encoding: "utf8",
      maxBuffer: 1e9,
    });
    // EPIPE: the program did not read all of its input, which is its own affair.
    if (error !== undefined && (error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
    return { stdout, stderr, code: status };
  }

  async function call(args: readonly string[], options: CallOptions = {}): Promise<Outcome> {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: options.cwd ?? dir,
      env: { ...env, ...options.env },
      timeout: options.timeout ?? 90_000,
    });
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on("error", () => {}); // it did not read all of its input, which is its own affair
    child.stdin.end(options.input ?? "");
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject).on("close", resolve);
    });
    return { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString(), code };
  }

  function git(args: readonly string[], options: CallOptions = {}): string {
    const { stdout, stderr, code } = run(["git", ...args], options);
    if (code !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`);
    return stdout.replace(/\n$/, "");
  }

  function commit(repository: string, files: Readonly<Record<string, string>> = {}, message = "m"): string {
    for (const [file, content] of Object.entries(files)) {
      fs.mkdirSync(join(repository, file, ".."), { recursive: true });
      fs.writeFileSync(join(repository, file), content);
    }
    git(["add", "-A"], { cwd: repository });
    git(["commit", "-q", "--allow-empty", "-m", message], { cwd: repository });
    return git(["rev-parse", "HEAD"], { cwd: repository });
  }

  return {
    dir,
    env,
    at,
    run,
    call,
    git,
    commit,
    gatepost: (args, options) => run([process.execPath, program, ...args], options),
    start: (args, options = {}) =>
      spawn(process.execPath, [program, ...args], { cwd: options.cwd ?? dir, env: { ...env, ...options.env } }),
    bare(name = "app.git") {
      git(["init", "-q", "--bare", "-b", "main", at(name)]);
      return at(name);
    },
    clone(from, name = "clone") {
      git(["clone", "-q", from, at(name)]);
      git(["symbolic-ref", "HEAD", "refs/heads/main"], { cwd: at(name) });
      return at(name);
    },
    workTree(name = "app") {
      git(["init", "-q", "-b", "main", at(name)]);
      return at(name);
    },
    remove: () => fs.rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }),
  };
}

/** An outcome that says nothing and is all well. */
export const silent: Outcome = { stdout: "", stderr: "", code: 0 };
export const prints = (stdout: string): Outcome => ({ stdout, stderr: "", code: 0 });
export const fails = (code: number, stderr: string, stdout = ""): Outcome => ({ stdout, stderr, code });

/** Waits until `look` gives something, and returns it; fails with `what` after a minute. For facts that others bring about. */
export async function until<T>(what: string, look: () => T | null | undefined | false): Promise<T> {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 10))) {
    const found = look();
    if (found !== null && found !== undefined && found !== false) return found;
  }
  throw new Error(`this did not happen within a minute: ${what}`);
}
