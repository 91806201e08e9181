/**
 * docs/recipes.md, done as it says: the commands of each recipe are typed in a repository, what is seen then is compared
 * with the transcript, and after that what keeps the rule must pass and what breaks it must be refused.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeWorld, type Outcome, program, type World } from "../helpers/cli.ts";
import { expectSeen, sectionsOf } from "../helpers/manual.ts";

/** Lines for sh, typed one after the other in a clone of the server's repository, on its branch main. */
type Trial = {
  /** What was done before the transcript begins. */
  before?: string;
  /** Each is refused, and no ref has moved then; of a pair, the first line is only what comes before. */
  bad?: (string | [string, string])[];
  /** Each ends well. */
  good: string[];
};

const commit = (message: string): string => `git commit -q --allow-empty -m '${message}'`;
const stage = (file: string, text = "text"): string =>
  `mkdir -p "$(dirname '${file}')"; echo '${text}' >'${file}'; git add '${file}'`;
const executable = (file: string, text: string): string =>
  `mkdir -p "$(dirname ${file})"; printf '%s\\n' '#!/bin/sh' '${text}' >${file}; chmod +x ${file}`;
const tool = (name: string, text: string): string => executable(`node_modules/.bin/${name}`, text);
const subject = (expected: string): string => `test "$(git log -1 --format=%s)" = '${expected}'`;
const film = (size: number): string => `head -c ${size} /dev/zero >film.mp4; git add film.mp4; git commit -q -m film`;
const FROM_ORIGIN = "git reset -q --hard origin/main";
const NOTHING_STAGED = "git reset -q --hard";

/** Stands for a linter: it complains of files that hold the word debugger. */
const linter = (options: string): string =>
  `[ "$*" != "\${*#${options} }" ] && shift $(set -- ${options}; echo $#) && ! grep -n debugger -- "$@"`;

const TRIALS: Record<string, Trial> = {
  "A ticket number in each message": {
    before: stage("new"),
    bad: [commit("app-7 mend"), commit("APP-7"), "printf 'mend\n\nAPP-7 x\n' | git commit -q --allow-empty -F -"],
    good: [
      commit("APP-7 mend"),
      commit("fixup! APP-7 mend"),
      `git switch -q -c topic HEAD~; ${commit("B-1 t")}; git merge -q --no-edit main`,
    ],
  },
  "The ticket number of the branch": {
    good: [
      `${commit("no ticket here")}; ${subject("no ticket here")}`,
      "git switch -q -c APP-7-login",
      `${commit("mend it 100%")}; ${subject("APP-7 mend it 100%")}`,
      `git commit -q --amend --allow-empty --no-edit; ${subject("APP-7 mend it 100%")}`,
      `${commit("mend APP-7")}; ${subject("mend APP-7")}`,
      `GIT_EDITOR=true git commit -q --allow-empty; ${subject("APP-7")}`,
      `git switch -q --detach; ${commit("of no branch")}; ${subject("of no branch")}`,
    ],
  },
  "Conventional commits": {
    before: stage("new"),
    bad: [commit("feature: x"), commit("fix:x"), commit("fix(A B): x")],
    good: [commit("fix: x"), commit("feat(api)!: y")],
  },
  "A sign-off": {
    before: stage("new"),
    bad: [commit("Signed-off-by: in the first line")],
    good: ["git commit -q -s -m 'mend the login'"],
  },
  "No commits to main": {
    before: stage("new"),
    bad: [["git switch -q -c topic; git commit -q -m t; git switch -q main", "git merge -q --no-ff --no-edit topic"]],
    good: ["git merge --abort", "git merge -q topic", "git switch -q topic", commit("on a branch")],
  },
  "Pushes to main by one user alone": {
    before: commit("more"),
    bad: [
      "REMOTE_USER=alice git push -q origin main main:topic",
      "GATEPOST_USER=merge-bot GATEPOST_SKIP=main-by-bot git push -q --no-verify origin main",
    ],
    good: ["git push -q origin main:topic", "REMOTE_USER=merge-bot git push -q origin main"],
  },
  "No force pushes and deletions": {
    before: "git commit -q --amend --allow-empty -m other",
    bad: ["git push -q origin :release/1", "git push -q --force --no-verify origin main:release/1"],
    good: [
      "git push -q origin main:topic",
      "git push -q --force origin origin/main:topic",
      "git push -q origin :topic",
      `${FROM_ORIGIN}; ${commit("more")}; git push -q origin main main:release/2`,
    ],
  },
  "No merge commits": {
    before: `git switch -q -c topic; ${commit("t")}; git switch -q main; ${commit("m")}`,
    bad: ["git commit -q -m 'after all'"],
    good: ["git merge --abort; git switch -q topic; git rebase -q main", "git switch -q main; git merge -q topic"],
  },
  "No merge commits on the server": {
    before: `git switch -q -c topic; ${commit("t")}; git switch -q main; ${commit("m")}; git merge -q --no-edit topic`,
    bad: [["git push -q origin main:topic", "git push -q origin main"]],
    good: [`${FROM_ORIGIN}; ${commit("more")}; git push -q origin main`],
  },
  "No secrets": {
    before: stage("settings", "aws_key = AKIAIOSFODNN7EXAMPLE"),
    bad: [[`${NOTHING_STAGED}; ${stage("key", "-----BEGIN RSA PRIVATE KEY-----")}`, "git commit -q -m key"]],
    good: [
      `${NOTHING_STAGED}; ${stage("settings", "aws_key from the environment")}; git commit -q -m settings`,
      `${stage("f", "AKIAIOSFODNN7EXAMPLE")}; git commit -q --no-verify -m oh`,
      `${stage("f", "gone")}; git commit -q -m 'take it out'`,
    ],
  },
  "No secrets, with gitleaks": {
    before: stage("settings"),
    bad: [[tool("gitleaks", 'test "$*" != "git --pre-commit --staged --redact --verbose"'), "git commit -q -m m"]],
    good: [`${tool("gitleaks", "exit 0")}; git commit -q -m m`],
  },
  "No big files": {
    before: "head -c 1000001 /dev/zero >film.mp4; git add film.mp4",
    bad: [[stage("a b"), "git commit -q -m 'two files'"]],
    good: [
      film(1_000_000),
      "git -c protocol.file.allow=always submodule --quiet add ./ part; git commit -q -m part",
      "git rm -q film.mp4; git commit -q -m gone",
    ],
  },
  "No big files on the server": {
    before: film(1_000_001),
    bad: [
      ["git rm -q film.mp4; git commit -q -m gone", "git push -q origin main"],
      "git push -q origin origin/main:refs/heads/fine main:topic",
    ],
    good: [`${FROM_ORIGIN}; ${film(1_000_000)}; git push -q origin main main:topic`, "git push -q origin :topic"],
  },
  "Keep generated files out": {
    before: `${stage("dist/app.js")}; ${stage("src.js")}`,
    bad: [[`${NOTHING_STAGED}; ${stage("lib/x.min.js")}`, "git commit -q -m x"]],
    good: [
      `${NOTHING_STAGED}; ${stage("lib/x.js")}; git commit -q -m x`,
      `${stage("dist/old")}; git commit -q --no-verify -m old; git rm -q dist/old; git commit -q -m gone`,
    ],
  },
  "Lint only what is staged": {
    before: `${tool("eslint", linter("--"))}; ${stage("src/a.ts", "debugger")}`,
    bad: [[stage("b c.js", "debugger"), "git commit -q -m m"]],
    good: [
      `${NOTHING_STAGED}; echo debugger >not-staged.ts; ${stage("notes", "debugger")}; git commit -q -m notes`,
      `${stage("b c.js")}; git commit -q -m fine`,
    ],
  },
  "Several linters at once": {
    before: [
      tool("eslint", linter("--")),
      tool("prettier", linter("--check --")),
      tool("tsc", "! grep -r broken src"),
      stage("a.css", "debugger"),
    ].join("; "),
    bad: [
      [`${NOTHING_STAGED}; ${stage("src/a.ts", "broken")}`, "git commit -q -m types"],
      [`${NOTHING_STAGED}; ${stage("src/a.ts", "debugger")}`, "git commit -q -m lint"],
    ],
    good: [`${stage("src/a.ts")}; ${stage("a.css")}; git commit -q -m m`],
  },
  "Format and stage again": {
    before: [
      tool("prettier", '[ "$1 $2" = "--write --" ] && shift 2 && sed -i s/ugly/pretty/ "$@"'),
      stage("a b.ts", "ugly"),
      "echo more >>'a b.ts'",
    ].join("; "),
    good: [
      "git add 'a b.ts'; git commit -q -m m",
      "test \"$(git show 'HEAD:a b.ts' | head -n 1)\" = pretty; git diff --quiet HEAD",
    ],
  },
  "Run the tests before a push": {
    before: `printf '{"scripts":{"test":"test ! -e broken"}}' >package.json; echo >broken; git add .; ${commit("more")}`,
    good: ["git push -q origin main~:refs/heads/old", "git push -q origin :old", "rm broken; git push -q origin main"],
  },
  "Introduce a rule without stopping anyone": {
    before: stage("new"),
    bad: [["gatepost hook edit ticket --unset advisory", commit("mend the login")]],
    good: [commit("APP-7 x")],
  },
};

const SERVER = "/srv/git/app.git"; // what the page calls it

let world: World;
let server: string;
let clone: string;

beforeEach(() => {
  world = makeWorld();
  server = world.bare("app.git");
  clone = world.clone(server, "app");
  world.commit(clone, {}, "start");
  world.git(["push", "-q", "origin", "main", "main:release/1"], { cwd: clone });
  fs.mkdirSync(world.at("bin"));
  fs.symlinkSync(program, world.at("bin", "gatepost"));
});
afterEach(() => world.remove());

/** Types lines in the clone; what is seen has the page's names. */
function type(line: string): Outcome {
  const path = (world.env["PATH"] ?? "").split(":").filter((folder) => !fs.existsSync(join(folder, "gitleaks")));
  const outcome = world.run(["sh", "-c", `exec 2>&1\n${line.replaceAll(SERVER, server)}`], {
    cwd: clone,
    env: { PATH: [world.at("bin"), ...path].join(":") },
  });
  return { ...outcome, stdout: outcome.stdout.replaceAll(server, SERVER) };
}

const refs = (): string => [server, clone].map((cwd) => world.git(["show-ref", "--head"], { cwd })).join("\n");

function expectRefused(line: string): void {
  const before = refs();
  const { code, stdout } = type(line);
  expect(code, `${line}\n${stdout}`).not.toBe(0);
  expect(stdout, line).toMatch(/gatepost: \S+ hook \d+ \(\S+\) (refused this|is broken)/);
  expect(refs(), line).toBe(before);
}

const expectWell = (line: string): void =>
  expect({ line, ...type(`set -e\n${line}`) }).toMatchObject({ line, code: 0 });

const recipes = sectionsOf("docs/recipes.md");

describe("docs/recipes.md", () => {
  it("has no recipe that is not tried here, and none is tried that it has not", () => {
    expect(Object.keys(TRIALS)).toEqual(recipes.map(({ title }) => title));
  });

  it.each(recipes)("$title", ({ title, commands: [commands = ""], transcripts }) => {
    const trial = TRIALS[title];
    if (trial === undefined) throw new Error(`no trial of ${title}`);
    const registered = commands.includes(SERVER) ? server : clone;
    for (const args of [["init"], ["settings", "automatic-backoffice", "off"]])
      expect(world.gatepost(args, { cwd: registered })).toMatchObject({ code: 0 });
    if (trial.before !== undefined) expectWell(trial.before);
    expectWell(commands);
    for (const step of transcripts.flat()) expectSeen(type(step.typed).stdout, step);
    for (const one of trial.bad ?? []) {
      const [before, line] = typeof one === "string" ? ["", one] : one;
      expectWell(before);
      expectRefused(line);
    }
    for (const line of trial.good) expectWell(line);
  });
});
