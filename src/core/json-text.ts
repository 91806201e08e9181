/**
 * JSON that people wrote by hand: the value, where each part of it stands, and what stands there twice; or the place of
 * what keeps it from being JSON, and what is wrong there.
 *
 * JSON.parse names no place in some versions of Node and a different one in others, and it takes the last of two equal
 * keys without a word, so that a file would mean something else than whoever reads its beginning believes. So the text is
 * gone through here, token by token; the value is still what JSON.parse makes of it.
 */

export type JsonText =
  | {
      ok: true;
      value: unknown;
      /** Where the keys and elements of the first levels stand, by their place, such as `hooks[0].type`. */
      at: ReadonlyMap<string, number>;
      /** Places of keys that stand twice, in the order of the text. */
      repeated: readonly string[];
    }
  | { ok: false; at: number; what: string };

const BLANKS = /[ \t\n\r]*/y;
const TOKEN =
  /("[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)|[{}[\],:]/y;

/** What can come next, and how it is called in a complaint. */
const EXPECTED = {
  value: "a value",
  "value or end": 'a value or "]"',
  key: "a key in double quotes",
  "key or end": 'a key in double quotes or "}"',
  colon: '":"',
  "comma or end": '"," or the closing bracket',
  nothing: "the end of the file",
} as const;
type Expected = keyof typeof EXPECTED;

type Inside = { readonly place: string; readonly keys: Set<string> | null; key: string; index: number };

/** Deeper places are never named. */
const NAMED_DEPTH = 3;

/** Reads a whole text. */
export function readJson(text: string): JsonText {
  const around: Inside[] = [];
  const places = new Map<string, number>();
  const repeated: string[] = [];
  let expected: Expected = "value";
  let at = 0;
  const note = (): void => {
    const inside = around.at(-1);
    if (inside !== undefined && around.length <= NAMED_DEPTH) places.set(placeIn(inside), at);
  };
  while (true) {
    BLANKS.lastIndex = at;
    BLANKS.test(text);
    at = BLANKS.lastIndex;
    if (at === text.length) break;
    TOKEN.lastIndex = at;
    const [token, string, scalar] = TOKEN.exec(text) ?? [];
    const inside = around.at(-1);
    if (token === undefined) return wrong(at, complaint(text, at, expected));
    if (string !== undefined && expected.startsWith("key") && inside?.keys) {
      inside.key = JSON.parse(string) as string;
      if (inside.keys.has(inside.key)) repeated.push(placeIn(inside));
      inside.keys.add(inside.key);
      note();
      expected = "colon";
    } else if (
      expected.startsWith("value") &&
      (string ?? scalar ?? (token === "{" || token === "[" || null)) !== null
    ) {
      if (inside?.keys === null) note();
      expected = around.length === 0 ? "nothing" : "comma or end";
      if (token === "{" || token === "[") {
        const place = inside === undefined || around.length > NAMED_DEPTH ? "" : placeIn(inside);
        around.push({ place, keys: token === "{" ? new Set() : null, key: "", index: 0 });
        expected = token === "{" ? "key or end" : "value or end";
      }
    } else if (token === ":" && expected === "colon") expected = "value";
    else if (token === "," && expected === "comma or end" && inside !== undefined) {
      inside.index += 1;
      expected = inside.keys === null ? "value" : "key";
    } else if (inside !== undefined && expected.endsWith("or end") && token === (inside.keys === null ? "]" : "}")) {
      around.pop();
      expected = around.length === 0 ? "nothing" : "comma or end";
    } else return wrong(at, complaint(text, at, expected));
    at += token.length;
  }
  if (expected !== "nothing") return wrong(at, `it ends where ${EXPECTED[expected]} is expected`);
  return { ok: true, value: JSON.parse(text), at: places, repeated };
}

const wrong = (at: number, what: string): JsonText => ({ ok: false, at, what });

function complaint(text: string, at: number, expected: Expected): string {
  const [first = ""] = text.slice(at, at + 2);
  if (first === '"' && /^(?:value|key)/.test(expected))
    return "this text does not end, or has a line break or an unknown escape in it";
  if (first === "/" || first === "#") return "JSON has no comments";
  if (first === "'") return "texts stand in double quotes";
  if ((first === "}" || first === "]") && (expected === "key" || expected === "value") && isAfterComma(text, at))
    return `there is a comma before this "${first}"`;
  return `${EXPECTED[expected]} is expected here, not ${JSON.stringify(first)}`;
}

const isAfterComma = (text: string, at: number): boolean => text.slice(0, at).trimEnd().endsWith(",");

function placeIn({ place, keys, key, index }: Inside): string {
  if (keys === null) return `${place}[${index}]`;
  return place === "" ? key : `${place}.${key}`;
}

/** Line and column of an offset, both from 1, as editors count them. */
export function lineAndColumn(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at);
  const start = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: at - start + 1 };
}
