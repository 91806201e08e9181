/**
 * Team files: a second source of local hooks, which comes with the branch (docs/team.md).
 *
 * Nobody's commands run because they were cloned. Somebody must have called `gatepost init` in the repository and seen
 * what would run; that is noted in the database (repository.team) and, for gates, by a folder in the repository's git
 * directory. From then on each of its work trees obeys its own file, and changes of the file are followed, as with every
 * hook manager whose configuration is committed: named in one line when they take effect.
 *
 * A gate compares the file with the copy it was compiled from. Where they differ it calls `followTeam`, which compiles anew
 * or says why not; then the gate refuses. After a checkout, merge or rebase that is a gate which cannot refuse, so that
 * usually no commit waits for Node. The gates that must stand come first, what is compiled second: a death between the two
 * leaves a gate that finds no hooks.
 *
 * Proven by test/e2e/team.test.ts and test/e2e/team-faults.test.ts.
 */
import { existsSync } from "node:fs";
import { GatepostError } from "../core/errors.ts";
import { write } from "../store/database.ts";
import { putTeam, type RepositoryRow, repositoryByPath, teamTypes } from "../store/repository.ts";
import { linkedGitDirs, type WorkTree, workTreeAt, workTreesOf } from "../vcs/git.ts";
import { marked, refreshGates, requireReached } from "./gates.ts";
import { closeHome, type OpenHome, openHome, requireRunnable } from "./open.ts";
import { compiledHooks, compileTeam, markAgreed } from "./team-compile.ts";
import { readTeamFile, TEAM_FILE, type TeamFile, teamChange } from "./team-file.ts";

export { TEAM_FILE } from "./team-file.ts";

/** What `init` finds at a path: the work tree's file, and whether it is obeyed already. */
export type TeamOffer = { tree: WorkTree; team: TeamFile | null; agreed: boolean };

/** Looks at the team file of the work tree that `at` is in; null where that is no work tree of the repository. Throws
 *  GP_IMPORT where the file cannot be obeyed. */
export function lookAtTeam(row: RepositoryRow, at: string): TeamOffer | null {
  const here = row.kind === "git" ? workTreeAt(row.path, at) : null;
  if (here === null) return null;
  const tree = workTreesOf(row.path, row.workTree).find(({ gitDir }) => gitDir === here.gitDir) ?? here; // core.worktree
  return { tree, team: readTeamFile(tree.root), agreed: row.team !== null };
}

const modeIn = (home: OpenHome): 0o600 | 0o644 => (existsSync(home.layout.shared) ? 0o644 : 0o600);

/** Notes that the repository's work trees obey their files from now on, and compiles those that there are; idempotent. A file
 *  that is not as it should be is left to the gate of its work tree, which refuses. Returns what changed at `tree`. */
export function obeyTeam(home: OpenHome, row: RepositoryRow, tree: WorkTree | null): string {
  const found = workTreesOf(row.path, row.workTree ?? tree?.root ?? null).flatMap((one) => {
    try {
      const team = readTeamFile(one.root);
      return team === null ? [] : [{ one, team }];
    } catch (error) {
      if (!(error instanceof GatepostError)) throw error;
      return [];
    }
  });
  const own = found.flatMap(({ team }) => team.hooks.map(({ type }) => type));
  if (row.team === null || adds(row, own)) standGates(home, () => addTypes(home, row, own));
  let change = "";
  for (const { one, team } of found) {
    const before = one.gitDir === tree?.gitDir ? compiledHooks(one) : null;
    compileTeam(one, team, modeIn(home));
    if (before !== null) change = teamChange(before, team.hooks);
  }
  markAgreed(row.path, [], true);
  return change;
}

const adds = (row: RepositoryRow, types: readonly string[]): boolean =>
  types.some((type) => teamTypes(row)?.includes(type) !== true);

/** Under the lock: of two at once neither takes away the types of the other. Nor are any taken away that a file had: it
 *  may be back without being compiled anew, as one that was wrong for a while, or is in a work tree that was not there. */
function addTypes(home: OpenHome, { path, id }: RepositoryRow, types: readonly string[]): void {
  const now = repositoryByPath(home.db, path);
  putTeam(home.db, id, [...new Set([...((now && teamTypes(now)) ?? []), ...types])]);
}

function standGates(home: OpenHome, edit: () => void): void {
  write(home.db, () => marked(home, edit));
  requireReached(refreshGates(home));
}

/** Takes the agreement back: no work tree of the repository obeys a team file any more. Idempotent. */
export function leaveTeam(home: OpenHome, row: RepositoryRow): void {
  const unmark = (): void => markAgreed(row.path, linkedGitDirs(row.path), false);
  unmark();
  if (row.team === null) return;
  standGates(home, () => putTeam(home.db, row.id, null));
  unmark(); // a gate that was at work may have compiled in between; one that does so now takes it away itself
}

/** For a repository that leaves its home: the same, without bringing gates in line. */
export function forgetTeam(home: OpenHome, row: RepositoryRow): void {
  if (row.kind !== "git") return;
  markAgreed(row.path, linkedGitDirs(row.path), false);
  if (row.team !== null) putTeam(home.db, row.id, null);
}

/** For a gate: compiles the file of the work tree at `root` as it is now. Returns what changed, in one line, or nothing.
 *  Throws where the gate must refuse. */
export function followTeam(dir: string, repository: string, tree: WorkTree): string {
  const home = openHome(dir);
  try {
    requireRunnable(home);
    const row = requireAgreed(home, repository);
    const team = readTeamFile(tree.root);
    if (team === null) return ""; // it went away meanwhile
    const own = team.hooks.map(({ type }) => type);
    if (adds(row, own)) standGates(home, () => addTypes(home, requireAgreed(home, repository), own));
    else if (existsSync(home.layout.stale)) requireReached(refreshGates(home)); // one before this was ended amid it
    const before = compiledHooks(tree);
    compileTeam(tree, team, modeIn(home));
    requireAgreed(home, repository, linkedGitDirs(repository)); // what was just made may have taken the place of what went
    return teamChange(before, team.hooks);
  } finally {
    closeHome(home);
  }
}

/** The repository, whose team files are to be obeyed. Throws GP_NO_HOME where they are not, after taking away what was
 *  compiled below `compiled`. */
function requireAgreed(home: OpenHome, repository: string, compiled: readonly string[] | null = null): RepositoryRow {
  const row = repositoryByPath(home.db, repository);
  if (row !== null && row.team !== null) return row;
  if (compiled !== null) markAgreed(repository, compiled, false);
  throw new GatepostError("GP_NO_HOME", `Nobody agreed to ${TEAM_FILE} in ${repository}, as far as its home knows.`, {
    hint: "gatepost init",
  });
}
