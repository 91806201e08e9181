/** The pages that people read: every link leads somewhere, and every call of gatepost that is shown can be typed. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { buildProgram } from "../src/cli/program.ts";
import { callsOn, wrongWith } from "./helpers/shown-calls.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const below = (folder: string): string[] =>
  existsSync(join(root, folder))
    ? (readdirSync(join(root, folder), { recursive: true }) as string[])
        .filter((file) => file.endsWith(".md") && !file.includes("node_modules"))
        .map((file) => join(folder, file))
    : [];
const pages = ["README.md", "SECURITY.md", "CHANGELOG.md", ...below("docs"), ...below("examples")];
const textOf = (page: string): string => readFileSync(join(root, page), "utf8");

/** The text outside of fenced blocks and of code within a line. */
const prose = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, "").replace(/`[^`\n]*`/g, "`");

/** What a forge makes of a heading for links: lower case, no punctuation, blanks as "-"; a second one of a name has "-1". */
function anchors(text: string): Set<string> {
  const found = new Map<string, number>();
  const headings = [...text.replace(/^```[\s\S]*?^```$/gm, "").matchAll(/^#{1,6} (.*)$/gm)];
  return new Set(
    headings.map(([, heading = ""]) => {
      const slug = heading
        .toLowerCase()
        .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-");
      const count = found.get(slug) ?? 0;
      found.set(slug, count + 1);
      return count === 0 ? slug : `${slug}-${count}`;
    }),
  );
}

/** Why a link leads nowhere; null where it leads somewhere, or away from here. */
function broken(page: string, link: string): string | null {
  if (/^(?:https?|mailto):/.test(link)) return null;
  const [path = "", anchor] = link.split("#");
  const file = path === "" ? page : relative(root, join(root, dirname(page), decodeURIComponent(path)));
  if (file.startsWith("..")) return `${link} leads out of here`;
  if (!existsSync(join(root, file))) return `${link}: there is no ${file}`;
  if (anchor === undefined || statSync(join(root, file)).isDirectory()) return null;
  return anchors(textOf(file)).has(anchor) ? null : `${link}: ${file} has no such heading`;
}

/** The calls of gatepost that fenced blocks show, without what the program itself prints: where a block has prompts, only
 *  what stands behind them, and lines that a "\" goes on in. And those that a sentence names. */
function shown(text: string): string[] {
  const named = [...text.replace(/^```[\s\S]*?^```$/gm, "").matchAll(/`(gatepost [^`]*)`/g)].map(([, call = ""]) =>
    call.replace(/\s+/g, " "),
  );
  const blocks = [...text.matchAll(/^```[^\n]*\n([\s\S]*?)^```$/gm)].map(([, block = ""]) =>
    block.replace(/\\\n\s*/g, " "),
  );
  const typed = blocks.flatMap((block) => {
    const lines = block.split("\n");
    const prompted = lines.filter((line) => /^[$#] /.test(line));
    return prompted.some((line) => line.startsWith("$ ")) ? prompted : lines;
  });
  return [...typed, ...named];
}

const program = buildProgram();
const wrongIn = (text: string): string[] =>
  shown(text).flatMap((line) =>
    callsOn(line).flatMap((words) => {
      const wrong = wrongWith(program, words);
      return wrong === null ? [] : [`${line.trim()}: ${wrong}`];
    }),
  );

describe.for(pages)("%s", (page) => {
  it("has no link that leads nowhere", () => {
    const links = [...prose(textOf(page)).matchAll(/\]\(([^()\s]+)\)/g)].map(([, link = ""]) => link);
    expect(links.flatMap((link) => broken(page, link) ?? [])).toEqual([]);
  });

  // The change log speaks of what was, too, and the page of the command line is the help itself.
  it.skipIf(["CHANGELOG.md", "docs/cli.md"].includes(page))("shows only commands and options that there are", () => {
    expect(wrongIn(textOf(page))).toEqual([]);
  });
});

describe("what judges the pages", () => {
  it("notices links and calls that are wrong", () => {
    expect(broken("README.md", "docs/no.md")).toContain("there is no");
    expect(broken("README.md", "SECURITY.md#no")).toContain("no such heading");
    expect(broken("docs/home.md", "../SECURITY.md#root")).toBeNull();
    expect(broken("README.md", "../x")).toContain("out of here");
    expect(wrongIn("```\n$ gatepost hok\n```\n")).toHaveLength(1);
    expect(wrongIn("```\ngatepost hook list --yes\n```\n")).toHaveLength(1);
    expect(wrongIn("It is kept: `gatepost hook\naudit`.")).toHaveLength(1);
    expect(wrongIn("```\n$ x\ngatepost: this is printed\n```\n")).toEqual([]);
  });

  it("finds every page in the index of docs", () => {
    const index = textOf("docs/README.md");
    const left = below("docs").filter((page) => page !== "docs/README.md" && !page.startsWith("docs/decisions/"));
    expect(left.filter((page) => !index.includes(`(${page.slice("docs/".length)}`))).toEqual([]);
  });
});
