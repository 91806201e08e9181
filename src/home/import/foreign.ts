/**
 * What every source of foreign hooks gives: hooks as ours without a scope, what was left out and why, and what to type
 * so that the other manager does not run the same commands a second time.
 *
 * One rule decides between the two lists. What would change *which* command runs, on *which* files, or let a commit
 * through that the other manager refuses, leaves the whole hook out. What only makes it run more often, or look
 * different, is dropped and named: a gate that is too strict is noticed at the next commit, one that is too lax is not.
 */
import { DEFAULT_SEQUENCE, type HookSpec, NO_OPTIONS } from "../../core/hook.ts";
import { findType } from "../../core/hook-type.ts";

/** A hook that is not for any repository yet. */
export type ForeignHook = Omit<HookSpec, "scope">;

/** Something that was not carried over: what it is, as its owner calls it, and why. */
export type Left = { what: string; why: string };

export type Foreign = { hooks: ForeignHook[]; left: Left[]; next: string[] };

/** What a file of a manager is, without reading it. */
export type Standing = "absent" | "plain" | "executable";

const READY = new Set(["pre-receive", "update", "post-receive", "post-commit", "pre-commit", "pre-push", "commit-msg"]);

/** The type that stands for one of Git's own hooks, by the hook's name; null where Gatepost has none for it. A hook of
 *  pre-merge-commit alone has none: before-commit runs at ordinary commits too. */
export function typeOf(native: string): string | null {
  if (READY.has(native)) return findType(native)?.name ?? null;
  return findType(`git:${native}`)?.name ?? null;
}

/** Why a hook of that name is left out. */
export const noTypeFor = (native: string): string =>
  native === "pre-merge-commit"
    ? "before-commit hooks run at merges as well as at commits; one for merges alone does not exist"
    : "Gatepost has no type for it";

/** A hook that Git runs as `native`, to be numbered later. `type` is the answer of `typeOf`. */
export function foreignHook(type: string, name: string, command: string, more: Partial<ForeignHook> = {}): ForeignHook {
  const arrivals = type === "after-receive" ? ({ stdin: "updates", each: "receipt" } as const) : {};
  return { ...NO_OPTIONS, name, type, sequence: DEFAULT_SEQUENCE, command, ...arrivals, ...more };
}

/** A hook that is switched off, and what it is when it is on. */
export const switchedOff = (hook: ForeignHook): ForeignHook => ({ ...hook, type: "disabled", wasType: hook.type });

/** The hooks with sequences that keep their order within each type and leave room between them. */
export function numbered(hooks: readonly ForeignHook[]): ForeignHook[] {
  const last = new Map<string, number>();
  return hooks.map((hook) => {
    const type = hook.wasType ?? hook.type;
    const sequence = (last.get(type) ?? 0) + DEFAULT_SEQUENCE;
    last.set(type, sequence);
    return { ...hook, sequence };
  });
}

/** A hook's name made of any text. */
export function nameFrom(text: string): string {
  const safe = text
    .replace(/[^A-Za-z0-9_.-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 56);
  const name = /^[A-Za-z_]/.test(safe) ? safe : `hook-${safe}`.replace(/-$/, "");
  return name === "all" ? "hook-all" : name;
}

/** Text in which Gatepost finds no %F, %R, %A or %%: after its substitution it is what it was. */
export const withoutPlaces = (text: string): string => text.replace(/%(?=[FRA%])/g, "%%");
