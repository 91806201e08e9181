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
import { lookAt } from "./open.ts";

/** Each folder of a home with its mode, those above before those in them. Shared: others may read home and gates, and
 *  only drop into the spool. */
function foldersOf(places: Layout, isShared: boolean): [folder: string, mode: number, isDrop: boolean][] {
  const open = isShared ? 0o755 : 0o700;
  return [
    [places.home, open, false],
    [places.spool, isShared ? 0o1733 : 0o700, isShared],
    [places.bad, 0o700, false],
    [places.gates, open, false],
    [places.auxiliary, 0o700, false],
    [join(places.home, "bin"), open, false],
  ];
}

/** Makes the folders of a home, and sets the modes of those that are there, whatever the umask; throws GP_DENIED on one
 *  that is no folder, or another user's. */
export function makeFolders(places: Layout, isShared: boolean): void {
  for (const [folder, mode] of foldersOf(places, isShared)) {
    const stat = lstatSync(folder, { throwIfNoEntry: false });
    if (stat === undefined) mkdirSync(folder, { recursive: true });
    else refuse(wrongFolder(folder, stat, process.geteuid?.()));
    chmodSync(folder, mode);
  }
}

/** Makes the folders that are missing; throws GP_DENIED on one that is no folder, another user's, or open to others. */
export function requireFolders(places: Layout): void {
  const self = process.geteuid?.();
  for (const [folder, mode, isDrop] of foldersOf(places, existsSync(places.shared))) {
    const stat = lstatSync(folder, { throwIfNoEntry: false });
    if (stat === undefined) {
      mkdirSync(folder);
      chmodSync(folder, mode);
    } else refuse(wrongFolder(folder, stat, self) ?? openFolder(folder, stat, isDrop));
  }
  const database = lstatSync(places.database, { throwIfNoEntry: false });
  if (database !== undefined) refuse(anotherUsers(places.database, database, self));
}

/** What keeps the hooks of a home from running: a sentence about one folder or the database, and the next step. */
export type Obstacle = { path: string; says: string; mend: string };

/** Every folder at which `requireFolders` would refuse its call by the user `owner`. Changes nothing; what this user may
 *  not look at is left out. */
export const obstacles = (places: Layout, owner: number): Obstacle[] =>
  foldersOf(places, existsSync(places.shared)).flatMap(([folder, , isDrop]) => {
    const stat = lookAt(folder);
    return stat === null ? [] : (wrongFolder(folder, stat, owner) ?? openFolder(folder, stat, isDrop) ?? []);
  });

function refuse(obstacle: Obstacle | null): void {
  if (obstacle !== null) throw new GatepostError("GP_DENIED", obstacle.says, { hint: obstacle.mend });
}

function wrongFolder(folder: string, stat: Stats, owner: number | undefined): Obstacle | null {
  if (stat.isDirectory()) return anotherUsers(folder, stat, owner);
  const what = stat.isSymbolicLink() ? "a symbolic link" : "no folder";
  return obstacle(folder, `${folder} is ${what}`, "Move it away; it is made anew.");
}

/** A drop folder is open, but what is in it belongs to whoever put it there. */
function openFolder(folder: string, { mode }: Stats, isDrop: boolean): Obstacle | null {
  if (isDrop ? (mode & 0o1000) !== 0 : (mode & 0o022) === 0) return null;
  const what = `Others than its owner may write to ${folder}, or remove what is in it`;
  return obstacle(folder, what, "Look at what others put there, then: gatepost doctor --fix");
}

function anotherUsers(path: string, { uid }: Stats, owner = uid): Obstacle | null {
  if (uid === owner) return null;
  return obstacle(path, `${path} belongs to another user (uid ${uid})`, `As root: chown ${owner} ${typed(path)}`);
}

const obstacle = (path: string, what: string, mend: string): Obstacle => ({
  path,
  says: `${what}. The hooks of this home do not run.`,
  mend,
});
