import * as fs from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { register } from "../../src/home/init.ts";
import { uninstall } from "../../src/home/uninstall.ts";
import { makeWorld } from "../helpers/cli.ts";
import { enter, entry, hearing, leave, serve, type Watched, watch, zero } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

const main = "refs/heads/main";
const user = userInfo().username;
const git = (cwd: string, ...args: string[]) => world.git(args, { cwd });

/** Does something and says which receipts that made. */
async function after(w: Watched, work: () => unknown) {
  const before = w.receipts().length;
  work();
  await w.pass();
  return w.receipts().slice(before);
}

test("in a work tree commits, amends, merges and new branches are receipts of who made them; a mere checkout is none", async () => {
  const path = world.workTree("local");
  const start = world.commit(path, { a: "1" }, "start");
  const w = await hearing(world, path);
  const head = () => git(path, "rev-parse", "HEAD");
  const work = (ref: string, old: string, value: string) => [
    { source: "work", user, updates: [entry(ref, old, value)] },
  ];

  const committed = await after(w, () => world.commit(path, { a: "2" }));
  const second = head();
  expect(committed).toMatchObject(work(main, start, second));

  const amended = await after(w, () => git(path, "commit", "-q", "--amend", "-m", "better"));
  const third = head();
  expect(third).not.toBe(second);
  expect(amended).toMatchObject(work(main, second, third));

  expect(await after(w, () => git(path, "checkout", "-q", "-b", "topic"))).toMatchObject(
    work("refs/heads/topic", zero, third),
  );
  expect(await after(w, () => git(path, "checkout", "-q", "main"))).toEqual([]);
  expect(w.spool()).toEqual([]);

  git(path, "checkout", "-q", "topic");
  world.commit(path, { b: "1" });
  await w.pass();
  git(path, "checkout", "-q", "main");
  const merged = await after(w, () => git(path, "merge", "-q", "--no-ff", "-m", "merge", "topic"));
  expect(merged).toMatchObject(work(main, third, head()));
});

test("hooks of a repository with a work tree get local commits as they get pushes", async () => {
  const path = world.workTree("local-hook");
  const start = world.commit(path, { a: "1" });
  const w = await watch(world, path);
  w.hook(`{ echo "$GATEPOST_USER"; cat; } > '${w.file("got")}'`);
  w.hook(`cat > '${w.file("updates")}'`, { stdin: "updates" });
  const made = world.commit(path, { b: "two" });
  await w.pass();
  expect(w.read("got")).toMatch(
    new RegExp(`^${user}\n${made} check-in to main by alice on [-0-9]+ [:0-9]+\n[0-9a-f]{40} file b\n$`),
  );
  expect(w.read("updates")).toBe(`${start} ${made} ${main}\n`);
});

test("a push into a repository with a work tree is one receipt of its pusher", async () => {
  const path = world.workTree("pushed-into");
  const start = world.commit(path, { a: "1" });
  git(path, "config", "receive.denyCurrentBranch", "updateInstead");
  const w = await watch(world, path);
  const clone = world.clone(path, "pushed-into-clone");
  const pushed = world.commit(clone, { a: "2" });
  world.git(["push", "-q", "origin", `HEAD:${main}`], { cwd: clone, env: { GL_USER: "bob" } });
  await w.pass();
  expect(w.receipts()).toMatchObject([{ source: "push", user: "bob", updates: [entry(main, start, pushed)] }]);
});

test("refs that a work tree keeps for itself (remotes, stash) make no receipt", async () => {
  const path = world.workTree("private-refs");
  world.commit(path, { a: "1" });
  const w = await watch(world, path);
  git(path, "update-ref", "refs/remotes/origin/main", "HEAD");
  git(path, "update-ref", "refs/stash", "HEAD");
  await w.pass();
  expect(w.receipts()).toEqual([]);
});

test("R8: what is committed in a linked work tree is a receipt of the one repository, whichever of them was registered", async () => {
  const path = world.workTree("linked");
  const start = world.commit(path, { a: "1" });
  const other = world.at("linked-2");
  git(path, "worktree", "add", "-q", "-b", "side", other);
  const w = await hearing(world, other);
  expect(w.path).toBe(join(path, ".git"));
  const made = world.commit(other, { b: "1" });
  await w.pass();
  expect(w.receipts()).toMatchObject([{ source: "work", user, updates: [entry("refs/heads/side", start, made)] }]);
  const inMain = world.commit(path, { c: "1" });
  await w.pass();
  expect(w.receipts().slice(1)).toMatchObject([{ source: "work", updates: [entry(main, start, inMain)] }]);
});

test("with core.hooksPath the shim goes where git looks, be it relative or absolute", async () => {
  for (const [name, value, folder] of [
    ["relative", ".githooks", "relative/.githooks"],
    ["absolute", world.at("abs-hooks"), "abs-hooks"],
  ] as const) {
    const path = world.workTree(name);
    const start = world.commit(path, { a: "1" });
    git(path, "config", "core.hooksPath", value);
    const w = await hearing(world, path);
    expect(fs.existsSync(world.at(folder, "post-commit"))).toBe(true);
    const made = world.commit(path, { a: "2" });
    await w.pass();
    expect(w.receipts()).toMatchObject([{ source: "work", updates: [entry(main, start, made)] }]);
  }
});

test("a hooks folder of the user's own configuration gets the shim, which leaves repositories alone that are not registered", async () => {
  const config = world.at("user", ".gitconfig");
  const env = { GIT_CONFIG_GLOBAL: config };
  const { GIT_CONFIG_GLOBAL: before } = process.env;
  process.env["GIT_CONFIG_GLOBAL"] = config;
  fs.writeFileSync(config, `[core]\n\thooksPath = ${world.at("all-hooks")}\n`);
  try {
    const [first = "", second = ""] = ["shared-1", "shared-2"].map((name) => world.workTree(name));
    const commit = (cwd: string) => world.run(["git", "commit", "-q", "--allow-empty", "-m", "m"], { cwd, env });
    const w = await hearing(world, first);
    expect(fs.existsSync(world.at("all-hooks", "post-commit"))).toBe(true);
    expect(commit(second)).toEqual({ stdout: "", stderr: "", code: 0 });
    expect(commit(first)).toEqual({ stdout: "", stderr: "", code: 0 });
    expect(w.spool()).toHaveLength(1);
    await w.pass();
    expect(w.receipts()).toMatchObject([{ source: "work" }]);
    const other = await hearing(world, second);
    expect(await uninstall(w.home, w.repository(), false)).toMatchObject({
      removed: [],
      keptFor: world.at("all-hooks"),
    });
    expect(commit(second)).toEqual({ stdout: "", stderr: "", code: 0 });
    expect(other.spool(), "the other repository still uses it").toHaveLength(1);
  } finally {
    process.env["GIT_CONFIG_GLOBAL"] = before;
    fs.rmSync(config);
  }
});

test("husky's folder is not written to; what is committed there is found all the same", async () => {
  const path = world.workTree("husky");
  const start = world.commit(path, { a: "1" });
  fs.mkdirSync(join(path, ".husky", "_"), { recursive: true });
  git(path, "config", "core.hooksPath", ".husky/_");
  expect(await register(path, null)).toMatchObject({ noShim: expect.stringContaining("belongs to husky") });
  const w = await watch(world, path);
  expect(fs.readdirSync(join(path, ".husky", "_"))).toEqual([]);
  const made = world.commit(path, { b: "1" });
  await w.pass();
  expect(w.receipts()).toMatchObject([
    { source: "reconciled", updates: [expect.stringContaining(`${main} ${start} ${made}`)] },
  ]);
});

test("R8: a SHA-256 repository is served from init to hook", async () => {
  const r = await serve(world, { format: "sha256" });
  r.hook(`cat > '${r.file("got")}'`);
  r.hook(`cat > '${r.file("updates")}'`, { stdin: "updates" });
  const pushed = r.push({ files: { b: "1" } });
  expect(pushed).toMatch(/^[0-9a-f]{64}$/);
  r.git(["push", "-q", "origin", "HEAD:refs/heads/side"]);
  await r.pass();
  const none = "0".repeat(64);
  expect(r.read("updates")).toBe(`${r.start} ${pushed} ${main}\n${none} ${pushed} refs/heads/side\n`);
  expect(r.read("got")).toMatch(new RegExp(`^${pushed} check-in to main by alice on .*\n[0-9a-f]{64} file b\n$`));
});

test("refs and paths that are not UTF-8 reach the hook byte for byte, and the auxiliary file in a form JSON can hold", async () => {
  const r = await serve(world);
  r.hook(`cat > '${r.file("updates")}'; cp %A '${r.file("told")}'`, { stdin: "updates" });
  r.hook(`cat > '${r.file("paths")}'`, { stdin: "paths" });
  r.hook("true", { refs: ["refs/heads/caf?"], name: "matched" });
  const script = `printf x > "$(printf 'na\\357ve')" && git add -A && git commit -q -m m &&
    git push -q origin "HEAD:refs/heads/$(printf 'caf\\351')"`;
  expect(world.run(["sh", "-c", script], { cwd: r.clone }).code).toBe(0);
  await r.pass();
  const pushed = r.git(["rev-parse", "HEAD"]);
  const bytes = (name: string) => fs.readFileSync(r.file(name), "latin1");
  expect(bytes("updates")).toBe(`${zero} ${pushed} refs/heads/caf\xe9\n`);
  expect(bytes("paths")).toBe("na\xefve\0");
  const [receipt] = JSON.parse(r.read("told")).receipts;
  const raw = Buffer.from("refs/heads/caf\xe9", "latin1").toString("base64");
  expect(receipt.updates).toMatchObject([{ refBase64: raw, new: pushed, how: "entry" }]);
  expect(r.runs()).toMatchObject([{ state: "done" }, { state: "done" }, { state: "done" }]);
});

test("commits pay for no shim while nobody is to hear of them, and the first hook starts with what comes after it", async () => {
  const path = world.workTree("unheard");
  world.commit(path, { a: "1" });
  const w = await watch(world, path);
  const shims = () => fs.readdirSync(join(path, ".git", "hooks")).filter((name) => /^post-[a-z]+$/.test(name));
  expect(shims()).toEqual(["post-receive"]);
  const unheard = world.commit(path, { a: "2" });
  fs.utimesSync(join(path, ".git", "refs", "heads", "main"), 0, 0); // it was made long ago
  fs.utimesSync(join(path, ".git", "refs", "heads"), 0, 0);

  world.gatepost(["hook", "add", "-R", path, "--type", "after-receive", "--command", `cat > '${w.file("out")}'`]);
  expect(shims().sort()).toEqual(["post-checkout", "post-commit", "post-merge", "post-receive", "post-rewrite"]);
  const heard = world.commit(path, { a: "3" });
  await w.pass();
  expect(w.read("out")).toContain(heard);
  expect(w.read("out")).not.toContain(unheard);

  world.gatepost(["hook", "delete", "-R", path, "1"]);
  expect(shims()).toEqual(["post-receive"]);
});
