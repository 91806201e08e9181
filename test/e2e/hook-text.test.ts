/** Hooks as text: where a mistake stands, and a JSON Schema that says the same as the reader. */
import * as fs from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatepostError } from "../../src/core/errors.ts";
import { FIELDS, hooksSchema } from "../../src/core/hook-fields.ts";
import { mistakesError, readHookText } from "../../src/core/hook-text.ts";
import { lineAndColumn, readJson } from "../../src/core/json-text.ts";

const root = join(import.meta.dirname, "..", "..");
const shipped = JSON.parse(fs.readFileSync(join(root, "hooks.schema.json"), "utf8")) as Schema;

type Schema = { [keyword: string]: unknown };

const jsonType = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value === "object" ? "object" : typeof value;

/** A validator of the keywords that the schema uses, written from the standard; any other keyword is an error. */
const keywords: Record<string, (content: never, value: unknown, schema: Schema) => boolean> = {
  $schema: () => true,
  $defs: () => true,
  title: () => true,
  description: () => true,
  default: () => true,
  $ref: (ref: string, value) =>
    valid(
      ref
        .split("/")
        .slice(1)
        .reduce((at, key) => at[key] as Schema, shipped),
      value,
    ),
  type: (type: string, value) =>
    type === "integer" ? typeof value === "number" && Number.isInteger(value) : jsonType(value) === type,
  const: (content: unknown, value) => content === value,
  enum: (words: unknown[], value) => words.includes(value),
  pattern: (pattern: string, value) => typeof value !== "string" || new RegExp(pattern, "u").test(value),
  minimum: (least: number, value) => typeof value !== "number" || value >= least,
  maximum: (most: number, value) => typeof value !== "number" || value <= most,
  minItems: (count: number, value) => !Array.isArray(value) || value.length >= count,
  items: (items: Schema, value) => !Array.isArray(value) || value.every((one) => valid(items, one)),
  required: (keys: string[], value) =>
    jsonType(value) !== "object" || keys.every((key) => Object.hasOwn(value as object, key)),
  properties: (properties: Record<string, Schema>, value) =>
    jsonType(value) !== "object" ||
    Object.entries(value as object).every(([key, one]) => {
      const schema = Object.hasOwn(properties, key) ? properties[key] : undefined;
      return schema === undefined || valid(schema, one);
    }),
  additionalProperties: (_: never, value, { properties }) =>
    jsonType(value) !== "object" ||
    Object.keys(value as object).every((key) => Object.hasOwn(properties as object, key)),
  allOf: (all: Schema[], value) => all.every((one) => valid(one, value)),
  anyOf: (any: Schema[], value) => any.some((one) => valid(one, value)),
  not: (schema: Schema, value) => !valid(schema, value),
};

function valid(schema: Schema, value: unknown): boolean {
  return Object.entries(schema).every(([keyword, content]) => {
    const judge = keywords[keyword];
    if (judge === undefined) throw new Error(`this validator knows no ${keyword}`);
    return judge(content as never, value, schema);
  });
}

const good = { type: "after-receive", command: "true" };
const takes = (document: unknown): boolean => readHookText(JSON.stringify(document)).mistakes.length === 0;
const mistakes = (text: string): string[] => mistakesError(readHookText(text).mistakes, "Nothing.").message.split("\n");

describe("the JSON Schema of a file of hooks", () => {
  it("is shipped as the reader has it", () => {
    expect(shipped).toEqual(hooksSchema());
    const { files } = JSON.parse(fs.readFileSync(join(root, "package.json"), "utf8")) as { files: string[] };
    expect(files).toContain("hooks.schema.json");
  });

  // Values near the borders of what fields take, and anything.
  const value = fc.oneof(
    fc.constantFrom<unknown>(
      ...[null, true, false, 0, 1, -1, 1.5, 0.001, 0.0009, 9e12, 9.1e12, 2 ** 53, 2 ** 53 - 1, -(2 ** 53)],
      ...["", "a", "all", "9a", "a b", "team/*", "a\nb", "receipt", "paths", "updates", "after-receive", "pre-commit"],
      ...["git:post-merge", "git:pre-commit", "disabled", "x".repeat(64), "x".repeat(65)],
      ...[[], ["a"], ["a", ""], ["a", 1], ["file"], ["file", "nix"], ["a\nb"], [[]], {}, { a: 1 }],
    ),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const key = fc.constantFrom(...Object.keys(FIELDS), "nix", "Type", "__proto__", "toString");
  const hook = fc.oneof(
    { weight: 8, arbitrary: fc.array(fc.tuple(key, value), { maxLength: 3 }).map((pairs) => withOwn(good, pairs)) },
    { weight: 1, arbitrary: fc.array(fc.tuple(key, value), { maxLength: 5 }).map((pairs) => withOwn({}, pairs)) },
    { weight: 1, arbitrary: value },
  );

  it("takes and refuses the same documents as the reader", () => {
    let taken = 0;
    let refused = 0;
    const document = fc.tuple(
      fc.array(hook, { maxLength: 3 }),
      fc.constantFrom<Schema>(
        {},
        {},
        {},
        { gatepost: "1" },
        { $schema: "./x" },
        { $schema: 1 },
        { more: 1 },
        { hooks: {} },
      ),
    );
    fc.assert(
      fc.property(document, ([hooks, others]) => {
        const text = JSON.parse(JSON.stringify({ gatepost: 1, hooks, ...others })) as unknown;
        const isTaken = takes(text);
        expect([isTaken, text]).toEqual([valid(shipped, text), text]);
        if (isTaken) taken += 1;
        else refused += 1;
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(taken, refused)).toBeGreaterThan(200);
  });

  it.each(["null", "[]", "1", "{}", '{"gatepost":1}', '{"gatepost":2,"hooks":[]}'])("refuses %s as well", (text) => {
    expect([valid(shipped, JSON.parse(text)), readHookText(text).mistakes.length]).toEqual([false, 1]);
  });
});

function withOwn(base: object, pairs: readonly (readonly [string, unknown])[]): object {
  const made = { ...base };
  for (const [name, value] of pairs)
    Object.defineProperty(made, name, { value, enumerable: true, writable: true, configurable: true });
  return made;
}

describe("what is no JSON", () => {
  it.each([
    ['{\n  "gatepost": 1,\n  "hooks": [\n  ],\n}\n', 'line 5, column 1: there is a comma before this "}"'],
    ['{"gatepost": 1, // ours\n"hooks": []}', "line 1, column 17: JSON has no comments"],
    ["{'gatepost': 1}", "line 1, column 2: texts stand in double quotes"],
    ['{"gatepost": 1\n "hooks": []}', 'line 2, column 2: "," or the closing bracket is expected here, not "\\""'],
    ['{"gatepost": 1, "hooks": [', 'line 1, column 27: it ends where a value or "]" is expected'],
    ['{"gatepost": 1, "hooks": ["a\nb"]}', "line 1, column 27: this text does not end, or has a line break or"],
    ['{"gatepost": 1, "hooks": ["\\x"]}', "line 1, column 27: this text does not end"],
    ['{"gatepost": 01}', 'line 1, column 15: "," or the closing bracket is expected here, not "1"'],
    ["", "line 1, column 1: it ends where a value is expected"],
    ["{} {}", 'line 1, column 4: the end of the file is expected here, not "{"'],
    ["[1}", 'line 1, column 3: "," or the closing bracket is expected here, not "}"'],
    ["{1: 2}", 'line 1, column 2: a key in double quotes or "}" is expected here, not "1"'],
    ["\u{1f4a5}", 'line 1, column 1: a value is expected here, not "\u{1f4a5}"'],
  ])("is named with line and column: %j", (text, said) => {
    const [message] = mistakes(text);
    expect(message).toContain(`The file is not JSON: ${said}`);
  });

  it("is what JSON.parse refuses, whatever the text; and the rest has the same value", () => {
    const piece = fc.constantFrom(
      ...[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"',
        "\\",
        '"a"',
        "1",
        "-",
        "0",
        ".5",
        "e3",
        "true",
        "nul",
        " ",
        "\n",
        "\u0001",
        "\ufeff",
      ],
    );
    const broken = fc.tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.nat(3), piece).map(([text, at, count, put]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + put + text.slice(place + count);
    });
    const text = fc.oneof(
      fc.json(),
      broken,
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
    );
    fc.assert(
      fc.property(text, (json) => {
        let parsed: unknown;
        try {
          parsed = JSON.parse(json);
        } catch {
          const read = readJson(json);
          expect([json, read.ok]).toEqual([json, false]);
          if (!read.ok) expect(read.at).toBeLessThanOrEqual(json.length);
          return;
        }
        expect(readJson(json)).toMatchObject({ ok: true, value: parsed });
      }),
      { numRuns: 3000 },
    );
  });

  it("is read in time however deep and long it is", () => {
    const deep = 20_000;
    expect(readJson("[".repeat(deep) + "]".repeat(deep)).ok).toBe(true);
    expect(readJson(JSON.stringify('\\"x'.repeat(1_000_000))).ok).toBe(true);
    expect(lineAndColumn("a\n\nb", 3)).toEqual({ line: 3, column: 1 });
  });
});

describe("the mistakes of a file", () => {
  it("are named all at once, each with its place and its line", () => {
    const text = `{
  "gatepost": 1,
  "hook": [],
  "hooks": [
    { "type": "aftr-receive", "command": "true" },
    { "type": "after-receive",
      "command": 7,
      "sequenc": 3 },
    { "all": true, "pattern": "a*", "type": "before-receive" },
    7,
    { "type": "after-receive", "command": "true" }
  ]
}
`;
    expect(mistakes(text)).toEqual([
      "7 mistakes. Nothing.",
      "  hook (line 3): is not known",
      "  hooks[0].type (line 5): must be a hook type; did you mean after-receive",
      "  hooks[1].command (line 7): must be a text, or null for a function hook",
      "  hooks[1].sequenc (line 8): is not known; did you mean sequence",
      '  hooks[2] (line 9): has no "command"',
      "  hooks[2] (line 9): has pattern and all; only one of them can be",
      "  hooks[3] (line 10): is no hook",
    ]);
    expect(readHookText(text).drafts).toHaveLength(1);
  });

  it("have no line where the text has one only, and are a sentence where there is one only", () => {
    expect(mistakes('{"gatepost":1,"hooks":[{"type":"disabled"}]}')).toEqual(['hooks[0]: has no "command". Nothing.']);
    const error = mistakesError(readHookText("[").mistakes, "Nothing.", "gatepost.json");
    expect(error).toBeInstanceOf(GatepostError);
    expect([error.code, error.message.startsWith("gatepost.json: The file is not JSON: line 1")]).toEqual([
      "GP_IMPORT",
      true,
    ]);
  });

  it("are counted where they are many", () => {
    const many = JSON.stringify({ gatepost: 1, hooks: Array.from({ length: 50 }, () => 1) });
    expect(mistakes(many)).toHaveLength(22);
    expect(mistakes(many).at(-1)).toBe("  and 30 more");
  });

  it("are none for a byte order mark and for $schema", () => {
    expect(readHookText(`\ufeff${JSON.stringify({ $schema: "x", gatepost: 1, hooks: [good] })}`)).toMatchObject({
      mistakes: [],
      drafts: [{ scope: null }],
    });
  });
});
