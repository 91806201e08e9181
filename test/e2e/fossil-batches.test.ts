/** Batches of Fossil repositories: what hooks get, what is left out, what is waited for, and whom it holds up: nobody. */
import { once } from "node:events";
import * as fs from "node:fs";
import { dirname } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { until } from "../helpers/cli.ts";
import {
  checkIns,
  enterFossil,
  hashes,
  incompletePush,
  makeFossilWorld,
  manyFiles,
  received,
  watchFossil,
} from "../helpers/fossil.ts";
import { leave, type Watched } from "../helpers/served.ts";
import { another } from "../vcs/fossil-stand.ts";

const world = makeFossilWorld();
enterFossil(world);
afterAll(() => leave(world));

const HOUR = 3_600_000;

const states = (r: Watched): string[] =>
  r.runs().map(({ state, reason }) => (reason === null ? state : `${state}: ${reason}`));

/** What the hook wrote into the file `got`; nothing where it did not run. */
const got = (r: Watched): string => (fs.existsSync(r.file("got")) ? r.read("got") : "");

describe("what a hook gets", () => {
  test("the lines that Fossil's own hook would get, once for all that arrived, and who and when in a file", async () => {
    const r = await watchFossil(world);
    r.hook(
      `cat > '${r.file("got")}'; cat %A > '${r.file("aux.json")}'; env > '${r.file("env")}'; pwd > '${r.file("cwd")}'`,
    );
    const server = await world.server(r.path);
    const c = world.apart(r.path);
    world.checkIn(c, { "d/b c.txt": "1\n", é: "2\n" });
    world.push(c, server.url);
    await server.stop();
    world.fossil(["tag", "add", "--raw", "release", "trunk", "-R", r.path]);
    world.wiki(r.path, "My Page");
    await r.pass();
    expect(states(r)).toEqual(["done"]);
    expect(r.batches()).toMatchObject([{ receipts: 3, leftOut: 0 }]);
    expect(r.read("got")).toBe(world.lines(r.path, 1));
    expect(r.read("got")).toContain(" file d/b c.txt\n");
    expect(r.read("cwd")).toBe(`${dirname(r.path)}\n`);
    const env = r.read("env").split("\n");
    for (const line of [
      "GATEPOST_KIND=fossil",
      "GATEPOST_TYPE=after-receive",
      "GATEPOST_USER=alice",
      "GATEPOST_ATTEMPT=1",
    ])
      expect(env).toContain(line);
    expect(env).toContain(`GATEPOST_REPOSITORY=${r.path}`);
    expect(env.filter((line) => /^(?:SERVER_SOFTWARE|GIT_|GATEWAY_INTERFACE)/.test(line))).toEqual([]);
    const aux = JSON.parse(r.read("aux.json"));
    expect(aux).toMatchObject({ repository: { path: r.path, kind: "fossil" }, leftOut: { count: 0 } });
    expect(aux.receipts).toMatchObject([
      { rcvid: 2, user: "alice", address: "127.0.0.1", source: "push", updates: [] },
      { rcvid: 3, user: "alice", address: null, source: "work" },
      { rcvid: 4, user: "alice", address: null, source: "work" },
    ]);
  });

  test("with --each receipt it runs once for each number of Fossil's, with what that brought", async () => {
    const r = await watchFossil(world);
    r.hook(`cat >> '${r.file("got")}'; echo . >> '${r.file("got")}'`, { each: "receipt" });
    for (const page of ["one", "two"]) world.wiki(r.path, page);
    await r.pass();
    expect(states(r)).toEqual(["done", "done"]);
    expect(r.read("got").replace(/^\w{64} /gm, "")).toBe('wiki "one"\n.\nwiki "two"\n.\n');
  });

  test("an unversioned file alone runs the hook with an empty list", async () => {
    const r = await watchFossil(world);
    r.hook(`cat > '${r.file("got")}'; echo end >> '${r.file("got")}'`);
    world.fossil(["uv", "add", "-", "--as", "u.txt", "-R", r.path], { input: "u\n" });
    await r.pass();
    expect(r.read("got")).toBe("end\n");
  });

  test("with --stdin paths it reads what check-ins changed, narrowed by --path, and rules skip it with their reason", async () => {
    const r = await watchFossil(world);
    const w = world.open(r.path);
    world.checkIn(w, { gone: "1\n" });
    await r.pass();
    const options = { stdin: "paths", paths: ["src", "gone"] } as const;
    r.hook(`cat > '${r.file("got")}'`, options);
    r.hook("true", { paths: ["doc"] });
    r.hook("true", { paths: ["src"] });
    r.hook("true", { refs: ["side"] });
    r.hook("true", { refs: ["trunk"], name: "short" });
    r.hook("true", { artifacts: ["wiki"] });
    r.hook("true", { artifacts: ["wiki", "check-in"] });
    fs.rmSync(`${w.root}/gone`);
    world.checkIn(w, { "src/ä b": "1\n", other: "2\n" });
    await r.pass();
    expect(states(r)).toEqual([
      "done",
      "skipped: --path doc did not match",
      "done",
      "skipped: --ref side did not match trunk",
      "done",
      "skipped: --artifact wiki: none arrived",
      "done",
    ]);
    expect(r.read("got")).toBe("src/ä b\0");
    world.checkIn(w, { b: "1\n" }, ["--branch", "side"]);
    await r.pass();
    expect(states(r).slice(7, 11)).toEqual([
      "skipped: --path src gone leaves no path",
      "skipped: --path doc did not match",
      "skipped: --path src did not match",
      "done",
    ]);
  });
});

test("Fossil's D1 and D2: after a quiet day the first receipt is there; what is older than a day is named and can be had", async () => {
  const file = world.repository();
  world.age(file, 25 * HOUR);
  const r = await watchFossil(world, { file });
  r.hook(`cat > '${r.file("got")}'; cat %A > '${r.file("aux.json")}'`, { name: "mail" });
  const w = world.open(r.path);
  const first = world.checkIn(w);
  await r.pass();
  expect(checkIns(r.read("got"))).toEqual([first]);

  const [old, inside, last] = [world.checkIn(w), world.checkIn(w), world.checkIn(w)];
  world.age(r.path, 25 * HOUR, 3);
  world.age(r.path, 23 * HOUR, 4);
  // Receipts are dated in order, and not before the last look: that must not be younger.
  r.home.db.sqlite.prepare("UPDATE receipt SET at = at - ?").run(30 * HOUR);
  r.home.db.sqlite.prepare("UPDATE repository SET looked_at = looked_at - ?").run(30 * HOUR);
  await r.pass();
  expect(checkIns(r.read("got"))).toEqual([inside, last]);
  const aux = JSON.parse(r.read("aux.json"));
  expect(aux.leftOut).toMatchObject({ count: 1, reason: "older than the window", receipts: [{ rcvid: 3 }] });
  expect(aux.receipts.map(({ rcvid }: { rcvid: number }) => rcvid)).toEqual([4, 5]);
  expect(world.gatepost(["runs", "show", `${r.runs()[1]?.id}`, "-R", r.path]).stdout).toContain(
    "1 receipt older than the window left out",
  );
  const args = ["hook", "test", "mail", "--base-rcvid", "2", "--new-rcvid", "3", "-R", r.path];
  expect(world.gatepost(args)).toEqual({ stdout: "", stderr: "", code: 0 });
  expect(checkIns(r.read("got"))).toEqual([old]);
});

describe("R9: a transfer that is not complete", () => {
  test("holds its batch back; a stranger's clone lifts nothing; the end of the transfer does at once", async () => {
    const r = await watchFossil(world);
    r.hook(`cat > '${r.file("got")}'`);
    const push = incompletePush(world, r.path);
    await r.pass();
    expect(received(r)).toHaveLength(1);
    expect(r.runs()).toEqual([]);
    expect(r.repository().embargo).toBeGreaterThan(Date.now());

    const embargo = (): string => world.sql(r.path, "SELECT count(*) FROM config WHERE name = 'hook-embargo'");
    expect(embargo()).toBe("1");
    world.sql(r.path, "UPDATE user SET cap = 'gjorz' WHERE login = 'nobody'");
    const server = await world.server(r.path);
    world.fossil(["clone", server.anyone, world.at("stranger.fossil")]);
    expect(embargo(), "Fossil's own is gone").toBe("0");
    await r.pass();
    expect(r.runs()).toEqual([]);

    world.push(push.c, server.url);
    await server.stop();
    await r.pass();
    expect(states(r)).toEqual(["done"]);
    expect(checkIns(r.read("got"))).toEqual([push.checkIn]);
    expect(hashes(r.read("got"))).toContain(push.missing);
  });

  test("is waited for 60 s from its receipt and no longer, by a pass that nobody else needs to come back for", async () => {
    const r = await watchFossil(world);
    r.hook(`cat > '${r.file("got")}'`);
    const push = incompletePush(world, r.path);
    world.age(r.path, 58_500, world.newest(r.path));
    world.sql(r.path, "DELETE FROM config WHERE name = 'hook-embargo'");
    await r.pass({ stay: true, automatic: true });
    expect(states(r)).toEqual(["done"]);
    expect(checkIns(r.read("got"))).toEqual([push.checkIn]);
    const dated = Number(r.home.db.sqlite.prepare("SELECT max(at) FROM receipt").pluck().get());
    expect(r.batches()[0]?.cutAt).toBeGreaterThanOrEqual(dated + 60_000);
  });

  test("that is followed by more and more arrivals holds nothing back for more than five minutes", async () => {
    const r = await watchFossil(world);
    r.hook(`cat > '${r.file("got")}'`);
    const push = incompletePush(world, r.path);
    await r.pass();
    expect(r.runs()).toEqual([]);
    r.home.db.sqlite.prepare("UPDATE receipt SET at = at - 301000").run();
    incompletePush(world, r.path);
    await r.pass();
    expect(states(r)).toEqual(["done"]);
    expect(checkIns(r.read("got"))).toContain(push.checkIn);
  });

  test("of which Fossil says so holds back for as long as Fossil would", async () => {
    const r = await watchFossil(world);
    r.hook("true");
    world.wiki(r.path);
    const end = Math.ceil(Date.now() / 1000) + 1;
    world.sql(r.path, `INSERT INTO config(name, value, mtime) VALUES('hook-embargo', ${end}, 0)`);
    await r.pass();
    expect(r.runs()).toEqual([]);
    await r.pass({ stay: true });
    expect(states(r)).toEqual(["done"]);
    expect(r.batches()[0]?.cutAt).toBeGreaterThanOrEqual(end * 1000);
  });
});

test("Fossil's D5: a hook that does not read its list, of some megabytes, holds up no commit, and gets all of it in the end", async () => {
  const r = await watchFossil(world);
  const w = world.open(r.path);
  r.hook(`: > '${r.file("sits")}'; while [ ! -e '${r.file("go")}' ]; do sleep 0.02; done; cat > '${r.file("got")}'`);
  manyFiles(world, r.path);
  const pass = world.start(["backoffice", r.path]);
  const ended = once(pass, "exit");
  await until("the hook sits", () => fs.existsSync(r.file("sits")));
  const hash = world.checkIn(w);
  world.push(world.apart(r.path), r.path);
  expect(got(r)).toBe("");
  fs.writeFileSync(r.file("go"), "");
  expect((await ended)[0]).toBe(0);
  const [whole, ...then] = r.runs();
  expect(whole).toMatchObject({ state: "done", attempts: 1 });
  expect(then).toMatchObject([{ state: "done" }]);
  expect(checkIns(got(r))).toEqual([hash]);
});

test("a list of some megabytes is what Fossil would have written, to the byte", async () => {
  const r = await watchFossil(world);
  r.hook(`cat > '${r.file("got")}'`);
  manyFiles(world, r.path);
  await r.pass();
  expect(r.read("got").length).toBeGreaterThan(4_000_000);
  expect(r.read("got") === world.lines(r.path, 1)).toBe(true);
});

test("a hook may commit and tag in the repository it runs for; that is the next batch", async () => {
  const r = await watchFossil(world);
  const w = world.open(r.path);
  r.hook(
    `cat > '${r.home.dir}/got-'"$GATEPOST_BATCH"; [ "$GATEPOST_BATCH" = 1 ] || exit 0
     fossil tag add --raw built trunk -R %R && cd '${w.root}' && echo x > by-hook && fossil add by-hook &&
     fossil commit -m 'by the hook' --no-warnings`,
  );
  const first = world.checkIn(w);
  await r.pass();
  expect(states(r)).toEqual(["done", "done"]);
  expect(checkIns(r.read("got-1"))).toEqual([first]);
  expect(r.read("got-2").replace(/^\w{64} /gm, "")).toMatch(
    /^tag [0-9a-f]{16}\nfile by-hook\ncheck-in to trunk by alice/,
  );
});

test("R9: of two repositories in one home, one that is locked keeps the other from nothing and loses nothing", async () => {
  const home = world.at("shared-home");
  const [locked, free] = [await watchFossil(world, { home }), await watchFossil(world, { home })];
  for (const r of [locked, free]) r.hook(`cat > '${r.file(`got-${r.row.id}`)}'`);
  for (const r of [locked, free]) world.wiki(r.path, "Page");
  const other = await another(locked.path, 'db.exec("BEGIN EXCLUSIVE")');
  const passing = free.pass();
  await until("the free one is served", () => free.runs().some(({ state }) => state === "done"));
  expect(locked.runs()).toEqual([]);
  await other.kill();
  await passing;
  expect(states(locked)).toEqual(["done"]);
  for (const r of [locked, free]) expect(r.read(`got-${r.row.id}`)).toMatch(/^\w{64} wiki "Page"\n$/);
  expect(locked.complaints).toEqual([]);
});

test("another repository in its place is parked with a sentence; init makes it the one that is served", async () => {
  const r = await watchFossil(world);
  r.hook(`cat > '${r.file("got")}'`);
  world.wiki(r.path, "unseen");
  fs.copyFileSync(world.repository(), r.path);
  world.wiki(r.path, "foreign");
  await r.pass();
  const sentence = `Another repository stands at ${r.path}: it is of another project.`;
  expect(r.repository().parked).toBe(sentence);
  expect(r.complaints).toEqual([`${r.row.name} cannot be looked at: ${sentence}`]);
  expect(r.runs()).toEqual([]);
  expect(world.gatepost(["init", r.path]).code).toBe(0);
  expect(r.repository().parked).toBeNull();
  await r.pass();
  expect(r.runs(), "what was there has not just arrived").toEqual([]);
  world.wiki(r.path, "own");
  await r.pass();
  expect(r.read("got")).toMatch(/^\w{64} wiki "own"\n$/);
});

test("what waited when another repository took the place is nobody's any more", async () => {
  const r = await watchFossil(world);
  const hook = r.hook("true");
  world.sql(
    r.path,
    `INSERT INTO config(name, value, mtime) VALUES('hook-embargo', ${Math.ceil(Date.now() / 1000) + 50}, 0)`,
  );
  world.wiki(r.path, "waits");
  await r.pass();
  expect([received(r).length, r.runs().length]).toEqual([1, 0]);
  const other = world.repository();
  world.wiki(other, "not it");
  fs.copyFileSync(other, r.path);
  expect(world.gatepost(["init", r.path]).code).toBe(0);
  expect(received(r)).toEqual([]);
  await r.pass();
  expect(r.runs().filter((run) => run.hook === hook.id)).toEqual([]);
});
