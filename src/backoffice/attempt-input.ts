/** What an attempt of a command gets: its auxiliary file, the bytes on its stdin and its environment. */
import { VARIABLES } from "../core/substitute.ts";
import { hookEnvironment } from "../process/environment.ts";
import type { StoredEvent } from "../store/event.ts";
import { writeAuxiliary } from "./auxiliary.ts";
import { detailsFor } from "./details.ts";
import { writeEventFile } from "./events.ts";
import { hookInput, hookVariables, programFor } from "./hook-input.ts";
import { type Attempting, runName, type Trial } from "./trial.ts";

export type Input = {
  /** Writes the auxiliary file. */
  prepare(path: string): Promise<void>;
  /** The bytes for stdin, made while they are read. */
  stdin(signal: AbortSignal): AsyncIterable<Buffer>;
  /** The whole environment. */
  variables(auxiliary: string): Record<string, string>;
};

/** Of a hook that runs on a batch. */
export function batchInput({ ctx, row, run, hook, material, number, note }: Trial, command: string): Input {
  const id = runName(run);
  return {
    async prepare(path) {
      const details = await detailsFor(ctx.open(row), command, material.range);
      writeAuxiliary(path, { run: id, attempt: number, hook, row }, material, details);
    },
    stdin: (signal) => hookInput(ctx.open(row), hook, material, note, signal),
    variables: (auxiliary) => hookVariables(ctx.layout, hook, row, material, { id, attempt: number, auxiliary }),
  };
}

/** Of a hook that is told of an event: the facts in the file, and nothing to read. */
export function eventInput({ ctx, row, run, hook, number }: Attempting, event: StoredEvent): Input {
  const id = runName(run);
  return {
    async prepare(path) {
      writeEventFile(path, { run: id, attempt: number, hook, row, home: ctx.layout.home }, event);
    },
    async *stdin() {},
    variables: (auxiliary) =>
      hookEnvironment(process.env, {
        [VARIABLES.F]: programFor(ctx.layout, row),
        [VARIABLES.R]: row.path,
        [VARIABLES.A]: auxiliary,
        GATEPOST_HOOK: hook.name ?? String(hook.id),
        GATEPOST_TYPE: hook.type,
        GATEPOST_KIND: row.kind,
        GATEPOST_USER: "",
        GATEPOST_RUN: id,
        GATEPOST_ATTEMPT: String(number),
        GATEPOST_BATCH: "",
      }),
  };
}
