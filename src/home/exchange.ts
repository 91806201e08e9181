/**
 * Hooks as JSON: the format of `hook export`, of `<home>/hooks.json`, and of the audit's old and new.
 *
 * {"gatepost": 1, "hooks": [{"name": …, "repository": … | "pattern": … | "all": true, "type": …, "sequence": …,
 * "command": …, and each option that is not at its default}]}
 *
 * Ids are not part of it: they belong to a home. A repository is written by its name in the home.
 */
import { GatepostError } from "../core/errors.ts";
import { ARTIFACTS, DEFAULT_SEQUENCE, type Hook, type HookSpec, NO_OPTIONS, type Scope } from "../core/hook.ts";
import { nearest } from "../core/hook-type.ts";
import { repeatedKey } from "../core/json-keys.ts";
import type { Millis } from "../core/units.ts";
import { replaceFile } from "../process/replace-file.ts";
import { write } from "../store/database.ts";
import { listHooks } from "../store/hook.ts";
import { listRepositories, repositoryById, repositoryByName } from "../store/repository.ts";
import { readSetting } from "../store/setting.ts";
import { noteIncarnation } from "./given-out.ts";
import type { OpenHome } from "./open.ts";

export type HookJson = Readonly<Record<string, unknown>>;
export type Exported = { gatepost: 1; hooks: HookJson[] };

/** A hook in export's format: only what differs from the defaults. */
export function hookToJson(home: OpenHome, hook: HookSpec): HookJson {
  const scope =
    hook.scope.scope === "all"
      ? { all: true }
      : hook.scope.scope === "pattern"
        ? { pattern: hook.scope.pattern }
        : { repository: repositoryById(home.db, hook.scope.repository)?.name ?? null };
  return {
    ...(hook.name === null ? {} : { name: hook.name }),
    ...scope,
    type: hook.type,
    ...(hook.wasType === null ? {} : { wasType: hook.wasType }),
    sequence: hook.sequence,
    command: hook.command,
    ...(hook.timeout === null ? {} : { timeout: hook.timeout / 1000 }),
    ...(hook.retries === 0 ? {} : { retries: hook.retries }),
    ...(hook.inOrder ? { inOrder: true } : {}),
    ...(hook.advisory ? { advisory: true } : {}),
    ...(hook.refs === null ? {} : { ref: hook.refs }),
    ...(hook.paths === null ? {} : { path: hook.paths }),
    ...(hook.stdin === null ? {} : { stdin: hook.stdin }),
    ...(hook.each === null ? {} : { each: hook.each }),
    ...(hook.trees ? { trees: true } : {}),
    ...(hook.dir === null ? {} : { dir: hook.dir }),
    ...(hook.parallel ? { parallel: true } : {}),
    ...(hook.artifacts === null ? {} : { artifact: hook.artifacts }),
  };
}

/** These hooks as one value that `readExported` takes back. */
export const exportHooks = (home: OpenHome, hooks: readonly Hook[]): Exported => ({
  gatepost: 1,
  hooks: hooks.map((hook) => hookToJson(home, hook)),
});

/** Rewrites `<home>/hooks.json`, so that a lost database costs history but never hooks, and notes beside it which run ids
 *  were given out. */
export function writeHooksFile(home: OpenHome): void {
  // Read and written under the write lock: of two edits at once, the later one's file stays.
  write(home.db, () => {
    const text = `${JSON.stringify(exportHooks(home, listHooks(home.db)), null, 2)}\n`;
    replaceFile(home.layout.hooksFile, text, { mode: 0o600 });
    noteIncarnation(home.layout, readSetting(home.db, "incarnation") ?? "a");
  });
}

const wrong = (place: string, what: string, hint?: string): GatepostError =>
  new GatepostError("GP_IMPORT", `${place}: ${what}. Nothing was imported.`, {
    hint: hint ?? "The format is the one that gatepost hook export prints.",
  });

type Check = (value: unknown) => boolean;
const text: Check = (value) => typeof value === "string";
const texts: Check = (value) => Array.isArray(value) && value.length > 0 && value.every(text);
const flag: Check = (value) => typeof value === "boolean";
const natural: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isMillis = (value: number): boolean => Math.round(value) >= 1 && Number.isSafeInteger(Math.round(value));
const fields: Record<string, [Check, string]> = {
  name: [text, "a text"],
  repository: [text, "the name of a repository"],
  pattern: [text, "a pattern such as team/*"],
  all: [(value) => value === true, "true"],
  type: [text, "a hook type"],
  wasType: [text, "a hook type"],
  sequence: [Number.isSafeInteger, "a whole number"],
  command: [(value) => text(value) || value === null, "a text, or null for a function hook"],
  timeout: [(value) => typeof value === "number" && value > 0 && isMillis(value * 1000), "seconds, above 0"],
  retries: [natural, "a whole number, 0 or more"],
  inOrder: [flag, "true or false"],
  advisory: [flag, "true or false"],
  ref: [texts, "a list of ref patterns"],
  path: [texts, "a list of pathspecs"],
  stdin: [(value) => value === "artifacts" || value === "updates" || value === "paths", "artifacts, updates or paths"],
  each: [(value) => value === "receipt", '"receipt"'],
  trees: [flag, "true or false"],
  dir: [text, "a folder"],
  parallel: [flag, "true or false"],
  artifact: [
    (value) => texts(value) && (value as string[]).every((kind) => (ARTIFACTS as readonly string[]).includes(kind)),
    `a list of ${ARTIFACTS.join(", ")}`,
  ],
};

/** Reads export's format; every mistake is named with its place. A hook without scope gets `fallback`; with `rescope`,
 *  so does one that was for a single repository: whoever names another one wants it there. */
export function readExported(home: OpenHome, json: string, fallback: Scope | null, rescope = false): HookSpec[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw wrong("The file is not JSON", (error as Error).message);
  }
  const { gatepost, hooks, ...others } = (value ?? {}) as Record<string, unknown>;
  if (gatepost !== 1 || !Array.isArray(hooks)) throw wrong("The file", 'has no "gatepost": 1 and "hooks": […]');
  const [other] = Object.keys(others);
  if (other !== undefined) throw wrong(other, "is not known");
  const repeated = repeatedKey(json);
  if (repeated !== null) throw wrong(repeated, "stands there twice");
  return hooks.map((hook, index) => readHook(home, hook, `hooks[${index}]`, fallback, rescope));
}

function readHook(home: OpenHome, value: unknown, place: string, fallback: Scope | null, rescope: boolean): HookSpec {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(place, "is no hook");
  const given = new Map(Object.entries(value));
  for (const [key, content] of given) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (field === undefined) {
      const near = nearest(key, Object.keys(fields));
      throw wrong(`${place}.${key}`, `is not known${near === null ? "" : `; did you mean ${near}`}`);
    }
    if (!field[0](content)) throw wrong(`${place}.${key}`, `must be ${field[1]}`);
  }
  if (!given.has("type")) throw wrong(place, 'has no "type"');
  if (!given.has("command")) throw wrong(place, 'has no "command"');
  const of = <T>(key: string, otherwise: T): T => (given.has(key) ? (given.get(key) as T) : otherwise);
  return {
    ...NO_OPTIONS,
    name: of<string | null>("name", null),
    scope: readScope(home, given, place, fallback, rescope),
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
  };
}

function readScope(
  home: OpenHome,
  given: Map<string, unknown>,
  place: string,
  fallback: Scope | null,
  rescope: boolean,
): Scope {
  const named = ["repository", "pattern", "all"].filter((key) => given.has(key));
  if (named.length > 1) throw wrong(place, `has ${named.join(" and ")}; only one of them can be`);
  if (given.has("all")) return { scope: "all" };
  if (given.has("pattern")) return { scope: "pattern", pattern: given.get("pattern") as string };
  if (!given.has("repository") || rescope) {
    if (fallback !== null) return fallback;
    throw wrong(place, "names no repository", 'Give it "repository", "pattern" or "all": true, or import with -R.');
  }
  const row = repositoryByName(home.db, given.get("repository") as string);
  if (row !== null) return { scope: "repository", repository: row.id };
  const known = listRepositories(home.db).map(({ name }) => name);
  throw wrong(
    `${place}.repository`,
    `"${given.get("repository")}" is not registered here`,
    `Known: ${known.join(" ")}`,
  );
}
