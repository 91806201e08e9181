import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { openGit } from "../../src/vcs/git.ts";
import { bytes, commit, git, init, ZERO } from "./git-fixture.ts";

const open = (at: string) => openGit(path.join(at, ".git"));
const LATER = Date.now() + 60_000;

/** Sets a ref whose name need not be UTF-8. */
const setRef = (at: string, name: string, oid: string): string =>
  git(at, ["update-ref", "--stdin"], Buffer.from(`update ${name} ${oid}\n`, "latin1"));

describe("reading refs", () => {
  test("gives all refs, or those others can see, with symbolic ones by their target and without HEAD", async () => {
    const at = init();
    const head = commit(at, { a: "1" });
    git(at, ["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    git(at, ["tag", "t"]);
    git(at, ["update-ref", "refs/remotes/origin/main", head]);
    git(at, ["notes", "add", "-m", "n"]);
    const note = git(at, ["rev-parse", "refs/notes/commits"]);
    const seen = [
      ["refs/heads/alias", "ref:refs/heads/main"],
      ["refs/heads/main", head],
      ["refs/notes/commits", note],
    ];
    expect([...(await open(at).readRefs("public"))]).toEqual([...seen, ["refs/tags/t", head]]);
    expect([...(await open(at).readRefs("all"))]).toEqual([
      ...seen,
      ["refs/remotes/origin/main", head],
      ["refs/tags/t", head],
    ]);
  });

  test("G1 ref names are bytes, whatever they would mean to a shell", async () => {
    const at = init();
    const head = commit(at, { a: "1" });
    const names = [
      "refs/heads/$(id)",
      "refs/heads/-rf",
      "refs/heads/`x`;'\"<&>%s#",
      "refs/heads/\xff\xfe",
      "refs/heads/caf\xc3\xa9",
    ];
    for (const name of names) setRef(at, name, head);
    const refs = await open(at).readRefs("all");
    for (const name of names) expect(refs.get(bytes(name))).toBe(head);
  });

  test("a ref to a missing object is reported, and one that cannot be parsed fails no other", async () => {
    const at = init();
    const head = commit(at, { a: "1" });
    const missing = "1234567890".repeat(4);
    fs.writeFileSync(path.join(at, ".git/refs/heads/missing"), `${missing}\n`);
    fs.writeFileSync(path.join(at, ".git/refs/heads/torn"), "");
    fs.writeFileSync(path.join(at, ".git/refs/heads/dangling"), "ref: refs/heads/nowhere\n");
    expect([...(await open(at).readRefs("all"))]).toEqual([
      ["refs/heads/main", head],
      ["refs/heads/missing", missing],
    ]);
  });

  test("G8 the caller's GIT_NAMESPACE and GIT_DIR do not leak in", async () => {
    const at = init();
    const head = commit(at, { a: "1" });
    const before = { ...process.env };
    process.env["GIT_NAMESPACE"] = "other";
    process.env["GIT_DIR"] = "/nonexistent";
    try {
      expect((await open(at).readRefs("all")).get(bytes("refs/heads/main"))).toBe(head);
    } finally {
      process.env = before;
    }
  });

  test("an empty repository has none, and one that is gone is an error", async () => {
    const at = init();
    expect((await open(at).readRefs("all")).size).toBe(0);
    await expect(openGit(path.join(at, "nowhere")).readRefs("all")).rejects.toMatchObject({ code: "GP_NO_REPOSITORY" });
  });
});

describe("the fingerprint of refs", () => {
  test("changes with every way a ref can move, and with nothing else", () => {
    const at = init();
    const one = commit(at, { a: "1" });
    const two = commit(at, { a: "2" });
    const repository = open(at);
    let text = repository.fingerprint(null, LATER).text;
    const changed = (): boolean => {
      const next = repository.fingerprint(text, LATER);
      expect(next.changed).toBe(next.text !== text);
      text = next.text;
      return next.changed;
    };
    expect(changed()).toBe(false);
    fs.writeFileSync(path.join(at, "untracked"), "x");
    git(at, ["hash-object", "-w", "--stdin"], "loose");
    expect(changed()).toBe(false);
    for (const args of [
      ["update-ref", "refs/heads/main", one],
      ["update-ref", "refs/heads/a/b/c/deep", one],
      ["update-ref", "refs/heads/a/b/c/deep", two],
      ["tag", "t"],
      ["update-ref", "-d", "refs/tags/t"],
      ["symbolic-ref", "refs/heads/alias", "refs/heads/main"],
      ["symbolic-ref", "HEAD", "refs/heads/other"],
      ["update-ref", "refs/notes/commits", one],
      ["pack-refs", "--all"],
      ["update-ref", "-d", "refs/heads/a/b/c/deep"],
    ]) {
      git(at, args);
      expect([args, changed()]).toEqual([args, true]);
      expect([args, changed()]).toEqual([args, false]);
    }
  });

  test("changes when a ref moved and moved back", () => {
    const at = init();
    const one = commit(at, { a: "1" });
    const two = commit(at, { a: "2" });
    const { text } = open(at).fingerprint(null, LATER);
    git(at, ["update-ref", "refs/heads/main", one]);
    git(at, ["update-ref", "refs/heads/main", two]);
    expect(open(at).fingerprint(text, LATER).changed).toBe(true);
  });

  test("R4: changes when refs are packed, although the refs stay the same", async () => {
    const at = init();
    commit(at, { a: "1" });
    git(at, ["tag", "-am", "t", "t"]);
    const refs = await open(at).readRefs("all");
    const { text } = open(at).fingerprint(null, LATER);
    git(at, ["gc", "-q"]);
    expect(open(at).fingerprint(text, LATER).changed).toBe(true);
    expect(await open(at).readRefs("all")).toEqual(refs);
  });

  test("sees a ref that a linked work tree moved", () => {
    const at = init();
    commit(at, { a: "1" });
    git(at, ["worktree", "add", "-q", "../linked", "-b", "linked"]);
    const { text } = open(at).fingerprint(null, LATER);
    commit(path.join(at, "../linked"), { a: "2" });
    expect(open(at).fingerprint(text, LATER).changed).toBe(true);
  });

  test("remembers folders with names that are not UTF-8, and sees what moves in them", () => {
    const at = init();
    const head = commit(at, { a: "1" });
    setRef(at, "refs/heads/\xff/x", head);
    const { text } = open(at).fingerprint(null, LATER);
    expect(open(at).fingerprint(text, LATER).changed).toBe(false);
    setRef(at, "refs/heads/\xff/y", head);
    expect(open(at).fingerprint(text, LATER).changed).toBe(true);
  });

  test("is unsure within a second of the newest file time, and not before or after", () => {
    const at = init();
    commit(at, { a: "1" });
    const { newestAt } = open(at).fingerprint(null, LATER);
    for (const [now, unsure] of [
      [newestAt, true],
      [newestAt + 999, true],
      [newestAt + 1000, false],
      [newestAt - 5000, false],
    ] as const)
      expect(open(at).fingerprint(null, now).unsure).toBe(unsure);
  });

  test("of another version counts as changed, and so does a repository that is gone", () => {
    const at = init();
    const { text } = open(at).fingerprint(null, LATER);
    expect(open(at).fingerprint(text.replace("1", "0"), LATER)).toMatchObject({ text, changed: true });
    fs.rmSync(at, { recursive: true });
    const gone = open(at).fingerprint(text, LATER);
    expect(gone.changed).toBe(true);
    expect(open(at).fingerprint(gone.text, LATER).changed).toBe(false);
  });

  test("R4: sees a new list of reftables", () => {
    const at = init();
    const folder = path.join(at, ".git/reftable"); // git 2.39 cannot make one; the file is what matters
    fs.mkdirSync(folder);
    const { text } = open(at).fingerprint(null, LATER);
    fs.writeFileSync(path.join(folder, "tables.list"), `${ZERO}\n`);
    expect(open(at).fingerprint(text, LATER).changed).toBe(true);
  });
});
