/** What the tests of installing share: repositories registered in this process, what stands in their hooks folders, and
 *  hooks that note that they ran. */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { DEFAULT_SEQUENCE, type HookSpec, NO_OPTIONS, type Scope } from "../../src/core/hook.ts";
import { addHook, type deleteHooks, type disableHooks } from "../../src/home/hooks.ts";
import { register } from "../../src/home/init.ts";
import { closeHome, openHome } from "../../src/home/open.ts";
import { uninstall } from "../../src/home/uninstall.ts";
import { listHooks } from "../../src/store/hook.ts";
import { listRepositories } from "../../src/store/repository.ts";
import type { Outcome, World } from "./cli.ts";

export type Hooking = { home: string; path: string };

/** Registers a repository; a pass is never started by itself. */
export async function registered(path: string, home: string | null = null): Promise<Hooking> {
  const done = await register(path, home);
  fs.writeFileSync(join(done.home, "manual"), "");
  return { home: done.home, path: done.repository.path };
}

export function withHome<T>({ home }: Hooking, work: (open: ReturnType<typeof openHome>) => T): T {
  const open = openHome(home);
  try {
    return work(open);
  } finally {
    closeHome(open);
  }
}

export const everyHook = (at: Hooking, work: typeof deleteHooks | typeof disableHooks) =>
  withHome(at, (home) => void work(home, listHooks(home.db)));

/** Adds a hook to the repository, or where `scope` says. */
export const add = (at: Hooking, command: string, type = "before-commit", scope?: Scope) =>
  withHome(at, (home) => {
    const row = listRepositories(home.db).find(({ path }) => path === at.path);
    const own: Scope = { scope: "repository", repository: row?.id ?? (0 as never) };
    const spec: HookSpec = {
      ...NO_OPTIONS,
      name: null,
      type,
      sequence: DEFAULT_SEQUENCE,
      command,
      scope: scope ?? own,
    };
    return addHook(home, spec).id;
  });

export const takeOut = async (at: Hooking) => {
  const home = openHome(at.home);
  try {
    const row = listRepositories(home.db).find(({ path }) => path === at.path);
    if (row === undefined) throw new Error("not registered");
    return await uninstall(home, row, false);
  } finally {
    closeHome(home);
  }
};

/** All that is in a hooks folder but git's samples: mode, and bytes or the text of the link. */
export function contents(folder: string, below = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of fs.readdirSync(join(folder, below)).sort()) {
    if (name.endsWith(".sample")) continue;
    const place = join(below, name);
    const stat = fs.lstatSync(join(folder, place));
    const mode = (stat.mode & 0o7777).toString(8);
    if (stat.isSymbolicLink()) found[place] = `link ${fs.readlinkSync(join(folder, place))}`;
    else if (stat.isDirectory()) Object.assign(found, { [place]: `folder ${mode}` }, contents(folder, place));
    else found[place] = `${mode} ${fs.readFileSync(join(folder, place)).toString("hex")}`;
  }
  return found;
}

export const natives = (folder: string): string[] =>
  fs.readdirSync(folder).filter((name) => !name.endsWith(".sample") && name !== "gatepost");

export function put(file: string, text: string, mode = 0o755): string {
  fs.mkdirSync(dirname(file), { recursive: true });
  fs.writeFileSync(file, text, { mode });
  fs.chmodSync(file, mode);
  return file;
}

export type Log = {
  /** A command that notes that it ran. */
  notes(word: string): string;
  /** What was noted since this was last asked. */
  noted(): string[];
  /** What was noted by a commit that had to go well. */
  committing(cwd: string): string[];
  /** How a commit went. */
  commit(cwd: string): Outcome;
};

/** Hooks note here that they ran. */
export function logIn(world: World): Log {
  const log = world.at("log");
  const noted = (): string[] => {
    const lines = fs.existsSync(log) ? fs.readFileSync(log, "utf8").split("\n").slice(0, -1) : [];
    fs.rmSync(log, { force: true });
    return lines;
  };
  return {
    notes: (word) => `echo ${word} >>'${log}'`,
    noted,
    committing(cwd) {
      noted();
      world.git(["commit", "-q", "--allow-empty", "-m", "m"], { cwd });
      return noted();
    },
    commit: (cwd) => world.run(["git", "commit", "-q", "--allow-empty", "-m", "m"], { cwd }),
  };
}
