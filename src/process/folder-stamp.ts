/** The times of a folder or file as one text: while it stays, so do the names in the folder. */
import { lstatSync } from "node:fs";
import { join } from "node:path";

/** The times of what may become a repository: of a folder also those of the `.git` in it, which is filled while the folder
 *  around it stays as it is. */
export function placeStamp(path: string): string {
  const inside = folderStamp(join(path, ".git"));
  return inside === "-" ? folderStamp(path) : `${folderStamp(path)} ${inside}`;
}

/** The times of what stands at that path, links not followed; "-" where nothing does or this user may not know. Times that
 *  are younger than the file system's clock can tell apart may stay while something changes. */
export function folderStamp(path: string): string {
  try {
    const stat = lstatSync(path);
    return `${stat.ino}:${stat.mtimeMs}:${stat.ctimeMs}`;
  } catch {
    return "-";
  }
}
