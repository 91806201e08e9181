/** Gates on Fossil, asked by the real fossil. Where Fossil itself fails, the same is shown with its own hook first. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type FossilGated, fossilGated } from "../helpers/fossil-gated.ts";

let open: FossilGated[] = [];
const make = (...given: Parameters<typeof fossilGated>): FossilGated => {
  const made = fossilGated(...given);
  open.push(made);
  return made;
};
afterEach(() => {
  for (const { world } of open) world.remove();
  open = [];
});

const read = (it: FossilGated, name: string): string => fs.readFileSync(it.world.at(name), "utf8");

describe("a before-commit hook", () => {
  it("that passes lets fossil commit, and its run is listed", () => {
    const x = make();
    x.hook("echo checked", "--name", "lint");
    const { code, stdout } = x.commit();
    expect({ code, count: x.count() }).toEqual({ code: 0, count: 2 });
    expect(stdout).toMatch(/^checked\nNew_Version: /);
    expect(x.gatepost(["runs"]).stdout).toMatch(/a-1 .*r\.fossil +lint +commit on trunk by alice .* ok/);
  });

  it("that refuses stops the commit, says how to get round it, and leaves no file behind", () => {
    const x = make();
    x.hook("exit 7", "--name", "lint");
    x.hook("echo never");
    const { code, stdout, stderr } = x.commit();
    expect(code).toBe(1);
    expect(stdout).not.toContain("never");
    expect(stderr).toBe(
      "gatepost: before-commit hook 1 (lint) refused this commit. Not run: hook 2. " +
        "Skip this one: GATEPOST_SKIP=lint fossil commit …\nBefore-commit hook failed\n\n",
    );
    expect({ count: x.count(), extras: x.extras() }).toEqual({ count: 1, extras: [] });
    expect(x.commit(["-m", "skipped"], { env: { GATEPOST_SKIP: "lint" } }).stdout).toContain("never\n");
    expect(x.gatepost(["runs"]).stdout).toMatch(/refused \(exit 7\)/);
  });

  it("is gone past by fossil commit --no-verify", () => {
    const x = make();
    x.hook("exit 1");
    expect(x.commit(["-m", "m", "--no-verify"]).code).toBe(0);
    expect(x.count()).toBe(2);
  });

  it("may rewrite what is being committed", () => {
    const x = make();
    x.hook("echo tidied >a");
    expect(x.commit().code).toBe(0);
    expect(x.fossil(["cat", "a", "-r", "current"]).stdout).toBe("tidied\n");
  });

  it("runs in the root of the check-out, wherever the user stands", () => {
    const x = make();
    fs.mkdirSync(join(x.checkout, "sub", "deep"), { recursive: true });
    x.hook('pwd; test -f .fslckout && test "$PWD" = "$(pwd -P)"');
    const { stdout, code } = x.commit(["-m", "m"], { cwd: join(x.checkout, "sub", "deep") });
    expect({ code, first: stdout.split("\n")[0] }).toEqual({ code: 0, first: x.checkout });
  });

  it("is traced as elsewhere", () => {
    const x = make();
    x.hook("true", "--name", "lint");
    const { stderr } = x.commit(["-m", "m"], { env: { GATEPOST_TRACE: "1" } });
    expect(stderr).toMatch(
      /^gatepost: before-commit hook 1 \(lint\): true\ngatepost: before-commit hook 1 \(lint\): exit 0, \d+ ms\n$/,
    );
  });

  it("is told of the commit by its environment", () => {
    const x = make();
    x.hook('echo "$GATEPOST_KIND|$GATEPOST_REPOSITORY|$GATEPOST_USER|$GATEPOST_TYPE|$GATEPOST_BRANCH|$GATEPOST_CLOSE"');
    x.hook("! env | grep -q _gatepost_");
    expect(x.commit(["-m", "m", "--user-override", "bob"]).stdout.split("\n")[0]).toBe(
      `fossil|${x.file}|bob|before-commit|trunk|`,
    );
    expect(x.commit(["-m", "-close --close", "--close"]).stdout.split("\n")[0]).toMatch(/\|trunk\|1$/);
  });
});

describe("defects of Fossil's own hooks that are none here", () => {
  it("Fossil's D7: hooks run in the order of their sequence as numbers", () => {
    const x = make();
    x.fossil(["hook", "add", "--type", "before-commit", "--command", "echo own 9", "--sequence", "9"]);
    x.fossil(["hook", "add", "--type", "before-commit", "--command", "echo own 10", "--sequence", "10"]);
    expect(x.commit().stdout).toMatch(/^own 10\nown 9\n/);
    x.fossil(["hook", "delete", "all"]);
    x.hook("echo ten", "--sequence", "10");
    x.hook("echo nine", "--sequence", "9");
    x.hook("echo minus", "--sequence", "-1");
    expect(x.commit().stdout).toMatch(/^minus\nnine\nten\n/);
  });

  it("Fossil's D12: a check-out's path may hold what it likes", () => {
    const x = make({ checkout: 'it\'s a "$HOME" `id`; x' });
    x.fossil(["hook", "add", "--type", "before-commit", "--command", "cat %A"]);
    expect(x.commit().code).not.toBe(0);
    x.fossil(["hook", "delete", "all"]);
    for (const left of x.extras()) fs.rmSync(join(x.checkout, left));
    x.hook("head -n 1 %A; ls commit-description-*");
    const { code, stdout } = x.commit();
    expect(code).toBe(0);
    expect(stdout).toMatch(/^commit-description-[0-9a-f]{16}\.txt\n/m);
    expect(stdout.split("\n")[0]).toBe(`checkout ${x.checkout}/`);
  });

  it("Fossil's D13: any shell line works", () => {
    const x = make();
    x.fossil(["hook", "add", "--type", "before-commit", "--command", "echo a; echo b"]);
    expect(x.commit().code).not.toBe(0);
    x.fossil(["hook", "delete", "all"]);
    for (const left of x.extras()) fs.rmSync(join(x.checkout, left));
    x.hook('echo a; echo b | cat && echo "$HOME" `echo c` &\nwait');
    expect(x.commit().stdout).toContain(`a\nb\n${x.world.env["HOME"]} c\n`);
  });

  it("Fossil's D14: the description has the true branch, and the rest is Fossil's byte for byte", () => {
    const x = make();
    x.fossil(["hook", "add", "--type", "before-commit", "--command", "cp %A ../fossils"]);
    x.hook('cp %A ../ours; echo "$GATEPOST_BRANCH $GATEPOST_PARENT" >../told');
    const said = (args: readonly string[]): { fossil: string; ours: string; told: string } => {
      const parent = /artifact: +(\w+)/.exec(x.fossil(["whatis", "current"]).stdout)?.[1] ?? "";
      expect(x.commit(args).code).toBe(0);
      const told = read(x, "told").trim();
      expect(told.split(" ").at(-1)).toBe(parent);
      return { fossil: read(x, "fossils"), ours: read(x, "ours"), told: told.slice(0, -parent.length - 1) };
    };
    const same = (args: readonly string[], branch: string): void => {
      const { fossil, ours, told } = said(args);
      expect({ ours, told }).toEqual({ ours: fossil, told: branch });
    };
    const mended = (args: readonly string[], branch: string): void => {
      const { fossil, ours, told } = said(args);
      expect(fossil).toContain("\nbranch trunk\n");
      expect({ ours, told }).toEqual({
        ours: fossil.replace("\nbranch trunk\n", `\nbranch ${branch}\n`),
        told: branch,
      });
    };
    same(["-m", "on trunk, --branch x"], "trunk");
    same(["-m", "with a tag", "--tag", "v1"], "trunk");
    same(["-m", "tagged parent"], "trunk");
    same(["-m", "new branch", "--branch", "feat x"], "feat x");
    mended(["-m", "line\nbranch trunk\n\nmore"], "feat x");
    mended(["-m", "looks like --branch and -b", "--tag", "v2"], "feat x");
    mended(["-m", "of a parent with two tags"], "feat x");
    same(["-m", "another", "-b", "b2"], "b2");
    mended(["-m", "-branch"], "b2");
  });
});

describe("the entry in the hook list", () => {
  it("stands there while hooks do, beside others that stay as they are, byte for byte", () => {
    const x = make();
    const others =
      '[{"cmd":"echo \\u0041","type":"before-commit","seq":3}, {"type":"after-receive","cmd":"cat >/dev/null","seq":"x"}]';
    x.fossil(["settings", "hooks", others]);
    const text = (): string =>
      x
        .fossil(["sql", "-R", x.file, ".mode list", "SELECT value FROM config WHERE name='hooks'"], {
          cwd: x.world.dir,
        })
        .stdout.trim();
    const before = text();
    x.hook("true");
    expect(x.list()).toHaveLength(3);
    expect(x.list().at(-1)?.cmd).toMatch(
      /^_gatepost_home='\S+' _gatepost_key= _gatepost_repository= _gatepost_hook=before-commit _gatepost_named= eval '/,
    );
    x.hook("true", "--sequence", "5");
    expect(x.list()).toHaveLength(3);
    expect(x.commit().stdout).toMatch(/^A\n/);
    x.gatepost(["hook", "disable", "1"]);
    expect(x.list()).toHaveLength(3);
    x.gatepost(["hook", "delete", "2"]);
    expect(text().replaceAll(" ", "")).toBe(before.replaceAll(" ", ""));
    x.gatepost(["hook", "enable", "1"]);
    expect(x.list()).toHaveLength(3);
    expect(x.gatepost(["uninstall"]).stdout).toContain("r.fossil: taken out: the entry in its hook list");
    expect(text().replaceAll(" ", "")).toBe(before.replaceAll(" ", ""));
    expect(fs.existsSync(join(x.home, "shim"))).toBe(false);
    expect(x.commit().code).toBe(0);
    expect(x.gatepost(["init", x.file]).code).toBe(0);
    expect(x.list()).toHaveLength(3);
  });

  it("that somebody took out is missed by doctor, which puts it back", () => {
    const x = make();
    x.hook("exit 8");
    x.fossil(["hook", "delete", "all"]);
    expect(x.commit().code).toBe(0);
    const { code, stdout } = x.gatepost(["doctor"]);
    expect(code).toBe(1);
    expect(stdout).toContain(`Fossil asks no gate of ${x.file}`);
    x.gatepost(["doctor", "--fix"]);
    expect(x.list()).toHaveLength(1);
    expect(x.commit().code).toBe(1);
    fs.appendFileSync(join(x.home, "shim", "fossil"), "# older");
    expect(x.gatepost(["doctor"]).code).toBe(1);
    expect(x.gatepost(["doctor", "--fix"]).code).toBe(0);
    expect(x.gatepost(["doctor"]).code).toBe(0);
  });

  it("is put in later where there was no fossil to do it, and whoever added the hook is told", () => {
    const x = make();
    const env = { PATH: x.world.at("bin") };
    fs.mkdirSync(env.PATH);
    for (const name of ["node", "sh"])
      fs.symlinkSync(x.world.run(["sh", "-c", `command -v ${name}`]).stdout.trim(), join(env.PATH, name));
    const { code, stderr } = x.gatepost(["hook", "add", "--type", "before-commit", "--command", "exit 8"], { env });
    expect(code).toBe(3);
    expect(stderr).toContain("There is no fossil program");
    expect(stderr).toContain("What was asked for is stored; fossil does not know of it.");
    expect(x.list()).toEqual([]);
    x.hook("true");
    expect(x.list()).toHaveLength(1);
    expect(x.commit().code).toBe(1);
  });

  it("refuses where the home is gone, and says what to do", () => {
    const x = make();
    x.hook("true");
    fs.rmSync(x.home, { recursive: true });
    const { code, stderr } = x.commit();
    expect(code).toBe(1);
    expect(stderr).toBe(
      `gatepost: its home ${x.home} is missing, or not for this user to read. Mend it: gatepost init FILE. ` +
        "Way round: fossil commit --no-verify\nBefore-commit hook failed\n\n",
    );
    expect(x.count()).toBe(1);
  });

  it("refuses where the compiled file, or the rest of the runtime, is gone", () => {
    const x = make();
    x.hook("exit 3");
    fs.rmSync(join(x.home, "shim", "gate.sh"));
    expect(x.commit()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is missing, not complete or of another version"),
    });
    x.gatepost(["hook", "edit", "1", "--command", "true"]);
    expect(x.commit().code).toBe(0);
    fs.rmSync(join(x.home, "gates", "before-commit"));
    expect(x.commit()).toMatchObject({ code: 1, stderr: expect.stringContaining("its compiled file is missing") });
    expect(x.count()).toBe(2);
  });

  it("of a home that others share names the repository, whatever its path", () => {
    const x = make({ args: (world) => ["--home", world.at("it's %A 100% home")] });
    x.hook("echo of $GATEPOST_REPOSITORY; exit 4");
    expect(x.list()[0]?.cmd).toContain("_gatepost_key=1 ");
    const { code, stdout } = x.commit();
    expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringContaining(`of ${x.file}\n`) });
    expect(x.gatepost(["runs"]).stdout).toMatch(/refused \(exit 4\)/);
  });
});

describe("options of hooks on Fossil", () => {
  it("--path runs a hook only where the commit touches such a path", () => {
    const x = make();
    x.hook("echo of src", "--path", "src/*.c", "--path", ":!src/gen*");
    fs.mkdirSync(join(x.checkout, "src"));
    x.fossil(["rm", "nothing"]);
    expect(x.commit().stdout).not.toContain("of src");
    x.change("src/gen b.c");
    expect(x.commit().stdout).not.toContain("of src");
    x.change("src/b c.c");
    expect(x.commit().stdout).toContain("of src");
    x.fossil(["mv", "--hard", "src/b c.c", "other"]);
    x.fossil(["rm", "--hard", "src/gen b.c"]);
    expect(x.commit().stdout).not.toContain("of src"); // 2.21 names the new path alone
    expect(x.commit(["-m", "x", "--no-verify"]).code).toBe(0);
  });

  it("--stdin paths lists what is committed, without what is deleted, and leaves the hook out where nothing is", () => {
    const x = make();
    fs.mkdirSync(join(x.checkout, "d"));
    x.change("gone");
    x.change("old name");
    x.change("d/edited it");
    x.commit();
    x.hook("tr '\\0' '\\n' >../paths", "--stdin", "paths");
    x.hook("tr '\\0' '\\n' >../../below", "--stdin", "paths", "--dir", "d", "--timeout", "30");
    x.change("d/edited it");
    x.fossil(["rm", "--hard", "gone"]);
    x.fossil(["mv", "--hard", "old name", "new  name"]);
    expect(x.commit().code).toBe(0);
    expect(read(x, "paths").split("\n").sort()).toEqual(["", "a", "d/edited it", "new  name"]);
    expect(read(x, "below")).toBe("edited it\n");
    x.fossil(["rm", "--hard", "a"]);
    fs.rmSync(x.world.at("paths"));
    expect(x.fossil(["commit", "-m", "deletes"]).code).toBe(0);
    expect(fs.existsSync(x.world.at("paths"))).toBe(false);
    x.change("b");
    x.change("c");
    expect(x.fossil(["commit", "-m", "one of two", "b"]).code).toBe(0);
    expect(read(x, "paths")).toBe("b\n");
  });

  it("--timeout, --advisory, --parallel and --ref do what they do elsewhere", () => {
    const x = make();
    x.hook("sleep 600", "--timeout", "0.3", "--advisory");
    x.hook("echo one", "--parallel");
    x.hook("echo two; exit 2", "--parallel", "--advisory");
    x.hook("exit 9", "--ref", "release");
    expect(x.commit()).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/hook 1 failed: ended after 0\.3 s .*\none\ntwo\n.*hook 3 failed: exit 2/s),
    });
    expect(x.commit(["-m", "m", "--branch", "release"]).code).toBe(1);
  });

  it("a path that sh cannot match is told of when the hook is added", () => {
    const x = make();
    const { stderr } = x.gatepost([
      "hook",
      "add",
      "--type",
      "before-commit",
      "--command",
      "echo ran",
      "--path",
      ":(icase)A",
    ]);
    expect(stderr).toContain("sh cannot match this --path: the hook runs at each commit.");
    expect(x.commit().stdout).toContain("ran\n");
    x.gatepost(["hook", "edit", "1", "--stdin", "paths"]);
    expect(x.commit()).toMatchObject({ code: 1, stderr: expect.stringContaining("sh cannot match its --path") });
  });
});
