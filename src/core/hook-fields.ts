/**
 * The fields of a hook in export's format, each as a piece of JSON Schema: by these the reader judges a file, and of these
 * the schema is made that editors read (hooks.schema.json). What takes more than one field or a shell to judge (whether a
 * type has an option, whether sh can read a command) is judged when a hook is stored.
 *
 * Proven by test/e2e/hook-text.test.ts: reader and schema take and refuse the same documents.
 */
import { ARTIFACTS, DEFAULT_SEQUENCE, NAME } from "./hook.ts";
import { TYPE_WORDS } from "./hook-type.ts";

/** The part of JSON Schema that describes a field. */
export type FieldSchema = {
  readonly type?: "string" | "boolean" | "integer" | "number" | "null" | "array";
  readonly const?: string | number | boolean;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: FieldSchema;
  readonly minItems?: number;
  readonly anyOf?: readonly FieldSchema[];
  readonly not?: FieldSchema;
  readonly default?: unknown;
};

export type Field = {
  schema: FieldSchema;
  /** Completes "must be …". */
  must: string;
  /** What an editor shows. */
  says: string;
};

const text = { type: "string" } as const;
const texts = { type: "array", items: text, minItems: 1 } as const;
const flag = { type: "boolean", default: false } as const;
const type = { type: "string", enum: TYPE_WORDS } as const;
const MOST = Number.MAX_SAFE_INTEGER;
/** Patterns stand one on each line where a hook has several. */
const line = { type: "string", pattern: "^[^\\n]+$" } as const;

const field = (schema: FieldSchema, must: string, says: string): Field => ({ schema, must, says });

export const FIELDS: Readonly<Record<string, Field>> = {
  name: field(
    { type: "string", pattern: NAME.source, not: { const: "all" } },
    'a name: a letter, then letters, digits, "-", "_" or "."; at most 64 characters, and not "all"',
    "Stands wherever the id of the hook may; hook apply matches by it.",
  ),
  repository: field(
    text,
    "the name of a repository",
    "The only repository of the home that it is for, by its name there.",
  ),
  pattern: field(
    { anyOf: [line, { type: "array", items: line, minItems: 1 }] },
    "a pattern such as team/*, or a list of them",
    'For every repository whose name matches; "*" stands for anything.',
  ),
  all: field({ const: true }, "true", "For every repository of the home, now and later."),
  type: field(type, "a hook type", "When it runs: gatepost hook types."),
  wasType: field(type, "a hook type", "Of a disabled hook: the type that gatepost hook enable gives back."),
  sequence: field(
    { type: "integer", minimum: -MOST, maximum: MOST, default: DEFAULT_SEQUENCE },
    "a whole number",
    "Order among the hooks of the type, ascending as a number.",
  ),
  command: field(
    { anyOf: [text, { type: "null" }] },
    "a text, or null for a function hook",
    "The shell line to run; %F, %R, %A and %% are substituted. null: a function of an embedding program, found by name.",
  ),
  timeout: field(
    { type: "number", minimum: 0.001, maximum: 9e12 },
    "seconds, above 0",
    "Seconds after which the hook is ended.",
  ),
  retries: field(
    { type: "integer", minimum: 0, maximum: MOST, default: 0 },
    "a whole number, 0 or more",
    "after-receive: further attempts after the first; then the run is parked.",
  ),
  inOrder: field(
    flag,
    "true or false",
    "after-receive: a run that waits or is parked holds back the hook's later runs.",
  ),
  advisory: field(flag, "true or false", "Gates: a refusal is shown and recorded, and refuses nothing."),
  ref: field(texts, "a list of ref patterns", "Run only when such a ref moved, or on such a branch."),
  path: field(texts, "a list of pathspecs", "Run only when such a path changed."),
  stdin: field({ enum: ["artifacts", "updates", "paths"] }, "artifacts, updates or paths", "What it reads."),
  each: field({ const: "receipt" }, '"receipt"', "after-receive: one run for each push instead of one for the batch."),
  trees: field(flag, "true or false", "after-receive: list trees too."),
  dir: field(text, "a folder", "Local gates: run there, below the root of the work tree."),
  parallel: field(flag, "true or false", "Local gates: run side by side with the neighbours so marked."),
  artifact: field(
    { type: "array", items: { enum: ARTIFACTS }, minItems: 1 },
    `a list of ${ARTIFACTS.join(", ")}`,
    "after-receive: run only when such an artifact arrived.",
  ),
};

/** Of these a hook has one at most. */
export const SCOPES = ["repository", "pattern", "all"] as const;

export const REQUIRED = ["type", "command"] as const;

/** Whether the value is as the schema says. */
export function accepts(schema: FieldSchema, value: unknown): boolean {
  const { type: kind, enum: words, pattern, minimum, maximum, items, minItems, anyOf, not } = schema;
  if (kind !== undefined && !isOfType(kind, value)) return false;
  if (schema.const !== undefined && value !== schema.const) return false;
  if (words !== undefined && !(words as readonly unknown[]).includes(value)) return false;
  if (pattern !== undefined && typeof value === "string" && !new RegExp(pattern, "u").test(value)) return false;
  if (typeof value === "number" && (value < (minimum ?? value) || value > (maximum ?? value))) return false;
  if (Array.isArray(value)) {
    if (value.length < (minItems ?? 0)) return false;
    if (items !== undefined && !value.every((one) => accepts(items, one))) return false;
  }
  if (anyOf !== undefined && !anyOf.some((one) => accepts(one, value))) return false;
  return not === undefined || !accepts(not, value);
}

function isOfType(type: NonNullable<FieldSchema["type"]>, value: unknown): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}

/** The JSON Schema (draft 2020-12) of a file of hooks. */
export function hooksSchema(): Record<string, unknown> {
  const properties = Object.entries(FIELDS).map(([key, { schema, says }]) => [key, { description: says, ...schema }]);
  const pairs = SCOPES.flatMap((one, index) => SCOPES.slice(index + 1).map((other) => [one, other]));
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Hooks of Gatepost",
    description:
      "What gatepost hook export prints, and hook import, hook apply and init --from read; and gatepost.json.",
    type: "object",
    required: ["gatepost", "hooks"],
    additionalProperties: false,
    properties: {
      $schema: { description: "Where an editor finds this schema; Gatepost ignores it.", type: "string" },
      gatepost: { description: "The version of the format.", const: 1 },
      hooks: { type: "array", items: { $ref: "#/$defs/hook" } },
    },
    $defs: {
      hook: {
        type: "object",
        required: [...REQUIRED],
        additionalProperties: false,
        properties: Object.fromEntries(properties),
        allOf: pairs.map((required) => ({ not: { required } })),
      },
    },
  };
}
