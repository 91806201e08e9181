/** Every error has a code: nothing else is thrown, but for what is caught where it was thrown. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ERRORS } from "../../src/core/errors.ts";

const source = fileURLToPath(new URL("../../src", import.meta.url));

/** File and class, with who catches it. */
const CAUGHT: Record<string, string> = {
  "home/import/values.ts Error": "its caller, which says at which place of the file",
  "process/hook-process.ts Error": "the attempt, whose outcome it becomes",
  "vcs/fossil/content.ts RangeError": "its reader, to whom the content is unreadable then",
  "vcs/git/commits.ts Unwalkable": "the listing, which goes on from what is there",
  "vcs/git/holding.ts Error": "nobody: a temporary file of our own became shorter, which is a bug",
};

const thrown = (readdirSync(source, { recursive: true }) as string[])
  .filter((file) => file.endsWith(".ts"))
  .flatMap((file) =>
    [...readFileSync(join(source, file), "utf8").matchAll(/throw new (\w+)\(\s*(?:"(\w+)")?/g)].map(
      ([, name = "", code]) => ({ file, name, code }),
    ),
  );

it("throws errors with a code that is in the table", () => {
  const ours = thrown.filter(({ name }) => name === "GatepostError");
  expect(ours.length).toBeGreaterThan(100);
  expect(ours.filter(({ code }) => code !== undefined && !(code in ERRORS))).toEqual([]);
});

it("throws others only where they are caught again", () => {
  const others = thrown.filter(({ name }) => name !== "GatepostError").map(({ file, name }) => `${file} ${name}`);
  expect([...new Set(others)].sort()).toEqual(Object.keys(CAUGHT).sort());
});
