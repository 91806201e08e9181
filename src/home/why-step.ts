/** The words of `gatepost why`: one step on the way from a push to a hook's run, and what mends it. */
import { hookLabel } from "../backoffice/context.ts";
import type { Hook } from "../core/hook.ts";
import type { HookId, Instant } from "../core/units.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { OpenHome } from "./open.ts";

/** `ok`: it got through. `skipped`: by a rule of the hook's own. `waits`: it goes on without anybody's doing. `stopped`:
 *  it does not, or something is wrong. */
export type StepState = "ok" | "skipped" | "waits" | "stopped";

/** The command that mends it, and the words before it: "Again". */
export type Mend = { words: string; command: string };

export type Step = {
  step: "home" | "repository" | "shim" | "receipt" | "spool" | "batch" | "gate" | "hook";
  state: StepState;
  /** One sentence without its full stop. It may hold names from a repository, so whoever shows it escapes it. */
  says: string;
  mend: Mend | null;
  hook: { id: number; name: string | null } | null;
  run: string | null;
  /** The batch or the gate that it tells of. */
  batch: number | null;
  gate: number | null;
};

/** What is asked, and what every answer needs. */
export type Asking = {
  home: OpenHome;
  row: RepositoryRow;
  /** Only this hook. */
  hook: Hook | null;
  /** The words by which home and repository were named in the call, " -R app.git"; empty where it was made inside. */
  where: string;
  now: Instant;
};

type More = Partial<Pick<Step, "mend" | "hook" | "run" | "batch" | "gate">>;

export const step = (name: Step["step"], state: StepState, says: string, more: More = {}): Step => ({
  ...{ step: name, state, says, mend: null, hook: null, run: null, batch: null, gate: null },
  ...more,
});

export const mend = (words: string, command: string): Mend => ({ words, command });

/** A call of ours, about the home and repository of the question. */
export const call = ({ where }: Pick<Asking, "where">, words: string): string => `gatepost ${words}${where}`;

/** "hook 1 (ci)". */
export const labelOf = ({ id, name }: { id: number; name: string | null }): string =>
  `hook ${hookLabel({ id: id as HookId, name })}`;

/** "02:47:10 UTC" of today, else with the date. */
export function clock(at: number, now: number): string {
  const text = new Date(at).toISOString().slice(0, 19).replace("T", " ");
  return `${text.startsWith(new Date(now).toISOString().slice(0, 10)) ? text.slice(11) : text} UTC`;
}

type Pause = { at: number; by: string; why: string | null };

/** "by alice at 02:47:10 UTC: the disk is being moved"; null where nothing is paused. */
export function pauseIn(json: string | null, now: number): string | null {
  if (json === null) return null;
  const { at, by, why } = JSON.parse(json) as Partial<Pause>;
  const since = typeof at === "number" ? ` at ${clock(at, now)}` : "";
  return `paused by ${by ?? "?"}${since}${why ? `: ${why}` : ""}`;
}
