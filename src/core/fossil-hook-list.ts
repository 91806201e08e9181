/**
 * The list of hooks in a Fossil repository: one JSON text, changed as text.
 *
 * Its entries belong to other people. Parsing the list and writing it anew would round their large numbers, drop the
 * first of two equal keys and refuse what is not ours to judge; so the array is cut at its commas, entries are put in
 * or taken out, and every other one keeps its text. An entry means what SQLite, and so Fossil, reads in it: of two equal
 * keys the first.
 *
 * Pure. Proven by test/core/fossil-hook-list.test.ts.
 */
import { GatepostError } from "./errors.ts";

/** A hook as Fossil has it. Places in `cmd`: %F, %R and %A; no percent sign can be written in front of such a letter. */
export type Entry = { cmd: string; type: string; seq: number };

/** One element of the list: its text, and the hook that Fossil reads in it, or why it reads none. `broken`: it is no
 *  JSON object, so that Fossil's own commands die on the list. */
export type Element = { text: string } & ({ entry: Entry } | { entry: null; why: string; broken: boolean });

/** The elements of a list, in order; none where there is no list. Null: the text is no JSON array, which Fossil takes for
 *  an empty list and replaces at its next `hook add`. */
export function readList(text: string | null): Element[] | null {
  if (text === null) return [];
  if (!Array.isArray(parsed(text))) return null;
  return partsOf(text).map(readElement);
}

/** The text of a list of these elements. */
export const writeList = (texts: readonly string[]): string => `[${texts.join(",")}]`;

/** An entry as Fossil writes it. */
export const entryText = ({ cmd, type, seq }: Entry): string => JSON.stringify({ cmd, type, seq });

/** The list with `entry` in it once: at its end, or as it is when that entry stands there already. Others of `isOurs` go.
 *  Throws GP_REPOSITORY where the text is no list. */
export function withEntry(text: string | null, entry: Entry, isOurs: (entry: Entry) => boolean): string {
  const elements = requireList(text);
  const mine = elements.filter((element) => element.entry !== null && isOurs(element.entry));
  const wanted = entryText(entry);
  if (text !== null && mine.length === 1 && mine[0]?.text === wanted) return text;
  return writeList([...elements.filter((element) => !mine.includes(element)).map((one) => one.text), wanted]);
}

/** The list without the entries that `isOurs` names; null where nothing else is left, so that the row can go. The text
 *  itself where there is none of ours. Throws GP_REPOSITORY where the text is no list. */
export function withoutEntry(text: string | null, isOurs: (entry: Entry) => boolean): string | null {
  const elements = requireList(text);
  const others = elements.filter((element) => element.entry === null || !isOurs(element.entry));
  if (others.length === elements.length) return text;
  return others.length === 0 ? null : writeList(others.map((one) => one.text));
}

/** The list without the elements of exactly these texts, each taken out once; as `withoutEntry` else. */
export function withoutTexts(text: string | null, texts: readonly string[]): string | null {
  const gone = [...texts];
  const elements = requireList(text);
  const others = elements.filter((element) => {
    const at = gone.indexOf(element.text);
    if (at >= 0) gone.splice(at, 1);
    return at < 0;
  });
  if (others.length === elements.length) return text;
  return others.length === 0 ? null : writeList(others.map((one) => one.text));
}

/** The elements, or GP_REPOSITORY. */
export function requireList(text: string | null): Element[] {
  const elements = readList(text);
  if (elements !== null) return elements;
  throw new GatepostError(
    "GP_REPOSITORY",
    "The repository's own list of hooks (its setting hooks) is no JSON array. Nothing was changed.",
    { hint: "Fossil runs none of it. See what stands there: fossil hook status; empty it: fossil hook delete all" },
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readElement(text: string): Element {
  const no = (why: string, broken = false): Element => ({ text, entry: null, why, broken });
  if (!text.startsWith("{")) return no("it is no JSON object", true);
  const members = partsOf(text).map((part) => MEMBER.exec(part));
  if (members.some((member) => member?.[1]?.includes("\\"))) return no("it has a key with a backslash in it");
  const first = (key: string): unknown => {
    const value = members.find((member) => member?.[1] === `"${key}"`)?.[2];
    return value === undefined ? undefined : parsed(value);
  };
  const [cmd, type, seq] = [first("cmd"), first("type"), first("seq")];
  if (typeof cmd !== "string") return no("it has no text as its cmd");
  if (typeof type !== "string") return no("it has no text as its type");
  if (typeof seq !== "number" || !Number.isSafeInteger(seq)) return no("its seq is no whole number");
  return { text, entry: { cmd, type, seq: seq + 0 } };
}

const MEMBER = /^("[^"\\]*(?:\\.[^"\\]*)*")[ \t\n\r]*:[ \t\n\r]*(.*)$/s;
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},]/g;

/** The texts between the commas of a JSON array or object. */
function partsOf(json: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (const { 0: token, index } of json.matchAll(TOKEN)) {
    if (token === "[" || token === "{") {
      depth += 1;
      if (depth === 1) from = index + 1;
    } else if (token === "]" || token === "}") depth -= 1;
    if ((token === "," && depth === 1) || depth === 0) {
      const part = json.slice(from, index).replace(/^[ \t\n\r]+|[ \t\n\r]+$/g, "");
      if (part !== "") parts.push(part);
      from = index + 1;
    }
  }
  return parts;
}
