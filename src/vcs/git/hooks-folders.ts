/**
 * Where git looks for the hooks of a repository: usually one folder, of all its work trees. A relative core.hooksPath is
 * taken from the root of each work tree, and one in the configuration of a work tree holds there alone.
 */
import fs from "node:fs";
import path from "node:path";
import { capture } from "../../process/command.ts";
import { type Identity, identifyGit } from "./identity.ts";
import { gitEnvironment } from "./run.ts";
import { linkedRoots } from "./work-trees.ts";

/** An absolute path that need not exist yet, and who uses it: this repository alone; whoever has its work tree, where it
 *  may be committed; or everyone's repositories, because it is named outside of this one. */
export type GitHooksFolder = { path: string; use: "own" | "tree" | "everyone" };

/** The folders of all work trees there are now. */
export async function hooksFoldersOf(identity: Identity): Promise<GitHooksFolder[]> {
  const own = path.join(identity.gitDir, "hooks");
  const paths = new Set([identity.hooksDir]);
  if (identity.hooksPathScope !== null || hasOwnConfiguration(identity))
    for (const root of [identity.workTree, ...linkedRoots(identity.gitDir)]) {
      if (root === null || !fs.existsSync(root)) continue;
      paths.add((await identifyGit(root)).hooksDir);
    }
  const use = (folder: string): GitHooksFolder["use"] => {
    const real = fs.existsSync(folder) ? fs.realpathSync(folder) : folder; // "hooks" may be a link to one of many
    if (real === own || real.startsWith(`${identity.gitDir}/`)) return "own";
    const roots = [identity.workTree, ...linkedRoots(identity.gitDir)];
    return roots.some((root) => root !== null && folder.startsWith(`${root}/`)) ? "tree" : "everyone";
  };
  return [...paths].map((folder) => ({ path: folder, use: use(folder) }));
}

const hasOwnConfiguration = ({ gitDir }: Identity): boolean =>
  fs.existsSync(path.join(gitDir, "config.worktree")) ||
  namesIn(path.join(gitDir, "worktrees")).some((name) =>
    fs.existsSync(path.join(gitDir, "worktrees", name, "config.worktree")),
  );

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}

/** The first version of git that runs hooks of its configuration. */
const CONFIGURED_SINCE = [2, 54] as const;

/** Whether the git that is found here runs the hooks of its configuration (`hook.NAME.command`) besides hook files. */
export async function runsConfiguredHooks(): Promise<boolean> {
  const { stdout } = await capture("git", ["version"], { env: gitEnvironment(), cwd: "/" });
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(stdout.toString("latin1")) ?? []).slice(1).map(Number);
  return major > CONFIGURED_SINCE[0] || (major === CONFIGURED_SINCE[0] && minor >= CONFIGURED_SINCE[1]);
}
