/** The commit description file: hostile configuration, partial clones, failures, and what the real fossil writes. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { SHELLS } from "../helpers/shells.ts";
import { makeScene, type Scene } from "./describe-fixture.ts";

const scenes: Scene[] = [];
afterEach(() => {
  for (const scene of scenes.splice(0)) scene.world.remove();
});
function scene(shell?: readonly string[], name?: string): Scene {
  const made = makeScene(shell, name);
  scenes.push(made);
  return made;
}

const FIRST = `seq 50 >a; seq 60 >b; seq 70 >c; echo x >d; chmod +x d; echo e >e; echo f >f; ln -s a l; ln -s b k; echo g >g
  mkdir sub; seq 80 >sub/s; git add .; git commit -qnm first`;
const commit = ["commit", "-qm", "m"];
/** The lines but the branch. */
const files = (s: Scene, args: readonly string[] = commit): string[] =>
  s.describe(args).lines.filter((line) => line !== "branch main");

test("nothing that the repository configures runs or changes the description", () => {
  const s = scene();
  s.sh(FIRST);
  const trap = s.world.at("trap");
  writeFileSync(trap, '#!/bin/sh\n[ -z "$OUT" ] || : >"$OUT.canary"\ncat\n', { mode: 0o755 });
  for (const name of ["diff.external", "diff.x.textconv", "diff.x.command", "core.pager", "core.fsmonitor"]) {
    s.sh(`git config ${name} '${trap}'`);
  }
  s.sh(`printf 'h*\\nc2\\n' >../order; git config diff.orderFile "$PWD/../order"; git config diff.renames copies
    git config diff.renameLimit 1; git config diff.relative true; git config diff.ignoreSubmodules all
    git config core.quotePath true; git config tag.sort -refname; git config color.ui always; git config log.showSignature true
    printf '* diff=x\\n' >.git/info/attributes; git tag a; git tag b`);
  s.sh("echo x >>a; git mv b b2; echo x >>b2; git mv c c2; echo x >>c2; echo x >h\u00e9; git add -A");
  expect(s.describe(commit).lines).toEqual([
    "branch main",
    "tags a, b",
    "EDITED     a",
    "EDITED     b  ->  b2",
    "EDITED     c  ->  c2",
    "ADDED      h\xc3\xa9",
  ]);
});

test("a partial clone fetches nothing: a rename with an edit of what it lacks is a deletion and an addition", () => {
  const s = scene();
  s.sh(`${FIRST}; git config uploadpack.allowFilter true
    git clone -q --no-checkout --filter=blob:none "file://$PWD" ../partial`);
  const partial = s.world.at("partial");
  s.install(partial);
  s.sh("git read-tree HEAD; git rm -q --cached a; seq 2 50 >a2; git add a2", partial);
  const { lines } = s.describe(["commit", "-qm", "m"], {}, partial);
  expect(lines).toEqual(["branch main", "DELETED    a", "ADDED      a2"]);
});

describe.each(SHELLS.map((shell) => [shell.join(" "), shell] as const))("in %s", (_name, shell) => {
  test("a failure is one sentence", () => {
    const s = scene(shell);
    s.sh(`${FIRST}; echo x >>a; for i in $(seq 300); do echo x >a-long-name-of-a-file-$i; done; git add .
      mkdir ../git ../awk; ln -s "$(command -v git)" ../git; ln -s "$(command -v awk)" ../awk`);
    const causes = [
      { FILE: "/dev/full" },
      { FILE: `${s.dir}/none/file` },
      { BREAK: "GIT_INDEX_FILE=.git/config" },
      { BREAK: `PATH=${s.world.at("git")}` },
      { BREAK: `PATH=${s.world.at("awk")}` },
    ].map((env: Record<string, string>) => s.cause(commit, env));
    expect(causes).toEqual([
      "the commit description could not be written",
      "the commit description could not be written",
      "git diff failed (128)",
      "awk failed (127)",
      "git diff failed (127)",
    ]);
    // The 8 blocks allowed are full in the midst of the files: the signal ends awk.
    expect(s.cause(commit, { BREAK: "ulimit -f 8" })).toMatch(/^awk failed \(\d+\)$/);
  });
});

const fossil = spawnSync("fossil", ["version"]).status === 0;
test.skipIf(!fossil)("the words are those of the real fossil for the same changes", () => {
  const s = scene();
  const script = (vcs: "git" | "fossil"): string => {
    const [mv, rm] = vcs === "git" ? ["git mv", "git rm -q"] : ["fossil mv --hard", "fossil rm --hard"];
    const save = vcs === "git" ? "git add -A; git commit -qnm m" : "fossil addremove; fossil commit --no-verify -m m";
    const branch = vcs === "git" ? "git checkout -qb feat" : "fossil branch new feat trunk; fossil update feat";
    const main = vcs === "git" ? "git checkout -q main" : "fossil update trunk";
    const merge = vcs === "git" ? "git merge -q --no-ff --no-commit feat" : "fossil merge feat";
    const change = [
      "echo x >>a; chmod +x b; chmod -x x; echo y >>x; rm f; ln -s a f; rm l; printf a >l; rm k; seq 9 >k",
      `chmod -x z; ${mv} c c2; ${rm} d; echo n >n`,
    ].join("; ");
    const first = "for i in a b c d f t u; do seq 40 >$i; echo $i >>$i; done; echo x >x; echo z >z; chmod +x x z";
    const theirs = "echo theirs >>t; echo theirs >>u; echo m >m";
    return `${first}; ln -s a l; ln -s b k; ${save}; ${branch}; ${theirs}; ${save}; ${main}; ${merge}; echo edited >>u
      ${change}; ${vcs === "git" ? "git add -A" : "fossil addremove; fossil commit -m m"}`;
  };
  s.sh(script("git"));
  s.sh(
    "mkdir ../fossil; fossil init ../r.fossil; cd ../fossil; fossil open ../r.fossil; fossil settings allow-symlinks on",
  );
  s.sh('fossil hook add --type before-commit --command "cp %A ../fossil.txt"', s.world.at("fossil"));
  s.sh(script("fossil"), s.world.at("fossil"));
  const words = (lines: string[]): string[] => lines.filter((line) => /^[A-Z_]+ /.test(line) && !/^MERGED/.test(line));
  const expected = words(readFileSync(s.world.at("fossil.txt"), "utf8").split("\n"));
  // 2.21 leaves out the old name, later versions have it.
  expect(words(files(s)).map((line) => line.replace(/ \S+ {2}-> {2}/, " "))).toEqual(expected);
  expect(new Set(expected.map((line) => line.split(" ")[0])).size).toBe(10);
});
