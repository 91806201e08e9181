/** The table of errors: documented in docs/errors.md, and each of them in use. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ERRORS, EXIT, fromSystem, GatepostError } from "../../src/core/errors.ts";
import { expectPage } from "../helpers/page.ts";

const source = fileURLToPath(new URL("../../src", import.meta.url));
const codes = Object.entries(ERRORS);

const meanings: Record<keyof typeof EXIT, string> = {
  done: "Done.",
  refused: "Refused by a hook, or a hook that was tried failed.",
  usage: "Wrong use: nothing was changed.",
  missing: "Something that was named is not there: nothing was changed.",
  busy: "Busy: try again.",
  damaged: "The database is damaged, not Gatepost's, or too new: it was left as it is.",
  exhausted: "No space, or a limit on files or processes.",
  denied: "Not permitted: nothing was changed.",
  bug: "A bug, or an installation that is not whole.",
};

function page(): string {
  const exits = Object.entries(EXIT).map(([name, exit]) => `| ${exit} | ${meanings[name as keyof typeof EXIT]} |`);
  const rows = codes.map(([code, [exit, meaning]]) => `| \`${code}\` | ${exit} | ${meaning} |`);
  return [
    "# Errors and exit codes",
    "",
    "<!-- Made from src/core/errors.ts by its test. -->",
    "",
    "A call that cannot go on prints one sentence on stderr that names the thing, and a line with what to do next.",
    "Exit codes are a stable contract; a hook's own exit code is recorded with its run and never passed on as ours.",
    "",
    "| exit | meaning |",
    "|---|---|",
    ...exits,
    "",
    "Programs that use the library find the code on the error: `error instanceof GatepostError && error.code`.",
    "",
    "| code | exit | meaning |",
    "|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

describe("the table of errors", () => {
  it("is what docs/errors.md says", () => {
    expectPage("errors.md", page());
  });

  it("holds only codes that the program uses", () => {
    const files = (readdirSync(source, { recursive: true }) as string[]).filter((name) => name.endsWith(".ts"));
    const text = files.map((name) => readFileSync(join(source, name), "utf8")).join("\n");
    expect(codes.map(([code]) => code).filter((code) => !text.includes(`"${code}"`))).toEqual([]);
  });
});

describe("an error of the operating system", () => {
  const failing = (code: string) => Object.assign(new Error("x"), { code, path: "/p" });

  it.for([
    ["EACCES", "GP_DENIED", 7],
    ["EROFS", "GP_DENIED", 7],
    ["ENOSPC", "GP_FULL", 6],
    ["EMFILE", "GP_FULL", 6],
    ["EIO", "GP_DAMAGED", 5],
  ] as const)("%s becomes %s with exit %d, and keeps its cause", ([code, ours, exitCode]) => {
    const error = failing(code);
    expect(fromSystem(error)).toMatchObject({
      code: ours,
      exitCode,
      cause: error,
      message: expect.stringContaining("/p"),
    });
  });

  it("of any other kind, and an error of ours, come back as they are", () => {
    for (const error of [failing("ENOENT"), new Error("x"), "x", new GatepostError("GP_BUSY", "x")])
      expect(fromSystem(error)).toBe(error);
  });
});
