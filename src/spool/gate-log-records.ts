/**
 * Splits a log of gates into its records, piece by piece: a file of any size, with anything in it, takes a piece and one
 * record of memory. A record begins behind an empty line, or where the format's first line stands. What is longer than any
 * record a gate adds to a log is handed out up to that length and is then no whole one.
 */
import { type ByteString, fromBuffer } from "../core/bytes.ts";

const PIECE = 1024 * 1024;
/** Gates write longer ones into files of their own, and so would be those of 3,000 characters. */
const MAX_RECORD = 64 * 1024;
const MARK = "\ngatepost 1\n";
const EMPTY = "\n\n";

/** The records, each ending with a newline; null after each piece. `read` fills a buffer and returns how much there was. */
export function* recordsIn(read: (buffer: Buffer) => number): Generator<ByteString | null, void> {
  const buffer = Buffer.allocUnsafe(PIECE);
  let text = "";
  let isTail = false; // of one that was too long
  for (let length = read(buffer); length > 0; length = read(buffer)) {
    text += fromBuffer(buffer.subarray(0, length));
    let at = 0;
    let [mark, empty] = [text.indexOf(MARK), text.indexOf(EMPTY)];
    for (;;) {
      if (!isTail) while (text.charCodeAt(at) === 10) at += 1;
      if (mark !== -1 && mark < at) mark = text.indexOf(MARK, at);
      if (empty !== -1 && empty < at) empty = text.indexOf(EMPTY, at);
      if (mark === -1 && empty === -1) break;
      const end = mark === -1 ? empty : empty === -1 ? mark : Math.min(mark, empty);
      if (!isTail) yield whole(text.slice(at, end));
      isTail = false;
      at = end + 1;
    }
    text = text.slice(at);
    if (text.length > MAX_RECORD) {
      if (!isTail) yield whole(text.slice(0, MAX_RECORD));
      isTail = true;
      text = text.slice(1 - MARK.length); // a mark may be cut here
    }
    yield null;
  }
  const rest = text.replace(/\n+$/, "");
  if (!isTail && rest !== "") yield whole(rest);
}

const whole = (lines: string): ByteString => `${lines.slice(0, MAX_RECORD)}\n` as ByteString;
