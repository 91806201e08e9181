/**
 * Registering many repositories in one home that is open: what `init --home`, `init --root` and a pass over a root share.
 *
 * A thousand repositories are to take seconds. So git is asked only where the files leave a doubt, several gits run side
 * by side, and what is stored goes into two transactions for each group: first the rows, then, once those are there and
 * the pointers stand, the shims, since a shim without its row would leave entries that are nobody's. A process that dies
 * in between leaves rows without shims; the next call finds them not in order and does them again, and no ledger of a
 * row that is there is begun anew. Gates and hook lists are brought in line by the caller, once, at the end: until then
 * the mark `gates/stale` stands.
 */
import { existsSync, lstatSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { GatepostError, isSystemError } from "../core/errors.ts";
import { homePlace, pointerText } from "../core/layout.ts";
import { inspectShim, PUSH_RECEIVER } from "../shim/install.ts";
import { write } from "../store/database.ts";
import { countRefs } from "../store/ref.ts";
import { hooksFolders, type RepositoryRow, repositoryByPath } from "../store/repository.ts";
import { isCommonPlain, plainIdentity } from "../vcs/git.ts";
import { takeEdited } from "./edited.ts";
import {
  type Begins,
  type Entered,
  nameBelowRoot,
  readToEnter,
  requireNotElsewhere,
  requireOwnRepository,
  writePointer,
} from "./enter.ts";
import { isLeft } from "./fossil-gates.ts";
import { markStale } from "./gates.ts";
import { gitoliteUser } from "./gitolite.ts";
import { type Found, homeOf } from "./locate.ts";
import { type HowMade, openToOthers } from "./make.ts";
import type { OpenHome } from "./open.ts";
import { gitSubject, isGroupWritable, type Place, type Placed, type Subject } from "./subject.ts";
import { fossilSubject } from "./subject-fossil.ts";

/** What was done for one repository. */
export type Enrolled = Entered & Placed & { bare: boolean; shared: boolean; edited: string[] };

/** A repository to be registered, as it was found or as somebody named it. With `only`, what was found and nothing else:
 *  git goes on upwards from a Git directory that is half made, and comes to one that nobody meant. */
export type ToEnrol = { path: string; found: Found | null; only?: true };

export type EnrolOptions = {
  how: HowMade;
  begins: Begins;
  /** Told how many are done. */
  progress?: (done: number, of: number) => void;
};

/** Repositories that are read together, and gits that run at a time. */
const GROUP = 64;
const SIDE_BY_SIDE = 6;

/** Registers them, each for itself: in the given order, what was done or why it could not be. */
export async function enrol(
  home: OpenHome,
  given: readonly ToEnrol[],
  { how, begins, progress = () => {} }: EnrolOptions,
): Promise<(Enrolled | Error)[]> {
  const done: (Enrolled | Error)[] = [];
  if (given.length === 0) return done;
  const plain = await isCommonPlain();
  markStale(home);
  for (let at = 0; at < given.length; at += GROUP) {
    const group = await sideBySide(given.slice(at, at + GROUP), (one) =>
      tried(() => prepare(home, one, { how, begins, plain })),
    );
    if (group.some((one) => !(one instanceof Error) && one.subject.shared)) openToOthers(home.layout);
    done.push(...store(home, group, how));
    progress(done.length, given.length);
  }
  return done;
}

/** The repository as it is to be registered. `plain` as `isCommonPlain` says: then git is asked only where its files
 *  leave a doubt. */
export async function subjectAt(path: string, found: Found | null, plain: boolean): Promise<Subject> {
  const isFile = statSync(path).isFile();
  if (found === null ? isFile : found.kind === "fossil") return await fossilSubject(found?.path ?? path);
  const real = realpathSync(path);
  const isItself = found !== null && (found.path === real || found.path === join(real, ".git"));
  return await gitSubject(isFile ? dirname(path) : path, isItself ? plainIdentity(found.path, plain) : null);
}

type Prepared = { subject: Subject; enter: () => Entered; place: Place };

async function prepare(
  home: OpenHome,
  { path, found, only }: ToEnrol,
  { how, begins, plain }: { how: HowMade; begins: Begins; plain: boolean },
): Promise<Prepared> {
  if (found !== null) requireOwnRepository(found.path);
  const subject = await subjectAt(path, found, plain);
  if (only === true && subject.path !== found?.path)
    throw new GatepostError("GP_NO_REPOSITORY", `${path} is not a repository: git takes it for ${subject.path}.`, {
      hint: "Finish it, or take it away.",
    });
  requireOwnRepository(subject.path);
  requireNotElsewhere(subject, home.dir);
  return { subject, enter: await readToEnter(home, subject, how, begins), place: await subject.places() };
}

function store(home: OpenHome, group: readonly (Prepared | Error)[], how: HowMade): (Enrolled | Error)[] {
  const entered = write(home.db, () => group.map((one) => (one instanceof Error ? one : { ...one, ...one.enter() })));
  const pointed = entered.map((one) => {
    if (one instanceof Error) return one;
    const place = homePlace(one.subject);
    return place === home.dir
      ? one
      : triedNow(() => {
          writePointer(place, home.dir, one.repository.id);
          return one;
        });
  });
  return write(home.db, () =>
    pointed.map((one) =>
      one instanceof Error
        ? one
        : triedNow(() => {
            const { subject, repository, known, replaced, refs } = one;
            const placed = one.place(home, repository, how);
            const { bare, shared } = subject;
            return { repository, known, replaced, refs, ...placed, bare, shared, edited: takeEdited() };
          }),
    ),
  );
}

/** What the world may do to one repository keeps no other from being registered; whatever else it is, is thrown. */
const ofOne = (error: unknown): Error => {
  if (isSystemError(error)) return error;
  if (error instanceof GatepostError && error.code !== "GP_FULL" && error.code !== "GP_PROGRAM") return error;
  throw error;
};

const tried = <T>(work: () => Promise<T>): Promise<T | Error> => work().catch(ofOne);

function triedNow<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    return ofOne(error);
  }
}

async function sideBySide<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...items.entries()];
  const line = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, line));
  return results;
}

/** What is registered of a repository that is as it should be, decided from files alone; null where it must be registered
 *  (again). `plain` as `isCommonPlain` says. Gates are not looked at: they are brought in line for all at once. */
export function inOrder(home: OpenHome, found: Found, plain: boolean): Enrolled | null {
  const row = repositoryByPath(home.db, found.path);
  if (row === null || row.parked !== null || isLeft(row)) return null;
  const stat = lstatSync(row.path, { throwIfNoEntry: false });
  if (stat === undefined || stat.uid !== process.geteuid?.() || stat.ino !== row.inode) return null;
  if (!isPointed(home, row)) return null;
  const shared = isGroupWritable(row.path);
  const entered = { repository: row, known: true, replaced: false, chained: [], noShim: null, edited: [] };
  if (row.kind === "fossil") {
    const refs = row.watermark === null ? 0 : (JSON.parse(row.watermark) as { rcvid: number }).rcvid;
    return shared && !existsSync(home.layout.shared) ? null : { ...entered, refs, bare: true, shared, importable: 0 };
  }
  const identity = plainIdentity(row.path, plain);
  if (gitoliteUser(row.path) !== null) return null; // its settings may be others now
  const [folder, ...others] = hooksFolders(row);
  if (identity === null || folder?.path !== identity.hooksDir || folder.use !== "own" || others.length > 0) return null;
  if (identity.workTree !== row.workTree || inspectShim(folder.path, PUSH_RECEIVER) !== "ours") return null;
  const open = shared || identity.sharedRepository;
  if (open && !existsSync(home.layout.shared)) return null;
  return { ...entered, refs: countRefs(home.db, row.id), bare: identity.bare, shared: open, importable: 0 };
}

function isPointed(home: OpenHome, row: RepositoryRow): boolean {
  const place = homePlace(row);
  if (place === home.dir) return true;
  try {
    return homeOf(row) === home.dir && readFileSync(place, "utf8") === pointerText(home.dir, row.id);
  } catch {
    return false;
  }
}

/** Calls repositories that were registered before by their path below a root. Returns how many got another name. */
export const nameAll = (home: OpenHome, rows: readonly RepositoryRow[]): number =>
  write(home.db, () => rows.filter((row) => nameBelowRoot(home, row, row.workTree ?? row.path)).length);
