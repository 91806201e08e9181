/** What the fuzz throws inputs at that are files of other programs, of other people, or of ourselves: imports, exports, the
 *  register of homes. */
import { writeFileSync } from "node:fs";
import { requireName } from "../../../src/core/hook.ts";
import { hookToJson, readExported } from "../../../src/home/exchange.ts";
import { requireOptions } from "../../../src/home/hook-options.ts";
import type { Foreign } from "../../../src/home/import/foreign.ts";
import { gitConfigHooks } from "../../../src/home/import/git-config.ts";
import { expandBraces } from "../../../src/home/import/globs.ts";
import { hooksDirHooks } from "../../../src/home/import/hooks-dir.ts";
import { huskyHooks } from "../../../src/home/import/husky.ts";
import { lefthookHooks } from "../../../src/home/import/lefthook.ts";
import { lefthookPaths } from "../../../src/home/import/lefthook-paths.ts";
import { preCommitHooks } from "../../../src/home/import/pre-commit.ts";
import { splitWords } from "../../../src/home/import/pre-commit-words.ts";
import { globsOfRegex } from "../../../src/home/import/regex-globs.ts";
import type { OpenHome } from "../../../src/home/open.ts";
import { readRegister } from "../../../src/home/register.ts";
import { COMMANDS, holds, same, type Target } from "./fuzz-targets.ts";

function checkForeign({ hooks, left }: Foreign): void {
  for (const hook of hooks) {
    holds("a command is a text", typeof hook.command === "string");
    if (hook.name !== null) requireName(hook.name);
  }
  for (const { what, why } of left) holds("what is left is named", typeof what === "string" && why !== "");
}

const LEFTHOOK = `templates: {run: npx}
pre-commit:
  parallel: true
  exclude_tags: [slow]
  commands:
    lint: {run: "eslint {staged_files}", glob: "*.{js,ts}", exclude: ["a/**"], priority: 2, stage_fixed: true}
    2_fmt: {run: prettier --check {staged_files}, root: web/, env: {A: b}}
  jobs:
    - name: g
      group: {parallel: true, jobs: [{run: "a {all_files}"}, {script: "x.sh", runner: bash}]}
pre-push: &p
  scripts: {"1_test.sh": {runner: sh, tags: [slow], skip: true}}
`;
const PRE_COMMIT = `default_stages: [commit, push]
files: ^src/
repos:
  - repo: local
    hooks:
      - {id: lint, name: Lint, entry: "eslint --fix 'a b'", language: system, files: '\\.(js|ts)$', exclude: ^vendor/, types_or: [python, text], stages: [pre-commit, manual]}
      - id: msg
        entry: bin/msg "x"
        language: script
        args: [--a, "%R"]
        always_run: true
        pass_filenames: false
        stages: [commit-msg]
  - repo: https://example.org/x
    rev: v1
    hooks: [{id: black}]
`;
const GIT_CONFIG =
  "local\0hook.lint.event\npre-commit\0local\0hook.lint.command\nmake lint %R\0global\0hook.a.b.enabled\nno\0local\0hook.lint.parallel\0";
const EXPORTED = JSON.stringify({
  gatepost: 1,
  hooks: [
    {
      name: "a",
      all: true,
      type: "after-receive",
      sequence: 3,
      command: "x %R",
      timeout: 1.5,
      retries: 2,
      ref: ["refs/*"],
    },
    {
      pattern: "team/*",
      type: "before-commit",
      command: "y",
      advisory: true,
      path: ["*.ts"],
      stdin: "paths",
      parallel: true,
    },
    { type: "disabled", wasType: "before-receive", command: null, each: "receipt", dir: "d", artifact: ["file"] },
  ],
});

/** Those that need a home and a folder to write into. */
export function importTargets(home: OpenHome, scratch: string): readonly Target[] {
  const all = { scope: "all" } as const;
  const checkExported = (input: string): void => {
    const specs = readExported(home, input, all);
    const hooks = specs.map((spec) => hookToJson(home, spec));
    same("exported and read again", readExported(home, JSON.stringify({ gatepost: 1, hooks }), all), specs);
    for (const spec of specs) requireOptions(spec.type, spec, null);
  };
  const checkRegister = (input: string): void => {
    writeFileSync(scratch, input);
    for (const { id, path, inode } of readRegister(scratch))
      holds("an entry is whole", typeof id === "string" && typeof path === "string" && typeof inode === "number");
  };
  const checkGlobs = (input: string): void => {
    const [first = "", second = ""] = input.split("\n");
    const braces = expandBraces(first);
    holds("no more than are useful", braces === null || braces.length <= 64);
    globsOfRegex(input);
    lefthookPaths([first], [second], null, false);
    lefthookPaths([first], [second], "web", true);
    splitWords(input);
  };
  const scripts = [
    '#!/bin/sh\nset -e\nnpm test\nnpx lint-staged "$1"\n',
    '. "$(dirname "$0")/_/husky.sh"\nnpm t\n',
    ...COMMANDS,
  ];
  const checkScript = (text: string): void => {
    checkForeign(huskyHooks({ folder: ".husky", scripts: [{ name: "pre-commit", text }], init: null }));
    const content = Buffer.from(text, "latin1");
    const files = ["pre-commit", "post-receive"].map((name) => ({ name, content, link: false, executable: true }));
    checkForeign(hooksDirHooks(files, (name) => `run/${name}`));
  };
  return [
    { name: "exported", share: 4000, seeds: [EXPORTED], check: checkExported },
    {
      name: "register",
      share: 300,
      seeds: ['\n{"id":"a","path":"/x","inode":1}\n\n{"removed":"/x"}\n{"id":"b","path":"/y","inode":2}\n'],
      check: checkRegister,
    },
    { name: "git-config", share: 2000, seeds: [GIT_CONFIG], check: (input) => checkForeign(gitConfigHooks(input)) },
    { name: "script", share: 2000, seeds: scripts, check: checkScript },
    {
      name: "globs",
      share: 1500,
      seeds: ["*.{js,ts}\na/**", "^src/.*\\.(js|ts)$", "src/{a,{b,c}}/[!x]*\nb"],
      check: checkGlobs,
    },
    {
      name: "lefthook",
      share: 300,
      seeds: [LEFTHOOK],
      check: (input) => checkForeign(lefthookHooks("f", input, () => "plain")),
    },
    { name: "pre-commit", share: 300, seeds: [PRE_COMMIT], check: (input) => checkForeign(preCommitHooks("f", input)) },
  ];
}
