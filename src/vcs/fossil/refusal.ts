/** Why a file cannot be read as a Fossil repository: one sentence each, and what to do. */
import { displayText, fromText } from "../../core/bytes.ts";
import { type ErrorCode, fromSystem, GatepostError } from "../../core/errors.ts";
import { userName } from "../../process/users.ts";

const shown = (file: string): string => displayText(fromText(file));

/** A user as a sentence names them: "alice (uid 1001)". */
function person(uid: number): string {
  const name = userName(uid);
  return name === `uid ${uid}` ? `the user with ${name}` : `${name} (uid ${uid})`;
}

const account = (uid: number): string => (userName(uid) === `uid ${uid}` ? `'#${uid}'` : userName(uid));

function refusal(code: ErrorCode, message: string, hint: string, cause?: unknown): GatepostError {
  return new GatepostError(code, message, { hint, ...(cause === undefined ? {} : { cause }) });
}

/** A refusal that ends with what SQLite or the system said. */
const because =
  (code: ErrorCode, says: (file: string) => string, hint: string) =>
  (file: string, cause?: unknown): GatepostError =>
    refusal(code, `${says(shown(file))}${said(cause)}.`, hint, cause);

/** Every refusal by its name; all but `full` concern the one repository only. */
export const refuse = {
  missing: (file: string) =>
    refusal("GP_NO_REPOSITORY", `There is nothing at ${shown(file)}.`, "Check the path; was the repository moved?"),
  folder: (file: string) =>
    refusal(
      "GP_NO_REPOSITORY",
      `${shown(file)} is a folder, no Fossil repository.`,
      "A Fossil repository is one file; name that file.",
    ),
  notFile: (file: string) =>
    refusal("GP_NO_REPOSITORY", `${shown(file)} is no regular file.`, "Name the repository's file."),
  blank: (file: string) =>
    refusal(
      "GP_REPOSITORY",
      `The Fossil repository "${shown(file)}" cannot be served: its name ends with a blank.`,
      "Rename it.",
    ),
  empty: (file: string) =>
    refusal(
      "GP_NO_REPOSITORY",
      `${shown(file)} is empty, no Fossil repository.`,
      "Make one: fossil new FILE. If it was one, restore a backup.",
    ),
  foreign: (file: string) =>
    refusal(
      "GP_NO_REPOSITORY",
      `${shown(file)} is no Fossil repository, or is encrypted.`,
      "Name a repository's file; Gatepost cannot read encrypted ones.",
    ),
  otherDatabase: (file: string) =>
    refusal(
      "GP_NO_REPOSITORY",
      `${shown(file)} is an SQLite database, but no Fossil repository.`,
      "Name a repository's file.",
    ),
  checkout: (file: string, repository: string) =>
    refusal(
      "GP_NO_REPOSITORY",
      `${shown(file)} belongs to a check-out; its repository is ${shown(repository)}.`,
      "Name that repository.",
    ),
  configuration: (file: string) =>
    refusal(
      "GP_NO_REPOSITORY",
      `${shown(file)} is Fossil's database of a user's settings, no repository.`,
      "Name a repository's file.",
    ),
  old: (file: string, lacks: string) =>
    refusal(
      "GP_REPOSITORY",
      `The Fossil repository ${shown(file)} has an old schema (${lacks}).`,
      "Bring it up to date: fossil rebuild FILE",
    ),
  nameless: (file: string) =>
    refusal(
      "GP_REPOSITORY",
      `The Fossil repository ${shown(file)} has no project code, by which it would be known again.`,
      "Was it made to the end? fossil info -R FILE tells.",
    ),
  damaged: because(
    "GP_REPOSITORY",
    (file) => `The Fossil repository ${file} is damaged or cut short`,
    "See what is left with fossil test-integrity -R FILE, or restore a backup.",
  ),
  sick: because("GP_REPOSITORY", (file) => `Reading the Fossil repository ${file} failed`, "Look at the disk (dmesg)."),
  odd: because(
    "GP_REPOSITORY",
    (file) => `The Fossil repository ${file} holds what cannot be read`,
    "See what is wrong with fossil test-integrity -R FILE; if nothing is, please report it.",
  ),
  disguised: (file: string, name: string) =>
    refusal(
      "GP_REPOSITORY",
      `The Fossil repository ${shown(file)} has something else in the place of its table ${shown(name)}.`,
      "fossil makes none such; restore a backup.",
    ),
  full: because(
    "GP_FULL",
    (file) => `There is no room to read the Fossil repository ${file}`,
    "Free some space below TMPDIR, or memory.",
  ),
  denied: (file: string, owner: number, cause?: unknown) =>
    refusal(
      "GP_DENIED",
      `The Fossil repository ${shown(file)} cannot be read by this user; it belongs to ${person(owner)}.`,
      `Run Gatepost as its owner (sudo -u ${account(owner)} …), or mend the permissions of the file and its folder.`,
      cause,
    ),
  notOurs: (file: string, owner: number) =>
    refusal(
      "GP_DENIED",
      `The Fossil repository ${shown(file)} is in WAL mode: only its owner, ${person(owner)}, can open it unharmed.`,
      `Run Gatepost as that user: sudo -u ${account(owner)} gatepost …`,
    ),
  sealed: (file: string) =>
    refusal(
      "GP_DENIED",
      `The Fossil repository ${shown(file)} is in WAL mode, and it or its folder cannot be written.`,
      "Allow its owner to write both; in WAL mode even reading needs it.",
    ),
  unfinished: (file: string, owner: number) =>
    refusal(
      "GP_DENIED",
      `A write to the Fossil repository ${shown(file)} was cut short, and only its owner, ${person(owner)}, may undo it.`,
      `Any command of fossil undoes it: sudo -u ${account(owner)} fossil info -R FILE`,
    ),
  notUndone: (file: string, why: string) =>
    refusal(
      "GP_REPOSITORY",
      `A write to the Fossil repository ${shown(file)} was cut short, and fossil could not undo it: ${shown(why)}.`,
      "Once fossil is installed and can read the file, any command of it undoes that: fossil info -R FILE",
    ),
  locked: (file: string, ms: number) =>
    refusal(
      "GP_BUSY",
      `The Fossil repository ${shown(file)} was locked by another program for ${ms / 1000} s.`,
      "See who has it open: fuser -v FILE",
    ),
};

const said = (cause: unknown): string => (cause instanceof Error ? ` (${shown(cause.message)})` : "");

/** An error of the file system about the repository, as one of ours. `owner` null: not known. */
export function refusedBySystem(file: string, owner: number | null, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (/^(ENOENT|ENOTDIR)$/.test(code)) return refuse.missing(file);
  if (/^(EACCES|EPERM)$/.test(code) && owner !== null) return refuse.denied(file, owner, error);
  if (code === "ELOOP") return refuse.notFile(file);
  if (code === "EIO") return refuse.sick(file, error);
  return fromSystem(error);
}
