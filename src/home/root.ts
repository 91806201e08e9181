/**
 * Roots: folders below which a home serves every repository, those that are there and those that will be made.
 *
 * `init --root` registers what is there, as `init` does: what is in a repository then counts as seen. The root is stored
 * last, after all that was found is in the table: a call that dies is made again, and no pass takes the rest for new.
 * Each pass looks for what was made since (root-walk.ts) and registers that with an empty ledger, so that what was pushed
 * before the pass came is handed out. From that pass on its shims and gates stand; what was pushed before was judged by
 * no gate, and nothing can change that but `init PATH` right after the repository is made.
 *
 * What cannot be registered (another user's, another home's, one that cannot be read) is named once, with what to do, and
 * tried again when it has changed. What `uninstall` took out stays out until somebody calls `init` on it.
 *
 * If the process dies here: rows without shims are found by the next `init --root`, and by the next pass's look as
 * repositories; `gates/stale` has the gates brought in line. Proven by test/e2e/init-root.test.ts.
 */
import { existsSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../backoffice/context.ts";
import { GatepostError, isSystemError } from "../core/errors.ts";
import { typed } from "../core/shell-word.ts";
import type { Instant } from "../core/units.ts";
import { placeStamp } from "../process/folder-stamp.ts";
import { sudoWord } from "../process/users.ts";
import { write } from "../store/database.ts";
import { repositoryById, repositoryPaths } from "../store/repository.ts";
import { addRoot, listRoots, putSeen, type RootRow, removeRoot } from "../store/root.ts";
import { isCommonPlain } from "../vcs/git.ts";
import { type Enrolled, type EnrolOptions, enrol, inOrder, nameAll } from "./enrol.ts";
import { bringAllInLine } from "./enter.ts";
import { requireGiven } from "./locate.ts";
import { type HowMade, makeHome } from "./make.ts";
import { anothers, closeHome, type OpenHome, requireOwner } from "./open.ts";
import { ringDaemon } from "./ring.ts";
import { followerOf, ROOT_HOME, rootPath, seenOf } from "./root-find.ts";
import {
  type Below,
  isBeingMade,
  isRepository,
  NOTHING_SEEN,
  type Passed,
  type Seen,
  stampOfItself,
  walk,
} from "./root-walk.ts";

/** What was not registered below a root, and why; `hint` is the next step. */
export type PassedOver = { path: string; says: string; hint: string | null };

/** What `init --root` did. */
export type RootDone = {
  root: string;
  home: string;
  how: HowMade;
  /** Registered now, or put in order again. */
  done: Enrolled[];
  /** Were registered and in order. */
  known: number;
  /** Were registered, and are called by their path below the root now. */
  renamed: number;
  passed: PassedOver[];
};

/** Registers every repository below `dir` and follows it from now on. `home`: null, the one that follows it, else one in it.
 *  Throws GP_NOT_OWNER, with the call that would work, where the folder is another user's and so is all that is in it. */
export async function initRoot(
  dir: string,
  home: string | null,
  progress: NonNullable<EnrolOptions["progress"]>,
): Promise<RootDone> {
  const root = requireRoot(dir);
  const owner = statSync(root).uid;
  const isOwn = owner === process.geteuid?.();
  const walked = walk(root, NOTHING_SEEN, () => false);
  const own = walked.found.filter((one) => one.owner === process.geteuid?.());
  const present = followerOf(root);
  if (!isOwn && own.length === 0) throw anothers(root, owner, `init --root ${typed(root)}`);
  if (!isOwn && home === null && present === null)
    throw new GatepostError("GP_NOT_OWNER", `${root} belongs to another user (uid ${owner}). Nothing was changed.`, {
      hint: `Give the home a place of your own: gatepost init --root ${typed(root)} --home DIR`,
    });
  const place = home ?? present ?? join(root, ROOT_HOME);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const at = realpathSync(place);
  if (present !== null && present !== at)
    throw new GatepostError("GP_USAGE", `${root} is followed by the home ${present}. Nothing was changed.`, {
      hint: `End that first: gatepost uninstall --root ${typed(root)} --home ${typed(present)}`,
    });
  const { home: open, how } = makeHome(at, false);
  try {
    const plain = await isCommonPlain();
    const was = listRoots(open.db).find(({ path }) => path === root);
    const left = new Set(
      Object.entries(seenOf(was?.seen ?? null).passed).flatMap(([name, { stamp }]) =>
        stamp === stampOfItself(join(root, name)) ? [name] : [],
      ),
    );
    const inPlace: Enrolled[] = [];
    const missing: Below[] = [];
    for (const one of own) {
      if (left.has(one.name)) continue;
      const known = inOrder(open, { kind: one.kind, path: one.data }, plain);
      if (known === null) missing.push(one);
      else inPlace.push(known);
    }
    const results = await enrol(open, missing.map(toEnrol), { how, begins: "as it is", progress });
    const passed = new Map<string, PassedOver>();
    for (const { name, says } of walked.closed) passed.set(name, { path: join(root, name), says, hint: null });
    for (const one of walked.found) if (one.owner !== process.geteuid?.()) passed.set(one.name, ofAnother(one));
    for (const [index, result] of results.entries())
      if (result instanceof Error) passed.set((missing[index] as Below).name, failed(missing[index] as Below, result));
    const done = results.filter((result): result is Enrolled => !(result instanceof Error));
    // One that is being made at this moment is named, and is the next pass's to register.
    const unfinished = missing.filter((one, index) => {
      const result = results[index];
      return result instanceof Error && isPassing(result, one);
    });
    const again = Object.fromEntries(unfinished.map(({ name }) => [parentOf(name), ""]));
    const seen = { ...walked.seen, folders: { ...walked.seen.folders, ...again } };
    const stays = new Map([...passed].filter(([name]) => unfinished.every((one) => one.name !== name)));
    const renamed = follow(open, root, seen, stays, [...inPlace, ...done]);
    const named = done.map((one) => ({
      ...one,
      repository: repositoryById(open.db, one.repository.id) ?? one.repository,
    }));
    await bringAllInLine(open);
    ringDaemon(open);
    return { root, home: at, how, done: named, known: inPlace.length, renamed, passed: [...passed.values()] };
  } finally {
    closeHome(open);
  }
}

function requireRoot(dir: string): string {
  requireGiven(dir);
  const root = rootPath(dir);
  if (root === null || !statSync(root).isDirectory())
    throw new GatepostError("GP_NO_FILE", `There is no folder at ${dir}.`, {
      hint: "Name the folder that your repositories stand in: gatepost init --root /srv/git",
    });
  if (isRepository(root))
    throw new GatepostError("GP_USAGE", `${dir} is a repository itself. Nothing was changed.`, {
      hint: `Register it: gatepost init ${typed(dir)}`,
    });
  return root;
}

/** Stores the root, with what is passed over, and calls all below it by their paths. Returns how many that were known got
 *  another name. */
function follow(
  home: OpenHome,
  root: string,
  seen: Seen,
  passed: ReadonlyMap<string, PassedOver>,
  all: readonly Enrolled[],
): number {
  return write(home.db, () => {
    addRoot(home.db, { path: root, now: Date.now() as Instant });
    const before = listRoots(home.db).find(({ path }) => path === root)?.seen ?? null;
    const out = Object.entries(seenOf(before).passed).filter(([, { stamp }]) => stamp.startsWith("="));
    putSeen(home.db, { path: root, seen: JSON.stringify(withPassed(root, seen, passed, out)) });
    nameAll(
      home,
      all.filter(({ known }) => !known).map(({ repository }) => repository),
    );
    return nameAll(
      home,
      all.filter(({ known }) => known).map(({ repository }) => repository),
    );
  });
}

const withPassed = (
  root: string,
  { folders, passed }: Seen,
  more: ReadonlyMap<string, PassedOver>,
  out: readonly [string, Passed][] = [],
): Seen => ({
  folders,
  passed: {
    ...passed,
    ...Object.fromEntries([...more].map(([name, { says }]) => [name, { stamp: placeStamp(join(root, name)), says }])),
    ...Object.fromEntries(out),
  },
});

const toEnrol = ({ path, data, kind }: Below) => ({ path, found: { kind, path: data }, only: true as const });

const ofAnother = ({ path, owner }: Below): PassedOver => ({
  path,
  says: `${path} belongs to another user (uid ${owner}): it is left alone.`,
  hint: `As its owner: sudo -u ${sudoWord(owner)} gatepost init ${typed(path)}`,
});

const failed = ({ path }: Below, error: Error): PassedOver => ({
  path,
  says: error.message.includes(path) ? error.message : `${path}: ${error.message}`,
  hint: error instanceof GatepostError ? error.hint : null,
});

/** Registers below the home's roots no more; what is registered stays. Throws GP_USAGE where the home does not follow it. */
export function stopFollowing(home: OpenHome, dir: string): { root: string; served: number } {
  requireOwner(home.dir);
  const roots = listRoots(home.db);
  const path = roots.find((root) => root.path === dir || root.path === rootPath(dir))?.path;
  if (path === undefined)
    throw new GatepostError("GP_USAGE", `The home ${home.dir} does not follow ${dir}. Nothing was changed.`, {
      hint: roots.length === 0 ? "It follows no folder." : `It follows: ${roots.map((root) => root.path).join(" ")}`,
    });
  removeRoot(home.db, { path });
  ringDaemon(home);
  const served = [...repositoryPaths(home.db)].filter((other) => other.startsWith(`${path}/`)).length;
  return { root: path, served };
}

/** Registers what a walk found, all of it still to be handed out, and stores what was seen. Returns how many there were. */
export async function registerBelow(
  home: OpenHome,
  { path: root, seen: before }: RootRow,
  { found, seen }: ReturnType<typeof walk>,
  log: Log,
): Promise<number> {
  const passed = new Map<string, PassedOver>();
  const own = found.filter((one) => one.owner === process.geteuid?.());
  for (const one of found) if (!own.includes(one)) passed.set(one.name, ofAnother(one));
  const results = await enrol(home, own.map(toEnrol), { how: "there", begins: "empty" });
  let folders = seen.folders;
  for (const [index, result] of results.entries()) {
    const one = own[index] as Below;
    if (!(result instanceof Error))
      log("info", `${result.repository.name} was made below ${root}; it is served from now on`);
    else if (isPassing(result, one)) folders = { ...folders, [parentOf(one.name)]: "" };
    else if (existsSync(one.path)) passed.set(one.name, failed(one, result));
  }
  for (const { says, hint } of passed.values()) log("error", hint === null ? says : `${says} ${hint}`);
  write(home.db, () => {
    // What somebody took out meanwhile stays out.
    const now = listRoots(home.db).find(({ path }) => path === root)?.seen ?? null;
    const out = Object.entries(seenOf(now).passed).filter(([, { stamp }]) => now !== before && stamp.startsWith("="));
    putSeen(home.db, { path: root, seen: JSON.stringify(withPassed(root, { ...seen, folders }, passed, out)) });
  });
  return results.filter((result) => !(result instanceof Error)).length;
}

/** Whether the same may go well in a moment: then it is tried again at the next look. */
const isPassing = (error: Error, one: Below): boolean => {
  if (!(error instanceof GatepostError)) return isSystemError(error) && error.code === "ENOENT";
  return error.code === "GP_BUSY" || (isUnfinished(error) && isBeingMade(one));
};

/** What git says of a repository that is half made. */
const isUnfinished = ({ code }: GatepostError): boolean => code === "GP_NO_REPOSITORY" || code === "GP_VCS";

const parentOf = (name: string): string => (name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "");
