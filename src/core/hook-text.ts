/**
 * Reads a file of hooks: what `hook export` prints and people write by hand. Every mistake is named with its place and, in a
 * text of several lines, its line. Pure: repositories are names here, and nothing is looked up.
 */
import { GatepostError } from "./errors.ts";
import { DEFAULT_SEQUENCE, type HookSpec, NO_OPTIONS } from "./hook.ts";
import { accepts, FIELDS, REQUIRED, SCOPES } from "./hook-fields.ts";
import { nearest, nearestType } from "./hook-type.ts";
import { lineAndColumn, readJson } from "./json-text.ts";
import type { Millis } from "./units.ts";

/** Something wrong at a place such as `hooks[2].command`; `line` is null in a text of one line. */
export type Mistake = { place: string; line: number | null; what: string; hint?: string };

/** Which repositories a hook of a file is for; null where it does not say. */
export type DraftScope = { repository: string } | { pattern: string } | { all: true } | null;

export type HookDraft = {
  hook: Omit<HookSpec, "scope">;
  scope: DraftScope;
  /** Says what is wrong with it, or with one of its fields. */
  mistake: (what: string, key?: string, hint?: string) => Mistake;
};

export type HookText = { drafts: HookDraft[]; mistakes: Mistake[] };

/** Reads a text in export's format. Where there are mistakes, the drafts are those that have none. Throws nothing. */
export function readHookText(json: string): HookText {
  const text = json.startsWith("\ufeff") ? json.slice(1) : json; // as some editors begin a file
  const hasLines = text.trimEnd().includes("\n");
  const read = readJson(text);
  const only = (mistake: Mistake): HookText => ({ drafts: [], mistakes: [mistake] });
  if (!read.ok) {
    const { line, column } = lineAndColumn(text, read.at);
    const what = `line ${line}, column ${column}: ${read.what}`;
    return only({ place: "The file is not JSON", line: null, what });
  }
  const lineOf = (place: string): number | null => {
    const at = hasLines ? read.at.get(place) : undefined;
    return at === undefined ? null : lineAndColumn(text, at).line;
  };
  const at = (place: string, what: string, hint?: string): Mistake => ({
    place,
    line: lineOf(place),
    what,
    ...(hint === undefined ? {} : { hint }),
  });
  const { $schema, gatepost, hooks, ...others } = (read.value ?? {}) as Record<string, unknown>;
  if (gatepost !== 1 || !Array.isArray(hooks)) return only(at("The file", 'has no "gatepost": 1 and "hooks": […]'));
  if (read.repeated.length > 0)
    return { drafts: [], mistakes: read.repeated.map((place) => at(place, "stands there twice")) };
  const mistakes = Object.keys(others).map((key) => at(key, "is not known"));
  if ($schema !== undefined && typeof $schema !== "string") mistakes.push(at("$schema", "must be a text"));
  const drafts = hooks.flatMap((hook: unknown, index) => {
    const place = `hooks[${index}]`;
    const own = mistakesOf(hook, place, at);
    mistakes.push(...own);
    return own.length > 0 ? [] : [draftOf(new Map(Object.entries(hook as object)), place, at)];
  });
  return { drafts, mistakes };
}

/** A surrogate without its other half: JSON can escape it, no file or database can hold it. */
const HALF = /[\ud800-\udfff]/u;

type At = (place: string, what: string, hint?: string) => Mistake;

function mistakesOf(value: unknown, place: string, at: At): Mistake[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [at(place, "is no hook")];
  const mistakes: Mistake[] = [];
  for (const [key, content] of Object.entries(value)) {
    const field = Object.hasOwn(FIELDS, key) ? FIELDS[key] : undefined;
    const where = `${place}.${key}`;
    if (field === undefined) {
      const near = nearest(key, Object.keys(FIELDS));
      mistakes.push(at(where, `is not known${near === null ? "" : `; did you mean ${near}`}`));
    } else if (!accepts(field.schema, content)) {
      const near = key.endsWith("ype") && typeof content === "string" ? nearestType(content) : null;
      mistakes.push(at(where, `must be ${field.must}${near === null ? "" : `; did you mean ${near}`}`));
    } else if ([content].flat().some((text) => typeof text === "string" && HALF.test(text)))
      mistakes.push(
        at(where, "has half of a character (\\ud800 to \\udfff) in it, which could not be stored as it is"),
      );
  }
  for (const key of REQUIRED) if (!Object.hasOwn(value, key)) mistakes.push(at(place, `has no "${key}"`));
  const scopes = SCOPES.filter((key) => Object.hasOwn(value, key));
  if (scopes.length > 1) mistakes.push(at(place, `has ${scopes.join(" and ")}; only one of them can be`));
  return mistakes;
}

function draftOf(given: ReadonlyMap<string, unknown>, place: string, at: At): HookDraft {
  const of = <T>(key: string, otherwise: T): T => (given.has(key) ? (given.get(key) as T) : otherwise);
  return {
    mistake: (what, key, hint) => at(key === undefined ? place : `${place}.${key}`, what, hint),
    scope: scopeOf(given),
    hook: {
      ...NO_OPTIONS,
      name: of<string | null>("name", null),
      type: of("type", ""),
      wasType: of<string | null>("wasType", null),
      sequence: of("sequence", DEFAULT_SEQUENCE),
      command: of<string | null>("command", null),
      timeout: given.has("timeout") ? (Math.round(of("timeout", 0) * 1000) as Millis) : null,
      retries: of("retries", 0),
      inOrder: of("inOrder", false),
      advisory: of("advisory", false),
      refs: of<string[] | null>("ref", null),
      paths: of<string[] | null>("path", null),
      stdin: of<HookSpec["stdin"]>("stdin", null),
      each: of<HookSpec["each"]>("each", null),
      trees: of("trees", false),
      dir: of<string | null>("dir", null),
      parallel: of("parallel", false),
      artifacts: of<HookSpec["artifacts"]>("artifact", null),
    },
  };
}

function scopeOf(given: ReadonlyMap<string, unknown>): DraftScope {
  if (given.has("all")) return { all: true };
  if (given.has("repository")) return { repository: given.get("repository") as string };
  const pattern = given.get("pattern") as string | string[] | undefined;
  return pattern === undefined ? null : { pattern: typeof pattern === "string" ? pattern : pattern.join("\n") };
}

/** So many mistakes are listed; whoever has more made one mistake many times. */
const MOST_SHOWN = 20;

/** The mistakes as one error. `nothing` says what was not done: "Nothing was imported." */
export function mistakesError(
  mistakes: readonly Mistake[],
  nothing: string,
  file: string | null = null,
): GatepostError {
  const [first] = mistakes;
  const usual = "The format is the one that gatepost hook export prints.";
  const inFile = file === null ? "" : `${file}: `;
  if (first !== undefined && mistakes.length === 1)
    return new GatepostError("GP_IMPORT", `${inFile}${sentence(first)}. ${nothing}`, { hint: first.hint ?? usual });
  const more = mistakes.length - MOST_SHOWN;
  const lines = mistakes.slice(0, MOST_SHOWN).map((mistake) => `  ${sentence(mistake)}`);
  if (more > 0) lines.push(`  and ${more} more`);
  const head = `${inFile}${mistakes.length} mistakes. ${nothing}`;
  return new GatepostError("GP_IMPORT", [head, ...lines].join("\n"), { hint: usual });
}

const sentence = ({ place, line, what }: Mistake): string =>
  `${place}${line === null ? "" : ` (line ${line})`}: ${what}`;
