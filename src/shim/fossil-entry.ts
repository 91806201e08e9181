/**
 * The one entry that Gatepost has in the hook list of a Fossil repository, and the files it leads to.
 *
 * The entry is a command of type before-commit. Fossil gives it to `sh -c` after a check of its own that ends fossil
 * where `$`, a backquote, `;`, `|`, `&` or a newline stands outside single quotes, and puts values in place of %A, %R and
 * %F wherever they stand. So everything is in single quotes, and no percent sign is followed by a letter. It assigns where
 * the home is and evaluates one text, in the shell that fossil has started anyway: `sh -c` in it would start another.
 * Where the home is gone, it refuses.
 *
 * Beside it, in the home: `shim/fossil`, which that text reads, `shim/gate.sh`, which that reads when it must, and
 * `shim/fossil-editor`. They are put there before the entry, and taken away after it.
 *
 * Proven by test/e2e/fossil-gates.test.ts.
 */

import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { quoted } from "../core/shell-word.ts";
import { makeRealFolder } from "../process/replace-file.ts";
import { textOf } from "./look-in.ts";
import { putShim, type ShimKind, shimText, syncShims } from "./put.ts";

/** How each entry of ours begins. */
export const FOSSIL_ENTRY_START = "_gatepost_home=";

const TEXT =
  'if [ -r "$_gatepost_home/shim/fossil" ]; then . "$_gatepost_home/shim/fossil"; fi; ' +
  'printf "gatepost: its home %s is missing, or not for this user to read. Mend it: gatepost init FILE. Way round: fossil commit --no-verify\\n" ' +
  '"$_gatepost_home" >&2; exit 1';

/** Which gates an entry asks: those of a home that is the repository's own, or of one that has others as well. */
export type EntryTarget = { home: string; repository: string; id: number | null };

/** The command of the entry. */
export function fossilEntry({ home, repository, id }: EntryTarget): string {
  // All of them are set, or the caller's environment would choose.
  const which =
    id === null
      ? "_gatepost_key= _gatepost_repository="
      : `_gatepost_key=${id} _gatepost_repository=${safe(repository)}`;
  return `${FOSSIL_ENTRY_START}${safe(home)} ${which} _gatepost_hook=before-commit _gatepost_named= eval ${safe(TEXT)}`;
}

/** Whether a command of a hook list is such an entry, of whatever home. */
export const isFossilEntry = (command: string): boolean => command.startsWith(FOSSIL_ENTRY_START);

/** A word for sh that Fossil neither checks nor substitutes into. */
const safe = (text: string): string => quoted(text).replaceAll("%", "%''");

const FILES: Readonly<Record<string, ShimKind>> = {
  "gate.sh": "fossil-rest",
  fossil: "fossil",
  "fossil-editor": "fossil-editor",
};

const folderOf = (home: string): string => join(home, "shim");

/** The script that can be the setting `editor`. */
export const editorScript = (home: string): string => join(folderOf(home), "fossil-editor");

/** The names of the files that are not as they should be. */
const wrong = (home: string): string[] =>
  Object.entries(FILES).flatMap(([name, kind]) =>
    textOf(join(folderOf(home), name), "latin1") === shimText(kind) ? [] : [name],
  );

/** Whether all files of a home are there, and of this version. */
export const fossilShimsAreWhole = (home: string): boolean => wrong(home).length === 0;

/** Puts the files into a home where they are not as they should be. */
export function putFossilShims(home: string): void {
  makeRealFolder(folderOf(home));
  for (const name of wrong(home)) putShim(folderOf(home), name, FILES[name] ?? "fossil");
  chmodSync(folderOf(home), 0o755); // whatever the umask: in a shared home others read it
  syncShims();
}

/** Takes the files out of a home. */
export const removeFossilShims = (home: string): void => rmSync(folderOf(home), { recursive: true, force: true });
