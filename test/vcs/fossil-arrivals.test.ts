import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { displayText } from "../../src/core/bytes.ts";
import { openFossil } from "../../src/vcs/fossil.ts";
import type { Watermark } from "../../src/vcs/repository.ts";
import { until } from "../helpers/cli.ts";
import { checkIns, enterFossil, gateTo, hashes, makeFossilWorld } from "../helpers/fossil.ts";
import { Reader, reader } from "./fossil-reader.ts";

const world = makeFossilWorld();
enterFossil(world);
afterAll(() => world.remove());

const DAY = 86_400_000;

test("what is there at the first reading has not just arrived; each receipt after it arrives once", async () => {
  const w = world.open(world.repository());
  world.checkIn(w);
  const r = await reader(w.file);
  expect(r.watermark).toMatchObject({ rcvid: 2, phantoms: [] });
  expect(await r.news()).toEqual([]);
  const first = world.checkIn(w, { a: "1\n" });
  const second = world.checkIn(w, { a: "2\n" });
  const news = await r.news();
  expect(news.map(({ rcvid, again, list }) => [rcvid, again, checkIns(list)])).toEqual([
    [3, false, [first]],
    [4, false, [second]],
  ]);
  expect(news.map(({ list }) => list).join("")).toBe(world.lines(w.file, 2));
  expect(await r.news()).toEqual([]);
});

test("a receipt says who, from where and when, as the repository has it", async () => {
  const file = world.repository();
  const r = await reader(file);
  const c = world.apart(file);
  const server = await world.server(file);
  world.checkIn(c);
  world.push(c, server.url);
  await server.stop();
  world.checkIn(world.open(file));
  const { arrivals } = await r.read();
  expect(arrivals).toMatchObject([
    { rcvid: 2, user: "alice", address: "127.0.0.1" },
    { rcvid: 3, user: "alice", address: null },
  ]);
  for (const { at } of arrivals) expect(Math.abs(at - Date.now())).toBeLessThan(60_000);
  world.age(file, DAY, 2);
  const { receipts } = await openFossil(file).receipts(1, null);
  expect((arrivals[0]?.at ?? 0) - (receipts[0]?.at ?? 0)).toBe(DAY);
});

test("a user may have any name, and none", async () => {
  const w = world.open(world.repository());
  const r = await reader(w.file);
  world.checkIn(w);
  world.checkIn(w);
  world.checkIn(w);
  world.sql(
    w.file,
    `INSERT INTO user(uid, login) VALUES(70, 'Jane Doe on trunk' || char(10) || '"é'), (71, CAST(x'ff41' AS TEXT));
     UPDATE rcvfrom SET uid = 68 + rcvid WHERE rcvid >= 2`,
  );
  const { arrivals } = await r.read();
  expect(arrivals.map(({ user }) => (user === null ? null : displayText(user)))).toEqual([
    'Jane Doe on trunk\\n"é',
    "\\xffA",
    null,
  ]);
});

describe("one number of Fossil's that grows", () => {
  /** A repository with more than one round trip's content, and a clone of what it was before, which pulls through a gate
   *  that lets no second connection with news pass. */
  async function farther(atGate: "hold" | "refuse") {
    const far = world.repository();
    const c = world.apart(far);
    world.sql(far, "INSERT INTO config(name, value, mtime) VALUES('max-download', 5000, 0)");
    const w = world.open(far);
    for (let n = 0; n < 3; n++) world.checkIn(w, { [`f${n}`]: randomBytes(20_000).toString("base64") });
    const server = await world.server(far);
    const base = world.newest(c.file);
    const gate = await gateTo(server.port, atGate, () => world.newest(c.file) > base);
    const r = await reader(c.file);
    const close = async () => {
      gate.close();
      await server.stop();
    };
    return { c, base, r, gate, close };
  }

  test("what further round trips of a pull add to its receipt arrives too", async () => {
    const { c, base, r, gate, close } = await farther("hold");
    const pull = world.startFossil(["pull", gate.url, "--once", "-R", c.file]);
    await gate.met;
    const [early, ...more] = await r.news();
    expect([early?.rcvid, early?.again, more]).toEqual([base + 1, false, []]);
    gate.goOn();
    expect(await pull, "reading in between did not disturb it").toBe(0);
    expect(world.newest(c.file), "no other number was given").toBe(base + 1);
    const [late, ...none] = await r.news();
    expect([late?.rcvid, late?.again, none]).toEqual([base + 1, true, []]);
    expect(hashes(`${early?.list}${late?.list}`).sort()).toEqual(hashes(world.lines(c.file, base)).sort());
    expect(await r.news()).toEqual([]);
    await close();
  });

  test("what a commit stores under the number of its pull that broke off arrives, where Fossil's hook misses it", async () => {
    const { c, base, r, gate, close } = await farther("refuse");
    const log = world.at("fossil-got");
    world.fossil(["hook", "add", "--type", "after-receive", "--command", `cat >> ${log}`, "-R", c.file]);
    world.fossil(["remote", gate.url, "-R", c.file]);
    world.fossil(["settings", "autosync", "pullonly", "-R", c.file]);
    fs.writeFileSync(`${c.root}/own`, "own\n");
    world.fossil(["add", "own"], { cwd: c.root });
    const commit = spawn("fossil", ["commit", "-m", "own", "--no-warnings", "--allow-fork"], {
      cwd: c.root,
      env: world.env,
    });
    const ended = once(commit, "close");
    let said = "";
    const hear = (chunk: Buffer): void => {
      said += chunk;
    };
    for (const stream of [commit.stdout, commit.stderr]) stream.on("data", hear);
    await until("it asks whether to go on", () => said.includes("ontinue in spite of sync failure"));

    const early = await r.news();
    expect(early.map(({ rcvid, again }) => [rcvid, again])).toEqual([[base + 1, false]]);
    world.fossil(["backoffice", "--nolease", c.file]);
    await until("fossil's hook ran", () => hashes(fs.existsSync(log) ? fs.readFileSync(log, "utf8") : "").length > 0);
    world.wiki(c.file, "Between");
    commit.stdin.end("y\n");
    expect((await ended)[0], said).toBe(0);

    const own = /New_Version: (\w+)/.exec(said)?.[1] ?? "";
    const news = await r.news();
    expect(news.map(({ rcvid, again, list }) => [rcvid, again, checkIns(list)])).toEqual([
      [base + 1, true, [own]],
      [base + 2, false, []],
    ]);
    expect(hashes([...early, ...news].map(({ list }) => list).join("")).sort()).toEqual(
      hashes(world.lines(c.file, base)).sort(),
    );
    world.fossil(["backoffice", "--nolease", c.file]);
    await until("it ran once more", () => fs.readFileSync(log, "utf8").includes(' wiki "Between"'));
    expect(fs.readFileSync(log, "utf8")).not.toContain(own);
    await close();
  });

  test("content under a number that has no receipt arrives all the same", async () => {
    const w = world.open(world.repository());
    const r = await reader(w.file);
    world.sql(w.file, `INSERT INTO blob(rcvid, size, uuid, content) VALUES(77, 1, '${"ab".repeat(32)}', x'00')`);
    expect(await r.news()).toEqual([{ rcvid: 77, again: false, list: `${"ab".repeat(32)} unknown\n` }]);
    expect(await r.news()).toEqual([]);
    r.watermark = { ...(r.watermark as Watermark), phantoms: null };
    expect(await r.news(), "nor does a search find it again").toEqual([]);
    world.checkIn(w);
    expect((await r.news()).map(({ rcvid, again }) => [rcvid, again])).toEqual([[2, false]]);
  });
});

test("unversioned files alone make a receipt without artifacts", async () => {
  const file = world.repository();
  const r = await reader(file);
  world.fossil(["uv", "add", "-", "--as", "u.txt", "-R", file], { input: "u\n" });
  expect(await r.news()).toEqual([{ rcvid: 2, again: false, list: "" }]);
});

test("R9: private check-ins arrive where they were made, and not where they do not come", async () => {
  const far = world.repository();
  const c = world.apart(far);
  const [here, there] = [await reader(c.file), await reader(far)];
  const hash = world.checkIn(c, { p: "private\n" }, ["--private"]);
  world.push(c, far);
  expect((await here.news()).map(({ list }) => checkIns(list))).toEqual([[hash]]);
  expect((await there.read()).arrivals.flatMap(({ rows }) => rows.more)).toEqual([]);
  expect(await there.news()).toEqual([]);
});

test("the receipts of an interval, by default the last one, and the newest number", async () => {
  const w = world.open(world.repository());
  world.checkIn(w);
  world.checkIn(w);
  const repository = openFossil(w.file);
  const numbers = async (base: number | null, upto: number | null) => {
    const { newest, receipts } = await repository.receipts(base, upto);
    return [newest, ...receipts.map(({ rcvid }) => rcvid)];
  };
  expect(await numbers(null, null)).toEqual([3, 3]);
  expect(await numbers(0, null)).toEqual([3, 1, 2, 3]);
  expect(await numbers(1, 2)).toEqual([3, 2]);
  expect(await numbers(3, null)).toEqual([3]);
});

test("a position behind any receipt brings exactly what is behind it", async () => {
  const w = world.open(world.repository());
  for (let n = 0; n < 3; n++) world.checkIn(w);
  for (const after of [0, 1, 3, 4, 99]) {
    const r = new Reader(w.file);
    r.watermark = await openFossil(w.file).positionAfter(after);
    expect((await r.read()).arrivals.map(({ rcvid }) => rcvid)).toEqual([1, 2, 3, 4].filter((n) => n > after));
    expect(await r.news()).toEqual([]);
  }
});

test("the embargo that Fossil keeps is told in milliseconds", async () => {
  const r = await reader(world.repository());
  expect((await r.read()).embargo).toBeNull();
  for (const [value, embargo] of [
    ["1795247498", 1_795_247_498_000],
    ["soon", null],
    ["-1", null],
  ] as const) {
    world.sql(r.file, `REPLACE INTO config(name, value, mtime) VALUES('hook-embargo', '${value}', 0)`);
    expect((await r.read()).embargo).toBe(embargo);
  }
});
