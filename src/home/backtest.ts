/**
 * `hook test ID --history RANGE`: what a gate hook would have said to commits that are there, or to pushes that were
 * received. The trials themselves are made by src/gate/backtest.ts; here is found out what they are about.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { GatepostError } from "../core/errors.ts";
import type { Hook } from "../core/hook.ts";
import type { ReceiptId } from "../core/units.ts";
import { moveRef, type Tried, tryCommits, tryPush } from "../gate/backtest.ts";
import { callerEnvironment, putRefs } from "../gate/scratch.ts";
import { hookEnvironment } from "../process/environment.ts";
import { newestReceipt, receiptsBetween } from "../store/receipt.ts";
import { updatesOfReceipt } from "../store/ref.ts";
import type { RepositoryRow } from "../store/repository.ts";
import { commitsIn, readCommits } from "../vcs/git/history.ts";
import { openGit } from "../vcs/git.ts";
import { type OpenHome, requireOwner } from "./open.ts";
import { movesOf, pushVariables, subjectOf } from "./pushes.ts";
import { limitsOf } from "./try-gate.ts";
import { goneOf, openScratch, refsBefore, trialPlace } from "./try-place.ts";

export type HistoryOptions = {
  range: string;
  /** Only so many, the newest. */
  limit: number | null;
  /** Where the call is made, or the repository that it names. */
  at: string;
  signal: AbortSignal;
  /** Told of each answer. */
  onTried: (tried: Tried, done: number, total: number) => void;
};

export type History = {
  /** What was tried: each of these gets an answer of its own. */
  unit: "commit" | "push" | "ref";
  /** How many commits or pushes there are, and how many of them were tried: fewer where it was interrupted. */
  total: number;
  /** Pushes whose commits are no longer there. */
  gone: number;
  interrupted: boolean;
};

const KEEP = 16 * 1024;

/** Tries the hook on each; the answers go to `onTried`. A wrong range is GP_USAGE, and nothing was run. */
export async function tryHistory(
  home: OpenHome,
  row: RepositoryRow,
  hook: Hook,
  options: HistoryOptions,
): Promise<History> {
  const type = hook.type === "disabled" ? hook.wasType : hook.type;
  if (type === "before-commit" || type === "commit-msg") return overCommits(home, row, hook, type, options);
  if (type === "before-receive" || type === "before-ref") return overPushes(home, row, hook, type, options);
  throw new GatepostError(
    "GP_USAGE",
    `${type ?? "disabled"} hooks cannot be tried on history: what they were given is not kept.`,
    {
      hint: "--history is for before-commit, commit-msg, before-receive and before-ref hooks.",
    },
  );
}

async function overCommits(
  home: OpenHome,
  row: RepositoryRow,
  hook: Hook,
  type: string,
  { range, limit, at, signal, onTried }: HistoryOptions,
): Promise<History> {
  requireOwner(home.dir);
  const place = await trialPlace(row, at);
  const ids = await commitsIn(place.own, range, limit);
  const { head } = place;
  const scratch = openScratch(home, row, place, { hook, type, place: { kind: "files" }, auxiliary: null });
  let done = 0;
  try {
    const refs = new Map(await openGit(row.path).readRefs("all"));
    if ("branch" in head) refs.delete(head.branch);
    putRefs(scratch, refs);
    const env = callerEnvironment(process.env, toolsOf(place.root));
    for await (const tried of tryCommits(scratch, readCommits(row.path, ids), head, env, limitsOf(home, KEEP, signal)))
      if (tried.answer.verdict !== "interrupted") onTried(tried, ++done, ids.length);
  } finally {
    scratch.remove();
  }
  return { unit: "commit", total: ids.length, gone: 0, interrupted: signal.aborted };
}

/** The scratch has only what is committed; the tools of a work tree usually are not. */
export function toolsOf(root: string | null): Record<string, string> {
  const folder = root === null ? null : join(root, "node_modules", ".bin");
  return folder !== null && existsSync(folder) ? { PATH: `${folder}:${process.env["PATH"] ?? ""}` } : {};
}

async function overPushes(
  home: OpenHome,
  row: RepositoryRow,
  hook: Hook,
  type: string,
  { range, limit, at, signal, onTried }: HistoryOptions,
): Promise<History> {
  requireOwner(home.dir);
  const [base, upto] = receiptRange(home, row, range);
  const all = receiptsBetween(home.db, row.id, base, upto).map((receipt) => ({
    ...receipt,
    updates: updatesOfReceipt(home.db, receipt.id),
  }));
  const pushes = all.map((receipt) => ({ receipt, moves: movesOf([receipt]) }));
  const chosen = new Set(pushes.filter(({ moves }) => moves.length > 0).slice(-(limit ?? pushes.length)));
  const gone = await goneOf(
    row.path,
    pushes.flatMap(({ moves }) => moves.flatMap((move) => [move.old, move.new])),
  );
  const unit = type === "before-ref" ? "ref" : "push";
  const result = { unit, total: chosen.size, gone: 0 } as const;
  const [first] = all;
  if (first === undefined) return { ...result, interrupted: false };
  const refs = await refsBefore(home, row, first.id);
  const place = await trialPlace(row, at);
  const scratch = openScratch(home, row, place, { hook, type, place: { kind: "bare" }, auxiliary: null });
  let done = 0;
  let lost = 0;
  try {
    for (const push of pushes) {
      const { receipt, moves } = push;
      if (signal.aborted) break;
      if (chosen.has(push) && moves.some((move) => gone.has(move.new) || gone.has(move.old))) lost += 1;
      else if (chosen.has(push)) {
        done += 1;
        const about = { id: String(receipt.id), subject: subjectOf(receipt, moves), before: refs, moves };
        const full = { ...about, env: pushVariables(receipt) };
        for await (const tried of tryPush(
          scratch,
          full,
          hookEnvironment(process.env, {}),
          limitsOf(home, KEEP, signal),
        ))
          if (tried.answer.verdict !== "interrupted") onTried(tried, done, chosen.size);
      }
      for (const { ref, new: value, how } of receipt.updates)
        if (how !== "claimed" && !gone.has(value)) moveRef(refs, ref, value);
        else if (how !== "claimed" && gone.has(value)) refs.delete(ref);
    }
  } finally {
    scratch.remove();
  }
  return { ...result, gone: lost, interrupted: signal.aborted };
}

/** Receipts (A, B] as "A..B", where either may be left out, or one as its number. */
function receiptRange(home: OpenHome, row: RepositoryRow, range: string): [ReceiptId, ReceiptId] {
  const newest = newestReceipt(home.db, row.id)?.id ?? (0 as ReceiptId);
  const [, from, dots, to] = /^(\d{1,15})?(\.\.)?(\d{1,15})?$/.exec(range) ?? [];
  if (dots !== undefined && (from !== undefined || to !== undefined))
    return [Number(from ?? 0) as ReceiptId, Math.min(Number(to ?? newest), newest) as ReceiptId];
  const single = Number(from);
  if (dots === undefined && from !== undefined && single > 0 && single <= newest)
    return [(single - 1) as ReceiptId, single as ReceiptId];
  throw new GatepostError("GP_USAGE", `"${range}" is no range of receipts of ${row.name}.`, {
    hint:
      newest === 0
        ? "It has no receipts yet."
        : `Such as 3..7 (after 3, up to 7), 3.. or ..7, or one receipt; its newest is ${newest}.`,
  });
}
