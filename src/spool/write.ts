/**
 * Writes a spool entry from Node, for programs that embed Gatepost and for tests. In a hooks folder the shim does it.
 *
 * Unlike the shim, which a push waits for, this comes back only when the entry would survive a power cut. A process
 * that dies in here leaves no entry or a partial one, which the drain sets aside. Proven by test/spool/entry.test.ts.
 */
import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ErrorCode, GatepostError } from "../core/errors.ts";
import { type Entry, formatEntry } from "./entry.ts";

/** Writes the entry as a new file, 0600 and synced, into a spool that must exist, and returns the file's name. Each
 *  call makes another entry. What cannot be written is an error, GP_FULL or GP_DENIED, and may leave a partial entry. */
export function writeEntry(spoolDir: string, entry: Entry): string {
  const bytes = formatEntry(entry);
  const name = `${randomUUID()}.entry`;
  try {
    const file = openSync(join(spoolDir, name), "wx", 0o600);
    try {
      writeFileSync(file, bytes);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    syncFolder(spoolDir);
  } catch (cause) {
    throw cannotWrite(spoolDir, cause);
  }
  return name;
}

/** Makes the new name last. Others than its owner may not open a drop folder, and then its name lasts when it does. */
function syncFolder(path: string): void {
  let folder: number;
  try {
    folder = openSync(path, "r");
  } catch {
    return;
  }
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function cannotWrite(spoolDir: string, cause: unknown): GatepostError {
  const code = (cause as NodeJS.ErrnoException).code ?? "unknown reason";
  const full = ["ENOSPC", "EDQUOT", "EMFILE", "ENFILE"].includes(code);
  const kind: ErrorCode = full ? "GP_FULL" : "GP_DENIED";
  return new GatepostError(kind, `No entry could be written to the spool ${spoolDir} (${code}).`, {
    hint: full ? "Make room and call again." : "Look at the folder and its owner, then call again.",
    cause,
  });
}
