/**
 * What programs may rely on: the names and types of `gatepost` and `gatepost/testing`. A difference here is a change that
 * the version number must tell of, so the text is recorded, and changing it is a decision: UPDATE=1 writes it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { flatten } from "./flatten.ts";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

describe.each(["index", "testing"])("the exports of %s", (module) => {
  const recorded = at(`${module}.txt`);
  const built = at(`../../dist/${module}`);
  const read = (): string => flatten(`${built}.d.ts`, module === "index" ? "" : flatten(at("../../dist/index.d.ts")));

  it("are as they were recorded", () => {
    const text = read();
    if (process.env["UPDATE"] === "1") writeFileSync(recorded, text);
    const why = `What programs may rely on has changed. If that is meant: a line in CHANGELOG, and UPDATE=1 npm test`;
    expect(text, why).toBe(readFileSync(recorded, "utf8"));
  });

  it("hold the values that the types promise", async () => {
    const text = read();
    const names = text.split("\n", 1)[0]?.slice("exports: ".length).split(" ") ?? [];
    const values = names.filter((name) =>
      new RegExp(`^export declare (const|class|function) ${name}\\b`, "m").test(text),
    );
    expect(Object.keys(await import(`${built}.js`)).sort()).toEqual(values.sort());
    expect(values.length).toBeGreaterThan(1);
  });
});

describe("the recorded text", () => {
  it("follows a type to where it is declared, and tells one option more or less apart", () => {
    const text = readFileSync(at("index.txt"), "utf8");
    expect(text).toMatch(/^export type Scope = \{$/m);
    expect(text).toMatch(/retries: number;/);
    expect(text).not.toContain("import ");
  });
});
