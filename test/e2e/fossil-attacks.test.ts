/**
 * What strangers can put into a Fossil repository, and what else happens to its file: the pass goes on, the repositories
 * beside it are served, and nothing that arrived is lost. What is done to hook lists and gates: fossil-attacks-lists.test.ts.
 */
import * as fs from "node:fs";
import { deflateSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { writeAuxiliary } from "../../src/backoffice/auxiliary.ts";
import { materialBetween } from "../../src/backoffice/material.ts";
import type { Millis } from "../../src/core/units.ts";
import { changeSetting } from "../../src/home/settings.ts";
import { contentReader } from "../../src/vcs/fossil/content.ts";
import { listArtifacts } from "../../src/vcs/fossil/listing.ts";
import { readFossil } from "../../src/vcs/fossil/open.ts";
import { openFossil } from "../../src/vcs/fossil.ts";
import { enterFossil, hashes, makeFossilWorld, watchFossil } from "../helpers/fossil.ts";
import { leave, type Watched } from "../helpers/served.ts";

const world = makeFossilWorld();
enterFossil(world);
afterAll(() => leave(world));

const MINUTE = 60_000 as Millis;
const NEW_RECEIPT = "INSERT INTO rcvfrom(uid, mtime) VALUES(1, julianday('now'))";
const LAST = "(SELECT max(rcvid) FROM rcvfrom)";

/** SQL in the repository, all of which must succeed; what it printed. */
function change(file: string, text: string): string {
  const printed = world.sql(file, `.bail on\n${text};\nSELECT 'all of it'`);
  expect(printed).toMatch(/^all of it$/m);
  return printed.replace(/\n?all of it$/, "");
}

/** A hook that keeps its lists, for all repositories of the home. */
const keeps = (r: Watched): void => void r.hook(`cat >> '${r.file("got")}'`, { scope: { scope: "all" } });
/** The wiki pages that it got, in order. */
const pages = (r: Watched): string[] => [...r.read("got").matchAll(/ wiki "(.*)"$/gm)].map(([, page = ""]) => page);

/** Repositories in one home, each with a new wiki page and then changed so; and one that is as it should be. */
async function among(tampers: readonly string[]): Promise<Watched> {
  const home = fs.mkdtempSync(world.at("home-"));
  const good = await watchFossil(world, { home });
  keeps(good);
  for (const tamper of tampers) {
    const { path } = await watchFossil(world, { home });
    world.wiki(path, "tampered");
    change(path, tamper);
  }
  world.wiki(good.path, "good");
  return good;
}

test("R9: what fills thousands of rows under a number that was read already is handed out, all of it", async () => {
  const r = await watchFossil(world);
  keeps(r);
  change(
    r.path,
    `${NEW_RECEIPT};
     CREATE TEMP TABLE n AS SELECT value AS n FROM generate_series(1, 12000);
     INSERT INTO blob(rid, rcvid, size, uuid) SELECT 1000 + n, 0, -1, lower(hex(randomblob(32))) FROM n;
     INSERT INTO phantom SELECT 1000 + n FROM n;
     INSERT INTO blob(rid, rcvid, size, uuid, content) SELECT 20000, ${LAST}, 0, lower(hex(randomblob(32))), x'00000000'`,
  );
  await r.pass();
  change(
    r.path,
    `UPDATE blob SET rcvid = ${LAST}, size = 0, content = x'00000000' WHERE rid IN phantom; DELETE FROM phantom`,
  );
  await r.pass();
  const want = change(r.path, `SELECT uuid FROM blob WHERE rcvid = ${LAST} ORDER BY uuid`).split("\n");
  expect(want).toHaveLength(12_001);
  expect(hashes(r.read("got")).sort()).toEqual(want);
});

test("a repository that is gone when the rules of a run are looked at holds up no other; its run waits", async () => {
  const good = await among([]);
  const bad = await watchFossil(world, { home: good.home.dir });
  good.hook("case %R in *.gone) ;; *) [ ! -e %R.take ] || mv %R %R.gone ;; esac", {
    scope: { scope: "all" },
    sequence: 1,
  });
  good.hook(`cat >> '${good.file("ruled")}'`, { scope: { scope: "all" }, sequence: 11, artifacts: ["wiki"] });
  fs.writeFileSync(`${bad.path}.take`, "");
  world.wiki(bad.path, "bad");
  await good.pass();
  expect(good.read("ruled")).toContain(' wiki "good"');
  expect(bad.runs().at(-1)).toMatchObject({
    state: "waiting",
    reason: `its rules could not be looked at: There is nothing at ${bad.path}`,
  });
  fs.renameSync(`${bad.path}.gone`, bad.path);
  fs.rmSync(`${bad.path}.take`);
  good.home.db.sqlite.prepare("UPDATE run SET due_at = due_at - ? WHERE due_at IS NOT NULL").run(MINUTE);
  await good.pass();
  expect(good.read("ruled")).toContain(' wiki "bad"');
});

test("numbers and times that Fossil never writes are told of, and the repositories beside it are served", async () => {
  const loose = `ALTER TABLE rcvfrom RENAME TO rf; CREATE TABLE rcvfrom(rcvid, uid, mtime, nonce, ipaddr);
    INSERT INTO rcvfrom SELECT * FROM rf;`;
  const good = await among([
    "REPLACE INTO config(name, value, mtime) VALUES('hook-embargo', '1e308', 0)",
    `INSERT INTO rcvfrom(rcvid, uid, mtime) VALUES(9223372036854775807, 1, 2460000.5);
     UPDATE blob SET rcvid = 9223372036854775807 WHERE rid = (SELECT max(rid) FROM blob)`,
    "UPDATE blob SET rcvid = 'x' WHERE rid = (SELECT max(rid) FROM blob)",
    `${loose} INSERT INTO rcvfrom VALUES(2.5, 1, 2460000.5, NULL, NULL)`,
    "UPDATE rcvfrom SET mtime = 9e999",
    `INSERT INTO rcvfrom(uid, mtime) VALUES(1, 'noon'); ${NEW_RECEIPT}`,
    `DROP TABLE event; CREATE VIEW event AS SELECT 'ci' AS type, 1 AS mtime, rid AS objid, 1 AS uid, '' AS euser, '' AS user,
       '' AS ecomment, '' AS comment FROM blob WHERE abs(-9223372036854775807 - 1)`,
  ]);
  await good.pass();
  expect(pages(good)).toContain("good");
  const told = good.complaints.join("\n");
  expect(told).toMatch(/The receipts in .* have numbers or times that fossil does not give\./);
  expect(told).toMatch(/has something else in the place of its table event\./);
  world.wiki(good.path, "more");
  await good.pass();
  expect(pages(good)).toContain("more");
});

test("a view or a computed column in the place of a table is not read, so that it cannot run without end", async () => {
  const endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n";
  const good = await among([
    `ALTER TABLE rcvfrom RENAME TO rf;
     CREATE VIEW rcvfrom AS ${endless} AS rcvid, 1 AS uid, 2460000.5 AS mtime, NULL AS ipaddr FROM c`,
    `DROP TABLE phantom; CREATE VIEW phantom AS ${endless} AS rid FROM c`,
    `ALTER TABLE rcvfrom RENAME TO rf;
     CREATE TABLE rcvfrom(rcvid INTEGER PRIMARY KEY, uid, mtime, nonce, i, ipaddr AS (hex(zeroblob(200000000))));
     INSERT INTO rcvfrom(rcvid, uid, mtime, nonce, i) SELECT * FROM rf;
     INSERT INTO rcvfrom(uid, mtime) SELECT 1, 2461366.5 FROM generate_series(1, 500)`,
  ]);
  // In a process of its own, which can be ended if it does not.
  const { code, stderr } = world.gatepost(["backoffice", "--home", good.home.dir], { timeout: 15_000 });
  expect(code).toBe(0);
  expect(stderr.match(/has something else in the place of its table (rcvfrom|phantom)\./g)).toHaveLength(3);
  expect(pages(good)).toEqual(["good"]);
});

test("what arrives in a file that was restored is handed out, also where the clock had been ahead", async () => {
  const r = await watchFossil(world);
  keeps(r);
  world.wiki(r.path, "1");
  await r.pass();
  fs.copyFileSync(r.path, `${r.path}.backup`);
  world.wiki(r.path, "2");
  change(r.path, "UPDATE rcvfrom SET mtime = julianday('2030-01-01') WHERE rcvid = 3");
  await r.pass();
  fs.copyFileSync(`${r.path}.backup`, r.path);
  for (const page of ["4", "5"]) world.wiki(r.path, page);
  await r.pass();
  expect(pages(r)).toEqual(["1", "2", "4", "5"]);
});

test("a receipt from a machine whose clock is at 1970 is not older than the window", async () => {
  const r = await watchFossil(world);
  keeps(r);
  world.wiki(r.path, "1");
  change(r.path, "UPDATE rcvfrom SET mtime = julianday('1970-01-02') WHERE rcvid = 2");
  world.wiki(r.path, "2");
  await r.pass();
  world.wiki(r.path, "3");
  change(r.path, "UPDATE rcvfrom SET mtime = julianday('1970-01-02') WHERE rcvid = 4");
  await r.pass();
  expect(pages(r)).toEqual(["1", "2", "3"]);
});

test("lines that together are longer than a text can be are listed in smaller pages", async () => {
  const file = world.repository();
  world.checkIn(world.open(file));
  change(
    file,
    `${NEW_RECEIPT};
     INSERT INTO filename(fnid, name) VALUES(1000, hex(zeroblob(600000)));
     CREATE TEMP TABLE n AS SELECT value AS n FROM generate_series(1, 480);
     INSERT INTO blob(rid, rcvid, size, uuid, content) SELECT 1000 + n, ${LAST}, 0, lower(hex(randomblob(32))), x'00000000' FROM n;
     INSERT INTO mlink(mid, fid, fnid) SELECT (SELECT max(objid) FROM event), 1000 + n, 1000 FROM n`,
  );
  const bytes = await readFossil(file, (db) => {
    let sum = 0;
    for (const chunk of listArtifacts(db, { spans: [{ after: 2, upto: 3, rows: null }] })) sum += chunk.length;
    return sum;
  });
  expect(bytes).toBeGreaterThan(2 ** 29);
});

test("deltas that unpack to more than any artifact needs are not unpacked", async () => {
  const file = world.repository();
  const stored = (content: Buffer): string =>
    `x'${Buffer.concat([Buffer.alloc(4), deflateSync(content)]).toString("hex")}'`;
  // Each puts in 21 MiB of its own, and takes nothing from the one before.
  const delta = Buffer.concat([
    Buffer.from("1H000\n1H000:"),
    Buffer.alloc(1 * 64 ** 4 + 17 * 64 ** 3),
    Buffer.from("0;"),
  ]);
  change(
    file,
    `INSERT INTO blob(rid, rcvid, size, uuid, content) VALUES(1000, 1, 4, lower(hex(randomblob(32))), ${stored(Buffer.from("base"))});
     INSERT INTO blob(rid, rcvid, size, uuid, content)
       SELECT 1000 + value, 1, 9, lower(hex(randomblob(32))), ${stored(delta)} FROM generate_series(1, 4);
     INSERT INTO delta(rid, srcid) SELECT 1000 + value, 999 + value FROM generate_series(1, 4)`,
  );
  const lengths = await readFossil(file, (db) => {
    const read = contentReader(db);
    return [1000, 1003, 1004].map((rid) => read(rid)?.length ?? null);
  });
  expect(lengths).toEqual([4, 21_233_664, null]);
});

test("a login with a NUL in it reaches the hook as text", async () => {
  const r = await watchFossil(world);
  r.hook(`printf %s "$GATEPOST_USER" > '${r.file("user")}'`);
  world.wiki(r.path);
  change(r.path, "UPDATE user SET login = 'al' || char(0) || 'ice' WHERE login = 'alice'");
  await r.pass();
  expect(r.runs()).toMatchObject([{ state: "done" }]);
  expect(r.read("user")).toBe("al\\x00ice");
});

test("a batch may have more receipts than a call can have arguments", async () => {
  const r = await watchFossil(world);
  keeps(r);
  changeSetting(r.home, "window", "all");
  world.wiki(r.path);
  await r.pass();
  const [batch] = r.batches();
  const [hook] = [r.hook("true")];
  if (batch === undefined) throw new Error("no batch was cut");
  const material = materialBetween(r.home.db, r.row, batch, null);
  const [receipt] = material.receipts;
  if (receipt === undefined) throw new Error("it has no receipt");
  const many = { ...material, receipts: Array(150_000).fill(receipt) };
  writeAuxiliary(r.file("many"), { run: "a-1", attempt: 1, hook, row: r.row }, many, null);
  const { batch: bounds, receipts } = JSON.parse(r.read("many"));
  expect([bounds.base, bounds.upto, receipts.length]).toEqual([1, 2, 150_000]);

  change(
    r.path,
    `INSERT INTO blob(rid, rcvid, size, uuid) SELECT 1000, 0, -1, lower(hex(randomblob(32)));
    INSERT INTO phantom VALUES(1000)`,
  );
  const span = { after: 1, upto: 2, rows: { low: 2, high: 2, more: [], mark: "" } };
  expect(await openFossil(r.path).arrivals(null, Array(150_000).fill(span))).toMatchObject({ incomplete: true });
});
