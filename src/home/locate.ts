/**
 * Finds the home that serves a repository by looking, as Git and Fossil would, without starting them: from the path
 * upwards to the first folder that is, or has, a Git directory, or that is a Fossil checkout; or the path is a Fossil
 * repository, which is a file. In or beside the repository stands the home, or the small file that points to it.
 */

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  statSync,
} from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { GatepostError, isSystemError } from "../core/errors.ts";
import type { Kind } from "../core/hook-type.ts";
import { homePlace, layout, readPointer } from "../core/layout.ts";
import { typed } from "../core/shell-word.ts";
import { sudoWord } from "../process/users.ts";
import { findFossil } from "../vcs/fossil.ts";

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** Also for paths that lead through a file, where nothing can be. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return false;
    throw error;
  }
}

function readText(path: string): string | null {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe in its place must not hold us
  } catch {
    return null;
  }
  try {
    requireRoots(path, fstatSync(file).uid);
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof GatepostError) throw error;
    return null;
  } finally {
    closeSync(file);
  }
}

/** Root reads nothing that others wrote: it would be led wherever they like. */
function requireRoots(path: string, owner: number): void {
  if (owner === 0 || process.geteuid?.() !== 0) return;
  throw new GatepostError("GP_NOT_OWNER", `${path} belongs to another user (uid ${owner}): root does not read it.`, {
    hint: `As its owner: sudo -u ${sudoWord(owner)} gatepost …`,
  });
}

/** What makes a folder a check-out of Fossil's, or a repository of Git's. */
const FOSSIL_MARKS = ["_FOSSIL_", ".fslckout", ".fos"];
const GIT_MARKS = [".git", "HEAD"];

/** For root: whether what would be looked into, from the folder upwards, is root's. */
function requireRootsAbove(start: string): void {
  if (process.geteuid?.() !== 0) return;
  let marks = [...FOSSIL_MARKS, ...GIT_MARKS];
  for (let folder = start; ; folder = dirname(folder)) {
    const { uid } = lstatSync(folder);
    const has = (names: readonly string[]): boolean => names.some((name) => existsSync(join(folder, name)));
    if (uid !== 0 && (!isFolder(folder) || has(marks))) requireRoots(folder, uid);
    if (has(GIT_MARKS)) marks = FOSSIL_MARKS; // of Git's the nearest is meant, Fossil's are looked for in all
    if (folder === dirname(folder)) return;
  }
}

/** The common Git directory that a `.git` entry or a bare repository stands for; null where there is none. */
function gitDirectoryAt(folder: string): string | null {
  const inside = join(folder, ".git");
  const stat = statSync(inside, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return common(inside);
  if (stat?.isFile()) {
    const target = /^gitdir: ([^\n]+)\n?$/.exec(readText(inside) ?? "")?.[1];
    return target === undefined ? null : common(resolve(folder, target));
  }
  const looksBare = isFolder(join(folder, "objects")) && isFolder(join(folder, "refs"));
  if (looksBare && readText(join(folder, "HEAD")) !== null) return folder;
  return readText(join(folder, "commondir")) === null || readText(join(folder, "gitdir")) === null
    ? null
    : common(folder);
}

function common(gitDirectory: string): string {
  const text = readText(join(gitDirectory, "commondir"))?.replace(/\n$/, "");
  if (text === undefined) return gitDirectory;
  return isAbsolute(text) ? text : join(gitDirectory, text);
}

/** A repository as it was found: where its data is, as a real path (of Fossil: the file). */
export type Found = { kind: Kind; path: string };

/** The repository that `path` is or is in, the nearest one, a file or a folder; null where there is none. */
export function findRepository(path: string): Found | null {
  let start: string;
  try {
    start = realpathSync(resolve(path));
  } catch {
    return null;
  }
  requireRootsAbove(start);
  const fossil = findFossil(start);
  // A file that is a repository is meant, wherever it stands.
  if (fossil !== null && fossil.checkout === null) return { kind: "fossil", path: fossil.file };
  for (let folder = isFolder(start) ? start : dirname(start); ; folder = dirname(folder)) {
    const found = gitDirectoryAt(folder);
    if (found !== null) {
      try {
        return { kind: "git", path: realpathSync(found) };
      } catch {
        return null;
      }
    }
    if (fossil !== null && fossil.checkout === folder) return { kind: "fossil", path: fossil.file };
    if (folder === dirname(folder)) return null;
  }
}

/** The home of a repository: where it stands by default, or where its pointer says; null where it has none. */
export function homeOf(repository: Found): string | null {
  const place = homePlace(repository);
  const stat = statSync(place, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  if (stat.isDirectory()) return place;
  return readPointer(readText(place) ?? "");
}

/** The same of one that is registered: null, too, where its place cannot be looked at (a link that leads in a circle, a
 *  folder that is not for this user), which is no trouble of the others in its home. */
export function homeServing(repository: Found): string | null {
  try {
    return homeOf(repository);
  } catch (error) {
    if (isSystemError(error)) return null;
    throw error;
  }
}

export type Located = {
  home: string;
  /** Data directory of the repository that was named, or that the current folder is in; null when only a home was named. */
  repository: string | null;
};

/** Refuses a path that is empty, as that of an unset variable: it would stand for the current folder. */
export function requireGiven(path: string | null | undefined): void {
  if (path !== "") return;
  throw new GatepostError("GP_USAGE", "A path is empty and names nothing. Nothing was done.", {
    hint: "If it came from a variable, that is not set. The current folder is: .",
  });
}

/** Finds home and repository from what stands on a command line. A name that is no path is left to the home's table. */
export function locate(options: { repository?: string | undefined; home?: string | undefined; cwd: string }): Located {
  requireGiven(options.home);
  requireGiven(options.repository);
  if (options.home !== undefined) {
    const home = requireHome(resolve(options.cwd, options.home));
    if (options.repository === undefined) return { home, repository: null };
    return { home, repository: findRepository(resolve(options.cwd, options.repository))?.path ?? options.repository };
  }
  const start = resolve(options.cwd, options.repository ?? ".");
  const found = findRepository(start);
  if (found === null) {
    if (isThere(join(start, "gatepost.db"))) return { home: requireHome(start), repository: null };
    throw new GatepostError(
      "GP_NO_REPOSITORY",
      options.repository === undefined ? "This folder is in no repository." : notThere(start),
      {
        hint:
          options.repository === undefined
            ? "Name one with -R REPOSITORY, or a home with --home DIR."
            : "Name the path of a repository; its name is understood beside --home DIR.",
      },
    );
  }
  const home = homeOf(found);
  if (home === null || !isFolder(home))
    throw new GatepostError("GP_NO_HOME", `${found.path} is not registered.`, {
      hint: `Register it: gatepost init ${typed(options.repository ?? ".")}`,
    });
  return { home, repository: found.path };
}

const notThere = (path: string): string =>
  isThere(path) ? `${path} is in no repository.` : `There is nothing at ${path}.`;

function requireHome(path: string): string {
  const { database } = layout(path);
  if (isThere(database)) {
    requireRoots(database, lstatSync(database).uid); // in a folder of root's that all may write to, it may be anybody's
    return realpathSync(path);
  }
  throw new GatepostError("GP_NO_HOME", `${path} is no Gatepost home.`, {
    hint: "A home is made by: gatepost init --home DIR REPOSITORY…",
  });
}
