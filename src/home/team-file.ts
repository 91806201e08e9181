/**
 * The team file: `gatepost.json` at the root of a work tree, in export's format. Its hooks are those of that work tree alone,
 * so it names no repositories; and they run where somebody commits or pushes, so none is of a server or of the backoffice.
 * Whoever can push to the branch has written it: it is read as data, and no link or pipe is followed to it.
 */
import { isUtf8 } from "node:buffer";
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { bySequence, type Hook, type HookSpec, type Scope } from "../core/hook.ts";
import { type HookDraft, type Mistake, mistakesError, readHookText } from "../core/hook-text.ts";
import { findType, IN_PLACE, isServerType } from "../core/hook-type.ts";
import type { HookId } from "../core/units.ts";
import { checkSpec } from "./hooks.ts";

export const TEAM_FILE = "gatepost.json";

/** The types that a team file can have. */
export const LOCAL_TYPES: readonly string[] = IN_PLACE.filter((type) => !isServerType(type));

/** A team file as it was read. The id of a hook is its place in the file, from 1; hooks stand in the order they run in. */
export type TeamFile = { bytes: Buffer; hooks: Hook[] };

const MOST_BYTES = 1024 * 1024;

/** Reads the team file of a work tree; null where there is none. Throws GP_IMPORT, which names each mistake with its place. */
export function readTeamFile(root: string): TeamFile | null {
  const bytes = bytesOf(join(root, TEAM_FILE));
  return bytes === null ? null : { bytes, hooks: parseTeamFile(bytes) };
}

function bytesOf(path: string): Buffer | null {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: number;
  try {
    file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK); // a pipe in its place must not hold us
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return null;
    if (code === "ELOOP") throw refused("it is a symbolic link");
    throw refused(`it cannot be read (${code})`);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw refused("it is no file");
    if (stat.size > MOST_BYTES) throw refused("it is larger than 1 MiB");
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

const refused = (why: string): GatepostError =>
  new GatepostError("GP_IMPORT", `${TEAM_FILE}: ${why}. ${NOTHING}`, { hint: HINT });

const NOTHING = "No hook of it runs.";
const HINT = `Mend ${TEAM_FILE}; what it can hold: docs/team.md`;

/** The hooks of such a text, as they run; see `readTeamFile`. */
export function parseTeamFile(bytes: Buffer): Hook[] {
  if (!isUtf8(bytes)) throw refused("it is not UTF-8");
  const { drafts, mistakes } = readHookText(bytes.toString("utf8"));
  const names = new Map<string, number>();
  const hooks = drafts.flatMap((draft, index) => {
    const found = judge(draft, index + 1);
    if ("what" in found) {
      mistakes.push(found);
      return [];
    }
    const earlier = found.name === null ? undefined : names.get(found.name);
    if (earlier !== undefined) mistakes.push(draft.mistake(`hook ${earlier} has that name already`, "name"));
    if (found.name !== null) names.set(found.name, index + 1);
    return [found];
  });
  if (mistakes.length > 0) {
    const { message, code } = mistakesError(mistakes, NOTHING, TEAM_FILE);
    throw new GatepostError(code, message, { hint: HINT });
  }
  return hooks.sort(bySequence);
}

/** Covers the work tree it was read in; nothing looks at it. */
const HERE: Scope = { scope: "all" };

function judge({ hook, scope, mistake }: HookDraft, place: number): Hook | Mistake {
  if (scope !== null)
    return mistake("is not for team files: their hooks are those of the work tree", Object.keys(scope)[0]);
  const type = findType(hook.type)?.name;
  if (type !== undefined && !LOCAL_TYPES.includes(type))
    return mistake(`cannot be ${type} in a team file, whose hooks run where people commit and push`, "type");
  if (hook.command === null) return mistake("must be a text in a team file", "command");
  try {
    const spec: HookSpec = checkSpec({ ...hook, scope: HERE }, "git");
    return { ...spec, id: place as HookId };
  } catch (error) {
    if (!(error instanceof GatepostError)) throw error;
    return mistake(error.message.replace(/(?: Nothing was changed)?\.$/, ""));
  }
}

/** What to call a hook of a team file: its name, or its place in the file. Nothing in it needs escaping. */
const calledInTeam = ({ id, name, type }: Hook): string => `${name ?? `hook ${id}`} (${type})`;

/** What is different now, in one line; empty where the same hooks run as before. `before` is null where none were known. */
export function teamChange(before: readonly Hook[] | null, now: readonly Hook[]): string {
  if (before === null) return now.length === 0 ? "" : `${TEAM_FILE} is obeyed in this work tree: ${listed(now)}`;
  const key = ({ id, name, type, command }: Hook, index: number, all: readonly Hook[]): string =>
    name ??
    `${type} ${command} ${all.slice(0, index).filter((one) => one.type === type && one.command === command && one.id < id).length}`;
  const old = new Map(before.map((hook, index) => [key(hook, index, before), hook]));
  const fresh = new Map(now.map((hook, index) => [key(hook, index, now), hook]));
  const text = ({ id: _, ...spec }: Hook): string => JSON.stringify(spec);
  const added = [...fresh].filter(([word]) => !old.has(word)).map(([, hook]) => hook);
  const removed = [...old].filter(([word]) => !fresh.has(word)).map(([, hook]) => hook);
  const changed = [...fresh].flatMap(([word, hook]) => {
    const was = old.get(word);
    return was === undefined || text(was) === text(hook) ? [] : [hook];
  });
  const parts = (
    [
      ["new", added],
      ["changed", changed],
      ["gone", removed],
    ] as const
  ).flatMap(([word, hooks]) => (hooks.length === 0 ? [] : [`${word}: ${listed(hooks)}`]));
  return parts.length === 0 ? "" : `${TEAM_FILE} changed, and is obeyed as it is now. ${parts.join("; ")}`;
}

const listed = (hooks: readonly Hook[]): string =>
  hooks.length <= 6
    ? hooks.map(calledInTeam).join(", ")
    : `${hooks.slice(0, 5).map(calledInTeam).join(", ")} and ${hooks.length - 5} more`;
