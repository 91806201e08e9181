import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { makeWorld, until } from "../helpers/cli.ts";
import {
  backdate,
  claimed,
  enter,
  entry,
  found,
  leave,
  type Served,
  serve,
  startGit,
  zero,
} from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

const main = "refs/heads/main";
const side = "refs/heads/side";

/** Starts a push of bob's that runs on while the test goes on. */
const pushAside = (r: Served, refs: readonly string[]): Promise<number | null> =>
  startGit(world, ["push", "-q", "origin", ...refs], { cwd: r.clone, env: { GL_USER: "bob" } });

/** Shell text that says it is here and waits until it may go on. */
const pause = (r: Served): string => `: > '${r.file("here")}'; while [ ! -e '${r.file("go")}' ]; do sleep 0.02; done`;
const paused = (r: Served) => until("git waits in its hook", () => fs.existsSync(r.file("here")));
const goOn = (r: Served) => fs.writeFileSync(r.file("go"), "");

test("a pass between a ref's move and its post-receive makes one receipt, with its pusher, however long that takes", async () => {
  const r = await serve(world);
  r.set("reconcile-age", "50ms");
  r.replaceHook("update", `[ "$1" = ${main} ] || { ${pause(r)}; }`);
  const pushed = world.commit(r.clone);
  const pushing = pushAside(r, [`HEAD:${main}`, `HEAD:${side}`]);
  await paused(r);
  expect(r.inside(["rev-parse", main]), "one ref has moved").toBe(pushed);
  const passing = r.pass();
  await until("the pass has looked", () => r.lookedAt());
  const first = r.repository().lookedAt;
  await until("it has looked again, when the move was old", () => r.repository().lookedAt > first + 200);
  expect(r.receipts(), "nothing is taken from its pusher").toEqual([]);
  goOn(r);
  expect(await pushing).toBe(0);
  await passing;
  expect(r.receipts()).toMatchObject([
    { source: "push", user: "bob", updates: [entry(main, r.start, pushed), entry(side, zero, pushed)] },
  ]);
});

/** Takes the only entry out of the spool; what it returns puts it back. */
function hold(r: Served): () => void {
  const [file = ""] = r.spool();
  fs.renameSync(file, r.file("held"));
  return () => fs.renameSync(r.file("held"), file);
}

test("an entry that comes after its move was reconciled puts its pusher on that receipt", async () => {
  const r = await serve(world);
  r.set("reconcile-age", "50ms");
  r.hook("cat > /dev/null");
  const pushed = r.push({ env: { GL_USER: "bob" } });
  const release = hold(r);
  await r.pass();
  expect(r.receipts()).toMatchObject([{ source: "reconciled", user: null, updates: [found(main, r.start, pushed)] }]);
  release();
  await r.pass();
  expect(r.receipts()).toMatchObject([{ id: 1, source: "push", user: "bob", updates: [found(main, r.start, pushed)] }]);
  expect(r.spool()).toEqual([]);
  expect(r.batches()).toHaveLength(1);
});

test("an entry of which only a part was reconciled puts its pusher on that, and makes a receipt for the rest", async () => {
  const r = await serve(world);
  r.set("reconcile-age", "50ms");
  const pushed = world.commit(r.clone);
  expect(await pushAside(r, [`HEAD:${main}`, `HEAD:${side}`])).toBe(0);
  const release = hold(r);
  r.inside(["update-ref", "-d", side]);
  await r.pass();
  expect(r.receipts()).toMatchObject([{ source: "reconciled", user: null, updates: [found(main, r.start, pushed)] }]);
  r.inside(["update-ref", side, pushed]);
  release();
  await r.pass();
  expect(r.receipts()).toMatchObject([
    { id: 1, source: "push", user: "bob", updates: [found(main, r.start, pushed)] },
    { source: "push", user: "bob", updates: [entry(side, zero, pushed)] },
  ]);
});

test("entries that arrive swapped are put in the order in which the ref moved", async () => {
  const r = await serve(world);
  r.hook(`cat > '${r.file("got")}'`, { stdin: "updates" });
  const first = r.push({ env: { GL_USER: "bob" } });
  const [early = ""] = r.spool();
  const second = r.push({ env: { GL_USER: "carol" } });
  const late = r.spool().find((file) => file !== early) ?? "";
  backdate(early, 10_000);
  backdate(late, 20_000);
  await r.pass();
  expect(r.receipts()).toMatchObject([
    { id: 1, user: "bob", updates: [entry(main, r.start, first)] },
    { id: 2, user: "carol", updates: [entry(main, first, second)] },
  ]);
  expect(r.read("got")).toBe(`${r.start} ${first} ${main}\n${first} ${second} ${main}\n`);
});

test("a ref that moved and moved back is two receipts; without a shim there is nothing to see", async () => {
  const r = await serve(world);
  const there = r.push();
  r.git(["push", "-q", "-f", "origin", `${r.start}:${main}`]);
  await r.pass();
  expect(r.receipts().map(({ updates }) => updates)).toEqual([
    [entry(main, r.start, there)],
    [entry(main, there, r.start)],
  ]);
  r.inside(["update-ref", main, there]);
  r.inside(["update-ref", main, r.start]);
  await r.pass();
  expect(r.receipts()).toHaveLength(2);
});

test("a branch deleted and made again between two passes is two receipts, made and deleted again leaves two as well", async () => {
  const r = await serve(world);
  const other = world.commit(r.clone);
  r.git(["push", "-q", "origin", `:${main}`]);
  r.git(["push", "-q", "origin", `${other}:${main}`]);
  r.git(["push", "-q", "origin", `${other}:${side}`]);
  r.git(["push", "-q", "origin", `:${side}`]);
  await r.pass();
  expect(r.receipts().map(({ updates }) => updates)).toEqual([
    [entry(main, r.start, zero)],
    [entry(main, zero, other)],
    [entry(side, zero, other)],
    [entry(side, other, zero)],
  ]);
});

test("R3: what a force push and gc --prune=now took away is handed out as gone, not an error", async () => {
  const r = await serve(world);
  r.hook(`cat > '${r.file("got")}'`);
  const lost = r.push();
  r.git(["reset", "-q", "--hard", r.start]);
  const kept = r.push({ args: ["-f"], message: "another" });
  r.inside(["reflog", "expire", "--expire=now", "--all"]);
  r.inside(["gc", "-q", "--prune=now"]);
  await r.pass();
  const [gone, checkIn, ...more] = r.read("got").trim().split("\n");
  expect([gone, more]).toEqual([`${lost} gone`, []]);
  expect(checkIn).toMatch(new RegExp(`^${kept} check-in to main by alice on `));
  expect(r.runs()).toMatchObject([{ state: "done", note: '{"gone":{"base":0,"new":1}}' }]);

  r.git(["checkout", "-q", "--orphan", "fresh"]);
  const fresh = r.push({ args: ["-f"], message: "history rewritten" });
  r.inside(["gc", "-q", "--prune=now"]);
  await r.pass();
  expect(r.read("got")).toContain(`${fresh} check-in to main by alice`);
  expect(r.runs()[1]).toMatchObject({ state: "done", note: '{"gone":{"base":1,"new":0}}' });
});

test("R2: a symbolic ref is kept by its target: a push through it moves the target, and pointing it elsewhere is found", async () => {
  const r = await serve(world);
  r.inside(["symbolic-ref", "refs/heads/alias", main]);
  await r.pass();
  expect(r.receipts()).toMatchObject([{ updates: [found("refs/heads/alias", zero, `ref:${main}`)] }]);
  const pushed = r.push({ to: "alias", env: { GL_USER: "bob" } });
  await r.pass();
  expect(r.receipts().slice(1)).toMatchObject([{ user: "bob", updates: [entry(main, r.start, pushed)] }]);
  r.inside(["branch", "side"]);
  r.inside(["symbolic-ref", "refs/heads/alias", side]);
  await r.pass();
  expect(r.receipts().slice(2)).toMatchObject([
    { updates: [found("refs/heads/alias", `ref:${main}`, `ref:${side}`), found(side, zero, pushed)] },
  ]);
});

test("R2: where HEAD points to in a bare repository makes no receipt", async () => {
  const r = await serve(world);
  r.inside(["symbolic-ref", "HEAD", side]);
  await r.pass();
  expect(r.receipts()).toEqual([]);
});

test("R2: tags, notes, and refs of any name are followed in a bare repository", async () => {
  const r = await serve(world);
  r.hook(`cat > '${r.file("got")}'`);
  r.git(["tag", "-a", "-m", "one", "v1"]);
  r.git(["tag", "light"]);
  r.git(["notes", "add", "-m", "note"]);
  const value = (name: string) => r.git(["rev-parse", name]);
  const refs = ["refs/changes/01/1", "refs/notes/commits", "refs/tags/light", "refs/tags/v1"];
  r.git(["push", "-q", "origin", "v1", "light", "refs/notes/commits", "HEAD:refs/changes/01/1"]);
  await r.pass();
  const [receipt] = r.receipts();
  expect([...(receipt?.updates ?? [])].sort()).toEqual(
    refs.map((ref) => entry(ref, zero, value(ref.startsWith("refs/changes") ? "HEAD" : ref))),
  );
  expect(r.read("got")).toContain(`${value("v1")} tag v1\n`);
});

test("R1: a push that moves nothing leaves no entry, and a deletion of what is not there no receipt", async () => {
  const r = await serve(world);
  r.git(["push", "-q", "origin", `HEAD:${main}`]);
  expect(r.spool()).toEqual([]);
  r.git(["push", "-q", "origin", ":refs/heads/never"]);
  await r.pass();
  expect(r.receipts()).toEqual([]);
});

test("a push into a namespace is on its receipt by the full name of the ref", async () => {
  const r = await serve(world);
  const receivePack = "--receive-pack=git --namespace=team/app receive-pack";
  const pushed = r.push({ args: [receivePack], env: { GL_USER: "bob" } });
  await r.pass();
  expect(r.receipts()).toMatchObject([
    { user: "bob", updates: [entry("refs/namespaces/team/refs/namespaces/app/refs/heads/main", zero, pushed)] },
  ]);
});

test("R4: packing refs and collecting garbage make no receipt", async () => {
  const r = await serve(world);
  r.push({ to: "a/b" });
  r.push();
  await r.pass();
  const before = r.receipts();
  r.inside(["pack-refs", "--all", "--prune"]);
  await r.pass();
  r.inside(["gc", "-q", "--prune=now"]);
  await r.pass();
  expect(r.receipts()).toEqual(before);
  const pushed = r.push();
  await r.pass();
  expect(r.receipts().slice(2), "and what moves afterwards is one receipt").toMatchObject([
    { source: "push", updates: [expect.stringContaining(pushed)] },
  ]);
});

test("an entry that is being written while it is looked at is waited for", async () => {
  const r = await serve(world);
  r.set("reconcile-age", "5s");
  const pushed = r.push({ env: { GL_USER: "bob" } });
  const [file = ""] = r.spool();
  const whole = fs.readFileSync(file);
  fs.truncateSync(file, whole.length - 4);
  const passing = r.pass();
  await until("the pass has looked", () => r.lookedAt());
  expect(r.receipts()).toEqual([]);
  fs.appendFileSync(file, whole.subarray(-4));
  await passing;
  expect(r.receipts()).toMatchObject([{ source: "push", user: "bob", updates: [entry(main, r.start, pushed)] }]);
});

test("A3: an entry that is never finished is set aside after a minute, and what it told of is found", async () => {
  const r = await serve(world);
  const pushed = r.push();
  const [file = ""] = r.spool();
  fs.truncateSync(file, fs.statSync(file).size - 4);
  backdate(file, 30_000);
  await r.pass();
  expect(r.receipts()).toMatchObject([{ source: "reconciled", updates: [found(main, r.start, pushed)] }]);
  expect(r.spool(), "it may still be finished").toEqual([file]);
  backdate(file, 61_000);
  await r.pass();
  expect(r.spool()).toEqual([]);
  expect(r.aside()).toEqual(["was never finished"]);
  expect(r.receipts()).toHaveLength(1);
});

test("A10: an entry that is seen again after its receipt was made is taken away and makes no other", async () => {
  const r = await serve(world);
  r.push();
  const [file = ""] = r.spool();
  const text = fs.readFileSync(file);
  await r.pass();
  const before = r.receipts();
  fs.writeFileSync(file, text);
  await r.pass();
  expect(r.receipts()).toEqual(before);
  expect(r.spool()).toEqual([]);
});

test("K2: an entry is only a hint: one that is not true moves nothing and is kept as claimed", async () => {
  const r = await serve(world);
  r.hook(`cat > '${r.file("got")}'`, { stdin: "updates" });
  const pushed = r.push();
  const [file = ""] = r.spool();
  const forged = "f".repeat(40);
  const text = fs.readFileSync(file, "latin1");
  fs.writeFileSync(`${file.replace(/\.entry$/, "")}-2.entry`, text.replaceAll(pushed, forged));
  await r.pass();
  expect(
    r
      .receipts()
      .map(({ updates }) => updates)
      .sort(),
  ).toEqual([[claimed(main, r.start, forged)], [entry(main, r.start, pushed)]].sort());
  expect(r.read("got")).toBe(`${r.start} ${pushed} ${main}\n`);
});
