/** Table root. */
import type { Instant } from "../core/units.ts";
import { all, change } from "./database.ts";

export type RootRow = {
  /** Absolute and real. */
  path: string;
  /** What was seen below it: JSON, see src/home/root-walk.ts; null: nothing yet. */
  seen: string | null;
};

const select = all<RootRow>("SELECT path, seen FROM root ORDER BY path");

/** The folders below which a home registers every repository. */
export const listRoots = (db: Parameters<typeof select>[0]): RootRow[] => select(db, {});

/** Follows a folder from now on; one that is followed already stays as it is. */
export const addRoot = change<{ path: string; now: Instant }>(
  "INSERT INTO root (path, added_at) VALUES (:path, :now) ON CONFLICT (path) DO NOTHING",
);

/** Notes what was seen below a root; a root that is followed no longer stays out. */
export const putSeen = change<{ path: string; seen: string }>("UPDATE root SET seen = :seen WHERE path = :path");

/** Follows a folder no longer. */
export const removeRoot = change<{ path: string }>("DELETE FROM root WHERE path = :path");
