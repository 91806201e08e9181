/**
 * `init`: registers repositories. For each one: find it, make or open its home, write it into the home's table with
 * its present state, and put the shims into its hooks folder. Calling it again changes nothing that is as it
 * should be, and mends what is not: a shim that is gone, a home that was moved.
 */
import { mkdirSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { homePlace, layout, pointerText } from "../core/layout.ts";
import { typed } from "../core/shell-word.ts";
import type { Instant, RepositoryId } from "../core/units.ts";
import { replaceFile } from "../process/replace-file.ts";
import { lookInto, write } from "../store/database.ts";
import {
  addRepository,
  listRepositories,
  placeRepository,
  type RepositoryRow,
  repositoryById,
  repositoryByName,
  repositoryByPath,
} from "../store/repository.ts";
import { takeEdited } from "./edited.ts";
import { bringFossilInLine, requireListed } from "./fossil-gates.ts";
import { markStale, refreshGates, requireReached } from "./gates.ts";
import { abandonedHandovers, finishHandover } from "./handover.ts";
import { type Found, findRepository, homeOf, requireGiven } from "./locate.ts";
import { type Made, makeHome } from "./make.ts";
import { anothers, closeHome, type OpenHome, openHome } from "./open.ts";
import { ringDaemon } from "./ring.ts";
import { gitSubject, type Placed, type Subject } from "./subject.ts";
import { fossilSubject } from "./subject-fossil.ts";

/** What `init` did for one repository. */
export type Registration = Placed & {
  repository: RepositoryRow;
  home: string;
  how: Made["how"];
  /** The repository was registered before. */
  known: boolean;
  bare: boolean;
  shared: boolean;
  /** Refs, or receipts of a repository that numbers them itself. */
  refs: number;
  /** It was registered before, but another repository stands there now. */
  replaced: boolean;
  /** Where shims were kept that somebody had edited. */
  edited: string[];
};

/** Registers the repository at `path`. With `home`, that home serves it; else the one it has, or its own. `more`: others
 *  of the same home follow, and `finish` is called for it after the last; until then its gates are marked as stale. */
export async function register(path: string, home: string | null, more = false): Promise<Registration> {
  requireGiven(path);
  const found = findRepository(path);
  if (found !== null) requireOwnRepository(found.path); // before git, which would refuse with advice that leads nowhere
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new GatepostError("GP_NO_REPOSITORY", `There is nothing at ${path}.`, {
      hint: "Name a Git work tree or bare repository, or the file of a Fossil repository.",
    });
  const isFile = stat.isFile();
  const isFossil = found === null ? isFile : found.kind === "fossil";
  const subject = await (isFossil ? fossilSubject(found?.path ?? path) : gitSubject(isFile ? dirname(path) : path));
  requireOwnRepository(subject.path);
  const place = homePlace(subject);
  const present = homeOf(subject);
  const wanted = home ?? present ?? place;
  if (home !== null && present !== null && resolve(present) !== resolve(home) && serves(present, subject.path))
    throw new GatepostError("GP_USAGE", `${subject.path} already has the home ${present}. Nothing was changed.`, {
      hint: `Take it out of that one first: gatepost uninstall -R ${subject.path}`,
    });
  if (wanted !== place) mkdirSync(wanted, { recursive: true, mode: 0o700 });
  const dir = wanted === place ? place : realpathSync(wanted);
  const { home: open, how } = makeHome(dir, subject.shared);
  try {
    const registered = await enter(open, subject, how);
    if (dir !== place) writePointer(place, dir, registered.repository.id);
    const placed = await subject.place(open, registered.repository, how);
    if (more) markStale(open);
    else await bringAllInLine(open, registered.repository.id);
    ringDaemon(open); // it is to watch this repository from now on
    return {
      ...registered,
      ...placed,
      home: dir,
      how,
      bare: subject.bare,
      shared: subject.shared,
      edited: takeEdited(),
    };
  } finally {
    closeHome(open);
  }
}

/** Brings the gates of a home in line after many were registered. */
export async function finish(dir: string): Promise<void> {
  const home = openHome(dir);
  try {
    await bringAllInLine(home);
  } finally {
    closeHome(home);
  }
}

async function bringAllInLine(home: OpenHome, also?: RepositoryId): Promise<void> {
  requireReached(refreshGates(home));
  requireListed(await bringFossilInLine(home, also === undefined ? {} : { also }));
  for (const row of abandonedHandovers(home)) await finishHandover(home, row);
}

/** Puts the pointer file in place; what came along with a copy of the repository is kept beside it. */
function writePointer(place: string, home: string, id: number): void {
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory()) renameSync(place, `${place}.copied-${Date.now()}`);
  replaceFile(place, pointerText(home, id), { mode: 0o644 });
}

function requireOwnRepository(gitDir: string): void {
  const owner = statSync(gitDir).uid;
  if (owner === process.geteuid?.()) return;
  throw anothers(gitDir, owner, `init ${typed(gitDir)}`);
}

/** Whether that home has the repository in its table. A folder or pointer that came along with a copy does not bind it. */
function serves(dir: string, gitDir: string): boolean {
  try {
    return lookInto(layout(dir).database, (db) => repositoryByPath(db, gitDir) !== null);
  } catch {
    return false;
  }
}

async function enter(home: OpenHome, subject: Subject, how: Made["how"]) {
  const { path, kind, workTree, inode, objectFormat } = subject;
  const inside = home.dir === homePlace(subject);
  const find = () => repositoryByPath(home.db, path) ?? (inside ? movedRow(home, how) : null);
  const present = await subject.read(home, find());
  const now = Date.now() as Instant;
  return write(home.db, () => {
    // Looked up under the write lock: of two calls at once, the second finds what the first one registered.
    const known = find();
    const name = known?.name ?? freeName(home, path, workTree);
    const id = known?.id ?? addRepository(home.db, { name, kind, path, inode, workTree, objectFormat, now });
    if (known !== null) placeRepository(home.db, { id, path, inode, workTree, objectFormat });
    // What is there now has not just arrived. A repository that was known keeps its ledger: what changed meanwhile did.
    const isOther = kind === "git" ? known?.inode !== inode : present.differs;
    if (known === null || how === "copied" || isOther) present.store(home, id);
    const row = repositoryById(home.db, id) as RepositoryRow;
    return { repository: row, known: known !== null, replaced: known !== null && isOther, refs: present.count };
  });
}

/** The only repository of a home that was moved or copied together with it. */
function movedRow(home: OpenHome, how: Made["how"]): RepositoryRow | null {
  const rows = listRepositories(home.db);
  return (how === "moved" || how === "copied") && rows.length === 1 ? (rows[0] ?? null) : null;
}

/** The shortest end of the path that no other repository of the home is called by. */
function freeName(home: OpenHome, path: string, workTree: string | null): string {
  const isTaken = (name: string): boolean => repositoryByName(home.db, name) !== null;
  const place = workTree ?? path;
  let name = basename(place);
  let rest = dirname(place);
  while (isTaken(name) && rest !== dirname(rest)) {
    name = `${basename(rest)}/${name}`;
    rest = dirname(rest);
  }
  return isTaken(name) ? place : name;
}

/** Removes the pointer file of a repository, if it is one that points to this home. */
export function removePointer(repository: Found, home: string): void {
  const place = homePlace(repository);
  if (home !== place && homeOf(repository) === home) rmSync(place, { force: true });
}
