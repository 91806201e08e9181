/**
 * pre-commit: the local hooks of .pre-commit-config.yaml that run a program of the system or a script of the
 * repository. Hooks of other repositories need the environments that pre-commit makes for them and stay with it.
 *
 * An entry is split into words, not read by a shell, so each word is quoted. File names come on stdin where pre-commit
 * would append them. Two differences cannot be carried over and are in docs/migrating.md: pre-commit hides what is not
 * staged, and it refuses when a hook changed a file; a gate goes by the exit code alone.
 */
import { typed } from "../../core/shell-word.ts";
import {
  type Foreign,
  type ForeignHook,
  foreignHook,
  type Left,
  nameFrom,
  noTypeFor,
  typeOf,
  withoutPlaces,
} from "./foreign.ts";
import { appendPaths } from "./over-paths.ts";
import { preCommitPaths } from "./pre-commit-files.ts";
import { splitWords } from "./pre-commit-words.ts";
import { type Fields, fields, list, readYaml, text, texts } from "./values.ts";

const LANGUAGES = new Set(["system", "script", "unsupported", "unsupported_script"]);
const OLD_STAGES = new Map([
  ["commit", "pre-commit"],
  ["push", "pre-push"],
  ["merge-commit", "pre-merge-commit"],
]);
const DROPPED = new Map([
  ["language_version", "the program that stands on PATH is run"],
  ["log_file", "what a hook prints is shown when it refuses"],
  ["verbose", "what a hook prints is shown when it refuses"],
]);

/** The hooks of a pre-commit configuration. */
export function preCommitHooks(file: string, source: string): Foreign {
  const config = readYaml(file, source);
  const left: Left[] = [];
  const hooks: ForeignHook[] = [];
  const taken: string[] = [];
  let stays = false;
  for (const repository of list(config.get("repos")).map(fields)) {
    const repo = text(repository?.get("repo")) ?? "a repository without name";
    const given = list(repository?.get("hooks")).map(fields);
    if (repo !== "local") {
      stays = true;
      const ids = given.map((hook) => text(hook?.get("id")) ?? "?").join(", ");
      left.push({ what: `${repo}: ${ids}`, why: "it needs the environment that pre-commit makes for it" });
      continue;
    }
    for (const hook of given) {
      if (hook === null) continue;
      const made = hooksOf(hook, config);
      left.push(...made.left);
      hooks.push(...made.hooks);
      const id = text(hook.get("id"));
      if (made.hooks.length > 0 && id !== null) taken.push(id);
      else stays = true;
    }
  }
  if (hooks.length > 0) left.push(FILES_CHANGED);
  return { hooks, left, next: nextOf(taken, stays) };
}

/** The one thing that passes afterwards and was refused before; so it is named with every import. */
const FILES_CHANGED: Left = {
  what: "refusing when a hook changed files",
  why: "a gate goes by exit codes alone; let formatters only check, or end them with git diff --exit-code",
};

function nextOf(taken: readonly string[], stays: boolean): string[] {
  const skip = taken.length === 0 ? "" : `SKIP=${typed(taken.join(","))} `;
  const keep = `gatepost hook add --type before-commit --name pre-commit --command ${typed(`${skip}pre-commit run`)}`;
  return stays ? [keep] : [];
}

function hooksOf(hook: Fields, config: Fields): { hooks: ForeignHook[]; left: Left[] } {
  const id = text(hook.get("id")) ?? "a hook without id";
  const out = (why: string) => ({ hooks: [], left: [{ what: id, why }] });
  const language = text(hook.get("language")) ?? "none";
  if (!LANGUAGES.has(language))
    return out(`language ${language}: it needs the environment that pre-commit makes for it`);
  const words = splitWords(text(hook.get("entry")) ?? "");
  const more = texts(hook.get("args"));
  if (words === null || words.length === 0 || more === null) return out("its entry or args cannot be read");
  if (/script$/.test(language) && !words[0]?.startsWith("/")) words[0] = `./${words[0]}`;
  const command = [...words, ...more].map(typed).join(" ");
  const files = preCommitPaths({
    files: patterns(config, hook, "files"),
    excludes: patterns(config, hook, "exclude"),
    types: texts(hook.get("types")) ?? ["?"],
    typesOr: texts(hook.get("types_or")) ?? ["?"],
  });
  const always = hook.get("always_run") === true;
  if (files.why !== null && !always) return out(files.why);
  if ((texts(hook.get("exclude_types")) ?? ["?"]).length > 0)
    return out("exclude_types: not known by the names of files");
  const left: Left[] = [];
  for (const [key, why] of DROPPED) if (hook.has(key)) left.push({ what: `${id}: ${key}`, why });
  if (files.why === null && files.loose.length > 0 && !always)
    left.push({
      what: `${id}: types ${files.loose.join(", ")}`,
      why: files.loose.includes("text")
        ? "binary files are handed over too"
        : "matched by the names of files, not by their first line",
    });
  const stages = stagesOf(hook, config);
  const hooks = stages.flatMap((stage) => {
    const type = typeOf(stage);
    if (type === null) {
      const covered = stage === "pre-merge-commit" && stages.includes("pre-commit");
      if (!covered) left.push({ what: `${id}: stage ${stage}`, why: noTypeFor(stage) });
      return [];
    }
    const made = atStage(stage, type, command, hook, always, files.why === null ? files.paths : null);
    if (typeof made === "string") left.push({ what: `${id}: stage ${stage}`, why: made });
    return typeof made === "string" ? [] : [foreignHook(type, nameFrom(id), withoutPlaces(made.command), made.options)];
  });
  return { hooks, left };
}

function patterns(config: Fields, hook: Fields, key: "files" | "exclude"): string[] {
  return [config.get(key), hook.get(key)].flatMap((pattern) => text(pattern) ?? []);
}

/** A hook without stages of its own runs at those that are installed. */
function stagesOf(hook: Fields, config: Fields): string[] {
  const named = texts(hook.get("stages")) ?? [];
  const usual = texts(config.get("default_stages")) ?? [];
  const installed = texts(config.get("default_install_hook_types")) ?? [];
  const stages = named.length > 0 ? named : installed.length > 0 ? installed : ["pre-commit"];
  const all = stages.map((stage) => OLD_STAGES.get(stage) ?? stage);
  const allowed = usual.map((stage) => OLD_STAGES.get(stage) ?? stage);
  const kept = named.length > 0 || allowed.length === 0 ? all : all.filter((stage) => allowed.includes(stage));
  return [...new Set(kept)].filter((stage) => stage !== "manual");
}

type AtStage = { command: string; options: Partial<ForeignHook> } | string;

function atStage(
  stage: string,
  type: string,
  command: string,
  hook: Fields,
  always: boolean,
  paths: string[] | null,
): AtStage {
  const passes = hook.get("pass_filenames") !== false;
  if (type === "commit-msg" || type === "git:prepare-commit-msg")
    return { command: passes ? `${command} "$1"` : command, options: {} };
  if (type !== "before-commit" && type !== "before-push")
    return always ? { command, options: {} } : `pre-commit hands no files to ${stage} hooks, so it never runs`;
  if (!passes) return { command, options: always ? {} : { paths } };
  if (always) return "always_run with file names: Gatepost hands over paths or runs always, not both";
  return { command: appendPaths(command), options: { paths, stdin: "paths" } };
}
