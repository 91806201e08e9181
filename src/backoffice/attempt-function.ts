/** One attempt of a hook that is a function of the embedding program. */
import { type ByteString, displayText, escapeControls, fromBuffer, toText } from "../core/bytes.ts";
import { settingMillis } from "../core/settings.ts";
import type { Millis } from "../core/units.ts";
import type { AttemptEnd } from "../store/run.ts";
import type { BatchOnTheWay } from "./function-hook.ts";
import { hookInput } from "./hook-input.ts";
import { showReceipt } from "./material.ts";
import { runName, type Trial } from "./trial.ts";

/**
 * Calls the function and waits until it settles, however long that takes: a function cannot be killed, and a second
 * call beside the first would break the promise that attempts never overlap. At the timeout its signal aborts, and the
 * attempt counts as ended by it.
 */
export async function attemptFunction(trial: Trial): Promise<AttemptEnd> {
  const { ctx, hook, signal } = trial;
  const run = ctx.functions.get(hook.name ?? "");
  const started = performance.now();
  const limit = AbortSignal.timeout(hook.timeout ?? settingMillis(ctx.settings, "timeout"));
  const both = AbortSignal.any([signal, limit]);
  const end = (outcome: AttemptEnd["outcome"], detail: string | null): AttemptEnd => ({
    outcome,
    exitCode: outcome === "exit" ? 0 : null,
    detail,
    took: Math.round(performance.now() - started) as Millis,
    survivors: 0,
    detached: false,
    outputHead: null,
    outputTail: null,
    outputBytes: 0,
  });
  const thrown = (await run?.(batchFor(trial, both), both)) ?? null;
  if (limit.aborted) return end("timeout", null);
  if (thrown === null) return end("exit", null);
  return signal.aborted ? end("aborted", null) : end("threw", escapeControls(thrown).slice(0, 1000));
}

function batchFor(trial: Trial, signal: AbortSignal): BatchOnTheWay {
  const { ctx, row, run, hook, material, number, note } = trial;
  return {
    id: material.batch.id,
    run: runName(run),
    attempt: number,
    repository: { name: row.name, path: row.path, kind: row.kind },
    receipts: material.receipts.map(showReceipt),
    leftOut: material.leftOut.length,
    lines: () => lines(hookInput(ctx.open(row), hook, material, note, signal)),
  };
}

async function* lines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  let rest = "";
  for await (const chunk of chunks) {
    const parts = (rest + fromBuffer(chunk)).split("\n");
    rest = parts.pop() ?? "";
    if (parts.length > 0) yield parts.map((part) => toText(part as ByteString) ?? displayText(part as ByteString));
  }
}
