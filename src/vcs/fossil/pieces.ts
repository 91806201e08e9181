/**
 * Where in table `blob` the artifacts of a range lie: its spans as stretches of rows that do not overlap, in their order,
 * so that each artifact is met once and in the order of rows whatever the spans say. A span whose rows are not known, or
 * where another hash stands in the last of them, reaches over all rows.
 *
 * Pure but for one look at each span's mark. Proven by test/vcs/fossil-listing-range.test.ts.
 */
import type BetterSqlite3 from "better-sqlite3";
import type { RcvRange } from "../repository.ts";

/** Receipts (after, upto]. */
export type Numbers = readonly [after: number, upto: number];

/** The blobs in rows `low` to `high` that came with one of the receipts; the intervals ascend and do not touch. */
export type Piece = { low: number; high: number; numbers: readonly [Numbers, ...Numbers[]] };

const LAST = Number.MAX_SAFE_INTEGER;

/** The pieces of a range, ascending. Reads in the caller's transaction. */
export function piecesOf(db: BetterSqlite3.Database, range: RcvRange): Piece[] {
  const markOf = db.prepare<[number], string>("SELECT uuid FROM blob WHERE rid = ?").pluck();
  const stretches = range.spans.flatMap(({ after, upto, rows }): Stretch[] => {
    if (after >= upto) return [];
    const numbers: Numbers = [after, upto];
    if (rows === null || (rows.low <= rows.high && markOf.get(rows.high) !== rows.mark))
      return [{ low: 1, high: LAST, numbers }];
    const tail = rows.low > rows.high ? [] : [{ low: rows.low, high: rows.high, numbers }];
    return [...joined(rows.more).map(([low, high]) => ({ low, high, numbers })), ...tail];
  });
  return apart(stretches);
}

type Stretch = { low: number; high: number; numbers: Numbers };

/** Rows as intervals of neighbours: content that comes for names known before mostly fills rows in a row. */
function joined(rows: readonly number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const row of [...rows].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last !== undefined && row <= last[1] + 1) last[1] = row;
    else found.push([row, row]);
  }
  return found;
}

/** Cuts where one begins or ends, and gives each cut the receipts of all that reach over it. */
function apart(stretches: readonly Stretch[]): Piece[] {
  const waiting = [...stretches].sort((a, b) => a.low - b.low);
  const ends = [...new Set(stretches.flatMap(({ low, high }) => [low, high + 1]))].sort((a, b) => a - b);
  const pieces: Piece[] = [];
  let open: Stretch[] = [];
  let next = 0;
  for (const [i, low] of ends.entries()) {
    open = open.filter(({ high }) => high >= low);
    for (let stretch = waiting[next]; stretch !== undefined && stretch.low <= low; stretch = waiting[++next])
      open.push(stretch);
    const [first, ...rest] = merged(open.map(({ numbers }) => numbers));
    if (first !== undefined) pieces.push({ low, high: (ends[i + 1] ?? low + 1) - 1, numbers: [first, ...rest] });
  }
  return pieces;
}

function merged(all: readonly Numbers[]): Numbers[] {
  const found: [number, number][] = [];
  for (const [after, upto] of [...all].sort((a, b) => a[0] - b[0])) {
    const last = found.at(-1);
    if (last !== undefined && after <= last[1]) last[1] = Math.max(last[1], upto);
    else found.push([after, upto]);
  }
  return found;
}
