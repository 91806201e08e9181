/** Values of a configuration file that anybody may have written: looked at, never trusted. */
import { parseDocument } from "yaml";
import { GatepostError } from "../../core/errors.ts";

export type Fields = ReadonlyMap<string, unknown>;

/** The mapping a YAML (or JSON) text holds. Aliases are followed a hundred times at most, and none into what it stands
 *  in; `file` is for the message. */
export function readYaml(file: string, text: string): Fields {
  let value: unknown;
  try {
    const document = parseDocument(text, { merge: true, prettyErrors: true, logLevel: "silent" });
    const [error] = document.errors;
    if (error !== undefined) throw error;
    // Maps, since of an object a key such as toString would be more than a key.
    value = document.toJS({ maxAliasCount: 100, mapAsMap: true });
    if (holdsItself(value)) throw new Error("an alias stands in what it stands for");
  } catch (cause) {
    throw unreadable(file, (cause as Error).message);
  }
  const found = fields(value);
  if (found === null) throw unreadable(file, "it holds no mapping");
  return found;
}

function holdsItself(value: unknown, above = new Set<unknown>(), done = new Set<unknown>()): boolean {
  if (!(Array.isArray(value) || value instanceof Map) || done.has(value)) return false;
  if (above.has(value)) return true;
  above.add(value);
  for (const one of value.values()) if (holdsItself(one, above, done)) return true;
  above.delete(value);
  done.add(value);
  return false;
}

const unreadable = (file: string, message: string): GatepostError =>
  new GatepostError("GP_IMPORT", `${file} cannot be read: ${message.split("\n")[0]}. Nothing was imported.`, {
    hint: "Mend the file, or name another one behind --from.",
  });

/** A mapping by its keys; null for anything else. */
export const fields = (value: unknown): Fields | null =>
  value instanceof Map ? new Map([...value].map(([key, one]) => [String(key ?? ""), one])) : null;

export const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

/** A text or a list of texts, as a list; null where it is neither. Absent is an empty list. */
export function texts(value: unknown): string[] | null {
  if (value === undefined || value === null) return [];
  const list = Array.isArray(value) ? value : [value];
  return list.every((one) => typeof one === "string") ? list.filter((one) => one !== "") : null;
}

export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
