/**
 * `hook test` of a gate: asks the gate about what is there now, in a scratch repository (see src/gate/scratch.ts).
 *
 * A hook of a commit sees the real files and a copy of what is staged; what it does to the files it does, as at a commit,
 * and what it stages is thrown away. A hook of a push sees the last receipt as if it were just being pushed; before the
 * first receipt, the newest commit of HEAD.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Material } from "../backoffice/material.ts";
import { type ByteString, toBuffer } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import type { Hook } from "../core/hook.ts";
import { isServerType, nativeHooks } from "../core/hook-type.ts";
import { settingMillis } from "../core/settings.ts";
import { readable } from "../core/substitute.ts";
import type { ReceiptId } from "../core/units.ts";
import { type Answer, ask, type Call, type Limits } from "../gate/ask.ts";
import { moveRef, tryPush } from "../gate/backtest.ts";
import { callerEnvironment, putRefs, type Scratch } from "../gate/scratch.ts";
import { hookEnvironment } from "../process/environment.ts";
import type { Outcome } from "../process/hook-process.ts";
import { oneTrialDeeper } from "../process/trial-depth.ts";
import { gatePlace } from "../shim/install.ts";
import type { RepositoryRow } from "../store/repository.ts";
import { readCommits } from "../vcs/git/history.ts";
import { type GitRepository, type Move, refRange } from "../vcs/repository.ts";
import { homeSettings, type OpenHome, requireOwner } from "./open.ts";
import { pushOfHead } from "./push-of-head.ts";
import { movesOf, pushVariables } from "./pushes.ts";
import {
  authorNow,
  gateTypeOf,
  openScratch,
  refsBefore,
  type TrialPlace,
  trialPlace,
  withoutGone,
  word,
} from "./try-place.ts";

export type TryOptions = {
  base: ReceiptId | null;
  upto: ReceiptId | null;
  /** Stands for %A instead of the file that would be made. */
  auxiliary: string | null;
  /** Where the call is made, or the repository that it names. */
  at: string;
  /** What a hook that Git runs in place gets. */
  args: readonly string[];
  signal: AbortSignal;
};

export type Trying = {
  /** The command with its values in place, as a person could paste it. */
  readable: string;
  /** Nothing was received yet, the newest commit stands in. */
  standIn: boolean;
  lines: () => AsyncIterable<Buffer>;
  /** Runs the hook to its end. */
  run: () => Promise<Outcome & { judged?: Answer }>;
};

/** What a trial may take of time and memory. */
export function limitsOf(home: OpenHome, keep: number, signal: AbortSignal): Limits {
  const settings = homeSettings(home);
  return { grace: settingMillis(settings, "grace"), drain: settingMillis(settings, "drain"), keep, signal };
}

/** Prepares a gate hook to be shown or run. `received` is what the receipts in question brought. */
export async function tryGate(
  home: OpenHome,
  row: RepositoryRow,
  repository: GitRepository,
  hook: Hook,
  options: TryOptions,
  received: () => Promise<Material>,
): Promise<Trying> {
  const type = gateTypeOf(hook);
  requireFitting(type, options);
  const ofPush = type === "before-receive" || type === "before-ref";
  const material = ofPush ? await received() : null;
  const auxiliary = options.auxiliary === null ? null : resolve(options.auxiliary);
  if (auxiliary !== null && !existsSync(auxiliary))
    throw new GatepostError("GP_NO_FILE", `There is no file ${auxiliary}.`, { hint: "--aux-file names one for %A." });
  const shown =
    auxiliary ?? join(...(type === "commit-msg" ? [row.path, "COMMIT_EDITMSG"] : [home.layout.auxiliary, "test"]));
  const about = { hook, type, auxiliary };
  const limits = limitsOf(home, 1024 * 1024, options.signal);
  return {
    readable: readable(hook.command ?? "", { program: home.layout.program, repository: row.path, auxiliary: shown }),
    standIn: material?.receipts.length === 0,
    async *lines() {},
    async run() {
      requireOwner(home.dir);
      const place = await trialPlace(row, options.at);
      const answer =
        material === null
          ? await askHere(home, row, repository, place, about, options, limits)
          : await askPush(home, row, repository, place, about, material, limits);
      return {
        ...answer.outcome,
        output: { ...answer.outcome.output, head: answer.output, tail: Buffer.alloc(0) },
        judged: answer,
      };
    },
  };
}

function requireFitting(type: string, { base, upto, args }: TryOptions): void {
  if ((base !== null || upto !== null) && type !== "before-receive" && type !== "before-ref")
    throw new GatepostError("GP_USAGE", `${type} hooks do not run on receipts.`, {
      hint: "Leave out --base-rcvid and --new-rcvid.",
    });
  if (args.length > 0 && !type.startsWith("git:")) throw tooMany(args);
}

/** Only the arguments of Git's own hooks cannot be known. */
export const tooMany = (args: readonly string[]): GatepostError =>
  new GatepostError("GP_USAGE", `Too many arguments for 'test'. Expected 1 argument but got ${args.length + 1}.`, {
    hint: "How to call it: gatepost hook test --help",
  });

type About = { hook: Hook; type: string; auxiliary: string | null };

async function askHere(
  home: OpenHome,
  row: RepositoryRow,
  repository: GitRepository,
  place: TrialPlace,
  about: About,
  options: TryOptions,
  limits: Limits,
): Promise<Answer> {
  const { type } = about;
  if (place.root === null && (type === "before-commit" || type === "after-commit"))
    throw new GatepostError("GP_USAGE", "Nothing can be staged in a bare repository.", {
      hint: `On commits that are there: gatepost hook test ${about.hook.name ?? about.hook.id} --history RANGE`,
    });
  const bare = isServerType(type) || (place.root === null && type === "before-push");
  const where = bare ? "bare" : place.root === null ? "files" : "tree";
  const kind = where === "tree" ? ({ kind: where, root: place.root ?? "" } as const) : ({ kind: where } as const);
  const scratch = openScratch(home, row, place, { ...about, place: kind });
  try {
    putRefs(scratch, await repository.readRefs("all"));
    const call = await callOf(scratch, row, repository, place, about, options);
    return await ask(scratch, call, limits);
  } finally {
    scratch.remove();
  }
}

async function callOf(
  scratch: Scratch,
  row: RepositoryRow,
  repository: GitRepository,
  place: TrialPlace,
  { type, auxiliary }: About,
  options: TryOptions,
): Promise<Call> {
  const [native = ""] = nativeHooks(type);
  const shim = gatePlace(native);
  if (isServerType(type))
    return {
      shim,
      args: options.args.map(word),
      env: hookEnvironment(process.env, oneTrialDeeper(process.env)),
      stdin: null,
    };
  const author = await authorNow(place.root ?? row.path);
  const env = callerEnvironment(process.env, {
    ...author,
    ...oneTrialDeeper(process.env),
    GIT_EDITOR: ":",
    GIT_PREFIX: "",
  });
  if (type === "before-push") return { shim, env, ...(await pushOfHead(row, place, repository)) };
  if (type === "commit-msg")
    return { shim, env, args: [word(auxiliary ?? (await messageOfHead(scratch, place)))], stdin: null };
  return { shim, env, args: options.args.map(word), stdin: null };
}

/** A file with the message of HEAD, as if that commit were made again. */
async function messageOfHead(scratch: Scratch, { own, commit }: TrialPlace): Promise<string> {
  const file = join(scratch.gitDir, "COMMIT_EDITMSG");
  if (commit === null)
    throw new GatepostError("GP_USAGE", "There is no commit yet whose message could be shown to the hook.", {
      hint: "Name a file with a message: --aux-file FILE",
    });
  for await (const { message } of readCommits(own, [[commit]])) writeFileSync(file, toBuffer(message));
  return file;
}

async function askPush(
  home: OpenHome,
  row: RepositoryRow,
  repository: GitRepository,
  place: TrialPlace,
  about: About,
  material: Material,
  limits: Limits,
): Promise<Answer> {
  const scratch = openScratch(home, row, place, { ...about, place: { kind: "bare" } });
  try {
    const moves = asOnePush(material.receipts.length > 0 ? movesOf(material.receipts) : refRange(material.range).moves);
    const first = material.receipts[0]?.id;
    const before = first === undefined ? await beforeHead(row, repository, moves) : await refsBefore(home, row, first);
    const push = { id: "", subject: "", before, moves, env: pushVariables(material.receipts.at(-1)) };
    let last: Answer | null = null;
    const printed: Buffer[] = [];
    for await (const { answer } of tryPush(
      scratch,
      push,
      hookEnvironment(process.env, oneTrialDeeper(process.env)),
      limits,
    )) {
      printed.push(answer.output);
      if (last === null || last.verdict !== "refused" || answer.verdict === "interrupted") last = answer;
    }
    if (last !== null) return { ...last, output: Buffer.concat(printed) };
  } finally {
    scratch.remove();
  }
  throw new GatepostError("GP_USAGE", "No ref moved, so there is nothing to try the hook on.", {
    hint: "Push something first, or name other receipts with --base-rcvid and --new-rcvid.",
  });
}

/** Of each ref the first old value and the last new one. */
function asOnePush(moves: readonly Move[]): Move[] {
  const merged = new Map<ByteString, Move>();
  for (const move of moves) merged.set(move.ref, { ...move, old: merged.get(move.ref)?.old ?? move.old });
  return [...merged.values()].filter(({ old, new: value }) => old !== value);
}

async function beforeHead(row: RepositoryRow, repository: GitRepository, moves: readonly Move[]) {
  const refs = new Map(await repository.readRefs("all"));
  for (const { ref, old } of moves) moveRef(refs, ref, old);
  return withoutGone(row.path, refs);
}
