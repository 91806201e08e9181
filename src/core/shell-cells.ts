/** A shell line cut into cells: characters, `%%` already one percent sign, and the places of %F, %R and %A. */

export type Letter = "F" | "R" | "A";

/** `char` is what the shell acts on, "" for a place; `raw` is how it is written where it stands, which differs from
 *  `char` inside backquotes; `index` counts from 0 in the command as the user wrote it. */
export type Cell = { char: string; raw: string; index: number; letter: Letter | null };

/** What surrounds a place: nothing, double quotes, the word of a `"${x:-word}"` and of one without quotes, the pattern
 *  of a `${x#pattern}`, single quotes. */
export type Context = "bare" | "double" | "brace" | "operand" | "pattern" | "single";

/** The backquotes around, innermost first; true where they stand in double quotes. */
export type Levels = readonly boolean[];

/** `plain`: only ordinary characters stand before the place in its word. */
export type Piece = string | { letter: Letter; context: Context; plain: boolean; levels: Levels };

/** Cuts a command. One pass from the left, so that `%%R` is a percent sign and an R, and `%%%R` one and a place. */
export function cells(command: string): Cell[] {
  const found: Cell[] = [];
  for (let index = 0; index < command.length; index += 1) {
    const char = command.charAt(index);
    const next = command.charAt(index + 1);
    if (char === "%" && (next === "F" || next === "R" || next === "A")) {
      found.push({ char: "", raw: `%${next}`, index, letter: next });
      index += 1;
    } else {
      found.push({ char, raw: char, index, letter: null });
      if (char === "%" && next === "%") index += 1;
    }
  }
  return found;
}

export const rawText = (run: readonly Cell[]): string => run.map((cell) => cell.raw).join("");

/** What stands between two backquotes, as the shell that runs it gets to see it. `continued`: a backslash stood before
 *  a line end, which some shells take away here and others leave to the inner command. */
export type Body = { inner: Cell[]; end: number; continued: boolean };

/** Reads from just behind a backquote to the one that closes it, and takes off one level of backslashes; null when
 *  nothing closes it. Inside double quotes (`quoted`) a backslash before a double quote goes too. */
export function backquoted(text: readonly Cell[], from: number, quoted: boolean): Body | null {
  const inner: Cell[] = [];
  let continued = false;
  for (let at = from; at < text.length; at += 1) {
    const cell = text[at];
    if (cell === undefined) break;
    if (cell.char === "`") return { inner, end: at, continued };
    inner.push(cell);
    if (cell.char !== "\\") continue;
    const next = text[at + 1];
    if (next === undefined) break;
    at += 1;
    if (removable(next.char, quoted)) inner[inner.length - 1] = { ...next, raw: cell.raw + next.raw };
    else inner.push(next);
    if (next.char === "\n") continued = true;
  }
  return null;
}

/** Puts the backslashes back that the shell takes off. */
export function protect(text: string, levels: Levels): string {
  return levels.reduce((inner, quoted) => inner.replace(quoted ? /[\\`$"]/g : /[\\`$]/g, "\\$&"), text);
}

const removable = (char: string, quoted: boolean): boolean =>
  char === "$" || char === "`" || char === "\\" || (quoted && char === '"');
