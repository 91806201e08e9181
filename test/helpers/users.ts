/**
 * A system with users of its own, for tests of who may what: alice and bob, whose ids exist nowhere else, and a group
 * `pushers` that both are in. The name service is told of them in a mount namespace, so that the machine's own files stay
 * as they are. Only root can do that; see `hasUsers`.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { type CallOptions, makeWorld, type Outcome, program, type World } from "./cli.ts";

/** Whether such a system can be made here: for `test.runIf`. */
export const hasUsers = process.geteuid?.() === 0 && spawnSync("unshare", ["-m", "true"]).status === 0;

export const UIDS = { alice: 12001, bob: 12002 } as const;
export type Name = keyof typeof UIDS;
export const PUSHERS = 12050;

export type Users = {
  readonly world: World;
  /** A path in a user's home folder. */
  of(name: Name, ...parts: string[]): string;
  /** Runs a program as root, in root's environment with `env` over it. */
  asRoot(argv: readonly string[], options?: CallOptions): Outcome;
  /** The same without waiting for its end. */
  start(argv: readonly string[], options?: CallOptions): ChildProcess;
  /** Runs a program as that user, in the user's environment, with `env` over it, and home folder. */
  as(name: Name, argv: readonly string[], options?: CallOptions): Outcome;
  /** The same, which must end well; what it printed without the last newline. */
  must(name: Name, argv: readonly string[], options?: CallOptions): string;
  /** Makes and registers a bare repository of that user with a clone, and a hook; no pass is made by itself. */
  serve(name: Name, hook: string, repository?: string): string;
  /** Pushes a commit from the clone that `serve` made. */
  push(name: Name, repository: string): string;
};

export const gatepost = [process.execPath, program];

export function makeUsers(): Users {
  const world = makeWorld();
  fs.chmodSync(world.dir, 0o755);
  const of = (name: Name, ...parts: string[]): string => world.at("home", name, ...parts);
  const passwd = ["root:x:0:0::/root:/bin/sh"];
  const group = ["root:x:0:", `pushers:x:${PUSHERS}:alice,bob`];
  for (const [name, uid] of Object.entries(UIDS)) {
    passwd.push(`${name}:x:${uid}:${uid}::${of(name as Name)}:/bin/sh`);
    group.push(`${name}:x:${uid}:`);
    fs.mkdirSync(of(name as Name), { recursive: true });
    fs.chownSync(of(name as Name), uid, uid);
  }
  fs.writeFileSync(world.at("passwd"), passwd.map((line) => `${line}\n`).join(""));
  fs.writeFileSync(world.at("group"), group.map((line) => `${line}\n`).join(""));
  const enter = [
    ...["unshare", "-m", "sh", "-c"],
    'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group && exec "$@"',
    world.dir,
  ];
  const identity = (name: Name, more: Record<string, string> = {}): string[] => {
    const env = { ...world.env, ...more, HOME: of(name), USER: name, XDG_STATE_HOME: "" };
    const pairs = Object.entries(env).flatMap(([key, value]) => (value === "" ? [] : [`${key}=${value}`]));
    return ["setpriv", `--reuid=${UIDS[name]}`, `--regid=${UIDS[name]}`, "--init-groups", "env", "-i", ...pairs];
  };
  const asRoot: Users["asRoot"] = (argv, options) => world.run([...enter, ...argv], options);
  const as: Users["as"] = (name, argv, options) =>
    asRoot([...identity(name, options?.env), ...argv], { cwd: of(name), ...options, env: {} });
  const must: Users["must"] = (name, argv, options) => {
    const { stdout, stderr, code } = as(name, argv, options);
    if (code !== 0) throw new Error(`${name}: ${argv.join(" ")}: ${stderr}`);
    return stdout.replace(/\n$/, "");
  };
  return {
    world,
    of,
    asRoot,
    as,
    must,
    start: (argv, options = {}) =>
      spawn(enter[0] as string, [...enter.slice(1), ...argv], {
        cwd: options.cwd ?? world.dir,
        env: { ...world.env, ...options.env },
      }),
    serve(name, hook, repository = "app.git") {
      const path = of(name, repository);
      must(name, ["git", "init", "-q", "--bare", "-b", "main", path]);
      must(name, [...gatepost, "init", path]);
      must(name, [...gatepost, "settings", "-R", path, "automatic-backoffice", "off"]);
      must(name, [...gatepost, "settings", "-R", path, "reconcile-age", "200ms"]);
      must(name, [...gatepost, "hook", "add", "-R", path, "--type", "after-receive", "--command", hook]);
      must(name, ["git", "clone", "-q", path, `${path}.clone`]);
      return path;
    },
    push(name, repository) {
      const cwd = `${repository}.clone`;
      must(name, ["git", "commit", "-q", "--allow-empty", "-m", "m"], { cwd });
      must(name, ["git", "push", "-q", "origin", "HEAD:refs/heads/main"], { cwd });
      return must(name, ["git", "rev-parse", "HEAD"], { cwd });
    },
  };
}

/** Paths below a folder that do not belong to that user, and how they came to be there is somebody's fault. */
export function foreignIn(folder: string, uid: number): string[] {
  const names = fs.readdirSync(folder, { recursive: true }) as string[];
  return names.map((name) => join(folder, name)).filter((path) => fs.lstatSync(path).uid !== uid);
}
