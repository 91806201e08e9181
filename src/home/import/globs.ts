/**
 * Globs of other managers as Git pathspecs that match the same paths, or null where no pathspec does.
 *
 * In a plain pathspec `*` and `?` match slashes too, and braces are characters; with `:(glob)` a `*` stops at slashes
 * and `**` between slashes does not. A pathspec without wildcards also matches everything below a folder of that name.
 */

const LIMIT = 64;

/** `*.{a,b}` as `*.a` and `*.b`, nested ones too; null where braces do not match or there are too many. */
export function expandBraces(pattern: string): string[] | null {
  const open = indexOutside(pattern, 0, "{");
  if (open === null) return indexOutside(pattern, 0, "}") === null ? [pattern] : null;
  const parts: string[] = [];
  let depth = 0;
  let start = open + 1;
  for (let at = open; at < pattern.length; at = afterOne(pattern, at)) {
    const char = pattern[at];
    if (char === "{") depth += 1;
    if (char === "}") depth -= 1;
    if ((char === "," && depth === 1) || depth === 0) {
      parts.push(pattern.slice(start, at));
      start = at + 1;
    }
    if (depth > 0) continue;
    const [head, tail] = [pattern.slice(0, open), pattern.slice(at + 1)];
    const all: string[] = [];
    for (const part of parts) {
      const expanded = expandBraces(head + part + tail);
      if (expanded === null || all.length + expanded.length > LIMIT) return null; // at once: they double at each brace
      all.push(...expanded);
    }
    return all;
  }
  return null;
}

function indexOutside(pattern: string, from: number, char: string): number | null {
  for (let at = from; at < pattern.length; at = afterOne(pattern, at)) if (pattern[at] === char) return at;
  return null;
}

/** Where the character, escape or set at `at` ends. */
function afterOne(pattern: string, at: number): number {
  if (pattern[at] === "\\") return at + 2;
  if (pattern[at] !== "[") return at + 1;
  const end = pattern.indexOf("]", at + 2);
  return end < 0 ? at + 1 : end + 1;
}

/** A pathspec with its magic words; a pattern that begins with a colon is not taken for magic. */
export function pathspec(pattern: string, ...magic: string[]): string {
  if (magic.length === 0 && !pattern.startsWith(":")) return pattern;
  return `:(${magic.length === 0 ? "top" : magic.join(",")})${pattern}`;
}

/** Runs of `*` as one: in a plain pathspec they mean the same. */
export const collapseStars = (glob: string): string =>
  glob.replace(/\\.|\*+/g, (found) => (found[0] === "*" ? "*" : found));

const isLiteral = (glob: string): boolean => !/[*?[\\]/.test(glob);

/** A glob that matches what both match: null where that cannot be written, "" where it is nothing. Both are plain ones
 *  with collapsed stars. */
export function bothMatch(a: string, b: string): string | null {
  if (a === b || b === "*") return a;
  if (a === "*") return b;
  return ending(a, b) ?? ending(b, a);
}

/** The same where `tail` is `*` and then a text without a slash, such as `*.py`. */
function ending(glob: string, tail: string): string | null {
  const text = tail.slice(1);
  if (!tail.startsWith("*") || !isLiteral(text) || text.includes("/")) return null;
  if (isLiteral(glob)) return glob.endsWith(text) ? glob : "";
  const own = glob.slice(Math.max(glob.lastIndexOf("*"), glob.lastIndexOf("?"), glob.lastIndexOf("]")) + 1);
  if (own.includes("\\")) return null;
  if (own.endsWith(text)) return glob;
  if (own !== "") return text.endsWith(own) ? null : "";
  // Glob ends in a wildcard. What stands before it must not reach into the text: `a/*` is safe, `a.p*` is not.
  return glob.endsWith("/*") && isLiteral(glob.slice(0, -1)) ? glob + text : null;
}

/** Paths of `glob` (plain, braces expanded) that are below `folder`; null where that cannot be written. */
export function below(folder: string, glob: string): string | null {
  if (glob === "*") return `${folder}/`;
  const wild = glob.search(/[*?[\\]/);
  const start = wild < 0 ? glob : glob.slice(0, wild);
  if (start.startsWith(`${folder}/`)) return glob;
  if (glob.startsWith("**/") && !glob.slice(3).includes("/")) return `${folder}/${glob}`; // of the :(glob) kind
  return glob.startsWith("*") && isLiteral(glob.slice(1)) && !glob.includes("/") ? `${folder}/${glob}` : null;
}
