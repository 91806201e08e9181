/**
 * Gates that stand by themselves: the real shims and compiled files in a folder that looks like a repository, with any
 * shell in place of /bin/sh. No git and no database, so that hundreds of gates can be asked in a second.
 */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Hook, type HookSpec, NO_OPTIONS } from "../../src/core/hook.ts";
import type { HookId } from "../../src/core/units.ts";
import { compileGate } from "../../src/gate/compile.ts";
import { gatePlace, installGates } from "../../src/shim/install.ts";
import { type GateEntry, parseGateEntry } from "../../src/spool/gate-entry.ts";

/** What may be /bin/sh. */
export const STAND_SHELLS = ["dash", "bash", "busybox"] as const;
export type StandShell = (typeof STAND_SHELLS)[number];

const NATIVES = { "before-commit": "pre-commit", "commit-msg": "commit-msg", "before-receive": "pre-receive" } as const;
type Standing = keyof typeof NATIVES;

/** What is asked: what git hands over, and of whom. */
export type Asked = {
  uid?: number | null;
  input?: string | Buffer;
  args?: readonly string[];
  env?: Record<string, string>;
};
export type Answer = { code: number; stdout: string; stderr: string };

export const hookOf = (type: string, id: number, given: Partial<HookSpec> & { command: string }): Hook => ({
  ...NO_OPTIONS,
  name: null,
  scope: { scope: "all" },
  sequence: 10,
  ...given,
  type,
  id: id as HookId,
});

/** One repository with gates, for one shell. */
export class Stand {
  readonly dir: string;
  /** The work tree; hooks run here. */
  readonly tree: string;
  readonly git: string;
  readonly home: string;
  /** The shell under the name sh, which is how bash knows that it is to behave like one. */
  readonly sh: string;
  readonly env: Record<string, string>;

  constructor(shell: StandShell) {
    this.dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), `gatepost-${shell}-`)));
    this.tree = join(this.dir, "app");
    this.git = join(this.tree, ".git");
    this.home = join(this.git, "gatepost");
    for (const name of ["gates", "spool", "aux"]) fs.mkdirSync(join(this.home, name), { recursive: true });
    fs.writeFileSync(join(this.git, "HEAD"), "ref: refs/heads/main\n");
    fs.mkdirSync(join(this.dir, "bin"));
    this.sh = join(this.dir, "bin", "sh");
    const found = spawnSync("sh", ["-c", `command -v ${shell}`], { encoding: "utf8" }).stdout.trim();
    fs.symlinkSync(found, this.sh);
    this.env = {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: join(this.dir, "user"),
      LC_ALL: "C",
      GIT_CONFIG_GLOBAL: "/dev/null",
    };
    installGates(this.hooks, Object.values(NATIVES));
    for (const native of [...Object.values(NATIVES).map(gatePlace), "gatepost/gate.sh"]) {
      const text = fs.readFileSync(join(this.hooks, native), "latin1");
      fs.writeFileSync(join(this.hooks, native), this.#own(text), "latin1");
    }
  }

  get hooks(): string {
    return join(this.git, "hooks");
  }

  /** The same text for this shell: ours name no other than /bin/sh. */
  #own(text: string): string {
    return text.replace(/^#!\/bin\/sh/, `#!${this.sh}`).replaceAll(/(exec|") \/bin\/sh -c/g, `$1 ${this.sh} -c`);
  }

  compiledFile(type: Standing): string {
    return join(this.home, "gates", type);
  }

  /** Compiles these hooks, whose ids are their places from 1, and returns the text of the compiled file. */
  compile(type: Standing, hooks: readonly (Partial<HookSpec> & { command: string })[]): string {
    const all = hooks.map((given, n) => hookOf(type, n + 1, given));
    const text = this.#own(compileGate(type, all, { path: this.env["PATH"] ?? "", auxiliary: null }));
    fs.writeFileSync(this.compiledFile(type), text);
    return text;
  }

  /** Calls the shim as git does. */
  ask(type: Standing, { input = "", args = [], env = {}, uid = null }: Asked = {}): Answer {
    const who = uid === null ? {} : { uid, gid: uid };
    return answer(spawnSync(`.git/hooks/${NATIVES[type]}`, args, { ...this.#options(input, env), ...who }));
  }

  /** Cuts a file after each of these numbers of bytes and asks; returns the exit codes, and leaves the file whole. */
  cut(file: string, sizes: readonly number[], type: Standing, env: Record<string, string> = {}): number[] {
    const whole = fs.readFileSync(file);
    const mode = fs.statSync(file).mode;
    const loop = `while read -r size; do
      head -c "$size" "$2" >"$1"
      ".git/hooks/$3" message </dev/null >/dev/null 2>&1
      echo $?
    done`;
    const kept = join(this.dir, "whole");
    fs.writeFileSync(kept, whole);
    fs.rmSync(file); // hard links of it stay whole
    fs.writeFileSync(file, "", { mode });
    const options = this.#options(sizes.map((size) => `${size}\n`).join(""), env);
    const { stdout } = spawnSync("/bin/sh", ["-c", loop, "sh", file, kept, NATIVES[type]], options);
    fs.writeFileSync(file, whole);
    return stdout.trim().split("\n").map(Number);
  }

  /** Runs `sh -c TEXT sh ARGS` in the same place. */
  plain(text: string, { input = "", args = [], env = {} }: Asked = {}): Answer {
    return answer(spawnSync(this.sh, ["-c", text, "sh", ...args], this.#options(input, env)));
  }

  #options(input: string | Buffer, env: Record<string, string>) {
    const options = { cwd: this.tree, env: { ...this.env, ...env }, input, timeout: 20_000, maxBuffer: 1e9 } as const;
    return { ...options, encoding: "latin1" } as const;
  }

  /** Everything in the work tree: kind, mode and content by name. */
  files(): Record<string, string> {
    const found: Record<string, string> = {};
    for (const name of (fs.readdirSync(this.tree, { recursive: true }) as string[]).sort()) {
      if (name === ".git" || name.startsWith(".git/")) continue;
      const file = join(this.tree, name);
      const stat = fs.lstatSync(file);
      found[name] = `${stat.mode.toString(8)} ${stat.isFile() ? fs.readFileSync(file, "latin1") : ""}`;
    }
    return found;
  }

  /** Takes all of that away. */
  sweep(): void {
    for (const name of fs.readdirSync(this.tree))
      if (name !== ".git") fs.rmSync(join(this.tree, name), { recursive: true, force: true });
  }

  get log(): string {
    return join(this.home, "spool", "gates");
  }

  /** What gates have recorded since this was last asked; a record that cannot be read is an error. */
  records(): GateEntry[] {
    const texts = fs
      .readFileSync(this.log, "latin1")
      .split(/^\n(?=gatepost 1\n)/m)
      .filter((text) => text !== "");
    return texts.map((text) => {
      const parsed = parseGateEntry(Buffer.from(text, "latin1"));
      if (parsed.state !== "whole") throw new Error(`a gate record is ${JSON.stringify(parsed)}:\n${text}`);
      return parsed.entry;
    });
  }

  remove(): void {
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

const SIGNALS: Record<string, number> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGPIPE: 13, SIGTERM: 15 };

/** The exit status as a shell would tell it: 128 and the number of the signal. */
function answer({ status, signal, stdout, stderr, error }: SpawnSyncReturns<string>): Answer {
  if (error !== undefined && (error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
  return { code: status ?? 128 + (SIGNALS[signal ?? ""] ?? 0), stdout, stderr };
}
