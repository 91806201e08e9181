/**
 * From the moves of a range to what git walks: the tips, and the values whose history is left out.
 *
 * Either may name objects that are no longer there (history rewritten, then `gc --prune=now`). Git refuses such a
 * range as a whole, before it prints anything; only then each value is looked up and the range is walked again
 * without the vanished ones. The usual case pays nothing for it. (`--ignore-missing` would be shorter, but a range
 * whose only tip vanishes at that moment would then list the history of HEAD.)
 */
import type { ByteString } from "../../core/bytes.ts";
import { GatepostError } from "../../core/errors.ts";
import type { Gone, Move, RefRange } from "../repository.ts";
import { collect, gitFailure, startGit } from "./run.ts";

export type Tip = { oid: string; ref: ByteString };
export type Span = { tips: readonly Tip[]; base: readonly string[] };

const hash = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const zero = /^0+$/;

/** Branches before other refs, so that a check-in that came with a branch and a tag is named by the branch. */
export function spanOf(range: RefRange): Span {
  const tips = new Map<string, Tip>();
  const arrived = range.moves.filter((move) => isObject(move.new));
  for (const move of [...arrived.filter(isBranch), ...arrived.filter((move) => !isBranch(move))])
    if (!tips.has(move.new)) tips.set(move.new, { oid: move.new, ref: move.ref });
  const base = new Set<string>();
  for (const value of range.base) if (isObject(value)) base.add(value);
  return { tips: [...tips.values()], base: [...base] };
}

export const isBranch = (named: { ref: ByteString } | Move): boolean => named.ref.startsWith("refs/heads/");

function isObject(value: string): boolean {
  if (value.startsWith("ref:") || zero.test(value)) return false;
  if (!hash.test(value)) throw new GatepostError("GP_BUG", "A ref value is no hash.");
  return true;
}

/** What git reads on stdin. Never empty of tips: git would then list HEAD. */
export function spanInput(span: Span): Buffer {
  return Buffer.from(
    [...span.tips.map((tip) => tip.oid), ...span.base.map((oid) => `^${oid}`), ""].join("\n"),
    "latin1",
  );
}

/** Thrown by a walk that failed before it printed anything, with the error to raise if nothing has vanished. */
export class Unwalkable extends Error {
  readonly reason: GatepostError;
  constructor(reason: GatepostError) {
    super(reason.message);
    this.reason = reason;
  }
}

/** Walks the range; where values have vanished, calls `onGone`, hands out the lines that `tell` makes of the vanished
 *  tips, and walks what is left. */
export async function* overWhatIsThere(
  gitDir: string,
  range: RefRange,
  walk: (span: Span) => AsyncIterable<Buffer>,
  tell: (gone: Gone, tips: readonly Tip[]) => Buffer | null,
): AsyncGenerator<Buffer, void, undefined> {
  let span = spanOf(range);
  const gone: Gone = { base: 0, new: 0 };
  while (span.tips.length > 0) {
    try {
      yield* walk(span);
      return;
    } catch (error) {
      if (!(error instanceof Unwalkable)) throw error;
      const there = await thoseThere(gitDir, span);
      if (there.tips.length === span.tips.length && there.base.length === span.base.length) throw error.reason;
      gone.base += span.base.length - there.base.length;
      gone.new += span.tips.length - there.tips.length;
      const kept = new Set(there.tips);
      const line = tell(
        { ...gone },
        span.tips.filter((tip) => !kept.has(tip)),
      );
      if (line !== null) yield line;
      span = there;
    }
  }
}

async function thoseThere(gitDir: string, span: Span): Promise<Span> {
  const asked = [...span.tips.map((tip) => tip.oid), ...span.base];
  const answer = await collect(
    startGit(gitDir, ["cat-file", "--batch-check=%(objecttype)"], Buffer.from(`${asked.join("\n")}\n`, "latin1")),
  );
  if (answer.code !== 0) throw gitFailure(gitDir, "look up the values of refs", answer);
  const there = answer.stdout
    .toString("latin1")
    .split("\n")
    .map((line) => !line.endsWith(" missing"));
  return {
    tips: span.tips.filter((_, i) => there[i]),
    base: span.base.filter((_, i) => there[span.tips.length + i]),
  };
}
