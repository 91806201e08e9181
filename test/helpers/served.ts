/**
 * Registered repositories in a world, for tests of what becomes of a push. Git, the shim and the hooks are the real
 * ones; passes are made by the functions that `gatepost backoffice` calls, in this process, which saves a start of Node
 * for each. A push starts no backoffice by itself here, so that a test says when passes are made.
 */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { displayText } from "../../src/core/bytes.ts";
import { DEFAULT_SEQUENCE, type Hook, type HookSpec, NO_OPTIONS } from "../../src/core/hook.ts";
import type { SettingName } from "../../src/core/settings.ts";
import type { Millis } from "../../src/core/units.ts";
import { passOnce } from "../../src/home/backoffice.ts";
import { addHook } from "../../src/home/hooks.ts";
import { register } from "../../src/home/init.ts";
import { closeHome, type OpenHome, openHome } from "../../src/home/open.ts";
import { changeSetting } from "../../src/home/settings.ts";
import { entryNames } from "../../src/spool/drain.ts";
import { type Batch, batchById } from "../../src/store/batch.ts";
import { receiptsBetween } from "../../src/store/receipt.ts";
import { updatesOfReceipt } from "../../src/store/ref.ts";
import { type RepositoryRow, repositoryById } from "../../src/store/repository.ts";
import type { Run } from "../../src/store/run.ts";
import { type Attempt, attemptsOf, findRuns } from "../../src/store/run-view.ts";
import { type CallOptions, until, type World } from "./cli.ts";

/** A receipt in short: each update is "HOW REF OLD NEW". */
export type Arrived = { id: number; source: string; user: string | null; updates: string[] };

export type Pushing = CallOptions & { files?: Record<string, string>; message?: string; args?: string[]; to?: string };

export type PassMode = { stay?: boolean; nodelay?: boolean; automatic?: boolean; signal?: AbortSignal };

export const zero = "0".repeat(40);
export const entry = (ref: string, old: string, value: string): string => `entry ${ref} ${old} ${value}`;
export const found = (ref: string, old: string, value: string): string => `reconciled ${ref} ${old} ${value}`;
export const claimed = (ref: string, old: string, value: string): string => `claimed ${ref} ${old} ${value}`;

/** Makes this process, too, live in the world: calls of our functions see its register and no one's configuration. */
export function enter(world: World): void {
  for (const name of ["HOME", "XDG_STATE_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"])
    process.env[name] = world.env[name];
}

/** A repository with its home, seen from a test. */
export class Watched {
  readonly world: World;
  readonly home: OpenHome;
  readonly row: RepositoryRow;
  /** What passes complained of. */
  readonly complaints: string[] = [];

  constructor(world: World, home: OpenHome, row: RepositoryRow) {
    this.world = world;
    this.home = home;
    this.row = row;
  }

  get path(): string {
    return this.row.path;
  }

  /** A file beside the home, for hooks to write into. */
  file(name: string): string {
    return join(this.home.dir, name);
  }

  read(name: string): string {
    return fs.readFileSync(this.file(name), "utf8");
  }

  hook(command: string, options: Partial<HookSpec> = {}): Hook {
    const scope = { scope: "repository", repository: this.row.id } as const;
    const rest = { name: null, sequence: DEFAULT_SEQUENCE, type: "after-receive" };
    return addHook(this.home, { ...NO_OPTIONS, scope, ...rest, ...options, command });
  }

  set(name: SettingName, value: string): void {
    changeSetting(this.home, name, value);
  }

  async pass({ stay = false, nodelay = false, automatic = false, signal }: PassMode = {}): Promise<void> {
    const log = (level: string, message: string) => void (level === "error" && this.complaints.push(message));
    const stop = signal ?? new AbortController().signal;
    const min = 3_600_000 as Millis;
    const options = { homes: [this.home.dir], jobs: 2, min, signal: stop, log, progress: () => {}, onPass: () => {} };
    await passOnce(options, { stay, nodelay, automatic });
  }

  /** What the database says of the repository now. */
  repository(): RepositoryRow {
    return repositoryById(this.home.db, this.row.id) ?? this.row;
  }

  /** Whether a pass has looked at the repository since it was registered. */
  lookedAt(): boolean {
    return this.repository().lookedAt !== this.row.lookedAt;
  }

  receipts(): Arrived[] {
    return receiptsBetween(this.home.db, this.row.id, 0, Number.MAX_SAFE_INTEGER).map(({ id, source, user }) => ({
      id,
      source,
      user: user === null ? null : displayText(user),
      updates: updatesOfReceipt(this.home.db, id).map(
        ({ how, ref, old, new: value }) => `${how} ${displayText(ref)} ${old} ${value}`,
      ),
    }));
  }

  /** All runs on batches, oldest first. */
  runs(): (Run & { note: string | null })[] {
    const all = { hook: null, states: null, since: null, after: null, limit: 1000 };
    const found = findRuns(this.home.db, { ...all, repository: this.row.id });
    return found.filter((run) => run.batch !== null).reverse();
  }

  attempts(run: Run): Attempt[] {
    return attemptsOf(this.home.db, run.id);
  }

  /** The batches that runs were made for, oldest first. */
  batches(): Batch[] {
    const ids = [...new Set(this.runs().map(({ batch }) => batch))].sort((a, b) => a - b);
    return ids.flatMap((id) => batchById(this.home.db, id) ?? []);
  }

  /** Entries that wait in the spool. */
  spool(): string[] {
    return entryNames(this.home.layout.spool).map((name) => join(this.home.layout.spool, name));
  }

  /** Why entries were set aside. */
  aside(): string[] {
    const bad = this.home.layout.bad;
    const reasons = fs.readdirSync(bad).filter((name) => name.endsWith(".reason"));
    return reasons.map((name) => fs.readFileSync(join(bad, name), "utf8").trimEnd()).sort();
  }
}

/** Registers a repository that is there. The home is closed when the world goes. */
export async function watch(world: World, path: string, home: string | null = null): Promise<Watched> {
  const { repository, home: dir } = await register(path, home);
  const open = openHome(dir);
  changeSetting(open, "automatic-backoffice", "off");
  changeSetting(open, "reconcile-age", "200ms");
  opened.push(open);
  return new Watched(world, open, repository);
}
const opened: OpenHome[] = [];

/** The same, with a hook that is to hear of what arrives: only then work in a work tree is told of by shims. */
export async function hearing(world: World, path: string, home: string | null = null): Promise<Watched> {
  const watched = await watch(world, path, home);
  watched.hook(":");
  return watched;
}

/** Closes what `watch` opened and takes the world away. */
export function leave(world: World): void {
  for (const home of opened.splice(0)) closeHome(home);
  world.remove();
}

/** A registered bare repository with a clone. Its branch main has one commit, pushed before it was registered. */
export class Served extends Watched {
  readonly clone: string;
  /** What main was when the repository was registered. */
  readonly start: string;

  constructor(watched: Watched, clone: string, start: string) {
    super(watched.world, watched.home, watched.row);
    this.clone = clone;
    this.start = start;
  }

  /** Commits in the clone and pushes to main; returns the commit. */
  push({ files = {}, message = "m", args = [], to = "main", ...options }: Pushing = {}): string {
    const hash = this.world.commit(this.clone, files, message);
    this.git(["push", "-q", ...args, "origin", `HEAD:refs/heads/${to}`], options);
    return hash;
  }

  /** git in the clone. */
  git(args: readonly string[], options: CallOptions = {}): string {
    return this.world.git(args, { cwd: this.clone, ...options });
  }

  /** git in the bare repository. */
  inside(args: readonly string[], options: CallOptions = {}): string {
    return this.world.git(args, { cwd: this.path, ...options });
  }

  /** Puts a program in place of a hook of git's. */
  replaceHook(name: string, text: string): void {
    const file = join(this.path, "hooks", name);
    fs.rmSync(file, { force: true });
    fs.writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
}

let served = 0;

/** Makes a bare repository, its clone and, inside it unless said otherwise, its home. */
export async function serve(world: World, { home = null, format }: { home?: string | null; format?: string } = {}) {
  const name = `r${++served}`;
  const path = world.bare(`${name}.git`);
  if (format !== undefined) {
    fs.rmSync(path, { recursive: true });
    world.git(["init", "-q", "--bare", "-b", "main", `--object-format=${format}`, path]);
  }
  for (const [name, value] of [
    ["receive.advertisePushOptions", "true"],
    ["receive.denyDeleteCurrent", "ignore"],
    ["gc.auto", "0"],
  ] as const)
    world.git(["config", name, value], { cwd: path });
  const clone = world.clone(path, name);
  if (format !== undefined) {
    fs.rmSync(clone, { recursive: true });
    world.git(["init", "-q", "-b", "main", `--object-format=${format}`, clone]);
    world.git(["remote", "add", "origin", path], { cwd: clone });
  }
  const start = world.commit(clone, { README: "start\n" }, "start");
  world.git(["push", "-q", "origin", "HEAD:refs/heads/main"], { cwd: clone });
  return new Served(await watch(world, path, home), clone, start);
}

/** Waits until so many runs are done, and no more. */
export const isDone = (r: Watched, count: number) =>
  until(`${count} runs are done`, () => r.runs().filter(({ state }) => state === "done").length === count);

/** What a file beside the home holds, once there is something in it. */
export const fileOf = (r: Watched, name: string) =>
  until(`the file ${name}`, () => (fs.existsSync(r.file(name)) && r.read(name)) || null);

/** Starts git and lets it run on. */
export function startGit(world: World, args: readonly string[], { cwd = world.dir, env = {} }: CallOptions = {}) {
  const child: ChildProcess = spawn("git", args, { cwd, env: { ...world.env, ...env }, stdio: "ignore" });
  return new Promise<number | null>((resolve, reject) => child.once("exit", resolve).once("error", reject));
}

/** Sets the time of a file to so many milliseconds ago. */
export function backdate(path: string, ago: number): void {
  const at = (Date.now() - ago) / 1000;
  fs.utimesSync(path, at, at);
}

/** Whether a process still can do anything. */
export function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(fs.readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}
