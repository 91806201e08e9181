/** Entering a repository into the table of a home: what `init` and a pass do alike, for one or for a thousand. */
import { renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, relative } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { homePlace, layout, pointerText } from "../core/layout.ts";
import { typed } from "../core/shell-word.ts";
import type { Instant, RepositoryId } from "../core/units.ts";
import { replaceFile } from "../process/replace-file.ts";
import { lookInto } from "../store/database.ts";
import {
  addRepository,
  listRepositories,
  placeRepository,
  type RepositoryRow,
  renameRepository,
  repositoryById,
  repositoryByName,
  repositoryByPath,
} from "../store/repository.ts";
import { listRoots } from "../store/root.ts";
import { bringFossilInLine, requireListed } from "./fossil-gates.ts";
import { refreshGates, requireReached } from "./gates.ts";
import { abandonedHandovers, finishHandover } from "./handover.ts";
import { type Found, homeOf } from "./locate.ts";
import type { HowMade } from "./make.ts";
import { anothers, type OpenHome } from "./open.ts";
import { isBelow } from "./root-walk.ts";
import type { Subject } from "./subject.ts";

/** What became of a repository in the table. */
export type Entered = {
  repository: RepositoryRow;
  /** It was registered before. */
  known: boolean;
  /** It was registered before, but another repository stands there now. */
  replaced: boolean;
  /** Refs, or receipts of a repository that numbers them itself. */
  refs: number;
};

/** What of a repository that was not known counts as seen: all that is in it, or nothing. */
export type Begins = "as it is" | "empty";

/** Reads what there is to be stored of a repository; the function stores it, in the caller's transaction. Called twice at
 *  once, by two processes, the second finds what the first one registered. */
export async function readToEnter(
  home: OpenHome,
  subject: Subject,
  how: HowMade,
  begins: Begins,
): Promise<() => Entered> {
  const { path, kind, workTree, inode, objectFormat } = subject;
  const inside = home.dir === homePlace(subject);
  const find = () => repositoryByPath(home.db, path) ?? (inside ? movedRow(home, how) : null) ?? moved(home, subject);
  const before = find();
  const present =
    begins === "empty" && before === null ? await subject.readNothing() : await subject.read(home, before);
  return () => {
    const known = find();
    const name = known?.name ?? freeName(home, path, workTree);
    const id =
      known?.id ??
      addRepository(home.db, { name, kind, path, inode, workTree, objectFormat, now: Date.now() as Instant });
    if (known !== null) placeRepository(home.db, { id, path, inode, workTree, objectFormat });
    if (known !== null && known.path !== path) nameBelowRoot(home, known, workTree ?? path);
    // What is there now has not just arrived. A repository that was known keeps its ledger: what changed meanwhile did.
    const isOther = kind === "git" ? known?.inode !== inode : present.differs;
    if (known === null || how === "copied" || isOther) present.store(home, id);
    const repository = repositoryById(home.db, id) as RepositoryRow;
    return { repository, known: known !== null, replaced: known !== null && isOther, refs: present.count };
  };
}

/** The only repository of a home that was moved or copied together with it. */
function movedRow(home: OpenHome, how: HowMade): RepositoryRow | null {
  const rows = listRepositories(home.db);
  return (how === "moved" || how === "copied") && rows.length === 1 ? (rows[0] ?? null) : null;
}

/** The repository that stood elsewhere and was moved below a root: its pointer came along, and its old place is empty. By
 *  a home without roots a repository is known by its place alone. */
function moved(home: OpenHome, { path, kind, inode, workTree }: Subject): RepositoryRow | null {
  if (kind !== "git" || nameBelow(home, workTree ?? path) === null || homeOf({ path, kind }) !== home.dir) return null;
  const rows = listRepositories(home.db).filter((row) => row.kind === kind && row.inode === inode);
  return rows.find((row) => statSync(row.path, { throwIfNoEntry: false }) === undefined) ?? null;
}

/** The path below the root that a place is in; else the shortest end of the path that no other repository of the home is
 *  called by. */
function freeName(home: OpenHome, path: string, workTree: string | null): string {
  const isTaken = (name: string): boolean => repositoryByName(home.db, name) !== null;
  const place = workTree ?? path;
  const below = nameBelow(home, place);
  if (below !== null && !isTaken(below)) return below;
  let name = basename(place);
  let rest = dirname(place);
  while (isTaken(name) && rest !== dirname(rest)) {
    name = `${basename(rest)}/${name}`;
    rest = dirname(rest);
  }
  return isTaken(name) ? place : name;
}

/** What a repository at that place is called by its root; null where it is below none. */
export function nameBelow(home: OpenHome, place: string): string | null {
  const root = listRoots(home.db).find(({ path }) => isBelow(place, path));
  return root === undefined ? null : relative(root.path, place);
}

/** Calls a repository as its root has it, if no other has that name. Returns whether its name changed. */
export function nameBelowRoot(home: OpenHome, row: RepositoryRow, place: string): boolean {
  const name = nameBelow(home, place);
  if (name === null || name === row.name || repositoryByName(home.db, name) !== null) return false;
  renameRepository(home.db, { id: row.id, name });
  return true;
}

/** Throws GP_NOT_OWNER where a repository is another user's, with the call that its owner can make. */
export function requireOwnRepository(path: string): void {
  const owner = statSync(path).uid;
  if (owner !== process.geteuid?.()) throw anothers(path, owner, `init ${typed(path)}`);
}

/** Throws GP_USAGE where another home serves the repository. */
export function requireNotElsewhere(subject: Found, home: string): void {
  const present = homeOf(subject);
  if (present === null || present === home || !serves(present, subject.path)) return;
  throw new GatepostError("GP_USAGE", `${subject.path} already has the home ${present}. Nothing was changed.`, {
    hint: `Take it out of that one first: gatepost uninstall -R ${subject.path}`,
  });
}

/** Whether that home has the repository in its table. A folder or pointer that came along with a copy does not bind it. */
function serves(dir: string, path: string): boolean {
  try {
    return lookInto(layout(dir).database, (db) => repositoryByPath(db, path) !== null);
  } catch {
    return false;
  }
}

/** Puts the pointer file in place; what came along with a copy of the repository is kept beside it. */
export function writePointer(place: string, home: string, id: RepositoryId): void {
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory()) renameSync(place, `${place}.copied-${Date.now()}`);
  replaceFile(place, pointerText(home, id), { mode: 0o644 });
}

/** Removes the pointer file of a repository, if it is one that points to this home. */
export function removePointer(repository: Found, home: string): void {
  const place = homePlace(repository);
  if (home !== place && homeOf(repository) === home) rmSync(place, { force: true });
}

/** Brings gates, shims and hook lists in line after repositories were registered. */
export async function bringAllInLine(home: OpenHome, also?: RepositoryId): Promise<void> {
  requireReached(refreshGates(home));
  requireListed(await bringFossilInLine(home, also === undefined ? {} : { also }));
  for (const row of abandonedHandovers(home)) await finishHandover(home, row);
}
