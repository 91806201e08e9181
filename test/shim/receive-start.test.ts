/** Whether the receive shim starts a backoffice while another may be starting: what it writes to and reads from `starting`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  appears,
  cleanEnv,
  entries,
  lines,
  makeHome,
  quiet,
  run,
  shells,
  shimText,
  temporary,
  writeProgram,
} from "./receive-fixture.ts";

const uptime = () => Math.floor(Number(fs.readFileSync("/proc/uptime", "utf8").split(" ")[0]));
const nobody = 4194999; // above every process id

/** Waits until a process runs no more; it may stay a zombie for ever. */
async function ends(pid: number): Promise<void> {
  const file = `/proc/${pid}/stat`;
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise(setImmediate)) {
    try {
      if (fs.readFileSync(file, "latin1").includes(") Z ")) return;
    } catch {
      return;
    }
  }
  throw new Error(`${pid} did not end`);
}

describe.each(shells)("while a backoffice may be starting, the receive shim in %s", (...shell) => {
  const folder = temporary();
  const env = { ...cleanEnv(folder), GIT_DIR: ".", LC_ALL: "C" };
  let count = 0;
  /** A home whose backoffice never announces itself: it says in `pids` that it runs, and stays until `go` is there. */
  const idle = (text = shimText) => {
    count += 1;
    const dir = join(folder, `${count}`);
    const home = makeHome(dir, ["post-receive", "post-checkout"], text);
    fs.rmSync(join(home, "daemon.pid"));
    const wait = 'while [ ! -e "$4/go" ]; do sleep 0.05; done';
    writeProgram(
      join(home, "bin/gatepost"),
      `#!/bin/sh\necho $$ >>"$4/pids"\necho $$ >"$4/pid.new"\nmv "$4/pid.new" "$4/pid"\n${wait}\n: >"$4/gone"\n`,
    );
    return { dir, home };
  };
  const push = (dir: string) => run([...shell, "hooks/post-receive"], { cwd: dir, env, input: lines(1) });
  const starting = (home: string) =>
    (fs.readFileSync(join(home, "starting"), "utf8").split("\n")[0] ?? "").split(" ").map(Number);
  const started = async (home: string) => Number(await appears(join(home, "pid")));
  const finish = async (home: string) => {
    fs.writeFileSync(join(home, "go"), "");
    await appears(join(home, "gone"));
  };

  /** In one line: the last one never came up. */
  const saysSo = { ...quiet, stderr: expect.stringMatching(/^gatepost: .* the last backoffice did not start; .*\n$/) };

  test.each<[string, () => string]>([
    ["half a minute ago", () => `${uptime() - 32} ${process.pid}\n`],
    ["before the machine was started anew", () => `${uptime() + 1000} ${process.pid}\n`],
    ["at a time that cannot be read", () => `08x ${process.pid}\n`],
    ["at a time too large for any shell", () => `99999999999999999999999999 ${process.pid}\n`],
    ["by a process that is no more", () => `${uptime() - 5} ${nobody}\n`],
    ["by a process that cannot be read", () => `${uptime() - 5} ../self\n`],
    ["by nobody knows whom", () => `${uptime() - 5}\n`],
  ])("starts one if the last was started %s", async (_, text) => {
    const { dir, home } = idle();
    fs.writeFileSync(join(home, "starting"), text());
    expect(push(dir)).toEqual(text().endsWith(` ${nobody}\n`) ? saysSo : quiet);
    const [time = 0, pid] = starting(home);
    expect(Math.abs(uptime() - time)).toBeLessThan(20);
    expect(pid).toBe(await started(home));
    await finish(home);
  });

  test("starts none if one was started a moment ago and lives", () => {
    const { dir, home } = idle();
    const text = `${uptime() - 5} ${process.pid}\n`;
    fs.writeFileSync(join(home, "starting"), text);
    expect(push(dir)).toEqual(quiet);
    expect(fs.readFileSync(join(home, "starting"), "utf8")).toBe(text);
  });

  test("starts another if that one was killed before it announced itself", async () => {
    const { dir, home } = idle();
    push(dir);
    const first = await started(home);
    fs.rmSync(join(home, "pid"));
    process.kill(first, "SIGKILL");
    await ends(first);
    expect(push(dir)).toEqual(saysSo);
    expect(await started(home)).not.toBe(first);
    await finish(home);
  });

  test("does so, too, where there is no /proc", async () => {
    const { dir, home } = idle(shimText.replaceAll("/proc/", "/nowhere/"));
    const text = `${Math.floor(Date.now() / 1000) - 5} ${process.pid}\n`;
    fs.writeFileSync(join(home, "starting"), text);
    expect(push(dir)).toEqual(quiet);
    expect(fs.readFileSync(join(home, "starting"), "utf8")).toBe(text);
    fs.writeFileSync(join(home, "starting"), text.replace(/ .*/, ` ${nobody}`));
    expect(push(dir)).toEqual(saysSo);
    await started(home);
    await finish(home);
  });

  test("says in one line why the last could not work, as long as none is alive, and pushes go on", async () => {
    const { dir, home } = idle();
    const why = join(home, "automatic.failed");
    fs.writeFileSync(why, "The database is damaged.\nmore\n");
    const line = "gatepost: this push is safe, but the last backoffice could not work: The database is damaged.\n";
    expect(push(dir)).toEqual({ ...quiet, stderr: line });
    await started(home);
    fs.writeFileSync(why, "red \x1b[31m\n");
    expect(push(dir).stderr).toBe(`gatepost: this push is safe, but the last backoffice could not work: see ${why}\n`);
    fs.writeFileSync(join(home, "manual"), "");
    expect(push(dir), "where pushes start none, its failure is old news").toEqual(quiet);
    expect(entries(home)).toHaveLength(3);
    await finish(home);
  });

  test("starts one for a burst of pushes", async () => {
    const { dir, home } = idle();
    for (let i = 0; i < 20; i += 1) expect(push(dir)).toEqual(quiet);
    const pid = await started(home);
    expect(entries(home)).toHaveLength(20);
    await finish(home);
    expect(fs.readFileSync(join(home, "pids"), "utf8")).toBe(`${pid}\n`);
  });

  test("starts none while another push is about to", async () => {
    const fork = "    { become_backoffice &";
    expect(shimText).toContain(fork);
    const pause = ': >"$gp_home/about"; while [ ! -e "$gp_home/fork" ]; do sleep 0.02; done';
    const { dir, home } = idle(shimText.replace(fork, `    ${pause}\n${fork}`));
    const [program = "", ...rest] = shell;
    const first = spawn(program, [...rest, "hooks/post-receive"], { cwd: dir, env, stdio: "ignore" });
    const ended = once(first, "exit");
    await appears(join(home, "about"));
    expect(starting(home)[1]).toBe(first.pid);
    writeProgram(join(dir, "hooks/second"), shimText);
    expect(run([...shell, "hooks/second"], { cwd: dir, env })).toEqual(quiet);
    expect(entries(home)).toHaveLength(2);
    expect(starting(home)[1]).toBe(first.pid);
    fs.writeFileSync(join(home, "fork"), "");
    await ended;
    expect(starting(home)[1]).toBe(await started(home));
    await finish(home);
  });

  test("is woken by a checkout of a branch, and not by one of files", async () => {
    const { dir, home } = idle();
    const checkout = (flag: string) => run([...shell, "hooks/post-checkout", "a", "b", flag], { cwd: dir, env });
    expect(checkout("0")).toEqual(quiet);
    expect(entries(home)).toEqual([]);
    expect(fs.existsSync(join(home, "starting"))).toBe(false);
    expect(checkout("1")).toEqual(quiet);
    expect(entries(home)).toHaveLength(1);
    await started(home);
    await finish(home);
  });
});
