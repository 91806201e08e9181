/** What the tests of the hook database share: `gatepost hook …` in a repository, and what the home then holds. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import type { Outcome, World } from "./cli.ts";

export type Audit = { uid: number; user: string; action: string; hook: number; old: unknown; new: unknown; at: number };

export type Hooks = {
  /** Runs `gatepost hook …` with the repository as the current folder. */
  hook(...args: string[]): Outcome;
  /** Adds an after-receive hook; the options come before its command. */
  add(command: string, ...options: string[]): Outcome;
  /** "id command" of each stored hook, in the order of ids. */
  stored(): string[];
  /** Rows of the audit, from the one with that number on. */
  audit(from?: number): Audit[];
  /** `<home>/hooks.json`. */
  file(): { gatepost: number; hooks: Record<string, unknown>[] };
  home: string;
};

/** The hooks of one registered repository, whose home is inside it unless given. */
export function hooksOf(world: World, repository: string, home = join(repository, "gatepost")): Hooks {
  const rows = <T>(sql: string): T[] => {
    const db = new SQLite(join(home, "gatepost.db"), { readonly: true });
    try {
      return db.prepare(sql).all() as T[];
    } finally {
      db.close();
    }
  };
  const hook = (...args: string[]): Outcome => world.gatepost(["hook", ...args], { cwd: repository });
  return {
    home,
    hook,
    add: (command, ...options) => hook("add", "--type", "after-receive", ...options, "--command", command),
    stored: () =>
      rows<{ id: number; command: string }>("SELECT id, command FROM hook ORDER BY id").map(
        ({ id, command }) => `${id} ${command}`,
      ),
    audit: (from = 1) =>
      rows<Audit & { old: string | null; new: string | null }>(
        `SELECT uid, user, action, hook, old, new, at FROM hook_audit WHERE id >= ${from} ORDER BY id`,
      ).map((row) => ({ ...row, old: JSON.parse(row.old ?? "null"), new: JSON.parse(row.new ?? "null") })),
    file: () => JSON.parse(readFileSync(join(home, "hooks.json"), "utf8")),
  };
}

/** Exit code, stderr, stdout, in the order in which a person asks. */
export const said = ({ code, stderr, stdout }: Outcome): [number | null, string, string] => [code, stderr, stdout];
