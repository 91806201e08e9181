/**
 * Which operation of git runs what: every operation is done twice, in a repository with Gatepost's gates and in its twin
 * with plain hook files that run the same commands. Both must have run the same hooks in the same order, each with the
 * same arguments, directory, umask, stdin, descriptors and environment; and git must have ended and said the same.
 * In four places: a plain repository, a linked work tree, a submodule, and below a folder whose name no shell may read.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorld, type Outcome, type World } from "../helpers/cli.ts";
import { filesNamed } from "../helpers/gates.ts";

/** Native hooks that ask for each type. */
const LOCAL: Record<string, string[]> = {
  "before-commit": ["pre-commit", "pre-merge-commit"],
  "commit-msg": ["commit-msg"],
  "after-commit": ["post-commit"],
  "before-push": ["pre-push"],
  "git:prepare-commit-msg": ["prepare-commit-msg"],
  "git:pre-rebase": ["pre-rebase"],
  "git:post-checkout": ["post-checkout"],
  "git:post-merge": ["post-merge"],
  "git:post-rewrite": ["post-rewrite"],
  "git:applypatch-msg": ["applypatch-msg"],
  "git:pre-applypatch": ["pre-applypatch"],
  "git:post-applypatch": ["post-applypatch"],
};
const SERVER: Record<string, string[]> = {
  "before-receive": ["pre-receive"],
  "before-ref": ["update"],
  "git:post-update": ["post-update"],
};

/** Writes down how it was called, and fails where the test wants that. Each part ends with a line of its own, so that the log can be taken apart again. */
const RECORDER = `#!/bin/sh
type=$1
shift
{
  printf '%s' "$type"
  for argument; do printf ' [%s]' "$argument"; done
  printf '\\nin %s, umask %s, open' "$PWD" "$(umask)"
  for descriptor in 3 4 5 6 7 8 9; do [ ! -e /proc/self/fd/$descriptor ] || printf ' %s' $descriptor; done
  printf '\\n'
  env
  printf -- '-- reads\\n'
  cat
  printf -- '-- end\\n'
} >>"$GATE_LOG"
[ "$type" != "\${FAILS-}" ] || exit 3
`;

const BASE = "git checkout -q -B work base";
const OTHER = "git checkout -q -B work other";
const SIDE = "git checkout -q -B work side";
const receives = (refs: number): string[] => [
  "before-receive",
  ...Array.from({ length: refs }, () => "before-ref"),
  "git:post-update",
];
const picked = ["git:prepare-commit-msg", "after-commit"];
const committed = ["before-commit", "git:prepare-commit-msg", "commit-msg", "after-commit"];

/** What is done, what comes before it without hooks, and the types that run. */
type Operation = { name: string; before: string; run: string; types: string[] };

const OPERATIONS: Operation[] = [
  { name: "commit", before: `${BASE}; echo n >n; git add n`, run: "git commit -q -m one", types: committed },
  { name: "commit -a", before: `${BASE}; echo n >f`, run: "git commit -q -a -m one", types: committed },
  { name: "commit FILE", before: `${BASE}; echo n >f`, run: "git commit -q -m one f", types: committed },
  {
    name: "commit in a folder below the root",
    before: `${BASE}; mkdir -p d; echo n >d/n; git add d`,
    run: "cd d && git commit -q -m one",
    types: committed,
  },
  {
    name: "commit with an editor",
    before: `${BASE}; echo n >n; git add n`,
    run: "GIT_EDITOR='echo one >' git commit -q",
    types: committed,
  },
  {
    name: "commit --no-verify",
    before: `${BASE}; echo n >n; git add n`,
    run: "git commit -q --no-verify -m one",
    types: picked,
  },
  {
    name: "commit --amend",
    before: OTHER,
    run: "git commit -q --amend -m again",
    types: [...committed, "git:post-rewrite"],
  },
  {
    name: "a true merge",
    before: OTHER,
    run: "git merge -q --no-edit side",
    types: ["before-commit", "git:prepare-commit-msg", "commit-msg", "git:post-merge"],
  },
  { name: "merge, fast-forward", before: BASE, run: "git merge -q side", types: ["git:post-merge"] },
  { name: "merge --squash", before: OTHER, run: "git merge -q --squash side", types: ["git:post-merge"] },
  {
    name: "merge --no-verify",
    before: OTHER,
    run: "git merge -q --no-edit --no-verify side",
    types: ["git:prepare-commit-msg", "git:post-merge"],
  },
  { name: "cherry-pick", before: OTHER, run: "git cherry-pick side >/dev/null", types: picked },
  { name: "revert", before: SIDE, run: "git revert --no-edit side >/dev/null", types: picked },
  {
    name: "rebase, picking",
    before: SIDE,
    run: "git rebase -q other",
    types: ["git:pre-rebase", "git:post-checkout", ...picked, "git:post-rewrite"],
  },
  {
    name: "rebase, rewording",
    before: SIDE,
    run: "GIT_SEQUENCE_EDITOR='sed -i 1s/pick/reword/' GIT_EDITOR=true git rebase -q -i other",
    types: [
      ...["git:pre-rebase", "git:post-checkout", ...picked],
      ...[...committed, "git:post-rewrite", "git:post-rewrite"],
    ],
  },
  {
    name: "am",
    before: `${OTHER}; git format-patch -q -1 --stdout side >"$TOP/patch"`,
    run: 'git am -q "$TOP/patch"',
    types: ["git:applypatch-msg", "git:pre-applypatch", "git:post-applypatch"],
  },
  { name: "checkout of a branch", before: BASE, run: "git checkout -q other", types: ["git:post-checkout"] },
  { name: "checkout of a file", before: BASE, run: "git checkout -q other h", types: ["git:post-checkout"] },
  {
    name: "push",
    before: "git push -q target :refs/heads/new 2>/dev/null",
    run: "git push -q -o 'an option' target other:refs/heads/new",
    types: ["before-push", ...receives(1)],
  },
  {
    name: "push of two refs, one of them a deletion",
    before: "git push -q target base:refs/heads/one side:refs/heads/two",
    run: "git push -q target side:refs/heads/one :refs/heads/two",
    types: ["before-push", ...receives(2)],
  },
  {
    name: "push of 28 refs",
    before: 'for n in $(seq 26); do set -- "$@" side:refs/heads/many/$n; done; git push -q target $* 2>/dev/null',
    run: 'git push -q target "other:refs/heads/many/99" "side~1:refs/heads/many/98" $(seq -f :refs/heads/many/%g 26)',
    types: ["before-push", ...receives(28)],
  },
  {
    name: "push --dry-run",
    before: "git push -q target :refs/heads/new 2>/dev/null",
    run: "git push -q --dry-run target other:refs/heads/new",
    types: ["before-push"],
  },
  {
    name: "push with nothing to push",
    before: "git push -q target +other:refs/heads/new",
    run: "git push -q target other:refs/heads/new",
    types: ["before-push"],
  },
  {
    name: "push --no-verify",
    before: "git push -q target :refs/heads/new 2>/dev/null",
    run: "git push -q --no-verify target other:refs/heads/new",
    types: receives(1),
  },
  { name: "worktree add", before: "", run: 'git worktree add -q "$TOP/extra" base', types: ["git:post-checkout"] },
  { name: "clone, which has no hooks of its own", before: "", run: 'git clone -q . "$TOP/cloned"', types: [] },
];

/** Operations in which a hook of that type fails. */
const FAILURES: [type: string, operation: string][] = [
  ["before-commit", "commit"],
  ["before-commit", "a true merge"],
  ["git:prepare-commit-msg", "commit --no-verify"],
  ["git:prepare-commit-msg", "cherry-pick"],
  ["commit-msg", "commit FILE"],
  ["commit-msg", "a true merge"],
  ["after-commit", "commit"],
  ["git:post-rewrite", "commit --amend"],
  ["git:post-merge", "merge, fast-forward"],
  ["git:pre-rebase", "rebase, picking"],
  ["git:post-checkout", "rebase, picking"],
  ["git:post-checkout", "checkout of a branch"],
  ["git:applypatch-msg", "am"],
  ["git:pre-applypatch", "am"],
  ["git:post-applypatch", "am"],
  ["before-push", "push"],
  ["before-receive", "push"],
  ["before-ref", "push of two refs, one of them a deletion"],
  ["git:post-update", "push"],
];

/** A shell line in a folder, with a fixed clock, so that twins make the same commits. */
type Twin = { top: string; tree: string; sh: (line: string, env?: Record<string, string>) => Outcome };

const NO_HOOKS = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "core.hooksPath", GIT_CONFIG_VALUE_0: "/dev/null" };

const MAKE = `set -e
git init -q -b main app
git init -q --bare -b main target.git
git -C target.git config receive.advertisePushOptions true
cd app
echo f >f; git add f; git commit -q -m base; git tag base
git checkout -q -b s; echo g >g; git add g; git commit -q -m side; git tag side
git checkout -q main; echo h >h; git add h; git commit -q -m other; git tag other
git remote add target ../target.git
git push -q target other:refs/heads/main`;

/** The rest of making a place: its last line names the work tree. */
const PLACES: { place: string; folder: string; make: string; tree: string }[] = [
  { place: "a plain repository", folder: "plain", make: "", tree: "app" },
  {
    place: "a linked work tree",
    folder: "linked",
    make: "git worktree add -q --detach ../tree base",
    tree: "tree",
  },
  {
    place: "a submodule",
    folder: "sub",
    make: `cd ..; git init -q -b main super; cd super
git -c protocol.file.allow=always submodule --quiet add ../app part; cd part
git fetch -q --tags; git remote add target "$TOP/target.git"`,
    tree: "super/part",
  },
  {
    place: "a folder whose name no shell may read",
    folder: `a  b "c" 'd $(touch canary) \`touch canary\` ; touch canary; $HOME * & é`,
    make: "",
    tree: "app",
  },
];

let world: World;
beforeAll(() => {
  world = makeWorld();
  fs.writeFileSync(world.at("recorder"), RECORDER, { mode: 0o755 });
});
afterAll(() => world.remove());

const logFile = (top: string): string => join(top, "log");

function twin(kind: string, { folder, make, tree }: (typeof PLACES)[number]): Twin {
  const top = world.at(kind, folder);
  fs.mkdirSync(top, { recursive: true });
  const clock = { GIT_AUTHOR_DATE: "@1700000000 +0100", GIT_COMMITTER_DATE: "@1700000000 +0100" };
  const call = (cwd: string, line: string, env: Record<string, string> = {}): Outcome =>
    world.run(["sh", "-c", line], {
      cwd,
      env: { ...clock, TOP: top, GATE_LOG: logFile(top), RECORDER: world.at("recorder"), ...env },
    });
  expect(call(top, `${MAKE}\n${make}`)).toMatchObject({ code: 0 });
  return { top, tree: join(top, tree), sh: (line, env) => call(join(top, tree), line, env) };
}

const command = (type: string): string => `"$RECORDER" ${type} "$@"`;

function installRaw({ top, sh }: Twin): void {
  const hooks = sh("git rev-parse --path-format=absolute --git-path hooks").stdout.trimEnd();
  for (const [folder, types] of [
    [hooks, LOCAL],
    [join(top, "target.git", "hooks"), SERVER],
  ] as const)
    for (const [type, natives] of Object.entries(types))
      for (const native of natives)
        fs.writeFileSync(join(folder, native), `#!/bin/sh\n${command(type)}\n`, { mode: 0o755 });
}

function installGates({ top, tree }: Twin): void {
  for (const [cwd, types] of [
    [tree, LOCAL],
    [join(top, "target.git"), SERVER],
  ] as const) {
    const hooks = Object.keys(types).map((type) => ({ type, command: command(type) }));
    expect(world.gatepost(["init"], { cwd })).toMatchObject({ code: 0 });
    expect(world.gatepost(["settings", "automatic-backoffice", "off"], { cwd })).toMatchObject({ code: 0 });
    const input = JSON.stringify({ gatepost: 1, hooks });
    expect(world.gatepost(["hook", "import", "-"], { cwd, input })).toMatchObject({ code: 0 });
  }
}

type Call = { type: string; arguments: string; place: string; environment: string[]; reads: string };

/** What the hooks wrote down, with the place of the twin taken out, and what git makes up anew each time. */
function calls({ top }: Twin): Call[] {
  const file = logFile(top);
  if (!fs.existsSync(file)) return [];
  const text = neutral(fs.readFileSync(file, "utf8"), top);
  return text
    .split("-- end\n")
    .slice(0, -1)
    .map((call) => {
      const [head = "", reads = ""] = call.split("-- reads\n");
      const [first = "", place = "", ...variables] = head.split("\n");
      const [type = ""] = first.split(" ");
      return { type, arguments: first.slice(type.length), place, environment: handedOver(type, variables), reads };
    });
}

/** What git and the caller hand over; without what is Gatepost's own, what a shell exports of itself, and, on a server,
 *  what a pusher could bring along. */
const handedOver = (type: string, variables: string[]): string[] =>
  variables
    .filter((line) => !/^(GATEPOST_\w+|GIT_NO_REPLACE_OBJECTS|PWD|_|SHLVL)=|^$/.test(line))
    .filter(
      (line) => !Object.hasOwn(SERVER, type) || !/^(GIT_(CONFIG_GLOBAL|CONFIG_NOSYSTEM|EXEC_PATH)|PATH)=/.test(line),
    )
    .sort();

const neutral = (text: string, top: string): string =>
  text
    .replaceAll(top, "TOP")
    .replaceAll(/incoming-\w+/g, "incoming")
    .replaceAll(/next-index-\d+/g, "next-index");

describe.each(PLACES)("F4: in $place", (place) => {
  let raw: Twin;
  let gates: Twin;
  beforeAll(() => {
    [raw, gates] = [twin("raw", place), twin("gates", place)];
    installRaw(raw);
    installGates(gates);
  });

  it.each(OPERATIONS)("$name runs the hooks that git runs, and as git runs them", (operation) => {
    const [expected, found] = [raw, gates].map((one) => done(one, operation));
    expect(found).toEqual(expected);
    expect(found).toMatchObject({ code: 0 });
    expect(found?.calls.map(({ type }) => type)).toEqual(operation.types);
  });

  const done = (one: Twin, { before, run }: Operation, env: Record<string, string> = {}) => {
    one.sh(`git reset -q --hard; git clean -fdq; ${before}`, NO_HOOKS);
    fs.rmSync(logFile(one.top), { force: true });
    const { code, stdout, stderr } = one.sh(run, env);
    const head = one.sh('git rev-parse HEAD; git status --porcelain; git -C "$TOP/target.git" show-ref').stdout;
    return { calls: calls(one), code, said: neutral(stdout + stderr, one.top), head };
  };

  if (place.folder === "plain")
    it.each(FAILURES)("where %s fails in %s, git does what it does without Gatepost", (type, name) => {
      const operation = OPERATIONS.find((one) => one.name === name);
      if (operation === undefined) throw new Error(`there is no operation ${name}`);
      const [expected, found] = [raw, gates].map((one) => {
        const result = done(one, operation, { FAILS: type });
        one.sh("git am --abort; git rebase --abort; git cherry-pick --abort", NO_HOOKS);
        return { ...result, said: result.said.replaceAll(/^(remote: )?gatepost: .*\n/gm, "") };
      });
      expect(expected?.calls.map((call) => call.type)).toContain(type);
      expect(found).toEqual(expected);
    });

  it("nothing in a path was run", () => {
    expect(filesNamed(world.at("gates"), "canary")).toEqual([]);
  });
});
