/**
 * A regular expression over paths, as pre-commit has them, as plain Git globs that match the same paths.
 *
 * Taken: literals, `.` `.*` `.+` `.?`, sets, groups, `|`, `?` behind one thing, anchors at either end, and the flags
 * (?x) and (?i). Anything else, and more than 64 globs, gives null: a hook whose files cannot be told exactly is left
 * out.
 */
import { collapseStars } from "./globs.ts";

const LIMIT = 64;
const [START, END] = ["\x02", "\x03"];

/** `^src/.*\.(js|ts)$` as `src/*.js` and `src/*.ts`. The list is empty for one that matches nothing. */
export function globsOfRegex(regex: string): { globs: string[]; ignoreCase: boolean } | null {
  const flags = /^\(\?([ix]+)\)/.exec(regex);
  let body = regex.slice(flags?.[0].length ?? 0);
  if (flags?.[1]?.includes("x")) body = body.replace(/\\.|\s+|#[^\n]*/g, (part) => (part.startsWith("\\") ? part : ""));
  const reader = new Reader(body);
  const fragments = reader.alternatives();
  if (fragments === null || !reader.atEnd) return null;
  const globs = fragments.map(anchored);
  if (globs.includes(null)) return null;
  const matching = globs.filter((glob) => glob !== "");
  return { globs: [...new Set(matching as string[])], ignoreCase: flags?.[1]?.includes("i") ?? false };
}

function anchored(fragment: string): string | null {
  const [inner, starts, ends] = [fragment.replace(/^\x02+|\x03+$/g, ""), fragment[0] === START, fragment.endsWith(END)];
  if (inner.includes(START) || inner.includes(END)) return null;
  return collapseStars(`${starts ? "" : "*"}${inner}${ends ? "" : "*"}`);
}

class Reader {
  private at = 0;
  private depth = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  get atEnd(): boolean {
    return this.at === this.text.length;
  }

  /** Everything up to a closing parenthesis or the end, as glob fragments. */
  alternatives(): string[] | null {
    const all: string[] = [];
    let current = [""];
    while (!this.atEnd && this.text[this.at] !== ")") {
      if (this.text[this.at] === "|") {
        this.at += 1;
        all.push(...current);
        current = [""];
        continue;
      }
      const item = this.item();
      if (item === null) return null;
      current = current.flatMap((before) => item.map((after) => before + after));
      if (current.length + all.length > LIMIT) return null;
    }
    return [...all, ...current];
  }

  private item(): string[] | null {
    const char = this.text[this.at] ?? "";
    this.at += 1;
    if (char === "^" || char === "$")
      return /[*+?{]/.test(this.text[this.at] ?? "") ? null : [char === "^" ? START : END];
    const one = this.one(char);
    if (one === null) return null;
    const sign = this.text[this.at] ?? "";
    if (!/[*+?{]/.test(sign)) return one;
    this.at += 1;
    if ((sign === "*" || sign === "+") && char === ".") {
      if (this.text[this.at] === "?") this.at += 1; // lazy: the same paths
      return [sign === "*" ? "*" : "?*"];
    }
    return sign === "?" && !/[*+?{]/.test(this.text[this.at] ?? "") ? ["", ...one] : null;
  }

  private one(char: string): string[] | null {
    if (char === "(") return this.group();
    if (char === "[") return this.set();
    if (char === ".") return ["?"];
    if (char === "\\") return this.escape();
    return /[*+?{)]/.test(char) ? null : [char];
  }

  private group(): string[] | null {
    if (this.text[this.at] === "?") {
      if (!this.text.startsWith("?:", this.at)) return null;
      this.at += 2;
    }
    this.depth += 1;
    const inner = this.depth > LIMIT ? null : this.alternatives();
    if (inner === null || this.atEnd) return null;
    this.depth -= 1;
    this.at += 1;
    return inner;
  }

  private set(): string[] | null {
    const found = /^((?:[\w.,@+ ]|\\[.-]|-)+)\]/.exec(this.text.slice(this.at));
    if (found === null) return null;
    this.at += found[0].length;
    return [`[${(found[1] ?? "").replace(/\\\./g, ".")}]`];
  }

  private escape(): string[] | null {
    const char = this.text[this.at] ?? "";
    this.at += 1;
    if (char === "d") return ["[0-9]"];
    if (char === "A") return [START];
    if (char === "Z") return [END];
    if (char === "" || /[A-Za-z0-9]/.test(char)) return null;
    return /[*?[\\]/.test(char) ? [`\\${char}`] : [char];
  }
}
