/**
 * The completion scripts in the shells that read them. bash is called the way it calls a function of completion itself,
 * and once at a terminal; fish by its own `complete -C`; zsh at a terminal, which is the only way to it.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildProgram } from "../../src/cli/program.ts";
import { makeWorld, program } from "../helpers/cli.ts";

const world = makeWorld();
afterAll(() => world.remove());

const has = (shell: string): boolean => spawnSync(shell, ["-c", "exit 0"]).status === 0;
const PATH = `${world.at("bin")}:${world.env["PATH"]}`;

/** A name that runs something where a shell evaluates it. */
const EVIL = "$(touch evil)`touch evil`;touch evil.git";

beforeAll(() => {
  fs.mkdirSync(world.at("bin"));
  fs.symlinkSync(program, world.at("bin/gatepost"));
  const home = world.at("my home");
  for (const name of ["app.git", "two words.git", "it's.git", EVIL]) {
    const { code, stderr } = world.gatepost(["init", "--home", home, world.bare(name)]);
    expect(stderr.includes("gatepost:"), stderr).toBe(false);
    expect(code).toBe(0);
  }
  for (const [name, type] of [
    ["ci", "after-receive"],
    ["check", "before-receive"],
  ] as const)
    world.gatepost([
      "hook",
      "add",
      "--home",
      home,
      "--all",
      "--name",
      name,
      "--type",
      type,
      "--command",
      "$(touch evil)",
    ]);
  for (const shell of ["bash", "zsh", "fish"])
    fs.writeFileSync(world.at(`script.${shell}`), world.gatepost(["completion", shell]).stdout);
  fs.symlinkSync(home, world.at("home"));
});

/** What bash offers for the line, as words that it would put on the line in place of what is there since its last cut. */
function bash(line: string): string[] {
  const calling = `COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'; COMP_LINE=$1 COMP_POINT=\${#1}; source script.bash
    _gatepost; ((\${#COMPREPLY[@]} == 0)) || printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = world.run(["bash", "-c", calling, "bash", line], { env: { PATH } });
  // A function of completion may ask readline for files only while readline calls it.
  expect(stderr.replace(/.*compopt: not currently executing completion function\n/g, "")).toBe("");
  return stdout.split("\n").filter((word) => word !== "");
}

/** What fish offers. */
function fish(line: string): string[] {
  const { stdout, stderr } = world.run(
    ["fish", "--no-config", "-c", "source script.fish; complete -C $argv[1]", line],
    {
      env: { PATH },
    },
  );
  expect(stderr).toBe("");
  return stdout.split("\n").flatMap((word) => (word === "" ? [] : [word.replace(/\t.*/, "")]));
}

/** Types at the terminal of an interactive shell, presses TAB once and Enter, and returns the words that `gatepost` was
 *  then called with. The terminal is Python's, the program a script that notes its words. */
function typed(shell: "bash" | "zsh", line: string): string[] {
  fs.rmSync(world.at("called"), { force: true });
  fs.mkdirSync(world.at("noting"), { recursive: true });
  const noting = `#!/bin/sh
case $1 in complete) exec '${process.execPath}' '${program}' "$@" ;; esac
printf '%s\\n' "$@" > '${world.at("called.new")}' && mv '${world.at("called.new")}' '${world.at("called")}'\n`;
  fs.writeFileSync(world.at("noting/gatepost"), noting, { mode: 0o755 });
  const start = shell === "bash" ? ["bash", "--norc", "--noprofile", "-i"] : ["zsh", "-f", "-i"];
  const load = shell === "bash" ? "source ./script.bash" : "autoload -Uz compinit; compinit -u -D; source ./script.zsh";
  const driver = `
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(PS1="ready> ", TERM="dumb", INPUTRC="/dev/null")
    os.execvp(sys.argv[3], sys.argv[3:])
seen = b""
def until(what):
    global seen
    end = time.time() + 30
    while what not in seen and time.time() < end:
        if select.select([fd], [], [], 0.2)[0]: seen += os.read(fd, 4096)
    if what not in seen: sys.exit("not seen: %r in %r" % (what, seen))
    seen = seen.split(what, 1)[1]
until(b"ready> ")
os.write(fd, (sys.argv[1] + "; echo lo''aded\\r").encode()); until(b"loaded")
until(b"ready> ")
os.write(fd, (sys.argv[2] + "\\t").encode())
# The shell reads what follows when it is done with the TAB.
os.write(fd, b"\\recho o''ver\\r"); until(b"over")
os.write(fd, b"exit\\r")
`;
  const { stderr, code } = world.run(["python3", "-c", driver, load, line, ...start], {
    env: { PATH: `${world.at("noting")}:${world.env["PATH"]}` },
  });
  expect([stderr, code]).toEqual(["", 0]);
  return fs.readFileSync(world.at("called"), "utf8").split("\n").slice(0, -1);
}

const SHELLS = [
  ["bash", bash, (word: string) => word],
  ["fish", fish, (word: string) => word],
] as const;

describe.for(SHELLS)("in %s", ([shell, offered]) => {
  const there = has(shell);

  it.skipIf(!there)("every command and option of the program can be completed", () => {
    const all = buildProgram();
    const shown = all.createHelp().visibleCommands(all);
    expect(offered("gatepost ").sort()).toEqual(shown.map((command) => command.name()).sort());
    expect(offered("gatepost hook d")).toEqual(expect.arrayContaining(["delete", "disable"]));
    expect(offered("gatepost hook delete --")).toEqual(expect.arrayContaining(["--repository", "--home", "--help"]));
    expect(offered("gatepost hook add --ti")).toEqual(["--timeout"]);
    expect(offered("gatepost help hook ad")).toEqual(["add"]);
  });

  it.skipIf(!there)("choices, types and settings are offered, behind shortened commands too", () => {
    expect(offered("gatepost hook import --from le")).toEqual(["lefthook"]);
    expect(offered("gatepost ho a --type before-r")).toEqual(["before-receive", "before-ref"]);
    expect(offered("gatepost hook add --stdin ").sort()).toEqual(["artifacts", "paths", "updates"]);
    expect(offered("gatepost settings dur")).toEqual(["durable-spool"]);
    expect(offered("gatepost settings window ")).toEqual(["all"]);
    expect(offered("gatepost hook edit ci --unset time")).toEqual(["timeout"]);
  });

  it.skipIf(!there)("names come from the home that the line names, whatever way it is written", () => {
    const want = ["ci", "check"].sort();
    for (const home of ['"my home"', "my\\ home", "'my home'", "home"])
      expect(offered(`gatepost hook edit --home ${home} c`).sort(), home).toEqual(want);
    expect(offered("gatepost hook test --home=home ch")).toEqual(["check"]);
    expect(offered("gatepost hook disable --home home ci al")).toEqual(["all"]);
    expect(offered("gatepost runs --home home --hook c").sort()).toEqual(want);
    expect(offered("gatepost runs --home home -R ap")).toEqual(["app.git"]);
  });

  it.skipIf(!there)("nothing on the line and nothing in the home is evaluated", () => {
    for (const line of [
      "gatepost runs --home home -R ",
      "gatepost hook edit --home $(touch evil) ",
      "gatepost hook edit --home home ",
    ])
      offered(line);
    expect(offered("gatepost runs --home home --repository=").length).toBe(4);
    offered('gatepost hook edit --home "`touch evil`" c');
    offered("gatepost hook edit --home $(touch evil");
    expect(fs.existsSync(world.at("evil"))).toBe(false);
  });

  it.skipIf(!there)("where there is no home, nothing is offered and nothing is said", () => {
    expect(offered("gatepost hook edit ")).toEqual(["all"]);
    expect(offered("gatepost runs show --home nowhere ")).toEqual([]);
    expect(offered("gatepost nonsense ")).toEqual([]);
  });
});

describe("what bash puts on the line", () => {
  it("takes up where bash cuts, which is at a colon", () => {
    expect(bash("gatepost hook add --type git:post-m")).toEqual(["post-merge"]);
    expect(bash("gatepost hook add --type=git:post-m")).toEqual(["post-merge"]);
    expect(bash("gatepost hook add --type on:p")).toEqual(["parked"]);
    expect(bash('gatepost hook add --type "git:post-m')).toEqual(["git:post-merge"]);
    expect(bash("gatepost hook add --type git\\:post-m")).toEqual(["git:post-merge"]);
  });

  it("is quoted the way the word was begun", () => {
    expect(bash("gatepost runs --home home -R two")).toEqual(["two\\ words.git"]);
    expect(bash('gatepost runs --home home -R "two')).toEqual(["two words.git"]);
    expect(bash("gatepost runs --home home -R 'it")).toEqual(["it'\\''s.git"]);
    expect(bash('gatepost runs --home home -R "\\$(')).toEqual(["\\$(touch evil)\\`touch evil\\`;touch evil.git"]);
  });
});

describe.for(["bash", "zsh"] as const)("at a terminal with %s", (shell) => {
  const there = has(shell);
  it.skipIf(!there).for([
    ["gatepost ho", ["hook"]],
    ["gatepost hook add --type git:post-m", ["hook", "add", "--type", "git:post-merge"]],
    ["gatepost hook add --type=git:post-m", ["hook", "add", "--type=git:post-merge"]],
    ["gatepost runs --home my\\ home -R tw", ["runs", "--home", "my home", "-R", "two words.git"]],
    ["gatepost runs --home home -R 'it", ["runs", "--home", "home", "-R", "it's.git"]],
    ["gatepost runs --home home -R \\$", ["runs", "--home", "home", "-R", EVIL]],
    ['gatepost runs --home home -R "\\$', ["runs", "--home", "home", "-R", EVIL]],
    ["gatepost hook edit --home home che", ["hook", "edit", "--home", "home", "check"]],
    ["gatepost runs --home my", ["runs", "--home", "my home"]],
  ] as const)("TAB after %s gives one whole word", ([line, words]) => {
    // zsh takes the slash after a folder away again when the line is entered.
    expect(typed(shell, line).map((word) => word.replace(/\/$/, ""))).toEqual(words);
    expect(fs.existsSync(world.at("evil"))).toBe(false);
  });
});

describe("the command that the scripts ask", () => {
  it("never fails and never says anything but candidates", () => {
    for (const words of [
      [],
      ["hooks"],
      ["nonsense", "--", "x"],
      ["runs", "--", "--home"],
      ["hooks", "--", "--home", ""],
    ])
      expect(world.gatepost(["complete", ...words]), words.join(" ")).toEqual({ stdout: "", stderr: "", code: 0 });
  });

  it("changes nothing in the home", () => {
    const state = (): string[] =>
      (fs.readdirSync(world.at("my home"), { recursive: true }) as string[])
        .map((file) => `${file} ${fs.statSync(world.at("my home", file)).mtimeMs}`)
        .filter((line) => !/^gatepost\.db-|^aux |^\. /.test(line))
        .sort();
    fs.rmSync(world.at("my home/bin/gatepost"));
    const before = state();
    for (const kind of ["hooks", "runs", "repositories"]) world.gatepost(["complete", kind, "--", "--home", "home"]);
    expect(state()).toEqual(before);
  });

  it("offers no name that would break a line of its answer", () => {
    const strange = world.at("strange");
    world.gatepost(["init", "--home", strange, world.bare("a\nb.git"), world.bare("plain.git")]);
    const { stdout } = world.gatepost(["complete", "repositories", "--", "--home", strange]);
    expect(stdout).toBe(`plain.git\t${world.at("plain.git")}\n`);
  });

  it("is named in no help", () => {
    expect(world.gatepost(["--help"]).stdout).not.toMatch(/^ {2}complete\b/m);
    expect(world.gatepost(["comp", "bash"]).stdout).toContain("complete -F _gatepost gatepost");
  });
});
