/**
 * Backtest: asks a gate about commits that were made long ago, and about pushes that were received, one after another in
 * one scratch repository (see scratch.ts).
 *
 * A commit is set up as it stood when its hooks ran: HEAD at its first parent, on the branch of today, the index holding
 * its tree; for before-commit the files of that tree too. From one commit to the next git brings the files in line, which
 * also mends what the hook has changed, and then takes away what is not in the tree, or the leavings of one verdict would
 * be in the next. One shell does this for all commits, since Node takes longer to start a program than git to run.
 *
 * A push is set up by its refs: all have the values from before it. Its objects are there already, as they are, for the
 * hook, while a real push waits in quarantine; the variables say so, and no ref can be moved.
 *
 * If we die here: see scratch.ts. Proven by test/e2e/backtest.test.ts.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ByteString, displayText, toBuffer } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import { stream } from "../process/command.ts";
import type { Commit } from "../vcs/git/history.ts";
import type { Move, Refs } from "../vcs/repository.ts";
import { type Answer, ask, type Call, type Limits } from "./ask.ts";
import { putHead, putRef, putRefs, type Scratch } from "./scratch.ts";

/** What was asked about, and the answer. */
export type Tried = { id: string; subject: string; answer: Answer };

/** What HEAD names: a branch, or only a commit. */
export type Head = { branch: ByteString } | { commit: string };

/** Asks about each commit. Ends after an answer that was interrupted. */
export async function* tryCommits(
  scratch: Scratch,
  commits: AsyncIterable<Commit>,
  head: Head,
  environment: Readonly<Record<string, string>>,
  limits: Limits,
): AsyncGenerator<Tried> {
  const withFiles = scratch.type === "before-commit";
  if (!withFiles && scratch.hook.dir !== null) mkdirSync(join(scratch.cwd, scratch.hook.dir), { recursive: true });
  const checkout = new Checkout(scratch, environment, withFiles);
  try {
    for await (const commit of commits) {
      putParent(scratch, head, commit.parents[0] ?? null);
      await checkout.to(commit.tree);
      if (limits.signal.aborted) return;
      const env = { ...environment, ...commit.author, GIT_EDITOR: ":", GIT_PREFIX: "" };
      const answer = await ask(scratch, { ...callOf(scratch, commit), env, stdin: null }, limits);
      yield { id: commit.id, subject: displayText(firstLine(commit.message)), answer };
      if (answer.verdict === "interrupted") return;
    }
  } catch (error) {
    if (!(await isAborted(limits.signal))) throw error;
  } finally {
    await checkout.end();
  }
}

/** Ctrl-C reaches the programs that we wait for as well, and their end may be told before the signal is. */
async function isAborted(signal: AbortSignal): Promise<boolean> {
  if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 100));
  return signal.aborted;
}

const firstLine = (message: ByteString): ByteString => (/^\n*([^\n]*)/.exec(message)?.[1] ?? "") as ByteString;

/** A branch that is not there: where HEAD names none, a first commit must still have no parent. */
const NOWHERE = "refs/heads/gatepost-unborn" as ByteString;

/** HEAD as it was before the commit; before a first commit the branch is not born. */
function putParent(scratch: Scratch, head: Head, parent: string | null): void {
  if ("branch" in head) {
    putRef(scratch, head.branch, parent);
    putHead(scratch, head); // a hook may have switched to another
  } else putHead(scratch, parent === null ? { branch: NOWHERE } : { commit: parent });
}

function callOf({ gitDir, type }: Scratch, { parents, message }: Commit): Pick<Call, "shim" | "args"> {
  const isMerge = parents.length > 1;
  if (type === "before-commit") return { shim: isMerge ? "pre-merge-commit" : "pre-commit", args: [] };
  rmSync(join(gitDir, "MERGE_HEAD"), { force: true });
  if (isMerge)
    writeFileSync(
      join(gitDir, "MERGE_HEAD"),
      parents
        .slice(1)
        .map((parent) => `${parent}\n`)
        .join(""),
    );
  const name = isMerge ? "MERGE_MSG" : "COMMIT_EDITMSG";
  writeFileSync(join(gitDir, name), toBuffer(message));
  return { shim: "commit-msg", args: [`.git/${name}` as ByteString] };
}

/** Brings index and files to one tree after another. */
class Checkout {
  readonly #shell: ReturnType<typeof stream>;
  readonly #answers: AsyncIterator<Buffer>;

  constructor(scratch: Scratch, environment: Readonly<Record<string, string>>, withFiles: boolean) {
    const read = withFiles ? "git read-tree --reset -u" : "git read-tree";
    // --force twice: nested repositories too. What cannot be taken away does not make the tree wrong.
    const clean = withFiles ? "git clean -ffdxq </dev/null >&2" : ":";
    const script = `while read -r tree; do
      rm -f .git/index.lock
      if ${read} "$tree" </dev/null >&2; then ${clean}; echo y; else echo n; fi
    done`;
    // Large files kept elsewhere (LFS) would be downloaded, each version of them.
    const env = { ...environment, GIT_LFS_SKIP_SMUDGE: "1", GIT_TERMINAL_PROMPT: "0", GIT_NO_LAZY_FETCH: "1" };
    this.#shell = stream("/bin/sh", ["-c", script], { cwd: scratch.cwd, env });
    this.#answers = this.#shell.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** The index, and the files if there are to be any, are those of the tree. */
  async to(tree: string): Promise<void> {
    this.#shell.stdin.write(`${tree}\n`);
    const { value } = await this.#answers.next();
    if (String(value) === "y\n") return;
    this.#shell.stdin.end();
    const { stderr } = await this.#shell.ended;
    throw new GatepostError("GP_VCS", `git could not check out the tree ${tree}: ${lastLine(stderr)}`, {
      hint: "A shallow or partial clone may lack it: name a shorter range.",
    });
  }

  async end(): Promise<void> {
    this.#shell.stdin.end();
    this.#shell.kill();
    this.#shell.stdout.destroy();
    await this.#shell.ended;
  }
}

const lastLine = (text: string): string => displayText((text.trim().split("\n").at(-1) ?? "") as ByteString);

/** A push as the gate of the receiving side sees it. */
export type Push = {
  /** How it is called in a list. */
  id: string;
  subject: string;
  /** All refs as they were before it. */
  before: Refs;
  moves: readonly Move[];
  /** Who, and the push options: variables. */
  env: Readonly<Record<string, string>>;
};

/** Asks about a push: once for all its refs or, where the gate judges each ref by itself, once for each. Ends after an
 *  answer that was interrupted. */
export async function* tryPush(
  scratch: Scratch,
  push: Push,
  environment: Readonly<Record<string, string>>,
  limits: Limits,
): AsyncGenerator<Tried> {
  putRefs(scratch, push.before);
  if (scratch.type === "before-receive") {
    const stdin = updateLines(push.moves);
    const env = { ...environment, ...push.env, ...quarantine(scratch) };
    const answer = await ask(scratch, { shim: "pre-receive", args: [], env, stdin }, limits);
    yield { id: push.id, subject: push.subject, answer };
    return;
  }
  const refs = new Map(push.before);
  for (const { ref, old, new: value } of push.moves) {
    const args = [ref, old as ByteString, value as ByteString];
    const answer = await ask(
      scratch,
      { shim: "update", args, env: { ...environment, ...push.env }, stdin: null },
      limits,
    );
    yield { id: push.id, subject: displayText(ref), answer };
    if (answer.verdict === "interrupted") return;
    if (answer.verdict === "refused") continue;
    moveRef(refs, ref, value); // git moves each ref before it asks about the next one
    putRefs(scratch, refs);
  }
}

/** `OLD NEW REF` lines as git gives them to pre-receive. */
const updateLines = (moves: readonly Move[]): Buffer =>
  toBuffer(moves.map(({ ref, old, new: value }) => `${old} ${value} ${ref}\n`).join("") as ByteString);

/** Gives a ref another value in a list of all; zeros take it away. */
export function moveRef(refs: Map<ByteString, string>, ref: ByteString, value: string): void {
  if (/^0+$/.test(value)) refs.delete(ref);
  else refs.set(ref, value);
}

function quarantine({ gitDir }: Scratch): Record<string, string> {
  const folder = join(gitDir, "objects", "tmp_objdir-incoming-gatepost");
  mkdirSync(folder, { recursive: true });
  return {
    GIT_QUARANTINE_PATH: folder,
    GIT_OBJECT_DIRECTORY: folder,
    GIT_ALTERNATE_OBJECT_DIRECTORIES: join(gitDir, "objects"),
  };
}
