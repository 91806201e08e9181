/**
 * The folders of a home, looked at before any hook of it is run: each must be a folder, its owner's own, and closed to
 * all who may not write to it. What is missing is made anew. Whoever could write there chose what runs, so nothing is
 * mended silently: `gatepost doctor --fix` closes a folder after somebody has looked at what is in it.
 *
 * Proven by test/fault/places.test.ts.
 */
import { chmodSync, existsSync, lstatSync, mkdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { GatepostError } from "../core/errors.ts";
import type { Layout } from "../core/layout.ts";
import { typed } from "../core/shell-word.ts";

/** Each folder of a home with its mode, those above before those in them. Shared: others may read home and gates, and
 *  only drop into the spool. */
function foldersOf(places: Layout, isShared: boolean): [folder: string, mode: number][] {
  const open = isShared ? 0o755 : 0o700;
  return [
    [places.home, open],
    [places.spool, isShared ? 0o1733 : 0o700],
    [places.bad, 0o700],
    [places.gates, open],
    [places.auxiliary, 0o700],
    [join(places.home, "bin"), open],
  ];
}

/** Makes the folders of a home, and sets the modes of those that are there, whatever the umask; throws GP_DENIED on one
 *  that is no folder, or another user's. */
export function makeFolders(places: Layout, isShared: boolean): void {
  for (const [folder, mode] of foldersOf(places, isShared)) {
    if (!isOwnFolder(folder)) mkdirSync(folder, { recursive: true });
    chmodSync(folder, mode);
  }
}

/** Makes the folders that are missing; throws GP_DENIED on one that is no folder, another user's, or open to others. */
export function requireFolders(places: Layout): void {
  const isShared = existsSync(places.shared);
  for (const [folder, mode] of foldersOf(places, isShared)) {
    if (isOwnFolder(folder)) requireClosed(folder, isShared && folder === places.spool);
    else {
      mkdirSync(folder);
      chmodSync(folder, mode);
    }
  }
  const database = lstatSync(places.database, { throwIfNoEntry: false });
  if (database !== undefined) requireOwn(places.database, database);
}

/** False: nothing is there. */
function isOwnFolder(folder: string): boolean {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (!stat.isDirectory()) {
    const what = stat.isSymbolicLink() ? "a symbolic link" : "no folder";
    throw denied(`${folder} is ${what}`, "Move it away; it is made anew.");
  }
  requireOwn(folder, stat);
  return true;
}

/** A drop folder is open, but what is in it belongs to whoever put it there. */
function requireClosed(folder: string, isDrop: boolean): void {
  const { mode } = lstatSync(folder);
  if (isDrop ? (mode & 0o1000) !== 0 : (mode & 0o022) === 0) return;
  throw denied(
    `Others than its owner may write to ${folder}, or remove what is in it`,
    "Look at what others put there, then: gatepost doctor --fix",
  );
}

function requireOwn(path: string, { uid }: Stats): void {
  const self = process.geteuid?.() ?? uid;
  if (uid !== self)
    throw denied(`${path} belongs to another user (uid ${uid})`, `As root: chown ${self} ${typed(path)}`);
}

const denied = (what: string, hint: string): GatepostError =>
  new GatepostError("GP_DENIED", `${what}. The hooks of this home do not run.`, { hint });
