import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listArtifacts } from "../../src/vcs/fossil/listing.ts";
import { readFossil } from "../../src/vcs/fossil/open.ts";
import type { Rows, Span } from "../../src/vcs/repository.ts";
import { FossilPlace, listedByFossil, put, signed } from "../helpers/fossil-history.ts";

const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "vcs-fossil-")));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const place = new FossilPlace(folder);
const repository = place.path("r.fossil");
const checkout = place.path("checkout");
const DATE = "2026-01-02 03:04:05";

beforeAll(async () => {
  await place.must(["init", repository]);
  await place.must(["hook", "add", "--type", "after-receive", "--command", "x", "-R", repository]);
  fs.mkdirSync(checkout);
  await fossil("open", repository);
});

const fossil = (...args: string[]): Promise<Buffer> => place.must(args, { cwd: checkout });
const said = (input: string, ...args: string[]): Promise<Buffer> => place.must(args, { cwd: checkout, input });
const store = (text: string, isArtifact = true): Promise<string> =>
  put(text, isArtifact, (args) => fossil(...args), checkout);
const write = (name: string, content: string): void => {
  fs.mkdirSync(path.dirname(path.join(checkout, name)), { recursive: true });
  fs.writeFileSync(path.join(checkout, name), content);
};
const commit = async (...options: string[]): Promise<string> => {
  await fossil("addremove");
  await fossil("commit", "-m", "m", "--no-warnings", "--hash", "--allow-older", "--date-override", DATE, ...options);
  return one("SELECT uuid FROM blob JOIN event ON rid = objid WHERE type = 'ci' ORDER BY rid DESC LIMIT 1");
};

function query<T>(sql: string, file = repository): T[] {
  const db = new BetterSqlite3(file, { readonly: true });
  try {
    return db.prepare(sql).pluck().all() as T[];
  } finally {
    db.close();
  }
}
const one = <T = string>(sql: string): T => query<T>(sql)[0] as T;
const newest = (): number => one<number>("SELECT max(rcvid) FROM rcvfrom");

const list = (spans: readonly Span[], file = repository): Promise<Buffer[]> =>
  readFossil(file, (db) => [...listArtifacts(db, { spans })]);
const listed = async (spans: readonly Span[]): Promise<string> => Buffer.concat(await list(spans)).toString("latin1");
const bytes = (text: string): string => Buffer.from(text).toString("latin1");

/** What `work` brought: the descriptions, after a look whether fossil says the same. */
async function descriptionsOf(work: () => Promise<unknown>): Promise<string[]> {
  const base = newest();
  await work();
  return descriptionsAfter(base);
}

async function descriptionsAfter(base: number): Promise<string[]> {
  const ours = await listed([{ after: base, upto: newest(), rows: null }]);
  expect(ours).toBe((await listedByFossil(place, repository, base, newest())).toString("latin1"));
  return ours.split(/\n(?=[0-9a-f]{40,64} |$)/).flatMap((line) => (line === "" ? [] : [line.replace(/^\w+ /, "")]));
}

describe("the line of an artifact", () => {
  it("names a check-in by branch, user and minute, and a file by its name", async () => {
    const found = await descriptionsOf(async () => {
      write("d/a b.txt", "a");
      await commit("--branch", "feat x", "--user-override", "Jane on trunk");
    });
    expect(found).toEqual(["file d/a b.txt", "check-in to feat x by Jane on trunk on 2026-01-02 03:04"]);
  });

  it("has the branch, user and time that a check-in has now", async () => {
    const hash = { is: "" };
    const found = await descriptionsOf(async () => {
      write("c.txt", "c");
      hash.is = await commit();
      await fossil("amend", hash.is, "--branch", "moved", "--author", "zoë", "--date", "2025-06-07 08:09:10");
    });
    expect(found).toEqual([
      "file c.txt",
      bytes("check-in to moved by zoë on 2025-06-07 08:09"),
      `tag ${hash.is.slice(0, 16)}`,
    ]);
  });

  it("says trunk of a check-in whose branch was cancelled", async () => {
    const found = await descriptionsOf(async () => {
      await fossil("branch", "new", "gone", "trunk", "--date-override", DATE);
      await fossil("tag", "cancel", "--raw", "branch", "gone");
    });
    expect(found[0]).toBe("check-in to trunk by alice on 2026-01-02 03:04");
  });

  it("gives a content with several names the one that was stored first", async () => {
    const found = await descriptionsOf(async () => {
      write("z", "same");
      write("y", "same");
      await commit();
      write("a", "same");
      await commit();
    });
    expect(found.filter((line) => line.startsWith("file"))).toEqual(["file y"]);
  });

  it("tells a tag by sixteen digits of what is tagged, and nothing of one that another replaced", async () => {
    write("t.txt", "t");
    const hash = await commit();
    const found = await descriptionsOf(async () => {
      await fossil("tag", "add", "v1", hash);
      await fossil("tag", "cancel", "v1", hash);
    });
    expect(found).toEqual(["unknown", `tag ${hash.slice(0, 16)}`]);
  });

  it("tells of several artifacts tagged by one the first that was recorded", async () => {
    const [first = "", second = ""] = query<string>(
      "SELECT uuid FROM blob JOIN event ON rid = objid WHERE type = 'ci'",
    );
    const cards = [`T +q1 ${second}`, `T +q2 ${first}`, `T +q3 ${second}`];
    const found = await descriptionsOf(() =>
      store(signed([`D ${new Date().toISOString().slice(0, 23)}`, ...cards, "U bob"])),
    );
    expect(found).toEqual([`tag ${second.slice(0, 16)}`]);
  });

  it("names a branch without files, wiki pages, technotes and tickets", async () => {
    const found = await descriptionsOf(async () => {
      await fossil("branch", "new", "side", "trunk", "--date-override", DATE, "--user-override", "bob");
      await said("text", "wiki", "create", 'My "Page" é');
      await said("note", "wiki", "create", "note", "-t", "2026-03-04 05:06:07");
      await fossil("ticket", "add", "title", "t");
    });
    const [note = "", ticket = ""] = ["event-*", "tkt-*"].map((glob) =>
      one<string>(`SELECT tagname FROM tag WHERE tagname GLOB '${glob}'`),
    );
    expect(found).toEqual([
      "check-in to side by bob on 2026-01-02 03:04",
      bytes('wiki "My "Page" é"'),
      `event ${note.slice(6)}`,
      `ticket ${ticket.slice(4, 25)}`,
    ]);
    expect([note.length, ticket.length]).toEqual([46, 44]);
  });

  it("names an attachment and what attached it by the file", async () => {
    const found = await descriptionsOf(async () => {
      await said("text", "wiki", "create", "Attached");
      fs.writeFileSync(place.path("att é.bin"), "bin");
      await fossil("attachment", "add", "Attached", place.path("att é.bin"));
    });
    expect(found.sort()).toEqual([
      bytes("attachment att é.bin"),
      bytes("attachment-control for att é.bin"),
      'wiki "Attached"',
    ]);
  });

  it("gives a content that was attached under several names the one that came first", async () => {
    const found = await descriptionsOf(async () => {
      for (const name of ["second", "first"]) {
        fs.writeFileSync(place.path(name), "attached twice");
        await fossil("attachment", "add", "Attached", place.path(name));
      }
    });
    expect(found).toContain("attachment second");
  });

  it("names forum posts by fourteen digits of the thread's first", async () => {
    const post = { hash: "" };
    const found = await descriptionsOf(async () => {
      post.hash = await store(signed([`D 2026-01-01T00:00:00.000`, "H Title", "U alice", "W 2\nhi"]));
      await store(signed([`D 2026-01-01T00:00:01.000`, `G ${post.hash}`, `I ${post.hash}`, "U bob", "W 2\nho"]));
    });
    const root = post.hash.slice(0, 14);
    expect(found).toEqual([`forum-post ${root}`, `forum-reply-to ${root}`]);
  });

  it("names a cluster, and what only a cluster names by it, also where that is stored as a delta", async () => {
    const found = await descriptionsOf(async () => {
      const content = [await store("content of a cluster", false), await store("another", false)].sort();
      await store("nowhere named", false);
      const cluster = await store(signed(content.map((hash) => `M ${hash}`)));
      const all = query<string>("SELECT uuid FROM blob WHERE size > 0 ORDER BY rid");
      const other = await store(
        signed([...new Set([...content, ...all.slice(0, 9)])].sort().map((hash) => `M ${hash}`)),
      );
      const [rid = "", source = ""] = [cluster, other].map((hash) =>
        one(`SELECT rid || '' FROM blob WHERE uuid = '${hash}'`),
      );
      await fossil("test-content-deltify", rid, source, "1");
    });
    expect(
      query("SELECT 1 FROM delta JOIN tagxref USING (rid) JOIN tag USING (tagid) WHERE tagname = 'cluster'"),
    ).toEqual([1]);
    expect(found).toEqual(["referenced by cluster", "referenced by cluster", "unknown", "cluster", "cluster"]);
  });

  it("lists what came for a hash that was known before in that hash's row, and nothing for a hash alone", async () => {
    const hash = "dad7fcd1ebbfa9a2ee35dc1fa8a6ca1ea1efe6ba5cf3fb46a4a3b9fbdc4ba6d1";
    const named = signed([`D ${new Date().toISOString().slice(0, 23)}`, `T +early ${hash}`, "U bob"]);
    expect(await descriptionsOf(() => store(named))).toEqual([`tag ${hash.slice(0, 16)}`]);
  });

  it("lists private artifacts like all others, and no unversioned ones", async () => {
    const found = await descriptionsOf(async () => {
      write("secret.txt", "s");
      await commit("--private", "--branch", "secret");
      await said("u", "uv", "add", "-", "--as", "u");
    });
    expect(found).toEqual(["file secret.txt", "check-in to secret by alice on 2026-01-02 03:04"]);
  });

  it("passes bytes that are not UTF-8, and newlines, as they are", async () => {
    const found = await descriptionsOf(async () => {
      write("new\nline", "n");
      await commit();
      await fossil("sql", "UPDATE event SET user = CAST(x'61ff62' AS TEXT) WHERE objid = (SELECT max(rid) FROM blob)");
    });
    expect(found).toEqual(["file new\nline", "check-in to secret by a\xffb on 2026-01-02 03:04"]);
  });
});

describe("the line of an artifact that says nothing of itself", () => {
  /** Content that nothing refers to, and its row. */
  const unknown = async (): Promise<number> => {
    await store(`content ${Math.random()}`, false);
    return one<number>("SELECT max(rid) FROM blob");
  };
  const other = (offset: number): number =>
    one<number>(`SELECT objid FROM event WHERE type = 'ci' ORDER BY objid LIMIT 1 OFFSET ${offset}`);

  it.each<[string, string, (rid: number) => string]>([
    [
      "a parent of a check-in",
      "parent of check-in",
      (rid) => `INSERT INTO plink(pid, cid, isprim) VALUES(${rid}, 1, 1)`,
    ],
    [
      "what its last child was merged from",
      "merge parent of check-in",
      (rid) =>
        `INSERT INTO plink(pid, cid, isprim) VALUES(${rid}, 1, 1); INSERT INTO plink(pid, cid, isprim) VALUES(${rid}, ${other(2)}, 0)`,
    ],
    [
      "what a tag marks as a page, whoever put it there",
      'wiki "like"',
      (rid) =>
        `INSERT INTO tag(tagname) VALUES('wiki-like'); INSERT INTO tagxref(tagid, srcid, rid) VALUES((SELECT tagid FROM tag WHERE tagname = 'wiki-like'), 1, ${rid})`,
    ],
    ["a child of a check-in", "child of check-in", (rid) => `INSERT INTO plink(pid, cid, isprim) VALUES(1, ${rid}, 1)`],
    [
      "what a tag was put on last",
      'check-in referenced by "wiki" tag',
      (rid) =>
        `INSERT INTO tag(tagname) VALUES('wiki'); INSERT INTO tagxref(tagid, srcid, origid, rid) VALUES(8, 1, ${rid}, ${rid}), ((SELECT tagid FROM tag WHERE tagname = 'wiki'), 1, ${rid}, ${rid})`,
    ],
    [
      "a file of what is no check-in, by its last name",
      'file "y"',
      (rid) =>
        `INSERT INTO mlink(mid, fid, fnid) SELECT ${rid}, ${rid}, fnid FROM filename WHERE name IN ('z', 'y') ORDER BY name DESC`,
    ],
  ])("tells %s", async (_, line, sql) => {
    const found = await descriptionsOf(async () => fossil("sql", sql(await unknown())));
    expect(found).toEqual([line]);
  });

  it("is that of a tag where the event of it was lost", async () => {
    const found = await descriptionsOf(async () => {
      await fossil("tag", "add", "lost", "trunk");
      await fossil("sql", "DELETE FROM event WHERE objid = (SELECT max(rid) FROM blob)");
    });
    expect(found).toEqual([expect.stringMatching(/^tag [0-9a-f]{16}$/)]);
  });

  it("is empty where a part of it is missing", async () => {
    const found = await descriptionsOf(async () => {
      await fossil("branch", "new", "nobody", "trunk");
      await fossil("sql", "UPDATE event SET user = NULL WHERE objid = (SELECT max(rid) FROM blob)");
    });
    expect(found).toEqual([""]);
  });

  it("is the same with a cluster that cannot be unpacked", async () => {
    const found = await descriptionsOf(async () => {
      const hash = await store("in a broken cluster", false);
      const cluster = await store(signed([`M ${hash}`]));
      await fossil("sql", `UPDATE blob SET content = x'00000004ffff' WHERE uuid = '${cluster}'`);
    });
    expect(found).toEqual(["unknown", "cluster"]);
    await fossil("sql", "DELETE FROM tagxref WHERE rid = (SELECT max(rid) FROM blob)");
  });
});

describe("the list of a range", () => {
  it("tells more tags than are read one by one", async () => {
    const base = newest();
    const hashes = query<string>("SELECT uuid FROM blob JOIN event ON rid = objid WHERE type = 'ci'");
    for (let i = 0; i < 20; i++) await fossil("tag", "add", `many ${i}`, hashes[i % hashes.length] ?? "");
    const found = await descriptionsAfter(base);
    expect(found).toEqual(
      Array.from({ length: 20 }, (_, i) => `tag ${(hashes[i % hashes.length] ?? "").slice(0, 16)}`),
    );
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
