/**
 * Git's pathspecs for repositories that Git does not read, so that `--path` means the same everywhere. A pathspec names a
 * path, or a folder and all below it, or is a glob in which a slash is a character like others; what stands behind a
 * leading colon changes that (`:(glob)`, `:(literal)`, `:(icase)`, `:(top)`, `:(exclude)`, and the short `:/` and `:!`).
 * Paths are bytes below the root, without a slash at the beginning or end.
 *
 * Two rules of Git that surprise: a pathspec with wildcards also matches as the text that it is, and what stands before
 * the first wildcard is compared apart from the glob, which therefore takes `foo**` + `/bar` for folders. Proven against
 * git, and the patterns for sh against dash, bash and busybox, by test/core/pathspec-property.test.ts.
 */
import { type ByteString, escapeControls, fromText, toText } from "./bytes.ts";
import { globMatches, globOf, type Place } from "./glob.ts";

export type Pathspecs =
  | { readonly ok: true; readonly matches: (path: ByteString) => boolean }
  | { readonly ok: false; readonly reason: string };

/** Reads the pathspecs once. A path matches if it matches one that does not exclude, or there is none such, and none that
 *  excludes; without any pathspec all paths do. `reason` is a sentence that quotes the first pathspec that means nothing. */
export function parsePathspecs(specs: readonly string[]): Pathspecs {
  const wanted: Item[] = [];
  const unwanted: Item[] = [];
  for (const spec of specs) {
    const read = itemOf(spec);
    if (!read.ok) return read;
    (read.item.exclude ? unwanted : wanted).push(read.item);
  }
  return {
    ok: true,
    matches: (path) =>
      (wanted.length === 0 || wanted.some((item) => item.matches(path))) &&
      !unwanted.some((item) => item.matches(path)),
  };
}

/** A pattern list for a `case` of sh that accepts the same paths; null where the pathspec is malformed or `case` has no
 *  such pattern (icase, exclude, a glob whose wildcards stop at slashes, a set of other than ASCII characters). Needs no
 *  quotes around it. With LC_ALL=C, that is: elsewhere `?` and `[!a]` take a character, where Git takes a byte. */
export function shPattern(spec: string): string | null {
  const read = itemOf(spec);
  if (!read.ok || read.item.exclude || read.item.ignoreCase) return null;
  const { text, fixed, glob, magic } = read.item;
  if (text === "") return "*";
  const itself = text.endsWith("/") ? `${quoted(text)}*` : `${quoted(text)}|${quoted(text)}/*`;
  if (glob === null) return toText(itself as ByteString);
  if (magic.has("glob")) return null;
  const pattern = caseGlob(text.slice(0, fixed), glob);
  if (pattern === null) return null;
  const coversItself = !/[[\\]/.test(text); // stars match stars, and what follows them
  const rest = coversItself ? (text.endsWith("*") ? [] : [itself.slice(itself.indexOf("|") + 1)]) : [itself];
  return toText([pattern, ...rest].join("|") as ByteString);
}

type Item = {
  readonly text: string;
  /** How much of the text stands before the first wildcard. */
  readonly fixed: number;
  /** What follows it; null where nothing does, or what cannot match. */
  readonly glob: readonly Place[] | null;
  readonly magic: ReadonlySet<string>;
  readonly exclude: boolean;
  readonly ignoreCase: boolean;
  readonly matches: (path: ByteString) => boolean;
};

type Read = { ok: true; item: Item } | { ok: false; reason: string };

function itemOf(spec: string): Read {
  const refused = (why: string): Read => ({ ok: false, reason: `The path "${escapeControls(spec)}" ${why}.` });
  if (spec === "") return refused('is empty; to mean all paths write "."');
  if (spec.includes("\0")) return refused("has a zero byte, which no path has");
  const { magic, rest, trouble } = magicOf(spec);
  if (trouble !== null) return refused(trouble);
  if (magic.has("literal") && magic.has("glob")) return refused('is both "literal" and "glob"');
  const text = magic.has("top") ? rest : normalized(rest);
  if (text === null) return refused("leads out of the repository");
  return { ok: true, item: compile(fromText(text), magic) };
}

function compile(text: string, magic: ReadonlySet<string>): Item {
  const ignoreCase = magic.has("icase");
  const wildcard = magic.has("literal") ? -1 : text.search(/[*?[\\]/);
  const fixed = wildcard < 0 ? text.length : wildcard;
  const glob = wildcard < 0 ? null : globOf(text.slice(fixed), { slashes: !magic.has("glob"), ignoreCase });
  const fold = (some: string): string => (ignoreCase ? some.replace(/[A-Z]/g, (c) => c.toLowerCase()) : some);
  const [itself, start] = [fold(text), fold(text.slice(0, fixed))];
  const matches = (path: ByteString): boolean => {
    const name = fold(path);
    if (isBelow(itself, name)) return true;
    return glob !== null && name.startsWith(start) && globMatches(glob, name, fixed);
  };
  return { text, fixed, glob, magic, exclude: magic.has("exclude"), ignoreCase, matches };
}

const isBelow = (text: string, name: string): boolean =>
  name.startsWith(text) &&
  (text === "" || text.endsWith("/") || name.length === text.length || name[text.length] === "/");

type Magic = { magic: ReadonlySet<string>; rest: string; trouble: string | null };

const WORDS = ["top", "literal", "icase", "glob", "exclude"];
const SIGNS: Readonly<Record<string, string>> = { "/": "top", "!": "exclude", "^": "exclude" };

function magicOf(spec: string): Magic {
  if (!spec.startsWith(":")) return { magic: new Set(), rest: spec, trouble: null };
  return spec.startsWith(":(") ? longMagic(spec) : shortMagic(spec);
}

function longMagic(spec: string): Magic {
  const end = spec.indexOf(")");
  const words = (end < 0 ? spec.slice(2) : spec.slice(2, end)).split(",").filter((word) => word !== "");
  const unknown = words.find((word) => !WORDS.includes(word));
  const why =
    unknown === undefined
      ? 'has no ")" after its magic words'
      : unknown.startsWith("attr:")
        ? 'asks for attributes ("attr"), which only Git repositories have'
        : `has magic that is not known ("${escapeControls(unknown)}")`;
  return { magic: new Set(words), rest: spec.slice(end + 1), trouble: unknown === undefined && end >= 0 ? null : why };
}

/** Signs end at the first character that Git does not keep for them, or at a second colon. */
function shortMagic(spec: string): Magic {
  const signs = /^[!"#%&',\-/;<=>@_`~^]*/.exec(spec.slice(1))?.[0] ?? "";
  const unknown = [...signs].find((sign) => SIGNS[sign] === undefined);
  const after = spec.slice(1 + signs.length);
  return {
    magic: new Set([...signs].map((sign) => SIGNS[sign] ?? "")),
    rest: after.startsWith(":") ? after.slice(1) : after,
    trouble: unknown === undefined ? null : `has magic that is not known ("${unknown}")`,
  };
}

/** Without ".", "..", and slashes that follow another; null where it leads above the root. */
function normalized(text: string): string | null {
  if (text.startsWith("/")) return null;
  const parts = text.split(/\/+/);
  let whole = "";
  for (const [at, part] of parts.entries()) {
    if (part === "" || part === ".") continue;
    if (part !== "..") whole += at < parts.length - 1 ? `${part}/` : part;
    else if (whole === "") return null;
    else whole = whole.slice(0, whole.lastIndexOf("/", whole.length - 2) + 1);
  }
  return whole;
}

function caseGlob(before: string, glob: readonly Place[]): string | null {
  let pattern = "";
  let literal = before;
  for (const place of glob) {
    if (place.kind === "optional") return null;
    const bytes = place.kind === "one" ? accepted(place.accepts) : [];
    if (bytes.length === 1) {
      literal += String.fromCharCode(...bytes);
      continue;
    }
    const wild = place.kind === "many" ? "*" : caseSet(bytes);
    if (wild === null) return null;
    pattern += quoted(literal) + wild;
    literal = "";
  }
  return pattern + quoted(literal);
}

/** The bytes that a path may have there. */
function accepted(accepts: Uint8Array): number[] {
  const bytes: number[] = [];
  for (let byte = 1; byte < 256; byte++) if (accepts[byte] === 1) bytes.push(byte);
  return bytes;
}

/** A bracket that names each of its characters, for ranges follow the locale. */
function caseSet(bytes: readonly number[]): string | null {
  if (bytes.length === 255) return "?";
  const high = bytes.filter((byte) => byte > 127).length;
  if (bytes.length === 0 || (high !== 0 && high !== 128)) return null;
  const ascii = Array.from({ length: 127 }, (_, at) => at + 1);
  const named = high === 0 ? bytes : ascii.filter((byte) => !bytes.includes(byte));
  return `[${high === 0 ? "" : "!"}${quoted(String.fromCharCode(...named))}]`;
}

/** A text of a `case` pattern. A backslash before a newline would join two lines, and before a part of a character take
 *  it apart; and `esac` alone would end the `case`. */
const quoted = (text: string): string =>
  text === "esac"
    ? "\\esac"
    : text.replace(/[\n\x80-\xff]+|[^\w/.-]/g, (found) => (/[\n\x80-\xff]/.test(found) ? `'${found}'` : `\\${found}`));
