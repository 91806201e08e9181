/**
 * Where the shell is, quote by quote, at every character of a command: the part of substitution that must not err.
 *
 * The scanner reads a command the way `sh` does, only as far as quoting goes, and cuts it into pieces: text that is
 * passed on exactly as written, and places (%F, %R, %A), each with the quoting it stands in. It knows double and
 * single quotes, backslashes, comments, `$(...)` and backquotes to any depth, and the forms of `${...}`.
 *
 * Two kinds of trouble, and only where a place is touched by it:
 *   - A *zone* is a stretch that is understood, in which a value would not be one safe word: arithmetic runs what is
 *     in a subscript, `[[ 1 -eq $x ]]` as well, a bracket makes a set of characters of it, and so on. A place inside
 *     is refused; what follows is not affected.
 *   - A *doubt* is a point after which shells (dash, busybox, bash 3.2 to 5) may disagree about where a quote ends, or
 *     we do not follow: a here-document, `case` in `$(...)`, quotes nested in `"${x:-...}"`. The rest of the text is
 *     then copied, and a place anywhere in it is refused.
 *
 * Backquotes are read in two steps as the shell does: first the raw body up to the closing backquote, then the body
 * with one level of backslashes taken off, scanned as a command of its own. Hence a doubt inside ends with the body.
 * Places in comments are inert and stay as written: their value could hold a newline, which would end the comment.
 *
 * Pure. Proven by test/core/substitute.test.ts, and by substitute-property.test.ts, where shells judge random texts.
 */
import { backquoted, type Cell, type Context, type Levels, type Piece, protect, rawText } from "./shell-cells.ts";
import type { Refusal, Stretch, Trouble } from "./shell-stretch.ts";
import * as stretch from "./shell-stretch.ts";

/** What a text comes to; `unterminated`: something in it is never closed. */
export type Scanned = { pieces: Piece[]; places: Cell[]; refusal: Refusal | null; unterminated: boolean };

/** Reads a whole text. `levels`, `zone` and `depth` are those of the backquotes it was taken from. */
export function scan(text: readonly Cell[], levels: Levels = [], zone: Trouble | null = null, depth = 0): Scanned {
  const scanner = new Scanner(text, levels, zone, depth);
  scanner.commands(false);
  return scanner.scanned;
}

/** `quoted`: double quotes are open around a `${...}`. */
type Place = { context: Context; quoted: boolean; zone: Trouble | null; plain: boolean };

type Done = undefined; // a step ends by returning the one that finishes it

const BREAKS = new Set([" ", "\t", "\n", ";", "&", "|", "(", ")", "<", ">"]);
const NAME_START = /^[A-Za-z_]$/;
const ORDINARY = /^[\w.,=:@+/-]$/;
const DEEPEST = 100; // far beyond what people write, far from the end of our own stack

class Scanner {
  readonly scanned: Scanned = { pieces: [], places: [], refusal: null, unterminated: false };
  readonly #text: readonly Cell[];
  readonly #levels: Levels;
  readonly #zone: Trouble | null;
  #depth: number;
  #at = 0;
  #braces = 0; // the `${...}` around
  #doubted = false;

  constructor(text: readonly Cell[], levels: Levels, zone: Trouble | null, depth: number) {
    this.#text = text;
    this.#levels = levels;
    this.#zone = zone;
    this.#depth = depth;
  }

  /** Commands up to the end of the text or, in a `$(...)`, up to and with the parenthesis that closes it. */
  commands(closing: boolean): Done {
    const mark = this.scanned.places.length;
    let word = "";
    let plain = true;
    let bracket = false;
    let test = false;
    let open = 0;
    while (this.#at < this.#text.length) {
      const char = this.#char();
      if (char === "\\" && this.#char(1) === "\n") {
        this.#take(2);
      } else if (BREAKS.has(char)) {
        if (closing && word === "case") return this.#doubt("case"); // its `a)` looks like our end
        test = word === "[[" || (test && word !== "]]");
        word = "";
        plain = true;
        bracket = false;
        if (char === ")" && closing && open === 0) return this.#take(1);
        if ((char === "(" || char === "<") && this.#continues(1)) this.#doubt("continued");
        else if (char === "(" && this.#char(1) === "(") this.#pass(stretch.arithmetic(this.#text, this.#at, false));
        else if (char === "<" && this.#char(1) === "<" && this.#char(2) !== "<") this.#doubt("heredoc");
        else {
          open += char === "(" ? 1 : char === ")" ? -1 : 0;
          this.#take(char === "<" && this.#char(1) === "<" ? 3 : 1);
        }
      } else if (char === "#" && word === "") {
        this.#pass(stretch.comment(this.#text, this.#at, closing));
      } else if (char === "[" && /^[A-Za-z_]\w*$/.test(word)) {
        this.#pass(stretch.subscript(this.#text, this.#at));
        word += "[]";
        plain = false;
      } else {
        const zone = this.#zone ?? (test ? "test" : bracket ? "bracket" : null);
        const from = this.#at;
        this.#unit({ context: "bare", quoted: false, zone, plain });
        bracket = char === "[" || (bracket && char !== "]");
        const literal = this.#at === from + 1 && char !== "";
        word += literal ? char : "\0";
        plain = plain && literal && ORDINARY.test(char);
      }
    }
    if (closing) this.#unterminated(mark);
  }

  /** One character, escape, quoted string, expansion or place. */
  #unit(place: Place): Done {
    const cell = this.#text[this.#at];
    if (cell === undefined) return;
    if (this.#depth >= DEEPEST) return this.#doubt("deep");
    this.#depth += 1;
    const bare = place.context !== "double" && place.context !== "brace";
    if (cell.letter !== null) this.#place(cell, place);
    else if (cell.char === "\\") this.#backslash(bare);
    else if (cell.char === "$") this.#dollar(place);
    else if (cell.char === "`") this.#backquote(place);
    // In its sh mode bash takes no apostrophe for a quote in a `${...}` that stands in another.
    else if (cell.char === "'" && (place.quoted || this.#braces > 1)) this.#doubt("nested");
    else if (cell.char === '"' && place.quoted) this.#pass(stretch.innerQuotes(this.#text, this.#at));
    else if (cell.char === "'" && bare) this.#single(place.zone);
    else if (cell.char === '"' && bare) this.#double(place.zone);
    else this.#take(1);
    this.#depth -= 1;
  }

  #place(cell: Cell, { context, zone, plain }: Pick<Place, "context" | "zone" | "plain">): Done {
    if (zone !== null) return this.#refuse(cell, zone);
    this.scanned.places.push(cell);
    if (cell.letter !== null) this.scanned.pieces.push({ letter: cell.letter, context, plain, levels: this.#levels });
    this.#at += 1;
  }

  #backslash(bare: boolean): Done {
    if (this.#text[this.#at + 1]?.letter == null) return this.#take(2);
    // Outside quotes it would quote the quote that we write; inside, sh keeps it before a percent sign.
    if (!bare) this.#write(protect("\\\\", this.#levels));
    this.#at += 1;
  }

  #single(zone: Trouble | null): Done {
    const mark = this.scanned.places.length;
    this.#take(1);
    while (this.#at < this.#text.length) {
      const cell = this.#text[this.#at];
      if (cell !== undefined && cell.letter !== null) {
        this.#place(cell, { context: "single", zone, plain: false });
      } else {
        this.#take(1);
        if (cell?.char === "'") return;
      }
    }
    this.#unterminated(mark);
  }

  #double(zone: Trouble | null): Done {
    const mark = this.scanned.places.length;
    this.#take(1);
    while (this.#at < this.#text.length) {
      if (this.#char() === '"') return this.#take(1);
      this.#unit({ context: "double", quoted: false, zone, plain: false });
    }
    this.#unterminated(mark);
  }

  #dollar(place: Place): Done {
    const next = this.#text[this.#at + 1];
    const char = next?.char ?? "";
    const bare = place.context !== "double" && place.context !== "brace";
    const behind = bare && char === "\\" ? this.#text[this.#at + 2] : next; // `$\%R`: the backslash would go
    if (behind !== undefined && behind.letter !== null) return this.#refuse(behind, "name");
    if (this.#continues(1)) return this.#doubt("continued");
    if (char === "{") return this.#parameter(place);
    if (char === "(") {
      if (this.#continues(2)) return this.#doubt("continued");
      if (this.#char(2) === "(") return this.#pass(stretch.arithmetic(this.#text, this.#at, true));
      // Before it runs anything, bash's brace expansion reads such a `$(...)` with the backslashes still in.
      if (this.#levels.length > 0) return this.#doubt("mixed");
      return this.#output();
    }
    if (char === "[") return this.#doubt("arithmetic"); // bash's old form of $((
    if (bare && !place.quoted && this.#braces < 2 && char === "'")
      return this.#pass(stretch.ansiQuotes(this.#text, this.#at));
    this.#take(1);
    if (bare && !place.quoted && char === '"') this.#double(place.zone ?? "locale");
    else if (NAME_START.test(char)) this.#variable();
    else if (/^[\d@*#?$!-]$/.test(char)) this.#take(1);
  }

  #output(): Done {
    const braces = this.#braces;
    this.#braces = 0;
    this.#take(2);
    this.commands(true);
    this.#braces = braces;
  }

  /** A name gets braces where a place follows, so that `readable` does not make a longer name of it. */
  #variable(): Done {
    const { end, joins } = stretch.variableName(this.#text, this.#at);
    const raw = rawText(this.#text.slice(this.#at, end));
    this.#write(joins ? `{${raw}}` : raw);
    this.#at = end;
  }

  #parameter(place: Place): Done {
    const outer = place.context === "pattern" ? "nested" : place.zone;
    const quoted = place.quoted || place.context === "double";
    this.#take(2);
    const prefix = this.#char();
    if (prefix === "#" || prefix === "!") {
      this.#take(1);
      if (prefix === "#" && this.#char() !== "}") {
        if (!this.#parameterName() || this.#char() !== "}") return this.#doubt("expansion");
      } else this.#parameterName();
    } else if (!this.#parameterName()) return this.#doubt("name");
    const behind = this.#text[this.#at];
    if (behind !== undefined && behind.letter !== null) return this.#refuse(behind, "operator");
    const operator = this.#char();
    if (operator === "}") return this.#take(1);
    const context = quoted ? "brace" : "operand";
    if (operator === "#" || operator === "%") {
      this.#take(1); // a doubled one reads like a part of the pattern
      return this.#operand({ context: "pattern", quoted, zone: outer, plain: false });
    }
    const test = operator === ":" ? this.#char(1) : operator;
    if (!/^[-=?+]$/.test(test)) return this.#operand({ context, quoted, zone: outer ?? "expansion", plain: false });
    this.#take(operator === ":" ? 2 : 1);
    // What `=` has assigned is split into words when no quotes are around it, quoted or not as it was.
    this.#operand({ context, quoted, zone: outer ?? (test === "=" && !quoted ? "assign" : null), plain: false });
  }

  #parameterName(): boolean {
    const start = this.#at;
    if (NAME_START.test(this.#char())) this.#take(stretch.variableName(this.#text, start).end - start);
    else if (/^\d$/.test(this.#char())) while (/^\d$/.test(this.#char())) this.#take(1);
    else if (/^[@*?$!-]$/.test(this.#char())) this.#take(1);
    return this.#at > start;
  }

  /** The rest of a `${...}`, up to and with its closing brace. */
  #operand(place: Place): Done {
    const mark = this.scanned.places.length;
    while (this.#at < this.#text.length) {
      const char = this.#char();
      if (char === "}") return this.#take(1);
      if (char === "{" || ((char === "<" || char === ">") && this.#char(1) === "(")) return this.#doubt("expansion");
      this.#braces += 1;
      this.#unit(place);
      this.#braces -= 1;
    }
    this.#unterminated(mark);
  }

  #backquote(place: Place): Done {
    const quoted = place.quoted || place.context === "double";
    const body = backquoted(this.#text, this.#at + 1, quoted);
    if (body === null) return this.#doubt("unterminated");
    const zone = place.quoted ? "nested" : body.continued ? "continued" : this.#zone;
    const inner = scan(body.inner, [quoted, ...this.#levels], zone, this.#depth);
    this.#take(1);
    for (const piece of inner.pieces) this.#write(piece);
    this.scanned.places.push(...inner.places);
    this.#at = body.end;
    if (inner.refusal !== null) this.#refuse(inner.refusal.place, inner.refusal.trouble);
    else if (inner.unterminated) this.#doubt("unterminated");
    else this.#take(1);
  }

  #char(ahead = 0): string {
    return this.#text[this.#at + ahead]?.char ?? "";
  }

  #continues(ahead: number): boolean {
    return this.#char(ahead) === "\\" && this.#char(ahead + 1) === "\n";
  }

  #take(count: number): Done {
    this.#write(rawText(this.#text.slice(this.#at, this.#at + count)));
    this.#at = Math.min(this.#at + count, this.#text.length);
  }

  #write(piece: Piece): Done {
    const { pieces } = this.scanned;
    const last = pieces[pieces.length - 1];
    if (typeof piece === "string" && typeof last === "string") pieces[pieces.length - 1] = last + piece;
    else pieces.push(piece);
  }

  #pass(passed: Stretch): Done {
    if ("end" in passed) this.#take(passed.end - this.#at);
    else if (passed.place !== null) this.#refuse(passed.place, passed.trouble);
    else this.#doubt(passed.trouble);
  }

  /** The text is over with quotes open since `mark`: the places in them were read on a guess. */
  #unterminated(mark: number): Done {
    if (this.#doubted) return;
    const place = this.scanned.places[mark];
    if (place !== undefined) this.#refuse(place, "unterminated");
    this.scanned.unterminated = true;
  }

  #doubt(trouble: Trouble): Done {
    const place = this.#text.slice(this.#at).find((cell) => cell.letter !== null);
    if (place !== undefined) return this.#refuse(place, trouble);
    this.#take(this.#text.length - this.#at);
    this.#doubted = true;
    this.scanned.unterminated = trouble === "unterminated";
  }

  #refuse(place: Cell, trouble: Trouble): Done {
    this.scanned.refusal ??= { place, trouble };
    this.#at = this.#text.length;
  }
}
