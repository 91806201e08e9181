/** One attempt of a hook that is a shell command. */

import { GatepostError, isSystemError } from "../core/errors.ts";
import { settingMillis } from "../core/settings.ts";
import { readable, substitute } from "../core/substitute.ts";
import type { Millis } from "../core/units.ts";
import { type Outcome, runAttempt } from "../process/hook-process.ts";
import { bootId } from "../process/identity.ts";
import { writeAsHolder } from "../store/lease.ts";
import { type AttemptEnd, noteProcess } from "../store/run.ts";
import type { Input } from "./attempt-input.ts";
import { auxiliaryPath, removeAuxiliary, writeRunner } from "./auxiliary.ts";
import { folderOf, programFor } from "./hook-input.ts";
import { type Attempting, runName } from "./trial.ts";

/** Bytes of output kept from the start and from the end of an attempt. */
export const KEPT_OUTPUT = 32 * 1024;

/** A process that runs this long is noted in the database. Shorter ones are spared the write: the file beside the
 *  auxiliary file tells a later holder whom to end. */
const NOTE_AFTER = 50;

export async function attemptCommand(trial: Attempting, command: string, input: Input): Promise<AttemptEnd> {
  const { ctx, row, run, hook, number, signal } = trial;
  const substituted = substitute(command);
  if (!substituted.ok) return notStarted(substituted.reason);
  const id = runName(run);
  const auxiliary = auxiliaryPath(ctx.layout.auxiliary, id);
  let noteTimer: NodeJS.Timeout | undefined;
  try {
    ctx.log(
      "trace",
      `run ${id}: ${readable(command, { program: programFor(ctx.layout, row), repository: row.path, auxiliary })}`,
    );
    try {
      await input.prepare(auxiliary);
    } catch (error) {
      // As where the list cannot be made: no fault of the hook's, which is going to be tried again.
      if (error instanceof GatepostError && error.code !== "GP_BUG")
        return { ...notStarted(error.message), outcome: "stdin-failed" };
      if (isSystemError(error)) return notStarted(`${error.code}: ${error.message}`);
      throw error;
    }
    const listing = new AbortController();
    const outcome = await runAttempt({
      command: substituted.command,
      cwd: folderOf(row),
      env: input.variables(auxiliary),
      stdin: counted(input.stdin(listing.signal), (artifacts) => ctx.progress({ artifacts, run: id })),
      timeout: hook.timeout ?? settingMillis(ctx.settings, "timeout"),
      grace: settingMillis(ctx.settings, "grace"),
      drain: settingMillis(ctx.settings, "drain"),
      keep: KEPT_OUTPUT,
      signal,
      ...(ctx.hurry === undefined ? {} : { hurry: ctx.hurry }),
      onStart: (identity) => {
        const runner = { bootId: bootId(), ...identity };
        try {
          writeRunner(auxiliary, runner);
        } catch (error) {
          if (!isSystemError(error)) throw error; // no room: a later holder knows the hook by its environment
        }
        noteTimer = setTimeout(() => {
          try {
            writeAsHolder(ctx.db, trial.token, () => noteProcess(ctx.db, { run: run.id, number, ...runner }));
          } catch {} // the lease is lost or the database busy: finishing the attempt will tell
        }, NOTE_AFTER);
      },
    });
    listing.abort();
    return toEnd(outcome);
  } finally {
    clearTimeout(noteTimer);
    removeAuxiliary(auxiliary);
  }
}

/** Tells how many lines have gone by, after each chunk. */
async function* counted(chunks: AsyncIterable<Buffer>, tell: (lines: number) => void): AsyncGenerator<Buffer> {
  let lines = 0;
  for await (const chunk of chunks) {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1;
    tell(lines);
    yield chunk;
  }
}

const notStarted = (detail: string): AttemptEnd => ({
  outcome: "not-started",
  exitCode: null,
  detail,
  took: 0 as Millis,
  survivors: 0,
  detached: false,
  outputHead: null,
  outputTail: null,
  outputBytes: 0,
});

function toEnd({ end, output, survivors, remaining, tookMs }: Outcome): AttemptEnd {
  const common = {
    outcome: end.kind,
    exitCode: end.kind === "exit" ? end.code : null,
    detail: detailOf(end),
    took: Math.round(tookMs) as Millis,
    survivors,
    detached: output.cut,
    outputHead: output.bytes === 0 ? null : output.head,
    outputTail: output.tail.length === 0 ? null : output.tail,
    outputBytes: output.bytes,
  };
  if (remaining === 0) return common;
  // Something of it lives on that cannot be ended: repeating it would make attempts overlap.
  return { ...common, outcome: "unkillable", exitCode: null, detail: `${remaining} processes` };
}

function detailOf(end: Outcome["end"]): string | null {
  if (end.kind === "signal") return end.signal;
  if (end.kind === "not-started") return end.code;
  return end.kind === "stdin-failed" ? end.message : null;
}
