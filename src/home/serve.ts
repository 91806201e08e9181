/** Which homes a backoffice works on, and the context it gets for each. */
import { existsSync, statSync } from "node:fs";
import type { Bell } from "../backoffice/bell.ts";
import { emptyMemory, type HomeContext, type Log, type Progress, type Roots } from "../backoffice/context.ts";
import type { FunctionCall } from "../backoffice/function-hook.ts";
import { GatepostError } from "../core/errors.ts";
import type { Kind } from "../core/hook-type.ts";
import { settingsFrom } from "../core/settings.ts";
import type { RepositoryRow } from "../store/repository.ts";
import { readSetting, readSettings } from "../store/setting.ts";
import { openFossil } from "../vcs/fossil.ts";
import { openGit } from "../vcs/git.ts";
import type { Repository } from "../vcs/repository.ts";
import { keptSentence, takeEdited } from "./edited.ts";
import { requireFolders } from "./folders.ts";
import { bringFossilInLine } from "./fossil-gates.ts";
import { refreshGates } from "./gates.ts";
import { abandonedHandovers, finishHandover } from "./handover.ts";
import { isListNoteLeft } from "./lists-note.ts";
import { locate } from "./locate.ts";
import { closeHome, homeId, type OpenHome, openHome, requireRunnable } from "./open.ts";
import { isRegistered, readRegister } from "./register.ts";
import { sayNews } from "./said.ts";
import { missingShims } from "./vanished.ts";

/** What a backoffice of one home needs besides the home itself. */
export type Surroundings = {
  functions: ReadonlyMap<string, FunctionCall>;
  bell: Bell;
  hurry?: AbortSignal;
  log: Log;
  progress: Progress;
  /** Looks below the roots of a home, for whoever is to register what was made there (root-look.ts). */
  findNew?: (home: OpenHome, log: Log, inLine: () => Promise<void>) => Roots;
};

const NO_ROOTS: Roots = { haveNew: () => false, register: async () => {}, folders: () => [] };

/** The context of an open home, with its settings as of now. */
export function contextOf(home: OpenHome, { findNew, ...around }: Surroundings): HomeContext {
  const opened = new Map<string, Repository>();
  const ctx: HomeContext = {
    layout: home.layout,
    db: home.db,
    settings: settingsFrom(readSettings(home.db)),
    incarnation: readSetting(home.db, "incarnation") ?? "a",
    uid: statSync(home.dir).uid,
    memory: emptyMemory(),
    isOutOfLine: () =>
      existsSync(home.layout.stale) || isListNoteLeft(home.layout) || abandonedHandovers(home).length > 0,
    missingShims: (of) => missingShims(home, of),
    refreshGates: async () => {
      refreshGates(home);
      sayNews(home, "lists", await mendFossil(home, 2000), (message) => around.log("error", message));
      for (const path of takeEdited()) around.log("error", keptSentence(path));
    },
    roots: findNew?.(home, around.log, () => ctx.refreshGates()) ?? NO_ROOTS,
    open: (row) => {
      const known = opened.get(row.path);
      if (known !== undefined) return known;
      const repository = openRepository(row);
      opened.set(row.path, repository);
      return repository;
    },
    ...around,
  };
  return ctx;
}

/** Brings the hook lists of Fossil repositories in line, and ends what a death left open. Returns what went wrong. */
export async function mendFossil(home: OpenHome, patience?: number): Promise<string[]> {
  const wrong = (await bringFossilInLine(home, { all: true, ...(patience === undefined ? {} : { patience }) })).map(
    ({ message }) => message,
  );
  for (const row of abandonedHandovers(home))
    try {
      await finishHandover(home, row);
    } catch (error) {
      if (!(error instanceof GatepostError)) throw error;
      wrong.push(error.message);
    }
  return wrong;
}

const openers: Partial<Record<Kind, (row: RepositoryRow) => Repository>> = {
  git: (row) => openGit(row.path),
  fossil: (row) => openFossil(row.path),
};

/** The read-only view of a repository. */
export function openRepository(row: RepositoryRow): Repository {
  const opener = openers[row.kind];
  if (opener === undefined) throw new GatepostError("GP_BUG", `No way to read ${row.kind} repositories.`);
  return opener(row);
}

/**
 * The homes that a call names: of each repository, each path that is a home, `--home`; without any, the home of the
 * current folder's repository, else every home in this user's register. Those named are run because their owner named
 * them; those from the register because they stand in it. Of several paths, one that is wrong does not keep the others
 * from being served; a single one is an error.
 */
export function homesFor(paths: readonly string[], home: string | undefined, cwd: string): Homes {
  if (home !== undefined) return { homes: [locate({ home, cwd }).home], failures: [] };
  if (paths.length > 0) return homesOf(paths, cwd);
  try {
    return { homes: [locate({ cwd }).home], failures: [] };
  } catch (error) {
    if (!(error instanceof GatepostError) || error.code !== "GP_NO_REPOSITORY") throw error;
  }
  const registered = readRegister().map(({ path }) => path);
  if (registered.length > 0) return { homes: registered, failures: [] };
  throw new GatepostError("GP_NO_HOME", "No repository is registered yet.", {
    hint: "Register one: gatepost init PATH",
  });
}

/** The homes that a call means, and what is wrong with others that it named. */
export type Homes = { homes: string[]; failures: GatepostError[] };

function homesOf(paths: readonly string[], cwd: string): Homes {
  const homes = new Set<string>();
  const failures: GatepostError[] = [];
  for (const path of paths) {
    try {
      homes.add(locate({ repository: path, cwd }).home);
    } catch (error) {
      if (!(error instanceof GatepostError) || paths.length === 1) throw error;
      failures.push(error);
    }
  }
  return { homes: [...homes], failures };
}

/** Opens a home in order to run its hooks; refuses one that was copied, moved, or is another user's. With `automatic`
 *  it must stand in the register too, since then no person named it. */
export function openToRun(dir: string, automatic = false): OpenHome {
  const home = openHome(dir);
  try {
    requireRunnable(home);
    requireFolders(home.layout);
    if (automatic && !isRegistered({ id: homeId(home), path: dir }))
      throw new GatepostError(
        "GP_HOME_MOVED",
        `The home ${dir} is not in this user's register. Its hooks do not run.`,
        {
          hint: "If they shall: gatepost init REPOSITORY",
        },
      );
    return home;
  } catch (error) {
    closeHome(home);
    throw error;
  }
}
