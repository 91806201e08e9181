/**
 * %F, %R and %A in a hook's command: always one safe word, whatever quotes the command puts around them.
 *
 * A command is one text for `sh -c`. `%F` stands for the gatepost program, `%R` for the repository, `%A` for the
 * auxiliary file, `%%` for a percent sign; any other `%x`, and a percent sign at the end, stay as written. The value
 * itself never gets into the text. What gets there is a reference to an exported variable, quoted for the place where
 * it stands (shell-scan.ts finds out), so that a repository called `a b; rm -rf $HOME` is data:
 *
 *     cat %R             cat "${GATEPOST_REPOSITORY}"             an empty value is an empty word
 *     echo "in %R"       echo "in ${GATEPOST_REPOSITORY}"
 *     echo 'in %R'       echo 'in '"${GATEPOST_REPOSITORY}"''     single quotes do not keep a place from being filled
 *     echo \%R           echo "${GATEPOST_REPOSITORY}"            nor does a backslash; `%%R` does
 *     "${f#%R/}"         "${f#"${GATEPOST_REPOSITORY}"/}"         as plain text, not as a pattern
 *     ${f%%.*}           ${f%.*}                                  the percent rule knows no exceptions: `${f%%%%.*}`
 *
 * Where a place cannot be one safe word, or cannot be read with certainty, the command is refused with the column and
 * with what to write instead, when it is added and not when it runs.
 *
 * What this does not promise: a word is safe in the shell that reads the command, and no further. `eval "cat %R"`,
 * `trap 'rm %A' EXIT`, `sh -c 'cat %R'` and `ssh host cat %R` hand the *value* to a second shell that reads it as
 * a program. Write `sh -c 'cat "$1"' sh %R`, or name the exported variable in the inner text:
 * `trap 'rm "$GATEPOST_AUX"' EXIT`. The same goes for bash builtins that compute with their words (`let`,
 * `declare -i`, `unset`), and a value that starts with `-` is an option to whoever gets it without `--`.
 *
 * Pure; nothing to lose. Proven by test/core/substitute.test.ts and substitute-property.test.ts.
 */

import { type Cell, type Context, cells, type Letter, type Piece, protect } from "./shell-cells.ts";
import { scan } from "./shell-scan.ts";
import type { Refusal, Trouble } from "./shell-stretch.ts";
import { quoted as inQuotes } from "./shell-word.ts";

/** What the three places stand for; `auxiliary` is empty when the hook's type has no such file. */
export type Values = { program: string; repository: string; auxiliary: string };

export type Substituted =
  | { ok: true; command: string; uses: ReadonlySet<Letter> }
  /** `reason` is one sentence that names the place and what to write instead. */
  | { ok: false; reason: string };

/** The variables that must be exported to a substituted command, empty ones too. */
export const VARIABLES = {
  F: "GATEPOST_PROGRAM",
  R: "GATEPOST_REPOSITORY",
  A: "GATEPOST_AUX",
} as const satisfies Record<Letter, string>;

/** The text for `sh -c`, to be run with VARIABLES exported. `uses` names the places that were filled, so that no file
 *  is written for an `%A` that is not there. Never throws; a text without percent signs comes back as it is. */
export function substitute(command: string): Substituted {
  const { pieces, refusal } = scan(cells(command));
  if (refusal !== null) return { ok: false, reason: explain(command, refusal) };
  const uses = new Set<Letter>();
  for (const piece of pieces) if (typeof piece !== "string") uses.add(piece.letter);
  return { ok: true, command: pieces.map(reference).join(""), uses };
}

/** The command with the values in it, as a person could paste it into sh: for --dry-run and traces, never to be run by
 *  us. A value that no shell reads safely where it stands, in the braces of a `${...}`, is set as a variable in front.
 *  A command that `substitute` refuses comes back as written. Control characters are left to whoever prints it. */
export function readable(command: string, values: Values): string {
  const { pieces, refusal } = scan(cells(command));
  if (refusal !== null) return command;
  const value = { F: values.program, R: values.repository, A: values.auxiliary };
  const front = new Set<string>();
  let text = "";
  for (const [n, piece] of pieces.entries()) {
    if (typeof piece === "string") text += piece;
    else if (BRACED.has(piece.context) && !ORDINARY_WORD.test(value[piece.letter])) {
      front.add(`${VARIABLES[piece.letter]}=${inQuotes(value[piece.letter])}; `);
      text += reference(piece);
    } else text += literal(piece, value[piece.letter], pieces[n + 1]);
  }
  return [...front, text].join("");
}

function reference(piece: Piece): string {
  if (typeof piece === "string") return piece;
  const open = "${";
  const variable = `${open}${VARIABLES[piece.letter]}}`;
  const quoted: Record<Context, string> = {
    bare: `"${variable}"`,
    double: variable,
    brace: variable,
    operand: `"${variable}"`,
    pattern: `"${variable}"`,
    single: `'"${variable}"'`,
  };
  return protect(quoted[piece.context], piece.levels);
}

// One that is no keyword: those are lower-case letters only.
const ORDINARY_WORD = /^(?=.*[^a-z])[\w@+.,/-]+$/;
const WORD_ENDS = /^($|[\s;&|)/`])/;
// Bash takes an apostrophe or a <( there for what it is elsewhere, whatever quotes are around it.
const BRACED: ReadonlySet<Context> = new Set(["brace", "operand", "pattern"]);

function literal(piece: Exclude<Piece, string>, value: string, after: Piece = ""): string {
  const bare = piece.plain && ORDINARY_WORD.test(value) && typeof after === "string" && WORD_ENDS.test(after);
  const text: Record<Context, string> = {
    bare: bare ? value : inQuotes(value),
    double: value.replace(/[\\`$"]/g, "\\$&"),
    brace: value,
    operand: value,
    pattern: `"${value}"`,
    single: inQuotes(value).slice(1, -1),
  };
  return protect(text[piece.context], piece.levels);
}

function explain(command: string, { place, trouble }: Refusal): string {
  const variable = `$${VARIABLES[place.letter ?? "R"]}`;
  return `${place.raw} ${position(command, place)} ${TROUBLES[trouble](place.raw, variable)}.`;
}

function position(command: string, place: Cell): string {
  const lines = command.slice(0, place.index).split("\n");
  const column = `column ${(lines.at(-1) ?? "").length + 1}`;
  return lines.length === 1 ? `at ${column}` : `at line ${lines.length}, ${column}`;
}

/** Where the place stands, and what to write instead. */
const TROUBLES: Record<Trouble, (place: string, variable: string) => string> = {
  name: (place, variable) => `stands where the shell wants a variable's name: write ${place} alone, or "${variable}"`,
  operator: (place) =>
    `follows a variable's name in braces: write %${place} to cut off the letter, %%${place} the value`,
  assign: (place) => `is assigned and then split into words: put double quotes around the \${...} with ${place}`,
  expansion: (place) => `stands in an expansion that not every sh knows: write x=${place} first, and use $x in it`,
  nested: (_, variable) =>
    `stands behind or in quotes nested in \${...}, read differently by shells: use "${variable}"`,
  bracket: (place) => `stands in or behind [ ], a set of characters or an index: write x=${place} first, and use "$x"`,
  test: (place) => `stands in [[ ]], which may compute with it: write [ ] with ${place}`,
  arithmetic: (place) => `stands in or behind arithmetic: write ${place} outside it; the remainder is written %%`,
  ansi: (place) => `stands in or behind $'...', which not every sh knows: write it in '...', or ${place} alone`,
  locale: (place) => `stands in $"...", which is translated: write "..." with ${place}`,
  heredoc: (_, variable) => `stands in or behind a here-document: write ${variable} there`,
  case: (_, variable) => `stands behind "case" in $(...), read differently by shells: write "${variable}"`,
  comment: (_, variable) => `stands behind a comment with quotes in $(...): take it out, or write "${variable}"`,
  continued: (place) =>
    `stands behind a line that ends in an operator or in backquotes: write ${place} on the same line`,
  mixed: () => "stands in or behind $(...) in backquotes, read differently by shells: write $(...) for both",
  unterminated: () => "stands in quotes, braces or parentheses that nothing closes: close them",
  deep: (_, variable) => `stands too deep in quotes: write "${variable}"`,
};

/** The command cut at its places, for a trace that shows the values: text as written, and the letters in between. A
 *  command that `substitute` refuses comes back whole. */
export function places(command: string): (string | { letter: Letter })[] {
  const { pieces, refusal } = scan(cells(command));
  return refusal === null ? [...pieces] : [command];
}
