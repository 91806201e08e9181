/** The format of gate records: what a gate writes is what its reader understands, and nothing else is taken for one. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ByteString } from "../../src/core/bytes.ts";
import { parseEntry } from "../../src/spool/entry.ts";
import {
  formatGateEntry,
  type GateEntry,
  type GateHook,
  isGateStart,
  parseGateEntry,
} from "../../src/spool/gate-entry.ts";

const bytes = (text: string) => text as ByteString;
const raw = (text: string) => Buffer.from(text, "latin1");
const zero = "0".repeat(40);
const one = "1".repeat(40);

const commit = (change: Partial<GateEntry> = {}): GateEntry => ({
  kind: "gate",
  hook: "pre-commit",
  dir: bytes("/srv/a/.git"),
  namespace: null,
  glUser: null,
  glRepo: null,
  remoteUser: null,
  address: null,
  run: null,
  clock: null,
  type: "before-commit",
  verdict: "pass",
  took: 120,
  branch: bytes("refs/heads/main"),
  authorName: bytes("alice"),
  authorEmail: bytes("alice@example.org"),
  authorDate: bytes("@1700000000 +0100"),
  reason: null,
  hooks: [{ line: "ran", hook: 3, word: "pass", status: 0, took: 40 }],
  updates: [],
  more: false,
  ...change,
});

const value = fc
  .array(
    fc.oneof(
      fc.constantFrom("\n", " ", "\n ", "end 0", "updates", "\nend 1\n", "ran 1 pass 0 0", "\r", "\0"),
      fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    ),
  )
  .map((parts) => bytes(parts.join("")));
const maybe = fc.option(value);
const number = fc.nat({ max: 999_999_999 });
const hook: fc.Arbitrary<GateHook> = fc.oneof(
  fc.record(
    {
      line: fc.constant("ran" as const),
      hook: number,
      word: fc.constantFrom("pass", "refused", "advisory", "timeout", "broken", "signal"),
      status: fc.nat({ max: 400 }),
      took: number,
    },
    { noNullPrototype: true },
  ),
  fc.record(
    { line: fc.constant("skipped" as const), hook: number, why: fc.constantFrom("path", "ref", "asked", "none") },
    { noNullPrototype: true },
  ),
  fc.record({ line: fc.constant("unrun" as const), hook: number }, { noNullPrototype: true }),
);
const oid = (width: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${width}}$`));
const ref = value.map((text) => bytes(`refs/${text.replace(/[\n\0]/g, "-")}`));
const update = fc
  .constantFrom(40, 64)
  .chain((width) => fc.record({ old: oid(width), new: oid(width), ref }, { noNullPrototype: true }));
const anyEntry: fc.Arbitrary<GateEntry> = fc.record(
  {
    kind: fc.constant("gate" as const),
    hook: fc.constantFrom("pre-commit", "update", "pre-receive"),
    dir: value,
    namespace: maybe,
    glUser: maybe,
    glRepo: maybe,
    remoteUser: maybe,
    address: maybe,
    run: fc.option(fc.uuid()),
    clock: fc.option(fc.nat()),
    type: fc.constantFrom("before-commit", "git:post-checkout"),
    verdict: fc.constantFrom("pass", "refused", "broken", "interrupted"),
    took: number,
    branch: maybe,
    authorName: maybe,
    authorEmail: maybe,
    authorDate: maybe,
    reason: maybe,
    hooks: fc.array(hook),
    updates: fc.array(update),
    more: fc.boolean(),
  },
  { noNullPrototype: true },
);

describe("a gate record", () => {
  test("is written as readable lines, its kind on the second", () => {
    const entry = commit({
      verdict: "refused",
      reason: bytes("two\nlines"),
      hooks: [
        { line: "skipped", hook: 1, why: "path" },
        { line: "ran", hook: 3, word: "refused", status: 1, took: 40 },
        { line: "unrun", hook: 0 },
      ],
      updates: [{ old: zero, new: one, ref: bytes("refs/heads/main") }],
    });
    expect(formatGateEntry(entry).toString("latin1")).toBe(
      `gatepost 1\nkind gate\nhook pre-commit\ndir /srv/a/.git\ntype before-commit\nverdict refused\ntook 120\n` +
        `branch refs/heads/main\nauthor_name alice\nauthor_email alice@example.org\nauthor_date @1700000000 +0100\n` +
        `reason two\n lines\nskipped 1 path\nran 3 refused 1 40\nunrun 0\nupdates\n${zero} ${one} refs/heads/main\nend 1\n`,
    );
  });

  test("that was written down is read back the same, whatever bytes it holds, its hooks in their order", () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        expect(parseGateEntry(formatGateEntry(entry))).toEqual({ state: "whole", entry });
      }),
    );
  });

  test("cut off at any byte is partial, never whole", () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        const whole = formatGateEntry(entry);
        for (let length = 0; length < whole.length; length += 1) {
          expect(parseGateEntry(whole.subarray(0, length))).toEqual({ state: "partial" });
        }
      }),
      { numRuns: 30 },
    );
  });

  test("of arbitrary bytes is answered, not thrown at the reader", () => {
    const near = formatGateEntry(commit({ reason: bytes("a\nb") }));
    fc.assert(
      fc.property(fc.nat({ max: near.length - 1 }), fc.uint8Array(), (at, noise) => {
        for (const input of [noise, Buffer.concat([near.subarray(0, at), noise, near.subarray(at)])]) {
          const parsed = parseGateEntry(input);
          if (parsed.state === "bad") expect(parsed.reason).toMatch(/^[ -~]+$/);
          if (parsed.state === "whole") expect(parseGateEntry(formatGateEntry(parsed.entry))).toEqual(parsed);
        }
      }),
    );
  });

  test("is told from other entries by its second line", () => {
    const gate = formatGateEntry(commit());
    expect(isGateStart(gate)).toBe(true);
    expect(isGateStart(gate.subarray(0, 20))).toBe(false);
    expect(isGateStart(raw("gatepost 1\nkind push\nhook h\n"))).toBe(false);
    expect(parseEntry(gate)).toMatchObject({ state: "bad" });
    const push = raw(`gatepost 1\nkind push\nhook h\ndir /r\nupdates\nend 0\n`);
    expect(parseGateEntry(push)).toEqual({ state: "bad", reason: "is of an unknown kind" });
  });

  test("tells of a team file's hooks by name or place, and of nothing that could not be one", () => {
    const lines = "skipped team:lint path\nran team:2 pass 0 3\nunrun team:a.b-c_9\n";
    const record = (rows: string) => raw(`${head}type before-commit\nverdict pass\ntook 1\n${rows}end 0\n`);
    const parsed = parseGateEntry(record(lines));
    expect(parsed).toMatchObject({
      entry: {
        hooks: [
          { line: "skipped", hook: -1, team: "lint" },
          { line: "ran", hook: -1, team: "2" },
          { line: "unrun", hook: -1, team: "a.b-c_9" },
        ],
      },
    });
    if (parsed.state === "whole") expect(formatGateEntry(parsed.entry).toString("latin1")).toContain(lines);
    for (const word of ["team:", "team:0", "team:-1", "team:a/b", "team:1a", "-1", "Team:a"])
      expect(parseGateEntry(record(`unrun ${word}\n`))).toMatchObject({ state: "bad" });
  });

  test("whose gate stopped counting says that there may be more", () => {
    const lines = `${zero} ${one} refs/heads/x\n`.repeat(25);
    const head = "gatepost 1\nkind gate\nhook update\ndir /\ntype before-ref\nverdict pass\ntook 0\nupdates\n";
    const parsed = parseGateEntry(raw(`${head}${lines}end 25+\n`));
    expect(parsed).toMatchObject({ state: "whole", entry: { more: true } });
    expect(parsed.state === "whole" && parsed.entry.updates).toHaveLength(25);
    const one_more = `${head}${lines}${zero} ${one} refs/heads/y\nend 26\n`;
    expect(parseGateEntry(raw(one_more))).toEqual({ state: "bad", reason: "lists more than 25 updates" });
  });

  const head = "gatepost 1\nkind gate\nhook pre-commit\ndir /r\n";
  const facts = "type before-commit\nverdict pass\ntook 1\n";
  const aboutHook = (line: number) => `its line ${line} about a hook is none`;
  test.each([
    ["has an unknown line, number 5", `${head}colour red\n${facts}end 0\n`],
    ["has an unknown line, number 5", `${head}option x\n${facts}end 0\n`],
    ["has an unknown line, number 9", `${head}${facts}ran 1 pass 0 0\nconstructor x\nend 0\n`],
    ["has type twice", `${head}${facts}type commit-msg\nend 0\n`],
    ["lacks its kind, hook or dir", `gatepost 1\nkind gate\nhook pre-commit\n${facts}end 0\n`],
    ["names no hook", `gatepost 1\nkind gate\nhook ../x\ndir /r\n${facts}end 0\n`],
    ["names no hook type", `${head}verdict pass\ntook 1\nend 0\n`],
    ["names no hook type", `${head}type git:\nverdict pass\ntook 1\nend 0\n`],
    ["has no verdict", `${head}type commit-msg\ntook 1\nend 0\n`],
    ["has no verdict", `${head}type commit-msg\nverdict ok\ntook 1\nend 0\n`],
    ["does not say how long it took", `${head}type commit-msg\nverdict pass\nend 0\n`],
    ["does not say how long it took", `${head}type commit-msg\nverdict pass\ntook -1\nend 0\n`],
    ["does not say how long it took", `${head}type commit-msg\nverdict pass\ntook 1${"0".repeat(12)}\nend 0\n`],
    [aboutHook(1), `${head}${facts}ran 1 pass 0\nend 0\n`],
    [aboutHook(1), `${head}${facts}ran 1 fine 0 0\nend 0\n`],
    [aboutHook(1), `${head}${facts}ran one pass 0 0\nend 0\n`],
    [aboutHook(2), `${head}${facts}ran 1 pass 0 0\nskipped 2 why\nend 0\n`],
    [aboutHook(1), `${head}${facts}unrun -2\nend 0\n`],
    [aboutHook(1), `${head}${facts}unrun 1 2\nend 0\n`],
    ["tells of more than 1000 hooks", `${head}${facts}${"unrun 1\n".repeat(1001)}end 0\n`],
    ["has 0 updates, its last line says 1", `${head}${facts}updates\nend 1\n`],
    ["goes on after its last line", `${head}${facts}end 0\nx`],
  ])("is bad because it %s: %j", (reason, text) => {
    expect(parseGateEntry(raw(text))).toEqual({ state: "bad", reason });
  });

  test.each<[string, Partial<GateEntry>]>([
    ["a native hook that is no name", { hook: "a\nend 0" }],
    ["a length that is no number", { took: 0.5 }],
    ["a malformed id", { updates: [{ old: "0", new: one, ref: bytes("refs/heads/a") }] }],
    ["a ref that forges a line", { updates: [{ old: zero, new: one, ref: bytes(`a\n${zero} ${one} b`) }] }],
  ])("with %s cannot be written down", (_, change) => {
    expect(() => formatGateEntry(commit(change))).toThrow(expect.objectContaining({ code: "GP_BUG" }));
  });
});
