/** Runs as a program is told of them: bytes that may be no UTF-8 as text, escaped where they are none. */
import type { BatchReceipt } from "../backoffice/function-hook.ts";
import { shown, showReceipt } from "../backoffice/material.ts";
import type { Instant } from "../core/units.ts";
import type { Batch } from "../store/batch.ts";
import type { EventRun, GateRun, Run, RunState } from "../store/run.ts";
import type { Attempt } from "../store/run-view.ts";
import type { RunDetail as Detail, RunLine as Line } from "./runs.ts";

/** A commit or push that a gate judged. */
export type RunGate = {
  readonly type: string;
  readonly verdict: "pass" | "refused" | "broken" | "interrupted";
  readonly at: Date;
  readonly user: string | null;
  readonly reason: string | null;
  readonly branch: string | null;
  readonly updates: readonly { readonly ref: string; readonly old: string; readonly new: string }[];
};

/** A run as it is listed. */
export type RunLine = {
  run: Run | GateRun | EventRun;
  name: string;
  repository: string;
  hook: string;
  /** "main 41ff2a7..9d02c11 by bob, 2 receipts", "commit on main by alice". */
  what: string;
  /** What it judged; null for a run on a batch. */
  gate: RunGate | null;
  /** Of the last attempt, in ms; null when there was none or it is still going on. */
  took: number | null;
  startedAt: Instant | null;
  /** What a waiting run of a hook that runs in order waits for: an earlier run. Null where it waits for its time alone. */
  heldBy: { name: string; state: RunState } | null;
};

/** Everything about one run. `receipts`: what it handed out, the first hundred; of a gate's there is none. */
export type RunDetail = RunLine & { batch: Batch | null; receipts: readonly BatchReceipt[]; attempts: Attempt[] };

export const showLine = ({ gate, ...line }: Line): RunLine => ({
  ...line,
  gate:
    gate === null
      ? null
      : {
          type: gate.type,
          verdict: gate.verdict,
          at: new Date(gate.at),
          user: shown(gate.user),
          reason: shown(gate.reason),
          branch: shown(gate.branch),
          updates: gate.updates.map(({ ref, ...values }) => ({ ...values, ref: shown(ref) ?? "" })),
        },
});

export const showDetail = ({ batch, receipts, attempts, ...line }: Detail): RunDetail => ({
  ...showLine(line),
  ...{ batch, attempts, receipts: receipts.map(showReceipt) },
});
