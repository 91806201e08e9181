/** Reading what may not be there. */
import { readdirSync, readFileSync } from "node:fs";

/** The names in a folder; none where it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The text of a file; null where it cannot be read. */
export function textOf(file: string, encoding: "latin1" | "utf8"): string | null {
  try {
    return readFileSync(file, encoding);
  } catch {
    return null;
  }
}
