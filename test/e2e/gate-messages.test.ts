/** What people see of a gate, whole; and what is left of one that was interrupted. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeWorld, type Outcome, until, type World } from "../helpers/cli.ts";
import { type Gated, type Given, gated } from "../helpers/gates.ts";

let world: World;
let app: Gated;
let server: Gated;
let log: string;

beforeAll(() => {
  world = makeWorld();
  log = world.at("log");
  server = gated(world, world.bare("target.git"));
  app = gated(world, world.workTree("app"));
  world.git(["remote", "add", "target", server.path], { cwd: app.path });
  world.commit(app.path, { f: "f\n" });
});
afterAll(() => world.remove());
beforeEach(() => {
  app.records();
  server.records();
  fs.writeFileSync(log, "");
});

const run = (args: readonly string[], env: Record<string, string> = {}): Outcome =>
  world.run(["git", ...args], { cwd: app.path, env: { LOG: log, ...env } });
const commit = (env?: Record<string, string>): Outcome => run(["commit", "-q", "--allow-empty", "-m", "m"], env);

/** Stores these hooks and commits. In what is said, their ids are 1, 2, … and the world is /w. */
function says(hooks: readonly (Given | string)[], env?: Record<string, string>): string {
  const ids = app.hooks(...hooks);
  const { stderr, code } = commit(env);
  return `${plain(stderr, ids)}=> ${code}`;
}
const plain = (text: string, ids: readonly number[]): string =>
  text
    .replace(/\bhook (\d+)/g, (_all, id) => `hook ${ids.indexOf(Number(id)) + 1}`)
    .replaceAll(world.dir, "/w")
    .replaceAll(/PATH [^)]*\)/g, "PATH …)");

const refused = (what: string, more = ""): string => `gatepost: before-commit ${what} refused this commit.${more}`;
const broken = (what: string, why: string): string =>
  `gatepost: before-commit ${what} is broken, so this commit is refused: ${why}. Way round: git commit --no-verify`;

describe("a commit", () => {
  it("that passes says nothing but what its hooks say", () => {
    expect(says(["true", "echo one; echo two >&2"])).toBe("one\ntwo\n=> 0");
  });

  it("that a hook refuses shows its words, who it was, what did not run, and how to skip it", () => {
    expect(
      says([
        "echo checked",
        { name: "lint", command: "echo 'f:1: no'; exit 3" },
        "true",
        { name: "slow", command: "true" },
      ]),
    ).toBe(
      `checked\nf:1: no\n${refused("hook 2 (lint)", " Not run: hook 3, hook 4 (slow). Skip this one: GATEPOST_SKIP=lint git commit …")}\n=> 1`,
    );
    const [id] = app.hooks("exit 1");
    expect(commit().stderr).toBe(
      `gatepost: before-commit hook ${id} refused this commit. Skip this one: GATEPOST_SKIP=${id} git commit …\n`,
    );
  });

  it("F1: whose hook is broken says why, and the way round", () => {
    expect(says(["no-such-program"])).toMatch(/not found\n(.*)\n=> 1$/);
    expect(says(["no-such-program 2>/dev/null"])).toBe(
      `${broken("hook 1", "a program was not found (exit 127, PATH …)")}\n=> 1`,
    );
    expect(says(["/etc/passwd 2>/dev/null"])).toBe(
      `${broken("hook 1", "a program could not be run (exit 126)")}\n=> 1`,
    );
    // The shell's own word comes first.
    expect(says([{ name: "dies", command: "kill -9 $$" }])).toMatch(/^.*Killed.*\n/);
    expect(says([{ name: "dies", command: "kill -9 $$" }]).replace(/^.*Killed.*\n/, "")).toBe(
      `${broken("hook 1 (dies)", "killed by signal 9")}\n=> 1`,
    );
    expect(says([{ timeout: 0.2, command: "exec sleep 60" }])).toBe(
      `${broken("hook 1", "ended after 0.2 s (--timeout)")}\n=> 1`,
    );
  });

  it("whose hook is advisory is told of its failure, and made", () => {
    expect(says([{ name: "style", advisory: true, command: "echo untidy; exit 4" }])).toBe(
      "untidy\ngatepost: before-commit hook 1 (style) failed: exit 4. It is advisory, so nothing is refused.\n=> 0",
    );
  });

  it("F1: whose gate has lost its compiled file, or a part of it, is refused with the way to mend it", () => {
    app.hooks("true");
    const file = join(app.home, "gates", "before-commit");
    const text = fs.readFileSync(file, "utf8");
    const gate = (why: string): string =>
      `gatepost: The before-commit gate is broken, so this commit is refused: ${why}. Mend it: gatepost doctor --fix. Way round: git commit --no-verify\n`;
    fs.rmSync(file);
    expect(commit().stderr).toBe(gate(`its compiled file is missing, or may not be read by this user (${file})`));
    fs.writeFileSync(file, text.split("\n").slice(0, -1).join("\n"));
    expect(commit().stderr).toBe(gate(`its compiled file is not complete (${file})`));
    fs.writeFileSync(file, text);
    expect(commit()).toMatchObject({ code: 0, stderr: "" });
    fs.renameSync(app.home, `${app.home}-away`);
    expect(commit().stderr).toBe(gate(`its home is missing (${app.home})`).replace("doctor --fix", "init"));
    expect(run(["commit", "-q", "--allow-empty", "--no-verify", "-m", "m"]).code).toBe(0);
    fs.renameSync(`${app.home}-away`, app.home);
    expect(app.verdicts()).toEqual([
      "before-commit broken",
      "before-commit broken, 1 pass 0",
      "before-commit pass, 1 pass 0",
    ]);
  });

  it("whose message is refused, or that is a merge, is called so", () => {
    const [message] = app.hooks({ type: "commit-msg", command: "grep -q '#[0-9]' \"$1\"" });
    expect(commit().stderr).toBe(
      `gatepost: commit-msg hook ${message} refused this commit. Skip this one: GATEPOST_SKIP=${message} git commit …\n`,
    );
    run(["checkout", "-q", "-b", "side"]);
    app.hooks();
    run(["commit", "-q", "--allow-empty", "-m", "on the side"]);
    run(["checkout", "-q", "-"]);
    commit();
    const [merge] = app.hooks({ command: "exit 1" });
    expect(run(["merge", "-q", "--no-edit", "side"]).stderr).toMatch(
      new RegExp(`^gatepost: before-commit hook ${merge} refused this commit\\. Skip .*=${merge} git commit …\n`),
    );
    run(["merge", "--abort"]);
  });
});

describe("a hook that was there before", () => {
  it("that refuses is named, and ours are named as not run", () => {
    const path = world.workTree("earlier");
    fs.writeFileSync(join(path, ".git/hooks/pre-commit"), "#!/bin/sh\necho mine; exit 5\n", { mode: 0o755 });
    const one = gated(world, path);
    const [id] = one.hooks("true");
    const { code, stderr } = world.run(["git", "commit", "-q", "--allow-empty", "-m", "m"], { cwd: path });
    expect([code, stderr]).toEqual([
      1,
      `mine\ngatepost: before-commit the pre-commit hook that was there before refused this commit. Not run: hook ${id}. Way round: git commit --no-verify\n`,
    ]);
    expect(one.verdicts()).toEqual(["before-commit refused, chained refused 5, 1 not run"]);
  });
});

describe("GATEPOST_TRACE=1", () => {
  const timeless = (text: string): string => text.replaceAll(/\d+ ms/g, "N ms");

  it("shows each hook as it starts, with the real values in its command, how it ended, and how long it took", () => {
    const ids = app.hooks(
      { name: "show", command: 'test -d %R || echo "in %R"; cat %A >/dev/null; echo 100%%' },
      { ref: ["nowhere"], command: "true" },
      { name: "mine", command: "true" },
      { command: "exit 2" },
      { path: ["f"], command: "true" },
    );
    const { stderr } = commit({ GATEPOST_TRACE: "1", GATEPOST_SKIP: "mine" });
    const lines = timeless(plain(stderr, ids)).replaceAll(/aux\/gatepost-[-0-9a-f]+/g, "aux/RUN");
    expect(lines.split("\n")).toEqual([
      'gatepost: before-commit hook 1 (show): test -d /w/app/.git || echo "in /w/app/.git"; cat /w/app/.git/gatepost/aux/RUN.auxiliary >/dev/null; echo 100%',
      "100%",
      "gatepost: before-commit hook 1 (show): exit 0, N ms",
      "gatepost: before-commit hook 2: no ref matches --ref",
      "gatepost: before-commit hook 3 (mine): left out, GATEPOST_SKIP names it",
      "gatepost: before-commit hook 4: exit 2",
      "gatepost: before-commit hook 4: exit 2, N ms",
      `${refused("hook 4", ` Not run: hook 5. Skip this one: GATEPOST_SKIP=${ids[3]} git commit …`)}`,
      "",
    ]);
  });

  it("shows a command of several lines as one, and nothing that could play tricks on a terminal", () => {
    const ids = app.hooks({ command: "echo one >/dev/null\n: \x1b[2J" });
    expect(timeless(plain(commit({ GATEPOST_TRACE: "1" }).stderr, ids))).toBe(
      "gatepost: before-commit hook 1: echo one >/dev/null;: [2J\ngatepost: before-commit hook 1: exit 0, N ms\n",
    );
  });
});

describe("a push", () => {
  const push = (): string[] => {
    const { stderr, code } = run(["push", "-q", "target", "HEAD:refs/heads/pushed"]);
    return [...stderr.split("\n").map((line) => line.trimEnd()), `=> ${code}`];
  };

  it("that is refused here says so here", () => {
    const [id] = app.hooks({ name: "tests", type: "before-push", command: "echo failing; exit 1" });
    expect(id).toBeGreaterThan(0);
    expect(push()).toEqual([
      `gatepost: before-push hook ${id} (tests) refused this push. Skip this one: GATEPOST_SKIP=tests git push …`,
      `error: failed to push some refs to '${server.path}'`,
      ...["", "=> 1"],
    ]);
    app.hooks();
  });

  it("that is refused there says so through git, and names no way round", () => {
    const rejected = (ref: string, why: string): string[] => [
      `To ${server.path}`,
      ` ! [remote rejected] HEAD -> ${ref} (${why})`,
      `error: failed to push some refs to '${server.path}'`,
      ...["", "=> 1"],
    ];
    const [first, second] = server.hooks(
      { name: "policy", type: "before-receive", command: "echo 'not this'; exit 1" },
      { type: "before-receive", command: "true" },
    );
    expect(push()).toEqual([
      "remote: not this",
      `remote: gatepost: before-receive hook ${first} (policy) refused this push. Not run: hook ${second}.`,
      ...rejected("pushed", "pre-receive hook declined"),
    ]);
    const [ref] = server.hooks({ type: "before-ref", command: 'echo "$1"; exit 1' });
    expect(push()).toEqual([
      "remote: refs/heads/pushed",
      `remote: gatepost: before-ref hook ${ref} refused this ref.`,
      "remote: error: hook declined to update refs/heads/pushed",
      ...rejected("pushed", "hook declined"),
    ]);
    server.hooks();
  });
});

describe("F2: Ctrl-C", () => {
  // A shell that is told just before it starts a program waits for that program; so the hook becomes the program.
  const wait = 'echo $$ >>"$LOG"; exec cat "$FIFO"';
  const begun = (): string[] => fs.readFileSync(log, "utf8").split("\n").slice(0, -1);
  const alive = (pid: string): boolean => {
    try {
      return !/^\d+ \(.*\) Z/s.test(fs.readFileSync(`/proc/${pid}/stat`, "latin1"));
    } catch {
      return false;
    }
  };

  it.each<[string, Given[]]>([
    ["a hook", [{ command: wait }, { command: "true" }]],
    ["a hook with --timeout", [{ timeout: 600, command: wait }, { command: "true" }]],
    [
      "hooks side by side",
      [
        { parallel: true, command: wait },
        { parallel: true, timeout: 600, command: wait },
        { parallel: true, command: wait },
      ],
    ],
    ["a hook that reads what is staged", [{ stdin: "paths", command: `: %A; ${wait}` }]],
    ["the hook that was there before", []],
  ])("ends %s at once, and leaves nothing behind but the record", async (_what, hooks) => {
    const fifo = world.at("fifo");
    fs.rmSync(fifo, { force: true });
    world.run(["mkfifo", fifo]);
    const chained = join(app.path, ".git/hooks/gatepost/chained/pre-commit");
    app.hooks(...(hooks.length === 0 ? ["true"] : hooks));
    if (hooks.length === 0) {
      fs.mkdirSync(join(chained, ".."), { recursive: true });
      fs.writeFileSync(chained, `#!/bin/sh\n${wait}\n`, { mode: 0o755 });
    }
    fs.appendFileSync(join(app.path, "f"), "more\n");
    const head = run(["rev-parse", "HEAD"]).stdout;
    const child = spawn("git", ["commit", "-q", "-a", "-m", "m"], {
      cwd: app.path,
      env: { ...world.env, LOG: log, FIFO: fifo },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a process group of its own, as a terminal gives one
    });
    let said = "";
    child.stderr?.on("data", (chunk) => (said += chunk));
    // Closed: nobody has the pipes any more, so nothing of the gate is left that could write to them.
    const closed = new Promise((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
    const waiting = Math.max(1, hooks.filter(({ command }) => command.endsWith(wait)).length);
    const waits = (pid: string): boolean => fs.readFileSync(`/proc/${pid}/comm`, "latin1") === "cat\n";
    await until("the hooks wait", () => begun().length === waiting && begun().every(waits));
    process.kill(-(child.pid ?? 0), "SIGINT");
    expect(await closed).toBe("SIGINT");
    expect(said).toBe("");
    const [record, ...more] = await until("it is recorded", () => app.records()).then((all) => all);
    expect([record?.verdict, record?.reason, more]).toEqual(["interrupted", "SIGINT", []]);
    expect(begun().filter(alive)).toEqual([]);
    expect(fs.readdirSync(join(app.home, "aux"))).toEqual([]);
    expect(fs.readdirSync(join(app.path, ".git")).filter((name) => name.endsWith(".lock"))).toEqual([]);
    expect(run(["rev-parse", "HEAD"]).stdout).toBe(head);
    fs.rmSync(chained, { force: true });
    app.hooks();
    expect(run(["commit", "-q", "-a", "-m", "m"])).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});
