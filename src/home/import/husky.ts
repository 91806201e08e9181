/**
 * husky: each script `.husky/NAME` is what `sh -e` runs at Git's hook NAME, from the work tree's root.
 *
 * The text of a script becomes the command, so that it stays what it was when imported. Where every line is one plain
 * program, each line becomes a hook of its own, which `sh -e` treats alike: the first that fails refuses. A script that
 * looks at its own name (`$0`) is run as husky runs it, from its file. Scripts of husky 4 to 8 begin with two lines
 * that load husky itself; they are dropped.
 */
import { typed } from "../../core/shell-word.ts";
import { type Foreign, foreignHook, type Left, nameFrom, noTypeFor, typeOf, withoutPlaces } from "./foreign.ts";
import { isPlainCommand } from "./shell-text.ts";

export type HuskyFiles = {
  /** The folder's path below the work tree's root, such as ".husky". */
  folder: string;
  scripts: readonly { name: string; text: string }[];
  /** ~/.config/husky/init.sh or ~/.huskyrc exists; its name. */
  init: string | null;
};

const BOILERPLATE = /^[ \t]*(?:\.|source)[ \t]+"?\$\(dirname (?:-- )?"?\$0"?\)\/_\/husky\.sh"?[ \t]*$/m;

/** The hooks of a husky folder. Other files in it (scripts that are loaded, configuration) are no hooks and not named.
 *  */
export function huskyHooks({ folder, scripts, init }: HuskyFiles): Foreign {
  const left: Left[] = [];
  const names = new Set(scripts.map(({ name }) => name));
  const hooks = scripts.flatMap(({ name, text }) => {
    const file = `${folder}/${name}`;
    const type = typeOf(name);
    if (type === null) {
      const covered = name === "pre-merge-commit" && names.has("pre-commit");
      if (isGitHook(name)) left.push({ what: file, why: covered ? COVERED : noTypeFor(name) });
      return [];
    }
    const commands = commandsOf(file, name, text);
    if (typeof commands === "string") left.push({ what: file, why: commands });
    else return commands.map((command) => foreignHook(type, nameFrom(`husky-${name}`), withoutPlaces(command)));
    return [];
  });
  if (init !== null)
    left.push({ what: init, why: "Gatepost does not read it; what it sets can go to ~/.config/gatepost/env.sh" });
  const next = hooks.length === 0 ? [] : ["git config --unset core.hooksPath", "gatepost init"];
  return { hooks, left, next };
}

const COVERED = "the hooks of pre-commit run at merges as well";
const isGitHook = (name: string): boolean => /^(pre|post)-[a-z-]+$/.test(name);

/** The commands a script stands for, or why it cannot be carried over. */
function commandsOf(file: string, name: string, text: string): string[] | string {
  const old = BOILERPLATE.test(text);
  const body = text.replace(/^#!.*\n?/, "").replace(BOILERPLATE, "");
  const lines = body.split("\n").map((line) => line.trim());
  const commands = lines.filter((line) => line !== "" && !line.startsWith("#"));
  if (commands.length === 0) return "no command is in it";
  if (/\$\{?0\b|\bBASH_SOURCE\b|(?:^|[;&|{(]|\bthen|\belse)\s*return\b/m.test(body)) {
    if (old) return "it needs husky's own folder ($0 stands in it); take the line with husky.sh out first";
    return [`sh -e ${typed(file)} "$@"`];
  }
  // What Git writes to the stdin of these goes to the script as a whole; lines may share it.
  const sharesStdin = name === "pre-push" || name === "post-rewrite";
  if (!sharesStdin && commands.every(isPlainCommand)) return commands;
  return [`set -e\n${body.replace(/^\s*\n|\s+$/g, "")}`];
}
