/** What an after-receive hook gets: the stream on its stdin, and its environment. */
import { dirname } from "node:path";
import { displayText, toBuffer, toText } from "../core/bytes.ts";
import type { Hook } from "../core/hook.ts";
import type { Layout } from "../core/layout.ts";
import { VARIABLES } from "../core/substitute.ts";
import { hookEnvironment } from "../process/environment.ts";
import { findProgram } from "../process/program.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { Gone, Repository } from "../vcs/repository.ts";
import type { Material } from "./material.ts";

/** What a listing met, kept on the run: the vanished of core/vcs `Gone`, and how many bytes were listed. */
export type ListingNote = { gone: Gone | null };

/** The bytes for the hook's stdin, made while they are read. */
export async function* hookInput(
  repository: Repository,
  hook: Hook,
  material: Material,
  note: ListingNote,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  if (hook.stdin === "updates") yield* updateLines(material);
  else if (hook.stdin === "paths") yield* repository.paths(material.range, hook.paths ?? [], signal);
  else
    yield* repository.artifacts(material.range, {
      trees: hook.trees,
      signal,
      onGone: (gone) => {
        note.gone = gone;
      },
    });
}

/** `OLD NEW REF` lines as Git gives them to post-receive, in the order in which the refs moved. */
function* updateLines(material: Material): Generator<Buffer> {
  for (const { updates } of material.receipts) {
    const lines = updates
      .filter(({ how }) => how !== "claimed")
      .map(({ old, new: value, ref }) => Buffer.concat([Buffer.from(`${old} ${value} `), toBuffer(ref), NEWLINE]));
    if (lines.length > 0) yield Buffer.concat(lines);
  }
}
const NEWLINE = Buffer.from("\n");

/** What %F stands for: this program; in a Fossil repository the fossil program, as in Fossil's own hooks. */
export const programFor = (layout: Layout, row: Pick<RepositoryRow, "kind">): string =>
  row.kind === "fossil" ? findProgram("fossil") : layout.program;

/** Where after-receive hooks run: in the repository; of one that is a file, in its folder. */
export const folderOf = (row: Pick<RepositoryRow, "path" | "kind">): string =>
  row.kind === "fossil" ? dirname(row.path) : row.path;

/** The environment of a hook: what is allowed through of ours, facts about the run, and for --each receipt what the
 *  post-receive hook of that push would have seen. */
export function hookVariables(
  layout: Layout,
  hook: Hook,
  row: RepositoryRow,
  material: Material,
  run: { id: string; attempt: number; auxiliary: string },
): Record<string, string> {
  const newest = material.receipts.at(-1);
  const own: Record<string, string> = {
    [VARIABLES.F]: programFor(layout, row),
    [VARIABLES.R]: row.path,
    [VARIABLES.A]: run.auxiliary,
    GATEPOST_HOOK: hook.name ?? String(hook.id),
    GATEPOST_TYPE: hook.type,
    GATEPOST_KIND: row.kind,
    GATEPOST_USER: shown(newest?.user ?? null),
    GATEPOST_RUN: run.id,
    GATEPOST_ATTEMPT: String(run.attempt),
    GATEPOST_BATCH: String(material.batch.id),
  };
  return hookEnvironment(process.env, hook.each === "receipt" ? { ...own, ...pushVariables(row, newest) } : own);
}

function pushVariables(row: RepositoryRow, receipt: Material["receipts"][number] | undefined): Record<string, string> {
  if (receipt === undefined) return {};
  const variables: Record<string, string> = {};
  if (row.kind === "git") variables["GIT_DIR"] = "."; // as in post-receive, which starts in the repository
  if (receipt.glUser !== null) variables["GL_USER"] = shown(receipt.glUser);
  if (receipt.glRepo !== null) variables["GL_REPO"] = shown(receipt.glRepo);
  if (receipt.remoteUser !== null) variables["REMOTE_USER"] = shown(receipt.remoteUser);
  if (receipt.options.length > 0) variables["GIT_PUSH_OPTION_COUNT"] = String(receipt.options.length);
  for (const [index, option] of receipt.options.entries()) variables[`GIT_PUSH_OPTION_${index}`] = shown(option);
  return variables;
}

/** Variables are text to Node, without NUL: other bytes are handed over escaped. */
const shown = (bytes: Parameters<typeof displayText>[0] | null): string =>
  bytes === null ? "" : ((bytes.includes("\0") ? null : toText(bytes)) ?? displayText(bytes));
