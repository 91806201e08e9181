/**
 * `init`: registers repositories. For each one: find it, make or open its home, write it into the home's table with
 * every ref at its present value, and put the shims into its hooks folder. Calling it again changes nothing that is as it
 * should be, and mends what is not: a shim that is gone, a home that was moved.
 */
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { HOME_NAME, layout, pointerText } from "../core/layout.ts";
import type { Instant } from "../core/units.ts";
import { closedBecause, installShims, PUSH_RECEIVER } from "../shim/install.ts";
import { closeDatabase, openDatabase, write } from "../store/database.ts";
import { clearLedger, putRef } from "../store/ref.ts";
import {
  addRepository,
  type HooksFolder,
  hooksFolders,
  listRepositories,
  noteLook,
  placeRepository,
  putHooksFolders,
  type RepositoryRow,
  repositoryById,
  repositoryByPath,
} from "../store/repository.ts";
import { hooksFoldersOf, type Identity, identifyGit, openGit } from "../vcs/git.ts";
import { takeEdited } from "./edited.ts";
import { refreshGates, requireReached } from "./gates.ts";
import { findRepository, homeOf } from "./locate.ts";
import { type Made, makeHome } from "./make.ts";
import { closeHome, homeSettings, type OpenHome } from "./open.ts";

/** What `init` did for one repository. */
export type Registration = {
  repository: RepositoryRow;
  home: string;
  how: Made["how"];
  /** The repository was registered before. */
  known: boolean;
  bare: boolean;
  shared: boolean;
  refs: number;
  /** Hooks that were there and keep running. */
  chained: string[];
  /** Why no shim was put in place; null when they were. */
  noShim: string | null;
  /** Where shims were kept that somebody had edited. */
  edited: string[];
};

/** Registers the repository at `path`. With `home`, that home serves it; else the one it has, or one inside it. */
export async function register(path: string, home: string | null): Promise<Registration> {
  const found = findRepository(path);
  if (found !== null) requireOwnRepository(found); // before git, which would refuse with advice that leads nowhere
  const identity = await identifyGit(path);
  requireOwnRepository(identity.gitDir);
  const place = join(identity.gitDir, HOME_NAME);
  const present = homeOf(identity.gitDir);
  const wanted = home ?? present ?? place;
  if (home !== null && present !== null && resolve(present) !== resolve(home) && serves(present, identity.gitDir))
    throw new GatepostError("GP_USAGE", `${identity.gitDir} already has the home ${present}. Nothing was changed.`, {
      hint: `Take it out of that one first: gatepost uninstall -R ${identity.gitDir}`,
    });
  const shared = identity.sharedRepository || isGroupWritable(identity.gitDir);
  if (wanted !== place) mkdirSync(wanted, { recursive: true, mode: 0o700 });
  const dir = wanted === place ? place : realpathSync(wanted);
  const { home: open, how } = makeHome(dir, shared);
  try {
    const registered = await enter(open, identity, how);
    if (dir !== place) writePointer(place, dir, registered.repository.id);
    const noShim = closedBecause(identity.hooksDir);
    const folders = await hooksFoldersOf(identity);
    const chained = placeShims(open, registered.repository, folders, how);
    requireReached(refreshGates(open));
    return {
      ...registered,
      home: dir,
      how,
      bare: identity.bare,
      shared,
      chained,
      noShim: noShim === null ? null : `the hooks folder is ${identity.hooksDir}, and ${noShim}`,
      edited: takeEdited(),
    };
  } finally {
    closeHome(open);
  }
}

/** Puts the receive shim for pushes into each folder that no other manager owns, and notes the folders for the gates. Returns the
 *  earlier hooks that are run by a shim now. Under the write lock: of two calls at once, the second must not take the
 *  first one's shim for an earlier hook. */
function placeShims(home: OpenHome, row: RepositoryRow, folders: readonly HooksFolder[], how: Made["how"]): string[] {
  return write(home.db, () => {
    // Those of before stay known while they are there: core.hooksPath comes and goes, and uninstall takes all of it out.
    const before = how === "copied" || how === "moved" ? [] : hooksFolders(row);
    const old = before.filter(
      ({ path, use }) => use !== "left" && existsSync(path) && !folders.some((folder) => folder.path === path),
    );
    putHooksFolders(home.db, row.id, [...folders, ...old.map((folder) => ({ ...folder, former: true as const }))]);
    const free = folders.filter(({ path }) => closedBecause(path) === null);
    return [...new Set(free.flatMap(({ path }) => installShims(path, [PUSH_RECEIVER])))];
  });
}

/** Puts the pointer file in place; what came along with a copy of the repository is kept beside it. */
function writePointer(place: string, home: string, id: number): void {
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory()) renameSync(place, `${place}.copied-${Date.now()}`);
  writeFileSync(place, pointerText(home, id), { mode: 0o644 });
}

function requireOwnRepository(gitDir: string): void {
  const owner = statSync(gitDir).uid;
  if (owner === process.geteuid?.()) return;
  throw new GatepostError("GP_NOT_OWNER", `${gitDir} belongs to another user (uid ${owner}). Nothing was changed.`, {
    hint: `As its owner: sudo -u '#${owner}' gatepost init ${gitDir}`,
  });
}

const isGroupWritable = (path: string): boolean => (statSync(path).mode & 0o020) !== 0;

/** Whether that home has the repository in its table. A folder or pointer that came along with a copy does not bind it. */
function serves(dir: string, gitDir: string): boolean {
  try {
    const db = openDatabase(layout(dir).database);
    try {
      return repositoryByPath(db, gitDir) !== null;
    } finally {
      closeDatabase(db);
    }
  } catch {
    return false;
  }
}

async function enter(home: OpenHome, identity: Identity, how: Made["how"]) {
  const inside = home.dir === join(identity.gitDir, HOME_NAME);
  const setting = homeSettings(home).refs;
  const which = setting === "auto" ? (identity.bare ? "all" : "public") : (setting as "all" | "public");
  const repository = openGit(identity.gitDir);
  const fingerprint = repository.fingerprint(null, Date.now());
  const refs = await repository.readRefs(which);
  const now = Date.now() as Instant;
  return write(home.db, () => {
    // Looked up under the write lock: of two calls at once, the second finds what the first one registered.
    const known = repositoryByPath(home.db, identity.gitDir) ?? (inside ? movedRow(home, how) : null);
    const { gitDir: path, workTree, inode, objectFormat } = identity;
    const id =
      known?.id ??
      addRepository(home.db, {
        name: freeName(home, path, workTree),
        kind: "git",
        path,
        inode,
        workTree,
        objectFormat,
        now,
      });
    if (known !== null) placeRepository(home.db, { id, path, inode, workTree, objectFormat });
    // What is there now has not just arrived. A repository that was known keeps its ledger: what changed meanwhile did.
    if (known === null || how === "copied" || known.inode !== inode) {
      clearLedger(home.db, { repository: id });
      for (const [ref, value] of refs) putRef(home.db, id, ref, value);
      noteLook(home.db, { id, fingerprint: fingerprint.unsure ? null : fingerprint.text, now });
    }
    const row = repositoryById(home.db, id) as RepositoryRow;
    return { repository: row, known: known !== null, refs: refs.size };
  });
}

/** The only repository of a home that was moved or copied together with it. */
function movedRow(home: OpenHome, how: Made["how"]): RepositoryRow | null {
  const rows = listRepositories(home.db);
  return (how === "moved" || how === "copied") && rows.length === 1 ? (rows[0] ?? null) : null;
}

/** The shortest end of the path that no other repository of the home is called by. */
function freeName(home: OpenHome, gitDir: string, workTree: string | null): string {
  const taken = new Set(listRepositories(home.db).map(({ name }) => name));
  const place = workTree ?? gitDir;
  let name = basename(place);
  let rest = dirname(place);
  while (taken.has(name) && rest !== dirname(rest)) {
    name = `${basename(rest)}/${name}`;
    rest = dirname(rest);
  }
  return taken.has(name) ? place : name;
}

/** Removes the pointer file of a repository, if it is one that points to this home. */
export function removePointer(gitDir: string, home: string): void {
  const place = join(gitDir, HOME_NAME);
  if (home !== place && homeOf(gitDir) === home) rmSync(place, { force: true });
}
