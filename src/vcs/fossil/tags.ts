/**
 * The two questions of a list that no index of a Fossil file answers: which artifact a control artifact tagged, and
 * whether a cluster names an artifact.
 *
 * For a few control artifacts their content is read: its T cards name what they tag, and a tag is in force where table
 * `tagxref` says that it came from there. From FEW on that would cost more than to walk through that table once, so then
 * its sources are copied into a temporary table. Likewise all clusters are unpacked once, when the first artifact turns
 * up that nothing else names; of each hash that they name, 13 digits are kept, as a number: 8 bytes for each artifact of
 * the repository. Two hashes that agree in so much would be held for one; among a million artifacts that is one chance
 * in four thousand million for each unknown one.
 *
 * Temporary tables belong to the connection and go with it. Proven by test/vcs/fossil-listing.test.ts and fossil-listing-range.test.ts.
 */
import type BetterSqlite3 from "better-sqlite3";

type Db = BetterSqlite3.Database;

/** Control artifacts of one list that are read one by one (bench/fossil-list.mjs). */
const FEW = 16;

/** Longer control artifacts are not read at all. */
const LONG = 1024 * 1024;

/** Answers, for one list, with the rid that a control artifact tagged first; undefined where no tag of it is in force. */
export function targetFinder(db: Db, read: (rid: number) => Buffer | null): (rid: number) => number | undefined {
  const sizeOf = db.prepare<[number], number>("SELECT size FROM blob WHERE rid = ?").pluck();
  const tagged = db.prepare<[string, number], { place: number; target: number }>(
    `SELECT x.rowid AS place, x.rid AS target FROM blob AS b CROSS JOIN tagxref AS x ON x.rid = b.rid
     WHERE b.uuid = ? AND x.srcid = ? AND x.srcid <> x.rid ORDER BY x.rowid LIMIT 1`,
  );
  let count = 0;
  let walked: BetterSqlite3.Statement<[number], number> | null = null;
  return (rid) => {
    const content = ++count > FEW || (sizeOf.get(rid) ?? 0) > LONG ? null : read(rid);
    if (content === null) {
      walked ??= walk(db);
      return walked.get(rid);
    }
    const cards = content.toString("latin1").matchAll(/^T [^ ]+ ([0-9a-f]{40,64})(?= |$)/gm);
    const rows = new Set([...cards].map(([, hash = ""]) => hash));
    return [...rows].flatMap((hash) => tagged.get(hash, rid) ?? []).sort((a, b) => a.place - b.place)[0]?.target;
  };
}

function walk(db: Db): BetterSqlite3.Statement<[number], number> {
  db.exec(`DROP TABLE IF EXISTS temp.tagged;
    CREATE TEMP TABLE tagged (source INTEGER PRIMARY KEY, target INTEGER NOT NULL);
    INSERT OR IGNORE INTO tagged SELECT srcid, rid FROM main.tagxref WHERE srcid > 0 AND srcid <> rid ORDER BY rowid`);
  return db.prepare<[number], number>("SELECT target FROM tagged WHERE source = ?").pluck();
}

/** Answers whether one of the repository's clusters names the artifact. */
export function clusterSearch(db: Db, read: (rid: number) => Buffer | null): (hash: string) => boolean {
  let named: Float64Array | null = null;
  return (hash) => {
    named ??= hashesInClusters(db, read);
    return includes(named, keyOf(hash));
  };
}

const KEPT = 13;
const keyOf = (hash: string): number => Number.parseInt(hash.slice(0, KEPT), 16);

function hashesInClusters(db: Db, read: (rid: number) => Buffer | null): Float64Array {
  const clusters = db
    .prepare<[], number>("SELECT rid FROM tagxref WHERE tagid = (SELECT tagid FROM tag WHERE tagname = 'cluster')")
    .pluck()
    .all();
  let keys = new Float64Array(1024);
  let count = 0;
  for (const rid of clusters) {
    const content = read(rid);
    for (let at = content?.indexOf("M ") ?? -1; content && at !== -1; at = content.indexOf("M ", at + 2)) {
      if (count === keys.length) {
        const wider = new Float64Array(2 * count);
        wider.set(keys);
        keys = wider;
      }
      keys[count++] = keyAt(content, at + 2);
    }
  }
  return keys.subarray(0, count).sort();
}

/** As `keyOf`, of digits in a buffer: a regular expression takes four times as long. -1 where they are none. */
function keyAt(content: Buffer, at: number): number {
  let key = 0;
  for (let i = at; i < at + KEPT; i++) {
    const digit = content[i] ?? 0;
    if (digit >= 0x30 && digit <= 0x39) key = key * 16 + digit - 0x30;
    else if (digit >= 0x61 && digit <= 0x66) key = key * 16 + digit - 0x57;
    else return -1;
  }
  return key;
}

function includes(sorted: Float64Array, key: number): boolean {
  let low = 0;
  for (let high = sorted.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < key) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === key;
}
