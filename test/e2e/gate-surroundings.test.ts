/**
 * What stands around a gate, the repository's configuration and the environment of a pusher, runs nothing in it. Each
 * test leaves traps that make a file called `canary` if anything runs them. The numbers are the rows of the fault
 * catalogue; git, its shell and the gates are the real ones.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Stand } from "../gate/stand.ts";
import type { World } from "../helpers/cli.ts";
import { filesNamed, gated } from "../helpers/gates.ts";
import { commits, inFile, makeTraps, pushes, requireNoCanary, tell } from "./gate-traps.ts";

let world: World;
beforeEach(() => {
  world = makeTraps();
});
afterEach(() => requireNoCanary(world));

describe("a repository whose configuration names programs", () => {
  /** Names a program that leaves a canary wherever git has a place for one. */
  function corrupt(gitDir: string): void {
    const program = tell(world);
    const keys = ["core.fsmonitor", "core.pager", "pager.diff", "pager.rev-list", "core.sshCommand", "core.askPass"];
    const more = ["core.editor", "core.gitProxy", "core.alternateRefsCommand", "diff.external", "diff.evil.textconv"];
    const rest = ["diff.evil.command", "filter.evil.clean", "filter.evil.process", "gpg.program", "credential.helper"];
    for (const key of [...keys, ...more, ...rest, "remote.evil.uploadpack"])
      world.git(["config", "--file", join(gitDir, "config"), key, program]);
    const values = {
      "log.showSignature": "true",
      "color.ui": "always",
      "protocol.allow": "always",
      "diff.evil.binary": "true",
    };
    const aliases = ["diff", "diff-index", "diff-tree", "rev-list", "cat-file", "symbolic-ref", "for-each-ref", "var"];
    for (const [key, value] of [
      ...Object.entries(values),
      ...aliases.map((name) => [`alias.${name}`, `!${program}`] as const),
    ])
      world.git(["config", "--file", join(gitDir, "config"), key, value]);
    fs.mkdirSync(join(gitDir, "info"), { recursive: true });
    fs.writeFileSync(join(gitDir, "info/attributes"), "* diff=evil filter=evil\n");
  }

  it("G7: runs none of them for %A, --path and --stdin paths of a commit", () => {
    const app = commits(world);
    app.hooks(
      { command: "cat %A >%R/seen" },
      { command: "true", path: ["*.txt"] },
      { command: "cat >%R/seen-paths", stdin: "paths", dir: "." },
      { type: "commit-msg", command: "cat >/dev/null", stdin: "paths" },
    );
    fs.writeFileSync(join(app.path, "b.txt"), "b\n");
    fs.writeFileSync(join(app.path, "a.txt"), "changed\n");
    world.git(["add", "-A"], { cwd: app.path });
    corrupt(join(app.path, ".git"));
    for (const hook of ["pre-commit", "pre-merge-commit", "commit-msg"]) // as git calls them, without git's own look
      expect(world.run([`.git/hooks/${hook}`, ".git/HEAD"], { cwd: app.path })).toMatchObject({ code: 0, stderr: "" });
    expect(inFile(world, app, "seen-paths")).toBe("a.txt\0b.txt\0");
    expect(app.verdicts()).toHaveLength(3);
  });

  it("G7: runs none of them for the paths of a push, on either side, though old commits be missing", () => {
    const { server, clone } = pushes(world);
    const client = gated(world, clone);
    client.hooks(
      { type: "before-push", command: "cat >%R/seen", stdin: "paths" },
      { type: "before-push", command: "true", path: ["."] },
    );
    server.hooks({ type: "before-receive", command: "cat >%R/seen; cat %A >/dev/null", stdin: "paths" });
    const head = world.git(["rev-parse", "HEAD"], { cwd: clone });
    world.git(["push", "-q", "origin", "HEAD:refs/heads/first"], { cwd: clone });
    for (const path of [server.home, client.home]) corrupt(join(path, ".."));
    for (const gitDir of [server.home, client.home].map((home) => join(home, ".."))) {
      const promisor = {
        "extensions.partialClone": "evil",
        "remote.evil.promisor": "true",
        "remote.evil.url": `ext::${tell(world, "transport")}`,
      };
      for (const [key, value] of Object.entries({
        "core.repositoryFormatVersion": "1",
        "protocol.ext.allow": "always",
        ...promisor,
      }))
        world.git(["config", "--file", join(gitDir, "config"), key, value]);
    }
    const [missing, zero] = ["1".repeat(40), "0".repeat(40)];
    for (const old of [zero, missing]) {
      const received = world.run(["hooks/pre-receive"], {
        env: { GIT_DIR: "." }, // as git has it
        cwd: server.path,
        input: `${old} ${head} refs/heads/main\n`,
      });
      const pushed = world.run([".git/hooks/pre-push", "origin", server.path], {
        ...{ cwd: clone, input: `refs/heads/main ${head} refs/heads/main ${old}\n` },
      });
      expect([received.code, pushed.code, received.stderr + pushed.stderr]).toEqual([0, 0, ""]);
    }
  });
});

describe("the environment of a pusher", () => {
  const SERVER = [
    {
      type: "before-receive",
      command: "cat >/dev/null; grep -q . %A; git rev-parse HEAD >/dev/null; node -e 0; bash -c :; rm -f nosuch",
    },
    { type: "before-receive", command: "exit 5", ref: ["refused"] },
    { type: "before-ref", command: "cat %A >/dev/null; env >>%R/env", path: ["a.txt"] },
  ];

  it("G8: loads nothing into the gates, and leads neither them nor git elsewhere", () => {
    const { server, clone } = pushes(world);
    server.hooks(...SERVER);
    const fake = world.at("fake");
    fs.mkdirSync(fake);
    for (const name of [
      "cat",
      "grep",
      "rm",
      "git",
      "sh",
      "node",
      "bash",
      "sort",
      "date",
      "env",
      "timeout",
      "awk",
      "printf",
      "test",
    ])
      fs.renameSync(tell(world, name), join(fake, name));
    fs.writeFileSync(world.at("load.js"), `require("fs").writeFileSync(${JSON.stringify(world.at("canary"))}, "")`);
    fs.writeFileSync(world.at("config"), `[core]\n\tfsmonitor = ${tell(world)}\n\tpager = ${tell(world)}\n`);
    const env = {
      PATH: `${fake}:${world.env["PATH"]}`,
      BASH_ENV: tell(world, "bash-env"),
      ENV: tell(world, "env-file"),
      NODE_OPTIONS: `--require ${world.at("load.js")}`,
      GIT_EXTERNAL_DIFF: tell(world),
      GIT_PAGER: tell(world),
      GIT_ASKPASS: tell(world),
      GIT_CONFIG_GLOBAL: world.at("config"),
      ...{ GATEPOST_SKIP: "1,2,3,all", GATEPOST_TRACE: "1", GATEPOST_HOOK: "x", GATEPOST_AUX: "/etc/passwd" },
      ...{
        GATEPOST_PROGRAM: tell(world),
        GATEPOST_REPOSITORY: "/",
        GATEPOST_TYPE: "before-commit",
        GATEPOST_USER: "root",
      },
      ...{
        _gatepost_verdict: "pass",
        _gatepost_code: "0",
        _gatepost_whole: "yes",
        _gatepost_skip: ",1,2,3,",
        _gatepost_rest: "1",
      },
      ...{
        _gatepost_home: "/",
        _gatepost_base: world.at("user"),
        _gatepost_begun: "9",
        _gatepost_line: "a[$(touch canary)]",
      },
      ...{ IFS: "0123456789abcdef/", CDPATH: "/", PS4: "$(touch canary)", GREP_OPTIONS: "-v", PERL5OPT: "-Mnosuch" },
    };
    const git = world.run(["sh", "-c", "command -v git"]).stdout.trim();
    const push = (ref: string) => world.run([git, "push", "origin", `HEAD:refs/heads/${ref}`], { cwd: clone, env });
    const passed = push("main");
    expect([passed.code, passed.stderr.match(/gatepost: .*/g)]).toEqual([0, null]);
    const refused = push("refused");
    expect([refused.code, refused.stderr.match(/gatepost: .*/g)]).toEqual([
      1,
      [expect.stringMatching(/^gatepost: before-receive hook \d+ refused this push\.\s*$/)],
    ]);
    expect(server.verdicts().sort()).toEqual([
      "before-receive pass, 1 pass 0, 2 skipped ref",
      "before-receive refused, 1 pass 0, 2 refused 5",
      "before-ref pass, 3 pass 0",
    ]);
    const environment = inFile(world, server, "env");
    expect(environment).toMatch(new RegExp(`^GATEPOST_REPOSITORY=${server.path}$`, "m"));
    expect(environment).toMatch(/^GATEPOST_TYPE=before-ref$/m);
    expect(
      environment.match(/^(LD_PRELOAD|NODE_OPTIONS|BASH_ENV|ENV|GIT_EXTERNAL_DIFF|GATEPOST_(SKIP|TRACE))=.*/gm),
    ).toBeNull();
    expect(environment.match(/^GATEPOST_USER=(.*)$/m)?.[1]).toBe("");
  });

  it("G8: a library to be loaded first is gone before a hook's first program starts", () => {
    const { server, clone } = pushes(world);
    server.hooks({ type: "before-receive", command: "env" });
    const env = { LD_PRELOAD: "/nowhere/evil.so", LD_LIBRARY_PATH: "/nowhere", LD_AUDIT: "/nowhere/audit.so" };
    const { code, stderr } = world.run(["git", "push", "origin", "HEAD:refs/heads/main"], { cwd: clone, env });
    expect(code).toBe(0);
    expect(stderr.match(/^remote: LD_\w+=/gm)).toBeNull();
    expect(stderr).toMatch(/^remote: GATEPOST_TYPE=before-receive/m);
  });

  it("G8: functions that bash would take from it replace nothing of a gate's, and nothing of its hooks'", () => {
    const stand = new Stand("bash");
    try {
      const names = [
        "[",
        "cd",
        "printf",
        "read",
        "umask",
        "unalias",
        "test",
        "command",
        "builtin",
        "declare",
        "cat",
        "rm",
        "git",
      ];
      const special = [
        "trap",
        "exit",
        "exec",
        "unset",
        "export",
        ".",
        "eval",
        "set",
        "_gatepost_distrust",
        "_gatepost_end",
      ];
      const functions = [...names, ...special].map((name) => [`BASH_FUNC_${name}%%`, "() { : >canary; }"]);
      const env = Object.fromEntries(functions) as Record<string, string>;
      const line = `${"0".repeat(40)} ${"1".repeat(40)} refs/heads/main\n`;
      stand.compile("before-receive", [
        { command: "cat; git --version >/dev/null; rm -f x; [ a = a ]" },
        { command: "exit 5" },
      ]);
      fs.mkdirSync(join(stand.git, "objects"));
      const { code, stdout } = stand.ask("before-receive", { env, input: line });
      expect([code, stdout, filesNamed(stand.dir, "canary")]).toEqual([5, line, []]);
    } finally {
      stand.remove();
    }
  });
});
