import fs from "node:fs";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { held } from "../../src/vcs/git/holding.ts";

const chunk = (i: number): Buffer => Buffer.alloc(64 * 1024, i);

/** Names of this process's open files that have been removed. */
const unnamed = (): string[] =>
  fs.readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [fs.readlinkSync(`/proc/self/fd/${fd}`)].filter((name) => /gatepost-.*\(deleted\)$/.test(name));
    } catch {
      return [];
    }
  });

test("output is read on while what it depends on is unknown, and comes whole and in order afterwards", async () => {
  let tell = (): void => {};
  const known = new Promise<void>((resolve) => {
    tell = resolve;
  });
  let spilled: string[] = [];
  const source = Readable.from(
    (function* () {
      for (let i = 0; i < 60; i++) {
        if (i === 50) {
          spilled = unnamed();
          tell(); // 3 MiB were taken before anything was handed out
        }
        yield chunk(i);
      }
    })(),
  );
  const out: Buffer[] = [];
  for await (const one of held(source, known)) out.push(one);
  expect(Buffer.concat(out).equals(Buffer.concat([...Array(60).keys()].map(chunk)))).toBe(true);
  expect(spilled).toHaveLength(1);
  expect(unnamed()).toEqual([]);
});

test("what cannot become known is an error, and closes the source", async () => {
  const source = Readable.from([chunk(1)]);
  const reading = (async () => {
    for await (const _ of held(source, Promise.reject(new Error("unknown")))) throw new Error("handed out too early");
  })();
  await expect(reading).rejects.toThrow("unknown");
  expect(source.destroyed).toBe(true);
});
