/** What became of a batch, or of what waits for one, at each hook. */
import { afterReceiveHooks } from "../backoffice/cutter.ts";
import { holderOf } from "../backoffice/queue.ts";
import { runName } from "../backoffice/trial.ts";
import { bySequence, covers, type Hook, matchesPattern } from "../core/hook.ts";
import type { Instant } from "../core/units.ts";
import { type AuditRow, hookById, listHooks, readAudit } from "../store/hook.ts";
import { pausedHook } from "../store/pause.ts";
import type { Run } from "../store/run.ts";
import { type Asking, call, clock, mend, pauseIn, type Step, type StepState, step } from "./why-step.ts";

const isAfterReceive = ({ type, wasType }: Pick<Hook, "type" | "wasType">): boolean =>
  type === "after-receive" || (type === "disabled" && wasType === "after-receive");

/** The after-receive hooks there are that somebody could have in mind, the disabled ones too, in their order. */
export function hooksInMind({ home, row, hook }: Asking): Hook[] {
  if (hook !== null) return [hook];
  return listHooks(home.db)
    .filter((one) => isAfterReceive(one) && covers(one.scope, row))
    .sort(bySequence);
}

/** For each hook that was to get the batch, or that people would expect to: its run, or why it has none. Of what the
 *  window left out (`cutAt` null) only hooks that were given it by hand since. */
export function hookSteps(asking: Asking, runs: readonly Run[], cutAt: Instant | null): Step[] {
  const hooks = hooksInMind(asking).filter(({ id }) => cutAt !== null || runs.some(({ hook }) => hook === id));
  const gone = [...new Map(runs.map((run) => [run.hook, run])).values()]
    .filter(({ hook }) => (asking.hook === null || asking.hook.id === hook) && !hooks.some(({ id }) => id === hook))
    .map(({ hook, hookName }) => ({ id: hook, name: hookName }));
  const audit = readAudit(asking.home.db);
  const steps = hooks.map((hook) => {
    const own = runs.filter((run) => run.hook === hook.id);
    return cutAt === null || own.length > 0 ? ofRuns(asking, hook, own) : withoutRun(asking, hook, audit, cutAt);
  });
  return [
    ...steps,
    ...gone.map((hook) =>
      ofRuns(
        asking,
        hook,
        runs.filter((run) => run.hook === hook.id),
      ),
    ),
  ];
}

type Named = Pick<Hook, "id" | "name">;

/** The newest run says how it stands: a replay comes after what it replays. */
function ofRuns(asking: Asking, hook: Named, runs: readonly Run[]): Step {
  const run = runs.at(-1);
  if (run === undefined) return step("hook", "ok", "no run", { hook });
  const name = runName(run);
  const at = run.endedAt === null ? "" : ` at ${clock(run.endedAt, asking.now)}`;
  const again = mend("Again", call(asking, `runs replay ${name}`));
  const made = (state: StepState, says: string, how: Step["mend"] = null): Step =>
    step("hook", state, says, { hook, run: name, mend: how });
  const reason = run.reason ?? "";
  switch (run.state) {
    case "done":
      return made("ok", `run ${name}: done${at}${run.attempts > 1 ? `, at attempt ${run.attempts}` : ""}`);
    case "skipped":
      return made("skipped", `skipped: ${reason}`);
    case "failed":
      return made("stopped", `run ${name}: ${reason}, failed${at}`, again);
    case "parked":
      return made("stopped", `run ${name}: parked${at}: ${reason}`, again);
    case "running":
      return made("waits", `run ${name}: runs, attempt ${run.attempts}`);
    case "waiting":
      return waiting(asking, run, made);
  }
}

function waiting(asking: Asking, run: Run, made: (state: StepState, says: string, how?: Step["mend"]) => Step): Step {
  const name = runName(run);
  const paused = pauseIn(asking.row.paused, asking.now);
  if (paused !== null)
    return made("stopped", `run ${name}: waits, the repository is ${paused}`, resumeRepository(asking));
  const hook = pauseIn(pausedHook(asking.home.db, run.hook), asking.now);
  if (hook !== null)
    return made(
      "stopped",
      `run ${name}: waits, the hook is ${hook}`,
      mend("Go on", call(asking, `resume --hook ${run.hookName ?? run.hook}`)),
    );
  const holder = holderOf(asking.home.db, run);
  if (holder !== null)
    return made(
      holder.state === "parked" ? "stopped" : "waits",
      `run ${name}: waits for ${holder.name}, which is ${holder.state}, as --in-order asks`,
      mend("About that", call(asking, `runs show ${holder.name}`)),
    );
  const after = run.reason === null ? "" : ` after ${run.reason}`;
  const now = mend("Now", call(asking, `runs replay ${name}`));
  if (run.dueAt !== null && run.dueAt > asking.now)
    return made("waits", `run ${name}: waits until ${clock(run.dueAt, asking.now)}${after}`, now);
  if (hookById(asking.home.db, run.hook)?.command === null)
    return made("waits", `run ${name}: waits for a program that has the function ${run.hookName}${after}`);
  return made("waits", `run ${name}: waits for the backoffice${after}`, mend("Run it", call(asking, "backoffice")));
}

export const resumeRepository = (asking: Asking) => mend("Go on", call(asking, "resume"));

/** Why a hook has no run on a batch that was cut at `cutAt`: the audit tells what it was then. */
function withoutRun(asking: Asking, hook: Hook, audit: readonly AuditRow[], cutAt: Instant): Step {
  const made = (state: StepState, says: string, how: Step["mend"] = null): Step =>
    step("hook", state, says, { hook: { id: hook.id, name: hook.name }, mend: how });
  const now = notNow(asking, hook);
  const changes = audit.filter((change) => change.hook === hook.id);
  const then = changes.filter(({ at }) => at < cutAt).at(-1);
  const later = changes.find(({ at }) => at >= cutAt);
  if (then === undefined) {
    if (later === undefined) return now ?? made("stopped", "no run was made, and why is not known");
    return now ?? made("skipped", `was added later, at ${clock(later.at, asking.now)} by ${later.user}`);
  }
  const old = JSON.parse(then.new ?? "{}") as { type?: string; all?: true; pattern?: unknown; repository?: unknown };
  if (old.type === "disabled") {
    const since = later === undefined ? "" : `; it was enabled at ${clock(later.at, asking.now)} by ${later.user}`;
    return now ?? made("skipped", `was disabled then, at ${clock(then.at, asking.now)} by ${then.user}${since}`);
  }
  if (old.type !== "after-receive") return now ?? made("skipped", `was a hook of type ${old.type} then`);
  if (!coveredThen(old, asking)) return now ?? made("skipped", "was for other repositories then");
  return made("ok", "its run was deleted since, by retention");
}

const coveredThen = (old: { all?: true; pattern?: unknown; repository?: unknown }, { row }: Asking): boolean =>
  old.all === true ||
  old.repository === row.name ||
  [old.pattern].flat().some((pattern) => typeof pattern === "string" && matchesPattern(pattern, row.name)) ||
  (old.repository !== undefined && old.repository !== null); // by a name that it had then

/** Why a hook gets nothing that arrives in the repository today; null where it does. */
export function notNow(asking: Asking, hook: Hook): Step | null {
  const { home, row, now } = asking;
  const made = (says: string, how: Step["mend"]): Step =>
    step("hook", "stopped", says, { hook: { id: hook.id, name: hook.name }, mend: how });
  if (!isAfterReceive(hook)) {
    const judged = `is of type ${hook.type}, which runs while somebody commits or pushes`;
    return step("hook", "skipped", judged, { hook: { id: hook.id, name: hook.name } });
  }
  if (!covers(hook.scope, row)) {
    const says = hook.scope.scope === "pattern" ? ` (${hook.scope.pattern.replaceAll("\n", " ")})` : "";
    return made(`is for other repositories${says}, not for ${row.name}`, null);
  }
  if (hook.type === "disabled") {
    const last = readAudit(home.db).findLast((change) => change.hook === hook.id);
    const since = last === undefined ? "" : `, since ${clock(last.at, now)} by ${last.user}`;
    return made(`is disabled${since}`, mend("Enable it", call(asking, `hook enable ${hook.name ?? hook.id}`)));
  }
  return null;
}

/** Why nothing that arrives in the repository is handed out: none of the home's hooks gets it. Empty where one does. */
export function nobodyGets(asking: Asking): Step[] {
  const hooks = listHooks(asking.home.db);
  if (afterReceiveHooks(hooks, asking.row).length > 0) return [];
  const add = mend("Add one", call(asking, "hook add --type after-receive --command '…'"));
  const others = hooks.filter(isAfterReceive).sort(bySequence);
  const says = "No after-receive hook gets what arrives here, so it waits";
  const reasons = others.flatMap((hook) => notNow({ ...asking, hook: null }, hook) ?? []);
  return [step("batch", "stopped", says, { mend: others.length === 0 ? add : null }), ...reasons];
}
