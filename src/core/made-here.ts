/**
 * Which commits of a clone were made in it, and which came from elsewhere. Pure.
 *
 * Git does not say. Two things tell, and both must agree before a commit is held against the people of a clone:
 *   1. Who committed it. Somebody who never moved a ref here, and is not named by the configuration, made it elsewhere.
 *   2. The reflogs. What a fetched value reaches came with it, unless a reflog also tells that it was made here: one's own
 *      commits come back with the next fetch, and those of one's other machine have the same committer.
 * Where no reflog is kept, or it has expired, only the first of them is left.
 *
 * Proven by test/core/ungated.test.ts and test/e2e/ungated.test.ts.
 */

/** What a reflog entry tells, as far as it matters here. */
export type Trace = { commit: string; ref: string; how: string };

/** How a command that makes commits begins its words: "commit (amend): …", "rebase (pick): …", "pull: Merge made by …". */
const MADE =
  /^(?:(?:commit|cherry-pick|revert|am)\b.*?:|(?:merge|pull)\b.*: Merge made by|(?:rebase|pull)\b[^:]*\((?:pick|reword|edit|squash|fixup|continue|merge|exec|break|amend)\))/s;
const FETCHED = /^(?:clone|fetch)\b|^pull\b.*: fast-forward$|^push$/is;

/** The commits that a reflog says were made in this clone. */
export function tracedAsMade(traces: readonly Trace[]): Set<string> {
  return new Set(traces.filter(({ how }) => MADE.test(how)).map(({ commit }) => commit));
}

/** The commits that reflogs say came from another repository, by themselves or as the history of one that did. */
export function tracedAsFetched(
  traces: readonly Trace[],
  parents: ReadonlyMap<string, readonly string[]>,
): Set<string> {
  const open = traces.filter(wasFetched).map(({ commit }) => commit);
  const made = tracedAsMade(traces);
  const reached = new Set<string>();
  for (let commit = open.pop(); commit !== undefined; commit = open.pop()) {
    if (reached.has(commit)) continue;
    reached.add(commit);
    open.push(...(parents.get(commit) ?? []));
  }
  for (const commit of made) reached.delete(commit);
  return reached;
}

const wasFetched = ({ ref, how }: Trace): boolean =>
  ref.startsWith("refs/remotes/") ? !/^update by push/.test(how) : FETCHED.test(how);
