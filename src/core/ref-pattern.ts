/**
 * Ref patterns, as `git for-each-ref` reads them: the whole name, its beginning up to a slash, or a glob in which `*`,
 * `?` and `[...]` stop at slashes and `**` between slashes does not. Patterns come from people and refs from pushers, so
 * a glob is not searched with backtracking: all places of the pattern that the bytes read so far can have led to are
 * kept at once, which takes at most (length of pattern) x (length of ref) steps. Proven by test/core/ref-pattern.test.ts.
 */
import { type ByteString, fromText } from "./bytes.ts";

/** Says whether a ref matches: with the pattern as it stands or, where it does not begin with "refs/", below refs/heads/
 *  or refs/tags/. Letter case counts. An empty pattern matches nothing, a malformed one only its own text. */
export function matchRef(pattern: string, ref: ByteString): boolean {
  return refMatcher(pattern)(ref);
}

/** The same for many refs: the pattern is read once. */
export function refMatcher(pattern: string): (ref: ByteString) => boolean {
  const bytes = fromText(pattern);
  if (bytes === "") return () => false;
  const written = bytes.startsWith("refs/") ? [bytes] : [bytes, `refs/heads/${bytes}`, `refs/tags/${bytes}`];
  const forms = written.map((form) => ({ form, glob: globOf(form) }));
  return (ref) => forms.some(({ form, glob }) => isBeginning(form, ref) || (glob !== null && globMatches(glob, ref)));
}

function isBeginning(form: string, ref: string): boolean {
  return ref.startsWith(form) && (form.endsWith("/") || ref.length === form.length || ref[form.length] === "/");
}

/** One place of a glob: a byte that must follow; any number of bytes; or nothing itself, but a leave to go on three
 *  places further (before `**` and the slash after it, which may stand for no directory at all). */
type Place =
  | { readonly kind: "one"; readonly accepts: (byte: number) => boolean }
  | { readonly kind: "many"; readonly slashes: boolean }
  | { readonly kind: "optional" };

const SLASH = 47;

function globMatches(places: readonly Place[], text: string): boolean {
  let here = new Uint8Array(places.length + 1);
  here[0] = 1;
  goOnForFree(places, here);
  for (let i = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i);
    const next = new Uint8Array(places.length + 1);
    for (const [at, place] of places.entries()) {
      if (here[at] === 0) continue;
      if (place.kind === "many" && (place.slashes || byte !== SLASH)) next[at] = 1;
      if (place.kind === "one" && place.accepts(byte)) next[at + 1] = 1;
    }
    goOnForFree(places, next);
    here = next;
  }
  return here[places.length] === 1;
}

function goOnForFree(places: readonly Place[], here: Uint8Array): void {
  for (const [at, place] of places.entries()) {
    if (here[at] === 0 || place.kind === "one") continue;
    here[at + 1] = 1;
    if (place.kind === "optional") here[at + 3] = 1;
  }
}

/** The places of a glob; null where a bracket is not closed, a class has no such name, or it ends in a backslash. */
function globOf(pattern: string): Place[] | null {
  const places: Place[] = [];
  let at = 0;
  while (at < pattern.length) {
    const char = pattern[at];
    if (char === "*") {
      const end = at + (/^\*+/.exec(pattern.slice(at))?.[0].length ?? 1);
      const alone = (at === 0 || pattern[at - 1] === "/") && /^(?:$|\\?\/)/.test(pattern.slice(end));
      const slashes = end - at > 1 && alone;
      if (slashes && pattern[end] === "/") places.push({ kind: "optional" });
      places.push({ kind: "many", slashes });
      at = end;
    } else if (char === "[") {
      const set = setOf(pattern, at + 1);
      if (set === null) return null;
      places.push({ kind: "one", accepts: (byte) => byte !== SLASH && set.bytes.has(byte) !== set.negated });
      at = set.end;
    } else if (char === "?") {
      places.push({ kind: "one", accepts: (byte) => byte !== SLASH });
      at += 1;
    } else {
      if (char === "\\") at += 1;
      if (at === pattern.length) return null;
      const wanted = pattern.charCodeAt(at);
      places.push({ kind: "one", accepts: (byte) => byte === wanted });
      at += 1;
    }
  }
  return places;
}

const CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[A-Za-z0-9]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  cntrl: /[\x00-\x1f\x7f]/,
  digit: /[0-9]/,
  graph: /[\x21-\x7e]/,
  lower: /[a-z]/,
  print: /[\x20-\x7e]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[ \t\n\r]/,
  upper: /[A-Z]/,
  xdigit: /[A-Fa-f0-9]/,
};

/** Reads the set whose first character is at `from`; `end` is behind its bracket. A "]" that comes first is meant. */
function setOf(pattern: string, from: number): { bytes: Set<number>; negated: boolean; end: number } | null {
  const bytes = new Set<number>();
  const negated = pattern[from] === "!" || pattern[from] === "^";
  const first = negated ? from + 1 : from;
  let low: number | null = null; // what a following "-" would count from
  for (let at = first; at < pattern.length; at++) {
    if (pattern[at] === "]" && at > first) return { bytes, negated, end: at + 1 };
    const named = /^\[:([^\]]*):\]/.exec(pattern.slice(at));
    if (named !== null) {
      const members = CLASSES[named[1] ?? ""];
      if (members === undefined) return null;
      for (let byte = 0; byte < 256; byte++) if (members.test(String.fromCharCode(byte))) bytes.add(byte);
      at += named[0].length - 1;
      low = null;
      continue;
    }
    const isRange: boolean = pattern[at] === "-" && low !== null && at + 1 < pattern.length && pattern[at + 1] !== "]";
    if (isRange) at += 1;
    if (pattern[at] === "\\") at += 1;
    const byte = pattern.charCodeAt(at); // NaN at the end, where the set is not closed anyway
    for (let member = isRange ? (low ?? byte) : byte; member <= byte; member++) bytes.add(member);
    low = isRange ? null : byte;
  }
  return null;
}
