/** What the receive shim starts: the hook that was there before it, and a backoffice where none is alive. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import {
  appears,
  cleanEnv,
  entries,
  installed,
  lines,
  makeHome,
  onlyEntry,
  quiet,
  run,
  shells,
  shimText,
  startTime,
  temporary,
  writeProgram,
} from "./receive-fixture.ts";

describe.each(shells)("the receive shim in %s", (...shell) => {
  const folder = temporary();
  const env = { ...cleanEnv(folder), GIT_DIR: ".", LC_ALL: "C" };
  let count = 0;
  const make = (hooks?: readonly string[], text?: string) => {
    count += 1;
    const dir = join(folder, `${count}`);
    return { dir, home: makeHome(dir, hooks, text) };
  };
  const chain = (dir: string, text: string, hook = "post-receive") =>
    writeProgram(join(dir, "hooks/gatepost/chained", hook), text);
  const call = (dir: string, input: string, more: Record<string, string> = {}, hook = "post-receive") =>
    run([...shell, `hooks/${hook}`, "one", "two words", ""], { cwd: dir, env: { ...env, ...more }, input });

  describe("with a chained hook", () => {
    test.each([0, 1, 24, 25, 26, 10_000])("hands it the same %i lines, after the entry", (number) => {
      const { dir, home } = make();
      chain(dir, '#!/bin/sh\nls gatepost/spool >seen\nfor word; do echo "<$word>"; done\ncat\nexit 7\n');
      const expected = `<one>\n<two words>\n<>\n${lines(number)}`;
      expect(call(dir, lines(number))).toEqual({ code: 7, stdout: expected, stderr: "" });
      expect(onlyEntry(home).updates).toHaveLength(number);
      expect(fs.readFileSync(join(dir, "seen"), "utf8")).toBe(`${fs.readdirSync(join(home, "spool"))[0]}\n`);
    });

    test("hands it refs of any bytes", () => {
      const { dir } = make();
      chain(dir, "#!/bin/sh\ncat >got\n");
      const bytes = Buffer.from("0 1 refs/\x81\x88\xff\xc3(\\n$(x)%s\n", "latin1");
      run([...shell, "hooks/post-receive"], { cwd: dir, env, input: bytes });
      expect(fs.readFileSync(join(dir, "got"))).toEqual(bytes);
    });

    test.each(["exit 3", "exec <&-; exit 3"])("does not mind that it reads nothing: %s", (body) => {
      const { dir } = make();
      chain(dir, `#!/bin/sh\n${body}\n`);
      expect(call(dir, lines(10_000))).toEqual({ ...quiet, code: 3 });
      const deaf = `trap '' PIPE; exec ${shell.join(" ")} hooks/post-receive`;
      expect(run(["dash", "-c", deaf], { cwd: dir, env, input: lines(10_000) })).toEqual({ ...quiet, code: 3 });
    });

    test.each(["post-receive", "post-checkout"])(
      "gives it as %s the directory, umask, descriptors and environment that git gave",
      (hook) => {
        const { dir, home } = make([hook]);
        const work = join(folder, `${count} work`);
        fs.mkdirSync(work);
        const probe = join(dir, "hooks/gatepost/chained", hook);
        chain(
          dir,
          `#!/bin/dash\npwd -P\numask\nset +o | grep -v nolog\nls /proc/$$/fd\ncat /proc/$$/environ | tr '\\0' '\\n' | sort\n`,
          hook,
        );
        const options = {
          cwd: work,
          env: { ...env, GIT_DIR: dir, GL_USER: "alice", gp_line: "x", IFS: "q" },
          input: lines(2),
        };
        const prefix = "umask 027; exec 7</dev/null;";
        const direct = run(["dash", "-c", `${prefix} exec '${probe}'`], options);
        const chained = run(["dash", "-c", `${prefix} exec ${shell.join(" ")} '${dir}/hooks/${hook}'`], options);
        // A shell exports PWD, and bash some more; a hook that is a shell script does the same to its own children.
        const own = /^(PWD|OLDPWD|SHLVL|_|gp_line)=.*\n/gm;
        expect(direct.stdout).toContain("0027");
        expect(chained.stdout.replace(own, "")).toBe(direct.stdout.replace(own, ""));
        expect(chained.stdout).not.toMatch(/^PWD=(?!.* work$)/m);
        expect(entries(home)).toHaveLength(1);
      },
    );

    test("runs it also where there is no home, or no spool to write to", () => {
      const { dir, home } = make();
      chain(dir, "#!/bin/sh\ncat\nexit 5\n");
      fs.rmdirSync(join(home, "spool"));
      const unwritable = call(dir, lines(2));
      expect(unwritable).toMatchObject({ code: 5, stdout: lines(2) });
      expect(unwritable.stderr).toMatch(/^gatepost: no entry[^\n]*\n$/);
      fs.rmSync(home, { recursive: true });
      expect(call(dir, lines(2))).toEqual({ code: 5, stdout: lines(2), stderr: "" });
    });

    test("leaves it alone if it is not executable", () => {
      const { dir, home } = make();
      chain(dir, "#!/bin/sh\necho ran\nexit 5\n");
      fs.chmodSync(join(dir, "hooks/gatepost/chained/post-receive"), 0o644);
      expect(call(dir, lines(2))).toEqual(quiet);
      expect(onlyEntry(home).updates).toHaveLength(2);
    });

    test("runs it as post-checkout of files too, with no entry", () => {
      const { dir, home } = make(["post-checkout"]);
      chain(dir, '#!/bin/sh\necho "$3"\ncat\nexit 9\n', "post-checkout");
      const argv = [...shell, "hooks/post-checkout", "a", "a", "0"];
      expect(run(argv, { cwd: dir, env, input: lines(2) })).toEqual({ code: 9, stdout: `0\n${lines(2)}`, stderr: "" });
      expect(entries(home)).toEqual([]);
    });

    test.each(["post-rewrite", "post-checkout"])("as %s passes stdin, arguments and exit code on", (hook) => {
      const { dir, home } = make([hook]);
      chain(dir, '#!/bin/sh\necho "$#$2"\ncat\nexit 9\n', hook);
      expect(call(dir, lines(150), {}, hook)).toEqual({ code: 9, stdout: `3two words\n${lines(150)}`, stderr: "" });
      expect(onlyEntry(home)).toMatchObject({ kind: "work", hook });
    });
  });

  // Stays until the file `go` is there, so a push that waited for it would never end.
  const backoffice = `#!/bin/sh
home=$4
{ printf '%s\\n' "$*"; pwd; umask; } >"$home/started"
tr '\\0' '\\n' </proc/$$/environ >"$home/environ"
sed 's/.*) //' /proc/$$/stat | cut -d ' ' -f 3,4 >"$home/session"
echo $$ >"$home/pid.new"
mv "$home/pid.new" "$home/pid"
while [ ! -e "$home/go" ]; do sleep 0.05; done
: >"$home/gone"
`;
  const idle = (text?: string) => {
    const made = make(undefined, text);
    fs.rmSync(join(made.home, "daemon.pid"));
    writeProgram(join(made.home, "bin/gatepost"), backoffice);
    return made;
  };
  const held = (pid: string) => {
    const open = `/proc/${pid}/fd`;
    const numbers = fs.readdirSync(open).filter((fd) => fs.existsSync(join(open, fd)) || pid !== "self");
    return numbers.map((fd) => `${fd} ${fs.readlinkSync(join(open, fd))}`);
  };
  const finish = async (home: string) => {
    fs.writeFileSync(join(home, "go"), "");
    await appears(join(home, "gone"));
  };
  // A start that must not be would have left its time behind before the shim ended.
  const expectNoStart = (home: string) => expect(fs.existsSync(join(home, "starting"))).toBe(false);

  describe("where no backoffice is alive", () => {
    test("starts one that holds nothing of the push", async () => {
      const { dir, home } = idle();
      const more = {
        ...{ GIT_QUARANTINE_PATH: "q", GIT_OBJECT_DIRECTORY: "o", GIT_ALTERNATE_OBJECT_DIRECTORIES: "a" },
        ...{ GIT_PUSH_OPTION_COUNT: "1", GIT_PUSH_OPTION_0: "x\nexport GIT_FAKE=1\nexport HOME=2", GIT_NAMESPACE: "n" },
        ...{
          GL_USER: "alice",
          REMOTE_USER: "alice",
          SSH_CONNECTION: "192.0.2.1 1 2 3",
          KEPT: "as\nGIT_it is\nexport GIT_b c",
        },
      };
      const script = `umask 027; exec 3</dev/zero 9</dev/zero; ${shell.join(" ")} hooks/post-receive; exit $?`;
      expect(run(["dash", "-c", script], { cwd: dir, env: { ...env, ...more }, input: lines(1) })).toEqual(quiet);
      expect(onlyEntry(home).updates).toHaveLength(1);
      const pid = (await appears(join(home, "pid"))).trim();
      expect(fs.readFileSync(join(home, "started"), "utf8")).toBe(`backoffice --automatic --home ${home}\n/\n0027\n`);
      const inherited = held("self").filter((link) => /^\d\d/.test(link));
      const own = held(pid).filter((link) => !inherited.includes(link) && !link.endsWith("bin/gatepost"));
      expect(own).toEqual(["0 /dev/null", "1 /dev/null", "2 /dev/null"]);
      const environ = fs.readFileSync(join(home, "environ"), "utf8");
      expect(environ).toContain("KEPT=as\nGIT_it is\nexport GIT_b c\n");
      expect(environ).toContain(`HOME=${folder}\n`);
      expect(environ).not.toMatch(/^(GIT_|GL_|REMOTE_|SSH_)\w*=/m);
      if (installed("setsid")) expect(fs.readFileSync(join(home, "session"), "utf8")).toBe(`${pid} ${pid}\n`);
      await finish(home);
    });

    test("starts one from a chained push too, and without holding it", async () => {
      const { dir, home } = idle();
      chain(dir, "#!/bin/sh\ncat\n");
      expect(call(dir, lines(2))).toEqual({ ...quiet, stdout: lines(2) });
      await appears(join(home, "pid"));
      await finish(home);
    });

    test("starts one also without setsid", async () => {
      const { dir, home } = idle(shimText.replace("command -v setsid", "command -v no-such-program"));
      expect(call(dir, lines(1))).toEqual(quiet);
      await appears(join(home, "pid"));
      await finish(home);
    });

    test("starts none where that was switched off", () => {
      const { dir, home } = idle();
      fs.writeFileSync(join(home, "manual"), "");
      expect(call(dir, lines(1))).toEqual(quiet);
      expectNoStart(home);
    });

    test.skipIf(process.getuid?.() !== 0)("starts none for a pusher who does not own the home", () => {
      const { dir, home } = idle();
      fs.chownSync(home, 12345, 12345);
      expect(call(dir, lines(1))).toEqual(quiet);
      expectNoStart(home);
    });

    test("says so if there is no program to start, each time", () => {
      const { dir, home } = idle();
      fs.rmSync(join(home, "bin/gatepost"));
      for (let i = 0; i < 2; i += 1) {
        const outcome = call(dir, lines(1));
        expect(outcome).toMatchObject({ code: 0, stdout: "" });
        expect(outcome.stderr).toMatch(/^gatepost: no backoffice[^\n]*\n$/);
      }
    });
  });

  describe("judges whether a backoffice is alive", () => {
    test.each<[string, () => string, boolean]>([
      ["alive if process and start time agree", () => `${process.pid} ${startTime()}\n`, false],
      ["not alive if the id was used again", () => `${process.pid} 1${startTime()}\n`, true],
      ["not alive if there is no such process", () => "4194999 100\n", true],
      ["not alive if the file is damaged", () => "../self 1\n", true],
    ])("%s", async (_, text, starts) => {
      const { dir, home } = idle();
      fs.writeFileSync(join(home, "daemon.pid"), text());
      expect(call(dir, lines(1))).toEqual(quiet);
      if (!starts) return expectNoStart(home);
      await appears(join(home, "pid"));
      await finish(home);
    });

    test("by the fields behind the program's name, which may look like any of them", async () => {
      const { dir, home } = idle();
      const child = spawn("dash", ["-c", "printf ') R 1 (' >/proc/$$/comm; echo; read line"], {
        stdio: ["pipe", "pipe", "ignore"],
      });
      await once(child.stdout, "data");
      fs.writeFileSync(join(home, "daemon.pid"), `${child.pid} ${startTime(child.pid)}\n`);
      expect(call(dir, lines(1))).toEqual(quiet);
      expectNoStart(home);
      child.stdin.end();
      await once(child, "exit");
    });

    test("not alive if it is a zombie", async () => {
      const { dir, home } = idle();
      // A shell starts a child and becomes cat, which never asks how a child ended; then the child is let go.
      const script = "(read line <&3) & echo $!; exec cat 3<&-";
      const parent = spawn("dash", ["-c", script], { stdio: ["pipe", "pipe", "ignore", "pipe"] });
      const pid = Number(String((await once(parent.stdout as Readable, "data"))[0]).trim());
      parent.stdin?.write("are you cat?");
      await once(parent.stdout as Readable, "data");
      (parent.stdio[3] as Writable).end();
      while (!fs.readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ")) await new Promise(setImmediate);
      fs.writeFileSync(join(home, "daemon.pid"), `${pid} ${startTime(pid)}\n`);
      expect(call(dir, lines(1))).toEqual(quiet);
      await appears(join(home, "pid"));
      await finish(home);
      parent.stdin?.end();
      await once(parent, "exit");
    });

    test("by a signal where there is no /proc", async () => {
      const { dir, home } = idle(shimText.replaceAll("/proc/", "/nowhere/"));
      fs.writeFileSync(join(home, "daemon.pid"), `${process.pid} 0\n`);
      expect(call(dir, lines(1))).toEqual(quiet);
      expectNoStart(home);
      fs.writeFileSync(join(home, "daemon.pid"), "4194999 0\n");
      expect(call(dir, lines(1))).toEqual(quiet);
      await appears(join(home, "pid"));
      await finish(home);
    });
  });
});
