/**
 * The files of a hooks folder: each executable one under a name of Git's becomes one hook.
 *
 * The text of a script for sh becomes the command; any other program is copied to `gatepost/imported/` in the folder
 * and run from there. What looks for other files beside itself stays where it is: as a chained hook it runs all the
 * same.
 */
import { type Foreign, foreignHook, type Left, nameFrom, noTypeFor, typeOf, withoutPlaces } from "./foreign.ts";

export type HookFile = { name: string; content: Buffer; link: boolean; executable: boolean };
export type HooksDir = Foreign & {
  /** Names whose file is to be copied for the command to run. */
  copied: string[];
  /** Names that became hooks, whose file would now run a second time. */
  taken: string[];
};

/** The shell word for the place of a file of that name, beside which it looks. */
export type Beside = (name: string) => string;

/** The hooks of a folder's files. `run` is the shell word for the copy of a file of that name. With `there`, shell scripts
 *  that look beside themselves by $0 are taken as well. */
export function hooksDirHooks(
  files: readonly HookFile[],
  run: (name: string) => string,
  there: Beside | null = null,
): HooksDir {
  const left: Left[] = [];
  const copied: string[] = [];
  const hooks = files.flatMap(({ name, content, link, executable }) => {
    const type = typeOf(name);
    const reason = !executable
      ? "it is not executable, so Git does not run it"
      : type === null
        ? noTypeFor(name)
        : link
          ? "it is a symbolic link; it stays and runs as a chained hook"
          : null;
    const made = reason === null ? commandOf(name, content, run, there) : null;
    if (type === null || made === null) {
      left.push({ what: name, why: reason ?? "it looks for files beside itself; it stays and runs as a chained hook" });
      return [];
    }
    if (made.copy) copied.push(name);
    return [{ native: name, hook: foreignHook(type, nameFrom(name), made.command) }];
  });
  return { hooks: hooks.map(({ hook }) => hook), left, next: [], copied, taken: hooks.map(({ native }) => native) };
}

const LOOKS_AROUND =
  /\$\{?0(?!\d)|\bBASH_SOURCE\b|__file__|__dir(?:name)?|import\.meta|argv\[0\]|\$PROGRAM_NAME|FindBin/;

function commandOf(name: string, content: Buffer, run: (name: string) => string, there: Beside | null) {
  const text = content.toString("utf8");
  const isText = !content.includes(0) && Buffer.from(text).equals(content);
  if (isText && LOOKS_AROUND.test(text)) {
    const shell = there === null ? null : shellThatNamesItself(text);
    if (shell === null) return null;
    return { command: `${shell} -c 'f=$1; shift; . "$f"' ${there?.(name)} ${run(name)} "$@"`, copy: true };
  }
  // Options that `set` does not take, such as -l, are for the program that runs a copy.
  const shebang = /^#![ \t]*(?:\/usr)?\/bin\/(?:env[ \t]+sh|sh(?:[ \t]+-([aefuvxC]+))?)[ \t]*\n/.exec(text);
  if (!isText || (shebang === null && text.startsWith("#!"))) return { command: `${run(name)} "$@"`, copy: true };
  const options = shebang?.[1] === undefined ? "" : `set -${shebang[1]}\n`;
  const body = text.slice(shebang?.[0].length ?? 0).trimEnd();
  return { command: withoutPlaces(options + body), copy: false };
}

/** The shell of a script that uses $0 only to say where it stands and what it is called: it runs from a copy, with the $0
 *  it had. One that starts itself again by $0 would start the shim that stands there now. Null for any other. */
function shellThatNamesItself(text: string): string | null {
  const [, shell] =
    /^#![ \t]*((?:\/usr)?\/bin\/(?:env[ \t]+)?(?:sh|bash|dash|ksh)(?:[ \t]+-[a-bd-z]+)?)[ \t]*\n/.exec(text) ?? [];
  const rest = text
    .replace(/\b(?:dirname|basename)[ \t]+(?:--[ \t]+)?(?:"\$0"|"\$\{0\}"|\$0\b|\$\{0\})/g, "")
    .replace(/\$\{0(?:%\/\*|##\*\/)\}/g, "")
    .replace(/\$(?:0|\{0\}):/g, "");
  return shell === undefined || LOOKS_AROUND.test(rest) ? null : shell;
}
