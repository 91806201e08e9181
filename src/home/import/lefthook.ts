/**
 * lefthook: the jobs, commands and scripts of each hook in lefthook.yml (or .yaml, .json), in the order in which
 * lefthook runs them: jobs as listed, then commands, then scripts, both by priority, then by the number their name
 * begins with, then by name. Groups are laid out flat. What a single job becomes is in lefthook-job.ts.
 *
 * Two differences cannot be carried over and are in docs/migrating.md: without `piped`, lefthook goes on behind a
 * failure (the commit is refused either way), and it hides unstaged changes of partly staged files while it runs.
 */
import { type Foreign, type ForeignHook, type Left, noTypeFor, type Standing, typeOf } from "./foreign.ts";
import { type Job, jobHook, type Setting } from "./lefthook-job.ts";
import { type Fields, fields, list, readYaml, text, texts } from "./values.ts";

/** The hooks of a lefthook configuration. `standing` says what a path below the work tree's root is. */
export function lefthookHooks(file: string, source: string, standing: (path: string) => Standing): Foreign {
  const config = readYaml(file, source);
  const left: Left[] = [];
  const hooks: ForeignHook[] = [];
  for (const [key, why] of TOP) if (config.has(key)) left.push({ what: key, why });
  const templates = new Map([...(fields(config.get("templates")) ?? [])].map(([key, value]) => [key, String(value)]));
  const setting: Setting = {
    templates,
    scripts: (text(config.get("source_dir")) ?? ".lefthook").replace(/\/+$/, ""),
    doublestar: config.get("glob_matcher") === "doublestar",
    standing,
  };
  for (const [native, value] of config) {
    const hook = fields(value);
    if (hook === null || !["jobs", "commands", "scripts"].some((key) => hook.has(key))) continue;
    const type = typeOf(native);
    if (type === null) {
      const covered = native === "pre-merge-commit" && config.has("pre-commit");
      left.push({ what: native, why: covered ? "the hooks of pre-commit run at merges as well" : noTypeFor(native) });
      continue;
    }
    for (const [key, why] of OF_HOOK) if (hook.has(key)) left.push({ what: `${native}.${key}`, why });
    for (const job of jobsOf(native, hook)) {
      const made = jobHook(job, type, setting);
      left.push(...made.left);
      if (made.hook !== null) hooks.push(made.hook);
    }
  }
  return { hooks, left, next: [] };
}

const TOP: readonly (readonly [string, string])[] = [
  ["extends", "other files are not read; import them one by one"],
  ["remotes", "nothing is fetched; import a copy of the file"],
  ["rc", "Gatepost does not read it; what it sets can go to ~/.config/gatepost/env.sh"],
];

const OF_HOOK: readonly (readonly [string, string])[] = [
  ["skip", "there is no such condition; --no-verify or GATEPOST_SKIP leave hooks out"],
  ["only", "there is no such condition for all of a hook; the hooks run always"],
  ["setup", "what prepares the others is best a hook of its own with a lower sequence"],
  ["fail_on_changes", "a gate goes by exit codes alone; end the command with git diff --exit-code"],
];

/** The jobs of a hook, flat and in order. */
function jobsOf(native: string, hook: Fields): Job[] {
  const shared: Omit<Job, "fields" | "name" | "parallel"> = {
    native,
    glob: [],
    exclude: texts(hook.get("exclude")),
    root: null,
    env: [],
    tags: [],
    filesCommand: text(hook.get("files")),
    excludedTags: texts(hook.get("exclude_tags")) ?? [],
  };
  const all: readonly [string, unknown][] = [
    ...list(hook.get("jobs")).map((job): [string, unknown] => ["", job]),
    ...inOrder(hook.get("commands")),
    ...inOrder(hook.get("scripts")).map(([name, job]): [string, unknown] => [
      name,
      new Map([...(fields(job) ?? []), ["script", name]]),
    ]),
  ];
  return flat(all, shared, hook.get("parallel") === true);
}

/** Groups laid out: what they set goes to each of their jobs. Of two parallel groups in a row the second loses its
 *  mark, or both would run together; so does a group in sequence among parallel jobs. */
function flat(
  jobs: readonly (readonly [string, unknown])[],
  shared: Omit<Job, "fields" | "name" | "parallel">,
  parallel: boolean,
): Job[] {
  const result: Job[] = [];
  for (const [name, value] of jobs) {
    const job = fields(value) ?? new Map<string, unknown>();
    const group = fields(job.get("group"));
    const own = text(job.get("name")) ?? (name === "" ? null : name);
    if (group === null) {
      result.push({ ...shared, fields: job, name: own, parallel });
      continue;
    }
    const wanted = group.get("parallel") === true;
    const beside = wanted && (parallel || result.at(-1)?.parallel !== true);
    const inner = {
      ...shared,
      glob: [...(shared.glob ?? []), ...(texts(job.get("glob")) ?? [])],
      exclude: shared.exclude === null ? null : [...shared.exclude, ...(texts(job.get("exclude")) ?? [])],
      root: text(job.get("root")) ?? shared.root,
      env: [...shared.env, ...(fields(job.get("env")) ?? [])],
      tags: [...shared.tags, ...(texts(job.get("tags")) ?? [])],
      filesCommand: text(job.get("files")) ?? shared.filesCommand,
    };
    const named = list(group.get("jobs")).map((one): [string, unknown] => [own ?? "", one]);
    result.push(...flat(named, inner, beside));
  }
  return result;
}

/** Commands or scripts as lefthook sorts them; those without priority come last. */
function inOrder(value: unknown): [string, unknown][] {
  const rank = ([name, job]: [string, unknown]): [number, number] => {
    const priority = Number(fields(job)?.get("priority") ?? 0) || Number.POSITIVE_INFINITY;
    const number = /^\d+/.exec(name)?.[0];
    return [priority, number === undefined ? Number.POSITIVE_INFINITY : Number(number)];
  };
  return [...(fields(value) ?? [])].sort((a, b) => {
    const [[priorityA, numberA], [priorityB, numberB]] = [rank(a), rank(b)];
    if (priorityA !== priorityB) return priorityA < priorityB ? -1 : 1;
    if (priorityA !== Number.POSITIVE_INFINITY) return 0;
    if (numberA !== numberB) return numberA < numberB ? -1 : 1;
    return numberA !== Number.POSITIVE_INFINITY ? 0 : Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0]));
  });
}
