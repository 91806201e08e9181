/**
 * Stretches of a shell text that the scanner passes over in one step, because no place in them could be one safe word
 * or because it only has to know where they end. Each function looks from `at`, changes nothing, and answers
 * with the end, with a place that stands inside, or with a doubt (place null) where shells may disagree about the end.
 */
import type { Cell } from "./shell-cells.ts";

/** Why a place cannot be filled; what each means for the user is said in substitute.ts. */
export type Trouble =
  | ("name" | "operator" | "assign" | "expansion" | "nested" | "bracket" | "test" | "arithmetic" | "ansi" | "locale")
  | ("heredoc" | "case" | "comment" | "continued" | "mixed" | "unterminated" | "deep");

export type Refusal = { place: Cell; trouble: Trouble };

/** `end`: the index of the first cell behind the stretch. */
export type Stretch = { end: number } | { trouble: Trouble; place: Cell | null };

const doubt = (trouble: Trouble): Stretch => ({ trouble, place: null });

/** A `#` up to the end of its line. Old shells look for the end of `$(...)` (`inside`) without knowing comments. */
export function comment(text: readonly Cell[], at: number, inside: boolean): Stretch {
  let end = at;
  for (; end < text.length && text[end]?.char !== "\n"; end += 1)
    if (inside && /^['"`()\\]$/.test(text[end]?.char ?? "")) return doubt("comment");
  return { end };
}

/** A variable's name, and whether a place stands right behind it, be there a backslash or a line end between. */
export function variableName(text: readonly Cell[], at: number): { end: number; joins: boolean } {
  let end = at;
  while (/^\w$/.test(text[end]?.char ?? "")) end += 1;
  let next = end;
  while (text[next]?.char === "\\") next += text[next + 1]?.char === "\n" ? 2 : 1;
  return { end, joins: (text[next]?.letter ?? null) !== null };
}

/** `[...]` behind a name: in bash a subscript, blanks and all, and so arithmetic; in other shells a glob. */
export function subscript(text: readonly Cell[], at: number): Stretch {
  let end = at + 1;
  while (/^[\w@*+.,:^!$-]$/.test(text[end]?.char ?? "")) end += 1;
  const cell = text[end];
  if (cell !== undefined && cell.letter !== null) return { trouble: "bracket", place: cell };
  return cell?.char === "]" ? { end: end + 1 } : doubt("bracket");
}

/** `$'...'`: in a shell that does not know it, an escaped quote ends it. */
export function ansiQuotes(text: readonly Cell[], at: number): Stretch {
  let end = at + 2;
  for (; text[end]?.char !== "'"; end += 1) {
    const cell = text[end];
    if (cell === undefined) return doubt("unterminated");
    if (cell.letter !== null) return { trouble: "ansi", place: cell };
    if (cell.char === "\\" && /^['c]$/.test(text[end + 1]?.char ?? "")) return doubt("ansi");
  }
  return { end: end + 1 };
}

/** Double quotes in a `"${...}"`: all shells agree where simple ones end, not on what they quote. */
export function innerQuotes(text: readonly Cell[], at: number): Stretch {
  let end = at + 1;
  for (; text[end]?.char !== '"'; end += 1) {
    const cell = text[end];
    if (cell === undefined) return doubt("unterminated");
    if (cell.letter !== null) return { trouble: "nested", place: cell };
    if (/^['`\\(){}]$/.test(cell.char)) return doubt("nested");
  }
  return { end: end + 1 };
}

/** `$((...))` (`expansion`), and `((...))`, which is arithmetic in bash and two subshells elsewhere. Passed over where
 *  it holds nothing that a quote, a comment, a command or a here-document could hide in. */
export function arithmetic(text: readonly Cell[], at: number, expansion: boolean): Stretch {
  let end = at + (expansion ? 3 : 2);
  for (let open = 2; open > 0; end += 1) {
    const cell = text[end];
    const char = cell?.char ?? "";
    const next = text[end + 1]?.char;
    if (cell !== undefined && cell.letter !== null) return { trouble: "arithmetic", place: cell };
    if (char === "(") open += 1;
    else if (char === ")") open -= 1;
    else if (!/^[\w\s+\-*/%<>=!&|^~?:,;$.]$/.test(char)) return doubt("arithmetic");
    if (char === "$" && next === "(") return doubt("arithmetic");
    if (char === "<" && next === "<" && !expansion) return doubt("arithmetic");
    if (char === ")" && open === 1 && next !== ")") return doubt("arithmetic");
  }
  return { end };
}
