/**
 * The catalogue of faults, docs/faults.md, against the titles of the tests: each row has a test, or a reason why it has
 * none, and no title names a row that is not there. The list at the end of the page is made here.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = join(root, "docs/faults.md");
const text = readFileSync(page, "utf8");
const MARK = "<!-- Made from the titles of the tests: UPDATE=1 npx vitest run test/faults.test.ts -->\n";

const rows = [...text.matchAll(/^\| ([A-Z]\d+) \|/gm)].map(([, row = ""]) => row);
const excused = [...text.matchAll(/^- \*\*([A-Z]\d+)\*\*: /gm)].map(([, row = ""]) => row);

/** A test, or a group of them, that is named by rows: "C3: …", "D1 and D2: …". */
type Titled = { rows: string[]; file: string; title: string };

const titled: Titled[] = (readdirSync(join(root, "test"), { recursive: true }) as string[])
  .filter((file) => file.endsWith(".test.ts") || file.endsWith("-fixture.ts"))
  .sort()
  .flatMap((file) => {
    const source = readFileSync(join(root, "test", file), "utf8");
    // Of a table of tests, each row says its title.
    const found = source.matchAll(
      /(?:\b(?:test|it|describe)\b[^"'`\n]*\(|\bsays:)\s*(["'`])((?:[A-Z]\d+)(?:(?: and |, )[A-Z]\d+)*)\b:? ?((?:(?!\1)[^\n])*)\1/g,
    );
    return [...found].map(([, , named = "", title = ""]) => ({
      rows: named.split(/ and |, /),
      file,
      title: title.trim(),
    }));
  });

/** Placeholders of tables of tests say nothing to people. */
const shown = (title: string): string => title.replace(/\$\{[^}]*\}|%[a-z]|\$\w+/g, "…").replace(/[<|]/g, "\\$&");

const byRow = (row: string): Titled[] => titled.filter((one) => one.rows.includes(row));

const list = rows
  .filter((row) => byRow(row).length > 0)
  .map(
    (row) =>
      `- **${row}**${byRow(row)
        .map(({ title, file }) => `\n  - ${shown(title)} (${file})`)
        .join("")}\n`,
  )
  .join("");

describe("the catalogue of faults", () => {
  it("has each row once, and a test or a reason for each", () => {
    expect(rows.length).toBeGreaterThan(80);
    expect(new Set(rows).size).toBe(rows.length);
    expect(rows.filter((row) => byRow(row).length === 0 && !excused.includes(row))).toEqual([]);
  });

  it("excuses no row that has a test, and none that it has not", () => {
    expect(excused.filter((row) => byRow(row).length > 0 || !rows.includes(row))).toEqual([]);
  });

  it("has every row that a title names", () => {
    expect(titled.filter((one) => one.rows.some((row) => !rows.includes(row) && /^[A-GRK]/.test(row)))).toEqual([]);
  });

  it("lists the tests as they are named", () => {
    const [head = ""] = text.split(MARK);
    if (process.env["UPDATE"]) writeFileSync(page, `${head}${MARK}\n${list}`);
    else expect(text).toBe(`${head}${MARK}\n${list}`);
  });
});
