/**
 * Which blobs of a Fossil repository a range means. Fossil has no index on `blob.rcvid`, so a span says in which rows
 * its blobs lay when it was recorded, and only these are read. A row number means nothing by itself: where the newest of
 * them now has another hash, the rows were arranged anew (reconstructed, replaced), and the span is searched for by
 * rcvid in all blobs. Proven by test/vcs/fossil-paths.test.ts.
 */
import type BetterSqlite3 from "better-sqlite3";
import type { RcvRange, Rows, Span } from "../repository.ts";

/** The rids of the blobs that the spans brought and that are there today, ascending, each once; no phantoms. */
export function ridsOf(db: BetterSqlite3.Database, range: RcvRange): number[] {
  const all = new Set<number>();
  for (const span of range.spans) for (const rid of ridsOfSpan(db, span)) all.add(rid);
  return [...all].sort((a, b) => a - b);
}

const OF_SPAN = "rcvid > :after AND rcvid <= :upto AND size >= 0";

function ridsOfSpan(db: BetterSqlite3.Database, { after, upto, rows }: Span): number[] {
  if (rows === null || !areInPlace(db, rows))
    return db.prepare(`SELECT rid FROM blob WHERE ${OF_SPAN}`).pluck().all({ after, upto }) as number[];
  const { low, high, more } = rows;
  const tail = db.prepare(`SELECT rid FROM blob WHERE rid BETWEEN :low AND :high AND ${OF_SPAN}`).pluck();
  const filled = db.prepare(`SELECT rid FROM blob WHERE rid = :rid AND ${OF_SPAN}`).pluck();
  return [
    ...(tail.all({ low, high, after, upto }) as number[]),
    ...more.filter((rid) => filled.get({ rid, after, upto }) !== undefined),
  ];
}

const areInPlace = (db: BetterSqlite3.Database, { low, high, mark }: Rows): boolean =>
  low > high || db.prepare("SELECT uuid FROM blob WHERE rid = ?").pluck().get(high) === mark;
