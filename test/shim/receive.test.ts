/** The receive shim alone, with input made up here, in each shell; with real git in receive-git.test.ts. */
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ENTRY_NAME, parseEntry } from "../../src/spool/entry.ts";
import {
  cleanEnv,
  entries,
  installed,
  lines,
  makeHome,
  one,
  onlyEntry,
  quiet,
  run,
  shells,
  shimText,
  temporary,
  zero,
} from "./receive-fixture.ts";

const allBytes = (from: number) =>
  Array.from({ length: 256 - from }, (_, i) => String.fromCharCode(from + i))
    .join("")
    .replace("\n", "");

describe.each(shells)("the receive shim in %s", (...shell) => {
  const folder = temporary();
  const env = { ...cleanEnv(folder), GIT_DIR: "." };
  let count = 0;
  const make = (hooks?: readonly string[], text?: string) => {
    count += 1;
    const dir = join(folder, `${count}`);
    return { dir, home: makeHome(dir, hooks, text) };
  };
  const push = (dir: string, input: string | Buffer, more: Record<string, string> = {}, before: string[] = []) =>
    run([...before, ...shell, "hooks/post-receive"], { cwd: dir, env: { ...env, ...more }, input });

  test("writes one whole entry, for its owner alone, and says nothing", () => {
    const { dir, home } = make();
    expect(
      push(dir, lines(2), { GL_USER: "alice", GL_REPO: "app", REMOTE_USER: "a b", SSH_CLIENT: "192.0.2.7 1 2" }),
    ).toEqual(quiet);
    expect(onlyEntry(home)).toEqual({
      kind: "push",
      hook: "post-receive",
      dir,
      namespace: null,
      glUser: "alice",
      glRepo: "app",
      remoteUser: "a b",
      address: "192.0.2.7",
      options: [],
      updates: [
        { old: zero, new: one, ref: "refs/heads/b0" },
        { old: zero, new: one, ref: "refs/heads/b1" },
      ],
    });
    const [name] = fs.readdirSync(join(home, "spool"));
    expect(name).toMatch(ENTRY_NAME);
    expect(fs.statSync(join(home, "spool", name ?? "")).mode & 0o777).toBe(0o600);
  });

  test("takes the address from the nearest source", () => {
    const { dir, home } = make();
    const sources = { SSH_CLIENT: "192.0.2.1 9", SSH_CONNECTION: "192.0.2.2 9 192.0.2.3 22", REMOTE_ADDR: "192.0.2.4" };
    push(dir, lines(1), sources);
    expect(onlyEntry(home).address).toBe("192.0.2.4");
    fs.rmSync(join(home, "spool"), { recursive: true });
    fs.mkdirSync(join(home, "spool"));
    push(dir, lines(1), { ...sources, REMOTE_ADDR: "" });
    expect(onlyEntry(home).address).toBe("192.0.2.2");
  });

  // A locale in which these bytes are not characters must not lose or change them.
  test.each(["C", "C.UTF-8"])("keeps every byte of refs and options under %s", (locale) => {
    const { dir, home } = make();
    const ref = `refs/heads/${allBytes(0x21)}\x81\\\x88 \xc3(`;
    const script = `exec ${shell.join(" ")} hooks/post-receive`;
    // Only a shell can put such bytes into the environment: Node would make them UTF-8.
    const wrap = `LC_ALL=${locale} GIT_PUSH_OPTION_COUNT=2 GIT_PUSH_OPTION_0= GIT_PUSH_OPTION_1=$(cat bytes)\nexport LC_ALL GIT_PUSH_OPTION_COUNT GIT_PUSH_OPTION_0 GIT_PUSH_OPTION_1\n${script}`;
    fs.writeFileSync(join(dir, "bytes"), Buffer.from(allBytes(1), "latin1"));
    const input = Buffer.from(`${zero} ${one} ${ref}\n${zero} ${one}  refs/ two \n`, "latin1");
    expect(run(["dash", "-c", wrap], { cwd: dir, env, input })).toEqual(quiet);
    expect(onlyEntry(home).options).toEqual(["", allBytes(1)]);
    expect(onlyEntry(home).updates.map((update) => update.ref)).toEqual([ref, " refs/ two "]);
  });

  test("lets no value forge a line of the entry, nor be run", () => {
    const { dir, home } = make();
    const nasty = "a\nend 0\n\n b\n`touch canary`$(touch canary)\\n%s\nVALUE\n";
    const more = { GIT_NAMESPACE: nasty, GL_USER: nasty, GIT_PUSH_OPTION_COUNT: "1", GIT_PUSH_OPTION_0: nasty };
    expect(push(dir, `${zero} ${one} refs/heads/$(touch\${IFS}canary)\`touch\`*\n`, more)).toEqual(quiet);
    expect(onlyEntry(home)).toMatchObject({ namespace: nasty, glUser: nasty, options: [nasty] });
    expect(onlyEntry(home).updates[0]?.ref).toBe("refs/heads/$(touch${IFS}canary)`touch`*");
    expect(fs.existsSync(join(dir, "canary"))).toBe(false);
  });

  test.each(["x[$(touch canary)]", "-1", "1 + 1", "99999999999999999999", "", "0"])(
    "takes no options when their count is %j",
    (number) => {
      const { dir, home } = make();
      expect(push(dir, lines(1), { GIT_PUSH_OPTION_COUNT: number, GIT_PUSH_OPTION_0: "x" })).toEqual(quiet);
      expect(onlyEntry(home).options).toEqual([]);
      expect(fs.existsSync(join(dir, "canary"))).toBe(false);
    },
  );

  test("takes many options in order, and stops where there are no more", () => {
    const { dir, home } = make();
    const options = Array.from({ length: 250 }, (_, i) => `option ${i}`);
    const vars = Object.fromEntries(options.map((option, i) => [`GIT_PUSH_OPTION_${i}`, option]));
    expect(push(dir, lines(1), { ...vars, GIT_PUSH_OPTION_COUNT: "99999" })).toEqual(quiet);
    expect(onlyEntry(home).options).toEqual(options);
  });

  test("is not held up by values as long as an environment can hold", () => {
    const { dir, home } = make();
    const long = "x".repeat(120_000);
    const more = { GL_USER: long, GL_REPO: `${long}\n${long.slice(0, 10)}`, REMOTE_USER: "\n".repeat(100_000) };
    expect(push(dir, lines(1), more)).toEqual(quiet);
    expect(onlyEntry(home)).toMatchObject({ glUser: long, glRepo: more.GL_REPO, remoteUser: "\n".repeat(1000) });
  });

  test.each([0, 1, 24, 25, 26, 10_000])("writes down a push of %i refs", (number) => {
    const { dir, home } = make();
    expect(push(dir, lines(number))).toEqual(quiet);
    expect(onlyEntry(home).updates.map((update) => update.ref)).toEqual(
      Array.from({ length: number }, (_, i) => `refs/heads/b${i}`),
    );
  });

  test.skipIf(!installed("strace"))("starts no process, and writes the entry at one stroke", () => {
    const { dir, home } = make();
    const trace = join(dir, "trace");
    const watch = ["strace", "-f", "-o", trace, "-e", "trace=process,write"];
    expect(
      push(dir, lines(24), { GL_USER: "alice", GIT_PUSH_OPTION_COUNT: "1", GIT_PUSH_OPTION_0: "x" }, watch),
    ).toEqual(quiet);
    expect(onlyEntry(home).updates).toHaveLength(24);
    const calls = fs.readFileSync(trace, "latin1").match(/(?<=^\d+ +)\w+(?=\()/gm) ?? [];
    expect(calls.filter((call) => !["execve", "exit_group", "write"].includes(call))).toEqual([]);
    expect(calls.filter((call) => call === "execve")).toHaveLength(1);
    if (shell[0] === "dash") expect(calls.filter((call) => call === "write").length).toBeLessThan(3);
  });

  test("does nothing, and reads nothing, in a repository without a home", () => {
    const { dir, home } = make();
    fs.renameSync(home, join(dir, "elsewhere"));
    expect(
      run(["dash", "-c", `${shell.join(" ")} hooks/post-receive; cat`], { cwd: dir, env, input: lines(1) }),
    ).toEqual({ ...quiet, stdout: lines(1) });
  });

  test("goes to a git dir that is named by a relative path, and says where it really is", () => {
    const { dir, home } = make();
    const link = `-${count} link`;
    fs.symlinkSync(dir, join(folder, link));
    fs.mkdirSync(join(folder, "decoy", link), { recursive: true });
    // PWD says by which path somebody came here; CDPATH sends a careless cd elsewhere, and makes it talk.
    const more = { GIT_DIR: link, PWD: folder, CDPATH: `${join(folder, "decoy")}:` };
    expect(
      run([...shell, `${dir}/hooks/post-receive`], { cwd: folder, env: { ...env, ...more }, input: lines(1) }),
    ).toEqual(quiet);
    expect(onlyEntry(home).dir).toBe(dir);
  });

  test("believes git about where the common dir is", () => {
    const { dir, home } = make();
    expect(push(dir, lines(1), { GIT_DIR: "hooks", GIT_COMMON_DIR: "." })).toEqual(quiet);
    expect(onlyEntry(home).dir).toBe(dir);
  });

  test("follows a file that points to a home elsewhere", () => {
    const { dir, home } = make();
    const elsewhere = join(folder, `${count} home`);
    fs.renameSync(home, elsewhere);
    fs.writeFileSync(join(dir, "gatepost"), `home: ${elsewhere}\n`);
    expect(push(dir, lines(1))).toEqual(quiet);
    expect(onlyEntry(elsewhere).dir).toBe(dir);
    for (const wrong of ["home: relative\n", "", "/x\n"]) {
      fs.writeFileSync(join(dir, "gatepost"), wrong);
      const outcome = push(dir, lines(1));
      expect(outcome).toMatchObject({ code: 0, stdout: "" });
      expect(outcome.stderr).toMatch(/^gatepost: .*names no home.*\n$/);
    }
    expect(entries(elsewhere)).toHaveLength(1);
  });

  test("lets the push pass, with one line, when the spool cannot be written", () => {
    const { dir, home } = make();
    fs.rmdirSync(join(home, "spool"));
    const outcome = push(dir, lines(300));
    expect(outcome).toMatchObject({ code: 0, stdout: "" });
    expect(outcome.stderr).toMatch(/^gatepost: no entry could be written[^\n]*\n$/);
  });

  test("lets the push pass, with a partial entry, when the disk is full", () => {
    const { dir, home } = make();
    const limit = `trap '' XFSZ; ulimit -f 8; exec ${shell.join(" ")} hooks/post-receive`;
    const outcome = run(["dash", "-c", limit], {
      cwd: dir,
      env: { ...env, GL_USER: "x".repeat(50_000) },
      input: lines(1),
    });
    expect(outcome).toMatchObject({ code: 0, stdout: "" });
    expect(outcome.stderr).toMatch(/^gatepost: no entry could be written[^\n]*\n$/);
    const [name] = fs.readdirSync(join(home, "spool"));
    expect(parseEntry(fs.readFileSync(join(home, "spool", name ?? "")))).toEqual({ state: "partial" });
  });

  test.skipIf(shell[0] !== "dash")("lets the push pass when the shell runs out of memory", () => {
    const { dir } = make();
    const long = Array.from({ length: 15 }, (_, i) => [`GIT_PUSH_OPTION_${i}`, "x".repeat(120_000)]);
    const more = { ...Object.fromEntries(long), GIT_PUSH_OPTION_COUNT: "15" };
    const outcome = push(dir, lines(1), more, ["dash", "-c", 'ulimit -v 9000; exec "$@"', "limited"]);
    expect(outcome).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("Out of space") });
  });

  // Below 12 dash cannot even open the shim; busybox ends on the spot where it cannot save a descriptor.
  test.skipIf(shell[0] === "busybox").each([12, 13, 14])(
    "lets the push pass with no more than %i descriptors",
    (limit) => {
      const { dir } = make();
      const script = `ulimit -n ${limit}; exec ${shell.join(" ")} hooks/post-receive`;
      expect(run(["dash", "-c", script], { cwd: dir, env, input: lines(1) }).code).toBe(0);
    },
  );

  test("writes entries that the owner of a shared home can read, whatever the pusher's umask", () => {
    const { dir, home } = make();
    fs.writeFileSync(join(home, "shared"), "");
    run(["dash", "-c", `umask 077; ${shell.join(" ")} hooks/post-receive`], { cwd: dir, env, input: lines(1) });
    const [name] = fs.readdirSync(join(home, "spool"));
    expect(fs.statSync(join(home, "spool", name ?? "")).mode & 0o777).toBe(0o644);
  });

  test("names entries by process and clock where the system has no other names", () => {
    const text = shimText.replaceAll("/proc/", "/nowhere/");
    const { dir, home } = make(undefined, text);
    // The process id is foreseeable here, and so the name may be taken.
    const script = `now=$(date +%s); for i in 0 1 2 3; do :> gatepost/spool/$$-$((now + i)).entry; done; exec ${shell.join(" ")} hooks/post-receive`;
    expect(run(["dash", "-c", script], { cwd: dir, env, input: lines(1) })).toEqual(quiet);
    const made = fs.readdirSync(join(home, "spool")).filter((name) => fs.statSync(join(home, "spool", name)).size > 0);
    expect(made).toEqual([expect.stringMatching(/^\d+-\d+-2\.entry$/)]);
    expect(made[0]).toMatch(ENTRY_NAME);
  });

  test("never writes over an entry that is there", () => {
    const { dir, home } = make(undefined, shimText.replaceAll("/proc/", `${folder.replaceAll(" ", "\\ ")}/proc/`));
    fs.mkdirSync(join(folder, "proc/sys/kernel/random"), { recursive: true });
    fs.writeFileSync(join(folder, "proc/sys/kernel/random/uuid"), "01234567-89ab-cdef\n");
    expect(push(dir, lines(2)).stderr).toBe("");
    expect(push(dir, lines(1))).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^gatepost: no entry[^\n]*\n$/),
    });
    expect(fs.readdirSync(join(home, "spool"))).toEqual(["01234567-89ab-cdef.entry"]);
    expect(onlyEntry(home).updates).toHaveLength(2);
  });

  test.each(["post-commit", "post-merge", "post-rewrite", "post-checkout"])(
    "as %s writes only who and when, and leaves stdin alone",
    (hook) => {
      const { dir, home } = make([hook]);
      const script = `${shell.join(" ")} hooks/${hook} a b; cat`;
      expect(run(["dash", "-c", script], { cwd: dir, env: { ...env, REMOTE_USER: "eve" }, input: lines(3) })).toEqual({
        ...quiet,
        stdout: lines(3),
      });
      expect(onlyEntry(home)).toMatchObject({ kind: "work", hook, dir, remoteUser: "eve", updates: [] });
    },
  );
});
