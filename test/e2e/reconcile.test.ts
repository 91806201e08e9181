import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { fromText } from "../../src/core/bytes.ts";
import { formatEntry } from "../../src/spool/entry.ts";
import { makeWorld } from "../helpers/cli.ts";
import { backdate, enter, entry, found, leave, type Served, serve, zero } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

const main = "refs/heads/main";

/** Passes, twice: what is found once must not be found again. Returns the updates of the reconciled receipts. */
async function foundOnce(r: Served): Promise<string[][]> {
  await r.pass();
  const receipts = r.receipts();
  await r.pass();
  expect(r.receipts()).toEqual(receipts);
  expect(r.spool()).toEqual([]);
  for (const receipt of receipts) expect(receipt).toMatchObject({ source: "reconciled", user: null });
  return receipts.map(({ updates }) => updates);
}

const handedOut = (r: Served) => r.hook(`cat >> '${r.file("got")}'`, { stdin: "updates" });

test("a push with the shim removed is found exactly once, and handed out", async () => {
  const r = await serve(world);
  handedOut(r);
  fs.rmSync(join(r.path, "hooks", "post-receive"));
  const pushed = r.push();
  expect(await foundOnce(r)).toEqual([[found(main, r.start, pushed)]]);
  expect(r.read("got")).toBe(`${r.start} ${pushed} ${main}\n`);
});

test("A3: a push whose shim was killed goes well, and is found exactly once", async () => {
  const r = await serve(world);
  r.replaceHook("post-receive", "kill -KILL $$");
  const pushed = r.push();
  expect(await foundOnce(r)).toEqual([[found(main, r.start, pushed)]]);
});

test("A4: a push whose receive-pack was killed after the refs moved is found exactly once", async () => {
  const r = await serve(world);
  handedOut(r);
  r.replaceHook("reference-transaction", '[ "$1" != committed ] || kill -KILL "$PPID"');
  const pushed = world.commit(r.clone);
  const push = world.run(["git", "push", "-q", "origin", `HEAD:${main}`], { cwd: r.clone });
  expect(push.code).not.toBe(0);
  fs.rmSync(join(r.path, "hooks", "reference-transaction"));
  expect(r.inside(["rev-parse", main])).toBe(pushed);
  expect(r.spool()).toEqual([]);
  expect(await foundOnce(r)).toEqual([[found(main, r.start, pushed)]]);
  expect(r.read("got")).toBe(`${r.start} ${pushed} ${main}\n`);
});

test("refs that git update-ref moved, made and deleted are found exactly once", async () => {
  const r = await serve(world);
  r.git(["push", "-q", "origin", "HEAD:refs/heads/old"]);
  await r.pass();
  const [{ id = 0 } = {}] = r.receipts();
  const tree = r.inside(["rev-parse", `${main}^{tree}`]);
  const made = r.inside(["commit-tree", "-m", "by hand", tree]);
  r.inside(["update-ref", main, made]);
  r.inside(["update-ref", "refs/anything/new", made]);
  r.inside(["update-ref", "-d", "refs/heads/old"]);
  await r.pass();
  await r.pass();
  expect(r.receipts().filter((receipt) => receipt.id > id)).toMatchObject([
    {
      source: "reconciled",
      updates: [
        found("refs/anything/new", zero, made),
        found("refs/heads/main", r.start, made),
        found("refs/heads/old", r.start, zero),
      ],
    },
  ]);
});

test("what a fetch brings into a mirror is found exactly once", async () => {
  const r = await serve(world);
  const upstream = world.workTree("upstream");
  const first = world.commit(upstream, { a: "1" });
  world.git(["tag", "v1"], { cwd: upstream });
  r.inside(["fetch", "-q", upstream, "+refs/*:refs/*"]);
  expect(await foundOnce(r)).toEqual([[found(main, r.start, first), found("refs/tags/v1", zero, first)]]);
});

test("a missing link between two pushes is bridged, in its place", async () => {
  const r = await serve(world);
  const shim = fs.readFileSync(join(r.path, "hooks", "post-receive"));
  const first = r.push({ env: { GL_USER: "bob" } });
  fs.rmSync(join(r.path, "hooks", "post-receive"));
  const second = r.push();
  fs.writeFileSync(join(r.path, "hooks", "post-receive"), shim, { mode: 0o755 });
  const third = r.push({ env: { GL_USER: "carol" } });
  await r.pass();
  expect(r.receipts()).toMatchObject([
    { source: "push", user: "bob", updates: [entry(main, r.start, first)] },
    { source: "reconciled", updates: [found(main, first, second)] },
    { source: "push", user: "carol", updates: [entry(main, second, third)] },
  ]);
});

test("registering a repository that has content starts with what is there", async () => {
  const r = await serve(world);
  r.hook("true");
  await r.pass();
  expect(r.receipts()).toEqual([]);
  expect(r.runs()).toEqual([]);
});

test("K5: where gatepost is gone from the home a push goes well, with one line for its user, and waits in the spool", async () => {
  const r = await serve(world);
  fs.rmSync(r.home.layout.manual);
  fs.rmSync(r.home.layout.program);
  world.commit(r.clone);
  const push = world.run(["git", "push", "-q", "origin", `HEAD:${main}`], { cwd: r.clone });
  expect(push.code).toBe(0);
  expect(push.stderr.trim().split("\n")).toEqual([
    expect.stringMatching(/^remote: gatepost: no backoffice could be started: bin\/gatepost is missing from the home/),
  ]);
  expect(r.spool()).toHaveLength(1);
  r.set("automatic-backoffice", "off");
  await r.pass();
  expect(r.receipts()).toMatchObject([{ source: "push" }]);
});

test("A11: what is in the spool and can be no entry is set aside with its reason, and the others are drained", async () => {
  const r = await serve(world);
  const pushed = r.push();
  const [good = ""] = r.spool();
  const text = fs.readFileSync(good, "latin1");
  const { spool } = r.home.layout;
  const put = (name: string, content: string) => fs.writeFileSync(join(spool, `${name}.entry`), content, "latin1");
  put("flipped", text.replace("kind push", "kind pusj"));
  put("goes-on", `${text}more\n`);
  put("miscounts", text.replace("end 1", "end 2"));
  put("newer", text.replace("gatepost 1", "gatepost 2"));
  put("noise", "\0\0\0\n");
  put("stranger", text.replace(`dir ${r.path}`, `dir ${world.dir}`));
  put("empty", "");
  backdate(join(spool, "empty.entry"), 61_000);
  put("huge", "gatepost 1\n");
  fs.truncateSync(join(spool, "huge.entry"), 64 * 1024 * 1024 + 1);
  fs.symlinkSync(good, join(spool, "symlink.entry"));
  put("linked", text);
  fs.linkSync(join(spool, "linked.entry"), join(spool, "linked-too.entry"));
  fs.mkdirSync(join(spool, "folder.entry"));
  await r.pass();
  expect(r.receipts()).toMatchObject([{ source: "push", updates: [entry(main, r.start, pushed)] }]);
  expect(r.spool()).toEqual([]);
  expect(r.aside()).toEqual([
    `${world.dir} was copied or moved: gatepost init`,
    "format 2 is not known",
    "goes on after its last line",
    "has 1 updates, its last line says 2",
    "has more than one name",
    "has more than one name",
    "is a symbolic link",
    "is larger than 67108864 bytes",
    "is no regular file",
    "is of an unknown kind",
    "not an entry",
    "was never finished",
  ]);
  expect(r.complaints).toHaveLength(12);
});

test("K6: a thousand entries that waited long are drained in order, as one batch", async () => {
  const r = await serve(world);
  r.hook("wc -l", { stdin: "updates" });
  const count = 1000;
  const value = (n: number): string => (n === 0 || n === count ? r.start : n.toString(16).padStart(40, "0"));
  for (let n = 0; n < count; n++) {
    const nothing = { namespace: null, glUser: null, glRepo: null, remoteUser: null, address: null, options: [] };
    const updates = [{ old: value(n), new: value(n + 1), ref: fromText(main) }];
    const bytes = formatEntry({ kind: "push", hook: "post-receive", dir: fromText(r.path), ...nothing, updates });
    fs.writeFileSync(join(r.home.layout.spool, `e${n}.entry`), bytes);
  }
  await r.pass();
  const receipts = r.receipts();
  expect(receipts).toHaveLength(count);
  expect(receipts.every(({ updates }, n) => updates[0] === entry(main, value(n), value(n + 1)))).toBe(true);
  expect(r.batches()).toMatchObject([{ receipts: count }]);
  expect(
    r
      .runs()
      .flatMap((run) => r.attempts(run))[0]
      ?.outputHead?.toString(),
  ).toBe(`${count}\n`);
  expect(r.spool()).toEqual([]);
});
