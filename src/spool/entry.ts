/**
 * A spool entry: the note that a receive shim leaves in the spool to say that something arrived.
 *
 *     gatepost 1                        the format; a program that does not know the number reads no further
 *     kind push                         or work: somebody committed, merged, rewrote or checked out here
 *     hook post-receive                 the native hook that wrote it
 *     dir /srv/git/app.git              physical path of the repository's own directory
 *     namespace team                    GIT_NAMESPACE; this line and the next four only if there is a value
 *     gl_user alice                     GL_USER
 *     gl_repo app                       GL_REPO
 *     remote_user alice                 REMOTE_USER
 *     address 192.0.2.7                 where the push came from
 *     option ci.skip                    one line for each push option, in order
 *     updates                           kind push only; then one line OLD NEW REF for each ref, as git wrote it
 *     end 1 sum 2817400363 129          number of updates; "end 25+" is 25 or more. What follows is there if whoever wrote
 *                                       it synced it to disk: POSIX cksum of all that stands above, and its length
 *
 * Rules
 *   1. Lines are bytes and end with a newline. A newline inside a value is followed by one space, so a line of the
 *      header begins with a key only if a shim wrote that key: no name, option or path can forge one.
 *   2. An entry is whole when, and only when, its last line is `end` and agrees with what stands above. Whatever part
 *      of one a killed shim or a full disk left behind reads as partial, at whichever byte it was cut.
 *      A checksum that is there must fit: a power cut may leave the last line without what stands above.
 *   3. Whatever else does not fit is bad, with the reason. Reading never throws and never guesses: entries are
 *      written by whoever may push.
 *
 * File names: letters, digits, dots and dashes, ending in `.entry`. Whatever is in the spool under another name is
 * not an entry. The shim's side of this format is src/shim/runtime/receive.sh. Gates leave entries of one more kind, by
 * the same rules and with other keys: see gate-entry.ts.
 *
 * Pure. Proven by test/spool/entry.test.ts; that shim and reader agree, by test/shim/receive.test.ts.
 */
import { type ByteString, fromBuffer, toBuffer } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import { cksum } from "./cksum.ts";

/** One ref as git reported it: object ids of equal length in hex, all zero where there was or is none. */
export type EntryUpdate = { old: string; new: string; ref: ByteString };

export type Entry = {
  kind: "push" | "work";
  hook: string; // name of the native hook, such as post-receive
  dir: ByteString;
  namespace: ByteString | null;
  glUser: ByteString | null;
  glRepo: ByteString | null;
  remoteUser: ByteString | null;
  address: ByteString | null;
  options: readonly ByteString[];
  updates: readonly EntryUpdate[]; // none if kind is work; refs without the prefix of the namespace
};

export type Parsed =
  | { state: "whole"; entry: Entry }
  | { state: "partial" } // ends before its last line: still being written, or its writer was killed
  | Bad;

/** What a file in the spool must be called to be an entry. */
export const ENTRY_NAME = /^[A-Za-z0-9.-]+\.entry$/;

const single = {
  kind: "kind",
  hook: "hook",
  dir: "dir",
  namespace: "namespace",
  gl_user: "glUser",
  gl_repo: "glRepo",
  remote_user: "remoteUser",
  address: "address",
} as const;

/** The keys that an entry's header may have, at most once and repeatedly, and what to say of more than MOST_ROWS. */
export type Keys = { single: readonly string[]; repeated: readonly string[]; tooMany: string };
/** More push options than anyone gives, more hooks than any gate has. */
export const MOST_ROWS = 1000;
const keys: Keys = {
  single: Object.keys(single),
  repeated: ["option"],
  tooMany: `has more than ${MOST_ROWS} push options`,
};

/** What stands in an entry, whatever its kind. */
export type Sheet = {
  values: ReadonlyMap<string, ByteString>;
  /** The lines with a key that may be repeated, in order. */
  rows: readonly (readonly [key: string, value: ByteString])[];
  updates: readonly EntryUpdate[];
  /** Whether it has a list of updates, be it empty. */
  listed: boolean;
  /** Its last line says that there may be more updates than these. */
  more: boolean;
};
type Header = { values: Map<string, ByteString>; rows: [string, ByteString][] };

export type Bad = { state: "bad"; reason: string };

/** Native hooks have such names. */
export const HOOK_NAME = /^[a-z]+(-[a-z]+)*$/;
// Sticky, so that 100,000 lines are read in place. Its groups keep both ids at one length.
const updateLine = /(?:([0-9a-f]{40}) ([0-9a-f]{40})|([0-9a-f]{64}) ([0-9a-f]{64})) ([^\n\0]+)\n/y;
const trailer = /end (0|[1-9][0-9]{0,8})(\+?)(?: sum ([0-9]{1,10}) ([0-9]{1,12}))?\n/y;

const partial = { state: "partial" } as const;
export const bad = (reason: string): Bad => ({ state: "bad", reason });

/** Reads one entry of kind push or work. Never throws. Linear in the number of bytes. */
export function parseEntry(bytes: Uint8Array): Parsed {
  const read = readSheet(bytes, keys);
  return read.state === "whole" ? assemble(read.sheet) : read;
}

/** Reads what an entry with such keys consists of, by rules 1 to 3. Never throws. Linear in the number of bytes. */
export function readSheet(
  bytes: Uint8Array,
  known: Keys,
): { state: "whole"; sheet: Sheet } | { state: "partial" } | Bad {
  const text = fromBuffer(bytes);
  const header: Header = { values: new Map(), rows: [] };
  const updates: EntryUpdate[] = [];

  let at = text.indexOf("\n") + 1;
  if (at === 0) return partial;
  const format = text.slice(0, at - 1);
  if (format !== "gatepost 1") {
    return bad(/^gatepost [0-9]+$/.test(format) ? `format ${format.slice(9)} is not known` : "not an entry");
  }

  let listed = false;
  while (!text.startsWith("end ", at)) {
    const stop = endOfValue(text, at);
    if (stop === -1) return partial;
    const line = text.slice(at, stop);
    at = stop + 1;
    if (line === "updates") {
      listed = true;
      at = readUpdates(text, at, updates);
      break;
    }
    const reason = readHeaderLine(line, known, header);
    if (reason !== null) return bad(reason);
  }

  if (text.indexOf("\n", at) === -1) return partial;
  trailer.lastIndex = at;
  const end = trailer.exec(text);
  if (end === null) return bad(listed ? `line ${updates.length + 1} of the updates is none` : "its last line is wrong");
  if (trailer.lastIndex !== text.length) return bad("goes on after its last line");
  if (end[3] !== undefined && (Number(end[4]) !== at || Number(end[3]) !== cksum(bytes.subarray(0, at))))
    return bad("its checksum does not fit");
  const count = Number(end[1]);
  const more = end[2] === "+";
  if (more ? updates.length < count : updates.length !== count) {
    return bad(`has ${updates.length} updates, its last line says ${end[1]}${end[2]}`);
  }
  return { state: "whole", sheet: { ...header, updates, listed, more } };
}

/** Where the line that starts at `at` ends, together with the lines that continue it; -1 if that cannot be told. */
function endOfValue(text: string, at: number): number {
  let stop = text.indexOf("\n", at);
  while (stop !== -1) {
    if (stop + 1 === text.length) return -1; // what follows may still continue it
    if (text[stop + 1] !== " ") return stop;
    stop = text.indexOf("\n", stop + 1);
  }
  return -1;
}

/** Takes in one line `key value`; the reason why not, or null. */
function readHeaderLine(line: string, known: Keys, header: Header): string | null {
  const space = line.indexOf(" ");
  const key = space === -1 ? line : line.slice(0, space);
  const value = line.slice(key.length + 1).replaceAll("\n ", "\n") as ByteString;
  if (space !== -1 && known.repeated.includes(key)) {
    header.rows.push([key, value]);
    return header.rows.length > MOST_ROWS ? known.tooMany : null;
  }
  if (space === -1 || !known.single.includes(key))
    return `has an unknown line, number ${header.values.size + header.rows.length + 2}`;
  if (header.values.has(key)) return `has ${key} twice`;
  header.values.set(key, value);
  return null;
}

/** Reads updates from `at` on for as long as there are any; returns where the next line starts. */
function readUpdates(text: string, at: number, updates: EntryUpdate[]): number {
  updateLine.lastIndex = at;
  let end = at;
  for (let found = updateLine.exec(text); found !== null; found = updateLine.exec(text)) {
    const [, old40, new40, old64, new64, ref] = found;
    updates.push({ old: (old40 ?? old64) as string, new: (new40 ?? new64) as string, ref: ref as ByteString });
    end = updateLine.lastIndex;
  }
  return end;
}

/** Where an entry comes from: what each kind has. The reason where that is not said. */
export function originOf({ values }: Sheet) {
  const hook = values.get("hook");
  const dir = values.get("dir");
  if (!values.has("kind") || hook === undefined || dir === undefined) return bad("lacks its kind, hook or dir");
  if (!HOOK_NAME.test(hook)) return bad("names no hook");
  return {
    hook: hook as string,
    dir,
    namespace: values.get("namespace") ?? null,
    glUser: values.get("gl_user") ?? null,
    glRepo: values.get("gl_repo") ?? null,
    remoteUser: values.get("remote_user") ?? null,
    address: values.get("address") ?? null,
  };
}

function assemble(sheet: Sheet): Parsed {
  const { values, rows, updates, listed } = sheet;
  const kind = values.get("kind");
  const origin = originOf(sheet);
  if (kind !== undefined && kind !== "push" && kind !== "work") return bad("is of an unknown kind");
  if ("state" in origin) return origin;
  if ((kind === "push") !== listed) return bad(`is of kind ${kind} and ${listed ? "has" : "lacks"} updates`);
  const options = rows.map(([, value]) => value);
  return { state: "whole", entry: { kind: listed ? "push" : "work", ...origin, options, updates } };
}

/** One line of a header, with its newlines folded. */
export const headerLine = (key: string, value: string): string => `${key} ${value.replaceAll("\n", "\n ")}\n`;

const updateLines = (updates: readonly EntryUpdate[]): string =>
  updates.map((update) => `${update.old} ${update.new} ${update.ref}\n`).join("");

/** The lines of the updates and the last line, without a checksum. */
export const closingLines = (updates: readonly EntryUpdate[], more: boolean): string =>
  `${updateLines(updates)}end ${updates.length}${more ? "+" : ""}\n`;

/** The bytes of an entry: `parseEntry` gives the same entry back. An entry that the format cannot hold (updates of
 *  kind work, a ref with a newline, a malformed id) is a mistake of the caller: GP_BUG. */
export function formatEntry(entry: Entry): Buffer {
  let text = "gatepost 1\n";
  for (const [key, field] of Object.entries(single)) {
    const value = entry[field];
    if (value !== null) text += headerLine(key, value);
  }
  for (const option of entry.options) text += headerLine("option", option);
  if (entry.kind === "push") text += "updates\n";
  text += updateLines(entry.updates);
  const above = toBuffer(text as ByteString);
  const end = `end ${entry.updates.length} sum ${cksum(above)} ${above.length}\n`;
  const bytes = Buffer.concat([above, toBuffer(end as ByteString)]);
  const parsed = parseEntry(bytes);
  if (parsed.state !== "whole" || parsed.entry.updates.length !== entry.updates.length) throw cannotBeWritten(parsed);
  return bytes;
}

/** An entry that its own reader would not take. */
export const cannotBeWritten = (parsed: { state: string; reason?: string }): GatepostError =>
  new GatepostError("GP_BUG", `An entry cannot be written down: it ${parsed.reason ?? parsed.state}.`);

/** The full name of a ref that a push into `namespace` calls `ref`: team/app stands for two nested namespaces. */
export function namespacedRef(namespace: ByteString | null, ref: ByteString): ByteString {
  const parts = (namespace ?? "").split("/").filter((part) => part !== "");
  return `${parts.map((part) => `refs/namespaces/${part}/`).join("")}${ref}` as ByteString;
}
