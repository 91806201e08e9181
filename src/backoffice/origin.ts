/** Which repository of a home a spool entry comes from. */
import { existsSync } from "node:fs";
import { type ByteString, displayText, toBuffer, toText } from "../core/bytes.ts";
import { homePlace } from "../core/layout.ts";
import type { RepositoryId } from "../core/units.ts";
import { listRepositories, type RepositoryRow, repositoryByPath } from "../store/repository.ts";
import type { HomeContext } from "./context.ts";

type Place = Pick<HomeContext, "db" | "layout">;

/** Makes a function that finds the repository by the directory an entry names; null for a stranger's. */
export function originFinder(home: Place): (dir: ByteString) => RepositoryId | null {
  const known = new Map<ByteString, RepositoryId | null>();
  return (dir) => {
    let id = known.get(dir);
    if (id === undefined) {
      id = (repositoryByPath(home.db, toText(dir) ?? "") ?? movedFrom(home, dir))?.id ?? null;
      known.set(dir, id);
    }
    return id;
  };
}

/** Why a stranger's entry is set aside. */
export const strangerReason = (dir: ByteString): string => `${displayText(dir)} was copied or moved: gatepost init`;

/** The repository that had this path when the entry was written: one that was moved, with the home inside it, while
 *  entries waited. A copy has such entries as well, but then what they speak of is still where they say. */
function movedFrom({ db, layout }: Place, dir: ByteString): RepositoryRow | null {
  const [row, ...more] = listRepositories(db);
  const inside = row !== undefined && more.length === 0 && layout.home === homePlace(row);
  return inside && !existsSync(toBuffer(dir)) ? row : null;
}
