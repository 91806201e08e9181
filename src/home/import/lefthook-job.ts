/** One job, command or script of lefthook as a hook, or why it is none. */
import { typed } from "../../core/shell-word.ts";
import type { Millis } from "../../core/units.ts";
import {
  type ForeignHook,
  foreignHook,
  type Left,
  nameFrom,
  type Standing,
  switchedOff,
  withoutPlaces,
} from "./foreign.ts";
import { lefthookPaths } from "./lefthook-paths.ts";
import { appendPaths, withPaths } from "./over-paths.ts";
import { replaceInShell } from "./shell-text.ts";
import { type Fields, fields, list, text, texts } from "./values.ts";

/** A job with what its hook and its groups set for it. */
export type Job = {
  native: string;
  name: string | null;
  fields: Fields;
  parallel: boolean;
  glob: string[];
  /** Null: not to be understood. */
  exclude: string[] | null;
  root: string | null;
  env: readonly (readonly [string, unknown])[];
  tags: string[];
  filesCommand: string | null;
  excludedTags: string[];
};

export type Setting = {
  templates: ReadonlyMap<string, string>;
  scripts: string;
  doublestar: boolean;
  standing: (path: string) => Standing;
};

/** Makes the hook of a job. Where `hook` is null, `left` says why; else it names what the hook lacks. */
export function jobHook(job: Job, type: string, setting: Setting): { hook: ForeignHook | null; left: Left[] } {
  const shown = `${job.native} > ${job.name ?? text(job.fields.get("run")) ?? text(job.fields.get("script")) ?? "a job"}`;
  const out = (why: string) => ({ hook: null, left: [{ what: shown, why }] });
  const { fields: given } = job;
  const tags = [...job.tags, ...(texts(given.get("tags")) ?? [])];
  const excluded = job.excludedTags.find((tag) => tags.includes(tag) || tag === job.name);
  if (excluded !== undefined) return out(`exclude_tags switches it off (${excluded})`);
  if (given.has("file_types")) return out("file_types: Git has no pathspec for what is in a file");
  if (given.has("files") || job.filesCommand !== null)
    return out("files: the paths of a command cannot be handed over; let the hook's command ask for them");

  const line = lineOf(job, setting);
  if ("why" in line) return out(line.why);
  const run = commandOf(line.command, job, type);
  if (run.why !== null) return out(run.why);
  const exports = exportsOf([...job.env, ...(fields(given.get("env")) ?? [])]);
  if (exports === null) return out("env: a name or value in it is none for sh");

  const filters = type === "before-commit" || type === "before-push" || run.usesPaths;
  const root = (text(given.get("root")) ?? job.root)?.replace(/^\.\/|\/+$/g, "") || null;
  const paths = filters ? pathsOf(job, root, setting.doublestar) : { paths: null };
  if ("why" in paths) return out(paths.why);
  const only = refsOf(given.get("only"));
  const timeout = given.has("timeout") ? goDuration(given.get("timeout")) : null;
  const left = [...DROPPED].filter(([key]) => given.has(key)).map(([key, why]) => ({ what: `${shown}: ${key}`, why }));
  if (given.has("only") && only === null) left.push({ what: `${shown}: only`, why: CONDITION });
  if (given.has("skip") && given.get("skip") !== true && given.get("skip") !== false)
    left.push({ what: `${shown}: skip`, why: CONDITION });
  if (given.has("timeout") && timeout === null)
    left.push({ what: `${shown}: timeout`, why: `${given.get("timeout")} is no length of time` });
  const name = nameFrom(job.name ?? text(given.get("script")) ?? job.native);
  const hook = foreignHook(type, name, withoutPlaces(exports + run.command), {
    paths: paths.paths,
    dir: root,
    parallel: job.parallel,
    timeout,
    refs: only,
    ...(run.usesPaths ? { stdin: "paths" as const } : {}),
  });
  return { hook: given.get("skip") === true ? switchedOff(hook) : hook, left };
}

const CONDITION = "there is no such condition; the hook runs always";
const DROPPED = new Map([
  ["stage_fixed", "Gatepost stages nothing; end the command with git add, or let the hook check only"],
  ["interactive", "a hook has the terminal as Git gave it; read from /dev/tty"],
  ["fail_text", "what refused is shown with the hook's own output"],
]);

function lineOf(job: Job, setting: Setting): { command: string } | { why: string } {
  const { fields: given, native } = job;
  const [run, script] = [text(given.get("run")), text(given.get("script"))];
  const more = text(given.get("args"));
  if ((run === null) === (script === null)) return { why: "it has no run, script or group, or more than one" };
  let command: string;
  if (run !== null) command = more === null ? run : `${run} ${more}`;
  else {
    const file = `${setting.scripts}/${native}/${script}`;
    const runner = text(given.get("runner"));
    if ((text(given.get("root")) ?? job.root) !== null) return { why: "a script in another root" };
    const standing = setting.standing(file);
    if (standing === "absent") return { why: `there is no file ${file}` };
    if (standing === "plain" && runner === null) return { why: `${file} is not executable: chmod +x` };
    command = `${runner === null ? "" : `${runner} `}${typed(file)} ${more ?? "{0}"}`;
  }
  for (const [key, value] of setting.templates) command = command.replaceAll(`{${key}}`, value);
  return { command: command.trim() };
}

type Run = { why: string } | { why: null; command: string; usesPaths: boolean };
const PLACE = /(["']?)\{(staged_files|push_files|all_files|files|cmd|lefthook_job_name|\d)\}\1/y;

/** The command with lefthook's places filled: arguments by "$1" and "$@", paths from stdin. */
function commandOf(line: string, job: Job, type: string): Run {
  const before = (at: number): boolean => at === 0 || /[\s;&|(]/.test(line[at - 1] ?? "");
  const after = (at: number): boolean => at === line.length || /[\s;&|)]/.test(line[at] ?? "");
  let why = "";
  let usesPaths = false;
  let usesArguments = false;
  let last = -1;
  const refuse = (reason: string): null => {
    why = reason;
    return null;
  };
  const command = replaceInShell(line, PLACE, (match, quotes) => {
    const [whole, , place = ""] = match;
    if (/^\d$/.test(place)) {
      usesArguments = true;
      if (quotes === "double" && match[1] === "") return place === "0" ? "$*" : `\${${place}}`;
      if (quotes === "none") return place === "0" ? '"$@"' : `"$${place}"`;
    } else if (place === "lefthook_job_name" && quotes === "none") return typed(job.name ?? "");
    else if (place === (type === "before-commit" ? "staged_files" : type === "before-push" ? "push_files" : "")) {
      if (quotes === "none" && before(match.index) && after(match.index + whole.length)) {
        usesPaths = true;
        last = match.index + whole.length;
        return '"$@"';
      }
    } else return refuse(`{${place}} is not known to Gatepost at ${job.native}`);
    return refuse(`{${place}} stands in quotes or inside a word, where sh would read what it holds`);
  });
  if (command === null) return { why };
  if (usesPaths && usesArguments)
    return { why: "paths beside arguments of Git: both would be the words of the command" };
  if (!usesPaths) return { why: null, command, usesPaths };
  const appended = last === line.length && command.split('"$@"').length === 2;
  return { why: null, usesPaths, command: appended ? appendPaths(command.slice(0, -4).trim()) : withPaths(command) };
}

/** Lines that export what `env` sets; lefthook fills $NAME in it. */
function exportsOf(env: readonly (readonly [string, unknown])[]): string | null {
  let lines = "";
  for (const [name, value] of env) {
    if (!/^[A-Za-z_]\w*$/.test(name) || typeof value === "object") return null;
    const safe = String(value).replace(/[\\"`]|\$(?!\{?[A-Za-z_])/g, "\\$&");
    if (/\$\{(?!\w+\})/.test(safe)) return null;
    lines += `export ${name}="${safe}"\n`;
  }
  return lines;
}

function pathsOf(job: Job, root: string | null, doublestar: boolean): { paths: string[] | null } | { why: string } {
  const globs = texts(job.fields.get("glob"));
  const excludes = texts(job.fields.get("exclude"));
  if (globs === null || excludes === null || job.exclude === null) return { why: "glob or exclude is no text or list" };
  return lefthookPaths([...job.glob, ...globs], [...job.exclude, ...excludes], root, doublestar);
}

/** Branches of `only: - ref: NAME`, where there is nothing else in it. */
function refsOf(only: unknown): string[] | null {
  const refs = list(only).map((one) => {
    const rule = fields(one);
    const ref = rule?.size === 1 ? text(rule.get("ref")) : null;
    if (ref === null) return null;
    if (!/[*?[{\\]/.test(ref)) return ref;
    return /^[^*?[{\\]+\/\*{1,2}$/.test(ref) ? ref.replace(/\*+$/, "") : null; // everything below
  });
  return refs.length === 0 || refs.includes(null) ? null : (refs as string[]);
}

/** 15s, 1m30s, 500ms. */
function goDuration(value: unknown): Millis | null {
  const parts = [...String(value).matchAll(/(\d+)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([all]) => all).join("") !== value) return null;
  const sum = parts.reduce((total, [, n, unit]) => total + Number(n) * (UNITS.get(unit ?? "") ?? 0), 0);
  return sum > 0 ? (sum as Millis) : null;
}
const UNITS = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);
