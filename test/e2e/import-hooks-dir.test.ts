/** The files of a hooks folder as hooks. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { importing } from "./import-fixture.ts";

const world = makeWorld();
afterAll(() => world.remove());

describe("hook import --from hooks-dir", () => {
  it("refuses without --take, since the file would run too; with it the file is renamed and the hook runs once", () => {
    const app = importing(world, "once");
    app.write(".git/hooks/pre-commit", '#!/bin/sh -e\necho "once 100%F %%" >>"$LOG"\n');
    app.write(".git/hooks/commit-msg", '#!/usr/bin/env bash\necho "bash ${BASH_VERSION:+yes} $1" >>"$LOG"\n');
    app.write(".git/hooks/pre-push.sample", "#!/bin/sh\nexit 1\n");
    const theirs = app.commit();
    expect(theirs.log).toEqual(["once 100%F %%", "bash yes .git/COMMIT_EDITMSG"]);
    expect(app.run("hooks-dir")).toEqual({
      stdout: "",
      stderr:
        "gatepost: The hook files commit-msg, pre-commit would run as well. Nothing was imported.\n" +
        "With --move they go into the database, and uninstall puts them back. " +
        "With --take they are renamed to NAME.imported-by-gatepost.\n",
      code: 2,
    });
    expect(app.plan("hooks-dir").hooks.map(({ command }) => command)).toEqual([
      '%R/hooks/gatepost/imported/commit-msg "$@"',
      'set -e\necho "once 100%%F %%%" >>"$LOG"',
    ]);
    const hooks = join(app.root, ".git", "hooks");
    const { code, stderr } = app.run("hooks-dir", "--take");
    expect([code, stderr]).toEqual([0, expect.stringContaining(join(hooks, "commit-msg.imported-by-gatepost"))]);
    expect(app.commit().log).toEqual(theirs.log);
    expect(fs.readFileSync(join(hooks, "pre-commit.imported-by-gatepost"), "utf8")).toContain("#!/bin/sh -e");
  });

  it("takes hooks that Gatepost's own shims run for their owner", () => {
    const app = importing(world, "chained");
    app.write(".git/hooks/pre-commit", '#!/bin/sh\necho theirs >>"$LOG"\n');
    expect(app.hook("add", "--type", "before-commit", "--command", 'echo ours >>"$LOG"').code).toBe(0);
    expect(app.commit().log).toEqual(["theirs", "ours"]);
    expect(app.run("hooks-dir", "--take").code).toBe(0);
    expect(app.commit().log.sort()).toEqual(["ours", "theirs"]);
    expect(fs.existsSync(join(app.root, ".git/hooks/pre-commit.imported-by-gatepost"))).toBe(true);
  });

  it("leaves what is no hook, what is linked, and what looks for files beside itself", () => {
    const app = importing(world, "left");
    app.write("lib/hook", "#!/bin/sh\nexit 0\n");
    fs.symlinkSync("../../lib/hook", join(app.root, ".git/hooks/pre-push"));
    app.write(".git/hooks/pre-rebase", "exit 0\n");
    app.write(".git/hooks/fsmonitor-watchman", "#!/bin/sh\nexit 0\n");
    app.write(".git/hooks/commit-msg", '#!/bin/sh\n. "$(dirname "$0")/lib.sh"\n');
    app.write(".git/hooks/pre-commit", "#!/usr/bin/python3\nprint(__file__)\n");
    const { hooks, left } = app.plan("hooks-dir");
    expect(hooks).toEqual([]);
    expect(left.map(({ what }) => what)).toEqual([
      "commit-msg",
      "fsmonitor-watchman",
      "pre-commit",
      "pre-push",
      "pre-rebase",
    ]);
    expect(app.run("hooks-dir", "--take").stderr).toContain("Nothing was added.\n");
    expect(fs.readdirSync(join(app.root, ".git/hooks")).filter((name) => name.includes("imported"))).toEqual([]);
  });

  it("reads another folder without taking anything from it", () => {
    const app = importing(world, "other");
    app.write("hooks/pre-push", "#!/bin/sh\ncat\n");
    const { code, stderr } = app.run("hooks-dir", join(app.root, "hooks"));
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/^hook 1 \(pre-push\) added: before-push, sequence 10\n/),
    ]);
    expect(fs.existsSync(join(app.root, "hooks/pre-push"))).toBe(true);
  });

  it("imports into a bare repository too, where other sources have nothing to read", () => {
    const bare = world.bare();
    fs.writeFileSync(join(bare, "hooks/post-receive"), "#!/bin/sh\ncat >>seen\n", { mode: 0o755 });
    expect(world.gatepost(["init", bare]).code).toBe(0);
    const run = (...args: string[]) => world.gatepost(["hook", "import", "-R", bare, "--from", ...args]);
    expect(JSON.parse(run("hooks-dir", "--dry-run", "--json").stdout).hooks).toEqual([
      {
        ...{ name: "post-receive", repository: "app.git", type: "after-receive", sequence: 10 },
        ...{ command: "cat >>seen", stdin: "updates", each: "receipt" },
      },
    ]);
    expect(run("lefthook")).toMatchObject({ code: 2, stderr: expect.stringContaining("has no work tree") });
  });
});

describe("hook import", () => {
  it("wants a file or a manager, and shows with --dry-run what a file would add", () => {
    const app = importing(world, "dry");
    expect(app.hook("import")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Name a file, or another manager"),
    });
    app.write(
      "hooks.json",
      '{"gatepost": 1, "hooks": [{"type": "pre-commit", "command": "a\\nb \\u001b[0m", "path": ["x", "y"]}]}',
    );
    expect(app.hook("import", "--dry-run", "hooks.json")).toEqual({
      stdout: "would add a hook: before-commit, sequence 10\n    path: x\n    path: y\n    a\n    b \\x1b[0m\n",
      stderr: "",
      code: 0,
    });
    expect(app.hook("list", "--json").stdout).not.toContain("before-commit");
  });

  it("refuses text that is not UTF-8 rather than store another", () => {
    const app = importing(world, "bytes");
    app.write(".husky/pre-commit", "");
    fs.writeFileSync(join(app.root, ".husky/pre-commit"), Buffer.from("echo \xe9\n", "latin1"));
    expect(app.run("husky")).toMatchObject({ code: 2, stderr: expect.stringContaining("is not UTF-8") });
    app.write(".git/hooks/pre-push", "#!/bin/sh\n");
    fs.writeFileSync(join(app.root, ".git/hooks/pre-push"), Buffer.from("#!/bin/sh\necho \xe9\n", "latin1"));
    expect(app.plan("hooks-dir").hooks).toMatchObject([{ command: '%R/hooks/gatepost/imported/pre-push "$@"' }]);
  });

  it("gives names that are taken a number", () => {
    const app = importing(world, "names");
    for (const text of ["true", "false"]) {
      app.write(".husky/pre-commit", `${text}\n`);
      expect(app.run("husky").code).toBe(0);
    }
    app.write(".husky/pre-commit", "exit 3\n");
    expect(app.plan("husky").hooks).toMatchObject([{ name: "husky-pre-commit-3" }]);
  });

  it("does not add once more what is there", () => {
    const app = importing(world, "twice");
    app.write(".husky/pre-commit", "true\n");
    expect(app.run("husky").code).toBe(0);
    expect(app.plan("husky")).toMatchObject({ hooks: [], left: [{ why: "hook 1 does the same already" }] });
  });
});
