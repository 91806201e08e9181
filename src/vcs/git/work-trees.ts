/** The work trees of a repository, read from its files: where each one's root is, and its own git directory. */
import fs from "node:fs";
import path from "node:path";

export type WorkTree = {
  /** A real path. */
  root: string;
  /** What git keeps for this work tree alone; of the main one that is the directory that all share. */
  gitDir: string;
};

/** The work tree that the path is in, if it is one of the repository with that common git directory; null otherwise. */
export function workTreeAt(gitDir: string, at: string): WorkTree | null {
  let folder: string;
  try {
    folder = fs.realpathSync(at);
  } catch {
    return null;
  }
  for (; ; folder = path.dirname(folder)) {
    const own = gitDirOf(folder);
    if (own !== null) return commonOf(own) === gitDir ? { root: folder, gitDir: own } : null;
    if (folder === path.dirname(folder)) return null;
  }
}

/** All work trees that are there now, the main one first. `known` is the root of one, where it is not beside its .git; that
 *  of the main one, if there is nothing of git's in it, as where core.worktree names it. */
export function workTreesOf(gitDir: string, known: string | null): WorkTree[] {
  const roots = [path.dirname(gitDir), ...(known === null ? [] : [known]), ...linkedRoots(gitDir)];
  const trees = new Map<string, WorkTree>();
  for (const root of roots) {
    const own = gitDirOf(root);
    if (own !== null && commonOf(own) === gitDir) trees.set(own, { root: fs.realpathSync(root), gitDir: own });
  }
  if (known !== null && isFolder(known) && !fs.existsSync(path.join(known, ".git")))
    trees.set(gitDir, { root: fs.realpathSync(known), gitDir });
  return [...trees.values()];
}

/** The directories that git keeps for linked work trees, also of those that are gone or not mounted. */
export const linkedGitDirs = (gitDir: string): string[] =>
  namesIn(path.join(gitDir, "worktrees")).map((name) => path.join(gitDir, "worktrees", name));

/** The roots of linked work trees, as their files name them. */
export const linkedRoots = (gitDir: string): string[] =>
  linkedGitDirs(gitDir).flatMap((own) => {
    const file = lineIn(path.join(own, "gitdir"));
    return file === null ? [] : [path.dirname(path.resolve(own, file))];
  });

function gitDirOf(root: string): string | null {
  const entry = path.join(root, ".git");
  try {
    if (fs.statSync(entry).isDirectory()) return fs.realpathSync(entry);
    const target = /^gitdir: (.+)$/s.exec(lineIn(entry) ?? "")?.[1];
    return target === undefined ? null : fs.realpathSync(path.resolve(root, target));
  } catch {
    return null;
  }
}

function commonOf(own: string): string | null {
  const shared = lineIn(path.join(own, "commondir"));
  try {
    return shared === null ? own : fs.realpathSync(path.resolve(own, shared));
  } catch {
    return null;
  }
}

const isFolder = (name: string): boolean => fs.statSync(name, { throwIfNoEntry: false })?.isDirectory() === true;

/** The text of a file without its last newline. */
function lineIn(file: string): string | null {
  try {
    return fs.readFileSync(file, "utf8").replace(/\n$/, "");
  } catch {
    return null;
  }
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}
