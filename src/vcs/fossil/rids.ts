/** The blobs of a range one by one, for what asks about each; a list of lines reads the pieces themselves. */
import type BetterSqlite3 from "better-sqlite3";
import type { RcvRange } from "../repository.ts";
import { piecesOf } from "./pieces.ts";

/** The rids of the blobs that the spans brought and that are there today, ascending, each once; no phantoms. */
export function ridsOf(db: BetterSqlite3.Database, range: RcvRange): number[] {
  const within = db
    .prepare<[number, number, number, number], number>(
      "SELECT rid FROM blob WHERE rid >= ? AND rid <= ? AND rcvid > ? AND rcvid <= ? ORDER BY rid",
    )
    .pluck();
  return piecesOf(db, range).flatMap(({ low, high, numbers }) => {
    const rids = numbers.flatMap(([after, upto]) => within.all(low, high, after, upto));
    return numbers.length === 1 ? rids : rids.sort((a, b) => a - b);
  });
}
