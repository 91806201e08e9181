/** Which options a hook of a type can have. One that would silently do nothing is refused when the hook is stored. */
import { GatepostError } from "../core/errors.ts";
import type { HookSpec } from "../core/hook.ts";
import { IN_PLACE, isEventType, isServerType, type Kind } from "../core/hook-type.ts";
import { parsePathspecs } from "../core/pathspec.ts";
import { refFunction } from "../gate/ref-case.ts";

const OF_COMMITS = ["before-commit", "commit-msg"];
const OF_PUSHES = ["before-push", "before-receive", "before-ref"];

type Rule = { option: string; given: (hook: HookSpec) => boolean; types: (type: string) => boolean };

const among =
  (...types: string[]) =>
  (type: string): boolean =>
    types.includes(type);
const ofBackoffice = (type: string): boolean => type === "after-receive" || isEventType(type);
const isLocal = (type: string): boolean => IN_PLACE.includes(type) && !isServerType(type);

const RULES: readonly Rule[] = [
  { option: "each", given: ({ each }) => each !== null, types: among("after-receive") },
  { option: "retries", given: ({ retries }) => retries > 0, types: ofBackoffice },
  { option: "in-order", given: ({ inOrder }) => inOrder, types: ofBackoffice },
  { option: "trees", given: ({ trees }) => trees, types: among("after-receive") },
  { option: "advisory", given: ({ advisory }) => advisory, types: (type) => IN_PLACE.includes(type) },
  { option: "dir", given: ({ dir }) => dir !== null, types: isLocal },
  { option: "parallel", given: ({ parallel }) => parallel, types: isLocal },
  { option: "artifact", given: ({ artifacts }) => artifacts !== null, types: among("after-receive") },
  {
    option: "ref",
    given: ({ refs }) => refs !== null,
    types: among("after-receive", "after-commit", ...OF_COMMITS, ...OF_PUSHES),
  },
  { option: "path", given: ({ paths }) => paths !== null, types: among("after-receive", ...OF_COMMITS, ...OF_PUSHES) },
];

/** Refuses options that hooks of the type cannot have, in a repository of that kind (null: of any), (GP_USAGE), with what to
 *  do instead. */
export function requireOptions(type: string, hook: HookSpec, kind: Kind | null): void {
  if (type === "disabled") return;
  if (kind === "fossil") requireOfFossil(hook);
  for (const { option, given, types } of RULES)
    if (given(hook) && !types(type))
      throw new GatepostError("GP_USAGE", `--${option} is not for ${type} hooks. Nothing was changed.`, {
        hint: `Leave it out; of a hook that has it: --unset ${option}`,
      });
  requireStdin(type, hook);
  requireDir(hook.dir);
  for (const pathspec of hook.paths ?? []) requirePathspec(pathspec);
  if (hook.refs !== null && IN_PLACE.includes(type)) refFunction("check", hook.refs);
  if (IN_PLACE.includes(type) && hook.command === null)
    throw new GatepostError("GP_USAGE", `A ${type} hook needs a command: a gate runs without the embedding program.`);
  if (isEventType(type) && hook.command === null)
    throw new GatepostError("GP_USAGE", `A ${type} hook needs a command: functions are told of batches only.`);
}

/** A Fossil repository has no refs that move and no trees, and its paths are matched here and not by Git. */
function requireOfFossil({ trees, stdin, paths, artifacts }: HookSpec): void {
  const given = trees
    ? "--trees"
    : artifacts?.includes("tree")
      ? "--artifact tree"
      : stdin === "updates"
        ? "--stdin updates"
        : null;
  if (given !== null)
    throw new GatepostError("GP_USAGE", `${given} is not for Fossil repositories. Nothing was changed.`, {
      hint: "Leave it out: a Fossil repository has artifacts, and no trees or moving refs.",
    });
  const parsed = parsePathspecs(paths ?? []);
  if (!parsed.ok)
    throw new GatepostError("GP_USAGE", `${parsed.reason} Nothing was changed.`, {
      hint: "In Fossil repositories --path knows: top literal icase glob exclude",
    });
}

function requireStdin(type: string, { stdin }: HookSpec): void {
  if (stdin === null || type === "after-receive") return;
  const takes = [
    ...(OF_COMMITS.includes(type) || OF_PUSHES.includes(type) ? ["paths"] : []),
    ...(OF_PUSHES.includes(type) ? ["updates"] : []),
  ];
  if (takes.includes(stdin)) return;
  throw new GatepostError("GP_USAGE", `--stdin ${stdin} is not for ${type} hooks. Nothing was changed.`, {
    hint: takes.length === 0 ? "They read what Git gives them." : `They can read: ${takes.join(" ")}.`,
  });
}

function requireDir(dir: string | null): void {
  if (dir === null) return;
  if (dir !== "" && !dir.startsWith("/") && !dir.split("/").includes("..") && !/[\n\0]/.test(dir)) return;
  throw new GatepostError("GP_USAGE", `--dir takes a folder below the root of the work tree, not "${dir}".`, {
    hint: "Such as --dir packages/web",
  });
}

const MAGIC = /^(?:top|literal|icase|glob|exclude|attr:.*|prefix:.*)?$/;

/** Git's pathspecs know no braces: such a one would match nothing, and the hook would never run. */
function requirePathspec(pathspec: string): void {
  const magic = /^:\(([^)]*)\)?/.exec(pathspec);
  const unknown = magic?.[1]?.split(",").find((word) => !MAGIC.test(word));
  if (unknown !== undefined)
    throw new GatepostError(
      "GP_USAGE",
      `Git knows no ":(${unknown})" in a path: with "${pathspec}" it would fail each time.`,
      {
        hint: "It knows: top literal icase glob exclude attr:",
      },
    );
  const braces = /^(.*)\{([^{}]*,[^{}]*)\}(.*)$/s.exec(pathspec);
  if (braces === null) return;
  const [, before = "", inside = "", after = ""] = braces;
  const each = inside.split(",").map((part) => `--path '${before}${part}${after}'`);
  throw new GatepostError("GP_USAGE", `Git knows no braces in a path: "${pathspec}" would match nothing.`, {
    hint: `Write ${each.join(" ")}`,
  });
}
