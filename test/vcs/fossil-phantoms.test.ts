/** Names that a Fossil repository knows before their content has come: where that is found, and what is waited for. */
import { randomBytes } from "node:crypto";
import { afterAll, describe, expect, test } from "vitest";
import type { Span } from "../../src/vcs/repository.ts";
import { checkIns, enterFossil, gateTo, hashes, incompletePush, makeFossilWorld } from "../helpers/fossil.ts";
import { reader, spanOf } from "./fossil-reader.ts";

const world = makeFossilWorld();
enterFossil(world);
afterAll(() => world.remove());

describe("R9: names without content", () => {
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

  test("are kept as stretches of rows, however many, and what fills them under a number that was read is not lost", async () => {
    const push = incompletePush(world);
    world.sql(
      push.file,
      `INSERT INTO blob(rcvid, size, uuid) SELECT 0, -1, hex(randomblob(32)) FROM generate_series(1, 5001);
       INSERT INTO phantom SELECT rid FROM blob WHERE size = -1 AND rid NOT IN phantom`,
    );
    const r = await reader(push.file);
    const [stretch] = r.watermark?.phantoms ?? [];
    expect(r.watermark?.phantoms).toHaveLength(1);
    const [low, high] = stretch ?? [0, 0];
    expect(high - low).toBe(5001);
    const grown = world.newest(push.file);
    world.push(push.c, push.file);
    world.wiki(push.file, "Own");
    world.sql(
      push.file,
      `INSERT INTO blob(rcvid, size, uuid, content) VALUES(${grown}, 1, '${"ab".repeat(32)}', x'00')`,
    );
    world.sql(
      push.file,
      `UPDATE blob SET rcvid = ${grown}, size = 1, content = x'00' WHERE rid IN (${high - 7}, ${high - 9})`,
    );
    world.sql(push.file, `DELETE FROM phantom WHERE rid IN (${high - 7}, ${high - 9})`);
    const news = await r.news();
    const all = news.map(({ list }) => list).join("");
    expect(hashes(all)).toContain(push.missing);
    expect(all).toContain(' wiki "Own"\n');
    const again = news.filter((one) => one.again);
    expect(again.map(({ rcvid, list }) => [rcvid, hashes(list).length, hashes(list).at(-1)])).toEqual([
      [grown, 3, "ab".repeat(32)],
    ]);
    expect(await r.news()).toEqual([]);
  });
});
