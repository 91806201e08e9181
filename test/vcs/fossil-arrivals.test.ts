import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { displayText } from "../../src/core/bytes.ts";
import { openFossil } from "../../src/vcs/fossil.ts";
import type { Arrival, Arrivals, Span, Watermark } from "../../src/vcs/repository.ts";
import { until } from "../helpers/cli.ts";
import { type Checkout, checkIns, enterFossil, hashes, makeFossilWorld } from "../helpers/fossil.ts";

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

const blobs = (file: string): string[] => world.sql(file, "SELECT uuid FROM blob WHERE rcvid > 0").split("\n").sort();

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
  /** A commit whose autosync brings content before its editor opens; returns what ends the editor. */
  async function slowCommit(c: Checkout) {
    const editor = world.at(`editor${Math.random()}`);
    const open = `${editor}.open`;
    fs.writeFileSync(
      editor,
      `#!/bin/sh\n: > '${open}'\nwhile [ -e '${open}' ]; do sleep 0.02; done\necho slow > "$1"\n`,
      {
        mode: 0o755,
      },
    );
    world.fossil(["settings", "autosync", "on", "-R", c.file]);
    fs.writeFileSync(join(c.root, "slow"), "slow\n");
    world.fossil(["add", "slow"], { cwd: c.root });
    const child = spawn("fossil", ["commit", "--no-warnings", "--allow-fork"], {
      cwd: c.root,
      env: { ...world.env, EDITOR: editor },
      stdio: ["ignore", "ignore", "inherit"],
    });
    const ended = once(child, "exit");
    await until("the editor is open", () => fs.existsSync(open));
    return async () => {
      fs.rmSync(open);
      expect((await ended)[0]).toBe(0);
    };
  }

  test("what a commit adds to the receipt of its own pull arrives too, where Fossil's next pass has nothing", async () => {
    const far = world.repository();
    const c = world.apart(far);
    const pulled = world.checkIn(world.open(far));
    const r = await reader(c.file);
    const log = world.at("fossil-got");
    world.fossil(["hook", "add", "--type", "after-receive", "--command", `cat >> ${log}`, "-R", c.file]);
    world.fossil(["backoffice", "--nolease", c.file]);
    const base = world.newest(c.file);
    const end = await slowCommit(c);
    const between = await r.news();
    expect(between.map(({ rcvid, again, list }) => [rcvid, again, checkIns(list)])).toEqual([
      [base + 1, false, [pulled]],
    ]);
    world.fossil(["backoffice", "--nolease", c.file]);
    await until("fossil's hook ran", () => fs.existsSync(log) && fs.readFileSync(log, "utf8").includes(pulled));
    await end();

    expect(world.newest(c.file), "no other number was given").toBe(base + 1);
    world.fossil(["backoffice", "--nolease", c.file]);
    expect(world.sql(c.file, "SELECT value FROM config WHERE name = 'hook-last-rcvid'")).toBe(`${base + 1}`);
    const committed = checkIns(world.lines(c.file, base)).filter((hash) => hash !== pulled);
    expect(committed).toHaveLength(1);
    const news = await r.news();
    expect(news.map(({ rcvid, again, list }) => [rcvid, again, checkIns(list)])).toEqual([[base + 1, true, committed]]);
    expect(hashes(`${between[0]?.list}${news[0]?.list}`)).toEqual(hashes(world.lines(c.file, base)));
    expect(fs.readFileSync(log, "utf8"), "Fossil's hook never hears of it").not.toContain(committed[0]);
    expect(await r.news()).toEqual([]);
  });

  test("it does so beside receipts that came meanwhile", async () => {
    const far = world.repository();
    const c = world.apart(far);
    world.checkIn(world.open(far));
    const r = await reader(c.file);
    const end = await slowCommit(c);
    await r.news();
    world.fossil(["wiki", "create", "Page", "-R", c.file], { input: "text\n" });
    await end();
    const news = await r.news();
    expect(news.map(({ again }) => again)).toEqual([true, false]);
    expect(news[0]?.list).toContain(" check-in to trunk ");
    expect(news[1]?.list).toMatch(/^\w+ wiki "Page"\n$/);
  });
});

/** A repository that has a check-in but not its file, and a clone that has it all. */
function incompletePush(): { file: string; c: Checkout; missing: string; checkIn: string } {
  const file = world.repository();
  const c = world.apart(file);
  const checkIn = world.checkIn(c, { lost: `${Math.random()}\n` });
  const missing = world.sql(
    c.file,
    `SELECT uuid FROM blob JOIN mlink ON fid = rid WHERE mid = (SELECT max(mid) FROM mlink)`,
  );
  const less = world.at(`less${Math.random()}.fossil`);
  fs.copyFileSync(c.file, less);
  // As a sender that lost the content, and knows nothing of it but the name.
  world.sql(
    less,
    `INSERT INTO phantom SELECT rid FROM blob WHERE uuid = '${missing}';
     DELETE FROM unclustered WHERE rid IN phantom; DELETE FROM unsent WHERE rid IN phantom;
     UPDATE blob SET content = NULL, size = -1, rcvid = 0 WHERE rid IN phantom`,
  );
  world.tryFossil(["push", file, "--once", "-R", less]);
  return { file, c, missing, checkIn };
}

describe("names without content", () => {
  test("a check-in whose file has not come is not complete; the file arrives in its old row, and then it is", async () => {
    const file = world.repository();
    const r = await reader(file);
    const push = incompletePush();
    const s = await reader(push.file);
    expect(await s.news()).toEqual([]);
    expect(s.watermark?.phantoms).toHaveLength(1);
    r.watermark = null;
    const span: Span = { after: 0, upto: 99, rows: null };
    expect((await s.read([span])).incomplete).toBe(true);
    world.checkIn(world.open(push.file));
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
    const { file, checkIn } = incompletePush();
    const parent = world.sql(file, `SELECT rid FROM blob WHERE uuid = '${checkIn}'`);
    const span: Span = { after: 0, upto: 99, rows: null };
    world.sql(file, "DELETE FROM phantom");
    const r = await reader(file);
    expect((await r.read([span])).incomplete).toBe(false);
    world.sql(file, `INSERT INTO phantom SELECT pid FROM plink WHERE cid = ${parent}`);
    expect((await r.read([span])).incomplete).toBe(true);
  });

  test("what was shunned is not waited for", async () => {
    const { file, missing } = incompletePush();
    const r = await reader(file);
    world.sql(file, `INSERT INTO shun(uuid, mtime) VALUES('${missing}', 0)`);
    expect((await r.read([{ after: 0, upto: 99, rows: null }])).incomplete).toBe(false);
  });

  test("of more than 5,000 no rows are kept, and still nothing is lost", async () => {
    const push = incompletePush();
    world.sql(
      push.file,
      `INSERT INTO blob(rcvid, size, uuid) SELECT 0, -1, hex(randomblob(32)) FROM generate_series(1, 5001);
       INSERT INTO phantom SELECT rid FROM blob WHERE size = -1 AND rid NOT IN phantom`,
    );
    const r = await reader(push.file);
    expect(r.watermark?.phantoms).toBeNull();
    const grown = world.newest(push.file);
    world.push(push.c, push.file);
    const own = world.checkIn(world.open(push.file));
    world.sql(
      push.file,
      `INSERT INTO blob(rcvid, size, uuid, content) VALUES(${grown}, 1, '${"ab".repeat(32)}', x'00')`,
    );
    const news = await r.news();
    const all = news.map(({ list }) => list).join("");
    expect(hashes(all)).toContain(push.missing);
    expect(checkIns(all)).toEqual([own]);
    expect(news.filter(({ again }) => again).map(({ rcvid, list }) => [rcvid, hashes(list)])).toEqual([
      [grown, ["ab".repeat(32)]],
    ]);
    expect(await r.news()).toEqual([]);
  });
});
