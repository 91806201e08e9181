/** What the tests of `hook import --from` share. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "vitest";
// @ts-expect-error: benchmarks are plain JavaScript
import { peers as installed } from "../../bench/lib/peers.mjs";
import type { Outcome, World } from "../helpers/cli.ts";

export type Peers = { husky: string; lefthook: string; simpleGitHooks: string };
export const peers = installed as () => Promise<Peers | null>;

export type Json = { name: string; type: string; sequence: number; command: string } & Record<string, unknown>;
export type Plan = { hooks: Json[]; left: { what: string; why: string }[]; next: string[] };

export type Importing = {
  root: string;
  /** Writes a file below the work tree's root, executable if it begins with #!. */
  write(file: string, text: string): void;
  /** What `hook import --from` would do. */
  plan(source: string, ...args: string[]): Plan;
  /** Runs `hook import --from`. */
  run(source: string, ...args: string[]): Outcome;
  /** Runs `gatepost hook …` in the repository. */
  hook(...args: string[]): Outcome;
  /** Stages everything and commits; what the commit wrote to the file `log` of the world, which is emptied before. */
  commit(files?: Readonly<Record<string, string>>, message?: string): { log: string[]; outcome: Outcome };
};

/** A registered repository with a work tree to import into. */
export function importing(world: World, name: string): Importing {
  const root = world.workTree(name);
  expect(world.gatepost(["init", root]).code).toBe(0);
  const run = (source: string, ...args: string[]) =>
    world.gatepost(["hook", "import", "--from", source, ...args], { cwd: root });
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text, { mode: text.startsWith("#!") ? 0o755 : 0o644 });
  };
  const logFile = world.at(`${name}.log`);
  return {
    root,
    write,
    run,
    hook: (...args) => world.gatepost(["hook", ...args], { cwd: root }),
    plan(source, ...args) {
      const { code, stdout, stderr } = run(source, "--dry-run", "--json", ...args);
      expect([code, stderr]).toEqual([0, ""]);
      return JSON.parse(stdout);
    },
    commit(files = {}, message = "m") {
      for (const [file, text] of Object.entries(files)) write(file, text);
      rmSync(logFile, { force: true });
      world.git(["add", "-A"], { cwd: root });
      const outcome = world.run(["git", "commit", "-q", "--allow-empty", "-m", message], {
        cwd: root,
        env: { LOG: logFile },
      });
      const log = existsSync(logFile) ? readFileSync(logFile, "utf8").trimEnd().split("\n") : [];
      return { log, outcome };
    },
  };
}
