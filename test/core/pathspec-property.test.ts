/** Pathspecs on random specs and paths: what git lists, and what a `case` of each shell takes. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ByteString, fromText } from "../../src/core/bytes.ts";
import { parsePathspecs, shPattern } from "../../src/core/pathspec.ts";
import { SHELLS } from "../helpers/shells.ts";

const seed = Math.floor(Math.random() * 2 ** 31);

const NAMES = [
  ..."a b ab A aB src Src foo foobar a.ts b.ts .x -a esac".split(" "),
  ...[
    "*",
    "*.ts",
    "[a]",
    "[a",
    "a]",
    "\\",
    "\\a",
    "a\\*",
    "a b",
    "'a'",
    '"',
    "$a",
    "`a`",
    "a\nb",
    "?",
    "!a",
    "^",
    "{a,b}",
  ],
  ...["é", "É", "ā", "日", "~", "#a", ":a", "(a)", "a|b", "a;b", "a&b", "]", "a-b", "9", "_"].map(fromText),
  ..."\xff \x80a \x81".split(" "),
] as ByteString[];

/** Some 180 paths of which none is the folder of another. */
function pathsOf(): ByteString[] {
  const parts = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 });
  const all = fc.sample(
    fc.oneof(
      parts,
      parts.map((some) => some.slice(0, 2)),
    ),
    { numRuns: 220, seed },
  );
  const paths = [...new Set([...NAMES.map((name) => `${name}/a`), ...all.map((some) => some.join("/"))])];
  return paths.filter((one) => !paths.some((other) => other.startsWith(`${one}/`))) as ByteString[];
}

const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(..."* ** ? / / a b s r . A ] ! ^ - \\ [".split(" ")) },
  {
    weight: 2,
    arbitrary: fc.constantFrom("*.ts", "**/", "/**", "/**/", "src", "foo", "esac", "./", "../", "//", "\\*"),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ..."[ab] [a-z] [!a] [^a-c] []] []a] [a-] [!-a] [A] [A-Z] [\\]] [a\\-z] [z-a] [*?] [/a] [$`] ['\"] [!']".split(
        " ",
      ),
      ..."[[:alpha:]] [[:upper:]] [![:upper:]] [[:space:]b] [[:x:]] [[:a] [[:] [[:punct:]] [é] [a-é] [![:alnum:]/]".split(
        " ",
      ),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...NAMES.filter((name) => !/[\x80-\xff]/.test(name)), "é", "É", "日", ",", ")"),
  },
);
const body = fc.oneof(
  fc.array(piece, { minLength: 1, maxLength: 6 }).map((some) => some.join("")),
  fc.constantFrom("src", "src/", "a", "*.ts", "a*", "**/a", "a/**", "a/**/b", "foo**/a", "*/a", ".", "é*", "A", "aB/"),
);
const magic = fc.oneof(
  { weight: 6, arbitrary: fc.constant("") },
  {
    weight: 3,
    arbitrary: fc.constantFrom(":(glob)", ":(icase)", ":(literal)", ":(top)", ":/", ":(exclude)", ":!", ":^"),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.constantFrom("top", "icase", "glob", "literal", "exclude", "exclude", "", "Top", "x"), { maxLength: 3 })
      .map((words) => `:(${words.join(",")})`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(":", "::", ":/:", ":!/", ":/!", ":!:", ":(top", ":(", ":-", ":!_", ":^/^", ":;"),
  },
);
const spec = fc.oneof(
  { weight: 9, arbitrary: fc.tuple(magic, body).map((both) => both.join("")) },
  { weight: 1, arbitrary: magic },
);

describe("a pathspec means what it means to git", () => {
  let folder = "";
  const paths = pathsOf();
  const git = (args: readonly string[], input = "") =>
    spawnSync("git", args, {
      cwd: folder,
      input: Buffer.from(input, "latin1"),
      env: { PATH: process.env["PATH"], HOME: folder, GIT_CONFIG_NOSYSTEM: "1", LC_ALL: "C" },
    });

  beforeAll(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "gatepost-pathspec-"));
    git(["init", "-q", "."]);
    const empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
    const added = git(["update-index", "-z", "--index-info"], paths.map((one) => `100644 ${empty}\t${one}\0`).join(""));
    expect(added.status, added.stderr.toString()).toBe(0);
    expect(paths.length).toBeGreaterThan(150);
  });
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** What git lists; null where it refuses. Without submodules it would look at the folder that all pathspecs share, and
   *  compare what they exclude from there on. */
  function listed(specs: readonly string[]): string[] | null {
    const result = git(["ls-files", "-z", "--recurse-submodules", "--", ...specs]);
    return result.status === 0 ? result.stdout.toString("latin1").split("\0").slice(0, -1).sort() : null;
  }

  function here(specs: readonly string[]): string[] | null {
    const parsed = parsePathspecs(specs);
    return parsed.ok ? paths.filter(parsed.matches).sort() : null;
  }

  const agree = (specs: readonly string[]): number => {
    const ours = here(specs);
    expect({ seed, specs, paths: ours }).toEqual({ seed, specs, paths: listed(specs) });
    return ours?.length ?? 0;
  };

  it("for every construct there is", () => {
    const globs = [
      ...[
        "*a",
        "**",
        "a**/b",
        "foo**/a",
        "**/a",
        "*/a",
        "a/**/a",
        "a\\/**/a",
        "?/a",
        "[a-b]*",
        "[!a]*",
        "[^a]*",
        "[]]*",
      ],
      ...[
        "[a\\]]*",
        "[A-B]/a",
        "[AB]/a",
        "\\A/a",
        "\\a/a",
        "A?*",
        "É*",
        "[[:upper:]]*",
        "[[:lower:]]*",
        "[![:alpha:]]*",
      ],
      ...["[[:space:]]*", "*[[:space:]]*", "[[:name:]]*", "[[:a]*", "[a", "a\\", "[z-a]*", "[a-[:digit:]]*", "[\\\\]*"],
    ];
    for (const before of ["", ":(icase)", ":(glob)", ":(glob,icase)", ":(literal)", ":(top)"])
      for (const glob of globs) agree([before + glob]);
  });

  it("alone and together, 200 times some 200 paths", () => {
    const some = fc.oneof(
      { weight: 3, arbitrary: spec.map((one) => [one]) },
      { weight: 1, arbitrary: fc.array(spec, { minLength: 2, maxLength: 4 }) },
    );
    let matched = 0;
    for (const specs of fc.sample(some, { numRuns: 200, seed })) {
      matched += agree(specs);
    }
    expect(matched).toBeGreaterThan(1000);
  });
});

describe("its pattern for sh", () => {
  const paths = pathsOf();
  const quoted = (one: string) => `'${one.replaceAll("'", "'\\''")}'`;
  const arms = (pattern: string) => `for p do case $p in ${pattern}) printf 1 ;; *) printf 0 ;; esac; done; echo`;

  /** For each pattern, in one process of the shell, the paths it takes. */
  function taken(shell: readonly string[], patterns: readonly string[]): ByteString[][] {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "gatepost-pathspec-"));
    try {
      const script = [`set -- ${paths.map(quoted).join(" ")}`, ...patterns.map((one) => arms(fromText(one)))].join(
        "\n",
      );
      fs.writeFileSync(path.join(folder, "script"), Buffer.from(script, "latin1"));
      const [file = "sh", ...flags] = shell;
      const env = { PATH: process.env["PATH"], LC_ALL: "C" };
      const result = spawnSync(file, [...flags, "script"], { cwd: folder, env, maxBuffer: 1 << 26 });
      expect({ shell, said: result.stderr.toString() }).toEqual({ shell, said: "" });
      const lines = result.stdout.toString().trimEnd().split("\n");
      expect(lines).toHaveLength(patterns.length);
      return lines.map((line) => paths.filter((_, at) => line[at] === "1"));
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }

  it("takes the same paths in every shell", () => {
    const patterns = fc
      .sample(spec, { numRuns: 900, seed })
      .flatMap((one) => ({ one, pattern: shPattern(one) }))
      .filter((both): both is { one: string; pattern: string } => both.pattern !== null);
    expect(patterns.length).toBeGreaterThan(300);
    for (const shell of SHELLS) {
      const answers = taken(
        shell,
        patterns.map(({ pattern }) => pattern),
      );
      for (const [at, { one, pattern }] of patterns.entries()) {
        const parsed = parsePathspecs([one]);
        const wanted = parsed.ok ? paths.filter(parsed.matches) : null;
        expect({ seed, shell, one, pattern, taken: answers[at] }).toEqual({ seed, shell, one, pattern, taken: wanted });
      }
    }
  });
});
