import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ByteString, fromText } from "../../src/core/bytes.ts";
import { matchRef, refMatcher } from "../../src/core/ref-pattern.ts";
import { capture } from "../../src/process/command.ts";

const matches = (pattern: string, ref: string) => matchRef(pattern, fromText(ref));

describe("a ref pattern", () => {
  test("matches the whole name, and its beginning only up to a slash", () => {
    expect(matches("refs/heads/main", "refs/heads/main")).toBe(true);
    expect(matches("refs/heads/team", "refs/heads/team/alice")).toBe(true);
    expect(matches("refs/heads/team/", "refs/heads/team/alice")).toBe(true);
    expect(matches("refs/heads/team", "refs/heads/teams")).toBe(false);
    expect(matches("refs/heads/Main", "refs/heads/main")).toBe(false);
  });

  test("that does not begin with refs/ is also looked for among branches and tags, and nowhere else", () => {
    expect(matches("main", "refs/heads/main")).toBe(true);
    expect(matches("v1.*", "refs/tags/v1.2")).toBe(true);
    expect(matches("team", "refs/heads/team/alice")).toBe(true);
    expect(matches("main", "refs/notes/main")).toBe(false);
    expect(matches("refs/main", "refs/heads/refs/main")).toBe(false);
  });

  test("stops * and ? and sets at slashes, and lets ** between slashes pass", () => {
    expect(matches("refs/heads/*", "refs/heads/a/b")).toBe(false);
    expect(matches("refs/heads/a?b", "refs/heads/a/b")).toBe(false);
    expect(matches("refs/heads/a[!x]b", "refs/heads/a/b")).toBe(false);
    expect(matches("refs/**/b", "refs/heads/a/b")).toBe(true);
    expect(matches("refs/**/heads/b", "refs/heads/b")).toBe(true);
    expect(matches("refs/heads/a**b", "refs/heads/a/b")).toBe(false);
  });

  test("compares bytes, so that a name in another encoding still matches by what surrounds it", () => {
    expect(matches("müll/*", "refs/heads/müll/ä")).toBe(true);
    expect(matchRef("refs/heads/a?c", "refs/heads/a\xffc" as ByteString)).toBe(true);
    expect(matchRef("refs/heads/aÿc", "refs/heads/a\xffc" as ByteString)).toBe(false);
  });

  test("matches nothing when it is empty or malformed", () => {
    for (const pattern of ["", "refs/heads/[ab", "refs/heads/[[:name:]]", "refs/heads/a\\", "refs/heads/[a\\"]) {
      expect(matches(pattern, "refs/heads/a")).toBe(false);
    }
  });

  test("takes time that grows with its length times the ref's, whatever it is made of", () => {
    const ref = `refs/heads/${"a".repeat(2000)}` as ByteString;
    const started = performance.now();
    expect(matchRef(`${"*a".repeat(200)}*b`, ref)).toBe(false);
    expect(matchRef(`refs/${"**/".repeat(200)}b`, `refs/${"a/".repeat(1000)}c` as ByteString)).toBe(false);
    expect(performance.now() - started).toBeLessThan(1500);
  });
});

describe("a glob means what it means to git", () => {
  const names = "a b ab aab a-b a.b A ba/ab a1 bb/a/b bb/c/a/b x/y x/a/y x/a/b/y a] 1 _ aa/bb/cc zz".split(" ");
  let home = "";
  let refs: ByteString[] = [];
  const git = async (...args: string[]) => {
    const env = { PATH: process.env["PATH"] ?? "", HOME: home, GIT_CONFIG_NOSYSTEM: "1", LC_ALL: "C" };
    const result = await capture("git", args, { cwd: home, env });
    return { ok: result.code === 0, lines: result.stdout.toString("latin1").split("\n").filter(Boolean) };
  };

  beforeAll(async () => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), "gatepost-pattern-"));
    await git("init", "-q", "--bare", ".");
    const identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
    const tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"; // the empty tree
    await git("hash-object", "-w", "-t", "tree", "/dev/null");
    const [commit = ""] = (await git(...identity, "commit-tree", "-m", "one", tree)).lines;
    for (const name of names) await git("update-ref", `refs/g/${name}`, commit);
    refs = (await git("for-each-ref", "--format=%(refname)")).lines as ByteString[];
    expect(refs).toHaveLength(names.length);
  });
  afterAll(() => fs.rmSync(home, { recursive: true, force: true }));

  const agrees = async (pattern: string) => {
    const answer = await git("for-each-ref", "--format=%(refname)", pattern);
    const matcher = refMatcher(pattern);
    expect({ pattern, refs: refs.filter((ref) => matcher(ref)) }).toEqual({ pattern, refs: answer.lines });
    return answer.lines.length;
  };

  test("for every construct there is", async () => {
    const globs = [
      ...[
        "*",
        "**",
        "***",
        "a*",
        "*b",
        "**b",
        "*/a*",
        "**/a*",
        "**/b",
        "**/y",
        "x/**/y",
        "x/**y",
        "x/*/y",
        "x/**",
        "bb/**/b",
      ],
      ...[
        "?",
        "a?b",
        "??",
        "?/?",
        "[ab]",
        "[a-z]",
        "[!a]",
        "[^a]",
        "[]]",
        "[]a]",
        "[a-]",
        "[-a]",
        "[!-a]",
        "a[.-]b",
        "[a\\-z]",
      ],
      ...[
        "[[:alpha:]]",
        "[[:digit:]]",
        "[[:upper:]a]",
        "[[:punct:]]",
        "[[:alnum:]_]*",
        "[[:xdigit:]]",
        "[a-[:digit:]]",
      ],
      ...[
        "\\a",
        "a\\*",
        "[\\a]",
        "[\\]]",
        "[z-a]",
        "[[:x:]",
        "[[:x]",
        "[a",
        "[",
        "[]",
        "[!]",
        "\\",
        "**\\/b",
        "x\\/**/y",
        "*/**/*",
      ],
      ...[
        "[0-9a-c]",
        "[a-b-z]",
        "[[]",
        "[[:]",
        "[[::]]",
        "[b-\\]]",
        "x/",
        "x/a/",
        "**/",
        "*/",
        "a**",
        "x**",
        "**x/y",
        "",
      ],
    ];
    let found = 0;
    for (const glob of globs) found += await agrees(`refs/g/${glob}`);
    for (const whole of ["refs/**", "refs/**/a", "refs/*/a", "refs/*", "refs/g", "refs/g/", "refs/g/b"]) {
      found += await agrees(whole);
    }
    expect(found).toBeGreaterThan(150);
  });

  test("for any mixture of them", async () => {
    const part = fc.constantFrom(
      "a",
      "b",
      "x",
      "y",
      "/",
      "*",
      "**",
      "?",
      "[ab]",
      "[!a]",
      "[a-c]",
      "**/",
      "/**/",
      "\\",
      "[",
    );
    const mixture = fc.array(part, { minLength: 1, maxLength: 7 }).map((parts) => parts.join(""));
    await fc.assert(
      fc.asyncProperty(mixture, async (glob) => {
        await agrees(`refs/g/${glob}`);
      }),
      { numRuns: 150 },
    );
  });
});
