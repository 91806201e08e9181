/** What SQLite, or the file system, says of a database, as one of our errors with the next step. */
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { GatepostError } from "../core/errors.ts";

/** The way back from a database that is gone or cannot be used. */
export const RESTORE = "restore a backup: gatepost backup --restore FILE";
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Nothing is at that path. */
export const noDatabase = (path: string): GatepostError =>
  new GatepostError("GP_NO_HOME", `There is no database at ${path}.`, {
    hint: `Register the repository: gatepost init. If it is gone for good: gatepost uninstall --home ${dirname(path)}`,
  });

/** What is there is another file; `why` goes on from a colon. */
export const notOurs = (path: string, why: string): GatepostError =>
  new GatepostError("GP_DAMAGED", `${path} is not a Gatepost database: ${why}. Nothing was changed.`, {
    hint: `${capital(RESTORE)}. Without one, move it away, and the files beside it whose names go on from its own; then register the repository anew: gatepost init`,
  });

/** An error of SQLite, of the file system or of loading the native module, as one of ours; ours pass through. */
export function translate(error: unknown, path: string): unknown {
  if (error instanceof GatepostError) return error;
  const code = String((error as { code?: unknown }).code ?? "");
  const message = (error as Error).message;
  if (error instanceof TypeError && /directory does not exist/.test(message)) return noDatabase(path); // gone just now
  if (/NOTADB/.test(code)) return notOurs(path, "it is no SQLite file");
  if (code === "SQLITE_ERROR" && ANOTHER_SCHEMA.test(message))
    return new GatepostError("GP_DAMAGED", `The database ${path} is damaged: its schema is not ours (${message}).`, {
      hint: `${capital(RESTORE)}. Pushes go on: their receipts wait in the spool.`,
      cause: error,
    });
  if (/CORRUPT/.test(code))
    return new GatepostError("GP_DAMAGED", `The database ${path} is damaged (${message}). Nothing was changed.`, {
      hint: `${capital(RESTORE)}. Pushes go on: their receipts wait in the spool.`,
      cause: error,
    });
  if (/BUSY|LOCKED/.test(code))
    return new GatepostError("GP_BUSY", `The database ${path} is in use by another process.`, {
      hint: `Try again in a moment; if it lasts, see who has it open: fuser -v ${path}`,
      cause: error,
    });
  if (/FULL|ENOSPC|EDQUOT|EMFILE|ENFILE|NOMEM/.test(code))
    return new GatepostError("GP_FULL", `There is no room to write ${path} (${message}).`, {
      hint: FULL,
      cause: error,
    });
  if (/READONLY|CANTOPEN|PERM|AUTH|EACCES|EPERM|EROFS/.test(code))
    return new GatepostError(
      "GP_DENIED",
      `${path} cannot be read or written by this user (${message.split(",")[0]}).`,
      {
        hint: "Call gatepost as the owner of the home, or mend the permissions of its folder.",
        cause: error,
      },
    );
  if (/IOERR/.test(code) && isFull(path))
    return new GatepostError("GP_FULL", `There is no room to write ${path} (${message}).`, {
      hint: FULL,
      cause: error,
    });
  if (/IOERR/.test(code))
    return new GatepostError("GP_DAMAGED", `Reading or writing ${path} failed (${message}).`, {
      hint: "Look at the disk (dmesg); what was acknowledged before is safe.",
      cause: error,
    });
  if (code === "ERR_DLOPEN_FAILED" || /bindings file|better_sqlite3\.node/.test(message)) return nativeMissing(error);
  return error;
}

/** Our own statements and steps fit our own schema; where they do not, somebody changed it. */
const ANOTHER_SCHEMA = /^no such (?:table|column|index)|has no column named|duplicate column name|already exists/;

const FULL = "Free some space; what was acknowledged before is safe, and the rest waits in the spool.";

/** SQLite tells a full disk from a sick one only when it writes the database itself, not its shared memory. */
function isFull(path: string): boolean {
  try {
    return statfsSync(dirname(path)).bavail === 0;
  } catch {
    return false;
  }
}

const nativeMissing = (cause: unknown): GatepostError =>
  new GatepostError("GP_NATIVE", "The native SQLite module is missing, or was built for another version of Node.", {
    hint: "Build it where Gatepost is installed: npm rebuild better-sqlite3 (pnpm: pnpm approve-builds)",
    cause,
  });
