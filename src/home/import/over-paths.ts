/**
 * The command of a hook that other managers call with file names appended: here the names come on stdin, NUL-separated,
 * and xargs appends them, so that no byte of a name is ever read by a shell.
 *
 * A name that begins with "-" would be an option to the command. Programs known to take "--" get it; for all others
 * such a name, which can only stand at the top, is given as ./-name.
 */
import { typed } from "../../core/shell-word.ts";
import { isPlainCommand } from "./shell-text.ts";

const TAKES_DASHES: ReadonlySet<string> = new Set(
  `biome black clang-format cspell eslint flake8 gofmt goimports isort markdownlint mypy oxlint prettier pylint
  rubocop ruff rustfmt shellcheck standard stylelint xo yamllint`.split(/\s+/),
);
const STARTER = /^(?:npx|bundle exec|poetry run|uv run) /;

const DASHES_OFF = `case " $*" in *" -"*)
  for f do shift; case $f in -*) f=./$f ;; esac; set -- "$@" "$f"; done ;;
esac`;

/** A hook's command that runs `command` with the paths of its stdin as last words; in as many runs as they need. */
export function appendPaths(command: string): string {
  if (!isPlainCommand(command)) return withPaths(`${command} "$@"`);
  const [program = ""] = command.replace(STARTER, "").split(" ");
  return TAKES_DASHES.has(program) && !/ --(?: |$)/.test(command)
    ? `xargs -0 -r ${command} --`
    : withPaths(`${command} "$@"`);
}

/** A hook's command that runs the shell text `inner`, in which "$@" stands for the paths of its stdin. */
export const withPaths = (inner: string): string => `xargs -0 -r sh -c ${typed(`${DASHES_OFF}\n${inner}`)} sh`;
