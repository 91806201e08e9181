import path from "node:path";
import { describe, expect, test } from "vitest";
import { openGit } from "../../src/vcs/git.ts";
import type { Range } from "../../src/vcs/repository.ts";
import { commit, git, init, manyCommits, move, running, textOf, ZERO } from "./git-fixture.ts";

const open = (at: string) => openGit(path.join(at, ".git"));
const range = (old: string, value: string): Range => ({ moves: [move("refs/heads/main", old, value)], base: [old] });
const paths = async (at: string, of: Range, ...specs: string[]): Promise<string[]> =>
  (await textOf(open(at).paths(of, specs))).split("\0").slice(0, -1);

describe("the paths of a range", () => {
  test("are those its check-ins changed and its end still has, each once", async () => {
    const at = init();
    const one = commit(at, { keep: "1", gone: "1", "sub/a.ts": "1", back: "1" });
    commit(at, { "sub/a.ts": "2", gone: null, 'odd\nname\t"é': "x", passing: "x" });
    const three = commit(at, { "sub/a.ts": "3", passing: null, new: "1" });
    expect(await paths(at, range(one, three))).toEqual([
      "new",
      Buffer.from('odd\nname\t"é').toString("latin1"),
      "sub/a.ts",
    ]);
    expect(await paths(at, range(one, three), "*.ts")).toEqual(["sub/a.ts"]);
    expect(await paths(at, range(one, three), "gone")).toEqual([]);
    expect(await paths(at, { moves: [move("refs/heads/main", ZERO, three)], base: [] }, "keep")).toEqual(["keep"]);
    expect(await paths(at, range(three, one))).toEqual([]);
  });

  test("of a merge are what the merged commits changed, not what the base had", async () => {
    const at = init();
    commit(at, { a: "1", b: "1", c: "1" });
    git(at, ["checkout", "-q", "-b", "side"]);
    const side = commit(at, { a: "side", c: null });
    git(at, ["checkout", "-q", "main"]);
    const main = commit(at, { b: "main" });
    git(at, ["merge", "-q", "-m", "merge", "side"]);
    const merge = git(at, ["rev-parse", "HEAD"]);
    expect(await paths(at, range(main, merge))).toEqual(["a"]);
    expect(await paths(at, { moves: [move("refs/heads/main", main, merge)], base: [main, side] })).toEqual([]);
  });

  test("that only a merge changed, or that a merge threw away again, count as touched", async () => {
    const at = init();
    const root = commit(at, { a: "1" });
    const side = commit(at, { side: "x" });
    const tree = git(at, ["rev-parse", `${root}^{tree}`]);
    const thrownAway = git(at, ["commit-tree", "-m", "ours", "-p", root, "-p", side, tree]);
    expect(await open(at).touches(range(root, thrownAway), ["side"])).toBe(true);
    expect(await paths(at, range(root, thrownAway), "side")).toEqual([]);
    const evil = git(at, ["commit-tree", "-m", "evil", "-p", root, "-p", side, git(at, ["mktree"], "")]);
    expect(await open(at).touches({ moves: [move("refs/heads/main", root, evil)], base: [root, side] }, ["a"])).toBe(
      true,
    );
  });
});

describe("whether a range touches a pathspec", () => {
  test("follows Git's own pattern rules, and deletions count", async () => {
    const at = init();
    const one = commit(at, { "src/a.ts": "1", "doc/b.md": "1", gone: "1" });
    const two = commit(at, { "src/a.ts": "2", gone: null });
    for (const [spec, touched] of [
      ["src", true],
      ["*.ts", true],
      [":(glob)*.ts", false],
      [":(icase)SRC/A.TS", true],
      ["doc", false],
      ["gone", true],
      ["--all", false],
    ] as const)
      expect([spec, await open(at).touches(range(one, two), [spec])]).toEqual([spec, touched]);
    expect(await open(at).touches(range(one, two), [".", ":(exclude)src", ":(exclude)gone"])).toBe(false);
    expect(await open(at).touches(range(two, one), ["src"])).toBe(false);
  });

  test("R3 answers without the values that have vanished", async () => {
    const at = init();
    const one = commit(at, { a: "1" });
    const missing = "f".repeat(40);
    const moves = [move("refs/heads/gone", ZERO, missing), move("refs/heads/main", ZERO, one)];
    expect(await open(at).touches({ moves, base: ["e".repeat(40)] }, ["a"])).toBe(true);
    const file = git(at, ["rev-parse", "HEAD:a"]);
    moves.unshift(move("refs/tags/file", ZERO, file));
    expect(await paths(at, { moves, base: [] })).toEqual(["a"]);
  });

  test("ends git as soon as it knows", async () => {
    const at = init({ bare: true });
    const head = manyCommits(at, 10_000);
    const all = { moves: [move("refs/heads/main", ZERO, head)], base: [] };
    expect(await openGit(at).touches(all, ["f1"])).toBe(true);
    expect(running(at)).toEqual([]);
    const control = new AbortController();
    control.abort(new Error("enough"));
    await expect(openGit(at).touches(all, ["f1"], control.signal)).rejects.toThrow("enough");
    expect(running(at)).toEqual([]);
  });
});
