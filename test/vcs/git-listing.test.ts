import path from "node:path";
import { describe, expect, test } from "vitest";
import { openGit } from "../../src/vcs/git.ts";
import type { Gone } from "../../src/vcs/repository.ts";
import {
  bytes,
  commit,
  described,
  git,
  init,
  linesOf,
  manyCommits,
  move,
  running,
  textOf,
  ZERO,
} from "./git-fixture.ts";

const open = (at: string) => openGit(path.join(at, ".git"));

/** A commit straight from a tree of (mode, type, hash, name) entries, names in bytes. */
function commitTree(at: string, entries: [string, string, string, string][], parents: string[] = []): string {
  const input = entries.map(([mode, type, oid, name]) => `${mode} ${type} ${oid}\t${name}\0`).join("");
  const tree = git(at, ["mktree", "-z"], Buffer.from(input, "latin1"));
  return git(at, ["commit-tree", "-m", "m", ...parents.flatMap((one) => ["-p", one]), tree]);
}
const blob = (at: string, text: string): string => git(at, ["hash-object", "-w", "--stdin"], text);

describe("the list of a range", () => {
  for (const format of ["sha1", "sha256"] as const)
    test(`gives check-ins oldest first, then files, with whole hashes (${format})`, async () => {
      const at = init({ format });
      const zero = "0".repeat(format === "sha1" ? 40 : 64);
      const one = commit(at, { "a.txt": "1" });
      const two = commit(at, { "sub/b.txt": "2" });
      const lines = await linesOf(open(at).artifacts({ moves: [move("refs/heads/main", zero, two)], base: [] }));
      expect(lines).toEqual([
        `${one} check-in to main by alice on 2026-11-21 07:56`,
        `${two} check-in to main by alice on 2026-11-21 07:56`,
        `${git(at, ["rev-parse", "HEAD:a.txt"])} file a.txt`,
        `${git(at, ["rev-parse", "HEAD:sub/b.txt"])} file sub/b.txt`,
      ]);
    });

  test("leaves out what the base reaches, and adds trees when asked", async () => {
    const at = init();
    const one = commit(at, { a: "1", "d/b": "2" });
    const two = commit(at, { "d/b": "3" });
    const range = { moves: [move("refs/heads/main", one, two)], base: [one, ZERO, "ref:refs/heads/main"] };
    const checkIn = "check-in to main by alice on 2026-11-21 07:56";
    expect(described(await linesOf(open(at).artifacts(range)))).toEqual([checkIn, "file d/b"]);
    const withTrees = await linesOf(open(at).artifacts(range, { trees: true }));
    expect(described(withTrees)).toEqual([checkIn, "file d/b", "tree .", "tree d"]);
    expect(withTrees[3]).toContain(git(at, ["rev-parse", "HEAD:d"]));
  });

  test("is empty for a deletion, a rewind, a tag on an old commit and a symbolic ref", async () => {
    const at = init();
    const one = commit(at, { a: "1" });
    const two = commit(at, { a: "2" });
    for (const moved of [
      move("refs/heads/main", two, ZERO),
      move("refs/heads/main", two, one),
      move("refs/tags/old", ZERO, one),
      move("refs/heads/alias", ZERO, "ref:refs/heads/main"),
    ])
      expect(await textOf(open(at).artifacts({ moves: [moved], base: [two] }))).toBe("");
    expect(await textOf(open(at).artifacts({ moves: [], base: [] }))).toBe("");
  });

  test("names annotated tags, those inside others too, but none that had arrived", async () => {
    const at = init();
    commit(at, { a: "1" });
    git(at, ["tag", "-am", "t", "inner"]);
    git(at, ["tag", "-am", "t", "outer", "inner"]);
    const [head, inner, outer] = ["main", "inner", "outer"].map((name) => git(at, ["rev-parse", name])) as [
      string,
      string,
      string,
    ];
    const added = move("refs/tags/outer", ZERO, outer);
    expect(await linesOf(open(at).artifacts({ moves: [added], base: [head] }))).toEqual([
      `${outer} tag outer`,
      `${inner} tag inner`,
    ]);
    expect(await linesOf(open(at).artifacts({ moves: [added], base: [inner] }))).toEqual([`${outer} tag outer`]);
    const alsoHead = { moves: [added, move("refs/heads/main", ZERO, head)], base: [] };
    expect(described(await linesOf(open(at).artifacts(alsoHead)))).toEqual([
      "check-in to main by alice on 2026-11-21 07:56",
      "file a",
      "tag outer",
      "tag inner",
    ]);
  });

  test("names each check-in by the ref that brought it, and a branch before another ref", async () => {
    const at = init();
    const root = commit(at, { a: "1" });
    const main = commit(at, { a: "2" });
    git(at, ["checkout", "-q", "--orphan", "other"]);
    const orphan = commit(at, { b: "x" });
    const merge = git(at, ["commit-tree", "-m", "m", "-p", main, "-p", orphan, `${orphan}^{tree}`]);
    git(at, ["notes", "add", "-m", "n", root]);
    const note = git(at, ["rev-parse", "refs/notes/commits"]);
    const moves = [
      move("refs/changes/1", ZERO, main),
      move("refs/heads/main", root, main),
      move("refs/heads/%s \\n/odd", ZERO, orphan),
      move("refs/notes/commits", ZERO, note),
    ];
    const lines = await linesOf(open(at).artifacts({ moves, base: [root] }));
    expect(new Set(lines.filter((line) => line.includes("check-in")))).toEqual(
      new Set([
        `${main} check-in to main by alice on 2026-11-21 07:56`,
        `${orphan} check-in to %s \\n/odd by alice on 2026-11-21 07:56`,
        `${note} check-in to refs/notes/commits by alice on 2026-11-21 07:56`,
      ]),
    );
    const merged = { moves: [move("refs/heads/main", main, merge)], base: [main] };
    const both = await linesOf(open(at).artifacts(merged));
    expect(both.map((line) => line.slice(0, 40))).toEqual([orphan, merge, git(at, ["rev-parse", `${orphan}:b`])]);
  });

  test("lists an empty commit, and what a ref points at without a commit", async () => {
    const at = init();
    const empty = commit(at, {});
    const loose = blob(at, "loose");
    const moves = [move("refs/heads/main", ZERO, empty), move("refs/tags/key", ZERO, loose)];
    expect(described(await linesOf(open(at).artifacts({ moves, base: [] })))).toEqual([
      "check-in to main by alice on 2026-11-21 07:56",
      "file .",
    ]);
  });
});

describe("odd bytes in a list", () => {
  test("G2 paths are kept to the byte; only a newline or a leading double quote is quoted, as Git does", async () => {
    const at = init();
    const names = ['"q', "-dash", "a\tb", "caf\xe9", "in\n\xe9side", "n", 'x"y', "z\nz"];
    const head = commitTree(
      at,
      names.map((name) => ["100644", "blob", blob(at, name), name]),
    );
    const range = { moves: [move("refs/heads/main", ZERO, head)], base: [] };
    const lines = (await linesOf(open(at).artifacts(range))).slice(1);
    expect(lines).toEqual(
      names.map((name) => {
        const shown = name === '"q' ? '"\\"q"' : name === "z\nz" ? '"z\\nz"' : name;
        return `${blob(at, name)} file ${name.startsWith("in") ? '"in\\n\\351side"' : shown}`;
      }),
    );
  });

  test("G2 a folder with a newline is whole in its own line and in those below it, also when a merge made it", async () => {
    const at = init();
    const dir = (files: [string, string][]): string =>
      git(at, ["mktree"], files.map(([name, text]) => `100644 blob ${blob(at, text)}\t${name}\n`).join(""));
    const with_ = (tree: string, parents: string[]): string =>
      commitTree(at, [["040000", "tree", tree, "d\nx"]], parents);
    const root = with_(dir([["f", "0"]]), []);
    const left = with_(dir([["f", "1"]]), [root]);
    const right = with_(dir([["f", "0"], ["g", "2"]]), [root]); // biome-ignore format: one line per commit
    const merged = with_(dir([["f", "3"], ["g", "2"]]), [left, right]); // biome-ignore format: one line per commit
    const range = { moves: [move("refs/heads/main", root, merged)], base: [root] };
    const lines = described(await linesOf(open(at).artifacts(range, { trees: true })));
    expect(lines.filter((line) => line.startsWith("file")).sort()).toEqual([
      'file "d\\nx/f"',
      'file "d\\nx/f"',
      'file "d\\nx/g"',
    ]);
    expect(lines.filter((line) => line === 'tree "d\\nx"')).toHaveLength(3);
  });

  test("G3 authors are kept to the byte, and dates are UTC", async () => {
    const at = init();
    const tree = git(at, ["mktree"], "");
    const raw = `tree ${tree}\nauthor \x1b[31m\xff % on <e> 1700000000 -1100\ncommitter c <c> 1700000000 +0000\n\nm\n`;
    const head = git(at, ["hash-object", "-t", "commit", "-w", "--stdin"], Buffer.from(raw, "latin1"));
    const range = { moves: [{ ...move("x", ZERO, head), ref: bytes("refs/heads/\xfc") }], base: [] };
    expect(await linesOf(open(at).artifacts(range))).toEqual([
      `${head} check-in to \xfc by \x1b[31m\xff % on on 2023-11-14 22:13`,
    ]);
  });

  test("R5 lines are whole in every chunk of a long list", async () => {
    const at = init({ bare: true });
    const head = manyCommits(at, 5000);
    const seen: string[] = [];
    for await (const chunk of openGit(at).artifacts({ moves: [move("refs/heads/main", ZERO, head)], base: [] })) {
      expect(chunk.at(-1)).toBe(10);
      seen.push(...chunk.toString("latin1").split("\n").slice(0, -1));
    }
    expect(seen).toHaveLength(10_000);
    expect(seen.every((line) => /^[0-9a-f]{40} (check-in to main by c on 2023-|file f\d+$)/.test(line))).toBe(true);
    expect(seen.slice(0, 5000).map((line) => line.slice(0, 40))).toEqual(
      git(at, ["rev-list", "--reverse", "main"]).split("\n"),
    );
  });
});

describe("a list of what has vanished", () => {
  function rewritten(): { at: string; old: string; now: string; root: string } {
    const at = init();
    const root = commit(at, { a: "1" });
    const old = commit(at, { a: "2" }, "old");
    git(at, ["reset", "-q", "--hard", root]);
    const now = commit(at, { a: "3" }, "new");
    git(at, ["reflog", "expire", "--expire=now", "--all"]);
    git(at, ["gc", "-q", "--prune=now"]);
    return { at, old, now, root };
  }

  test("R3 gives a new value that was pruned as gone, and the rest all the same", async () => {
    const { at, old, now, root } = rewritten();
    const moves = [move("refs/heads/gone", ZERO, old), move("refs/heads/main", ZERO, now)];
    const gone: Gone[] = [];
    const lines = await linesOf(open(at).artifacts({ moves, base: [root] }, { onGone: (one) => gone.push(one) }));
    expect(described(lines)).toEqual(["gone", "check-in to main by alice on 2026-11-21 07:56", "file a"]);
    expect(lines[0]).toBe(`${old} gone`);
    expect(gone).toEqual([{ base: 0, new: 1 }]);
  });

  test("R3 skips base values that were pruned and says so", async () => {
    const { at, old, now } = rewritten();
    const gone: Gone[] = [];
    const range = { moves: [move("refs/heads/main", old, now)], base: [old] };
    const lines = await linesOf(open(at).artifacts(range, { onGone: (one) => gone.push(one) }));
    expect(lines).toHaveLength(4);
    expect(gone).toEqual([{ base: 1, new: 0 }]);
  });

  test("R3 never lists HEAD instead when nothing of the range is left", async () => {
    const { at, old } = rewritten();
    const range = { moves: [move("refs/heads/main", ZERO, old)], base: [old.replace(/./, "f")] };
    expect(await linesOf(open(at).artifacts(range))).toEqual([`${old} gone`]);
  });

  test("R7 a repository that is gone is an error of its own", async () => {
    const at = init();
    const range = { moves: [move("refs/heads/main", ZERO, "1".repeat(40))], base: [] };
    await expect(textOf(openGit(path.join(at, "nowhere")).artifacts(range))).rejects.toMatchObject({
      code: "GP_NO_REPOSITORY",
    });
  });
});

describe("breaking a list off", () => {
  test("a reader that stops leaves no git behind", async () => {
    const at = init({ bare: true });
    const head = manyCommits(at, 20_000);
    for await (const _ of openGit(at).artifacts({ moves: [move("refs/heads/main", ZERO, head)], base: [] })) {
      expect(running(at).length).toBeGreaterThan(0);
      break;
    }
    expect(running(at)).toEqual([]);
  });

  test("an abort ends git and is the error that the reader gets", async () => {
    const at = init({ bare: true });
    const head = manyCommits(at, 20_000);
    const control = new AbortController();
    const range = { moves: [move("refs/heads/main", ZERO, head)], base: [] };
    const reading = (async () => {
      for await (const _ of openGit(at).artifacts(range, { signal: control.signal }))
        control.abort(new Error("enough"));
    })();
    await expect(reading).rejects.toThrow("enough");
    expect(running(at)).toEqual([]);
  });
});
