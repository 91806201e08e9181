/** What doctor says of the team files of a repository: one that nobody agreed to, that is wrong, or that is not compiled. */
import { join } from "node:path";
import { GatepostError } from "../../core/errors.ts";
import { typed } from "../../core/shell-word.ts";
import type { RepositoryRow } from "../../store/repository.ts";
import { type WorkTree, workTreesOf } from "../../vcs/git.ts";
import { compiledHooks, isAgreed, isCompiled, teamFolder } from "../team-compile.ts";
import { readTeamFile, TEAM_FILE, type TeamFile, teamChange } from "../team-file.ts";
import { counted, FIX, type Finding, failure, fine, warning } from "./finding.ts";

/** Looks at each work tree. Changes nothing. */
export function teamFindings(row: RepositoryRow): Finding[] {
  const findings = workTreesOf(row.path, row.workTree).flatMap((tree) => findingIn(row, tree) ?? []);
  if (row.team === null || isAgreed(row.path)) return findings;
  const says = `Gates do not know that ${TEAM_FILE} is to be obeyed: ${teamFolder(row.path)} is missing.`;
  return [failure(TEAM_FILE, says, FIX), ...findings];
}

function findingIn(row: RepositoryRow, tree: WorkTree): Finding | null {
  const file = join(tree.root, TEAM_FILE);
  let team: TeamFile | null;
  try {
    team = readTeamFile(tree.root);
  } catch (error) {
    if (!(error instanceof GatepostError)) throw error;
    const says = `${file} cannot be obeyed. ${error.message}`;
    const mend = `Mend ${file}`;
    return row.team === null
      ? warning(TEAM_FILE, says, mend)
      : failure(TEAM_FILE, `${says} Commits are refused.`, mend);
  }
  if (team === null) return null;
  if (row.team === null) {
    const init = `gatepost init ${typed(tree.root)}`;
    return isAgreed(row.path)
      ? failure(TEAM_FILE, `Gates obey ${file}, but its home does not know that somebody agreed.`, init)
      : warning(TEAM_FILE, `${file} is not obeyed: nobody agreed to it here.`, init);
  }
  if (isCompiled(tree, team)) return fine(TEAM_FILE, `${file}: ${counted(team.hooks.length, "hook")}, compiled.`);
  const before = compiledHooks(tree);
  return before === null || teamChange(before, team.hooks) !== ""
    ? warning(TEAM_FILE, `${file} is not compiled as it is now; the next commit there does it.`, FIX)
    : failure(TEAM_FILE, `What ${file} was compiled into is not whole, or of another version.`, FIX);
}
