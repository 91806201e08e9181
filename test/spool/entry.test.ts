import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ByteString } from "../../src/core/bytes.ts";
import { GatepostError } from "../../src/core/errors.ts";
import { cksum } from "../../src/spool/cksum.ts";
import { ENTRY_NAME, type Entry, formatEntry, namespacedRef, parseEntry } from "../../src/spool/entry.ts";
import { writeEntry } from "../../src/spool/write.ts";

const bytes = (text: string) => text as ByteString;
const raw = (text: string) => Buffer.from(text, "latin1");
const zero = "0".repeat(40);
const one = "1".repeat(40);

const push = (change: Partial<Entry> = {}): Entry => ({
  kind: "push",
  hook: "post-receive",
  dir: bytes("/srv/git/a.git"),
  namespace: null,
  glUser: null,
  glRepo: null,
  remoteUser: null,
  address: null,
  options: [],
  updates: [{ old: zero, new: one, ref: bytes("refs/heads/main") }],
  ...change,
});

// Newlines, spaces and the words of the format itself are likelier than chance would have them.
const value = fc
  .array(
    fc.oneof(
      fc.constantFrom("\n", " ", "\n ", "end 0", "updates", "\nend 1\n", "option x", "\r", "\0"),
      fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    ),
  )
  .map((parts) => bytes(parts.join("")));
const maybe = fc.option(value);
const oid = (width: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${width}}$`));
const ref = value.map((text) => bytes(`refs/${text.replace(/[\n\0]/g, "-")}`));
const update = fc
  .constantFrom(40, 64)
  .chain((width) => fc.record({ old: oid(width), new: oid(width), ref }, { noNullPrototype: true }));
const anyEntry: fc.Arbitrary<Entry> = fc
  .record(
    {
      kind: fc.constantFrom("push" as const, "work" as const),
      hook: fc.constantFrom("post-receive", "post-commit", "post-checkout"),
      dir: value,
      namespace: maybe,
      glUser: maybe,
      glRepo: maybe,
      remoteUser: maybe,
      address: maybe,
      options: fc.array(value),
      updates: fc.array(update),
    },
    { noNullPrototype: true },
  )
  .map((entry) => (entry.kind === "work" ? { ...entry, updates: [] } : entry));

describe("an entry", () => {
  test("is written as readable lines", () => {
    const entry = push({ glUser: bytes("alice"), options: [bytes("ci.skip"), bytes("two\nlines")] });
    expect(formatEntry(entry).toString("latin1")).toBe(
      `gatepost 1\nkind push\nhook post-receive\ndir /srv/git/a.git\ngl_user alice\noption ci.skip\noption two\n lines\nupdates\n${zero} ${one} refs/heads/main\nend 1 sum 353186985 211\n`,
    );
  });

  test("that was written down is read back the same, whatever bytes it holds", () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        expect(parseEntry(formatEntry(entry))).toEqual({ state: "whole", entry });
      }),
    );
  });

  test("cut off at any byte is partial, never whole", () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        const whole = formatEntry(entry);
        for (let length = 0; length < whole.length; length += 1) {
          expect(parseEntry(whole.subarray(0, length))).toEqual({ state: "partial" });
        }
      }),
      { numRuns: 50 },
    );
  });

  test("with anything after its last line is bad", () => {
    const whole = formatEntry(push());
    for (const more of ["\n", "x", "end 1\n", `${zero} ${one} refs/heads/b\nend 2\n`]) {
      expect(parseEntry(Buffer.concat([whole, raw(more)]))).toMatchObject({ state: "bad" });
    }
  });

  test("of arbitrary bytes is answered, not thrown at the reader", () => {
    const near = formatEntry(push({ options: [bytes("a\nb")] }));
    fc.assert(
      fc.property(fc.nat({ max: near.length - 1 }), fc.uint8Array(), (at, noise) => {
        for (const input of [noise, Buffer.concat([near.subarray(0, at), noise, near.subarray(at)])]) {
          const parsed = parseEntry(input);
          if (parsed.state === "bad") expect(parsed.reason).toMatch(/^[ -~]+$/);
          if (parsed.state === "whole") expect(parseEntry(formatEntry(parsed.entry))).toEqual(parsed);
        }
      }),
    );
  });

  test("whose shim stopped counting is whole with that many updates or more", () => {
    const lines = (count: number) => `${zero} ${one} refs/heads/x\n`.repeat(count);
    const entry = (count: number) => raw(`gatepost 1\nkind push\nhook h\ndir /\nupdates\n${lines(count)}end 100+\n`);
    expect(parseEntry(entry(99))).toMatchObject({ state: "bad" });
    expect(parseEntry(entry(100))).toMatchObject({ state: "whole" });
    expect(parseEntry(entry(250))).toMatchObject({ state: "whole" });
  });

  test("whose checksum does not fit what stands above it is bad, whichever byte was changed", () => {
    const whole = formatEntry(push({ glUser: bytes("alice") }));
    const above = whole.indexOf("end 1 sum");
    for (let at = 0; at < above; at += 1) {
      const changed = Buffer.from(whole);
      changed[at] = 0; // a block that was never written reads as zeros
      expect(parseEntry(changed).state, `byte ${at}`).not.toBe("whole");
    }
    const other = whole.toString("latin1").replace("gl_user alice", "gl_user malice");
    expect(parseEntry(raw(other))).toEqual({ state: "bad", reason: "its checksum does not fit" });
    expect(parseEntry(raw(other.replace(/ sum .*/, "")))).toMatchObject({ state: "whole" });
  });

  test.each(["sum 1", "sum 1 2 3", "sum a 2", "sum -1 2", "summ 1 2", "sum 99999999999 2", "sum  1 2"])(
    "is bad where its last line goes on with %j",
    (rest) => {
      const whole = formatEntry(push()).toString("latin1");
      expect(parseEntry(raw(whole.replace(/sum .*/, rest))).state).toBe("bad");
    },
  );

  const head = "gatepost 1\nkind push\nhook post-receive\ndir /r\n";
  const line = `${zero} ${one} refs/heads/a\n`;
  test.each([
    ["format 2 is not known", "gatepost 2\nkind push\n"],
    ["not an entry", "something else\n"],
    ["has an unknown line, number 5", `${head}colour red\nupdates\n${line}end 1\n`],
    ["has an unknown line, number 5", `${head}constructor x\nupdates\n${line}end 1\n`],
    ["has an unknown line, number 5", `${head}option\nupdates\n${line}end 1\n`],
    ["has dir twice", `${head}dir /other\nupdates\n${line}end 1\n`],
    ["lacks its kind, hook or dir", `gatepost 1\nkind push\nhook post-receive\nupdates\n${line}end 1\n`],
    ["lacks its kind, hook or dir", "gatepost 1\nkind work\ndir /r\nend 0\n"],
    ["lacks its kind, hook or dir", "gatepost 1\nhook post-commit\ndir /r\nend 0\n"],
    ["is of an unknown kind", "gatepost 1\nkind play\nhook post-commit\ndir /r\nend 0\n"],
    ["names no hook", "gatepost 1\nkind work\nhook ../x\ndir /r\nend 0\n"],
    ["is of kind push and lacks updates", `${head}end 0\n`],
    ["is of kind work and has updates", "gatepost 1\nkind work\nhook post-commit\ndir /r\nupdates\nend 0\n"],
    ["has 1 updates, its last line says 2", `${head}updates\n${line}end 2\n`],
    ["has 2 updates, its last line says 1", `${head}updates\n${line}${line}end 1\n`],
    ["its last line is wrong", `${head}end x\n`],
    ["line 2 of the updates is none", `${head}updates\n${line}end 01\n`],
    ["line 1 of the updates is none", `${head}updates\n${zero} ${one}1 refs/heads/a\nend 1\n`],
    ["line 1 of the updates is none", `${head}updates\n${zero} ${"1".repeat(64)} refs/heads/a\nend 1\n`],
    ["line 1 of the updates is none", `${head}updates\n${zero} ${"A".repeat(40)} refs/heads/a\nend 1\n`],
    ["line 1 of the updates is none", `${head}updates\n${zero} ${one} \nend 1\n`],
    ["line 1 of the updates is none", `${head}updates\n${zero} ${one} a\0b\nend 1\n`],
  ])("is bad because it %s: %j", (reason, text) => {
    expect(parseEntry(raw(text))).toEqual({ state: "bad", reason });
  });

  test.each<[string, Partial<Entry>]>([
    ["updates of kind work", { kind: "work" }],
    ["a malformed id", { updates: [{ old: "0", new: one, ref: bytes("refs/heads/a") }] }],
    ["a ref that forges a line", { updates: [{ old: zero, new: one, ref: bytes(`a\n${zero} ${one} b`) }] }],
    ["a hook that is no name", { hook: "a\nend 0" }],
  ])("with %s cannot be written down", (_, change) => {
    expect(() => formatEntry(push(change))).toThrow(GatepostError);
  });

  test("is read in time that grows only with its length", () => {
    const small = formatEntry(push({ glUser: bytes("alice"), address: bytes("192.0.2.7") }));
    const updates = Array.from({ length: 100_000 }, (_, i) => ({
      old: zero,
      new: one,
      ref: bytes(`refs/heads/b${i}`),
    }));
    const large = formatEntry(push({ updates }));
    const folded = formatEntry(push({ options: [bytes("\n".repeat(2_000_000))] }));
    const started = performance.now();
    for (let i = 0; i < 10_000; i += 1) parseEntry(small);
    expect(parseEntry(large)).toMatchObject({ state: "whole" });
    expect(parseEntry(folded)).toMatchObject({ state: "whole" });
    expect(performance.now() - started).toBeLessThan(3000); // about 0.2 s on an idle machine; anything quadratic takes minutes
  });
});

describe("the checksum of an entry", () => {
  test("is the one that the program cksum prints", () => {
    const lengths = [0, 1, 2, 255, 256, 257, 70_000];
    for (const input of lengths.map((length) => Buffer.from(Array.from({ length }, (_, i) => (i * 7) % 256)))) {
      const printed = spawnSync("cksum", { input, encoding: "utf8" }).stdout;
      expect(printed).toBe(`${cksum(input)} ${input.length}\n`);
    }
  });
});

describe("a ref in a namespace", () => {
  test.each([
    [null, "refs/heads/main"],
    ["", "refs/heads/main"],
    ["a", "refs/namespaces/a/refs/heads/main"],
    ["a/b", "refs/namespaces/a/refs/namespaces/b/refs/heads/main"],
    ["/a//b/", "refs/namespaces/a/refs/namespaces/b/refs/heads/main"],
  ])("%j is %s in full", (namespace, full) => {
    expect(namespacedRef(namespace === null ? null : bytes(namespace), bytes("refs/heads/main"))).toBe(full);
  });
});

describe("writing an entry from Node", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "gatepost-entry-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("makes a new whole file each time, which only its owner can read", () => {
    const names = [writeEntry(folder, push()), writeEntry(folder, push())];
    expect(readdirSync(folder).sort()).toEqual([...names].sort());
    for (const name of names) {
      expect(name).toMatch(ENTRY_NAME);
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
      expect(parseEntry(readFileSync(join(folder, name)))).toEqual({ state: "whole", entry: push() });
    }
  });

  test("says what to do when the spool cannot be written", () => {
    const file = join(folder, "no-folder");
    writeFileSync(file, "");
    expect(() => writeEntry(file, push())).toThrow(expect.objectContaining({ code: "GP_DENIED" }));
  });
});
