/**
 * What Git really runs at each of its hooks: what stands in a hooks folder, against what the hook database has.
 *
 * Git runs one file for each hook, if it is executable, and says nothing when there is none. So whoever puts a file of
 * that name there, after us, switches our gate off without a word. Such files are told by what their makers write into
 * them; anything else is another program's.
 */
import { closeSync, lstatSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { IN_PLACE, nativeHooks } from "../../core/hook-type.ts";
import { typed } from "../../core/shell-word.ts";
import {
  chainedPath,
  closedBecause,
  folderOwner,
  gatePlace,
  inspectShim,
  isCommon,
  movedAside,
  restIsWhole,
} from "../../shim/install.ts";
import { litterIn } from "../../shim/litter.ts";
import { isMoved } from "../../shim/moved.ts";
import type { HooksFolder } from "../../store/repository.ts";
import { counted, FIX, type Finding, failure, few, fine, warning } from "./finding.ts";

export type Expected = {
  /** How many hooks each type has that Git runs in place; null where the database cannot be read. */
  gates: ReadonlyMap<string, number> | null;
  /** The native hooks that tell of arrivals. */
  receivers: readonly string[];
  /** Whether init, or doctor, has put shims there. */
  known: boolean;
};

/** Everything about one folder; with more than one folder, sentences name it. */
export function examineFolder(folder: HooksFolder, expected: Expected, naming: boolean): Finding[] {
  const at = naming ? ` in ${folder.path}` : "";
  const gates = [...(expected.gates ?? [])].filter(([, count]) => count > 0);
  const count = gates.reduce((sum, [, hooks]) => sum + hooks, 0);
  const closed = closedBecause(folder.path);
  if (closed !== null) return [closedFolder(folder.path, closed, count)];
  if (!expected.known && count > 0)
    return [
      failure("hooks folder", `Git looks for hooks in ${folder.path}, where our shims are not: ${lost(count)}.`, FIX),
    ];
  const natives = new Map(IN_PLACE.flatMap((type) => nativeHooks(type).map((native) => [native, type] as const)));
  const findings: Finding[] = [];
  const nothing: string[] = [];
  for (const native of [...natives.keys(), "post-receive"]) {
    const hooks = expected.gates?.get(natives.get(native) ?? "") ?? (expected.gates === null ? null : 0);
    const found = examineNative(folder, native, hooks, expected.receivers.includes(native), at);
    if (found === null) nothing.push(native);
    else findings.push(found);
  }
  const ours = findings.some(({ level, about }) => level === "ok" && natives.has(about) && stands(folder.path, about));
  if (ours && !restIsWhole(folder.path))
    findings.push(failure("gate.sh", `gatepost/gate.sh${at} is missing, or of another version of Gatepost.`, FIX));
  if (ours && isCommon(folder.path) !== (folder.use !== "own"))
    findings.push(failure("hooks folder", commonSays(folder), FIX));
  const moved = movedAside(folder.path);
  if (moved.length > 0)
    findings.push(warning("hooks folder", `Another program renamed shims of ours${at}: ${few(moved)}.`, FIX));
  const litter = litterIn(folder.path);
  if (litter.length > 0)
    findings.push(warning("hooks folder", `A command that was killed left files${at}: ${few(litter)}.`, FIX));
  if (nothing.length > 0) findings.push(fine("nothing", `Git runs nothing${at} at ${nothing.join(", ")}.`));
  return findings;
}

const commonSays = ({ path, use }: HooksFolder): string =>
  use === "own"
    ? `Our shims in ${path} let pass what has no home.`
    : `Repositories that are not registered use ${path}, and our shims there refuse them.`;

const stands = (folder: string, native: string): boolean => inspectShim(folder, gatePlace(native)) === "ours";
const lost = (count: number): string => `${counted(count, "hook")} of ours ${count === 1 ? "does" : "do"} not run`;

function closedFolder(folder: string, why: string, count: number): Finding {
  const says = `The hooks folder is ${folder}, and ${why}`;
  const owner = folderOwner(folder);
  const mend =
    owner === null
      ? "git config --unset core.hooksPath; gatepost init"
      : `gatepost hook import --from ${owner}; git config --unset core.hooksPath; gatepost init`;
  if (count > 0) return failure("hooks folder", `${says}: ${lost(count)}.`, mend);
  return warning("hooks folder", `${says}; what arrives is found by looking at the refs, a little later.`, mend);
}

/** One native hook; null where Git runs nothing and nothing is to run. `hooks` is null where nobody can say. */
function examineNative(
  folder: HooksFolder,
  native: string,
  hooks: number | null,
  receives: boolean,
  at: string,
): Finding | null {
  const file = join(folder.path, native);
  const stat = lstatSync(file, { throwIfNoEntry: false });
  const gate = gatePlace(native);
  const isGate = gate === native;
  const state = inspectShim(folder.path, native);
  const wanted = isGate ? hooks !== 0 && hooks !== null : receives || (hooks ?? 0) > 0;
  const missed = (hooks ?? 0) > 0 ? lost(hooks ?? 0) : "what arrives is found a little later";
  const tell = (hooks ?? 0) > 0 ? failure : warning;
  if (stat === undefined) return wanted ? tell(native, `No ${native}${at}: ${missed}.`, FIX) : null;
  if (stat.isDirectory())
    return tell(native, `${native}${at} is a folder, at which Git fails.`, `Move it away: ${typed(file)}; ${FIX}`);
  if (state === "foreign") {
    const says = `${native}${at} is ${authorOf(file)}`;
    if (wanted) return tell(native, `${says}: ${missed}.`, mendOverwritten(says));
    return fine(
      native,
      isExecutable(file) ? `${says}; we have no hooks there.` : `${says}, and not executable: Git ignores it.`,
    );
  }
  const edited = state === "edited" ? native : !isGate && inspectShim(folder.path, gate) === "edited" ? gate : null;
  if (edited !== null)
    return tell(
      native,
      `${edited} was edited by hand, so what it runs is not known: ${join(folder.path, edited)}.`,
      FIX,
    );
  if (!isExecutable(file)) return tell(native, `${native}${at} is not executable, so Git ignores it: ${missed}.`, FIX);
  if (state === "stale") return warning(native, `${native}${at} is a shim of another version of Gatepost.`, FIX);
  if (!isGate && (hooks ?? 0) > 0 && inspectShim(folder.path, gate) !== "ours")
    return failure(native, `${gate}${at} is missing, or of another version: ${lost(hooks ?? 0)}.`, FIX);
  if (hooks === 0 && !receives && folder.use === "own")
    return warning(native, `${native}${at} is our shim, but nothing is to run there.`, FIX);
  return fine(native, `${native}${at}: ${whatRuns(folder.path, native, hooks, isGate)}.`);
}

/** These managers put their file back whenever they install themselves. */
function mendOverwritten(says: string): string {
  const source = says.endsWith("lefthook's") ? "lefthook" : says.endsWith("pre-commit's") ? "pre-commit-config" : null;
  return source === null ? FIX : `${FIX}; so that it does not come back: gatepost hook import --from ${source} --take`;
}

function whatRuns(folder: string, native: string, hooks: number | null, isGate: boolean): string {
  const earlier = chainedPath(folder, native);
  const there = lstatSync(earlier, { throwIfNoEntry: false }) !== undefined && !isMoved(folder, native);
  const steps = [
    ...(isGate ? [] : ["our receive shim"]),
    ...(there
      ? [isExecutable(earlier) ? "the hook that was there before" : "not the earlier hook, which is not executable"]
      : []),
    ...(hooks === null ? ["our shim"] : hooks > 0 ? [`${counted(hooks, "hook")} of ours`] : []),
  ];
  return steps.length === 0 ? "our shim, without hooks here" : steps.join(", then ");
}

/** As Git sees it: through links. */
const isExecutable = (file: string): boolean => ((statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & 0o111) !== 0;

const MAKERS: readonly [RegExp, string][] = [
  [/^call_lefthook\b/m, "lefthook's"],
  [/^# File generated by pre-commit\b/m, "pre-commit's"],
  [/husky/i, "husky's"],
  [/simple-git-hooks|SIMPLE_GIT_HOOKS/i, "simple-git-hooks's"],
  [/\bgit[ -]lfs\b/, "Git LFS's"],
  [/gitolite/i, "gitolite's"],
];

function authorOf(file: string): string {
  const start = startOf(file);
  return MAKERS.find(([mark]) => mark.test(start))?.[1] ?? "another program's";
}

/** Read through one descriptor and without waiting: what stands there may be anything. */
function startOf(file: string): string {
  try {
    if (!statSync(file).isFile()) return "";
    const descriptor = openSync(file, "r");
    try {
      const bytes = Buffer.alloc(4096);
      return bytes.toString("latin1", 0, readSync(descriptor, bytes, 0, bytes.length, 0));
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return "";
  }
}
