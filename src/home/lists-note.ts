/** The note that hook lists of Fossil repositories are to be changed: a file of its own, so that each command can look for
 *  it without loading what would change them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Layout } from "../core/layout.ts";
import { processIdentity } from "../process/identity.ts";

/** Where the note stands. */
export const placeOfNote = (layout: Layout): string => join(layout.gates, "lists");

/** The note's text, which is another each time; null where there is none. */
export function noteOfLists({ layout }: { layout: Layout }): string | null {
  try {
    return readFileSync(placeOfNote(layout), "utf8");
  } catch {
    return null;
  }
}

/** Whether there is a note of a process that is gone. */
export function isListNoteLeft(layout: Layout): boolean {
  const pid = /^\d+/.exec(noteOfLists({ layout }) ?? "")?.[0];
  return pid !== undefined && (Number(pid) === process.pid || processIdentity(Number(pid)) === null);
}
