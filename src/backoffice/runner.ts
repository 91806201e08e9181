/**
 * Runs one hook on one batch or for one event, once: from the waiting run to its outcome in the database.
 *
 *   1. Rules that need the repository (--path), or a hook that was deleted or switched off meanwhile, skip the run.
 *   2. The attempt is opened in a transaction of the lease's holder. From here on, if this process dies, the next holder
 *      finds the attempt open, ends what is left of it, and runs it again with the same run id and a higher number.
 *   3. The hook runs; no transaction is open. What it reads is listed while it reads.
 *   4. Outcome, output and what becomes of the run are stored together, guarded by the token; so is the event where the
 *      run is parked.
 */
import type { ByteString } from "../core/bytes.ts";
import { type ArtifactKind, type Hook, isOfKind } from "../core/hook.ts";
import { LIST_RETRY_BASE, retryDelay } from "../core/retry.ts";
import { settingMillis } from "../core/settings.ts";
import { type Instant, MINUTE, SECOND } from "../core/units.ts";
import { eventById } from "../store/event.ts";
import { hookById } from "../store/hook.ts";
import { writeAsHolder } from "../store/lease.ts";
import type { RepositoryRow } from "../store/repository.ts";
import {
  type AttemptEnd,
  beginAttempt,
  type EventRun,
  finishAttempt,
  type Run,
  type RunEnd,
  settleRun,
} from "../store/run.ts";
import { attemptCommand } from "./attempt-command.ts";
import { attemptFunction } from "./attempt-function.ts";
import { batchInput, eventInput } from "./attempt-input.ts";
import { type HomeContext, hookLabel, now } from "./context.ts";
import { unmatched } from "./cutter.ts";
import { raiseParked } from "./events.ts";
import type { ListingNote } from "./hook-input.ts";
import { isOfRepository } from "./look.ts";
import { type Material, materialOf } from "./material.ts";
import { type Attempting, runName } from "./trial.ts";

/** Takes a waiting run through its next attempt and stores what became of it; or skips it, with the reason. Whatever the
 *  hook does is an outcome; throws GP_LEASE_LOST where the token is no longer the lease's, and stores nothing from then on. */
export async function execute(
  ctx: HomeContext,
  token: number,
  row: RepositoryRow,
  run: Run | EventRun,
  signal: AbortSignal,
): Promise<void> {
  const hook = hookById(ctx.db, run.hook);
  const skip = (reason: string): void => {
    ctx.log("debug", `run ${runName(run)}: skipped, ${reason}`);
    writeAsHolder(ctx.db, token, () => settleRun(ctx.db, run.id, { state: "skipped", reason }, now()));
  };
  if (hook === null) return skip("the hook was deleted");
  if (hook.type !== run.type) return skip(`the hook is ${hook.type} now`);
  let start: (attempting: Attempting) => Promise<AttemptEnd>;
  if (run.event !== null) {
    const { command } = hook;
    const event = eventById(ctx.db, run.event);
    if (event === null) return skip("its event was pruned");
    if (command === null) return skip("events are told to commands only");
    start = (attempting) => attemptCommand(attempting, command, eventInput(attempting, event));
  } else {
    const material = materialOf(ctx.db, row, run);
    if (material === null) return skip("its batch was pruned");
    try {
      const reason = await leftOutBecause(ctx, row, hook, material, signal);
      if (reason !== null) return skip(reason);
    } catch (error) {
      if (!isOfRepository(error)) throw error;
      // The rules need a repository that cannot be read now; no other repository is to suffer from that.
      const reason = `its rules could not be looked at: ${error.message.replace(/\.$/, "")}`;
      if (run.reason !== reason) ctx.log("error", `run ${runName(run)}: ${reason}`); // once, and not each minute
      const dueAt = (now() + MINUTE) as Instant;
      writeAsHolder(ctx.db, token, () => settleRun(ctx.db, run.id, { state: "waiting", reason, dueAt }, now()));
      return;
    }
    start = (attempting) => {
      const trial = { ...attempting, run, material };
      const { command } = hook;
      return command === null ? attemptFunction(trial) : attemptCommand(trial, command, batchInput(trial, command));
    };
  }
  const number = writeAsHolder(ctx.db, token, () => beginAttempt(ctx.db, run, token, now()));
  if (number === null) return;
  const note: ListingNote = { gone: null };
  const attempting: Attempting = { ctx, token, row, run, hook, number, note, signal };
  ctx.log("debug", `run ${runName(run)}: hook ${hookLabel(hook)} on ${row.name}, attempt ${number}`);
  const ended = await start(attempting);
  const verdict = judge(attempting, ended);
  writeAsHolder(ctx.db, token, () => {
    finishAttempt(ctx.db, run.id, number, ended, now());
    settleRun(ctx.db, run.id, verdict.end, now(), {
      failed: verdict.failed,
      note: note.gone === null ? null : JSON.stringify({ gone: note.gone }),
    });
    raiseParked(ctx, row, run, number, verdict.end, now());
  });
  tell(attempting, ended, verdict);
}

/** What the log says of an attempt's end. That a run waits for a person is for whoever reads errors alone. */
function tell({ ctx, run }: Attempting, { outcome, took }: AttemptEnd, { end, failed }: Verdict): void {
  const name = runName(run);
  const length = took === null ? "" : ` in ${took} ms`;
  const line = `run ${name}: ${end.reason ?? end.state}${length}`;
  if (end.state === "parked") ctx.log("error", `run ${name} is parked: ${end.reason}`);
  else if (outcome === "aborted") ctx.log("info", `${line}; it runs again`);
  else ctx.log(failed ? "info" : "debug", line);
}

/** Why a rule that needs the repository leaves the hook out; null when none does. */
async function leftOutBecause(
  ctx: HomeContext,
  row: RepositoryRow,
  hook: Hook,
  material: Material,
  signal: AbortSignal,
): Promise<string | null> {
  const unmet = await unmetBranches(ctx, row, hook, material);
  if (unmet !== null) return unmet;
  if (
    hook.paths !== null &&
    hook.stdin !== "paths" &&
    !(await ctx.open(row).touches(material.range, hook.paths, signal))
  )
    return `--path ${hook.paths.join(" ")} did not match`;
  if (hook.stdin === "paths" && !(await hasPaths(ctx, row, hook, material, signal)))
    return hook.paths === null ? "no path is left" : `--path ${hook.paths.join(" ")} leaves no path`;
  if (hook.artifacts !== null && !(await hasArtifact(ctx, row, hook.artifacts, material, signal)))
    return `--artifact ${hook.artifacts.join(" ")}: none arrived`;
  return null;
}

/** Of a repository without refs, `--ref` means the branches that check-ins arrived on; null when one of them matches. */
async function unmetBranches(ctx: HomeContext, row: RepositoryRow, hook: Hook, material: Material) {
  const repository = ctx.open(row);
  if (hook.refs === null || repository.kind === "git") return null;
  const refs = (await repository.branches(material.range)).map((name) => `refs/heads/${name}` as ByteString);
  return unmatched(hook.refs, refs)?.replaceAll(" refs/heads/", " ") ?? null;
}

async function hasArtifact(
  ctx: HomeContext,
  row: RepositoryRow,
  kinds: readonly ArtifactKind[],
  { range }: Material,
  signal: AbortSignal,
): Promise<boolean> {
  for await (const chunk of ctx.open(row).artifacts(range, { trees: kinds.includes("tree"), signal }))
    for (const line of chunk.toString("latin1").split("\n"))
      if (kinds.some((kind) => isOfKind(line.slice(line.indexOf(" ") + 1), kind))) return true;
  return false;
}

async function hasPaths(ctx: HomeContext, row: RepositoryRow, hook: Hook, material: Material, signal: AbortSignal) {
  for await (const _ of ctx.open(row).paths(material.range, hook.paths ?? [], signal)) return true;
  return false;
}

/** How an attempt's end is put in words: "exit 22", "killed by SIGSEGV", "ran longer than 600 s". */
export function describeEnd(end: AttemptEnd): string {
  switch (end.outcome) {
    case "exit":
      if (end.exitCode === 127) return "exit 127: the shell did not find a program";
      if (end.exitCode === 126) return "exit 126: a program could not be executed";
      return `exit ${end.exitCode}`;
    case "signal":
      return `killed by ${end.detail}`;
    case "timeout":
      return "ended at its timeout";
    case "aborted":
      return "ended by shutdown";
    case "lost":
      return "lost with its backoffice";
    case "not-started":
      return `could not be started (${end.detail})`;
    case "stdin-failed":
      return `its list could not be made (${end.detail})`;
    case "unkillable":
      return `${end.detail} of it cannot be ended`;
    case "threw":
      return `threw ${end.detail}`;
  }
}

type Verdict = { end: RunEnd; failed: boolean };

/** What becomes of the run. Only what the hook did itself counts against its retries. */
function judge({ ctx, run, hook, number }: Attempting, end: AttemptEnd): Verdict {
  if (end.outcome === "exit" && end.exitCode === 0) return { end: { state: "done", reason: null }, failed: false };
  const reason = describeEnd(end);
  const later = (ms: number): RunEnd => ({ state: "waiting", reason, dueAt: (now() + ms) as Instant });
  if (end.outcome === "aborted" || end.outcome === "lost") return { end: later(0), failed: false };
  if (end.outcome === "not-started" && end.exitCode === null && RETRYABLE.test(end.detail ?? ""))
    return { end: later(5 * SECOND), failed: false };
  const failures = run.failures + 1;
  if (end.outcome === "unkillable") return { end: { state: "parked", reason }, failed: true };
  // A list that cannot be made is not the hook's fault: it is tried again even where the hook asked for no retry.
  const allowed = end.outcome === "stdin-failed" ? Math.max(hook.retries, 3) : hook.retries;
  if (failures <= allowed) {
    const base = end.outcome === "stdin-failed" ? LIST_RETRY_BASE : settingMillis(ctx.settings, "retry-base");
    return { end: later(retryDelay(failures, base, Math.random())), failed: true };
  }
  if (allowed === 0) return { end: { state: "failed", reason }, failed: true };
  // All there were, as they are listed: a run that was released has had more than its failures are counted from.
  return { end: { state: "parked", reason: `${reason}, after ${number} attempts` }, failed: true };
}

/** What is not the hook's doing and may pass: the machine is out of processes, memory, descriptors or space, or its disk
 *  fails. */
const RETRYABLE = /^(EAGAIN|ENOMEM|EMFILE|ENFILE|ENOSPC|EDQUOT|EROFS|EIO|ESTALE|EUCLEAN)\b/;
