/**
 * Faults of gates that the tests of what gates do (test/e2e/gate-*.test.ts) leave: compiled files cut anywhere, Ctrl-C on
 * a real terminal, messages that hooks maltreat, odd places to commit in, and input that no git hands over. Where git has
 * rules of its own, a twin with plain hook files tells what they are.
 */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorld, type Outcome, until, type World } from "../helpers/cli.ts";
import { type Gated, type Given, gated } from "../helpers/gates.ts";

let world: World;
beforeAll(() => {
  world = makeWorld("gatepost-fault-gates-");
});
afterAll(() => world.remove());

const CLOCK = { GIT_AUTHOR_DATE: "@1700000000 +0100", GIT_COMMITTER_DATE: "@1700000000 +0100" };

describe("F1: a compiled file that is cut off", () => {
  it("refuses wherever it ends, says so, and runs no half of a hook", () => {
    const app = gated(world, world.workTree("cut"));
    app.hooks("touch ran", { ref: ["main"], path: ["f"], timeout: 9, command: "touch ran" }, "touch ran && touch ran2");
    const file = join(app.home, "gates", "before-commit");
    const whole = fs.readFileSync(file);
    const commit = () => world.run(["git", "commit", "-q", "--allow-empty", "-m", "m"], { cwd: app.path });
    const last = whole.lastIndexOf("if _gatepost_begin");
    const step = Math.ceil(whole.length / 40);
    const cuts = new Set(Array.from({ length: 40 }, (_, n) => Math.min(n * step, whole.length - 1)));
    for (let at = last; at < whole.length; at += 5) cuts.add(at);
    cuts.add(whole.length - 1);
    for (const cut of cuts) {
      fs.writeFileSync(file, whole.subarray(0, cut));
      const { code, stderr } = commit();
      const why = `The before-commit gate is broken, so this commit is refused: its compiled file is not complete (${file})`;
      const ways = "Mend it: gatepost doctor --fix. Way round: git commit --no-verify";
      expect([cut, code, stderr.includes(`gatepost: ${why}. ${ways}\n`)]).toEqual([cut, 1, true]);
    }
    const made = fs.readdirSync(app.path).filter((name) => name !== ".git");
    expect(made.filter((name) => !["ran", "ran2"].includes(name))).toEqual([]);
    expect(world.gatepost(["doctor", "--fix"], { cwd: app.path }).code).toBe(0);
    expect(commit()).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("F2: Ctrl-C on a terminal", () => {
  // A terminal of its own, with git in the foreground of a shell, which outlives it as a person's does: whatever is still at
  // work when the first process of a terminal ends is told that the terminal is gone. A line on stdin types Ctrl-C, the
  // next closes the terminal.
  const terminal = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", 'trap : INT; "$@"; echo "code $?."; while read -r line; do :; done', "sh"] + sys.argv[1:])
sys.stdin.readline()
os.write(terminal, b"\\x03")
said = b""
while b"code " not in said or b"." not in said.split(b"code ", 1)[1]: said += os.read(terminal, 4096)
print(said.split(b"code ", 1)[1].split(b".", 1)[0].decode(), flush=True)
sys.stdin.readline()
`;

  it.for([
    ["before-commit", "exec cat"],
    ["commit-msg", "exec cat"],
    ["commit-msg", "trap : INT; cat"],
  ] as const)(
    "ends git and all of a %s hook (%s): 130, the message is kept, nothing is left running",
    async ([type, how], { skip }) => {
      if (world.run(["sh", "-c", "command -v python3"]).code !== 0) skip("python3 is needed to make a terminal");
      const name = `typed-${type}-${how.length}`;
      const app = gated(world, world.workTree(name));
      const [fifo, pids] = [world.at(`${name}.fifo`), world.at(`${name}.pids`)];
      world.run(["mkfifo", fifo]);
      app.hooks({ type, command: `echo $$ >>'${pids}'; ${how} <'${fifo}'` }, { type, command: "true" });
      const message = "typed with care\n\n  and two lines\n";
      fs.writeFileSync(world.at("message"), message);
      const words = ["git", "commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", world.at("message")];
      const child = spawn("python3", ["-c", terminal, ...words], {
        cwd: app.path,
        env: { ...process.env, ...world.env },
        stdio: ["pipe", "pipe", "inherit"],
      });
      let said = "";
      child.stdout.on("data", (chunk) => (said += chunk));
      const ended = new Promise((resolve) => child.once("close", resolve));
      const pid = await until(
        "the hook runs",
        () => (fs.existsSync(pids) && fs.readFileSync(pids, "utf8").trim()) || null,
      );
      const open = (): number | false => {
        try {
          return fs.openSync(fifo, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
        } catch {
          return false; // nobody reads yet
        }
      };
      const held = await until("it is read", () => open() || null);
      const named = (one: string): boolean => fs.readFileSync(`/proc/${one}/comm`, "utf8") === "cat\n";
      const children = () => fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
      await until("it reads", () => named(pid) || (/^\d+$/.test(children()) && named(children())));
      child.stdin.write("\n");
      expect(await until("git has ended", () => /^(\d+)\n/.exec(said)?.[1])).toBe("130");
      await until("the hook has ended", () => !fs.existsSync(`/proc/${pid}`));
      if (type === "commit-msg")
        expect(fs.readFileSync(join(app.path, ".git", "COMMIT_EDITMSG"), "utf8")).toBe(message);
      expect(world.run(["git", "rev-parse", "-q", "--verify", "HEAD"], { cwd: app.path }).code).toBe(1);
      expect(fs.readdirSync(join(app.home, "aux"))).toEqual([]);
      // Git does not wait for its hook when it is interrupted, and the gate writes its record as the last thing it does.
      const runs = await until("the gate is on record", () => {
        const { stdout } = world.gatepost(["runs", "--json"], { cwd: app.path });
        const listed = (JSON.parse(stdout) as { runs: { state: string; gate: { verdict: string } }[] }).runs;
        return listed.length > 0 && listed;
      });
      for (const run of runs)
        expect([run.state, run.gate.verdict]).toEqual([expect.not.stringMatching("running"), "interrupted"]);
      child.stdin.end("\n");
      await ended;
      fs.closeSync(held);
    },
  );
});

/** Two repositories made alike: one with gates, one with plain files of the same commands. */
type Twins = { gates: string; plain: string; app: Gated; hooks(type: string, native: string, command: string): void };

function twins(name: string, make: (folder: string) => string): Twins {
  const [gates, plain] = ["gates", "plain"].map((kind) => {
    fs.mkdirSync(world.at(`${name}-${kind}`));
    return make(world.at(`${name}-${kind}`));
  }) as [string, string];
  const app = gated(world, gates);
  const given: Given[] = [];
  return {
    gates,
    plain,
    app,
    hooks(type, native, command) {
      given.push({ type, command });
      app.hooks(...given);
      const folder = world.git(["rev-parse", "--path-format=absolute", "--git-path", "hooks"], { cwd: plain });
      fs.mkdirSync(folder, { recursive: true });
      fs.writeFileSync(join(folder, native), `#!/bin/sh\n${command}\n`, { mode: 0o755 });
    },
  };
}

const plainTree = (folder: string): string => {
  world.git(["init", "-q", "-b", "main", join(folder, "app")]);
  return join(folder, "app");
};

const neutral = (text: string): string => text.replaceAll(/-(gates|plain)\b/g, "-X");

/** What git did: its exit, and the commit's bytes, whose hash is the same where all of it is. */
function result(cwd: string, outcome: Outcome): unknown {
  const head = world.run(["git", "rev-parse", "-q", "--verify", "HEAD"], { cwd }).stdout;
  const said = neutral(outcome.stderr.replaceAll(/^gatepost: .*\n/gm, ""));
  return { code: outcome.code, said, head };
}

describe("F3: a message that a commit-msg hook", () => {
  const cases: [what: string, command: string, passes: boolean, text?: string | Buffer, config?: string[]][] = [
    ["rewrites", 'printf "other\\n" >"$1"', true],
    ["empties", ': >"$1"', false],
    ["removes", 'rm "$1"', false],
    ["makes a folder of", 'rm "$1"; mkdir "$1"', false],
    ["replaces by a link", 'cp "$1" "$1.real"; ln -sf "${1##*/}.real" "$1"', true],
    ["replaces by a link to nothing", 'ln -sf /nowhere/at/all "$1"', false],
    ["gives CR LF", 'printf "one\\r\\n\\r\\ntwo\\r\\n" >"$1"', true],
    ["gives a byte order mark", 'printf "\\357\\273\\277one\\n" >"$1"', true],
    ["gives a NUL", 'printf "one\\000two\\n" >"$1"', false],
    ["gives bytes that are no text", 'printf "caf\\351 \\377\\n" >"$1"', true],
    ["makes 4 MB of", 'head -c 4000000 /dev/zero | tr "\\0" x >"$1"', true],
    ["gets with 4 MB", 'grep -q xxx "$1"', true, "x".repeat(4_000_000)],
    ["gets with CR LF and a byte order mark", 'grep -q one "$1"', true, "\ufeffone\r\n\r\ntwo\r\n"],
    [
      "gets in Latin-1",
      'grep -q caf "$1"',
      true,
      Buffer.from("caf\xe9\n", "latin1"),
      ["i18n.commitEncoding=ISO-8859-1"],
    ],
    [
      "refuses in Latin-1",
      'grep -q none "$1"',
      false,
      Buffer.from("caf\xe9\n", "latin1"),
      ["i18n.commitEncoding=ISO-8859-1"],
    ],
  ];

  it.each(cases)(
    "%s is taken or refused as git does without us (%s)",
    (_what, command, passes, text = "one\n", config = []) => {
      const both = twins(`message-${cases.findIndex(([, one]) => one === command)}-${passes}`, plainTree);
      both.hooks("commit-msg", "commit-msg", command);
      fs.writeFileSync(world.at("text"), text);
      const words = [
        "git",
        ...config.flatMap((one) => ["-c", one]),
        "commit",
        "-q",
        "--allow-empty",
        "-F",
        world.at("text"),
      ];
      const [found, expected] = [both.gates, both.plain].map((cwd) =>
        result(cwd, world.run(words, { cwd, env: CLOCK })),
      );
      expect(found).toEqual(expected);
      expect((found as { code: number }).code === 0).toBe(passes);
      expect(both.app.verdicts()).toEqual([
        command.startsWith("grep -q none") ? "commit-msg refused, 1 refused 1" : "commit-msg pass, 1 pass 0",
      ]);
    },
  );

  it.skipIf(process.getuid?.() === 0)("makes unreadable is no message to git either", () => {
    const both = twins("unreadable", plainTree);
    both.hooks("commit-msg", "commit-msg", 'chmod 0 "$1"');
    const words = ["git", "commit", "-q", "--allow-empty", "-m", "m"];
    const [found, expected] = [both.gates, both.plain].map((cwd) => result(cwd, world.run(words, { cwd, env: CLOCK })));
    expect(found).toEqual(expected);
  });
});

describe("F4: the folder, the index and the message are git's", () => {
  const BASE = (folder: string, more = ""): string => {
    const app = plainTree(folder);
    fs.writeFileSync(join(app, "f"), "f\n");
    const script = `git add f && git commit -q -m base && ${more || "true"}`;
    expect(world.run(["sh", "-c", script], { cwd: app, env: CLOCK }).code).toBe(0);
    return app;
  };
  const places: [what: string, make: (folder: string) => string, run: string][] = [
    ["in an initial commit", plainTree, "echo n >n; git add n; git commit -q -m first"],
    ["in an initial commit of nothing", plainTree, "git commit -q --allow-empty -m first"],
    [
      "on a detached HEAD",
      (folder) => BASE(folder, "git checkout -q --detach"),
      "echo n >n; git add n; git commit -q -m m",
    ],
    ["with commit -n", BASE, "echo n >n; git add n; git commit -q -n -m m"],
    [
      "with GIT_INDEX_FILE",
      BASE,
      "cp .git/index .git/mine; export GIT_INDEX_FILE=$PWD/.git/mine; echo n >n; git add n; git commit -q -m m",
    ],
    [
      "with a relative GIT_INDEX_FILE",
      BASE,
      "mkdir d; cp .git/index mine; export GIT_INDEX_FILE=mine; echo n >d/n; git add d; git commit -q -m m",
    ],
    [
      "with GIT_DIR and GIT_WORK_TREE",
      BASE,
      'here=$PWD; echo n >n; cd ..; export GIT_DIR=$here/.git GIT_WORK_TREE=$here; git add "$here/n"; git commit -q -m m',
    ],
    [
      "with core.commentChar=auto",
      BASE,
      "git config core.commentChar auto; echo n >n; git add n; GIT_EDITOR='grep -q \"^; Please\"' git commit -q -e -m '#1 is done' ",
    ],
    [
      "in a partial clone",
      (folder) => {
        const from = BASE(
          folder,
          "echo old >old; git add old; git commit -q -m old; git rm -q old; git commit -q -m gone; git config uploadpack.allowFilter true",
        );
        world.git(["clone", "-q", "--filter=blob:none", `file://${from}`, join(folder, "clone")]);
        return join(folder, "clone");
      },
      "echo n >n; git add n; git commit -q -m m",
    ],
    [
      "in a revert that meets a conflict",
      (folder) => BASE(folder, "echo 2 >f; git commit -q -a -m two; echo 3 >f; git commit -q -a -m three"),
      "git revert HEAD~1 >/dev/null 2>&1; echo 4 >f; git add f; git commit -q --no-edit",
    ],
  ];

  it.each(places)("%s", (what, make, run) => {
    const both = twins(`place-${what.replaceAll(/\W/g, "-")}`, make);
    // Nothing that differs between the twins: the folder is told by what is in it.
    const look = (type: string) =>
      `{ echo ${type}; printf '%s\\n' "\${PWD##*/}" "$@"; git rev-parse --show-toplevel | sed 's,.*/,,'; git symbolic-ref -q HEAD; git ls-files --stage; ` +
      `git diff --cached --name-status; [ -z "\${1-}" ] || cat "$1"; } >>"$LOG"`;
    both.hooks("before-commit", "pre-commit", look("before-commit"));
    both.hooks("commit-msg", "commit-msg", look("commit-msg"));
    const logs = [both.gates, both.plain].map((cwd, n) => {
      const log = world.at(`log-${n}`);
      fs.writeFileSync(log, "");
      const outcome = world.run(["sh", "-c", run], { cwd, env: { ...CLOCK, LOG: log } });
      return { ...(result(cwd, outcome) as object), log: neutral(fs.readFileSync(log, "utf8")) };
    });
    expect(logs[0]).toEqual(logs[1]);
    expect(logs[0]).toMatchObject({ code: 0 });
    expect(logs[0]?.log.includes("before-commit\n")).toBe(what !== "with commit -n");
  });
});

describe("F6: what a gate is handed", () => {
  const zero = "0".repeat(40);
  const hash = "1".repeat(40);
  const line = (ref: string): string => `${zero} ${hash} ${ref}\n`;
  const many = (count: number): string => Array.from({ length: count }, (_, n) => line(`refs/heads/n${n}`)).join("");
  let server: Gated;
  beforeAll(() => {
    server = gated(world, world.bare("server.git"));
    server.hooks(
      { type: "before-receive", ref: ["guarded"], command: "exit 1" },
      { type: "before-receive", command: "true" },
    );
  });
  const hand = (input: string): Outcome =>
    world.run([join(server.path, "hooks", "pre-receive")], { cwd: server.path, env: { GIT_DIR: "." }, input });

  it("is judged where it is whole", () => {
    expect(hand(line("refs/heads/other"))).toMatchObject({ code: 0, stderr: "" });
    expect(hand(many(60))).toMatchObject({ code: 0, stderr: "" });
    expect(hand(line("refs/heads/guarded")).code).toBe(1);
    expect(server.verdicts()).toEqual([
      "before-receive pass, 1 skipped ref, 2 pass 0",
      "before-receive pass, 1 skipped ref, 2 pass 0",
      "before-receive refused, 1 refused 1, 2 not run",
    ]);
  });

  it.each([
    ["nothing at all", ""],
    ["an empty line", "\n"],
    ["a word", "garbage\n"],
    ["no ref", `${zero} ${hash}\n`],
    ["an empty ref", `${zero} ${hash} \n`],
    ["one value", `${hash} refs/heads/guarded\n`],
    ["a line that breaks off", line("refs/heads/guarded").trimEnd()],
    ["a whole line and one that breaks off", line("refs/heads/a") + line("refs/heads/guarded").trimEnd()],
    ["many lines and one that breaks off", many(30) + line("refs/heads/guarded").trimEnd()],
    ["25 lines and one that breaks off", many(25) + zero],
    ["a line of 300 KB", line(`refs/heads/${"x".repeat(300_000)}`)],
    ["a good line and one of 300 KB", line("refs/heads/a") + line(`refs/heads/${"x".repeat(300_000)}`)],
  ])("is refused, and never taken for nothing to check, where it is %s", (_what, input) => {
    expect(hand(input)).toEqual({
      code: 1,
      stdout: "",
      stderr:
        "gatepost: The before-receive gate is broken, so this push is refused: what git handed over could not be understood.\n",
    });
  });

  it("is refused by a push's own side as well where it breaks off", () => {
    const app = gated(world, world.workTree("pusher"));
    app.hooks({ type: "before-push", ref: ["guarded"], command: "exit 1" });
    const input = `refs/heads/main ${hash} refs/heads/guarded ${zero}`;
    const shim = [join(app.path, ".git", "hooks", "pre-push"), "origin", "url"];
    const { code, stderr } = world.run(shim, { cwd: app.path, input });
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("what git handed over could not be understood. Way round: git push --no-verify"),
    ]);
    expect(world.run(shim, { cwd: app.path, input: "" }).code, "a push may have nothing to push").toBe(0);
  });

  it("reaches hooks whole, were it 2 MB in 20,000 lines", () => {
    const [id] = server.hooks({ type: "before-receive", command: `cat >'${world.at("got")}'` });
    expect(id).toBeGreaterThan(0);
    const input = many(20_000);
    expect(hand(input)).toMatchObject({ code: 0, stderr: "" });
    expect(fs.readFileSync(world.at("got"), "utf8") === input).toBe(true);
  });
});
