/**
 * Which Fossil repository a path means, and what it is known again by.
 *
 * Finding is for every command, so it is a few `stat`s where there is nothing of Fossil. Like fossil itself it goes up
 * from a folder until one holds a check-out's database, and reads from that where the repository is.
 */
import { realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { readFossil, readHeader, repositoryOfCheckout } from "./open.ts";
import { refuse } from "./refusal.ts";

export type FossilIdentity = {
  /** Real and absolute. */
  file: string;
  inode: number;
  /** What it has in common with its clones. */
  projectCode: string;
  projectName: string | null;
  /** The owner's uid. */
  owner: number;
  groupWritable: boolean;
  /** Its own list of hooks as it stands; null: none. */
  hookList: string | null;
};

/** Where Fossil keeps what belongs to a check-out; the last name is of old times. */
const CHECKOUT_FILES = ["_FOSSIL_", ".fslckout", ".fos"];
const REPOSITORY = 252006673;
const CHECKOUT = 252006674;

/** Reads the file; changes nothing. Throws what `readFossil` throws. */
export async function identifyFossil(path: string): Promise<FossilIdentity> {
  return readFossil(path, (db) => {
    const file = realpathSync(resolve(path));
    const stat = statSync(file);
    const setting = db.prepare("SELECT value FROM config WHERE name = ?").pluck();
    const projectCode = setting.get("project-code");
    if (typeof projectCode !== "string" || projectCode === "") throw refuse.nameless(file);
    const projectName = setting.get("project-name");
    return {
      file,
      inode: stat.ino,
      projectCode,
      projectName: typeof projectName === "string" && projectName !== "" ? projectName : null,
      owner: stat.uid,
      groupWritable: (stat.mode & 0o020) !== 0,
      hookList: textOrNull(setting.get("hooks")),
    };
  });
}

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** The repository that `path` means: the path itself if it looks like one (then `readFossil` says what it really is),
 *  else that of the check-out that it or a folder above it is the root of. `file` is real where it exists; it may not.
 *  Null where nothing is of Fossil. Throws GP_BUSY, GP_DENIED on a check-out's database that cannot be read now. */
export function findFossil(path: string): { file: string; checkout: string | null } | null {
  const at = real(path);
  const stat = look(at);
  if (stat?.isFile() === true) {
    const application = applicationOf(at);
    if (application === CHECKOUT && CHECKOUT_FILES.includes(basename(at))) return ofCheckout(at);
    if (application === REPOSITORY || FOSSIL_NAME.test(at)) return { file: at, checkout: null };
    return null;
  }
  if (stat?.isDirectory() !== true) return null;
  for (let folder = at; ; folder = dirname(folder)) {
    for (const name of CHECKOUT_FILES) {
      const file = join(folder, name);
      const found = look(file)?.isFile() === true ? ofCheckout(file) : null;
      if (found !== null) return found;
    }
    if (folder === dirname(folder)) return null;
  }
}

/** Whether a regular file looks like a repository, by its name or what it says of itself. `size` is the file's. */
export const looksLikeFossil = (file: string, size: number): boolean =>
  FOSSIL_NAME.test(file) ||
  (size > 0 && size % 512 === 0 && !COMPANION.test(file) && applicationOf(file) === REPOSITORY);

const FOSSIL_NAME = /\.(fossil|fsl)$/i;
/** What SQLite makes beside a database. */
const COMPANION = /-(?:wal|shm|journal)$/;

/** Whether a folder is the root of a check-out, by the names of files that it has. */
export const isCheckout = (hasFile: (name: string) => boolean): boolean => CHECKOUT_FILES.some(hasFile);

/** Relative names in a check-out's database start at its root. */
function ofCheckout(file: string): { file: string; checkout: string } | null {
  if (applicationOf(file) === null) return null;
  const checkout = dirname(file);
  const named = repositoryOfCheckout(file);
  return named === null ? null : { file: real(resolve(checkout, named)), checkout };
}

function applicationOf(file: string): number | null {
  try {
    return readHeader(file)?.application ?? null;
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).syscall === "string") return null;
    throw error;
  }
}

function look(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // not permitted, or a loop of links
  }
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
