/** The parts of the runtime that only some gates need, as they are embedded: src/gate/runtime, without its comments. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export type Part =
  | "auxiliary"
  | "describe"
  | "distrust"
  | "enter"
  | "facts"
  | "fossil-auxiliary"
  | "fossil-changes"
  | "fossil-enter"
  | "pushed"
  | "refs"
  | "staged"
  | "supply"
  | "temporary"
  | "timed"
  | "together";

const texts = new Map<Part, string>();

/** The functions of a part. Comments that fill a line are left out: the shell reads them at every commit. */
export function partText(part: Part): string {
  let text = texts.get(part);
  if (text === undefined) {
    const file = fileURLToPath(new URL(`../../src/gate/runtime/${part}.sh`, import.meta.url));
    text = readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "" && !/^\s*#/.test(line))
      .join("\n");
    texts.set(part, text);
  }
  return text;
}
