/**
 * Which paths the check-ins of a range changed: for hooks that run only when some path is touched, and for those that
 * want the paths themselves. A merge counts for what it changed itself, which is what differs from all its parents.
 */
import type { Move, RefRange } from "../repository.ts";
import { overWhatIsThere, type Span, spanInput, spanOf, Unwalkable } from "./range.ts";
import { endAll, gitFailure, type Running, startGit } from "./run.ts";

/** Whether a check-in of the range changed (also: deleted) a path that matches. */
export async function touches(
  gitDir: string,
  range: RefRange,
  pathspecs: readonly string[],
  signal?: AbortSignal,
): Promise<boolean> {
  for await (const _ of changed(gitDir, range, pathspecs, signal)) return true;
  return false;
}

/** Changed paths that the last value of a ref in the range still has, each once, ended by NUL. The set of changed paths is held in memory. */
export async function* changedPaths(
  gitDir: string,
  range: RefRange,
  pathspecs: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const waiting = new Set<string>();
  for await (const path of changed(gitDir, range, pathspecs, signal)) waiting.add(path.toString("latin1"));
  for (const tip of spanOf({ moves: lastMoves(range), base: [] }).tips) {
    if (waiting.size === 0) return;
    // The last state decides, and only the tree of a tip knows it: order of commits does not, where branches meet.
    const tree = startGit(gitDir, ["ls-tree", "-r", "-z", "--name-only", "--full-tree", tip.oid]);
    const found: Buffer[] = [];
    try {
      for await (const path of untilNul(tree, gitDir, signal))
        if (waiting.delete(path.toString("latin1"))) found.push(path, Buffer.of(0));
    } catch (error) {
      if (!(error instanceof Unwalkable)) throw error;
      if (!error.message.includes("not a tree object")) throw error.reason; // a file's tag has none, nor what vanished
    }
    if (found.length > 0) yield Buffer.concat(found);
  }
}

/** Of each ref the move that came last: what an earlier one brought, that one may have deleted again. */
const lastMoves = ({ moves }: RefRange): Move[] => [...new Map(moves.map((move) => [move.ref, move])).values()];

async function* changed(
  gitDir: string,
  range: RefRange,
  pathspecs: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const walk = (span: Span): AsyncGenerator<Buffer> => {
    const args = [
      "log",
      "--stdin",
      "--format=",
      "--name-only",
      "-z",
      "--root", // a first commit changes all it has
      "--full-history", // also what a merge then left out
      "--diff-merges=combined",
      "--no-renames", // an old name is a deletion
      "--no-relative", // overrules diff.relative
      "--",
      ...pathspecs,
    ];
    return untilNul(startGit(gitDir, args, spanInput(span)), gitDir, signal);
  };
  yield* overWhatIsThere(gitDir, range, walk, () => null);
}

async function* untilNul(
  running: Running,
  gitDir: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  const abort = (): void => void endAll([running]);
  signal?.addEventListener("abort", abort, { once: true });
  let first = true;
  try {
    signal?.throwIfAborted();
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of running.stdout) {
      const bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
      let at = 0;
      for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, at)) {
        first = false;
        if (end > at) yield bytes.subarray(at, end);
        at = end + 1;
      }
      rest = bytes.subarray(at);
    }
    const ending = await running.ended;
    if (ending.code === 0) return;
    const failure = gitFailure(gitDir, "list the paths", ending);
    throw first ? new Unwalkable(failure) : failure;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
    await endAll([running]);
  }
}
