import fs from "node:fs";
import BetterSqlite3 from "better-sqlite3";
import { beforeAll, describe, expect, it } from "vitest";
import type { Rows, Span } from "../../src/vcs/repository.ts";
import {
  descriptionsAfter,
  fossil,
  list,
  listed,
  newest,
  one,
  place,
  query,
  repository,
  store,
} from "./fossil-listing-stand.ts";

describe("the list of a range", () => {
  it("tells more tags than are read one by one", async () => {
    const base = newest();
    const hashes = query<string>("SELECT uuid FROM blob JOIN event ON rid = objid WHERE type = 'ci'");
    for (let i = 0; i < 20; i++) await fossil("tag", "add", `many ${i}`, hashes[i % hashes.length] ?? "");
    await fossil("branch", "new", "lost branch", "trunk");
    await fossil("sql", "DELETE FROM event WHERE objid = (SELECT max(rid) FROM blob)"); // its tags are on itself
    expect(await descriptionsAfter(base)).toEqual([
      ...Array.from({ length: 20 }, (_, i) => `tag ${(hashes[i % hashes.length] ?? "").slice(0, 16)}`),
      "child of check-in",
    ]);
  });

  describe("of some receipts", () => {
    let last = 0;
    beforeAll(async () => {
      for (let i = 0; i < 5; i++) await store(`number ${i}`, false);
      last = newest();
    });
    const row = (rcvid: number): number => one<number>(`SELECT rid FROM blob WHERE rcvid = ${rcvid}`);
    const hash = (rcvid: number): string => one(`SELECT uuid FROM blob WHERE rcvid = ${rcvid}`);
    const lines = (...receipts: number[]): string => receipts.map((rcvid) => `${hash(rcvid)} unknown\n`).join("");
    const at = (rcvid: number, rows: Rows | null): Span => ({ after: rcvid - 1, upto: rcvid, rows });
    const rows = (low: number, high: number, more: number[] = []): Rows => ({
      ...{ low, high, more },
      mark: one<string>(`SELECT uuid FROM blob WHERE rid = ${high}`),
    });

    it("has each artifact once and in the order of rows, however the spans lie", async () => {
      const spans = [at(last, null), at(last - 2, null), { after: last - 4, upto: last - 2, rows: null }];
      expect(await listed(spans)).toBe(lines(last - 3, last - 2, last));
    });

    it("looks in the rows that a span names, and only there", async () => {
      const [a, b] = [row(last - 3), row(last)];
      expect(await listed([{ after: 0, upto: last, rows: rows(b, b, [a]) }])).toBe(lines(last - 3, last));
      expect(await listed([at(last, rows(a, a))])).toBe("");
      expect(await listed([{ after: 0, upto: last, rows: { low: 1, high: 0, more: [b, a], mark: "" } }])).toBe(
        lines(last - 3, last),
      );
    });

    it("searches where another artifact stands in the last of them", async () => {
      const wrong = { ...rows(1, 1), mark: hash(last) };
      expect(await listed([at(last, wrong), at(last - 1, rows(row(last - 1), row(last - 1)))])).toBe(
        lines(last - 1, last),
      );
    });

    it("looks up to the last of the rows, also where others begin there", async () => {
      const [a, b] = [row(last - 1), row(last)];
      expect(await listed([at(last, rows(a, b)), at(last - 4, rows(b, b))])).toBe(lines(last));
    });

    it("keeps apart what lies in the same rows", async () => {
      const all = rows(row(last - 4), row(last));
      expect(await listed([at(last - 4, all), at(last - 2, all), at(last, rows(row(last - 1), row(last)))])).toBe(
        lines(last - 4, last - 2, last),
      );
    });

    it("is empty for no receipts, and for those that brought nothing", async () => {
      expect(await list([])).toEqual([]);
      expect(await list([{ after: last, upto: last, rows: null }])).toEqual([]);
      expect(await list([{ after: last, upto: last + 9, rows: null }])).toEqual([]);
    });
  });

  it("comes in chunks of whole lines that do not grow with it", async () => {
    const file = place.path("long.fossil");
    fs.copyFileSync(repository, file);
    const db = new BetterSqlite3(file);
    db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
      INSERT INTO blob(rcvid, size, uuid, content) SELECT 99999, 0, printf('%064d', i), x'' FROM n`);
    db.close();
    const chunks = await list([{ after: 99998, upto: 99999, rows: null }], file);
    expect(Buffer.concat(chunks).toString()).toBe(
      Array.from({ length: 20000 }, (_, i) => `${String(i + 1).padStart(64, "0")} unknown\n`).join(""),
    );
    expect(chunks.every((chunk) => chunk.at(-1) === 10)).toBe(true);
    expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThan(128 * 1024);
  });
});
