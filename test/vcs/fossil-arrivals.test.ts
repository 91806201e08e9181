import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import { displayText } from "../../src/core/bytes.ts";
import { openFossil } from "../../src/vcs/fossil.ts";
import type { Arrival, Arrivals, Span, Watermark } from "../../src/vcs/repository.ts";
import { until } from "../helpers/cli.ts";
import { checkIns, enterFossil, hashes, incompletePush, makeFossilWorld } from "../helpers/fossil.ts";

const world = makeFossilWorld();
enterFossil(world);
afterAll(() => world.remove());

const DAY = 86_400_000;

const spanOf = ({ rcvid, rows }: Arrival): Span => ({ after: rcvid - 1, upto: rcvid, rows });

/** A repository that is read again and again, as a backoffice does, which remembers where it was. */
class Reader {
  readonly file: string;
  watermark: Watermark | null = null;

  constructor(file: string) {
    this.file = file;
  }

  /** Reads on. The watermark goes through JSON, as it does in the database. */
  async read(waiting: readonly Span[] = []): Promise<Arrivals> {
    const found = await openFossil(this.file).arrivals(this.watermark, waiting);
    this.watermark = JSON.parse(JSON.stringify(found.watermark));
    return found;
  }

  /** The arrivals as "NUMBER: FIRST LINES…", with `again` where the number was known. */
  async news(): Promise<{ rcvid: number; again: boolean; list: string }[]> {
    const { arrivals } = await this.read();
    return Promise.all(
      arrivals.map(async (arrival) => ({
        rcvid: arrival.rcvid,
        again: arrival.again,
        list: await this.list([spanOf(arrival)]),
      })),
    );
  }

  async list(spans: readonly Span[]): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of openFossil(this.file).artifacts({ spans })) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }
}

async function reader(file: string): Promise<Reader> {
  const made = new Reader(file);
  await made.read();
  return made;
}

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

/** A way to a server on which connections are held or refused as long as `meets` says so. */
async function gateTo(port: number, how: "hold" | "refuse", meets: () => boolean) {
  let goOn = (): void => {};
  let tell = (): void => {};
  const met = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const released = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const gate = createServer(async (from) => {
    from.on("error", () => {});
    if (meets()) {
      if (how === "refuse") return void from.destroy();
      tell();
      await released;
    }
    const to = connect(port, "127.0.0.1");
    to.on("error", () => from.destroy());
    from.pipe(to).pipe(from);
  }).listen(0, "127.0.0.1");
  await once(gate, "listening");
  const { port: own } = gate.address() as AddressInfo;
  return { url: `http://127.0.0.1:${own}/`, met, goOn: () => goOn(), close: () => void gate.close() };
}

describe("names without content", () => {
  test("a check-in whose file has not come is not complete; the file arrives in its old row, and then it is", async () => {
    const file = world.repository();
    const r = await reader(file);
    const push = incompletePush(world);
    const s = await reader(push.file);
    expect(await s.news()).toEqual([]);
    expect(s.watermark?.phantoms).toHaveLength(1);
    r.watermark = null;
    const span: Span = { after: 0, upto: 99, rows: null };
    expect((await s.read([span])).incomplete).toBe(true);
    world.wiki(push.file);
    world.push(push.c, push.file);
    const { arrivals, incomplete } = await s.read([span]);
    expect(incomplete).toBe(false);
    const filled = arrivals.find(({ rows }) => rows.more.length > 0);
    expect(filled?.rows.more).toHaveLength(1);
    expect(filled?.rows.more[0]).toBeLessThan(arrivals[0]?.rows.low ?? 0);
    expect(hashes(await s.list(arrivals.map(spanOf)))[0], "it lies in the lowest row").toBe(push.missing);
    expect(hashes(await s.list(arrivals.map(spanOf)))).toHaveLength(2);
    expect(s.watermark?.phantoms).toEqual([]);
    expect(await s.news()).toEqual([]);
  });

  test("a check-in whose parent has not come is not complete", async () => {
    const { file, checkIn } = incompletePush(world);
    const parent = world.sql(file, `SELECT rid FROM blob WHERE uuid = '${checkIn}'`);
    const span: Span = { after: 0, upto: 99, rows: null };
    world.sql(file, "DELETE FROM phantom");
    const r = await reader(file);
    expect((await r.read([span])).incomplete).toBe(false);
    world.sql(file, `INSERT INTO phantom SELECT pid FROM plink WHERE cid = ${parent}`);
    expect((await r.read([span])).incomplete).toBe(true);
  });

  test("what is stored as a change of what has not come, or written as one, is not complete either", async () => {
    const { file, checkIn } = incompletePush(world);
    const rid = world.sql(file, `SELECT rid FROM blob WHERE uuid = '${checkIn}'`);
    const span: Span = { after: 0, upto: 99, rows: null };
    const r = await reader(file);
    world.sql(file, `DELETE FROM mlink WHERE mid = ${rid}`);
    expect((await r.read([span])).incomplete).toBe(false);
    for (const column of ["delta(rid, srcid)", "orphan(rid, baseline)"]) {
      world.sql(file, `INSERT INTO ${column} SELECT ${rid}, rid FROM phantom`);
      expect((await r.read([span])).incomplete, column).toBe(true);
      world.sql(file, `DELETE FROM ${column.slice(0, 5)}${column.startsWith("orphan") ? "n" : ""} WHERE rid = ${rid}`);
    }
  });

  test("between the round trips of a push nothing is complete, whoever has lifted Fossil's embargo; then all is", async () => {
    const file = world.repository();
    const r = await reader(file);
    const c = world.apart(file);
    for (let n = 0; n < 3; n++) world.checkIn(c, { [`f${n}`]: randomBytes(20_000).toString("base64") });
    world.fossil(["settings", "max-upload", "5000", "-R", c.file]);
    const server = await world.server(file);
    const gate = await gateTo(server.port, "hold", () => world.newest(file) > 1);
    const push = world.startFossil(["push", gate.url.replace("//", "//alice:pw@"), "--once", "-R", c.file]);
    await gate.met;
    world.sql(file, "DELETE FROM config WHERE name = 'hook-embargo'");
    const early = await r.read();
    expect(checkIns(await r.list(early.arrivals.map(spanOf))), "not a check-in yet").toEqual([]);
    expect([early.embargo, early.incomplete]).toEqual([null, true]);
    gate.goOn();
    expect(await push).toBe(0);
    const late = await r.read(early.arrivals.map(spanOf));
    expect(late.incomplete).toBe(false);
    expect(checkIns(await r.list(late.arrivals.map(spanOf)))).toHaveLength(3);
    gate.close();
    await server.stop();
  });

  test("what was shunned is not waited for, nor what is private elsewhere", async () => {
    const { file, missing } = incompletePush(world);
    const r = await reader(file);
    const span: Span = { after: 0, upto: 99, rows: null };
    world.sql(file, "INSERT INTO private SELECT rid FROM phantom");
    expect((await r.read([span])).incomplete).toBe(false);
    world.sql(file, "DELETE FROM private");
    expect((await r.read([span])).incomplete).toBe(true);
    world.sql(file, `INSERT INTO shun(uuid, mtime) VALUES('${missing}', 0)`);
    expect((await r.read([span])).incomplete).toBe(false);
  });

  test("of more than 5,000 no rows are kept, and still nothing is lost", async () => {
    const push = incompletePush(world);
    world.sql(
      push.file,
      `INSERT INTO blob(rcvid, size, uuid) SELECT 0, -1, hex(randomblob(32)) FROM generate_series(1, 5001);
       INSERT INTO phantom SELECT rid FROM blob WHERE size = -1 AND rid NOT IN phantom`,
    );
    const r = await reader(push.file);
    expect(r.watermark?.phantoms).toBeNull();
    const grown = world.newest(push.file);
    world.push(push.c, push.file);
    world.wiki(push.file, "Own");
    world.sql(
      push.file,
      `INSERT INTO blob(rcvid, size, uuid, content) VALUES(${grown}, 1, '${"ab".repeat(32)}', x'00')`,
    );
    const news = await r.news();
    const all = news.map(({ list }) => list).join("");
    expect(hashes(all)).toContain(push.missing);
    expect(all).toContain(' wiki "Own"\n');
    expect(news.filter(({ again }) => again).map(({ rcvid, list }) => [rcvid, hashes(list)])).toEqual([
      [grown, ["ab".repeat(32)]],
    ]);
    expect(await r.news()).toEqual([]);
  });
});

describe("a file that is not what it was", () => {
  test("a rebuild, with and without packing it anew, is no arrival, and what comes behind it is found", async () => {
    const w = world.open(world.repository());
    const r = await reader(w.file);
    for (const args of [[], ["--compress", "--vacuum"], ["--wal"], ["--cluster"]]) {
      const own = world.checkIn(w);
      expect((await r.news()).map(({ list }) => checkIns(list))).toEqual([[own]]);
      world.fossil(["rebuild", ...args, w.file]);
      expect(await r.news()).toEqual([]);
    }
  });

  test("rows that are used again after shunning hide nothing", async () => {
    const w = world.open(world.repository());
    world.checkIn(w);
    const shunned = world.checkIn(w, { a: "bad\n" });
    const r = await reader(w.file);
    const last = r.watermark?.rid;
    const bad = world.sql(w.file, "SELECT uuid FROM blob ORDER BY rid DESC LIMIT 2").split("\n");
    expect(bad).toContain(shunned);
    world.sql(w.file, `INSERT INTO shun(uuid, mtime) VALUES ('${bad.join("', 0), ('")}', 0)`);
    world.fossil(["rebuild", w.file]);
    for (const page of ["one", "two", "three"]) world.wiki(w.file, page);
    const news = await r.news();
    expect(news.map(({ list }) => list.slice(65))).toEqual(['wiki "one"\n', 'wiki "two"\n', 'wiki "three"\n']);
    const { arrivals } = await openFossil(w.file).arrivals({ ...(r.watermark as Watermark), rcvid: 0, rid: 0 }, []);
    expect(arrivals.find(({ rcvid }) => rcvid === 4)?.rows.low, "the row was used before").toBeLessThanOrEqual(
      last ?? 0,
    );
    expect(await r.news()).toEqual([]);
  });

  test("a list of what was shunned since it arrived leaves it out and has the rest", async () => {
    const w = world.open(world.repository());
    const r = await reader(w.file);
    const hash = world.checkIn(w, { a: "1\n" });
    const { arrivals } = await r.read();
    world.sql(w.file, `INSERT INTO shun(uuid, mtime) VALUES ('${hash}', 0)`);
    world.fossil(["rebuild", w.file]);
    world.wiki(w.file);
    const list = await r.list(arrivals.map(spanOf));
    expect(list).toMatch(/^[0-9a-f]{64} unknown\n$/);
    expect(list).not.toContain(hash);
  });

  test("restored from a backup it goes on with what is newer than what was read", async () => {
    const w = world.open(world.repository());
    world.checkIn(w);
    const backup = `${w.file}.bak`;
    fs.copyFileSync(w.file, backup);
    const r = await reader(w.file);
    world.checkIn(w);
    world.checkIn(w);
    await r.news();
    fs.copyFileSync(backup, w.file);
    const { arrivals, restored } = await r.read();
    expect([arrivals, restored]).toEqual([[], true]);
    world.wiki(w.file, "after");
    expect((await r.news()).map(({ rcvid, again }) => [rcvid, again])).toEqual([[3, false]]);

    world.wiki(w.file);
    world.wiki(w.file);
    await r.news();
    fs.copyFileSync(backup, w.file);
    for (const page of ["x", "y", "z", "u", "v"]) world.wiki(w.file, page);
    const found = await r.read();
    expect(found.restored).toBe(true);
    expect(
      found.arrivals.map(({ rcvid }) => rcvid),
      "receipts of the same numbers are others",
    ).toEqual([3, 4, 5, 6, 7]);
    expect((await r.read()).restored).toBe(false);
  });

  test("another clone of the same project, and another project, are not what was registered", async () => {
    const file = world.repository();
    const w = world.open(file);
    world.checkIn(w);
    const r = await reader(file);
    const server = await world.server(file); // by path it would be a copy
    const stranger = world.repository();
    expect(await world.startFossil(["clone", server.url, world.at("fresh.fossil")])).toBe(0);
    await server.stop();
    fs.copyFileSync(world.at("fresh.fossil"), file);
    await expect(r.read()).rejects.toMatchObject({
      code: "GP_NO_REPOSITORY",
      message: `Another repository stands at ${file}: it does not know receipt 2.`,
      hint: `If it shall be served: gatepost init ${file}`,
    });
    fs.copyFileSync(stranger, file);
    await expect(r.read()).rejects.toMatchObject({
      code: "GP_NO_REPOSITORY",
      message: `Another repository stands at ${file}: it is of another project.`,
    });
  });
});

test("unversioned files alone make a receipt without artifacts", async () => {
  const file = world.repository();
  const r = await reader(file);
  world.fossil(["uv", "add", "-", "--as", "u.txt", "-R", file], { input: "u\n" });
  expect(await r.news()).toEqual([{ rcvid: 2, again: false, list: "" }]);
});

test("private check-ins arrive where they were made, and not where they do not come", async () => {
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
