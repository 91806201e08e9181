/**
 * The content of an artifact in a Fossil file. `blob.content` is four bytes of length (big-endian) and a zlib stream;
 * where table `delta` names a source, what the stream holds is a delta, to be applied to the source's content, which may
 * be a delta itself. A delta is text with binary inserts:
 *
 *     SIZE newline, then any number of  COUNT@OFFSET,  (copy from the source)  and  COUNT:BYTES  (insert),
 *     and at the end  CHECKSUM;
 *
 * Numbers have 64 digits, 0-9 A-Z _ a-z ~, the highest first. The checksum is not looked at: a hash names the content.
 * Proven by test/vcs/fossil-content.test.ts, against the fossil program.
 */
import { inflateSync } from "node:zlib";
import type BetterSqlite3 from "better-sqlite3";

type Stored = { size: number; content: Buffer; source: number | null };

/** Longer than any cluster or control artifact that Fossil makes, by far; short enough to be held in memory. */
const LONGEST = 64 * 1024 * 1024;

/** Reads artifacts by rid: null where the content has not come, cannot be unpacked, or is longer than 64 MiB. */
export function contentReader(db: BetterSqlite3.Database): (rid: number) => Buffer | null {
  const stored = db.prepare<[number], Stored>(
    `SELECT b.size, b.content, d.srcid AS source FROM blob AS b LEFT JOIN delta AS d USING (rid)
     WHERE b.rid = ? AND b.size BETWEEN 0 AND ${LONGEST} AND b.content IS NOT NULL`,
  );
  return (rid) => {
    const deltas: Buffer[] = [];
    const seen = new Set<number>();
    let unpacked = 0; // of all its deltas together: one made to explode must not hold up everything
    try {
      for (let at = rid; ; ) {
        const row = stored.get(at);
        if (row === undefined || seen.has(at)) return null;
        seen.add(at);
        const content = unpack(row.content, LONGEST - unpacked);
        unpacked += content.length;
        if (row.source === null) return deltas.reduceRight(applyDelta, content);
        deltas.push(content);
        at = row.source;
      }
    } catch (error) {
      if (error instanceof RangeError || /^Z_|^ERR_BUFFER_TOO_LARGE$/.test(String((error as { code?: string }).code)))
        return null;
      throw error;
    }
  };
}

function unpack(content: Buffer, most: number): Buffer {
  if (content.length <= 4) return content;
  if (most <= 0) throw new RangeError("too long");
  return inflateSync(content.subarray(4), { maxOutputLength: most });
}

/** What the delta makes of the source. Throws RangeError where it is no delta, or not of this source. */
export function applyDelta(source: Buffer, delta: Buffer): Buffer {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (; at < delta.length; at++) {
      const digit = DIGITS.indexOf(delta[at] ?? 0);
      if (digit === -1) break;
      value = value * 64 + digit;
    }
    return value;
  };
  const sign = (): string => String.fromCharCode(delta[at++] ?? 0);

  const size = number();
  if (sign() !== "\n" || size > LONGEST) throw new RangeError("no delta");
  const target = Buffer.alloc(size);
  let length = 0;
  for (;;) {
    const count = number();
    const kind = sign();
    if (kind === ";") break;
    const from = kind === "@" ? source : delta;
    const start = kind === "@" ? number() : at;
    if (kind === "@" ? sign() !== "," : kind !== ":") throw new RangeError("no delta");
    if (start + count > from.length || length + count > size) throw new RangeError("a delta of something else");
    length += from.copy(target, length, start, start + count);
    if (kind === ":") at += count;
  }
  if (length !== size) throw new RangeError("a delta that ends early");
  return target;
}

const DIGITS = Buffer.from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~");
