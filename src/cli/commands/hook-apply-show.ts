/** What `hook apply` did, or would do, in words and as JSON. */
import type { Hook, HookSpec } from "../../core/hook.ts";
import type { Difference } from "../../home/apply.ts";
import { type HookJson, hookToJson } from "../../home/exchange.ts";
import type { OpenHome } from "../../home/open.ts";
import { plain } from "../output.ts";

/** So much of a value is shown. */
const MOST = 80;

const label = (hook: Hook): string => (hook.name === null ? `hook ${hook.id}` : `hook ${hook.id} (${hook.name})`);

const naming = (hook: HookSpec | Hook): string => ("id" in hook ? label(hook) : `hook ${hook.name}`);

/** Lines: each hook that differs with its fields, what was left alone, and the sum. */
export function show(home: OpenHome, difference: Difference, dryRun: boolean): string[] {
  const { added, changed, deleted, takenOver, left, unchanged } = difference;
  const would = dryRun ? "would be " : "";
  const lines = added.map((hook) => {
    const json = hookToJson(home, hook);
    return `${naming(hook)} ${would}added: ${hook.type}, sequence ${hook.sequence}, for ${forWhom(json)}`;
  });
  for (const { was, hook, fields } of changed) {
    const [before, after] = [hookToJson(home, was), hookToJson(home, hook)];
    lines.push(`${label(was)} ${would}changed:`);
    for (const field of fields) lines.push(`    ${field}: ${value(before[field])} → ${value(after[field])}`);
  }
  lines.push(...takenOver.map((hook) => `${label(hook)} ${would}taken over: as the file says already`));
  lines.push(...deleted.map((hook) => `${label(hook)} ${would}deleted: ${hook.type}`));
  if (left.length > 0) lines.push(`left alone, not being in the file nor made by apply: ${left.map(label).join(", ")}`);
  const counts = [
    [added.length, "added"],
    [changed.length, "changed"],
    [deleted.length, "deleted"],
    [unchanged + takenOver.length, "unchanged"],
  ] as const;
  lines.push(`${counts.map(([count, what]) => `${count} ${what}`).join(", ")}${dryRun ? " (nothing was done)" : ""}`);
  return lines.map(plain);
}

function forWhom({ all, pattern, repository }: HookJson): string {
  if (all === true) return "every repository of the home";
  return Array.isArray(pattern) ? pattern.join(" ") : String(pattern ?? repository);
}

function value(given: unknown): string {
  if (given === undefined) return "(none)";
  const text = typeof given === "string" ? given : JSON.stringify(given);
  return text.length <= MOST ? text : `${text.slice(0, MOST - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** The same as one value. */
export function toJson(home: OpenHome, difference: Difference, dryRun: boolean): Record<string, unknown> {
  const { added, changed, deleted, takenOver, left, unchanged } = difference;
  const withId = (hook: HookSpec | Hook): Record<string, unknown> => ({
    ...("id" in hook ? { id: hook.id } : {}),
    ...hookToJson(home, hook),
  });
  return {
    dryRun,
    added: added.map(withId),
    changed: changed.map(({ was, hook, fields }) => ({ fields, was: withId(was), hook: withId(hook) })),
    deleted: deleted.map(withId),
    takenOver: takenOver.map(withId),
    leftAlone: left.map(withId),
    unchanged,
  };
}
