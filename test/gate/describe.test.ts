/** The commit description file, written by real commits of the real git. */
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

describe.each(SHELLS.map((shell) => [shell.join(" "), shell] as const))("in %s", (_name, shell) => {
  test("the word says what happened to each path, and lines are sorted by path", () => {
    const s = scene(shell);
    s.sh(FIRST);
    s.sh(`echo x >>a; git mv b moved; git mv c edited; echo x >>edited; chmod -x d; chmod +x e; ln -sf a f
      rm l; printf a >l; rm k; seq 9 >k; git rm -q g; echo n >sub/n; chmod +x sub/n; chmod +x sub/s; echo x >>sub/s
      git mv e "e 2"; git add -A`);
    expect(files(s)).toEqual([
      "EDITED     a",
      "UNEXEC     d",
      "EXECUTABLE e  ->  e 2",
      "EDITED     c  ->  edited",
      "SYMLINK    f",
      "DELETED    g",
      "EDITED     k",
      "UNLINK     l",
      "RENAMED    b  ->  moved",
      "ADDED      sub/n",
      "EDITED     sub/s",
    ]);
  });

  test("names are bytes, quoted as git quotes them, and none is run or becomes a line of its own", () => {
    const s = scene(shell);
    const bare = [" lead", "$(touch canary)", "-n", "a'b", "caf\xe9", "h\xc3\xa9"];
    const quoted = ["\x1b[31m", "b\\c", "n\nDELETED    x", 'q"q', "r\rr", "t\tt", "\x7f"];
    for (const name of [...bare, ...quoted]) writeFileSync(Buffer.from(`${s.dir}/${name}`, "latin1"), "x");
    s.sh("git add .");
    expect(files(s)).toEqual(
      [
        '"\\033[31m"',
        " lead",
        "$(touch canary)",
        "-n",
        "a'b",
        '"b\\\\c"',
        "caf\xe9",
        "h\xc3\xa9",
        '"n\\nDELETED    x"',
        '"q\\"q"',
        '"r\\rr"',
        '"t\\tt"',
        '"\\177"',
      ].map((path) => `ADDED      ${path}`),
    );
    expect(existsSync(join(s.dir, "canary"))).toBe(false);
  });

  test("a repository whose own path holds a newline and worse is one quoted line", () => {
    const s = scene(shell, 'a\n"b"\t\\\u0001 $(touch canary)');
    s.sh("echo x >x; git add .");
    const quoted = `"${s.world.dir}/a\\n\\"b\\"\\t\\\\\\001 $(touch canary)/`;
    expect(s.describe(commit).head).toEqual([`checkout ${quoted}"`, `repository ${quoted}.git"`, "user alice"]);
  });

  test("a merge that git makes itself names the merged commit and what came from it", () => {
    const s = scene(shell);
    s.sh(FIRST);
    const theirs = s.sh(`git checkout -qb feat; echo x >>a; echo n >n; git rm -q g; sed -i 1s/1/x/ c; chmod +x e
      git mv b b2; git add -A; git commit -qnm theirs; git rev-parse HEAD`);
    s.sh("git checkout -q main; echo ours >>c; git commit -qanm ours");
    const forged = { FORGED: `x\nexport GITHEAD_${"a".repeat(40)}=x`, GIT_AUTHOR_NAME: "eve\ntags forged" };
    const { head, lines } = s.describe(["merge", "-m", "m", "feat"], forged);
    expect([head[2], ...lines]).toEqual([
      "user evetags forged",
      "branch main",
      "UPDATED_BY_MERGE a",
      "RENAMED    b  ->  b2",
      "EDITED     c",
      "EXECUTABLE e",
      "DELETED    g",
      "ADDED_BY_MERGE n",
      `MERGED_WITH ${theirs}`,
    ]);
  });

  test("tags of HEAD are listed by name, whether packed, loose, annotated or many", () => {
    const s = scene(shell);
    s.sh(`${FIRST}; echo x >>a; git add a`);
    s.sh("git tag z; git tag -m t sub/a,; git tag later; git pack-refs --all; git tag B");
    const tags = (): string[] => s.describe(commit).lines;
    expect(tags().slice(0, 2)).toEqual(["branch main", "tags B, later, sub/a,, z"]);
  });
});

test("without tags, and with only other commits tagged, there is no tags line", () => {
  const s = scene();
  s.sh(`${FIRST}; git pack-refs --all; echo x >>a`);
  expect(s.describe(["commit", "-qam", "m"]).lines).toEqual(["branch main", "EDITED     a"]);
  s.sh("git tag old HEAD~1; git pack-refs --all; echo x >>a");
  expect(s.describe(["commit", "-qam", "m"]).lines).toEqual(["branch main", "EDITED     a"]);
  s.sh("for i in $(seq 30); do git branch b$i; done; git tag new; git pack-refs --all; echo x >>a");
  expect(s.describe(["commit", "-qam", "m"]).lines).toEqual(["branch main", "tags new", "EDITED     a"]);
});

test("another awk writes the same bytes", () => {
  const s = scene();
  s.sh('mkdir ../awk; ln -s "$(command -v busybox)" ../awk/awk');
  const name = `\xe9\xc3\xa9 \\%s&${"x".repeat(200)}`;
  for (const file of ["plain", name]) writeFileSync(Buffer.from(`${s.dir}/${file}`, "latin1"), "x");
  s.sh("git add .; git commit -qnm m; git mv plain moved; git rm -q ?[!l]*\\\\*");
  const { lines } = s.describe(commit, { BREAK: `PATH=${s.world.at("awk")}:$PATH` });
  expect(lines).toEqual(["branch main", "RENAMED    plain  ->  moved", `DELETED    "${name.replace("\\", "\\\\")}"`]);
});

test("a commit made by a hook of a merge elsewhere does not take over what that merges", () => {
  const s = scene();
  s.sh("echo x >x; git add .");
  expect(s.describe(commit, { [`GITHEAD_${"a".repeat(40)}`]: "feat" }).lines).toEqual(["branch main", "ADDED      x"]);
});

test("a quote alone is enough for a path to be quoted", () => {
  const s = scene(["sh"], 'a"');
  expect(s.describe([...commit, "--allow-empty"]).head[0]).toBe(`checkout "${s.world.dir}/a\\"/"`);
});

test("the first lines name the physical work tree, the repository and the author", () => {
  const s = scene();
  s.sh("echo x >x; git add .; ln -s app ../link");
  const { head } = s.describe(
    [...commit, "--author", "Bob B. Bee <b@example.org>"],
    { PWD: s.world.at("link") },
    s.world.at("link"),
  );
  expect(head).toEqual([`checkout ${s.dir}/`, `repository ${s.dir}/.git`, "user Bob B. Bee"]);
  expect(statSync(s.out).mode & 0o777).toBe(0o600);
});

test("the first commit is described against nothing, also with refs packed elsewhere and SHA-256", () => {
  const s = scene();
  s.sh("echo x >x; git add .");
  expect(s.describe(commit).lines).toEqual(["branch main", "ADDED      x"]);
  s.sh("git tag t; git pack-refs --all; git checkout -q --orphan new");
  expect(s.describe(commit).lines).toEqual(["branch new", "ADDED      x"]);
  s.sh("git init -q -b main --object-format=sha256 ../long; cp x ../long; git -C ../long add .");
  s.install(s.world.at("long"));
  expect(s.describe(commit, {}, s.world.at("long")).lines).toEqual(["branch main", "ADDED      x"]);
});

test("commit -a, --only, --include and --amend are each described as they will be made", () => {
  const s = scene();
  s.sh(`${FIRST}; echo x >>a; echo x >>c; git add c; echo i >intent; git add -N intent`);
  expect(files(s, ["commit", "-qm", "m", "a"])).toEqual(["EDITED     a"]);
  s.sh("echo x >>b; echo x >>sub/s");
  expect(files(s, ["commit", "-qim", "m", "b"])).toEqual(["EDITED     b", "EDITED     c"]);
  s.sh("git rm -q --cached intent");
  expect(files(s, ["commit", "-qam", "m"])).toEqual(["EDITED     sub/s"]);
  s.sh("echo y >>a; git add a");
  expect(files(s, ["commit", "-q", "--amend", "-m", "m"])).toEqual(["EDITED     a"]);
  expect(files(s, ["commit", "-q", "--allow-empty", "-m", "m"])).toEqual([]);
});

test("a merge with a conflict, a cherry-pick and a revert name their commits when a person commits them", () => {
  const s = scene();
  s.sh(FIRST);
  const theirs = s.sh(`git checkout -qb feat; echo theirs >a; echo theirs >b; echo n >n; echo m >m; git add .
    git commit -qnm theirs; git rev-parse HEAD`);
  s.sh(`git checkout -q main; echo ours >a; git commit -qanm ours; git merge -q feat || :
    echo both >a; echo more >>n; git add a n`);
  expect(files(s)).toEqual([
    "EDITED     a",
    "UPDATED_BY_MERGE b",
    "ADDED_BY_MERGE m",
    "ADDED      n",
    `MERGED_WITH ${theirs}`,
  ]);
  s.sh("git reset -q --hard HEAD~1; git cherry-pick feat >/dev/null 2>&1 || :; git add a");
  expect(files(s).at(-1)).toBe(`CHERRYPICK ${theirs}`);
  s.sh("echo z >a; git commit -qanm z; git revert --no-edit HEAD~1 || :; git add -A");
  expect(files(s).at(-1)).toBe(`BACKOUT ${s.sh("git rev-parse HEAD~2")}`);
});

test("an octopus names every merged commit", () => {
  const s = scene();
  const [one, two] = s
    .sh(`${FIRST}; git checkout -qb one; echo 1 >>a; git commit -qanm 1; git rev-parse HEAD
      git checkout -qb two main; echo 2 >>b; git commit -qanm 2; git rev-parse HEAD; git checkout -q main; echo 3 >>c
      git commit -qanm 3`)
    .split("\n");
  const { lines } = s.describe(["merge", "-m", "m", "one", "two"]);
  expect(lines.slice(0, 3)).toEqual(["branch main", "UPDATED_BY_MERGE a", "UPDATED_BY_MERGE b"]);
  expect(lines.slice(3).sort()).toEqual([`MERGED_WITH ${one}`, `MERGED_WITH ${two}`].sort());
});

test("the branch is that of a rebase, none when detached, and found where HEAD is a symbolic link", () => {
  const s = scene();
  s.sh(`${FIRST}; git checkout -qb topic/x; echo 1 >>a; git commit -qanm 1`);
  const editor = { GIT_SEQUENCE_EDITOR: "sed -i 1s/pick/reword/" };
  expect(s.describe(["rebase", "-i", "HEAD~1"], editor).lines).toEqual(["branch topic/x"]);
  s.sh("git checkout -q --detach; echo 2 >>a");
  expect(s.describe(["commit", "-qam", "m"]).lines).toEqual(["EDITED     a"]);
  expect(s.describe(["rebase", "-i", "HEAD~1"], editor).lines).toEqual([]);
  s.sh("git checkout -q main; rm .git/HEAD; ln -s refs/heads/main .git/HEAD; echo 3 >>a");
  expect(s.describe(["commit", "-qam", "m"]).lines).toEqual(["branch main", "EDITED     a"]);
});

test("a linked work tree and a submodule's work tree name themselves and their repository", () => {
  const s = scene();
  s.sh(`${FIRST}; git init -q -b main ../lib; git -C ../lib commit -qnm lib --allow-empty
    git worktree add -q ../linked; git submodule --quiet add ../lib lib; git config -f .gitmodules submodule.lib.ignore all`);
  s.sh("git add -A");
  expect(files(s)).toEqual(["ADDED      .gitmodules", "ADDED      lib"]);

  s.sh("echo x >>a; git add a", s.world.at("linked"));
  const linked = s.describe(commit, {}, s.world.at("linked"));
  expect(linked.head.slice(0, 2)).toEqual([`checkout ${s.world.at("linked")}/`, `repository ${s.dir}/.git`]);
  expect(linked.lines).toEqual(["branch linked", "EDITED     a"]);

  s.install(join(s.dir, "lib"));
  s.sh("echo x >x; git add x", join(s.dir, "lib"));
  const inner = s.describe(commit, {}, join(s.dir, "lib"));
  expect(inner.head.slice(0, 2)).toEqual([`checkout ${s.dir}/lib/`, `repository ${s.dir}/.git/modules/lib`]);
  expect(inner.lines).toEqual(["branch main", "ADDED      x"]);

  s.sh("git add -f lib");
  expect(files(s)).toEqual(["EDITED     lib"]);
  s.sh("git rm -qf lib");
  expect(files(s)).toContain("DELETED    lib");
});
