import fs from "node:fs";
import { describe, expect, it } from "vitest";
import { signed } from "../helpers/fossil-place.ts";
import {
  bytes,
  commit,
  DATE,
  descriptionsOf,
  fossil,
  one,
  place,
  query,
  said,
  store,
  write,
} from "./fossil-listing-stand.ts";

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
