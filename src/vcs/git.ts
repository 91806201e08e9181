/** Git repositories, read-only: the parts in git/ behind the interface that every kind has. */

import { configuredPersons, readCommits, readReflogs, writtenAt } from "./git/commits.ts";
import { fingerprint } from "./git/fingerprint.ts";
import { headRange } from "./git/head.ts";
import { listArtifacts } from "./git/listing.ts";
import { changedPaths, touches } from "./git/paths.ts";
import { readRefs } from "./git/refs.ts";
import { type GitRepository, refRange } from "./repository.ts";

export { type GitHooksFolder, hooksFoldersOf, runsConfiguredHooks } from "./git/hooks-folders.ts";
export { type Identity, identifyGit } from "./git/identity.ts";
export { isCommonPlain, plainIdentity } from "./git/plain.ts";
export { linkedGitDirs, type WorkTree, workTreeAt, workTreesOf } from "./git/work-trees.ts";

/** The repository whose git directory (`Identity.gitDir`) is `gitDir`. Opens nothing and keeps nothing: each call
 *  stands alone, and one on a repository that is gone throws GP_NO_REPOSITORY. */
export function openGit(gitDir: string): GitRepository {
  return {
    kind: "git",
    path: gitDir,
    readRefs: (which) => readRefs(gitDir, which),
    fingerprint: (previous, now) => fingerprint(gitDir, previous, now),
    artifacts: (range, options) => listArtifacts(gitDir, refRange(range), options),
    touches: (range, pathspecs, signal) => touches(gitDir, refRange(range), pathspecs, signal),
    headRange: () => headRange(gitDir),
    commits: (range) => readCommits(gitDir, refRange(range)),
    reflogs: () => readReflogs(gitDir),
    configuredPersons: () => configuredPersons(gitDir),
    writtenAt: (commit) => writtenAt(gitDir, commit),
    paths: (range, pathspecs, signal) => changedPaths(gitDir, refRange(range), pathspecs, signal),
  };
}
