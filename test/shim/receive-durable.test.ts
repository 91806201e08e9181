/** The receive shim in a home whose spool is durable: what it syncs before it ends, and the checksum that it writes. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseEntry } from "../../src/spool/entry.ts";
import { makeWorld } from "../helpers/cli.ts";
import { enter, leave, serve } from "../helpers/served.ts";
import {
  cleanEnv,
  installed,
  lines,
  makeHome,
  onlyEntry,
  quiet,
  run,
  shells,
  temporary,
  writeProgram,
} from "./receive-fixture.ts";

describe.each(shells)("with a durable spool, the receive shim in %s", (...shell) => {
  const folder = temporary();
  const env = { ...cleanEnv(folder), GIT_DIR: "." };
  let count = 0;
  const make = (hook = "post-receive") => {
    count += 1;
    const dir = join(folder, `${count}`);
    const home = makeHome(dir, [hook]);
    fs.writeFileSync(join(home, "durable"), "");
    return { dir, home, spool: join(home, "spool") };
  };
  const push = (dir: string, input: string, more: Record<string, string> = {}, before: string[] = []) =>
    run([...before, ...shell, "hooks/post-receive"], { cwd: dir, env: { ...env, ...more }, input });
  const text = (spool: string): string => {
    const [name = ""] = fs.readdirSync(spool);
    return fs.readFileSync(join(spool, name), "latin1");
  };
  /** Programs in a folder of their own, which is all that PATH has. */
  const only = (dir: string, programs: Readonly<Record<string, string>>): { PATH: string } => {
    for (const [name, body] of Object.entries(programs)) writeProgram(join(dir, "bin", name), `#!/bin/sh\n${body}\n`);
    return { PATH: join(dir, "bin") };
  };
  const where = (program: string): string =>
    (process.env["PATH"] ?? "")
      .split(":")
      .map((entry) => join(entry, program))
      .find((file) => fs.existsSync(file)) ?? "";
  const [program = "", ...words] = shell;

  test.each([1, 25, 3000])("ends the entry of a push of %i refs with a checksum that fits", (number) => {
    const { dir, home, spool } = make();
    expect(push(dir, lines(number), { GL_USER: "alice\nbob" })).toEqual(quiet);
    expect(onlyEntry(home).updates).toHaveLength(number);
    expect(text(spool)).toMatch(/\nend \d+\+? sum \d+ \d+\n$/);
    const changed = Buffer.from(text(spool).replace("alice", "malice"), "latin1");
    expect(parseEntry(changed)).toEqual({ state: "bad", reason: "its checksum does not fit" });
  });

  test.skipIf(!installed("strace"))("syncs the whole entry and its folder, after the last byte", () => {
    const { dir, spool } = make();
    const trace = join(dir, "trace");
    const watch = ["strace", "-f", "-y", "-o", trace, "-e", "trace=write,fsync,fdatasync,syncfs"];
    expect(push(dir, lines(2), {}, watch)).toEqual(quiet);
    const calls = fs
      .readFileSync(trace, "latin1")
      .split("\n")
      .filter((line) => line.includes(spool));
    expect(calls.map((line) => line.replace(/^\d+ +(\w+)\(\d+<([^>]*)>.*$/, "$1 $2")).slice(-3)).toEqual([
      expect.stringMatching(/^write .*\.entry$/),
      expect.stringMatching(/^fsync .*\.entry$/),
      `fsync ${spool}`,
    ]);
  });

  test("says so in one line when nothing could be synced, and lets the push pass with its entry", () => {
    const { dir, home, spool } = make();
    const path = only(dir, {
      cat: `exec ${where("cat")}`,
      cksum: `exec ${where("cksum")}`,
      sync: "echo no >&2; exit 1",
    });
    const outcome = run([where(program), ...words, "hooks/post-receive"], {
      cwd: dir,
      env: { ...env, ...path },
      input: lines(2),
    });
    // busybox has a sync of its own, which PATH does not hide.
    if (program !== "busybox") expect(outcome).toMatchObject({ code: 0, stdout: "" });
    if (program !== "busybox")
      expect(outcome.stderr).toMatch(/^gatepost: the entry was written, but not synced[^\n]*\n$/);
    expect(onlyEntry(home).updates).toHaveLength(2);
    expect(text(spool)).toMatch(/\nend 2 sum \d+ \d+\n$/);
  });

  test("makes do without a checksum where there is no cksum", () => {
    const { dir, home, spool } = make();
    const path = only(dir, { cat: `exec ${where("cat")}`, sync: "exit 0" });
    const outcome = run([where(program), ...words, "hooks/post-receive"], {
      cwd: dir,
      env: { ...env, ...path },
      input: lines(30),
    });
    expect(outcome).toEqual(quiet);
    expect(onlyEntry(home).updates).toHaveLength(30);
    expect(text(spool)).toMatch(/\nend 25\+\n$/);
  });

  test("syncs the file system where the folder may only be written to", () => {
    const { dir, home, spool } = make();
    const path = only(dir, { cksum: `exec ${where("cksum")}`, sync: 'printf "%s\\n" "$@" >called' });
    // Root may read everything; a shell whose `[` says no stands in for somebody who may not.
    const shim = fs.readFileSync(join(dir, "hooks/post-receive"), "utf8");
    writeProgram(join(dir, "hooks/post-receive"), shim.replace('[ -r "$gp_home/spool" ]', "false"));
    expect(
      run([where(program), ...words, "hooks/post-receive"], { cwd: dir, env: { ...env, ...path }, input: lines(1) }),
    ).toEqual(quiet);
    expect(onlyEntry(home).updates).toHaveLength(1);
    const [name = ""] = fs.readdirSync(spool);
    if (program !== "busybox") expect(fs.readFileSync(join(dir, "called"), "utf8")).toBe(`-f\n${join(spool, name)}\n`);
  });

  test("syncs what work in a work tree leaves as well", () => {
    const { dir, home, spool } = make("post-commit");
    expect(run([...shell, "hooks/post-commit"], { cwd: dir, env })).toEqual(quiet);
    expect(onlyEntry(home)).toMatchObject({ kind: "work", hook: "post-commit" });
    expect(text(spool)).toMatch(/\nend 0 sum \d+ \d+\n$/);
  });

  test("lets the push pass, with one line, when the spool cannot be written", () => {
    const { dir, spool } = make();
    fs.rmdirSync(spool);
    const outcome = push(dir, lines(300));
    expect(outcome).toMatchObject({ code: 0, stdout: "" });
    expect(outcome.stderr).toMatch(/^gatepost: no entry could be written[^\n]*\n$/);
  });
});

describe("settings durable-spool", () => {
  const world = makeWorld();
  beforeAll(() => enter(world));
  afterAll(() => leave(world));

  test("makes the entries of pushes last from then on, until it is taken back", async () => {
    const r = await serve(world);
    r.hook(":");
    const pushed = (): string => {
      r.push();
      const [file = ""] = r.spool();
      const text = fs.readFileSync(file, "latin1");
      return text.slice(text.lastIndexOf("\n", text.length - 2) + 1);
    };
    expect(pushed()).toBe("end 1\n");
    await r.pass();
    r.set("durable-spool", "on");
    expect(pushed()).toMatch(/^end 1 sum \d+ \d+\n$/);
    await r.pass();
    expect(r.receipts().map(({ source }) => source)).toEqual(["push", "push"]);
    r.set("durable-spool", "off");
    expect(pushed()).toBe("end 1\n");
  });
});
