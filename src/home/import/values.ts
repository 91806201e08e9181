/** Values of a configuration file that anybody may have written: looked at, never trusted. */
import { parseDocument } from "yaml";
import { GatepostError } from "../../core/errors.ts";

export type Fields = ReadonlyMap<string, unknown>;

/** The mapping a YAML (or JSON) text holds. Aliases are followed a hundred times at most; `file` is for the message. */
export function readYaml(file: string, text: string): Fields {
  const document = parseDocument(text, { merge: true, prettyErrors: true, logLevel: "silent" });
  const [error] = document.errors;
  let value: unknown = null;
  try {
    if (error === undefined) value = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw unreadable(file, (cause as Error).message);
  }
  if (error !== undefined) throw unreadable(file, error.message);
  const found = fields(value);
  if (found === null) throw unreadable(file, "it holds no mapping");
  return found;
}

const unreadable = (file: string, message: string): GatepostError =>
  new GatepostError("GP_IMPORT", `${file} cannot be read: ${message.split("\n")[0]}. Nothing was imported.`, {
    hint: "Mend the file, or name another one behind --from.",
  });

/** A mapping by its keys; null for anything else. */
export const fields = (value: unknown): Fields | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? new Map(Object.entries(value)) : null;

export const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

/** A text or a list of texts, as a list; null where it is neither. Absent is an empty list. */
export function texts(value: unknown): string[] | null {
  if (value === undefined || value === null) return [];
  const list = Array.isArray(value) ? value : [value];
  return list.every((one) => typeof one === "string") ? list.filter((one) => one !== "") : null;
}

export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
