/** What a trial of a gate needs to know of the repository, and the scratch repository that is made from it. */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { type ByteString, fromText } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import type { Hook } from "../core/hook.ts";
import { nativeHooks } from "../core/hook-type.ts";
import type { ReceiptId } from "../core/units.ts";
import { type Head, moveRef } from "../gate/backtest.ts";
import { callerEnvironment, makeScratch, putHead, type Scratch, type ScratchPlan } from "../gate/scratch.ts";
import { stream } from "../process/command.ts";
import { installGates } from "../shim/install.ts";
import { receiptsBetween } from "../store/receipt.ts";
import { readLedger, updatesOfReceipt } from "../store/ref.ts";
import type { RepositoryRow } from "../store/repository.ts";
import { collect, gitFailure, startGit } from "../vcs/git/run.ts";
import type { Refs } from "../vcs/repository.ts";
import { homeSettings, type OpenHome } from "./open.ts";

/** The work tree that a call is about: the one it was made in, else the main one. */
export type TrialPlace = {
  /** Its own git directory. */
  own: string;
  /** Its root; null in a bare repository. */
  root: string | null;
  head: Head;
  /** What HEAD is; null before the first commit. */
  commit: string | null;
};

/** Finds the work tree from `at`, a path in it or elsewhere. */
export async function trialPlace(row: Pick<RepositoryRow, "path" | "workTree">, at: string): Promise<TrialPlace> {
  const { own, root } = (await workTreeAt(row, at)) ?? { own: row.path, root: row.workTree };
  const [branch, commit] = await Promise.all([
    collect(startGit(own, ["symbolic-ref", "--quiet", "HEAD"])),
    collect(startGit(own, ["rev-parse", "--quiet", "--verify", "HEAD^{commit}"])),
  ]);
  const id = commit.code === 0 ? commit.stdout.toString("latin1").trim() : null;
  if (branch.code === 0)
    return {
      own,
      root,
      head: { branch: branch.stdout.toString("latin1").replace(/\n$/, "") as ByteString },
      commit: id,
    };
  if (id === null) throw gitFailure(own, "read HEAD", branch);
  return { own, root, head: { commit: id }, commit: id };
}

async function workTreeAt(row: Pick<RepositoryRow, "path">, at: string): Promise<{ own: string; root: string } | null> {
  const asked = ["--path-format=absolute", "--git-common-dir", "--absolute-git-dir", "--show-toplevel"];
  const answer = await gitAt(at, ["rev-parse", ...asked]);
  const [common = "", own = "", root = ""] = answer.stdout.toString("utf8").split("\n");
  if (answer.code !== 0 || realpathSync(common) !== row.path) return null;
  return { own: realpathSync(own), root: realpathSync(root) };
}

/** git as the caller would call it in a folder. Read-only commands. */
export async function gitAt(at: string, args: readonly string[], own: Record<string, string> = {}) {
  const env = callerEnvironment(process.env, { GIT_OPTIONAL_LOCKS: "0", LC_ALL: "C", ...own });
  const running = stream("git", ["-C", resolve(at), "--no-pager", ...args], { env, cwd: "/" });
  running.stdin.end();
  return collect(running);
}

/** A scratch repository of this one, with the shims of the hook's type; HEAD is put, refs are not. */
export function openScratch(
  home: OpenHome,
  row: RepositoryRow,
  at: Pick<TrialPlace, "own" | "head">,
  about: { hook: Hook; type: string; place: ScratchPlan["place"]; auxiliary: string | null },
): Scratch {
  const scratch = makeScratch({
    ...about,
    repository: row.path,
    own: at.own,
    objectFormat: row.objectFormat,
    path: homeSettings(home).path,
    program: home.layout.program,
    install: (hooksFolder) => installGates(hooksFolder, nativeHooks(about.type)),
  });
  putHead(scratch, at.head);
  return scratch;
}

/** All refs as they were before a receipt, by the ledger; without those whose value is no longer there. */
export async function refsBefore(
  home: OpenHome,
  row: RepositoryRow,
  receipt: ReceiptId,
): Promise<Map<ByteString, string>> {
  const refs = readLedger(home.db, row.id);
  for (const { id } of receiptsBetween(home.db, row.id, receipt - 1, Number.MAX_SAFE_INTEGER).reverse())
    for (const { ref, old, how } of updatesOfReceipt(home.db, id).reverse())
      if (how !== "claimed") moveRef(refs, ref, old);
  return withoutGone(row.path, refs);
}

/** Refs whose value is there. Git would complain of the others at each look. */
export async function withoutGone(gitDir: string, refs: Refs): Promise<Map<ByteString, string>> {
  const gone = await goneOf(gitDir, [...refs.values()]);
  return new Map([...refs].filter(([, value]) => !gone.has(value)));
}

/** Which of these values are not there. */
export async function goneOf(gitDir: string, values: readonly string[]): Promise<Set<string>> {
  const asked = [...new Set(values)].filter((value) => /^[0-9a-f]+$/.test(value) && !/^0+$/.test(value));
  if (asked.length === 0) return new Set();
  const input = Buffer.from(asked.map((value) => `${value}\n`).join(""));
  const answer = await collect(startGit(gitDir, ["cat-file", "--batch-check=%(objecttype)"], input));
  if (answer.code !== 0) throw gitFailure(gitDir, "look up the values of refs", answer);
  const lines = answer.stdout.toString("latin1").split("\n");
  return new Set(asked.filter((_, index) => lines[index]?.endsWith(" missing")));
}

/** The type a hook has, or had when it was disabled, if a gate can be tried that way; else an error. */
export function gateTypeOf(hook: Hook): string {
  const type = (hook.type === "disabled" ? hook.wasType : hook.type) ?? "after-receive";
  if (hook.command !== null && nativeHooks(type).length > 0) return type;
  throw new GatepostError("GP_USAGE", `This version does not run ${type} hooks yet, so it cannot try one.`);
}

/** Text as a word of a call. */
export const word = (text: string): ByteString => fromText(text);

/** Who would be the author of a commit made now, as git exports it; nothing where git does not know. */
export async function authorNow(at: string): Promise<Record<string, string>> {
  const given = Object.entries(process.env).flatMap(([name, value]) =>
    name.startsWith("GIT_AUTHOR_") && value !== undefined ? [[name, value]] : [],
  );
  const answer = await gitAt(at, ["var", "GIT_AUTHOR_IDENT"], Object.fromEntries(given));
  const [, name, email, date] = /^(.*?) ?<([^>\n]*)> (-?\d+ [-+]\d+)\n$/.exec(answer.stdout.toString("utf8")) ?? [];
  if (answer.code !== 0 || name === undefined || email === undefined) return {};
  return { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_AUTHOR_DATE: `@${date}` };
}
