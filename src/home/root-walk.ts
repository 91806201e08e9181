/**
 * Looking for repositories below a folder: the Git directories and work trees, and the Fossil files, that stand in it or
 * in a folder below it.
 *
 * A walk must cost next to nothing where nothing changed, since every pass makes one. What a folder holds changes only
 * with the folder's own times; so the times of each folder that was read are kept (`Seen`), and one that still has them
 * costs one `stat`, however many repositories are in it. A repository is not gone into and not looked at again once it
 * is known. File systems count time in steps, and a folder may change in the very moment it is read: times younger than
 * two seconds are not believed, and the folder is read again.
 *
 * Links are never followed: what they lead to is found where it is, if it is below the root at all, and no walk can go in
 * circles or leave its root. Not gone into either: homes, and check-outs of Fossil's. A linked work tree (a *file* .git)
 * belongs to the repository it was linked from. Root does not go into folders of other users, who could exchange what
 * is in them on the way.
 *
 * What was found and could not be registered is kept too, with its reason and its times, so that it is named once and
 * tried again when it changed. Losing a `Seen` costs one long walk and says those reasons again.
 *
 * Proven by test/e2e/init-root.test.ts.
 */
import { type Dirent, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import type { Kind } from "../core/hook-type.ts";
import { folderStamp, placeStamp } from "../process/folder-stamp.ts";
import { isCheckout, looksLikeFossil } from "../vcs/fossil.ts";
import { lookAt } from "./open.ts";

/** What was seen below a root; names are relative to it, "" is the root itself. */
export type Seen = {
  /** The times of each folder that was read, as text; "": not to be believed. */
  readonly folders: Readonly<Record<string, string>>;
  /** What is passed over, and why; tried again when its times are others; see `sameOf`. */
  readonly passed: Readonly<Record<string, Passed>>;
};
/** A stamp that begins with "=" holds the inode alone: what was taken out on purpose stays out whatever happens in it. */
export type Passed = { readonly stamp: string; readonly says: string };

/** The stamp of what is passed over until it is something else that stands there. */
export const stampOfItself = (path: string): string => `=${lookAt(path)?.ino ?? "-"}`;

export const NOTHING_SEEN: Seen = { folders: {}, passed: {} };

/** A repository that a walk came upon. `data` is what the home's table knows it by; `owner` its owner's uid. */
export type Below = { name: string; path: string; data: string; kind: Kind; owner: number };

export type Walked = {
  /** Those that are not known, and that are not passed over. */
  found: Below[];
  /** What could not be read or entered, for the first time: its name below the root, and why. */
  closed: { name: string; says: string }[];
  /** With `closed` in it; `found` is the caller's to add, where it is not registered. */
  seen: Seen;
  /** Some folder is too young to be believed. */
  isYoung: boolean;
};

/** So old must a folder's times be. */
const OLD = 2000;

const isAtRest = ({ mtimeMs, ctimeMs }: Stats, now: number): boolean => now - Math.max(mtimeMs, ctimeMs) >= OLD;

/** Whether a repository may be in the making: something was put into it a moment ago. */
export const isBeingMade = ({ path, data }: Below): boolean =>
  [path, data].some((each) => {
    const stat = lookAt(each);
    return stat !== null && !isAtRest(stat, Date.now());
  });

/** Walks through the folders below `root`, a real path. Reads nothing of a repository. */
export function walk(root: string, seen: Seen, isKnown: (data: string) => boolean): Walked {
  const inside = childrenOf(seen);
  const folders: Record<string, string> = Object.create(null); // a folder may be called __proto__
  const passed: Record<string, Passed> = Object.create(null);
  const walked: Walked = { found: [], closed: [], seen: { folders, passed }, isYoung: false };
  const self = process.geteuid?.() ?? 0;

  /** Whether this is passed over, as before. */
  const isPassed = (name: string): boolean => {
    const before = Object.hasOwn(seen.passed, name) ? seen.passed[name] : undefined;
    const path = join(root, name);
    if (before === undefined) return false;
    if (before.stamp !== (before.stamp.startsWith("=") ? stampOfItself(path) : placeStamp(path))) return false;
    passed[name] = before;
    return true;
  };
  const close = (name: string, says: string): void => {
    passed[name] = { stamp: placeStamp(join(root, name)), says };
    walked.closed.push({ name, says });
  };
  const waiting = [""];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const path = join(root, name);
    if (isPassed(name)) continue;
    const now = Date.now();
    const stat = lookAt(path);
    const stamp = folderStamp(path);
    if (stat === null || !stat.isDirectory()) {
      if (name === "") close(name, `${root} is gone; nothing is registered below it.`);
      continue;
    }
    if (name !== "" && self === 0 && stat.uid !== 0) {
      close(name, `${path} belongs to another user (uid ${stat.uid}): root does not look into it.`);
      continue;
    }
    const isOld = isAtRest(stat, now);
    if (!isOld) walked.isYoung = true;
    folders[name] = isOld ? stamp : "";
    const below = inside.get(name) ?? { folders: [], passed: [] };
    if (stamp !== "" && seen.folders[name] === stamp) {
      waiting.push(...below.folders);
      for (const each of below.passed) if (!isPassed(each)) take(each);
      continue;
    }
    let entries: Dirent[];
    try {
      entries = readdirSync(path, { withFileTypes: true });
    } catch (error) {
      delete folders[name];
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") close(name, `${path} cannot be read (${code}): what is below it is not registered.`);
      continue;
    }
    for (const entry of entries) {
      if (!entry.isDirectory() && !entry.isFile()) continue;
      const each = name === "" ? entry.name : `${name}/${entry.name}`;
      if (entry.isFile() && isKnown(join(root, each))) continue;
      if (!isPassed(each)) take(each, entry.isDirectory());
    }
  }
  return walked;

  /** Takes what stands there: a repository, a folder to go on in, or nothing of ours. */
  function take(name: string, isFolder = false): void {
    const path = join(root, name);
    if (isKnown(path) || isKnown(join(path, ".git"))) return;
    const stat = lookAt(path);
    if (name.includes("\ufffd") || name.includes("\n")) {
      // A folder whose name is not UTF-8 cannot be looked at by the name that it is given here.
      if (stat?.isDirectory() ?? isFolder) close(name, `The path of ${path} is not UTF-8 or has a newline.`);
      return;
    }
    if (stat?.isFile() === true) {
      if ((self !== 0 || stat.uid === 0) && looksLikeFossil(path, stat.size))
        walked.found.push({ name, path, data: path, kind: "fossil", owner: stat.uid });
      return;
    }
    if (stat?.isDirectory() !== true) return;
    const data = gitDirectoryOf(path);
    if (data !== null && data !== "linked")
      walked.found.push({ name, path, data, kind: "git", owner: owner(data, stat) });
    else if (data === null && !isHome(path) && !isFossilCheckout(path)) waiting.push(name);
  }
}

const owner = (data: string, folder: Stats): number => lookAt(data)?.uid ?? folder.uid;

const kindAt = (folder: string, name: string): "file" | "folder" | null => {
  const stat = lookAt(join(folder, name));
  return stat?.isFile() ? "file" : stat?.isDirectory() ? "folder" : null;
};

/** The Git directory of a folder that is one or holds one; "linked": a work tree of a repository that stands elsewhere. */
function gitDirectoryOf(folder: string): string | "linked" | null {
  const inside = kindAt(folder, ".git");
  if (inside !== null) return inside === "folder" ? join(folder, ".git") : "linked";
  const isBare = kindAt(folder, "HEAD") === "file" && kindAt(folder, "objects") === "folder";
  return isBare && kindAt(folder, "refs") === "folder" ? folder : null;
}

/** Whether a folder is a repository by itself, or a work tree. */
export const isRepository = (folder: string): boolean => gitDirectoryOf(folder) !== null;

const isHome = (folder: string): boolean => kindAt(folder, "gatepost.db") !== null;

const isFossilCheckout = (folder: string): boolean => isCheckout((name) => kindAt(folder, name) === "file");

/** What each folder held that was seen: folders, and what is passed over. */
function childrenOf(seen: Seen): Map<string, { folders: string[]; passed: string[] }> {
  const inside = new Map<string, { folders: string[]; passed: string[] }>();
  const of = (name: string) => {
    const parent = name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "";
    const known = inside.get(parent) ?? { folders: [], passed: [] };
    inside.set(parent, known);
    return known;
  };
  for (const name of Object.keys(seen.folders)) if (name !== "") of(name).folders.push(name);
  for (const name of Object.keys(seen.passed)) if (name !== "") of(name).passed.push(name);
  return inside;
}

/** Whether one real path is below another. */
export const isBelow = (path: string, folder: string): boolean =>
  path !== folder && path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
