/**
 * The artifact lines of a range of receipts of a Fossil repository: byte for byte what Fossil would write to its own
 * hooks for them, in the order of rows.
 *
 * SQLite builds the text, hundreds of lines at a time, so that hardly anything crosses into JavaScript but whole pages
 * of bytes (a name need not be UTF-8, and is not decoded). A page asks the rules of describe.ts row by row. A line that
 * they cannot finish has a NUL where its description belongs and the row behind it; it is finished here, from tags.ts.
 * Nothing that Fossil stores has a NUL in it: it would end there.
 *
 * A name with a newline makes two lines, as with Fossil.
 *
 * The caller holds one read transaction over the whole list and takes chunks from it as fast as it likes; nothing is kept
 * but a page, whatever the size. Proven by test/vcs/fossil-listing.test.ts and test/vcs/fossil-differential.test.ts;
 * measured by bench/fossil-list.mjs.
 */
import type BetterSqlite3 from "better-sqlite3";
import type { RcvRange } from "../repository.ts";
import { contentReader } from "./content.ts";
import { rules } from "./describe.ts";
import { type Piece, piecesOf } from "./pieces.ts";
import { clusterSearch, targetFinder } from "./tags.ts";

type Db = BetterSqlite3.Database;

/** Lines that SQLite puts together at a time; from about there on more do not make it faster (bench/fossil-list.mjs). */
const PAGE = 500;

/** Bytes of a page from which on the next has no more lines: eight times as much is far from what a text can hold. */
const LONG_PAGE = 32 * 1024 * 1024;

/** Bytes from which on a chunk is handed out. */
const CHUNK = 48 * 1024;

/** The lines `HASH DESCRIPTION\n` in chunks of whole lines, each artifact once. Reads in the caller's transaction, which
 *  must stay open until the last chunk; may make temporary tables. A repository of a schema that it cannot read throws
 *  SQLite's error. */
export function* listArtifacts(db: Db, range: RcvRange): Generator<Buffer> {
  const pieces = piecesOf(db, range);
  if (pieces.length === 0) return;
  const forum = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'forumpost'").get();
  const { described, otherwise } = rules(forum !== undefined);
  const page = pageReader(db, described);
  let finish: ((text: Buffer) => Buffer) | null = null; // most lists need none

  let chunk: Buffer[] = [];
  let length = 0;
  for (const piece of pieces)
    for (let rid = piece.low - 1; rid < piece.high; ) {
      const { count, last, text, limit } = page(piece, rid);
      if (text !== null) {
        if (finish === null && text.includes(0)) finish = finisher(db, otherwise);
        chunk.push(finish === null ? text : finish(text));
        length += text.length;
      }
      if (length >= CHUNK) {
        yield Buffer.concat(chunk);
        chunk = [];
        length = 0;
      }
      if (count < limit || last === null) break;
      rid = last;
    }
  if (length > 0) yield Buffer.concat(chunk);
}

type Page = { count: number; last: number | null; text: Buffer | null };
/** A page, and how many lines it could have had. */
type LimitedPage = Page & { limit: number };

/** Reads the next page of a piece behind a row. What lies in several intervals of receipts is rare: a search for receipts
 *  that are not next to each other. */
function pageReader(db: Db, described: string): (piece: Piece, rid: number) => LimitedPage {
  const sql = (one: boolean): string =>
    `SELECT count(*) AS count, max(rid) AS last, CAST(group_concat(line, '') AS BLOB) AS text FROM (
       SELECT b.rid AS rid, b.uuid || ' ' || ${described} || char(10) AS line
       FROM blob AS b LEFT JOIN event AS e ON e.objid = b.rid
       WHERE b.rid > :rid AND b.rid <= :high AND b.rcvid > :after AND b.rcvid <= :upto
       ${one ? "" : "AND EXISTS (SELECT 1 FROM json_each(:numbers) WHERE b.rcvid > value ->> 0 AND b.rcvid <= value ->> 1)"}
       ORDER BY b.rid LIMIT :limit)`;
  type Wanted = { rid: number; high: number; after: number; upto: number; limit: number; numbers?: string };
  const ofOne = db.prepare<[Wanted], Page>(sql(true));
  const read = (wanted: Wanted, { numbers }: Piece): Page | undefined =>
    numbers.length === 1
      ? ofOne.get(wanted)
      : db.prepare<[Wanted], Page>(sql(false)).get({ ...wanted, numbers: JSON.stringify(numbers) });
  let next = PAGE; // what was too much for one page is not tried again for each
  return (piece, rid) => {
    const { high, numbers } = piece;
    for (let limit = next; ; limit = Math.ceil(limit / 8)) {
      const wanted = { rid, high, after: numbers[0][0], upto: numbers.at(-1)?.[1] ?? 0, limit };
      try {
        const found = read(wanted, piece) ?? { count: 0, last: null, text: null };
        next = (found.text?.length ?? 0) < LONG_PAGE ? Math.min(limit * 8, PAGE) : limit;
        return { ...found, limit };
      } catch (error) {
        // Names may be so long that a page of them is more than a text can hold.
        if (limit === 1 || (error as { code?: unknown }).code !== "SQLITE_TOOBIG") throw error;
      }
    }
  };
}

/** Puts the descriptions in that the page left open. */
function finisher(db: Db, otherwise: string): (text: Buffer) => Buffer {
  const read = contentReader(db);
  const targetOf = targetFinder(db, read);
  const inCluster = clusterSearch(db, read);
  const hashOf = db.prepare<[number], string>("SELECT uuid FROM blob WHERE rid = ?").pluck();
  const others = db
    .prepare<[number], Buffer | null>(`SELECT CAST(${otherwise} AS BLOB) FROM blob AS b WHERE b.rid = ?`)
    .pluck();

  const describe = (rid: number): Buffer => {
    const target = targetOf(rid);
    if (target !== undefined) return Buffer.from(`tag ${(hashOf.get(target) ?? "").slice(0, 16)}`);
    return others.get(rid) ?? (inCluster(hashOf.get(rid) ?? "") ? REFERRED : UNKNOWN);
  };
  return (text) => {
    const parts: Buffer[] = [];
    let done = 0;
    for (let at = text.indexOf(0); at !== -1; at = text.indexOf(0, done)) {
      const end = text.indexOf(10, at);
      parts.push(text.subarray(done, at), describe(Number(text.toString("latin1", at + 1, end))));
      done = end;
    }
    return done === 0 ? text : Buffer.concat([...parts, text.subarray(done)]);
  };
}

const UNKNOWN = Buffer.from("unknown");
const REFERRED = Buffer.from("referenced by cluster");
