/**
 * Globs as Git reads them, in two ways: where slashes part folders (`*`, `?` and `[...]` stop at them, `**` between them
 * does not), and where a slash is a character like others. Patterns come from people and names from strangers, so a glob
 * is not searched with backtracking: all places of the pattern that the bytes read so far can have led to are kept at
 * once, which takes at most (length of pattern) x (length of name) steps. Proven by test/core/pathspec-property.test.ts.
 */

/** One place of a glob: a byte that must follow, 1 for each that may; any number of bytes; or nothing itself, but a leave
 *  to go on three places further (before `**` and the slash after it, which may stand for no folder at all). */
export type Place =
  | { readonly kind: "one"; readonly accepts: Uint8Array }
  | { readonly kind: "many"; readonly slashes: boolean }
  | { readonly kind: "optional" };

export type GlobOptions = {
  /** A slash is a character like others. */
  readonly slashes?: boolean;
  /** ASCII letters match whatever their case, but those that stand behind a backslash or alone in a set only as small
   *  ones: what Git does. */
  readonly ignoreCase?: boolean;
};

const SLASH = 47;

/** Whether the bytes of `text` behind the first `from` are what the glob says. */
export function globMatches(places: readonly Place[], text: string, from = 0): boolean {
  let here = new Uint8Array(places.length + 1);
  let next = new Uint8Array(places.length + 1);
  here[0] = 1;
  goOnForFree(places, here);
  for (let i = from; i < text.length; i++) {
    const byte = text.charCodeAt(i);
    let alive = false;
    next.fill(0);
    for (let at = 0; at < places.length; at++) {
      const place = places[at];
      if (here[at] === 0 || place === undefined || place.kind === "optional") continue;
      const to = place.kind === "one" ? at + 1 : at;
      if (place.kind === "one" ? place.accepts[byte] === 0 : byte === SLASH && !place.slashes) continue;
      next[to] = 1;
      alive = true;
    }
    if (!alive) return false;
    goOnForFree(places, next);
    [here, next] = [next, here];
  }
  return here[places.length] === 1;
}

function goOnForFree(places: readonly Place[], here: Uint8Array): void {
  for (let at = 0; at < places.length; at++) {
    const kind = places[at]?.kind;
    if (here[at] === 0 || kind === "one") continue;
    here[at + 1] = 1;
    if (kind === "optional") here[at + 3] = 1;
  }
}

/** The places of a glob; null where a bracket is not closed, a class has no such name, or it ends in a backslash: such a
 *  glob matches nothing. */
export function globOf(pattern: string, options: GlobOptions = {}): Place[] | null {
  const { slashes = false, ignoreCase = false } = options;
  const places: Place[] = [];
  const one = (accept: (byte: number) => boolean): void => {
    const accepts = new Uint8Array(256);
    for (let byte = 0; byte < 256; byte++)
      if (accept(ignoreCase ? lowerByte(byte) : byte) && (slashes || byte !== SLASH)) accepts[byte] = 1;
    places.push({ kind: "one", accepts });
  };
  let at = 0;
  while (at < pattern.length) {
    const char = pattern[at];
    if (char === "*") {
      const end = at + (/^\*+/.exec(pattern.slice(at))?.[0].length ?? 1);
      const alone = (at === 0 || pattern[at - 1] === "/") && /^(?:$|\\?\/)/.test(pattern.slice(end));
      const folders = !slashes && end - at > 1 && alone;
      if (folders && pattern[end] === "/") places.push({ kind: "optional" });
      places.push({ kind: "many", slashes: slashes || folders });
      at = end;
    } else if (char === "[") {
      const set = setOf(pattern, at + 1, ignoreCase);
      if (set === null) return null;
      one((byte) => set.bytes.has(byte) !== set.negated);
      at = set.end;
    } else if (char === "?") {
      one(() => true);
      at += 1;
    } else {
      if (char === "\\") at += 1;
      if (at === pattern.length) return null;
      const wanted = pattern.charCodeAt(at);
      places.push({ kind: "one", accepts: only(ignoreCase && char !== "\\" ? lowerByte(wanted) : wanted, ignoreCase) });
      at += 1;
    }
  }
  return places;
}

const lowerByte = (byte: number): number => (byte >= 65 && byte <= 90 ? byte + 32 : byte);

function only(wanted: number, ignoreCase: boolean): Uint8Array {
  const accepts = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) if ((ignoreCase ? lowerByte(byte) : byte) === wanted) accepts[byte] = 1;
  return accepts;
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
function setOf(
  pattern: string,
  from: number,
  ignoreCase: boolean,
): { bytes: Set<number>; negated: boolean; end: number } | null {
  const bytes = new Set<number>();
  const addAny = (byte: number): void => void bytes.add(byte).add(ignoreCase ? lowerByte(byte) : byte);
  const negated = pattern[from] === "!" || pattern[from] === "^";
  const first = negated ? from + 1 : from;
  let low: number | null = null; // what a following "-" would count from
  for (let at = first; at < pattern.length; at++) {
    if (pattern[at] === "]" && at > first) return { bytes, negated, end: at + 1 };
    const named = /^\[:([^\]]*):\]/.exec(pattern.slice(at));
    if (named !== null) {
      const members = CLASSES[named[1] ?? ""];
      if (members === undefined) return null;
      for (let byte = 0; byte < 256; byte++) if (members.test(String.fromCharCode(byte))) addAny(byte);
      at += named[0].length - 1;
      low = null;
      continue;
    }
    const isRange: boolean = pattern[at] === "-" && low !== null && at + 1 < pattern.length && pattern[at + 1] !== "]";
    if (isRange) at += 1;
    if (pattern[at] === "\\") at += 1;
    const byte = pattern.charCodeAt(at); // NaN at the end, where the set is not closed anyway
    if (isRange) for (let member = low ?? byte; member <= byte; member++) addAny(member);
    else bytes.add(byte);
    low = isRange ? null : byte;
  }
  return null;
}
