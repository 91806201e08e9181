/** Faults of repositories while they are served: git's own upkeep, pushes in part, places that change, and long absence. */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { register } from "../../src/home/init.ts";
import { makeWorld, until } from "../helpers/cli.ts";
import {
  backdate,
  enter,
  entry,
  leave,
  runs,
  type Served,
  serve,
  startGit,
  Watched,
  watch,
  zero,
} from "../helpers/served.ts";

const world = makeWorld("gatepost-fault-repositories-");
enter(world);
afterAll(() => leave(world));

const ROOT = process.getuid?.() === 0;
const HOUR = 3_600_000;
const main = "refs/heads/main";

/** A hook that keeps each update it gets, in the order in which it got them. */
const keepUpdates = (r: Served): void => void r.hook(`cat >> '${r.file("updates")}'`, { stdin: "updates" });
const handedOut = (r: Served): string[] =>
  fs.existsSync(r.file("updates")) ? r.read("updates").trim().split("\n") : [];
/** What moved, as a hook is told of it: from the start through each of these values. */
const steps = (start: string, values: readonly string[], ref = main): string[] =>
  values.map((value, n) => `${values[n - 1] ?? start} ${value} ${ref}`);

function shell(line: string, cwd: string): ChildProcess {
  return spawn("sh", ["-c", line], { cwd, env: { ...world.env }, stdio: "ignore" });
}
const exited = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => (child.exitCode !== null ? resolve(child.exitCode) : child.once("exit", resolve)));

describe("R4: git's upkeep in a loop while pushes arrive and lists are read", () => {
  const tables = /--ref-format/.test(world.run(["git", "init", "-h"]).stdout);

  test.for([
    ["files", true],
    ["reftable", tables],
  ] as const)(
    "with refs as %s hands out each push once, and makes no receipt of what is no change",
    async ([format, known], { skip }) => {
      if (!known) skip("this git has no reftable");
      const r = await serve(world);
      if (format === "reftable") r.inside(["refs", "migrate", "--ref-format=reftable"]);
      keepUpdates(r);
      r.hook(`cat >> '${r.file("listed")}'`);
      const [stop, round] = [r.file("stop"), r.file("round")];
      const upkeep = shell(
        `while [ ! -e '${stop}' ]; do
        git gc -q; git repack -adq; git pack-refs --all --prune; git commit-graph write --reachable; echo >>'${round}'
      done`,
        r.path,
      );
      const pushed: string[] = [];
      for (let n = 0; n < 12; n += 1) {
        pushed.push(r.push({ files: { [`f${n % 3}`]: `${n}\n` } }));
        if (n % 3 === 2) await r.pass();
        const rounds = fs.existsSync(round) ? fs.statSync(round).size : 0;
        if (n % 4 === 3)
          await until("a round of upkeep", () => fs.existsSync(round) && fs.statSync(round).size > rounds);
      }
      await r.pass();
      fs.writeFileSync(stop, "");
      expect(await exited(upkeep)).toBe(0);
      const before = r.receipts();
      for (const upkeepOf of [
        ["gc", "-q", "--prune=now"],
        ["pack-refs", "--all", "--prune"],
        ["repack", "-adq"],
      ]) {
        r.inside(upkeepOf);
        await r.pass();
      }
      expect(r.receipts()).toEqual(before);
      expect(handedOut(r)).toEqual(steps(r.start, pushed));
      const listed = r
        .read("listed")
        .split("\n")
        .filter((line) => line.includes(" check-in "));
      expect(listed.map((line) => line.split(" ")[0])).toEqual(pushed);
      expect(before.flatMap(({ updates }) => updates)).toHaveLength(pushed.length);
      expect(r.complaints).toEqual([]);
    },
  );
});

describe("R5: a push", () => {
  test("from a shallow clone is listed as far as it goes", async () => {
    const r = await serve(world);
    r.push();
    await r.pass();
    const top = r.inside(["rev-parse", main]);
    r.hook(`cat > '${r.file("got")}'`);
    const shallow = `${r.clone}-shallow`;
    world.git(["clone", "-q", "--depth=1", `file://${r.path}`, shallow]);
    const made = world.commit(shallow, { new: "n\n" });
    world.git(["push", "-q", "origin", `HEAD:${main}`], { cwd: shallow });
    await r.pass();
    expect(r.receipts().at(-1)).toMatchObject({ source: "push", updates: [entry(main, top, made)] });
    expect(r.read("got")).toMatch(new RegExp(`^${made} check-in to main .*\n[0-9a-f]{40} file new\n$`));
  });

  test("from a shallow clone into a repository that takes its edge lists what is there", async () => {
    const r = await serve(world);
    r.inside(["config", "receive.shallowUpdate", "true"]);
    r.hook(`cat > '${r.file("got")}'`);
    const from = world.workTree(`${r.row.name}-far`);
    world.commit(from, { a: "1" });
    const edge = world.commit(from, { a: "2" });
    const shallow = `${from}-shallow`;
    world.git(["clone", "-q", "--depth=1", `file://${from}`, shallow]);
    world.git(["push", "-q", r.path, "HEAD:refs/heads/edge"], { cwd: shallow });
    await r.pass();
    expect(r.receipts()).toMatchObject([{ updates: [entry("refs/heads/edge", zero, edge)] }]);
    expect(r.read("got")).toMatch(new RegExp(`^${edge} check-in to edge `));
  });

  test.each([
    [
      "that an update hook refuses in part",
      [],
      (r: Served) => r.replaceHook("update", "case $1 in *bad*) exit 1 ;; esac"),
      true,
    ],
    ["that git refuses in part", [], (r: Served) => r.inside(["config", "receive.denyDeletes", "true"]), true],
    [
      "--atomic that an update hook refuses in part",
      ["--atomic"],
      (r: Served) => r.replaceHook("update", "case $1 in *bad*) exit 1 ;; esac"),
      false,
    ],
    [
      "--atomic that git refuses in part",
      ["--atomic"],
      (r: Served) => r.inside(["config", "receive.denyDeletes", "true"]),
      false,
    ],
  ])("%s is on a receipt with the refs that moved, and no other", async (_what, args, prepare, moves) => {
    const r = await serve(world);
    r.push({ to: "bad" });
    await r.pass();
    const before = r.receipts();
    keepUpdates(r);
    prepare(r);
    const made = world.commit(r.clone);
    // What moves first, is refused, and moves last.
    const refs = ["HEAD:refs/heads/first", ":refs/heads/bad", `HEAD:${main}`];
    expect(world.run(["git", "push", "-q", ...args, "origin", ...refs], { cwd: r.clone }).code).toBe(1);
    await r.pass();
    const moved = moves ? [`${zero} ${made} refs/heads/first`, `${r.start} ${made} ${main}`] : [];
    const receipts = r.receipts().slice(before.length);
    const entries = [entry("refs/heads/first", zero, made), entry(main, r.start, made)];
    expect(receipts.flatMap(({ updates }) => updates).sort()).toEqual(moves ? entries.sort() : []);
    expect(receipts).toHaveLength(moves ? 1 : 0);
    expect(handedOut(r).sort()).toEqual([...moved].sort());
    expect(r.spool()).toEqual([]);
  });
});

test("R6: of a push that pre-receive refuses nothing is looked at, neither while it is judged nor later", async () => {
  const r = await serve(world);
  r.hook(`cat >> '${r.file("got")}'`);
  const fifo = r.file("fifo");
  world.run(["mkfifo", fifo]);
  r.replaceHook("pre-receive", `echo "$GIT_QUARANTINE_PATH" >'${r.file("quarantine")}'; cat '${fifo}'; exit 1`);
  const refused = world.commit(r.clone, { secret: "s\n" });
  const pushing = startGit(world, ["push", "-q", "origin", `HEAD:${main}`, "HEAD:refs/heads/more"], { cwd: r.clone });
  await until("it is in quarantine", () => fs.existsSync(r.file("quarantine")) && r.read("quarantine").length > 1);
  expect(fs.existsSync(r.read("quarantine").trim())).toBe(true);
  await r.pass();
  expect([r.receipts(), r.runs(), r.complaints]).toEqual([[], [], []]);
  fs.writeFileSync(fifo, "");
  expect(await pushing).toBe(1);
  await r.pass();
  expect([r.receipts(), r.runs(), r.complaints, r.spool()]).toEqual([[], [], [], []]);
  expect(world.run(["git", "cat-file", "-e", refused], { cwd: r.path }).code).not.toBe(0);
  r.replaceHook("pre-receive", "exit 0");
  r.git(["push", "-q", "origin", `HEAD:${main}`]);
  await r.pass();
  expect(r.receipts()).toMatchObject([{ updates: [entry(main, r.start, refused)] }]);
});

describe("R7: a repository", () => {
  let homes = 0;
  const elsewhere = (): string => world.at(`home-${++homes}`);

  test("in whose place another one stands waits with the reason, and nothing of the other is handed out until init", async () => {
    const r = await serve(world, { home: elsewhere() });
    keepUpdates(r);
    fs.renameSync(r.path, `${r.path}.away`);
    world.git(["init", "-q", "--bare", "-b", "main", r.path]);
    world.git(["push", "-q", r.path, `HEAD:${main}`], { cwd: r.clone });
    await r.pass();
    expect(r.repository().parked).toContain(`Another repository stands at ${r.path}`);
    expect([r.receipts(), handedOut(r)]).toEqual([[], []]);
    await r.pass();
    expect(r.complaints, "said once").toHaveLength(1);
    fs.rmSync(r.path, { recursive: true });
    fs.renameSync(`${r.path}.away`, r.path);
    const pushed = r.push();
    await r.pass();
    expect(r.repository().parked).toBeNull();
    expect(handedOut(r)).toEqual(steps(r.start, [pushed]));
  });

  test("that was moved away from its home is not looked for; init at the new place settles it", async () => {
    const r = await serve(world, { home: elsewhere() });
    keepUpdates(r);
    const before = r.push();
    await r.pass();
    const path = r.path.replace(/\.git$/, "-moved.git");
    fs.renameSync(r.path, path);
    world.commit(r.clone);
    r.git(["push", "-q", path, `HEAD:${main}`]);
    await r.pass();
    expect(r.repository().parked, "a reason").toEqual(expect.any(String));
    expect(handedOut(r)).toEqual(steps(r.start, [before]));
    // The home knows it by its place: there it is another one, and has the hooks that are given to it, or to all.
    const { repository } = await register(path, null);
    const settled = new Watched(world, r.home, repository);
    settled.hook(`cat >> '${settled.file("updates")}'`, { stdin: "updates" });
    const last = r.inside(["rev-parse", main], { cwd: path });
    const after = world.commit(r.clone);
    r.git(["push", "-q", path, `HEAD:${main}`]);
    await r.pass();
    expect(handedOut(r)).toEqual([...steps(r.start, [before]), `${last} ${after} ${main}`]);
  });

  test("that was moved and has a link in its place is the same one still", async () => {
    const r = await serve(world, { home: elsewhere() });
    keepUpdates(r);
    fs.renameSync(r.path, `${r.path}.real`);
    fs.symlinkSync(`${r.path}.real`, r.path);
    const pushed = r.push();
    await r.pass();
    expect(handedOut(r)).toEqual(steps(r.start, [pushed]));
  });

  test("in whose place a link to another one stands waits with the reason", async () => {
    const r = await serve(world, { home: elsewhere() });
    const other = await serve(world, { home: elsewhere() });
    keepUpdates(r);
    other.push();
    fs.renameSync(r.path, `${r.path}.away`);
    fs.symlinkSync(other.path, r.path);
    await r.pass();
    expect(r.repository().parked).toContain("Another repository stands at");
    expect([r.receipts(), handedOut(r)]).toEqual([[], []]);
  });

  test.skipIf(!ROOT)(
    "that was given to another user waits with the reason, and goes on when it is given back",
    async () => {
      const r = await serve(world, { home: elsewhere() });
      keepUpdates(r);
      const pushed = r.push();
      fs.chownSync(r.path, 12_345, 12_345);
      await r.pass();
      expect(r.repository().parked).toBe(`${r.path} belongs to another user now (uid 12345).`);
      expect([r.receipts(), handedOut(r), r.spool().length]).toEqual([[], [], 1]);
      fs.chownSync(r.path, 0, 0);
      await r.pass();
      expect(r.repository().parked).toBeNull();
      expect(handedOut(r)).toEqual(steps(r.start, [pushed]));
    },
  );

  test.skipIf(!ROOT)("that is not mounted waits with the reason, and goes on when it is", async ({ skip }) => {
    const real = world.bare(`real-${homes}.git`);
    const place = world.at(`mounted-${homes}.git`);
    fs.mkdirSync(place);
    if (world.run(["mount", "--bind", real, place]).code !== 0) skip("nothing can be mounted here");
    try {
      const clone = world.clone(real, `mounted-clone-${homes}`);
      const start = world.commit(clone);
      const push = () => world.git(["push", "-q", place, `HEAD:${main}`], { cwd: clone });
      push();
      const w = await watch(world, place, elsewhere());
      w.hook(`cat >> '${w.file("updates")}'`, { stdin: "updates" });
      const one = world.commit(clone);
      push();
      world.run(["umount", place]);
      await w.pass();
      expect(w.repository().parked).toEqual(expect.any(String));
      expect(w.complaints).toHaveLength(1);
      expect(w.receipts()).toEqual([]);
      world.run(["mount", "--bind", real, place]);
      const two = world.commit(clone);
      push();
      await w.pass();
      expect(w.repository().parked).toBeNull();
      expect(w.read("updates")).toBe(`${start} ${one} ${main}\n${one} ${two} ${main}\n`);
    } finally {
      world.run(["umount", "-l", place]);
    }
  });
});

describe("R8: a repository", () => {
  test("whose objects are in another one is served, and waits with its name while those are gone", async () => {
    const store = await serve(world);
    const path = world.at("borrows.git");
    world.git(["clone", "-q", "--bare", "--shared", store.path, path]);
    fs.rmSync(join(path, "gatepost"), { recursive: true, force: true });
    const w = await watch(world, path, world.at("home-of-borrows"));
    w.hook(`cat >> '${w.file("got")}'`);
    const pushed = world.commit(store.clone, { more: "m\n" });
    store.git(["push", "-q", path, `HEAD:${main}`]);
    await w.pass();
    expect(w.read("got")).toMatch(new RegExp(`^${pushed} check-in to main .*\n[0-9a-f]{40} file more\n$`));
    const next = world.commit(store.clone, { most: "m\n" });
    store.git(["push", "-q", path, `HEAD:${main}`]);
    const objects = join(store.path, "objects");
    fs.renameSync(objects, `${objects}.away`);
    await w.pass();
    fs.renameSync(`${objects}.away`, objects);
    await w.pass();
    expect(w.receipts()[0]?.updates).toEqual([entry(main, store.start, pushed)]);
    expect(w.receipts()).toHaveLength(2);
    expect(w.receipts()[1]?.updates).toEqual([entry(main, pushed, next)]);
  });

  test("that has submodules is served, and a moved one is a path like others", async () => {
    const part = await serve(world);
    const r = await serve(world);
    r.hook(`cat > '${r.file("got")}'`);
    r.hook(`cat > '${r.file("paths")}'`, { stdin: "paths" });
    r.git(["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", part.path, "part"]);
    const added = r.push();
    await r.pass();
    expect(r.receipts()).toMatchObject([{ updates: [entry(main, r.start, added)] }]);
    expect(r.read("got").split("\n")[0]).toMatch(new RegExp(`^${added} check-in`));
    expect(r.read("paths").split("\0").sort()).toEqual(["", ".gitmodules", "part"]);
    world.commit(join(r.clone, "part"), { inner: "i\n" });
    r.push();
    await r.pass();
    expect(r.read("paths")).toBe("part\0");
    expect(r.complaints).toEqual([]);
  });
});

describe("R10: a month without a daemon", () => {
  const month = [30, 29, 22, 15, 8, 2, 1.1].map((days) => days * 24 * HOUR).concat([23 * HOUR, HOUR, 0]);
  async function away(r: Served): Promise<string[]> {
    const pushed: string[] = [];
    for (const ago of month) {
      const there = new Set(r.spool());
      pushed.push(r.push());
      for (const file of r.spool()) if (!there.has(file)) backdate(file, ago);
    }
    r.hook(`cat %A > '${r.file("aux.json")}'`, { name: "facts" });
    return pushed;
  }

  test("the newest 24 hours arrive; the rest is counted, and named in what the hook gets and in the run", async () => {
    const r = await serve(world);
    keepUpdates(r);
    const pushed = await away(r);
    await r.pass();
    const old = month.filter((ago) => ago > 24 * HOUR).length;
    expect(r.receipts()).toHaveLength(pushed.length);
    expect(handedOut(r)).toEqual(steps(r.start, pushed).slice(old));
    const aux = JSON.parse(r.read("aux.json"));
    const ids = r.receipts().map(({ id }) => id);
    expect(aux.leftOut).toMatchObject({ count: old, reason: "older than the window" });
    expect(aux.leftOut.receipts.map(({ rcvid }: { rcvid: number }) => rcvid)).toEqual(ids.slice(0, old));
    const shown = world.gatepost(["runs", "show", `${r.runs()[0]?.id}`, "-R", r.path]).stdout;
    expect(shown).toContain(`${old} receipts older than the window left out`);
  });

  test("with window all everything arrives", async () => {
    const r = await serve(world);
    r.set("window", "all");
    keepUpdates(r);
    const pushed = await away(r);
    await r.pass();
    expect(handedOut(r)).toEqual(steps(r.start, pushed));
    expect(JSON.parse(r.read("aux.json")).leftOut).toMatchObject({ count: 0 });
  });
});

describe("R11: a client that is killed", () => {
  /** Starts a push, waits until a hook on the other side stands at a fifo, kills the client, lets the hook go on. */
  async function killWhile(r: Served, place: string, then: string): Promise<{ made: string }> {
    const [fifo, pid] = [r.file("fifo"), r.file("pid")];
    world.run(["mkfifo", fifo]);
    fs.mkdirSync(join(place, ".."), { recursive: true });
    fs.rmSync(place, { force: true });
    fs.writeFileSync(
      place,
      `#!/bin/sh\n[ ! -e '${pid}' ] || exit 0\necho "$$ $PPID" >'${pid}.new'; mv '${pid}.new' '${pid}'\ncat '${fifo}'\n${then}\n`,
      { mode: 0o755 },
    );
    const made = world.commit(r.clone);
    const client = spawn("git", ["push", "-q", "origin", `HEAD:${main}`, "HEAD:refs/heads/more"], {
      cwd: r.clone,
      env: { ...world.env, GL_USER: "bob" },
      stdio: "ignore",
    });
    await until("the hook runs", () => fs.existsSync(pid));
    client.kill("SIGKILL");
    await exited(client);
    fs.writeFileSync(fifo, "");
    const pids = fs.readFileSync(pid, "utf8").trim().split(" ").map(Number);
    await until("the other side has ended", () => !pids.some(runs));
    return { made };
  }
  const refs = (r: Served): string[] =>
    r.inside(["for-each-ref", "--format=%(refname) %(objectname)"]).split("\n").sort();

  test("while the hook behind the shim prints: the shim had written all down, with who pushed", async () => {
    const r = await serve(world);
    keepUpdates(r);
    const chained = join(r.path, "hooks", "gatepost", "chained", "post-receive");
    const { made } = await killWhile(r, chained, "seq 1000; seq 1000 >&2");
    expect(r.spool()).toHaveLength(1);
    await r.pass();
    expect(r.receipts()).toMatchObject([{ source: "push", user: "bob" }]);
    expect(handedOut(r).sort()).toEqual([`${r.start} ${made} ${main}`, `${zero} ${made} refs/heads/more`].sort());
  });

  test.each(["pre-receive", "update"])(
    "while %s prints: what moved is handed out, once, and nothing else",
    async (hook) => {
      const r = await serve(world);
      keepUpdates(r);
      const { made } = await killWhile(r, join(r.path, "hooks", hook), "seq 1000; seq 1000 >&2; exit 0");
      await until(
        "all of it has ended",
        () => !fs.readdirSync(join(r.path, "objects")).some((name) => name.startsWith("tmp_objdir")),
      );
      await r.pass();
      const moved = refs(r).flatMap((line) => {
        const [ref = "", value = ""] = line.split(" ");
        const old = ref === main ? r.start : zero;
        return value === old ? [] : [`${old} ${value} ${ref}`];
      });
      expect(moved.every((line) => line.includes(` ${made} `))).toBe(true);
      expect(handedOut(r).sort()).toEqual(moved.sort());
      r.push();
      fs.rmSync(r.file("fifo"), { force: true });
      await r.pass();
      expect(new Set(handedOut(r)).size).toBe(handedOut(r).length);
    },
  );
});
