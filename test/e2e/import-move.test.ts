/** Hook files that go into the database, and come back. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeWorld, type Outcome, program, until } from "../helpers/cli.ts";

const world = makeWorld();
afterAll(() => world.remove());

const NATIVES = ["post-receive", "pre-receive", "update"];

type Site = {
  bare: string;
  hooks: string;
  clone: string;
  log: string;
  write(name: string, text: string, mode?: number): void;
  push(message: string, ...options: string[]): Outcome;
  move(...args: string[]): Outcome;
  pass(): void;
  uninstall(...args: string[]): Outcome;
  lines(): string[];
};

/** A served repository; `scripts` makes the files that stand in its hooks folder before. */
function site(name: string, scripts: (log: string) => Record<string, string> = () => ({})): Site {
  const bare = world.bare(`${name}.git`);
  const clone = world.clone(bare, name);
  const log = world.at(`${name}.log`);
  const hooks = join(bare, "hooks");
  world.git(["config", "receive.advertisePushOptions", "true"], { cwd: bare });
  for (const [file, text] of Object.entries(scripts(log))) fs.writeFileSync(join(hooks, file), text, { mode: 0o755 });
  expect(world.gatepost(["init", bare]).code).toBe(0);
  expect(world.gatepost(["settings", "automatic-backoffice", "off", "-R", bare]).code).toBe(0);
  return {
    ...{ bare, hooks, clone, log },
    write: (file, text, mode = 0o755) => {
      fs.rmSync(join(hooks, file), { force: true });
      fs.writeFileSync(join(hooks, file), text);
      fs.chmodSync(join(hooks, file), mode);
    },
    push(message, ...options) {
      world.commit(clone, {}, message);
      const env = { GL_USER: "alice", GL_REPO: "app", REMOTE_USER: "al", SSH_CONNECTION: "10.0.0.1 1 10.0.0.2 22" };
      const to = ["git", "push", ...options.map((one) => `--push-option=${one}`), "origin", "HEAD:refs/heads/main"];
      return world.run(to, { cwd: clone, env });
    },
    move: (...args) => world.gatepost(["hook", "import", "--from", "hooks-dir", "--move", "-R", bare, ...args]),
    pass: () => expect(world.gatepost(["backoffice", bare]).code).toBe(0),
    uninstall: (...args) => world.gatepost(["uninstall", "-R", bare, ...args]),
    lines: () => (fs.existsSync(log) ? fs.readFileSync(log, "utf8").trimEnd().split("\n") : []),
  };
}

/** A script that notes each commit that it is asked for, once for each time. */
const noting = (native: string, log: string): string =>
  native === "update"
    ? `#!/bin/sh\necho "update $3" >>${log}\n`
    : `#!/bin/sh\nwhile read -r old new ref; do echo "${native} $new" >>${log}; done\n`;

const allNoting = (log: string): Record<string, string> =>
  Object.fromEntries(NATIVES.map((native) => [native, noting(native, log)]));

/** How often each script ran for a commit. */
const times = ({ lines }: Site, commit: string): number[] =>
  NATIVES.map((native) => lines().filter((line) => line === `${native} ${commit}`).length);

/** What stands in a hooks folder: the name, mode and text of each file, and where links lead. */
const standing = (hooks: string): string[] =>
  fs
    .readdirSync(hooks)
    .filter((name) => !name.endsWith(".sample"))
    .sort()
    .map((name) => {
      const stat = fs.lstatSync(join(hooks, name));
      if (stat.isSymbolicLink()) return `${name} -> ${fs.readlinkSync(join(hooks, name))}`;
      return `${name} ${stat.mode.toString(8)} ${stat.isFile() ? fs.readFileSync(join(hooks, name), "latin1") : "/"}`;
    });

describe("hook import --from hooks-dir --move", () => {
  it("gives the scripts what they had, and says what is different", () => {
    const dump = (native: string, log: string): string =>
      `#!/bin/${native === "update" ? "bash" : "sh"}\n{ echo "args $*"; echo "cwd $PWD"; sed 's/^/stdin /'; env | sort | sed 's/^/env /'; } >${log}.${native}\n`;
    const app = site("same", (log) => Object.fromEntries(NATIVES.map((native) => [native, dump(native, log)])));
    const seen = (native: string): string[] =>
      fs
        .readFileSync(`${app.log}.${native}`, "utf8")
        .replace(/[0-9a-f]{40}/g, "HASH")
        .replace(/tmp_objdir-incoming-\w+/g, "QUARANTINE")
        .split("\n")
        .filter((line) => !/^env (_|SHLVL|OLDPWD|PATH|GIT_TRACE2_PARENT_SID)=/.test(line));
    app.push("first");
    app.push("before", "a b", "c");
    const before = NATIVES.map(seen);
    const dry = app.move("--dry-run");
    expect([dry.code, dry.stderr]).toEqual([0, expect.stringContaining("would move into the database: ")]);
    expect(app.move()).toMatchObject({ code: 0, stderr: expect.stringContaining("no pusher sees it") });
    for (const native of NATIVES) fs.rmSync(`${app.log}.${native}`);
    app.push("after", "a b", "c");
    app.pass();
    const differences = NATIVES.map((native, index) => {
      const [was = [], is] = [before[index], seen(native)];
      return {
        gone: was.filter((line) => !is.includes(line)).map((line) => line.replace(/=.*/, "")),
        more: is.filter((line) => !was.includes(line)).map((line) => line.replace(/=.*/, "")),
      };
    });
    const ours = ["AUX", "HOOK", "KIND", "PROGRAM", "REPOSITORY", "RUN", "TYPE", "USER", "ATTEMPT", "BATCH"]
      .map((name) => `env GATEPOST_${name}`)
      .sort();
    const [post, pre, update] = differences;
    // By what of Git's own a pusher could make it run something else; and objects are what they are called.
    const gone = ["env GIT_CONFIG_GLOBAL", "env GIT_CONFIG_NOSYSTEM", "env GIT_EXEC_PATH"];
    expect(pre).toEqual({ gone, more: [...ours, "env GIT_NO_REPLACE_OBJECTS"] });
    expect(update).toEqual({ gone, more: [...ours, "env GIT_NO_REPLACE_OBJECTS"] });
    expect(post?.more.filter((line) => !ours.includes(line))).toEqual([]);
    // The rest of the pusher's own environment, which a server would not have, stays with the push.
    expect(post?.gone.filter((line) => !/^env (GIT_(AUTHOR|COMMITTER|CONFIG|EXEC_PATH)|XDG|SSH_)/.test(line))).toEqual(
      [],
    );
    expect(post?.gone).not.toContainEqual(expect.stringMatching(/GL_|REMOTE_USER|PUSH_OPTION|GIT_DIR|cwd|stdin|args/));
    const list = JSON.parse(world.gatepost(["hook", "list", "--json", "-R", app.bare]).stdout);
    expect(JSON.stringify(list)).toMatch(
      /"after-receive".*"stdin":"updates".*"each":"receipt"|"each":"receipt".*"stdin":"updates"/,
    );
  });

  it("hands each push to exactly one of file and hook, whoever pushes meanwhile", async () => {
    const app = site("loop", allNoting);
    fs.writeFileSync(
      world.at("loop.sh"),
      `cd ${app.clone}; while [ ! -e ${world.at("stop")} ]; do
      git commit -q --allow-empty -m m && git push -q origin HEAD:refs/heads/main && git rev-parse HEAD >>${world.at("pushed")}
    done`,
    );
    const client = spawn("sh", [world.at("loop.sh")], { env: world.env, stdio: "ignore" });
    const ended = new Promise((resolve) => client.on("close", resolve));
    const pushed = (): string[] =>
      fs.existsSync(world.at("pushed")) ? fs.readFileSync(world.at("pushed"), "utf8").trimEnd().split("\n") : [];
    try {
      await until("three pushes", () => pushed().length >= 3);
      const moved = await world.call(["hook", "import", "--from", "hooks-dir", "--move", "-R", app.bare]);
      expect(moved.code).toBe(0);
      const then = pushed().length;
      await until("three more pushes", () => pushed().length >= then + 3);
    } finally {
      fs.writeFileSync(world.at("stop"), "");
      await ended;
    }
    app.pass();
    expect(pushed().map((commit) => [commit, ...times(app, commit)])).toEqual(
      pushed().map((commit) => [commit, 1, 1, 1]),
    );
  });

  it("hands what waits to nobody twice, and says why", () => {
    const app = site("waits", (log) => ({ "post-receive": noting("post-receive", log) }));
    expect(world.gatepost(["hook", "add", "-R", app.bare, "--type", "after-receive", "--command", "true"]).code).toBe(
      0,
    );
    app.push("waits");
    expect(app.move().code).toBe(0);
    app.push("new");
    app.pass();
    expect(app.lines()).toHaveLength(2);
    expect(new Set(app.lines()).size).toBe(2);
    const runs = world.gatepost(["runs", "--json", "-R", app.bare]).stdout;
    expect(runs).toContain("its push ran the post-receive file that this hook was");
  });

  it("runs one of both for each push, wherever it is killed", () => {
    // Files renamed into place: hooks.json after the transaction, two compiled files, the runtime, two shims.
    for (const at of [1, 3, 5, 6, 99]) {
      const app = site(`dies-${at}`, allNoting);
      const inject = `--inject=/^rename:signal=KILL:when=${at}`;
      const { code } = world.run(
        ["strace", "-f", "-o", "/dev/null", "-e", "trace=/^rename", inject, process.execPath, program].concat([
          "hook",
          "import",
          "--from",
          "hooks-dir",
          "--move",
          "-R",
          app.bare,
        ]),
      );
      expect([at, code === 0]).toEqual([at, at === 99]);
      const heads = ["after the death", "after doctor"].map((how, index) => {
        if (index > 0) world.gatepost(["doctor", "--fix", "-R", app.bare]);
        expect([at, app.push(how).code]).toEqual([at, 0]);
        return world.git(["rev-parse", "HEAD"], { cwd: app.clone });
      });
      app.pass();
      expect([at, ...heads.map((head) => times(app, head))]).toEqual([at, [1, 1, 1], [1, 1, 1]]);
    }
  }, 200_000);

  it("takes scripts that look beside themselves, leaves links and what cannot be told, and says so", () => {
    const app = site("beside");
    app.write("lib.sh", `note() { echo "$1" >>${app.log}; }\n`, 0o644);
    app.write(
      "pre-receive",
      `#!/bin/bash -e\n. "$(dirname "$0")/lib.sh"\nnote "$(basename "$0") \${BASH_VERSION:+bash}"\n`,
    );
    app.write("post-update", `#!/usr/bin/python3\nprint(__file__)\n`);
    app.write("theirs", "#!/bin/sh\nexit 0\n");
    fs.symlinkSync("theirs", join(app.hooks, "update"));
    const { code, stderr } = app.move();
    expect([code, stderr]).toEqual([0, expect.stringContaining("update – it is a symbolic link")]);
    expect(stderr).toContain("post-update – it looks for files beside itself");
    expect(fs.readlinkSync(join(app.hooks, "update"))).toBe("theirs");
    expect(app.push("once").code).toBe(0);
    expect(app.lines()).toEqual(["pre-receive bash"]);
    expect(app.move()).toMatchObject({ code: 0, stderr: expect.stringContaining("Nothing was added") });
  });

  it("refuses a folder that others use, and what is no hooks folder", () => {
    const app = site("common");
    const folder = world.at("everyones");
    fs.mkdirSync(folder);
    fs.writeFileSync(join(folder, "pre-receive"), "#!/bin/sh\n", { mode: 0o755 });
    world.git(["config", "core.hooksPath", folder], { cwd: app.bare });
    expect(app.move()).toMatchObject({ code: 2, stderr: expect.stringContaining("is not this repository's alone") });
    const wrong = ["hook", "import", "--from", "husky", "--move", "-R", app.bare];
    expect(world.gatepost(wrong)).toMatchObject({ code: 2, stderr: expect.stringContaining("Nothing was moved") });
  });
});

describe("uninstall", () => {
  it("puts what was moved back, byte for byte, and the hooks go", () => {
    const app = site("back");
    app.write("pre-receive", "#!/usr/bin/env perl\n# \xe9\nexit 0;\n", 0o750);
    app.write("post-receive", noting("post-receive", app.log), 0o711);
    app.write("update", "#!/bin/sh\nexit 0");
    expect(app.uninstall().code).toBe(0);
    const before = standing(app.hooks);
    expect(app.move(), "where nothing would run them").toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`Take it in again: gatepost init ${app.bare}\n`),
    });
    expect(standing(app.hooks)).toEqual(before);
    expect(world.gatepost(["init", app.bare]).code).toBe(0);
    app.write("post-receive", noting("post-receive", app.log), 0o711);
    expect(app.move()).toMatchObject({ code: 2, stderr: expect.stringContaining("was put over Gatepost's shim") });
    expect(world.gatepost(["doctor", "--fix", "-R", app.bare]).code).toBe(0);
    expect(app.move().code).toBe(0);
    expect(standing(app.hooks)).not.toEqual(before);
    expect(app.push("one").code).toBe(0);
    expect(world.gatepost(["hook", "edit", "update", "-R", app.bare, "--command", "true"]).code).toBe(0);
    expect(app.uninstall().stderr).toContain(
      `hook update, which was edited since, is switched off: gatepost hook list --home ${app.bare}/gatepost`,
    );
    expect(standing(app.hooks)).toEqual(before);
    expect(world.gatepost(["init", app.bare]).code).toBe(0);
    expect(JSON.parse(world.gatepost(["hook", "list", "--json", "-R", app.bare]).stdout)).toMatchObject({
      hooks: [{ name: "update", type: "disabled" }],
    });
    fs.rmSync(app.log, { force: true });
    app.push("two");
    app.pass();
    expect(app.lines()).toHaveLength(1);
  });

  it("keeps a hook that was switched off or deleted from running, until it puts the file back", () => {
    const app = site("off");
    app.write("pre-receive", "#!/bin/sh\nexit 1\n");
    expect(app.push("refused").code).toBe(1);
    expect(app.move().code).toBe(0);
    expect(app.push("refused").code).toBe(1);
    expect(world.gatepost(["hook", "disable", "pre-receive", "-R", app.bare]).code).toBe(0);
    expect(app.push("passes").code).toBe(0);
    expect(world.gatepost(["hook", "delete", "pre-receive", "-R", app.bare]).code).toBe(0);
    expect(app.push("passes").code).toBe(0);
    expect(app.uninstall().code).toBe(0);
    expect(app.push("refused").code).toBe(1);
  });

  it("runs a file that took the place of a moved one, and keeps and names the moved one", () => {
    const app = site("other");
    app.write("pre-receive", noting("pre-receive", app.log));
    expect(app.move().code).toBe(0);
    app.write("pre-receive", `#!/bin/sh\necho other >>${app.log}\n`);
    expect(world.gatepost(["doctor", "--fix", "-R", app.bare]).code).toBe(0);
    expect(app.push("both").code).toBe(0);
    expect(app.lines().sort()).toEqual(["other", expect.stringContaining("pre-receive ")]);
    const { stderr } = app.uninstall();
    expect(stderr).toContain(join(app.hooks, "gatepost/chained/pre-receive.old-1"));
    expect(fs.readFileSync(join(app.hooks, "pre-receive"), "utf8")).toContain("echo other");
    expect(fs.readFileSync(join(app.hooks, "gatepost/chained/pre-receive.old-1"), "utf8")).toBe(
      noting("pre-receive", app.log),
    );
  });
});
