import { describe, expect, test } from "vitest";
import { type ByteString, fromText } from "../../src/core/bytes.ts";
import { parsePathspecs, shPattern } from "../../src/core/pathspec.ts";

/** Those of the paths that match. */
function matching(specs: readonly string[], ...paths: string[]): string[] {
  const parsed = parsePathspecs(specs);
  if (!parsed.ok) throw new Error(parsed.reason);
  return paths.filter((path) => parsed.matches(fromText(path)));
}

const reason = (...specs: string[]): string | null => {
  const parsed = parsePathspecs(specs);
  return parsed.ok ? null : parsed.reason;
};

describe("a pathspec", () => {
  test("names a path, or a folder and all below it", () => {
    expect(matching(["src"], "src", "src/a", "src/a/b", "srcs", "a/src", "Src")).toEqual(["src", "src/a", "src/a/b"]);
    expect(matching(["src/"], "src", "src/a", "srcs")).toEqual(["src/a"]);
    expect(matching(["src/a.ts", "docs"], "src/a.ts", "docs/x", "src/b.ts")).toEqual(["src/a.ts", "docs/x"]);
  });

  test("has wildcards that match slashes too", () => {
    expect(matching(["*.ts"], "a.ts", "b/c/a.ts", "a.tsx")).toEqual(["a.ts", "b/c/a.ts"]);
    expect(matching(["a?b"], "a/b", "axb", "ab")).toEqual(["a/b", "axb"]);
    expect(matching(["[!x]/[a-c]"], "a/b", "x/b", "a/d")).toEqual(["a/b"]);
    expect(matching(["a\\*"], "a*", "ab")).toEqual(["a*"]);
  });

  test("with wildcards also stands for the text that it is", () => {
    expect(matching(["[a]"], "[a]", "[a]/b", "a", "a/b")).toEqual(["[a]", "[a]/b", "a"]);
    expect(matching(["[a"], "[a", "a")).toEqual(["[a"]);
  });

  test("is a glob with folders where that is said", () => {
    expect(matching([":(glob)*.ts"], "a.ts", "b/a.ts")).toEqual(["a.ts"]);
    expect(matching([":(glob)**/a"], "a", "b/a", "c/b/a", "ba")).toEqual(["a", "b/a", "c/b/a"]);
    expect(matching([":(glob)src/**"], "src/a", "src/a/b", "lib/a")).toEqual(["src/a", "src/a/b"]);
    expect(matching([":(glob)a/**/b"], "a/b", "a/x/y/b", "ab")).toEqual(["a/b", "a/x/y/b"]);
    expect(matching([":(glob)a?b"], "a/b", "axb")).toEqual(["axb"]);
  });

  test("is what it says, letter by letter, or in any case, or from the root", () => {
    expect(matching([":(literal)a*"], "a*", "a*/b", "ab")).toEqual(["a*", "a*/b"]);
    expect(matching([":(icase)Src/*.TS"], "src/a.ts", "SRC/A.Ts", "lib/a.ts")).toEqual(["src/a.ts", "SRC/A.Ts"]);
    expect(matching([":(top,icase)SRC"], "src/a", "lib/a")).toEqual(["src/a"]);
    expect(matching([":/src"], "src/a", "lib/src")).toEqual(["src/a"]);
  });

  test("takes out what it excludes; where all exclude, from everything", () => {
    for (const exclude of [":(exclude)*.md", ":!*.md", ":^*.md", ":(top,exclude)*.md", ":!/*.md"])
      expect([exclude, matching([exclude], "a.md", "b/c.md", "a")]).toEqual([exclude, ["a"]]);
    expect(matching(["src", ":!src/gen"], "src/a", "src/gen/a", "docs/a")).toEqual(["src/a"]);
    expect(matching([":!gen", "src"], "src/a", "gen", "docs/a")).toEqual(["src/a"]);
  });

  test("leaves nothing out where there is none, or it is the root or a colon", () => {
    for (const specs of [[], ["."], [":/"], [":"], ["a/.."], [":(top)"]])
      expect([specs, matching(specs, "a", "b/c")]).toEqual([specs, ["a", "b/c"]]);
  });

  test("may be written with dots and slashes too many", () => {
    expect(matching(["./src//a/../b"], "src/b", "src/b/c", "src/a")).toEqual(["src/b", "src/b/c"]);
    expect(matching(["src/."], "src", "src/a")).toEqual(["src/a"]);
  });

  test("compares bytes, so that a path in another encoding matches by what surrounds it", () => {
    const parsed = parsePathspecs(["müll/*", "a?c"]);
    expect(parsed.ok && parsed.matches("m\xc3\xbcll/\xff" as ByteString)).toBe(true);
    expect(parsed.ok && parsed.matches("a\xffc" as ByteString)).toBe(true);
    expect(parsed.ok && parsed.matches("m\xfcll/a" as ByteString)).toBe(false);
  });

  test("that means nothing is refused in one sentence", () => {
    expect(reason("src", "")).toBe('The path "" is empty; to mean all paths write ".".');
    expect(reason(":(attr:text)src")).toBe(
      'The path ":(attr:text)src" asks for attributes ("attr"), which only Git repositories have.',
    );
    expect(reason(":(Glob)a")).toBe('The path ":(Glob)a" has magic that is not known ("Glob").');
    expect(reason(":(prefix:3)a\n")).toBe('The path ":(prefix:3)a\\n" has magic that is not known ("prefix:3").');
    expect(reason(":%a")).toBe('The path ":%a" has magic that is not known ("%").');
    expect(reason(":(top")).toBe('The path ":(top" has no ")" after its magic words.');
    expect(reason(":(glob,literal)a")).toBe('The path ":(glob,literal)a" is both "literal" and "glob".');
    for (const outside of ["../a", "a/../../b", "/src"])
      expect(reason(outside)).toBe(`The path "${outside}" leads out of the repository.`);
    expect(reason("a\0b")).toBe('The path "a\\x00b" has a zero byte, which no path has.');
  });

  test("takes time that grows with its length times the path's, whatever it is made of", () => {
    const path = "a/".repeat(1000);
    const started = performance.now();
    expect(
      matching([`${"*a".repeat(200)}*b`, `:(glob)${"**/".repeat(200)}b`, `${"[a/]*".repeat(200)}c`], path),
    ).toEqual([]);
    expect(performance.now() - started).toBeLessThan(1500);
  });
});

describe("a pattern for sh", () => {
  test("says the same in the words of a case", () => {
    expect(shPattern("src")).toBe("src|src/*");
    expect(shPattern("src/")).toBe("src/*");
    expect(shPattern(":(top)./src")).toBe("./src|./src/*");
    expect(shPattern("./src")).toBe("src|src/*");
    expect(shPattern("src/*")).toBe("src/*");
    expect(shPattern("*.ts")).toBe("*.ts|\\*.ts/*");
    expect(shPattern("[ab]?")).toBe("[ab]?|\\[ab\\]\\?|\\[ab\\]\\?/*");
    expect(shPattern("[!a-c]x*")).toContain("[!abc]x*|");
    expect(shPattern(".")).toBe("*");
    expect(shPattern(":(literal)a*")).toBe("a\\*|a\\*/*");
    expect(shPattern(":(glob)src")).toBe("src|src/*");
  });

  test("quotes what a shell would take for more", () => {
    expect(shPattern("a b'c")).toBe("a\\ b\\'c|a\\ b\\'c/*");
    expect(shPattern("$(touch x)`y`;|&")).toBe(
      "\\$\\(touch\\ x\\)\\`y\\`\\;\\|\\&|\\$\\(touch\\ x\\)\\`y\\`\\;\\|\\&/*",
    );
    expect(shPattern("a\nb")).toBe("a'\n'b|a'\n'b/*");
    expect(shPattern("é")).toBe("'é'|'é'/*");
    expect(shPattern("-a")).toBe("-a|-a/*");
    expect(shPattern("esac")).toBe("\\esac|\\esac/*");
  });

  test("is none where a case has no such words", () => {
    for (const spec of [":(icase)src", ":(exclude)src", ":!src", ":(glob)*.ts", ":(attr:x)a", "", "../a", "[é]x"])
      expect([spec, shPattern(spec)]).toEqual([spec, null]);
  });
});
