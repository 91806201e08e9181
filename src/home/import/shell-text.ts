/**
 * Looks at the text of a shell line, as far as importing needs: where quotes are, and whether a line is nothing but
 * words.
 *
 * Where quoting cannot be told with certainty (behind a here-document, or a substitution in double quotes) it is
 * "unclear", and whoever asks has to leave the hook out.
 */

export type Quotes = "none" | "single" | "double" | "unclear";

/** Replaces each match of the sticky `pattern`, told the quotes it stands in. A replacement of null gives it all up. */
export function replaceInShell(
  text: string,
  pattern: RegExp,
  replacement: (match: RegExpExecArray, quotes: Quotes) => string | null,
): string | null {
  let result = "";
  let quotes: Quotes = "none";
  for (let at = 0; at < text.length; ) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) {
      const instead = replacement(match, quotes);
      if (instead === null) return null;
      result += instead;
      at += match[0].length;
      continue;
    }
    const step = next(text, at, quotes);
    result += text.slice(at, step.at);
    ({ at, quotes } = step);
  }
  return result;
}

/** One character further, or past what an escape or a comment covers. */
function next(text: string, at: number, quotes: Quotes): { at: number; quotes: Quotes } {
  const char = text[at];
  if (quotes === "unclear") return { at: at + 1, quotes };
  if (quotes === "single") return { at: at + 1, quotes: char === "'" ? "none" : quotes };
  if (char === "\\") return { at: Math.min(at + 2, text.length), quotes };
  if (quotes === "double") {
    if (char === "`" || text.startsWith("$(", at)) return { at: at + 1, quotes: "unclear" };
    return { at: at + 1, quotes: char === '"' ? "none" : quotes };
  }
  if (text.startsWith("<<", at)) return { at: at + 2, quotes: "unclear" };
  if (char === "#" && /(^|[\s;&|(])$/.test(text.slice(Math.max(0, at - 1), at))) {
    const end = text.indexOf("\n", at);
    return { at: end < 0 ? text.length : end, quotes };
  }
  if (char === "'") return { at: at + 1, quotes: "single" };
  return { at: at + 1, quotes: char === '"' ? "double" : quotes };
}

// What works on the shell itself, or reads what follows it: as a hook of its own such a line would do nothing.
const OWN: ReadonlySet<string> = new Set(
  `. : [ alias break case cd command continue do done elif else esac eval exec exit export fi for function getopts
  hash if local read readonly return set shift source test then time times trap type ulimit umask unalias unset
  until wait while`.split(/\s+/),
);

/** Whether a line is one program with words, so that run alone it does what it does among others. */
export function isPlainCommand(line: string): boolean {
  if (!/^[\w./:@=,+~ "'$*-]+$/.test(line)) return false;
  const quotesOut = line.replace(/"[^"'$]*"|'[^"']*'|"\$[1-9@]"/g, "q");
  if (/["'$~]/.test(quotesOut)) return false;
  const [first = ""] = quotesOut.split(" ");
  return !first.includes("=") && !OWN.has(first) && !first.includes("*");
}
