/** A Fossil file that is not what it was: rebuilt, shunned from, restored, replaced. */
import * as fs from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { openFossil } from "../../src/vcs/fossil.ts";
import type { Watermark } from "../../src/vcs/repository.ts";
import { checkIns, enterFossil, makeFossilWorld } from "../helpers/fossil.ts";
import { reader, spanOf } from "./fossil-reader.ts";

const world = makeFossilWorld();
enterFossil(world);
afterAll(() => world.remove());

describe("R9: a file that is not what it was", () => {
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
    fs.renameSync(world.at("fresh.fossil"), file); // a child of the server may still have the other one open
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
