/**
 * The artifact lines of a range, streamed.
 *
 * All programs of a list start at once, so that the first line of a small one comes as soon as `git log` has it:
 *   check-ins   `git log --reverse`, whose %S says by which tip it came to a commit
 *   files       `git rev-list --objects`, filtered by git to blobs
 *   cut names   the walk beside it that knows the paths with a newline (cut-names.ts)
 *   tags        only when a ref moved that is no branch: branches hold no tag objects
 *   trees       only when asked for
 * Each writes into its pipe until that is full and then waits, so a slow reader holds git back and memory stays flat.
 *
 * Two limits, both Git's own. A commit that several new values reach is named by one of them: by the first branch when
 * both point at it, else by the one from which git's walk came first. And a file whose very content was in an older
 * commit, but not in the commits the range starts from, is listed again.
 *
 * If this process dies, git gets SIGPIPE at its next line and ends. Proven by test/vcs/git-listing.test.ts.
 */
import type { GatepostError } from "../../core/errors.ts";
import type { ListOptions, RefRange } from "../repository.ts";
import { CUT_NAMES, readCutNames } from "./cut-names.ts";
import { held } from "./holding.ts";
import { branchName, labelLines, nameBranches, WholeLines } from "./lines.ts";
import { isBranch, overWhatIsThere, type Span, spanInput, Unwalkable } from "./range.ts";
import { endAll, gitFailure, type Running, startGit } from "./run.ts";

const CHECK_IN = " check-in to ";
const nothingCut: ReadonlyMap<string, Buffer> = new Map();

/** See `Repository.artifacts`. A git that fails midway throws GP_VCS after the lines it gave: the list is not whole. */
export async function* listArtifacts(
  gitDir: string,
  range: RefRange,
  options: ListOptions = {},
): AsyncGenerator<Buffer> {
  yield* overWhatIsThere(
    gitDir,
    range,
    (span) => walk(gitDir, span, options),
    (gone, tips) => {
      options.onGone?.(gone);
      return tips.length === 0 ? null : Buffer.from(tips.map((tip) => `${tip.oid} gone\n`).join(""), "latin1");
    },
  );
}

async function* walk(gitDir: string, span: Span, options: ListOptions): AsyncGenerator<Buffer> {
  options.signal?.throwIfAborted();
  const input = spanInput(span);
  const width = span.tips[0]?.oid.length ?? 0;
  const branches = new Map(span.tips.map((tip) => [tip.oid, branchName(tip.ref)]));
  const started: Running[] = [];
  const start = (args: readonly string[]): Running => {
    const running = startGit(gitDir, args, input);
    started.push(running);
    return running;
  };
  const abort = (): void => void endAll(started);
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    const log = start([
      "log",
      "--stdin",
      "--topo-order", // a check-in never before its parents, even where many have the same second
      "--reverse", // oldest first
      `--format=%H${CHECK_IN}%S by %an on %ad`,
      "--date=format-local:%Y-%m-%d %H:%M", // local is UTC, by TZ
      "--no-decorate",
      "--no-notes",
      "--no-mailmap",
    ]);
    const files = start(objects("blob"));
    const cut = start(CUT_NAMES);
    const trees = options.trees === true ? start(objects("tree")) : null;
    const tags = span.tips.every(isBranch) ? null : start([...objects("tag"), "--no-walk"]); // tags lie before commits
    const full = whole(cut, gitDir);
    full.catch(() => {}); // raised where the files are read

    let first = true;
    try {
      for await (const lines of wholeLines(log.stdout)) {
        first = false;
        yield nameBranches(lines, width + CHECK_IN.length, width, branches);
      }
      await mustEndWell(log, gitDir);
    } catch (error) {
      throw first && !options.signal?.aborted ? new Unwalkable(error as GatepostError) : error;
    }
    for await (const lines of wholeLines(held(files.stdout, full))) yield labelLines(lines, width, "file", await full);
    await mustEndWell(files, gitDir);
    for (const [running, label, names] of [
      [trees, "tree", await full],
      [tags, "tag", nothingCut],
    ] as const) {
      if (running === null) continue;
      for await (const lines of wholeLines(running.stdout)) yield labelLines(lines, width, label, names);
      await mustEndWell(running, gitDir);
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", abort);
    await endAll(started);
  }
}

const objects = (type: string): string[] => [
  "rev-list",
  "--stdin",
  "--objects",
  `--filter=object:type=${type}`,
  "--filter-provided-objects", // the filter holds for what a ref points at directly, too
  "--missing=allow-promisor", // what a partial clone has not got is left out
];

async function* wholeLines(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const cutter = new WholeLines();
  for await (const chunk of source) {
    const lines = cutter.push(chunk);
    if (lines.length > 0) yield lines;
  }
}

async function mustEndWell(running: Running, gitDir: string): Promise<void> {
  const ending = await running.ended;
  if (ending.code !== 0) throw gitFailure(gitDir, "list the artifacts", ending);
}

/** A clone without trees cannot tell names that hold a newline; its list then has them cut, rather than not at all. */
async function whole(cut: Running, gitDir: string): Promise<ReadonlyMap<string, Buffer>> {
  const full = await readCutNames(cut);
  const ending = await cut.ended;
  if (ending.code !== 0 && !/promisor remote|lazy fetching/.test(ending.stderr)) await mustEndWell(cut, gitDir);
  return full;
}
