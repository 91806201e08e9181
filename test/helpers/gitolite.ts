/** A gitolite of a world's own, driven without ssh: git starts a program that hands the call to gitolite's shell. */
import * as fs from "node:fs";
import { join } from "node:path";
import type { CallOptions, Outcome, World } from "./cli.ts";

export type Gitolite = {
  /** Its .gitolite.rc. */
  rc: string;
  repositories: string;
  /** Where hooks for all repositories stand, once LOCAL_CODE is set. */
  common: string;
  /** Runs git as that user of gitolite's. */
  as(user: string, args: readonly string[], options?: CallOptions): Outcome;
  /** Clones a repository as that user, and returns the clone. */
  clone(user: string, repository: string, place?: string): string;
  /** Commits in a clone and pushes to refs as that user. */
  push(user: string, clone: string, ...refs: string[]): Outcome;
  /** Runs gitolite's own program. */
  run(...args: string[]): Outcome;
  /** Puts a line into .gitolite.rc. */
  set(line: string): void;
};

/** Gitolite's program for the far end; null where gitolite is not installed. */
export function gitoliteShell(): string | null {
  const folders = ["/usr/share/gitolite3", "/usr/share/gitolite", "/usr/local/share/gitolite3"];
  return folders.map((folder) => join(folder, "gitolite-shell")).find((file) => fs.existsSync(file)) ?? null;
}

/** As ssh writes a value: its length, then its bytes. */
const word = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);

/** Sets a gitolite up in the world's HOME, whose administrator is alice. */
export function makeGitolite(world: World, shell: string): Gitolite {
  const home = world.env["HOME"] ?? "";
  const ssh = world.at("ssh");
  fs.writeFileSync(
    ssh,
    `#!/bin/sh\nuser=\${1%%@*}; shift\nSSH_CONNECTION="192.0.2.7 1 192.0.2.1 22" SSH_ORIGINAL_COMMAND="$*" exec ${shell} "$user"\n`,
    { mode: 0o755 },
  );
  const config = world.at("gitconfig");
  fs.writeFileSync(config, "[init]\n\tdefaultBranch = master\n");
  const env = { GIT_SSH: ssh, GIT_SSH_VARIANT: "simple", GIT_CONFIG_GLOBAL: config };
  const key = world.at("alice.pub");
  const blob = Buffer.concat([word(Buffer.from("ssh-ed25519")), word(Buffer.alloc(32, 7))]);
  fs.writeFileSync(key, `ssh-ed25519 ${blob.toString("base64")} alice\n`);
  const run = (...args: string[]): Outcome => world.run(["gitolite", ...args], { env });
  const { code, stderr } = run("setup", "-pk", key);
  if (code !== 0) throw new Error(`gitolite setup: ${stderr}`);
  const as: Gitolite["as"] = (user, args, options = {}) =>
    world.run(["git", "-c", `url.${user}@host:.insteadOf=git:`, ...args], {
      ...options,
      env: { ...env, ...options.env },
    });
  return {
    rc: join(home, ".gitolite.rc"),
    repositories: join(home, "repositories"),
    common: join(home, "local", "hooks", "common"),
    as,
    run,
    clone(user, repository, place = `${repository.replaceAll("/", "-")}-${user}`) {
      const done = as(user, ["clone", "-q", `git:${repository}`, world.at(place)]);
      if (done.code !== 0) throw new Error(done.stderr);
      return world.at(place);
    },
    push(user, clone, ...refs) {
      world.commit(clone);
      return as(user, ["push", "origin", ...refs.map((ref) => `HEAD:${ref}`)], { cwd: clone });
    },
    set(line) {
      const rc = join(home, ".gitolite.rc");
      fs.writeFileSync(rc, fs.readFileSync(rc, "utf8").replace("%RC = (\n", `%RC = (\n    ${line}\n`));
    },
  };
}
