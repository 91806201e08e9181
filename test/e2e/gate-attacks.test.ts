/** Ways that a gate was once got round, or broken by, without anybody asking for it: none of them works. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeWorld, until, type World } from "../helpers/cli.ts";
import { type Gated, gated } from "../helpers/gates.ts";

let world: World;
let app: Gated;
let server: Gated;

beforeAll(() => {
  world = makeWorld();
  const path = world.workTree("app");
  world.commit(path, { a: "1" });
  server = gated(world, world.bare("server.git"));
  app = gated(world, path);
  world.git(["remote", "add", "server", server.path], { cwd: path });
  world.git(["push", "-q", "server", "main"], { cwd: path });
});
afterAll(() => world.remove());
beforeEach(() => {
  app.hooks();
  server.hooks();
  world.git(["checkout", "-q", "-f", "-B", "main", "server/main"], { cwd: app.path });
  world.git(["clean", "-q", "-fd"], { cwd: app.path });
  app.records();
  server.records();
});

const git = (args: readonly string[], env: Record<string, string> = {}) =>
  world.run(["git", ...args], { cwd: app.path, env });
const commit = (env: Record<string, string> = {}) => git(["commit", "-q", "--allow-empty", "-m", "m"], env);
const stage = (name: string, text = "x"): void => {
  fs.writeFileSync(join(app.path, name), text);
  git(["add", name]);
};

const refuses = { code: 1 };

describe("a signal", () => {
  it.each(["TERM", "INT", "HUP"] as const)(
    "%s that comes while the gate tells of a refusal does not make it pass",
    async (signal) => {
      app.hooks("exit 1");
      const shim = join(".git", "hooks", "pre-commit");
      // Its stderr is a full pipe, so that it stands where it says what was refused.
      const fill = `mkfifo "$1" && exec 3<>"$1" && head -c 65536 /dev/zero >&3 && exec "$2" 2>&3 3<&-`;
      const fifo = world.at(`full-${signal}`);
      const child = spawn("sh", ["-c", fill, "sh", fifo, shim], {
        cwd: app.path,
        stdio: "ignore",
        env: { ...world.env, GIT_INDEX_FILE: ".git/index" },
      });
      const stands = (): boolean => /^(1|64) 0x[12] /.test(fs.readFileSync(`/proc/${child.pid}/syscall`, "utf8"));
      await until("the shim stands at its full stderr", stands);
      child.kill(`SIG${signal}`);
      const full = fs.openSync(fifo, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
      fs.readSync(full, Buffer.alloc(65_536)); // where the shell goes on writing, it can now
      const [code, by] = await new Promise<[number | null, string | null]>((resolve) =>
        child.once("exit", (status, killed) => resolve([status, killed])),
      );
      fs.closeSync(full);
      expect([code, by]).not.toEqual([0, null]);
    },
  );
});

describe("--path means the same whatever the caller's git is told", () => {
  it.each(["GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"])(
    "%s",
    (name) => {
      app.hooks({ path: ["*.ts"], command: "exit 1" }, { path: [":(glob)src/**/x"], command: "true" });
      fs.mkdirSync(join(app.path, "s"), { recursive: true });
      stage("s/a.ts");
      expect(commit({ [name]: "1" })).toMatchObject(refuses);
      server.hooks({ type: "before-receive", path: ["s*"], command: "exit 1" });
      app.hooks();
      commit();
      expect(git(["push", "-q", "server", `HEAD:refs/heads/${name}`], { [name]: "1" })).toMatchObject(refuses);
    },
  );
});

describe("a push to a server whose hook looks at paths", () => {
  let secrets = 0;
  const secret = (): string => {
    stage("secret", `${++secrets}`);
    commit();
    return git(["rev-parse", "HEAD"]).stdout.trim();
  };
  const guard = (more: Record<string, unknown> = {}) =>
    server.hooks({ type: "before-receive", path: ["secret*"], command: "exit 1", ...more });

  it("cannot hide a commit behind refs/replace", () => {
    const bad = secret();
    guard();
    expect(git(["push", "-q", "server", "HEAD:main"])).toMatchObject(refuses);
    git(["push", "-q", "server", `HEAD~:refs/replace/${bad}`]);
    expect(git(["push", "-q", "server", "HEAD:main"])).toMatchObject(refuses);
  });

  it("cannot bring it by way of a branch that is not guarded", () => {
    secret();
    guard({ ref: ["main"] });
    expect(git(["push", "-q", "server", "HEAD:topic"])).toMatchObject({ code: 0 });
    expect(git(["push", "-q", "server", "HEAD:main"])).toMatchObject(refuses);
  });

  it("cannot bring it by deleting the guarded ref and making it anew, nor beside another ref", () => {
    git(["push", "-q", "server", "HEAD:refs/heads/release/1"]);
    secret();
    for (const type of ["before-receive", "before-ref"]) {
      guard({ ref: ["release/*"], type });
      git(["push", "-q", "server", "HEAD:refs/heads/aside"]);
      git(["push", "-q", "server", ":refs/heads/release/1"]);
      git(["push", "-q", "server", "HEAD:refs/heads/a", "HEAD:refs/heads/release/1"]);
      expect(fs.existsSync(join(server.path, "refs", "heads", "release", "1")), type).toBe(false);
    }
  });

  it("is not refused for what was on the server already, when a branch is brought up to date", () => {
    const start = git(["rev-parse", "HEAD"]).stdout.trim();
    secret();
    git(["push", "-q", "server", "HEAD:refs/heads/trunk"]);
    git(["branch", "-f", "trunk"]);
    git(["checkout", "-q", "-B", "feature", start]);
    stage("t");
    commit();
    git(["push", "-q", "server", "feature"]);
    guard();
    git(["merge", "-q", "-m", "merge", "trunk"]);
    expect(git(["push", "-q", "server", "feature"])).toMatchObject({ code: 0 });
    git(["reset", "-q", "--hard", "HEAD~"]);
    git(["rebase", "-q", "trunk"]);
    expect(git(["push", "-q", "-f", "server", "feature"])).toMatchObject({ code: 0 });
    expect(git(["push", "-q", "server", "trunk^{tree}:refs/tags/tree"])).toMatchObject(refuses);
  });

  it("is judged when it takes a guarded file away by going back", () => {
    secret();
    git(["push", "-q", "server", "HEAD:back"]);
    guard({ ref: ["back"] });
    expect(git(["push", "-q", "-f", "server", "HEAD~:back"])).toMatchObject(refuses);
  });

  it("F6: is refused when the paths cannot be sorted or handed over", () => {
    const bin = world.at("bin");
    fs.mkdirSync(bin, { recursive: true });
    for (const name of ["git", "xargs", "sh", "rm", "cat"]) {
      const found = world.run(["sh", "-c", `command -v ${name}`]).stdout.trim();
      if (!fs.existsSync(join(bin, name))) fs.symlinkSync(found, join(bin, name));
    }
    world.gatepost(["settings", "path", bin], { cwd: server.path });
    secret();
    server.hooks({ type: "before-receive", stdin: "paths", command: "xargs -0 -r false" });
    expect(git(["push", "-q", "server", "HEAD:refs/heads/x1", "HEAD:refs/heads/x2"])).toMatchObject(refuses);
    fs.rmSync(join(bin, "cat"));
    server.hooks({ type: "before-receive", stdin: "paths", command: "xargs -0 -r true" });
    expect(git(["push", "-q", "server", "HEAD:refs/heads/x3"])).toMatchObject(refuses);
    world.gatepost(["settings", "path", "/usr/local/bin:/usr/bin:/bin"], { cwd: server.path });
  });
});

describe("--ref main", () => {
  it("is meant by HEAD that is a symbolic link", () => {
    app.hooks({ ref: ["main"], command: "exit 1" });
    const head = join(app.path, ".git", "HEAD");
    fs.rmSync(head);
    fs.symlinkSync("refs/heads/main", head);
    try {
      expect(commit()).toMatchObject(refuses);
    } finally {
      fs.rmSync(head);
      fs.writeFileSync(head, "ref: refs/heads/main\n");
    }
  });

  it("is not looked for in files that a pusher's names lead to, which Git has not looked at yet", () => {
    server.hooks({ type: "before-receive", ref: ["main"], command: "exit 1" });
    const up = "../".repeat(20);
    const fifo = world.at("fifo");
    world.run(["mkfifo", fifo]);
    for (const name of [`refs/${up}dev/zero`, `refs/${up}${fifo.slice(1)}`, "refs/../HEAD", "HEAD", "/dev/zero"]) {
      const input = `${"0".repeat(40)} ${"1".repeat(40)} ${name}\n`;
      const env = { GIT_DIR: "." };
      const asked = world.run(["timeout", "-s", "KILL", "5", "hooks/pre-receive"], { cwd: server.path, env, input });
      expect(asked, name).toMatchObject({ code: 0 });
    }
  });

  it("is meant by a branch that stands for it, here and on the server", () => {
    git(["symbolic-ref", "refs/heads/master", "refs/heads/main"]);
    app.hooks({ ref: ["main"], command: "exit 1" });
    git(["symbolic-ref", "HEAD", "refs/heads/master"]);
    expect(commit()).toMatchObject(refuses);
    git(["symbolic-ref", "HEAD", "refs/heads/main"]);
    git(["symbolic-ref", "-d", "refs/heads/master"]);
    world.git(["symbolic-ref", "refs/heads/master", "refs/heads/main"], { cwd: server.path });
    server.hooks({ type: "before-receive", ref: ["main"], command: "exit 1" });
    app.hooks();
    commit();
    expect(git(["push", "-q", "server", "HEAD:refs/heads/master"])).toMatchObject(refuses);
    world.git(["symbolic-ref", "-d", "refs/heads/master"], { cwd: server.path });
  });
});

describe("--dir", () => {
  it("in a sparse checkout without the folder leaves the hook out of commits that bring nothing into it", () => {
    fs.mkdirSync(join(app.path, "web"));
    stage("web/a.css");
    stage("lib");
    commit();
    git(["sparse-checkout", "set", "--no-cone", "/lib"]);
    app.hooks({ dir: "web", path: ["*.css"], command: "exit 1" }, { dir: "web", command: "exit 1" });
    stage("lib", "2");
    expect(fs.existsSync(join(app.path, "web"))).toBe(false);
    expect(commit()).toMatchObject({ code: 0, stderr: "" });
    git(["sparse-checkout", "disable"]);
    stage("web/a.css", "2");
    expect(commit()).toMatchObject(refuses);
  });
});

describe("F1: a file of ours that is of another version, or not what it was", () => {
  it("in the middle of a commit refuses", () => {
    const rest = join(app.path, ".git", "hooks", "gatepost", "gate.sh");
    app.hooks(
      `sed s/_gatepost_judge/_gatepost_other/ .git/hooks/gatepost/gate.sh >x && cat x >.git/hooks/gatepost/gate.sh; exit 1`,
    );
    const text = fs.readFileSync(rest);
    expect(commit().code).not.toBe(0);
    fs.writeFileSync(rest, text);
  });

  it("with a condition that this runtime does not know refuses", () => {
    app.hooks({ path: ["*"], command: "true" });
    const file = join(app.home, "gates", "before-commit");
    fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("&& _gatepost_touches", "&& _gatepost_newer"));
    expect(commit()).toMatchObject({ code: 1, stderr: expect.stringContaining("is broken") });
  });

  it("that should point to the home and cannot be read refuses, also in a hooks folder of many", () => {
    const common = join(app.path, ".git", "hooks", "gatepost", "common");
    app.hooks("exit 1");
    fs.writeFileSync(common, "");
    fs.renameSync(app.home, `${app.home}-away`);
    try {
      for (const text of ["", "home: /tm", `home: ${app.home}-away`, "Home: /\ngates: 1\n"]) {
        fs.writeFileSync(app.home, text);
        expect(commit(), JSON.stringify(text)).toMatchObject(refuses);
      }
      fs.rmSync(app.home);
      expect(commit(), "one that is not registered").toMatchObject({ code: 0 });
    } finally {
      fs.rmSync(app.home, { force: true });
      fs.renameSync(`${app.home}-away`, app.home);
      fs.rmSync(common);
    }
  });
});

describe("the user's own env.sh", () => {
  it.each(["trap 'rm -f /nowhere/x' EXIT", "trap - EXIT", "trap true EXIT INT TERM"])(
    "with %s does not switch the gates off",
    (text) => {
      const folder = world.at("config", "gatepost");
      fs.mkdirSync(folder, { recursive: true });
      fs.writeFileSync(join(folder, "env.sh"), `${text}\n`);
      app.hooks("exit 1");
      expect(commit({ XDG_CONFIG_HOME: world.at("config") })).toMatchObject(refuses);
    },
  );
});

describe("without /proc", () => {
  it("commits are judged and recorded", () => {
    const shim = join(app.path, ".git", "hooks", "pre-commit");
    app.hooks("true");
    const text = fs.readFileSync(shim, "latin1");
    fs.writeFileSync(shim, text.replaceAll("/proc/", "/nowhere/"), "latin1");
    expect(commit()).toMatchObject({ code: 0, stderr: "" });
    expect(app.verdicts()).toEqual(["before-commit pass, 1 pass 0"]);
    fs.writeFileSync(shim, text, "latin1");
  });
});

describe("git:reference-transaction", () => {
  it("of a push takes nothing from the pusher's environment", () => {
    server.hooks({ type: "git:reference-transaction", name: "rt", command: '[ "$1" != prepared ]' });
    commit();
    expect(git(["push", "-q", "server", "HEAD:refs/heads/rt"], { GATEPOST_SKIP: "rt" }).code).not.toBe(0);
    expect(fs.existsSync(join(server.path, "refs", "heads", "rt"))).toBe(false);
  });
});
