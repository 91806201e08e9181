/**
 * What a Fossil repository received since it was last read.
 *
 * Fossil writes a row of `rcvfrom` for each process or request that stores content, and every blob names its row. New
 * blobs are found by their row number, which grows, and not by that name, which has no index and is no proof: one process
 * may store under one name in several transactions, so that blobs appear under a receipt that was read long ago. Blobs
 * whose hash was known before their content came (phantoms) keep their row number; they are asked for by it.
 *
 * Row numbers are hints, known again by the hash in the last of them. Where that differs (content was shunned, the file
 * was reconstructed), blobs are searched by receipt number once. A receipt is known again by number and time. Where the
 * last one read is not there, the file is an earlier state, restored from a backup, if its first receipt is the one we
 * know: then all that is newer than what was read has arrived. Otherwise another repository stands there.
 *
 * A number that grows is no theory: a commit whose pull broke off after its first round trip, and that goes on all the
 * same, stores under the number of the pull. And a number may have no row: where the transaction that made it failed.
 *
 * Proven by test/vcs/fossil-arrivals.test.ts, fossil-phantoms.test.ts and fossil-replaced.test.ts.
 */
import type BetterSqlite3 from "better-sqlite3";
import { type ByteString, fromBuffer } from "../../core/bytes.ts";
import { GatepostError } from "../../core/errors.ts";
import type { Instant } from "../../core/units.ts";
import type { Arrival, Arrivals, Known, Rows, Span, Watermark } from "../repository.ts";

type Db = BetterSqlite3.Database;

/** Reads, in the caller's read transaction. `file` is for messages; `known` is asked of a file that was restored. */
export function readArrivals(
  db: Db,
  file: string,
  since: Watermark | null,
  waiting: readonly Span[],
  known: Known = () => [],
): Arrivals {
  const watermark = watermarkNow(db);
  requireNumbers(watermark, file);
  const from = since === null ? null : placeOf(db, file, since, watermark, known);
  const arrivals = since === null || from === null ? [] : arrivalsAfter(db, since, from);
  const open = [...waiting, ...arrivals.map(({ rcvid, rows }) => ({ after: rcvid - 1, upto: rcvid, rows }))];
  return {
    arrivals,
    watermark,
    embargo: embargoOf(db),
    incomplete: isIncomplete(db, open, watermark.phantoms ?? []),
    restored: from?.restored ?? false,
  };
}

/** A watermark right behind a receipt; behind the last one there is, where that number is not there. */
export function watermarkAfter(db: Db, rcvid: number): Watermark {
  const at = receipt(db, `WHERE rcvid <= ${rcvid} ORDER BY rcvid DESC LIMIT 1`) ?? { rcvid: 0, mtime: 0 };
  return { ...watermarkNow(db), ...at, rid: 0, mark: "", phantoms: null };
}

/** The receipts of (base, upto], to be searched; see `FossilRepository.receipts`. */
export function readReceipts(db: Db, base: number | null, upto: number | null) {
  const newest = count(db, "SELECT coalesce(max(rcvid), 0) FROM rcvfrom");
  const end = upto ?? newest;
  const rows: Rows = { low: 1, high: 0, more: [], mark: "" };
  return { newest, receipts: receiptsAfter(db, base ?? end - 1, end).map((row) => ({ ...factsOf(row), rows })) };
}

function watermarkNow(db: Db): Watermark {
  const project = db.prepare("SELECT value FROM config WHERE name = 'project-code'").pluck().get();
  const last = receipt(db, "ORDER BY rcvid DESC LIMIT 1");
  const blob = db.prepare<[], Blob>("SELECT rid, uuid FROM blob ORDER BY rid DESC LIMIT 1").get();
  return {
    project: String(project ?? ""),
    rcvid: last?.rcvid ?? 0,
    mtime: last?.mtime ?? 0,
    first: receipt(db, "ORDER BY rcvid LIMIT 1")?.mtime ?? 0,
    rid: blob?.rid ?? 0,
    mark: blob?.uuid ?? "",
    phantoms: phantomsNow(db),
  };
}

/** The rows of phantoms as stretches [low, high]: a transfer that begins makes thousands, one behind the other. */
function phantomsNow(db: Db): [number, number][] {
  const stretches: [number, number][] = [];
  for (const rid of db.prepare<[], number>("SELECT rid FROM phantom ORDER BY rid").pluck().iterate()) {
    const last = stretches.at(-1);
    if (last !== undefined && last[1] === rid - 1) last[1] = rid;
    else stretches.push([rid, rid]);
  }
  return stretches;
}

/** Numbers that fossil never gives can neither be compared nor stored: somebody made them. */
function requireNumbers({ rcvid, mtime, first, rid, mark }: Watermark, file: string): void {
  const isWhole = [rcvid, rid].every((number) => Number.isSafeInteger(number) && number >= 0);
  if (isWhole && Number.isFinite(mtime) && Number.isFinite(first) && typeof mark === "string") return;
  throw new GatepostError("GP_REPOSITORY", `The receipts in ${file} have numbers or times that fossil does not give.`, {
    hint: "See what is left with fossil test-integrity -R FILE, or restore a backup.",
  });
}

type Blob = { rid: number; uuid: string };

/** Where reading goes on: after this receipt, and after this row (null: it is not known, and blobs are searched). */
function placeOf(db: Db, file: string, since: Watermark, now: Watermark, known: Known) {
  if (since.project !== now.project) throw replaced(file, "it is of another project");
  if (receipt(db, `WHERE rcvid = ${since.rcvid}`)?.mtime === since.mtime || since.rcvid === 0) {
    const mark = db.prepare<[number], string>("SELECT uuid FROM blob WHERE rid = ?").pluck().get(since.rid);
    const isKnown = mark === since.mark && since.rid > 0;
    return { rcvid: since.rcvid, rid: isKnown ? since.rid : null, restored: false };
  }
  if (since.first !== now.first) throw replaced(file, `it does not know receipt ${since.rcvid}`);
  return { rcvid: lastKnown(db, since, known), rid: null, restored: true };
}

/** The last receipt that an earlier state of the file has in common with what was read: by the hash in its last row. Times
 *  would not tell: a clock may have been ahead. Of receipts from before the repository was registered only they can. */
function lastKnown(db: Db, since: Watermark, known: Known): number {
  const has = db.prepare<[string, number], number>("SELECT 1 FROM blob WHERE uuid = ? AND rcvid = ?").pluck();
  let oldest = since.rcvid;
  for (const { rcvid, mark } of known()) {
    if (mark !== "" && has.get(mark, rcvid) !== undefined) return rcvid;
    oldest = Math.min(oldest, rcvid);
  }
  return count(db, "SELECT coalesce(max(rcvid), 0) FROM rcvfrom WHERE mtime <= ? AND rcvid < ?", since.mtime, oldest);
}

const replaced = (file: string, why: string): GatepostError =>
  new GatepostError("GP_NO_REPOSITORY", `Another repository stands at ${file}: ${why}.`, {
    hint: `If it shall be served: gatepost init ${file}`,
  });

type Group = { rcvid: number; low: number; high: number };
type Place = ReturnType<typeof placeOf>;

function arrivalsAfter(db: Db, since: Watermark, { rcvid, rid }: Place): Arrival[] {
  const groups = new Map(newBlobs(db, rcvid, rid, since.phantoms === null).map((group) => [group.rcvid, group]));
  const filled = rid === null ? new Map<number, number[]>() : filledPhantoms(db, rid, since.phantoms ?? []);
  const markOf = db.prepare<[number], string>("SELECT uuid FROM blob WHERE rid = ?").pluck();
  const rowsOf = (number: number): Rows => {
    const { low, high } = groups.get(number) ?? { low: 1, high: 0 };
    return { low, high, more: filled.get(number) ?? [], mark: low > high ? "" : (markOf.get(high) ?? "") };
  };
  const fresh = receiptsAfter(db, rcvid, Number.MAX_SAFE_INTEGER);
  const others = new Set([...groups.keys(), ...filled.keys()]);
  for (const row of fresh) others.delete(row.rcvid);
  // A number without a receipt: fossil goes on using one whose row went with a transaction that failed.
  const known = [...others].map((number) => receiptsAfter(db, number - 1, number)[0] ?? nameless(number, since.mtime));
  return [...known, ...fresh]
    .filter((row) => Number.isSafeInteger(row.rcvid) && row.rcvid > 0)
    .sort((a, b) => a.rcvid - b.rcvid)
    .map((row) => ({ ...factsOf(row), rows: rowsOf(row.rcvid), again: row.rcvid <= rcvid }));
}

const nameless = (rcvid: number, mtime: number): ReceiptRow => ({ rcvid, mtime, user: null, address: null });

/** The new blobs by receipt: those behind the row; where that is not known, those of later receipts; both where later
 *  receipts may have filled rows that were not kept (`search`). */
function newBlobs(db: Db, rcvid: number, rid: number | null, search: boolean): Group[] {
  const ofLater = "rcvid > :rcvid AND rcvid IN (SELECT rcvid FROM rcvfrom)";
  const where = rid === null ? ofLater : search ? `(rid > :rid OR ${ofLater})` : "rid > :rid";
  return db
    .prepare<[{ rid: number | null; rcvid: number }], Group>(
      `SELECT rcvid, min(rid) AS low, max(rid) AS high FROM blob WHERE ${where} AND rcvid > 0 GROUP BY rcvid`,
    )
    .all({ rid, rcvid });
}

/** Which of the rows that were phantoms have content now, by receipt. */
function filledPhantoms(db: Db, rid: number, phantoms: readonly (readonly [number, number])[]): Map<number, number[]> {
  const filled = new Map<number, number[]>();
  const rows = db
    .prepare<[string, number], { rid: number; rcvid: number }>(
      `SELECT blob.rid, blob.rcvid FROM json_each(?) AS was JOIN blob ON blob.rid BETWEEN was.value ->> 0 AND was.value ->> 1
       WHERE blob.rcvid > 0 AND blob.rid <= ? ORDER BY blob.rid`,
    )
    .iterate(JSON.stringify(phantoms), rid);
  for (const row of rows) {
    const of = filled.get(row.rcvid);
    if (of === undefined) filled.set(row.rcvid, [row.rid]);
    else of.push(row.rid);
  }
  return filled;
}

type ReceiptRow = { rcvid: number; mtime: number; user: Buffer | null; address: Buffer | null };

const receiptsAfter = (db: Db, base: number, upto: number): ReceiptRow[] =>
  db
    .prepare<[number, number], ReceiptRow>(
      `SELECT rcvid, rcvfrom.mtime AS mtime, CAST(user.login AS BLOB) AS user, CAST(rcvfrom.ipaddr AS BLOB) AS address
       FROM rcvfrom LEFT JOIN user USING (uid) WHERE rcvid > ? AND rcvid <= ? ORDER BY rcvid`,
    )
    .all(base, upto);

const factsOf = ({ rcvid, mtime, user, address }: ReceiptRow) => ({
  rcvid,
  at: (Number.isFinite(mtime) ? Math.round((mtime - UNIX_EPOCH) * 86_400_000) : Date.now()) as Instant,
  user: bytes(user),
  address: bytes(address),
});

/** 1970-01-01 as a Julian day. */
const UNIX_EPOCH = 2_440_587.5;

const bytes = (value: Buffer | null): ByteString | null =>
  value === null || value.length === 0 ? null : fromBuffer(value);

const receipt = (db: Db, rest: string): { rcvid: number; mtime: number } | undefined =>
  db.prepare<[], { rcvid: number; mtime: number }>(`SELECT rcvid, mtime FROM rcvfrom ${rest}`).get();

const count = (db: Db, sql: string, ...values: number[]): number =>
  Number(
    db
      .prepare(sql)
      .pluck()
      .get(...values),
  );

/** Fossil's own embargo: seconds since 1970. */
function embargoOf(db: Db): Instant | null {
  const value = db.prepare("SELECT value FROM config WHERE name = 'hook-embargo'").pluck().get();
  const seconds = Number(value ?? Number.NaN);
  const at = Math.round(seconds * 1000);
  return Number.isSafeInteger(at) && at > 0 ? (at as Instant) : null;
}

/** Whether what the spans brought waits for content that has not come: a file or parent of a check-in, what an artifact
 *  is stored or written as a change of, or anything that was named while it came. What was shunned never will, nor what is
 *  private elsewhere. Asked from the side of the missing, which are few: what waits may be a whole repository. */
function isIncomplete(db: Db, spans: readonly Span[], phantoms: readonly unknown[]): boolean {
  if (spans.length === 0 || phantoms.length === 0) return false;
  const missing = `phantom JOIN blob AS named USING (rid)
    WHERE named.uuid NOT IN (SELECT uuid FROM shun) AND phantom.rid NOT IN (SELECT rid FROM private)`;
  const first = spans.reduce(
    (low, { rows }) => (rows !== null && rows.low <= rows.high ? Math.min(low, rows.low) : low),
    Number.POSITIVE_INFINITY,
  );
  if (Number.isFinite(first) && db.prepare(`SELECT 1 FROM ${missing} AND phantom.rid >= ? LIMIT 1`).get(first))
    return true;
  const waitsFor = ["mid FROM mlink WHERE fid", "cid FROM plink WHERE pid", "rid FROM delta WHERE srcid"];
  const needing = [...waitsFor, "rid FROM orphan WHERE baseline"].map((way) => `SELECT ${way} = missing.rid`);
  const numbers = db
    .prepare<[], number>(
      `WITH missing AS (SELECT phantom.rid AS rid FROM ${missing})
       SELECT DISTINCT rcvid FROM missing JOIN blob ON blob.rid IN (${needing.join(" UNION ALL ")})`,
    )
    .pluck();
  for (const number of numbers.iterate())
    if (spans.some(({ after, upto }) => number > after && number <= upto)) return true;
  return false;
}
