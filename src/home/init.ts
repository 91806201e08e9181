/**
 * `init`: registers repositories. For each one: find it, make or open its home, write it into the home's table with
 * its present state, and put the shims into its hooks folder. Calling it again changes nothing that is as it
 * should be, and mends what is not: a shim that is gone, a home that was moved.
 */
import { mkdirSync, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { GatepostError, isSystemError } from "../core/errors.ts";
import { homePlace } from "../core/layout.ts";
import { write } from "../store/database.ts";
import type { RepositoryRow } from "../store/repository.ts";
import { isCommonPlain } from "../vcs/git.ts";
import { takeEdited } from "./edited.ts";
import { type Enrolled, type EnrolOptions, enrol, inOrder, subjectAt } from "./enrol.ts";
import { bringAllInLine, readToEnter, requireNotElsewhere, requireOwnRepository, writePointer } from "./enter.ts";
import { type Found, findRepository, homeOf, requireGiven } from "./locate.ts";
import { type HowMade, makeHome } from "./make.ts";
import { closeHome } from "./open.ts";
import { ringDaemon } from "./ring.ts";
import { followerOf, takeBack } from "./root-find.ts";
import type { Placed } from "./subject.ts";

export { removePointer } from "./enter.ts";

/** What `init` did for one repository. */
export type Registration = Placed & {
  repository: RepositoryRow;
  home: string;
  how: HowMade;
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

/** Registers the repository at `path`. With `home`, that home serves it; else the one it has, that of the root it is below,
 *  or its own. */
export async function register(path: string, home: string | null): Promise<Registration> {
  const found = findNamed(path);
  const subject = await subjectAt(path, found, false);
  requireOwnRepository(subject.path);
  const place = homePlace(subject);
  const present = homeOf(subject);
  const follower = followerOf(subject.workTree ?? subject.path);
  const wanted = home ?? present ?? follower ?? place;
  if (home !== null) requireNotElsewhere(subject, resolve(home));
  if (wanted !== place) mkdirSync(wanted, { recursive: true, mode: 0o700 });
  const dir = wanted === place ? place : realpathSync(wanted);
  const { home: open, how } = makeHome(dir, subject.shared);
  try {
    const enter = await readToEnter(open, subject, how, "as it is");
    const registered = write(open.db, enter);
    if (dir !== place) writePointer(place, dir, registered.repository.id);
    takeBack(open, subject.workTree ?? subject.path);
    const placed = (await subject.places())(open, registered.repository, how);
    await bringAllInLine(open, registered.repository.id);
    ringDaemon(open); // it is to watch this repository from now on
    const { bare, shared } = subject;
    return { ...registered, ...placed, home: dir, how, bare, shared, edited: takeEdited() };
  } finally {
    closeHome(open);
  }
}

/** Registers many repositories in one home: for each path what was done, or why it could not be. What keeps the home
 *  itself from being brought in line comes last, as `failure`. */
export async function registerAll(
  paths: readonly string[],
  home: string,
  progress?: EnrolOptions["progress"],
): Promise<{ done: (Registration | Error)[]; failure: unknown }> {
  const named = paths.map((path) => {
    try {
      return { path, found: findNamed(path) };
    } catch (error) {
      if (error instanceof GatepostError || isSystemError(error)) return error;
      throw error;
    }
  });
  const first = named.find((one) => !(one instanceof Error));
  if (first === undefined) return { done: named as Error[], failure: null };
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const { home: open, how } = makeHome(realpathSync(home), false);
  try {
    const plain = await isCommonPlain();
    const asIs = named.map((one) =>
      one instanceof Error || one.found === null || how !== "there" ? null : inOrder(open, one.found, plain),
    );
    const missing = named.flatMap((one, index) => (one instanceof Error || asIs[index] !== null ? [] : [one]));
    const enrolled = await enrol(open, missing, {
      how,
      begins: "as it is",
      ...(progress === undefined ? {} : { progress }),
    });
    const done = named.map((one, index): Registration | Error => {
      const result: Enrolled | Error | undefined = one instanceof Error ? one : (asIs[index] ?? enrolled.shift());
      if (result === undefined) throw new GatepostError("GP_BUG", "A repository was not registered.");
      return result instanceof Error ? result : { ...result, home: open.dir, how };
    });
    for (const one of done) if (!(one instanceof Error)) takeBack(open, one.repository.workTree ?? one.repository.path);
    let failure: unknown = null;
    await bringAllInLine(open).catch((error) => {
      failure = error;
    });
    ringDaemon(open);
    return { done, failure };
  } finally {
    closeHome(open);
  }
}

/** The repository that a path means, if looking at files tells; its owner is the caller. */
function findNamed(path: string): Found | null {
  requireGiven(path);
  const found = findRepository(path);
  if (found !== null) requireOwnRepository(found.path); // before git, which would refuse with advice that leads nowhere
  if (statSync(path, { throwIfNoEntry: false }) === undefined)
    throw new GatepostError("GP_NO_REPOSITORY", `There is nothing at ${path}.`, {
      hint: "Name a Git work tree or bare repository, or the file of a Fossil repository.",
    });
  return found;
}
