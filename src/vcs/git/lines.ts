/**
 * Turning what git prints into artifact lines, many lines at a time and on bytes: a list may be a hundred megabytes,
 * and a string for each line would cost more than git itself.
 */
import { type ByteString, toBuffer } from "../../core/bytes.ts";

const LF = 10;
const QUOTE = 34;
const DOT = 46;

/** Cuts a stream of chunks into whole lines: what follows the last newline waits for the next chunk. */
export class WholeLines {
  #rest: Buffer = Buffer.alloc(0);

  /** Empty when no line has ended yet. */
  push(chunk: Buffer): Buffer {
    const end = chunk.lastIndexOf(LF) + 1;
    const lines =
      this.#rest.length === 0 ? chunk.subarray(0, end) : Buffer.concat([this.#rest, chunk.subarray(0, end)]);
    if (end === 0) {
      this.#rest = lines.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      return chunk.subarray(0, 0);
    }
    this.#rest = chunk.subarray(end);
    return lines;
  }
}

/** Check-in lines: git prints the tip by which it came to a commit, as it was written on stdin; the branch goes there.
 *  `before` is how many bytes stand in front of the tip. */
export function nameBranches(
  lines: Buffer,
  before: number,
  width: number,
  branches: ReadonlyMap<string, Buffer>,
): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < lines.length; ) {
    const tipAt = at + before;
    const end = lines.indexOf(LF, tipAt + width) + 1;
    const tip = lines.toString("latin1", tipAt, tipAt + width);
    pieces.push(lines.subarray(at, tipAt), branches.get(tip) ?? Buffer.from(tip), lines.subarray(tipAt + width, end));
    at = end;
  }
  return Buffer.concat(pieces);
}

/** `HASH NAME` lines become `HASH LABEL NAME`. A name that starts with a double quote is quoted, none (what a ref
 *  points at directly has no path) becomes ".". `full` gives, for a line as printed, the whole name where it was cut. */
export function labelLines(lines: Buffer, width: number, label: string, full: ReadonlyMap<string, Buffer>): Buffer {
  const word = Buffer.from(`${label} `);
  const pieces: Buffer[] = [];
  const out = Buffer.allocUnsafe(lines.length + Math.ceil(lines.length / (width + 2)) * (word.length + 1));
  let from = 0;
  let to = 0;
  for (let at = 0; at < lines.length; ) {
    for (let i = 0; i < width; i++) out[to++] = lines[at++] as number;
    out[to++] = 32;
    for (let i = 0; i < word.length; i++) out[to++] = word[i] as number;
    if (lines[at] !== LF) at++; // the blank; a line without a name may end without it
    const first = lines[at];
    if (first === QUOTE || full.size > 0) {
      const end = lines.indexOf(LF, at);
      const whole = full.get(lines.toString("latin1", at - width - 1, end));
      if (whole !== undefined || first === QUOTE) {
        pieces.push(out.subarray(from, to), whole ?? quoteName(lines.subarray(at, end)));
        from = to;
        at = end;
      }
    } else if (first === LF) out[to++] = DOT;
    let byte: number;
    do {
      byte = lines[at++] as number;
      out[to++] = byte;
    } while (byte !== LF);
  }
  if (pieces.length === 0) return out.subarray(0, to);
  return Buffer.concat([...pieces, out.subarray(from, to)]);
}

const escapes = new Map([...'\x07\b\t\n\v\f\r"\\'].map((c, i) => [c.charCodeAt(0), `\\${'abtnvfr"\\'[i]}`]));

/** The name as it stands in a line: unchanged unless it holds a newline or starts with a double quote; then as Git
 *  quotes it, in double quotes with C escapes. */
export function quoteName(name: Buffer): Buffer {
  if (name[0] !== QUOTE && !name.includes(LF)) return name;
  let quoted = "";
  for (const byte of name) {
    const plain = byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, "0")}`;
    quoted += escapes.get(byte) ?? plain;
  }
  return Buffer.from(`"${quoted}"`, "latin1");
}

/** How a ref is called in a check-in line: a branch by its short name, any other ref in full. */
export function branchName(ref: ByteString): Buffer {
  return quoteName(toBuffer((ref.startsWith("refs/heads/") ? ref.slice(11) : ref) as ByteString));
}
