/** Hooks that were files of a hooks folder, and which; kept in table setting as "moved.HOOK". The row outlives its hook,
 *  since the file is put back by whoever takes the repository out. */
import type { HookId, RepositoryId } from "../core/units.ts";
import type { Database } from "./database.ts";
import { dropSetting, putSetting, readSettings } from "./setting.ts";

export type Moved = {
  hook: HookId;
  repository: RepositoryId;
  /** The file's name. */
  native: string;
  /** Its folder, relative to the repository, which may be moved. */
  folder: string;
  /** The file, until it stands where the shims keep it and has its mark; then null. */
  inode: number | null;
  /** Another file took its place since, and runs besides the hook. */
  over: boolean;
  /** What the hook ran when it was made of the file. */
  command: string;
};

const PREFIX = "moved.";

/** All of them. */
export const movedHooks = (db: Database): Moved[] =>
  [...readSettings(db)].flatMap(([name, value]) => (name.startsWith(PREFIX) ? [JSON.parse(value) as Moved] : []));

export const putMoved = (db: Database, moved: Moved): void =>
  putSetting(db, `${PREFIX}${moved.hook}`, JSON.stringify(moved));

export const dropMoved = (db: Database, { hook }: Pick<Moved, "hook">): void => dropSetting(db, `${PREFIX}${hook}`);
