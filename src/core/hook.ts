/** A hook: a stored command with type, sequence and options. Pure: what a hook is and which repositories it covers. */
import { GatepostError } from "./errors.ts";
import { findType, type Kind, nearestType, TYPES, type TypeFacts } from "./hook-type.ts";
import type { HookId, Millis, RepositoryId } from "./units.ts";

/** Which repositories of the home a hook is for. Never wider than what was asked for. Several patterns stand in one text,
 *  each on a line of its own: no name has a newline. */
export type Scope =
  | { scope: "repository"; repository: RepositoryId }
  | { scope: "pattern"; pattern: string }
  | { scope: "all" };

export type HookStdin = "artifacts" | "updates" | "paths";

/** What a hook does, without its id: all that add, edit, export and import carry. */
export type HookSpec = {
  name: string | null;
  scope: Scope;
  type: string;
  /** Of a disabled hook: the type that enabling gives back. */
  wasType: string | null;
  sequence: number;
  /** Shell line; null for a function hook, which a program that embeds Gatepost supplies by name. */
  command: string | null;
  timeout: Millis | null;
  retries: number;
  inOrder: boolean;
  advisory: boolean;
  refs: readonly string[] | null;
  paths: readonly string[] | null;
  stdin: HookStdin | null;
  each: "receipt" | null;
  trees: boolean;
  dir: string | null;
  parallel: boolean;
  /** Kinds of artifact of which one must have arrived; see ARTIFACTS. */
  artifacts: readonly ArtifactKind[] | null;
};

/** What `--artifact` takes: the word with which an artifact's line describes it, or the first part of it. */
export const ARTIFACTS = [
  "check-in",
  "file",
  "tag",
  "tree",
  "wiki",
  "ticket",
  "event",
  "attachment",
  "forum",
  "cluster",
  "unknown",
] as const;
export type ArtifactKind = (typeof ARTIFACTS)[number];

/** Whether a description ("file a.txt", "forum-post 12ab") is of that kind. */
export const isOfKind = (description: string, kind: ArtifactKind): boolean =>
  description.startsWith(kind) && /^(?:$|[ -])/.test(description.slice(kind.length));

export type Hook = HookSpec & { id: HookId };

/** The options of a hook that has none: Fossil's behaviour. */
export const NO_OPTIONS = {
  wasType: null,
  timeout: null,
  retries: 0,
  inOrder: false,
  advisory: false,
  refs: null,
  paths: null,
  stdin: null,
  each: null,
  trees: false,
  dir: null,
  parallel: false,
  artifacts: null,
} as const;

export const DEFAULT_SEQUENCE = 10;

/** Whether the hook is for a repository of that id and name. */
export function covers(scope: Scope, repository: { id: RepositoryId; name: string }): boolean {
  if (scope.scope === "all") return true;
  if (scope.scope === "repository") return scope.repository === repository.id;
  return patternsOf(scope.pattern).some((pattern) => matchesPattern(pattern, repository.name));
}

/** The patterns of a scope, one or more. */
export const patternsOf = (pattern: string): string[] => pattern.split("\n");

/** The scope of these patterns, each once; a name stands for itself. Throws GP_USAGE on one that is empty or has a newline. */
export function patternScope(patterns: readonly string[]): Scope {
  const wrong = patterns.find((pattern) => pattern === "" || pattern.includes("\n"));
  if (wrong !== undefined || patterns.length === 0)
    throw new GatepostError("GP_USAGE", "A pattern of repositories cannot be empty or have a newline.", {
      hint: "Such as 'team/*'; for every repository of the home: --all",
    });
  return { scope: "pattern", pattern: [...new Set(patterns)].join("\n") };
}

/** A repository name against `team/*`: `*` stands for anything, slashes too; everything else for itself. */
export function matchesPattern(pattern: string, name: string): boolean {
  const parts = pattern.split("*");
  const [first = "", ...rest] = parts;
  if (rest.length === 0) return pattern === name;
  const last = rest.pop() ?? "";
  if (!name.startsWith(first) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}

/** Hooks of one type run in ascending sequence, as numbers; ties by id. */
export const bySequence = (a: Hook, b: Hook): number => a.sequence - b.sequence || a.id - b.id;

/** Reads a sequence: a whole number, negative allowed. Anything else is refused rather than read as 0. */
export function parseSequence(text: string): number {
  const value = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw new GatepostError("GP_SEQUENCE", `"${text}" is not a sequence.`, {
      hint: "A sequence is a whole number such as 10 or -3; hooks run in ascending order.",
    });
  return value + 0; // "-0" is 0
}

/** The facts of a type that a repository of this kind can fire (any kind when null), or an error that lists those. */
export function requireType(name: string, kind: Kind | null): TypeFacts {
  const facts = findType(name);
  const list = TYPES.filter((type) => kind === null || type.runsOn.includes(kind)).map((type) => type.name);
  if (kind === null || kind === "git") list.push("git:NAME");
  list.push("on:NAME");
  if (facts === null) {
    const near = nearestType(name);
    throw new GatepostError(
      "GP_TYPE",
      `"${name}" is not a hook type.${near === null ? "" : ` Did you mean ${near}?`}`,
      {
        hint: `One of: ${list.join(" ")}. What each is for: gatepost hook types`,
      },
    );
  }
  if (kind !== null && !facts.runsOn.includes(kind))
    throw new GatepostError(
      "GP_TYPE",
      `A ${kind.charAt(0).toUpperCase()}${kind.slice(1)} repository cannot fire ${facts.name} hooks.`,
      {
        hint: `It can fire: ${list.join(" ")}.`,
      },
    );
  return facts;
}

/** What the name of a hook looks like; "all" is none. */
export const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;

/** Refuses a name that could be taken for an id, an option, or the word `all`. */
export function requireName(name: string): string {
  if (!NAME.test(name) || name === "all")
    throw new GatepostError("GP_NAME", `"${name}" cannot be the name of a hook.`, {
      hint: 'A name starts with a letter, then letters, digits, "-", "_" or "."; at most 64 characters, and not "all".',
    });
  return name;
}
