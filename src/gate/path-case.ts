/** Pathspecs as a `case` of sh, for gates of repositories that have no command to compare paths with. */
import { shPattern } from "../core/pathspec.ts";

/** A shell function NAME that succeeds for a path, given relative to the folder of --dir and in full, that the pathspecs
 *  accept: all paths where there are none. Null where one of them cannot be a pattern. */
export function pathFunction(name: string, specs: readonly string[]): string | null {
  const arms = specs.map(armOf);
  if (arms.some((arm) => arm === null)) return null;
  const lines = (excludes: boolean): string[] =>
    arms.flatMap((arm) =>
      arm?.excludes === excludes
        ? [`  case $${arm.argument} in ${arm.pattern}) return ${excludes ? 1 : 0} ;; esac`]
        : [],
    );
  const wanted = lines(false);
  return `${name}() {\n${[...lines(true), ...wanted, `  return ${wanted.length === 0 ? 0 : 1}`].join("\n")}\n}`;
}

type Arm = { pattern: string; excludes: boolean; argument: 1 | 2 };

const EXCLUDE = /^:(?:[!^](?![!^/(:])|\(exclude\))/;

function armOf(spec: string): Arm | null {
  const excludes = EXCLUDE.test(spec);
  const rest = excludes ? spec.replace(EXCLUDE, "") : spec;
  const pattern = shPattern(rest);
  return pattern === null ? null : { pattern, excludes, argument: /^:(?:\/|\(top)/.test(rest) ? 2 : 1 };
}

/** The folder of --dir as the paths below it begin. */
export const folderText = (dir: string | null): string =>
  (dir ?? "")
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
