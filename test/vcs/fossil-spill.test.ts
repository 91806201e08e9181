import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { Spill } from "../../src/vcs/fossil/spill.ts";

const folder = fs.mkdtempSync(join(tmpdir(), "spill-"));
const before = process.env["TMPDIR"];
process.env["TMPDIR"] = folder;
afterEach(() => expect(fs.readdirSync(folder), "nothing has a name").toEqual([]));
afterAll(() => {
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  fs.rmSync(folder, { recursive: true, force: true });
});

/** Descriptors of this process on files in the folder. */
const open = (): number =>
  fs.readdirSync("/proc/self/fd").filter((number) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${number}`).startsWith(folder);
    } catch {
      return false; // the one that listed them
    }
  }).length;

const chunk = (n: number): Buffer => Buffer.from(`${n} `.repeat(10_000));
const all = (spill: Spill): string => Buffer.concat([...spill.read()]).toString("latin1");

test("what is short stays in memory and comes back in its order", () => {
  const spill = new Spill();
  for (const text of ["a", "b", "", "c"]) spill.add(Buffer.from(text));
  expect([open(), all(spill)]).toEqual([0, "abc"]);
  spill.close();
});

test("what is long goes to a file without a name, and all of it comes back, as often as it is read", () => {
  const spill = new Spill();
  const chunks = Array.from({ length: 100 }, (_, n) => chunk(n));
  for (const one of chunks) spill.add(one);
  expect(open()).toBe(1);
  const whole = Buffer.concat(chunks).toString("latin1");
  expect(all(spill) === whole).toBe(true);
  expect(all(spill) === whole).toBe(true);
  spill.close();
  expect(open()).toBe(0);
});

test("of what was cleared nothing is left", () => {
  const spill = new Spill();
  for (let n = 0; n < 100; n++) spill.add(chunk(n));
  spill.clear();
  expect([open(), all(spill)]).toEqual([0, ""]);
  spill.add(Buffer.from("anew"));
  expect(all(spill)).toBe("anew");
  spill.close();
});

test("what came in one chunk is never cut, so that a line is whole in one of what comes back", () => {
  const spill = new Spill();
  const line = Buffer.from(`${"x".repeat(999)}\n`);
  for (let n = 0; n < 2000; n++) spill.add(line);
  for (const one of spill.read()) expect(one.at(-1)).toBe(10);
  spill.close();
});
