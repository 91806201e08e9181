/**
 * Names that may not be UTF-8 (refs, paths, push options) travel through the program as *byte strings*: ordinary
 * strings in which each character is one byte, 0 to 255. They compare, sort and key a Map as bytes do, and nothing
 * can be lost on the way in or out. Only what a person or a JSON reader sees is decoded, here and nowhere else.
 */
declare const byteString: unique symbol;

/** A string whose characters are bytes (latin1). Not for display: see `displayText`. */
export type ByteString = string & { readonly [byteString]: true };

export const fromBuffer = (bytes: Uint8Array): ByteString =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1") as ByteString;

export const toBuffer = (bytes: ByteString): Buffer => Buffer.from(bytes, "latin1");

/** The bytes that `text` has in UTF-8. */
export const fromText = (text: string): ByteString => Buffer.from(text, "utf8").toString("latin1") as ByteString;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes as UTF-8; null where the bytes are not UTF-8. */
export function toText(bytes: ByteString): string | null {
  if (!/[\x80-\xff]/.test(bytes)) return bytes;
  try {
    return strictUtf8.decode(toBuffer(bytes));
  } catch {
    return null;
  }
}

// C0, DEL, C1, line and paragraph separators, and the marks that reorder text (bidi): what could move a cursor, forge
// a line, or show one name as another.
const unsafe = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const short: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text that is safe in a terminal and in a log line: control and direction characters are shown as escapes. */
export function escapeControls(text: string): string {
  return text.replace(unsafe, (c) => {
    const code = c.charCodeAt(0);
    return short[c] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`);
  });
}

/** How a byte string is shown to a person: as UTF-8 where it is that, else byte by byte, never a raw control. */
export function displayText(bytes: ByteString): string {
  const text = toText(bytes);
  if (text !== null) return escapeControls(text);
  return escapeControls(bytes.replace(/[\x80-\xff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`));
}
