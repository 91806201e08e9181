import fc from "fast-check";
import { expect, test } from "vitest";
import { KeptOutput } from "../../src/process/kept-output.ts";

test("whatever the chunks, the first and the last bytes are kept and none twice", () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });
  fc.assert(
    fc.property(chunks, fc.integer({ min: 0, max: 30 }), (parts, keep) => {
      const output = new KeptOutput(keep);
      for (const part of parts) output.push(part);
      const all = Buffer.concat(parts);
      const tailFrom = Math.max(Math.min(keep, all.length), all.length - keep);
      expect(output.kept()).toEqual({
        head: all.subarray(0, keep),
        tail: keep === 0 ? Buffer.alloc(0) : all.subarray(tailFrom),
        bytes: all.length,
      });
    }),
    { numRuns: 2000 },
  );
});

test("a chunk may be overwritten by its owner once it was taken", () => {
  const output = new KeptOutput(2);
  const chunk = Buffer.from("abcdef");
  output.push(chunk);
  chunk.fill("x");
  expect(output.kept()).toEqual({ head: Buffer.from("ab"), tail: Buffer.from("ef"), bytes: 6 });
});

test("what was kept does not change when more is printed", () => {
  const output = new KeptOutput(2);
  output.push(Buffer.from("abcd"));
  const early = output.kept();
  output.push(Buffer.from("efg"));
  expect(early.tail.toString()).toBe("cd");
  expect(output.kept().tail.toString()).toBe("fg");
});
