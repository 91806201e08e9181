/** Pages of docs/ that are made from the program itself. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";

/** Compares a page with what it should be; with UPDATE=1 in the environment, writes it instead. */
export function expectPage(name: string, text: string): void {
  const file = new URL(`../../docs/${name}`, import.meta.url);
  if (process.env["UPDATE"] === "1") writeFileSync(file, text);
  let page = "";
  try {
    page = readFileSync(file, "utf8");
  } catch {}
  expect(page, `docs/${name} is stale: UPDATE=1 npm test`).toBe(text);
}
