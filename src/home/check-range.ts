/** Which commits `gatepost check` is about. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { commitsIn, type Listed } from "../vcs/git/history.ts";
import { collect, startGit } from "../vcs/git/run.ts";

const SUCH_AS = "Such as: gatepost check --range origin/main..HEAD";

/** The range as a person gave it, or the commits that HEAD has and its upstream, or the default branch of origin, has not.
 *  `own` is the git directory of the work tree. GP_USAGE where that cannot be told. */
export async function rangeFor(own: string, given: string | null): Promise<string> {
  if (given !== null) return given;
  for (const [name, revision] of [
    ["@{upstream}", "@{upstream}"],
    ["origin/HEAD", "refs/remotes/origin/HEAD"],
  ])
    if ((await commitAt(own, revision ?? "")) !== null) return `${name}..HEAD`;
  throw new GatepostError("GP_USAGE", "Which commits? HEAD has no upstream here, and there is no origin/HEAD.", {
    hint: SUCH_AS,
  });
}

/** The commits of a range, oldest first: of `A..B`, and of `A...B`, those that B has and A has not; else that commit alone.
 *  GP_USAGE for what is no range, and where a shallow clone has only a part of it. */
export async function commitsToCheck(gitDir: string, own: string, range: string): Promise<Listed[]> {
  if (range.startsWith(".."))
    // Git reads HEAD there: then nothing would be checked, and all be well, where a variable of a CI file is not set.
    throw new GatepostError("GP_USAGE", `"${range}" does not say behind which commit it begins. Nothing was checked.`, {
      hint: `${SUCH_AS}. Is a variable not set?`,
    });
  const listed = range.includes("..") || /^\^|\^[!@-]\d*$/.test(range) ? range.replace("...", "..") : `${range}^!`;
  const edge = shallowEdge(gitDir);
  let commits: Listed[];
  try {
    commits = await commitsIn(own, listed, null);
  } catch (error) {
    if (!(error instanceof GatepostError) || error.code !== "GP_USAGE") throw error;
    if (edge.size > 0) throw tooShallow(range);
    throw new GatepostError("GP_USAGE", `"${range}" is no range of commits here.`, {
      hint: `${SUCH_AS}, or one commit. A branch that was not fetched is not there: git fetch origin main`,
      cause: error,
    });
  }
  if (commits.some(([id]) => edge.has(id))) throw tooShallow(range);
  return commits;
}

const tooShallow = (range: string): GatepostError =>
  new GatepostError("GP_USAGE", `This clone is shallow and has only a part of ${range}. Nothing was checked.`, {
    hint: "Fetch the history: fetch-depth: 0 (GitHub Actions), GIT_DEPTH: 0 (GitLab), or git fetch --unshallow",
  });

/** The commits whose parents a shallow clone does not have. */
function shallowEdge(gitDir: string): Set<string> {
  try {
    return new Set(readFileSync(join(gitDir, "shallow"), "latin1").split("\n"));
  } catch {
    return new Set();
  }
}

async function commitAt(own: string, revision: string): Promise<string | null> {
  const answer = await collect(startGit(own, ["rev-parse", "--quiet", "--verify", `${revision}^{commit}`]));
  return answer.code === 0 ? answer.stdout.toString("latin1").trim() : null;
}
