/** The text of a repository's own list of hooks, changed without touching what others wrote. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  entryText,
  readList,
  withEntry,
  withoutEntry,
  withoutTexts,
  writeList,
} from "../../src/core/fossil-hook-list.ts";

const ours = { cmd: "ours", type: "before-commit", seq: 0 };
const isOurs = ({ cmd }: { cmd: string }): boolean => cmd === "ours";

describe("a list of hooks", () => {
  it("gives each element as it is written, whatever stands in it", () => {
    const texts = [
      '{"cmd":"a,b]}","type":"after-receive","seq":10}',
      '{ "seq": 12345678901234567890, "cmd": "x", "type": "disabled" }',
      '{"cmd":"first","cmd":"second","type":"after-receive","seq":1,"more":{"cmd":["}"]}}',
      '"a bare \\"text\\","',
      "[1,[2]]",
      "null",
    ];
    expect(readList(`\n [ ${texts.join(" ,\n")} ]\n`)?.map(({ text }) => text)).toEqual(texts);
  });

  it("reads the first of two equal keys, as SQLite does", () => {
    const [element] = readList('[{"cmd":"first","cmd":"second","type":"disabled","seq":1,"seq":2}]') ?? [];
    expect(element?.entry).toEqual({ cmd: "first", type: "disabled", seq: 1 });
  });

  it("says why an element is no hook that can be read, and whether Fossil dies on it", () => {
    const whys = (text: string) => readList(text)?.map((one) => (one.entry === null ? [one.why, one.broken] : null));
    expect(whys('["x", {}, {"cmd":1}, {"cmd":"a","type":null}, {"cmd":"a","type":"b","seq":1.5}]')).toEqual([
      ["it is no JSON object", true],
      ["it has no text as its cmd", false],
      ["it has no text as its cmd", false],
      ["it has no text as its type", false],
      ["its seq is no whole number", false],
    ]);
    expect(whys('[{"c\\u006dd":"a","cmd":"b","type":"c","seq":1}]')).toEqual([
      ["it has a key with a backslash in it", false],
    ]);
  });

  it.each(["", "[", "{}", '"x"', "null", "[1,]", "[] []"])("is none where the text is %j", (text) => {
    expect(readList(text)).toBeNull();
    expect(() => withEntry(text, ours, isOurs)).toThrow(/no JSON array\. Nothing was changed/);
    expect(() => withoutEntry(text, isOurs)).toThrow(/no JSON array/);
  });

  it("takes an entry in and gives it out again, and every other element keeps its text", () => {
    const element = fc.oneof(
      fc.json(),
      fc.record({ cmd: fc.string(), type: fc.constantFrom("after-receive", "x"), seq: fc.integer() }).map(entryText),
      fc.constantFrom('{"seq":1e400,"cmd":"a"}', '{"a":"\\ud800","a":[",","\\\\"]}', "123456789012345678901234567890"),
    );
    const space = fc.constantFrom("", " ", "\n\t");
    fc.assert(
      fc.property(fc.array(element), space, (texts, blank) => {
        const list = `[${blank}${texts.join(`${blank},${blank}`)}${blank}]`;
        const trimmed = texts.map((text) => text.trim());
        const added = withEntry(list, ours, isOurs);
        expect(readList(added)?.map(({ text }) => text)).toEqual([...trimmed, entryText(ours)]);
        expect(withEntry(added, ours, isOurs)).toBe(added);
        expect(withoutEntry(added, isOurs)).toBe(texts.length === 0 ? null : writeList(trimmed));
        expect(withoutEntry(list, isOurs)).toBe(list);
      }),
      { numRuns: 300 },
    );
  });

  it("has one entry of ours after a change of it, and none without a list before", () => {
    const newer = { ...ours, seq: 5 };
    const twice = writeList([entryText(ours), '{"other":1}', entryText(ours)]);
    expect(withEntry(twice, newer, isOurs)).toBe(writeList(['{"other":1}', entryText(newer)]));
    expect(withEntry(null, ours, isOurs)).toBe(writeList([entryText(ours)]));
    expect(withoutEntry(null, isOurs)).toBeNull();
  });

  it("loses each named text once", () => {
    expect(withoutTexts("[1,2,1,3]", ["1", "3", "4"])).toBe("[2,1]");
    expect(withoutTexts("[1]", ["1"])).toBeNull();
    expect(withoutTexts("[ 1 ]", ["2"])).toBe("[ 1 ]");
  });
});
