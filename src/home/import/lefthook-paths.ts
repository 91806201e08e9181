/** lefthook's glob, exclude and root as pathspecs. Its globs ignore case and its `*` matches slashes, as in a pathspec.
 *  */
import { below, collapseStars, expandBraces, pathspec } from "./globs.ts";

/** The pathspecs that leave the paths lefthook would; null where all are left. */
export function lefthookPaths(
  globs: readonly string[],
  excludes: readonly string[],
  root: string | null,
  doublestar: boolean,
): { paths: string[] | null } | { why: string } {
  const top = root === null ? [] : ["top"];
  const kind = doublestar ? ["glob"] : [];
  const wanted: string[] = [];
  for (const glob of globs) {
    const plain = plainGlobs(glob, doublestar);
    if (plain === null) return { why: `glob ${glob}: no pathspec matches the same paths` };
    for (const one of plain) {
      const placed = root === null ? one : below(root, one);
      if (placed === null) return { why: `glob ${glob} within root ${root}: no pathspec matches the same paths` };
      wanted.push(pathspec(placed, ...top, ...kind, "icase"));
    }
  }
  if (wanted.length === 0 && root !== null) wanted.push(pathspec(`${root}/`, "top"));
  const unwanted: string[] = [];
  for (const exclude of excludes) {
    const plain = /[()|^$]/.test(exclude) ? null : plainGlobs(exclude, doublestar);
    if (plain === null) return { why: `exclude ${exclude}: no pathspec matches the same paths` };
    unwanted.push(...plain.map((one) => pathspec(one, ...top, ...kind, "exclude")));
  }
  if (unwanted.length > 0 && wanted.length === 0) wanted.push(":/");
  const paths = [...wanted, ...unwanted];
  return { paths: paths.length === 0 ? null : [...new Set(paths)] };
}

function plainGlobs(glob: string, doublestar: boolean): string[] | null {
  const plain = /\[\^/.test(glob) ? null : expandBraces(glob.replace(/^\.\//, ""));
  return plain === null || doublestar ? plain : plain.map(collapseStars);
}
