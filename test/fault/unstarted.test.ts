import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { afterAll, expect, test } from "vitest";
import { makeWorld, program, until } from "../helpers/cli.ts";

const world = makeWorld();
afterAll(() => world.remove());

/** The child of a process that leads a session of its own: the hook, or what is about to become it. */
function leaderBelow(parent: number): number | null {
  for (const name of fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = fs.readFileSync(`/proc/${name}/stat`, "latin1");
      const [, ppid, , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(ppid) === parent && session === name) return Number(name);
    } catch {} // it ended meanwhile
  }
  return null;
}

test.skipIf(spawnSync("strace", ["-V"]).status !== 0)(
  "A1: a hook that was forked and not yet started when its backoffice was killed does not run beside its repeat",
  async () => {
    const [bare, clone, home, journal] = [world.bare(), world.workTree("clone"), world.at("home"), world.at("journal")];
    world.commit(clone);
    world.git(["push", "-q", bare, "HEAD:refs/heads/main"], { cwd: clone });
    const command = `exec 9>>'${world.at("lock")}'; flock -n 9 || echo overlap >>'${journal}'; echo begin >>'${journal}'; sleep 2; echo end >>'${journal}'`;
    for (const words of [
      ["init", "--home", home, bare],
      ["settings", "--home", home, "automatic-backoffice", "off"],
      ["hook", "add", "--home", home, "--all", "--type", "after-receive", "--command", command],
    ])
      expect(world.gatepost(words).code).toBe(0);
    world.commit(clone);
    world.git(["push", "-q", bare, "HEAD:refs/heads/main"], { cwd: clone });
    // Each start of a shell takes three seconds.
    const slow = ["-e", "trace=execve", "-e", "inject=execve:delay_enter=3000000", "-P", "/bin/sh"];
    const traced = spawn(
      "strace",
      ["-f", "-qq", "-o", "/dev/null", ...slow, process.execPath, program, "backoffice", "--home", home],
      {
        env: world.env,
        stdio: "ignore",
      },
    );
    const ended = new Promise((resolve) => traced.once("exit", resolve));
    const db = new BetterSqlite3(join(home, "gatepost.db"), { readonly: true });
    const holder = await until(
      "the lease is taken",
      () => db.prepare<[], { pid: number }>("SELECT pid FROM lease").get()?.pid,
    );
    await until("the hook has been forked", () => leaderBelow(holder));
    process.kill(holder, "SIGKILL");
    expect(world.gatepost(["backoffice", "--home", home]).code).toBe(0);
    await ended; // and with it whatever it started
    const lines = fs.readFileSync(journal, "utf8").split("\n");
    expect(lines).not.toContain("overlap");
    expect(lines).toContain("end");
    expect(db.prepare("SELECT outcome FROM attempt ORDER BY number").all()).toEqual([
      { outcome: "lost" },
      { outcome: "exit" },
    ]);
    db.close();
  },
);
