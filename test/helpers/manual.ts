/** Pages for people, as tests read them: their sections, the commands in their code blocks, and their transcripts. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";

/** One heading with what stands below it. */
export type Section = {
  title: string;
  /** Code blocks that show nothing but commands. */
  commands: string[];
  /** Code blocks in which a line with "$ " is typed, and what follows it is seen. */
  transcripts: Step[][];
};

/** A line that is typed, and the lines that are seen then. */
export type Step = { typed: string; seen: string[] };

/** The sections of a page below the repository's root, by their headings of the second level. */
export function sectionsOf(file: string): Section[] {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
  return text
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const fenced = [...part.matchAll(/^```(\w*)\n(.*?)^```$/gms)];
      const blocks = fenced.flatMap(([, language, block = ""]) => (language === "" ? [block] : []));
      return {
        title: part.slice(0, part.indexOf("\n")),
        commands: blocks.filter((block) => !block.startsWith("$ ")),
        transcripts: blocks.filter((block) => block.startsWith("$ ")).map(stepsOf),
      };
    });
}

const stepsOf = (block: string): Step[] =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((step) => {
      const [typed = "", ...seen] = step.replace(/\n+$/, "").split("\n");
      return { typed, seen };
    });

/** What differs from one time to the next: hashes, times, how wide a column is, and blanks at the end of a line, with
 *  which git clears what stood there. */
const settled = (line: string): string =>
  line
    .trim()
    .replace(/\b[0-9a-f]{40}\b/g, "HASH")
    .replace(/\b(?:[0-9a-f]{12}|[0-9a-f]{10}|[0-9a-f]{7})\b/g, "SHORT")
    .replace(/\b\d\d:\d\d:\d\d\b/g, "TIME")
    .replace(/\bnow\b|\b\d+ (s|m|h|d) ago\b/g, "WHEN")
    .replace(/(?:< )?\b\d+(\.\d+)? (ms|s)\b/g, "TOOK")
    .replace(/ {2,}/g, " ");

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Compares what was seen with what the page shows. A line "…" stands for any number of lines, and "…" between other
 *  characters for any of them; at the end of a message it is the message's own. */
export function expectSeen(printed: string, { typed, seen }: Step): void {
  const lines = printed.split("\n").map(settled);
  while (lines.at(-1) === "") lines.pop();
  const pattern = seen.map((line) =>
    line === "…" ? "(?:.*\n)*?" : `${line === "" ? "" : settled(line).split("…").map(escaped).join(".*")}\n`,
  );
  const text = lines.map((line) => `${line}\n`).join("");
  expect(text, typed).toMatch(new RegExp(`^${pattern.join("")}$`));
}
