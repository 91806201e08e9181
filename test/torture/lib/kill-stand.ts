/**
 * What is tortured by killing: two bare repositories and a work tree in one home, hooks that keep an account of each of
 * their attempts, and a daemon that is started anew whenever it has died.
 *
 * The account of an attempt: a line "begin HOOK REPOSITORY RUN ATTEMPT PID UPTIME" in the journal, what it was told in a
 * file of its own, and a line "end …" after that. An attempt holds a lock, and its children do through the descriptor
 * they inherit; one that finds it held says "overlap".
 */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { basename, join } from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { program, type World } from "../../helpers/cli.ts";
import { Processes } from "./processes.ts";

export const HOOKS = {
  /** Keeps its account, and that is all. */
  plain: { says: "", options: ["--retries", "40", "--stdin", "updates"] },
  /** Takes its time, and leaves a child that takes longer. It is not tried again. */
  slow: { says: "sleep 0.08 & sleep 0.04", options: [] },
  /** Fails each third time. */
  flaky: {
    says: "[ $(((GATEPOST_ATTEMPT + ${GATEPOST_RUN#*-}) % 3)) -ne 0 ] || exit 9",
    options: ["--retries", "40", "--stdin", "updates"],
  },
  /** Runs for each push. */
  each: { says: "", options: ["--retries", "40", "--each", "receipt", "--stdin", "updates"] },
} as const;

export type HookName = keyof typeof HOOKS;

export class KillStand {
  readonly world: World;
  readonly home: string;
  readonly bares: readonly string[];
  readonly work: string;
  readonly processes: Processes;
  /** What each ref was when the repository was registered. */
  readonly start: ReadonlyMap<string, ReadonlyMap<string, string>>;
  #daemon: ChildProcess | null = null;
  #stopping = false;
  #database: BetterSqlite3.Database | null = null;
  /** What the daemon did that it should not. */
  readonly complaints: string[] = [];

  constructor(world: World) {
    this.world = world;
    this.home = world.at("home");
    this.processes = new Processes(world.env["HOME"] ?? "");
    for (const folder of ["locks", "told"]) fs.mkdirSync(world.at(folder));
    fs.writeFileSync(world.at("journal"), "");
    this.bares = ["one.git", "two.git"].map((name) => world.bare(name));
    this.work = world.workTree("work");
    world.commit(this.work, { file: "0\n" });
    for (const path of this.repositories()) {
      for (const [name, value] of [
        ["core.logAllRefUpdates", "always"],
        ["receive.denyDeleteCurrent", "ignore"],
        ["receive.denyNonFastForwards", "false"],
        ["gc.auto", "0"],
        ["receive.autogc", "false"],
      ] as const)
        world.git(["config", name, value], { cwd: path });
    }
    for (const bare of this.bares) world.git(["push", "-q", bare, "HEAD:refs/heads/main"], { cwd: this.work });
    this.#must(["init", "--home", this.home, ...this.repositories()]);
    for (const [name, value] of [
      ["retry-base", "100ms"],
      ["reconcile-age", "300ms"],
      ["grace", "1s"],
      ["drain", "1s"],
    ] as const)
      this.#must(["settings", "--home", this.home, name, value]);
    for (const name of Object.keys(HOOKS) as HookName[]) this.#addHook(name);
    this.start = new Map(this.repositories().map((path) => [path, this.refs(path)]));
  }

  repositories(): string[] {
    return [...this.bares, this.work];
  }

  /** The refs that the ledger follows, and their values. */
  refs(path: string): Map<string, string> {
    const followed = path === this.work ? ["refs/heads", "refs/tags", "refs/notes"] : [];
    const lines = this.world.git(["for-each-ref", "--format=%(objectname) %(refname)", ...followed], { cwd: path });
    return new Map(lines.split("\n").flatMap((line) => (line === "" ? [] : [[line.slice(41), line.slice(0, 40)]])));
  }

  /** Starts the daemon, and again each time that it dies. */
  serve(): void {
    const child = spawn(process.execPath, [program, "serve", "--home", this.home, "--poll", "1"], {
      cwd: this.world.dir,
      env: this.world.env,
      stdio: "ignore",
    });
    this.#daemon = child;
    child.once("exit", (code, signal) => {
      if (this.#stopping) return;
      if (signal !== "SIGKILL") this.complaints.push(`the daemon ended by itself: ${code ?? signal}`);
      this.serve();
    });
  }

  /** Ends the daemon in order; its exit code. */
  async stop(): Promise<number | null> {
    this.#stopping = true;
    this.#database?.close();
    this.#database = null;
    const daemon = this.#daemon;
    if (daemon === null || daemon.exitCode !== null) return daemon?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => daemon.once("exit", resolve));
    daemon.kill("SIGTERM");
    return ended;
  }

  /** Whether so much waits for the backoffice that clients hold back: all of it must be waited for at the end. */
  isFull(): boolean {
    const entries = fs.readdirSync(join(this.home, "spool")).filter((name) => name.endsWith(".entry"));
    return entries.length > 20 || this.openRuns() > 120;
  }

  /** How many runs wait or run. */
  openRuns(): number {
    this.#database ??= new BetterSqlite3(join(this.home, "gatepost.db"), { readonly: true });
    const sql = "SELECT count(*) AS n FROM run WHERE state IN ('waiting', 'running')";
    return this.#database.prepare<[], { n: number }>(sql).get()?.n ?? 0;
  }

  /** Removes the locks that killed git processes left in a repository, unless git runs in it, whose they may be. */
  sweep(path: string): void {
    const gitDir = path.endsWith(".git") ? path : join(path, ".git");
    const locks = locksIn(gitDir);
    if (locks.size === 0) return;
    const busy = this.processes.all().some(({ pid, command }) => {
      const cwd = linkOf(`/proc/${pid}/cwd`);
      return /^\S*git\b/.test(command) && (cwd === path || cwd === gitDir || command.includes(basename(path)));
    });
    if (busy) return;
    for (const [lock, inode] of locksIn(gitDir)) if (locks.get(lock) === inode) fs.rmSync(lock, { force: true });
  }

  #addHook(name: HookName): void {
    const { says, options } = HOOKS[name];
    const { world } = this;
    const told =
      name === "slow" ? "cat >/dev/null" : `cat >'${world.at("told")}'/${name}.$GATEPOST_RUN.$GATEPOST_ATTEMPT`;
    const text = `#!/bin/sh
repository=\${PWD##*/}
[ "$repository" != .git ] || repository=work
note() {
  read -r uptime _ </proc/uptime
  echo "$1 ${name} $repository $GATEPOST_RUN $GATEPOST_ATTEMPT $$ $uptime" >>'${world.at("journal")}'
}
exec 9>>'${world.at("locks")}'/${name}-$repository
flock -n 9 || note overlap
note begin
${told} || exit
${says}
note end
`;
    fs.writeFileSync(world.at(name), text, { mode: 0o755 });
    const where = name === "each" ? ["-R", "one.git"] : ["--all"];
    this.#must([
      ...["hook", "add", "--home", this.home, "--name", name, "--type", "after-receive"],
      ...["--command", world.at(name), ...where, ...options],
    ]);
  }

  #must(args: readonly string[]): void {
    const { code, stderr } = this.world.gatepost(args);
    if (code !== 0) throw new Error(`gatepost ${args.join(" ")}: ${stderr}`);
  }
}

/** Locks of refs and of what lies beside them, with their inodes. */
function locksIn(gitDir: string): Map<string, number> {
  const names = ["refs", "."].flatMap((folder) =>
    fs
      .readdirSync(join(gitDir, folder), { recursive: folder === "refs", encoding: "utf8" })
      .map((name) => join(folder, name)),
  );
  return new Map(
    names
      .filter((name) => name.endsWith(".lock"))
      .flatMap((name) => {
        const inode = fs.statSync(join(gitDir, name), { throwIfNoEntry: false })?.ino;
        return inode === undefined ? [] : [[join(gitDir, name), inode] as const];
      }),
  );
}

function linkOf(path: string): string | null {
  try {
    return fs.readlinkSync(path);
  } catch {
    return null;
  }
}
