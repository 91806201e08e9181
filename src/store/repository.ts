/** Table repository. */
import type { Kind } from "../core/hook-type.ts";
import type { Instant, ReceiptId, RepositoryId } from "../core/units.ts";
import { all, change, type Database, one } from "./database.ts";

export type RepositoryRow = {
  id: RepositoryId;
  name: string;
  kind: Kind;
  path: string;
  inode: number;
  workTree: string | null;
  objectFormat: "sha1" | "sha256" | null;
  cursor: ReceiptId;
  fingerprint: string | null;
  lookedAt: Instant;
  parked: string | null;
  /** Where its shims go, as of the last init or doctor: JSON; see `hooksFolders`. */
  folders: string | null;
  /** How far its own receipts were read: JSON, see vcs `Watermark`; null for kinds that have none. */
  watermark: string | null;
  /** What waits is held back until then, because the repository says so. */
  embargo: Instant | null;
  /** Who paused it, when and why: JSON; null while it is not paused. */
  paused: string | null;
  /** When the pause began that held back what waits; the window leaves none of that out. */
  heldFrom: Instant | null;
  /** Types that the team files of its work trees have had: a JSON array; null where they are not obeyed. */
  team: string | null;
  /** Times of its hooks folders when all shims were last seen: JSON; null: look. */
  hooksSeen: string | null;
};

/** gitolite links the files of this folder into its repositories, all below `base`; `trigger`: its settings, in `rc`, have it
 *  ask our gate for each ref. */
export type InGitolite = { rc: string; base: string | null; trigger: boolean };

/** A hooks folder of a repository, and who uses it: it alone, all who have its work tree, everyone's repositories, or
 *  ("left") others only, since this one was taken out of its home. */
export type HooksFolder = {
  path: string;
  use: "own" | "tree" | "everyone" | "left";
  former?: true;
  gitolite?: InGitolite;
};

const columns = `id, name, kind, path, inode, work_tree AS workTree, object_format AS objectFormat, cursor, fingerprint,
  looked_at AS lookedAt, parked, hooks_folders AS folders, watermark, embargo, paused, held_from AS heldFrom, team,
  hooks_seen AS hooksSeen`;

const select = all<RepositoryRow>(`SELECT ${columns} FROM repository ORDER BY name`);
const byId = one<RepositoryRow, { id: number }>(`SELECT ${columns} FROM repository WHERE id = :id`);
const byPath = one<RepositoryRow, { path: string }>(`SELECT ${columns} FROM repository WHERE path = :path`);
const byName = one<RepositoryRow, { name: string }>(`SELECT ${columns} FROM repository WHERE name = :name`);

export const listRepositories = (db: Database): RepositoryRow[] => select(db, {});
export const repositoryById = (db: Database, id: RepositoryId): RepositoryRow | null => byId(db, { id });
export const repositoryByPath = (db: Database, path: string): RepositoryRow | null => byPath(db, { path });
export const repositoryByName = (db: Database, name: string): RepositoryRow | null => byName(db, { name });

type NewRepository = Pick<RepositoryRow, "name" | "kind" | "path" | "inode" | "workTree" | "objectFormat"> & {
  now: Instant;
};
const insert = change<NewRepository>(
  `INSERT INTO repository (name, kind, path, inode, work_tree, object_format, registered_at)
   VALUES (:name, :kind, :path, :inode, :workTree, :objectFormat, :now)`,
);
export const addRepository = (db: Database, row: NewRepository): RepositoryId => insert(db, row).id as RepositoryId;

/** Gives a repository another place: it was moved, or its work tree was. */
export const placeRepository = change<{
  id: RepositoryId;
  path: string;
  inode: number;
  workTree: string | null;
  objectFormat: string | null;
}>(
  `UPDATE repository SET path = :path, inode = :inode, work_tree = :workTree, object_format = :objectFormat,
     fingerprint = NULL, parked = NULL WHERE id = :id`,
);

const paths = all<{ path: string }>("SELECT path FROM repository");
/** Where the data of each repository is. */
export const repositoryPaths = (db: Database): Set<string> => new Set(paths(db, {}).map(({ path }) => path));

/** Gives a repository another name, which none may have yet. */
export const renameRepository = change<{ id: RepositoryId; name: string }>(
  "UPDATE repository SET name = :name WHERE id = :id",
);

// Two replays of one run would be none of any while the runs go one after the other, and that is refused.
const loosenReplays = change<{ id: RepositoryId }>(
  "UPDATE run SET replay_of = id WHERE repository = :id AND replay_of IS NOT NULL",
);
const removeRow = change<{ id: RepositoryId }>("DELETE FROM repository WHERE id = :id");
/** Takes a repository out of the home, with all that happened in it. To be called in a transaction. */
export function removeRepository(db: Database, { id }: { id: RepositoryId }): void {
  loosenReplays(db, { id });
  removeRow(db, { id });
}

/** Notes a look at the refs: when it was, and the fingerprint to compare with (null: look again next time). */
export const noteLook = change<{ id: RepositoryId; fingerprint: string | null; now: Instant }>(
  "UPDATE repository SET fingerprint = :fingerprint, looked_at = :now, parked = NULL WHERE id = :id",
);

/** Notes how far a repository's own receipts were read, and until when it holds back what waits. */
export const putWatermark = change<{ id: RepositoryId; watermark: string; embargo: Instant | null }>(
  "UPDATE repository SET watermark = :watermark, embargo = :embargo WHERE id = :id",
);

/** Has the next look read the repository, whatever its files' times. */
export const forgetFingerprint = change<{ id: RepositoryId }>(
  "UPDATE repository SET fingerprint = NULL WHERE id = :id",
);

/** Says why a repository cannot be looked at; null when it can again. */
export const parkRepository = change<{ id: RepositoryId; parked: string | null }>(
  "UPDATE repository SET parked = :parked WHERE id = :id",
);

/** Notes the times of its hooks folders when its shims were last looked at; null: look again. */
export const noteHooksSeen = change<{ id: RepositoryId; seen: string | null }>(
  "UPDATE repository SET hooks_seen = :seen WHERE id = :id",
);

const noteFolders = change<{ id: RepositoryId; folders: string }>(
  "UPDATE repository SET hooks_folders = :folders, hooks_seen = NULL WHERE id = :id",
);
export const putHooksFolders = (db: Database, id: RepositoryId, folders: readonly HooksFolder[]): void =>
  void noteFolders(db, { id, folders: JSON.stringify(folders) });

/** Says that its work trees obey their team files, and which types these have had; null: they do not. */
export const putTeam = (db: Database, id: RepositoryId, types: readonly string[] | null): void =>
  void noteTeam(db, { id, team: types === null ? null : JSON.stringify([...types].sort()) });
const noteTeam = change<{ id: RepositoryId; team: string | null }>("UPDATE repository SET team = :team WHERE id = :id");

/** The types that the team files of a repository have had; null where they are not obeyed. */
export const teamTypes = ({ team }: Pick<RepositoryRow, "team">): string[] | null =>
  team === null ? null : (JSON.parse(team) as string[]);

/** The hooks folders of a repository; none where they are not known. */
export const hooksFolders = ({ folders }: RepositoryRow): HooksFolder[] =>
  folders === null ? [] : (JSON.parse(folders) as HooksFolder[]);

/** Moves the cursor on; never back. */
export const moveCursor = change<{ id: RepositoryId; cursor: ReceiptId }>(
  "UPDATE repository SET cursor = :cursor WHERE id = :id AND cursor < :cursor",
);
