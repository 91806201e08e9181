/** The local hooks of .pre-commit-config.yaml as hooks. */
import * as fs from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pathspec } from "../../src/home/import/globs.ts";
import { preCommitPaths } from "../../src/home/import/pre-commit-files.ts";
import { splitWords } from "../../src/home/import/pre-commit-words.ts";
import { globsOfRegex } from "../../src/home/import/regex-globs.ts";
import { makeWorld } from "../helpers/cli.ts";
import { importing } from "./import-fixture.ts";

const world = makeWorld();
const show = world.at("show");
const names = [
  ...["a.py", "b.pyi", "setup.cfg", "src/a.py", "src/b.js", "src/x/c.ts", "src/x/d.tsx", "test/a.py", "docs/src/e.md"],
  ...["src.py", "srcx/a.js", "a b.py", "A.PY", "x/Dockerfile", "Dockerfile", "ab1.txt", "x*y.c", "src/x/test/a.js"],
];
let listed = "";
let empty = "";
beforeAll(() => {
  fs.writeFileSync(show, '#!/bin/sh\nfor word do printf "%s\\n" "$word" >>"$LOG"; done\n', { mode: 0o755 });
  listed = world.workTree("listed");
  empty = world.git(["hash-object", "-t", "tree", "/dev/null"], { cwd: listed });
  world.commit(listed, Object.fromEntries(names.map((name) => [name, name])));
});
afterAll(() => world.remove());

// Asked as the gates ask. `git ls-files` forgets an exclude behind pathspecs with a common folder (2.39).
const matching = (paths: readonly string[]) =>
  world
    .git(["diff", "-z", "--name-only", empty, "HEAD", "--", ...paths], { cwd: listed })
    .split("\0")
    .filter(Boolean)
    .sort();

describe("a regular expression over paths", () => {
  it.for([
    "\\.py$",
    "\\.pyi?$",
    "\\.(js|tsx?)$",
    "\\.[jt]s$",
    "^src/",
    "^(src|test)/.*\\.(py|js)$",
    "(^|/)test/",
    "(?:^|/)Dockerfile$",
    "^[^/]+$",
    "^src/x/[a-c]\\.ts$",
    "a.py",
    "^.\\.py$",
    "^.+ .*$",
    "\\d\\.txt$",
    "x\\*y",
    "^a.*?\\.py$|md$",
    "src",
    "^$",
    "(a|b|)\\.py$",
    "^docs/.*$",
  ])("matches as pathspecs what it matches itself, or is left out: %s", (regex) => {
    const found = globsOfRegex(regex);
    if (found === null) expect(regex).toBe("^[^/]+$");
    else {
      const paths = found.globs.map((glob) => pathspec(glob));
      const expected = names.filter((name) => new RegExp(regex).test(name)).sort();
      expect(paths.length === 0 ? [] : matching(paths)).toEqual(expected);
    }
  });

  it.for([
    "\\w+",
    "(?=a)b",
    "(?!a)",
    "a{2}",
    "(a)*",
    "a+",
    "x*",
    "\\bfoo",
    "[^a]b",
    "(a",
    "a)",
    "[a",
    "(?P<n>a)",
    "a$b",
    "\\1",
    "a\\",
  ])("is left out where no glob says the same: %s", (regex) => expect(globsOfRegex(regex)).toBeNull());

  it("may be laid out with blanks and comments, and ignore case", () => {
    expect(globsOfRegex("(?x)^(\n  src/.* |  # all\n  a\\ b\\.py\n)$")).toEqual({
      globs: ["src/*", "a b.py"],
      ignoreCase: false,
    });
    expect(globsOfRegex("(?i)\\.py$")).toEqual({ globs: ["*.py"], ignoreCase: true });
    expect(globsOfRegex(Array(70).fill("a").join("|"))).toBeNull();
    expect(globsOfRegex("(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)")).toBeNull();
  });

  it.for([
    [["^src/"], [], ["python"], [], ["src/a.py"]],
    [["^src/"], ["/test/"], [], ["python", "javascript"], ["src/a.py", "src/b.js"]],
    [["\\.py$"], ["^test/"], ["text"], [], ["a b.py", "a.py", "src.py", "src/a.py"]],
    [["\\.py$", "^src/"], [], ["python"], [], ["src/a.py"]],
    [
      [],
      ["\\.py$", "\\.[jt]sx?$"],
      ["text"],
      [],
      ["A.PY", "Dockerfile", "ab1.txt", "b.pyi", "docs/src/e.md", "setup.cfg", "x*y.c", "x/Dockerfile"],
    ],
    [["(?i)\\.py$"], [], [], [], ["A.PY", "a b.py", "a.py", "src.py", "src/a.py", "test/a.py"]],
    [[], [], ["dockerfile"], [], ["Dockerfile", "x/Dockerfile"]],
  ] as const)(
    "together with exclude and types leaves the same files: %j",
    ([files, excludes, types, typesOr, left]) => {
      const found = preCommitPaths({ files, excludes, types, typesOr });
      expect(found.why).toBeNull();
      expect(found.why === null ? matching(found.paths ?? []) : []).toEqual(left);
    },
  );

  it("is left out where types and files cannot be met by one glob, or by nothing", () => {
    const why = (files: string[], types: string[]) => preCommitPaths({ files, excludes: [], types, typesOr: [] }).why;
    expect(why(["^src"], ["python"])).toContain("no pathspec");
    expect(why(["\\.js$"], ["python"])).toContain("nothing can match");
    expect(why([], ["executable"])).toContain("not known by the names");
  });
});

describe("an entry", () => {
  it.for([
    ["a  b", ["a", "b"]],
    ['a \'b c\' "d\\"e" f\\ g', ["a", "b c", 'd"e', "f g"]],
    ["bash -c 'exit $1; #' --", ["bash", "-c", "exit $1; #", "--"]],
    ["a'b'\"c\" '' x", ["abc", "", "x"]],
    ["'a", null],
    ["a\\", null],
  ] as const)("is split into words as by a POSIX shell: %j", ([line, words]) =>
    expect(splitWords(line)).toEqual(words),
  );
});

describe("hook import --from pre-commit-config", () => {
  it("makes hooks that hand the staged files to the same words, in order", () => {
    const app = importing(world, "real");
    app.write("check.sh", `#!/bin/sh\n${show} script "$@"\n`);
    app.write(
      ".pre-commit-config.yaml",
      `
default_install_hook_types: [pre-commit, commit-msg]
exclude: ^vendor/
repos:
  - repo: local
    hooks:
      - { id: words, name: x, language: system, entry: "${show} 'a;b' $HOME 100%F", files: "\\\\.py$", stages: [pre-commit] }
      - { id: always, name: x, language: system, entry: ${show} always, pass_filenames: false, always_run: true, stages: [commit] }
      - { id: script, name: x, language: script, entry: check.sh, args: [--fix, "b c"], types: [python], stages: [pre-commit] }
      - { id: message, name: x, language: unsupported, entry: ${show} message, stages: [commit-msg] }
      - { id: both, name: x, language: system, entry: ${show} both, pass_filenames: false }
`,
    );
    const imported = app.run("pre-commit-config");
    expect([imported.code, imported.stderr]).toEqual([0, expect.stringContaining("types python")]);
    const files = { "a b.py": "", "-x.py": "", "$(touch canary).py": "", "vendor/v.py": "", "c.js": "" };
    const python = ["$(touch canary).py", "./-x.py", "a b.py"];
    const { log, outcome } = app.commit(files);
    expect([outcome.code, outcome.stderr]).toEqual([0, ""]);
    expect(log).toEqual(
      [
        ...["a;b", "$HOME", "100%F", ...python, "always"],
        ...["script", "--fix", "b c", ...python, "both", "message", ".git/COMMIT_EDITMSG", "both"],
      ].map((word) => word),
    );
    expect(fs.existsSync(`${app.root}/canary`)).toBe(false);
  });

  it("leaves to pre-commit what needs it, and offers to run that as one hook", () => {
    const app = importing(world, "left");
    const hook = (id: string, more: string) => `      - { id: ${id}, name: x, entry: x, language: system, ${more} }\n`;
    app.write(
      ".pre-commit-config.yaml",
      `repos:
  - repo: https://example.org/hooks
    rev: v1
    hooks: [{ id: black }, { id: ruff }]
  - repo: meta
    hooks: [{ id: identity }]
  - repo: local
    hooks:
${hook("ok", "pass_filenames: false, verbose: true, always_run: true")}${hook("py", "language: python").replace("language: system, ", "")}${hook("look", 'files: "^(?!a)"')}${hook("merge", "stages: [pre-merge-commit]")}${hook("checkout", "stages: [post-checkout]")}${hook("link", "types: [symlink]")}${hook("not", "exclude_types: [python]")}${hook("manual", "stages: [manual]")}${hook("all", "always_run: true")}`,
    );
    const plan = app.plan("pre-commit-config");
    expect(plan.hooks).toEqual([{ name: "ok", repository: "left", type: "before-commit", sequence: 10, command: "x" }]);
    expect(plan.left.map(({ what }) => what)).toEqual([
      ...["https://example.org/hooks: black, ruff", "meta: identity", "ok: verbose", "py", "look"],
      ...["merge: stage pre-merge-commit", "checkout: stage post-checkout", "link", "not", "all: stage pre-commit"],
      "refusing when a hook changed files",
    ]);
    expect(plan.next).toEqual([
      "gatepost hook add --type before-commit --name pre-commit --command 'SKIP=ok pre-commit run'",
    ]);
  });

  it("refuses while pre-commit's own hook file would run as well; --take renames it", () => {
    const app = importing(world, "taken");
    const local = "{ id: a, name: a, language: system, entry: true, always_run: true, pass_filenames: false }";
    app.write(".pre-commit-config.yaml", `repos: [{ repo: local, hooks: [${local}] }]\n`);
    app.write(
      ".git/hooks/pre-commit",
      `#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\n${show} theirs\n`,
    );
    expect(app.run("pre-commit-config")).toEqual({
      stdout: "",
      stderr:
        "gatepost: The hook files pre-commit would run as well. Nothing was imported.\n" +
        "First type: pre-commit uninstall. With --take they are renamed to NAME.imported-by-gatepost.\n",
      code: 2,
    });
    expect(app.run("pre-commit-config", "--take").stderr).toContain("pre-commit.imported-by-gatepost");
    expect(app.commit().log).toEqual([]);
    expect(fs.readFileSync(`${app.root}/.git/hooks/pre-commit.imported-by-gatepost`, "utf8")).toContain("theirs");
  });
});
