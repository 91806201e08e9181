/**
 * Repositories whose pre-commit and pre-merge-commit hook writes a commit description, under the shell of one's choice,
 * and compares what the caller must find unchanged.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { makeWorld, type Outcome, type World } from "../helpers/cli.ts";

const runtime = fileURLToPath(new URL("../../src/gate/runtime/describe.sh", import.meta.url));

const HOOK = `
_gatepost_gitdir=$(git rev-parse --git-dir)
export GATEPOST_REPOSITORY=$(cd -P "$(git rev-parse --git-common-dir)" && pwd)
. "$RUNTIME"
umask 077
: >"$OUT"
rm -f "$OUT.canary"
umask 027
set -u -f -C
IFS=:
trap 'echo interrupted' INT
set -- 'a b' '*'
state() { pwd; umask; trap; echo "$IFS $- $# $*"; for d in /proc/$$/fd/?; do echo "$d"; done; }
state >"$OUT.before"
_gatepost_why=none
eval "\${BREAK-}"
if _gatepost_describe "\${FILE-$OUT}"; then _gatepost_why=ok; fi
[ ! -e "$OUT.canary" ] || _gatepost_why=canary
echo "$_gatepost_why" >"$OUT.said"
state >"$OUT.after"
[ "$_gatepost_why" = ok ]
`;

/** What the hook wrote, in bytes as characters, without the lines that are the same for all of a repository's commits. */
export type Described = { head: string[]; lines: string[] };

export type Scene = {
  world: World;
  /** The repository's work tree. */
  dir: string;
  /** Runs a line of sh in the work tree, which must end well, and returns what it printed. */
  sh(script: string, cwd?: string): string;
  /** Runs git, which must call the hook, and returns the description. */
  describe(args: readonly string[], env?: Record<string, string>, cwd?: string): Described;
  /** The same for a description that fails: the cause. BREAK is a line of sh run before, FILE is written to. */
  cause(args: readonly string[], env?: Record<string, string>): string;
  /** Lets the hook run in another repository or work tree as well. */
  install(dir: string): void;
  /** The file the hook writes to. */
  out: string;
};

/** Makes a repository with the hook and no commit. */
export function makeScene(shell: readonly string[] = ["sh"], name = "app"): Scene {
  const world = makeWorld("gatepost-describe-");
  const [out, hooks] = [world.at("description"), world.at("hooks")];
  const interpreter = world.run(["sh", "-c", 'command -v "$1"', "sh", shell[0] ?? "sh"]).stdout.trim();
  mkdirSync(hooks);
  for (const hook of ["pre-commit", "pre-merge-commit"]) {
    writeFileSync(`${hooks}/${hook}`, `#!${[interpreter, ...shell.slice(1)].join(" ")}\n${HOOK}`);
    chmodSync(`${hooks}/${hook}`, 0o755);
  }
  const install = (dir: string): void => void world.git(["config", "core.hooksPath", hooks], { cwd: dir });
  const dir = world.workTree(name);
  install(dir);

  function call(args: readonly string[], more: Record<string, string>, cwd: string): Outcome {
    for (const file of [out, `${out}.said`]) rmSync(file, { force: true });
    const env = { RUNTIME: runtime, OUT: out, LC_ALL: "C.UTF-8", GIT_EDITOR: "true", ...more };
    const outcome = world.run(["git", ...args], { cwd, env });
    if (!existsSync(`${out}.said`)) throw new Error(`git ${args.join(" ")} called no hook: ${outcome.stderr}`);
    const [before, after] = ["before", "after"].map((when) => readFileSync(`${out}.${when}`, "latin1"));
    for (const when of ["before", "after"]) rmSync(`${out}.${when}`);
    if (before !== after) throw new Error(`the caller's state changed:\n${before}\n${after}`);
    return outcome;
  }
  const said = (): string => readFileSync(`${out}.said`, "latin1").trimEnd();

  return {
    world,
    dir,
    out,
    install,
    sh(script, cwd = dir) {
      const env = { GIT_EDITOR: "true", GIT_ALLOW_PROTOCOL: "file" };
      const { code, stdout, stderr } = world.run(["sh", "-ec", script], { cwd, env });
      if (code !== 0) throw new Error(`${script}: ${stderr}`);
      return stdout.trimEnd();
    },
    describe(args, env = {}, cwd = dir) {
      const { stderr } = call(args, env, cwd);
      if (said() !== "ok") throw new Error(`not described: ${said()}: ${stderr}`);
      const text = readFileSync(out, "latin1");
      if (!text.endsWith("\ncheckin-comment\n")) throw new Error(`without its last line: ${text}`);
      const lines = text.split("\n").slice(0, -2);
      return { head: lines.slice(0, 3), lines: lines.slice(3) };
    },
    cause(args, env = {}) {
      call(args, env, dir);
      return said();
    },
  };
}
