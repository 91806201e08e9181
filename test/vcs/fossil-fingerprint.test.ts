import fs from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { fossilFingerprint } from "../../src/vcs/fossil/fingerprint.ts";
import { readFossil } from "../../src/vcs/fossil/open.ts";
import { checkout, commit, connect, fossil, repository, temporary } from "./fossil-stand.ts";

const LATER = Date.now() + 3_600_000;
const take = (file: string, previous: string | null = null) => fossilFingerprint(file, previous, LATER);
const count = (db: ReturnType<typeof connect>): unknown => db.prepare("SELECT count(*) FROM rcvfrom").pluck().get();

it.each([false, true])("a commit changes the fingerprint, a read of ours does not (WAL: %s)", async (wal) => {
  const file = repository({ wal });
  const folder = checkout(file);
  const before = take(file);
  await readFossil(file, (db) => {
    count(db);
    expect(take(file, before.text).changed).toBe(false); // also while an empty -wal of ours is there
  });
  expect(take(file, before.text)).toEqual({ ...before, changed: false });
  commit(folder);
  expect(take(file, before.text).changed).toBe(true);
});

it("Fossil's D21 with a pinned reader in WAL mode a commit changes the fingerprint though the file's time stays", () => {
  const file = repository({ wal: true });
  const folder = checkout(file);
  const reader = connect(file);
  reader.exec("BEGIN");
  count(reader);
  let last = take(file).text;
  const main = fs.statSync(file, { bigint: true });
  for (let i = 0; i < 3; i++) {
    commit(folder);
    const now = take(file, last);
    expect(now.changed).toBe(true);
    last = now.text;
  }
  const after = fs.statSync(file, { bigint: true });
  expect([after.mtimeNs, after.size]).toEqual([main.mtimeNs, main.size]);
  reader.close();
});

it("going over to WAL mode and back changes the fingerprint", () => {
  const file = repository();
  const rollback = take(file).text;
  fossil("/", "sql", "-R", file, "PRAGMA journal_mode = WAL");
  const wal = take(file, rollback);
  expect(wal.changed).toBe(true);
  const db = connect(file);
  db.pragma("journal_mode = DELETE"); // fossil's own shell says "database is locked" to it
  db.close();
  expect(take(file, wal.text).changed).toBe(true);
});

it("another file in its place changes the fingerprint, with the same size and times too", () => {
  const file = repository();
  const before = take(file).text;
  const stat = fs.statSync(file);
  const copy = path.join(path.dirname(file), "copy");
  fs.copyFileSync(file, copy);
  fs.utimesSync(copy, stat.atime, stat.mtime);
  fs.renameSync(copy, file);
  expect(take(file, before).changed).toBe(true);
});

it("other content in the same file changes the fingerprint, with the same size and time too", () => {
  const file = repository();
  const whole = 1_700_000_000;
  fs.utimesSync(file, whole, whole);
  const before = take(file);
  fs.writeFileSync(file, fs.readFileSync(file).reverse());
  fs.utimesSync(file, whole, whole);
  expect(take(file).newestAt).toBe(before.newestAt);
  expect(take(file, before.text).changed).toBe(true);
});

it("a fingerprint of another version counts as changed", () => {
  const file = repository();
  for (const previous of [null, "", "1\nfoo", "f2 1:2:3:4"]) expect(take(file, previous).changed).toBe(true);
});

it("is unsure as long as a write may have the time of the last one, and longer in WAL mode", () => {
  const file = repository({ wal: true });
  const { newestAt } = take(file);
  expect(fossilFingerprint(file, null, newestAt + 900).unsure).toBe(true);
  expect(fossilFingerprint(file, null, newestAt + 1100).unsure).toBe(false);
  expect(fossilFingerprint(file, null, newestAt - 900).unsure).toBe(true);
  const folder = checkout(file);
  const reader = connect(file);
  reader.exec("BEGIN");
  count(reader);
  commit(folder);
  const { newestAt: written } = take(file);
  expect(written).toBe(Number(fs.statSync(`${file}-wal`, { bigint: true }).mtimeMs));
  expect(fossilFingerprint(file, null, written + 4900).unsure).toBe(true);
  expect(fossilFingerprint(file, null, written + 5100).unsure).toBe(false);
  reader.close();
});

it("a missing file is no repository", () => {
  const at = path.join(temporary(), "no.fossil");
  expect(() => take(at)).toThrow(expect.objectContaining({ code: "GP_NO_REPOSITORY" }));
  expect(() => take("/dev/null/r.fossil")).toThrow(expect.objectContaining({ code: "GP_NO_REPOSITORY" }));
});

it("a thousand cost a few milliseconds", () => {
  const file = repository();
  const { text } = take(file);
  const rounds = Array.from({ length: 7 }, () => {
    const began = performance.now();
    for (let i = 0; i < 1000; i++) take(file, text);
    return performance.now() - began;
  });
  expect(Math.min(...rounds)).toBeLessThan(40);
});
