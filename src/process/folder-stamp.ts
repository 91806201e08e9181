/** The times of a folder or file as one text: while it stays, so do the names in the folder. */
import { lstatSync } from "node:fs";

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
