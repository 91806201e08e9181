/** What `init` needs to know of the repository it registers, whatever its kind, and what it does to it. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Kind } from "../core/hook-type.ts";
import type { Instant, RepositoryId } from "../core/units.ts";
import { installCommon, leaveCommon } from "../shim/gitolite.ts";
import { closedBecause, installShims, PUSH_RECEIVER } from "../shim/install.ts";
import { write } from "../store/database.ts";
import { clearLedger, putRef } from "../store/ref.ts";
import { type HooksFolder, hooksFolders, noteLook, putHooksFolders, type RepositoryRow } from "../store/repository.ts";
import { type Identity, identifyGit, openGit } from "../vcs/git.ts";
import { bringSiblings, commonOf, foldersOf, gitoliteNotes, gitoliteOf, isCommonOne } from "./gitolite.ts";
import type { HowMade } from "./make.ts";
import { homeSettings, type OpenHome } from "./open.ts";

export type Subject = {
  kind: Kind;
  /** Where its data is; real and absolute. */
  path: string;
  inode: number;
  workTree: string | null;
  objectFormat: "sha1" | "sha256" | null;
  bare: boolean;
  /** Others than its owner may write to it. */
  shared: boolean;
  /** Reads the state as of now, of which nothing has just arrived. `known` is what is known of it already. */
  read(home: OpenHome, known: RepositoryRow | null): Promise<Present>;
  /** What a repository begins with of which all is still to be handed out. */
  readNothing(): Promise<Present>;
  /** Looks where to put what tells of arrivals; the function puts it there. */
  places(): Promise<Place>;
};

export type Place = (home: OpenHome, row: RepositoryRow, how: HowMade) => Placed;

export type Present = {
  /** Refs, or receipts. */
  count: number;
  /** Stores the state as what is known; to be called in a transaction. */
  store(home: OpenHome, id: RepositoryId): void;
  /** What is known of the repository does not fit what is there, and is to be forgotten. */
  differs: boolean;
};

export type Placed = {
  /** Hooks that were there and keep running. */
  chained: string[];
  /** What else is to be known, a sentence each. */
  notes?: readonly string[];
  /** Why no shim was put in place; null when they were, or none is needed. */
  noShim: string | null;
  /** Hooks of its own that could be taken over. */
  importable: number;
};

/** `known`: what is known of it already, so that git need not be asked. */
export async function gitSubject(path: string, known: Identity | null = null): Promise<Subject> {
  const identity = known ?? (await identifyGit(path));
  const { gitDir, inode, workTree, objectFormat, bare, sharedRepository } = identity;
  return {
    ...{ kind: "git", path: gitDir, inode, workTree, objectFormat, bare },
    shared: sharedRepository || isGroupWritable(gitDir),
    read: (home) => readRefs(home, identity),
    readNothing: async () => ({
      count: 0,
      differs: false,
      store: ({ db }, id) => void clearLedger(db, { repository: id }),
    }),
    places: async () => {
      const closed = closedBecause(identity.hooksDir);
      const folders = await foldersOf(identity);
      const notes = gitoliteNotes(await gitoliteOf(gitDir));
      return (home, row, how) => ({
        chained: placeShims(home, row, folders, how),
        notes,
        noShim: closed === null ? null : `the hooks folder is ${identity.hooksDir}, and ${closed}`,
        importable: 0,
      });
    },
  };
}

export const isGroupWritable = (path: string): boolean => (statSync(path).mode & 0o020) !== 0;

async function readRefs(home: OpenHome, { gitDir, bare }: Identity): Promise<Present> {
  const setting = homeSettings(home).refs;
  const which = setting === "auto" ? (bare ? "all" : "public") : (setting as "all" | "public");
  const repository = openGit(gitDir);
  const fingerprint = repository.fingerprint(null, Date.now());
  const refs = await repository.readRefs(which);
  return {
    count: refs.size,
    differs: false,
    store: ({ db }, id) => {
      clearLedger(db, { repository: id });
      for (const [ref, value] of refs) putRef(db, id, ref, value);
      noteLook(db, { id, fingerprint: fingerprint.unsure ? null : fingerprint.text, now: Date.now() as Instant });
    },
  };
}

/** Puts the receive shim for pushes into each folder that no other manager owns, and notes the folders for the gates. Returns the
 *  earlier hooks that are run by a shim now. Under the write lock: of two calls at once, the second must not take the
 *  first one's shim for an earlier hook. */
function placeShims(home: OpenHome, row: RepositoryRow, folders: readonly HooksFolder[], how: HowMade): string[] {
  return write(home.db, () => {
    // Those of before stay known while they are there: core.hooksPath comes and goes, and uninstall takes all of it out.
    const before = how === "copied" || how === "moved" ? [] : hooksFolders(row);
    const old = before.filter(
      ({ path, use }) => use !== "left" && existsSync(path) && !folders.some((folder) => folder.path === path),
    );
    const common = commonOf(folders);
    const own = join(row.path, "hooks");
    if (common !== undefined) {
      bringSiblings(home, row, common);
      const kept = old.filter(({ path }) => path !== own).map((folder) => ({ ...folder, former: true as const }));
      putHooksFolders(home.db, row.id, [...folders, ...kept]);
      return installCommon(common.path, [], [PUSH_RECEIVER], [own], false);
    }
    for (const { path, gitolite } of folders) if (gitolite !== undefined) leaveCommon(path);
    const kept = old.filter((folder) => !isCommonOne(folder)); // LOCAL_CODE was taken away: nothing is linked from there
    putHooksFolders(home.db, row.id, [...folders, ...kept.map((folder) => ({ ...folder, former: true as const }))]);
    const free = folders.filter(({ path }) => closedBecause(path) === null);
    return [...new Set(free.flatMap(({ path }) => installShims(path, [PUSH_RECEIVER])))];
  });
}
