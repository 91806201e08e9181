/**
 * `gatepost check`: judges commits that are there already, as their before-commit and commit-msg hooks would have, where
 * nobody can be relied on to have been asked: in CI.
 *
 * The hooks are those of gatepost.json as it is in the work tree now and, where the repository is registered, those of its
 * home. No home is needed: each hook gets a scratch repository of its own (src/gate/scratch.ts), in which the commits are
 * set up one after another (src/gate/backtest.ts). The caller's work tree, index, refs and home are not written to, and
 * the scratches are removed however the call ends, but for kill -9.
 *
 * A commit is asked about by all hooks before the next one is: so a log shows the refusals in the order of the commits.
 * Unlike at a real commit, each hook finds the tree as it was committed, whatever another hook has done to it, and a
 * refusal keeps no other hook from saying what it has to say.
 *
 * Proven by test/e2e/check.test.ts.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { bySequence, type Hook } from "../core/hook.ts";
import { nativeHooks } from "../core/hook-type.ts";
import { HOME_NAME, layout } from "../core/layout.ts";
import { settingMillis, settingsFrom } from "../core/settings.ts";
import type { Answer, Limits } from "../gate/ask.ts";
import { type Tried, tryCommits } from "../gate/backtest.ts";
import { callerEnvironment, makeScratch, putHead, putRefs, type Scratch } from "../gate/scratch.ts";
import { installGates } from "../shim/install.ts";
import { repositoryByPath } from "../store/repository.ts";
import { type Commit, readCommits } from "../vcs/git/history.ts";
import { identifyGit, openGit } from "../vcs/git.ts";
import { toolsOf } from "./backtest.ts";
import { commitsToCheck, rangeFor } from "./check-range.ts";
import { hooksFor } from "./hooks.ts";
import { findRepository, homeOf } from "./locate.ts";
import { closeHome, displaced, openHome, programText } from "./open.ts";
import { readTeamFile, TEAM_FILE } from "./team-file.ts";
import { type TrialPlace, trialPlace } from "./try-place.ts";

export type CheckOptions = {
  /** A path in the work tree. */
  at: string;
  range: string | null;
  /** Only the hooks of gatepost.json. */
  teamOnly: boolean;
  signal: AbortSignal;
  /** Told of each commit, once all hooks have answered. */
  onChecked: (checked: Checked, done: number, total: number) => void;
};

/** A hook that judges, and where it is from. */
export type Judge = { from: "team" | "home"; hook: Hook };

export type Checked = {
  id: string;
  subject: string;
  author: string;
  answers: readonly { judge: Judge; answer: Answer }[];
};

export type Check = {
  range: string;
  judges: readonly Judge[];
  /** How many commits there are; fewer were checked where it was interrupted. */
  total: number;
  interrupted: boolean;
  /** A home of this repository whose hooks were left out, and why. */
  leftOut: string | null;
};

const TYPES = ["before-commit", "commit-msg"];
const KEEP = 32 * 1024;

/** Judges each commit of the range. GP_USAGE for a wrong range, GP_NO_HOOK where there is nothing to judge by; then nothing
 *  was run. */
export async function checkCommits(options: CheckOptions): Promise<Check> {
  const { at, signal, onChecked } = options;
  requireGit(at);
  const { gitDir, workTree, objectFormat } = await identifyGit(at);
  const place = await trialPlace({ path: gitDir, workTree }, at);
  const { judges, leftOut } = judgesFor(gitDir, place.root, options.teamOnly);
  const range = await rangeFor(place.own, options.range);
  const listed = await commitsToCheck(gitDir, place.own, range);
  const result = { range, judges, total: listed.length, leftOut };
  if (listed.length === 0) return { ...result, interrupted: false };
  const commits: Commit[] = [];
  for await (const commit of readCommits(gitDir, listed)) commits.push(commit);
  const scratches: Scratch[] = [];
  try {
    for (const { hook } of judges) scratches.push(await scratchFor(hook, gitDir, objectFormat, place));
    const env = callerEnvironment(process.env, toolsOf(place.root));
    const trials = scratches.map((scratch) => tryCommits(scratch, each(commits), place.head, env, limits(signal)));
    await inStep(trials, judges, commits, onChecked);
  } finally {
    for (const scratch of scratches) scratch.remove();
  }
  return { ...result, interrupted: signal.aborted };
}

function requireGit(at: string): void {
  if (findRepository(at)?.kind !== "fossil") return;
  throw new GatepostError("GP_USAGE", "check reads the history of Git; this is a Fossil repository.");
}

/** The hooks that judge, in the order in which a commit would ask them. */
function judgesFor(gitDir: string, root: string | null, teamOnly: boolean): Pick<Check, "judges" | "leftOut"> {
  const own = teamOnly ? { hooks: [], leftOut: null } : hooksOfHome(gitDir);
  const team = root === null ? null : readTeamFile(root);
  const judges: Judge[] = [
    ...own.hooks.map((hook) => ({ from: "home", hook }) as const),
    ...(team?.hooks ?? []).map((hook) => ({ from: "team", hook }) as const),
  ].filter(({ hook }) => TYPES.includes(hook.type) && hook.command !== null);
  if (judges.length === 0)
    throw new GatepostError(
      "GP_NO_HOOK",
      `There is nothing to judge by: ${team === null ? `there is no ${TEAM_FILE} here` : `${TEAM_FILE} has no before-commit or commit-msg hook`}${teamOnly ? "" : ", and no home with such a hook"}.`,
      { hint: own.leftOut ?? `What ${TEAM_FILE} can hold: docs/team.md` },
    );
  return { judges, leftOut: own.leftOut };
}

function hooksOfHome(gitDir: string): { hooks: Hook[]; leftOut: string | null } {
  const dir = homeOf({ kind: "git", path: gitDir });
  if (dir === null || !existsSync(layout(dir).database)) return { hooks: [], leftOut: null };
  const home = openHome(dir);
  try {
    const why = displaced(home);
    if (why !== null) return { hooks: [], leftOut: `The hooks of the home ${dir} were left out: ${why}.` };
    const row = repositoryByPath(home.db, gitDir);
    return { hooks: row === null ? [] : hooksFor(home, row).sort(bySequence), leftOut: null };
  } finally {
    closeHome(home);
  }
}

async function scratchFor(
  hook: Hook,
  repository: string,
  objectFormat: "sha1" | "sha256",
  { own, head }: TrialPlace,
): Promise<Scratch> {
  const { type } = hook;
  const scratch = makeScratch({
    ...{ repository, own, objectFormat, hook, type, place: { kind: "files" }, auxiliary: null },
    path: "", // of server gates
    program: "",
    install: (hooksFolder) => installGates(hooksFolder, nativeHooks(type)),
  });
  try {
    writeFileSync(layout(join(scratch.gitDir, HOME_NAME)).program, programText(), { mode: 0o755 });
    putHead(scratch, head);
    const refs = new Map(await openGit(repository).readRefs("all"));
    if ("branch" in head) refs.delete(head.branch);
    putRefs(scratch, refs);
    return scratch;
  } catch (error) {
    scratch.remove();
    throw error;
  }
}

function limits(signal: AbortSignal): Limits {
  const settings = settingsFrom(new Map());
  return { grace: settingMillis(settings, "grace"), drain: settingMillis(settings, "drain"), keep: KEEP, signal };
}

async function* each(commits: readonly Commit[]): AsyncGenerator<Commit> {
  yield* commits;
}

/** Asks all hooks about one commit, then about the next; until one of them was interrupted. */
async function inStep(
  trials: readonly AsyncGenerator<Tried>[],
  judges: readonly Judge[],
  commits: readonly Commit[],
  onChecked: CheckOptions["onChecked"],
): Promise<void> {
  try {
    for (const [index, commit] of commits.entries()) {
      const answers: { judge: Judge; answer: Answer }[] = [];
      let subject = "";
      for (const [n, judge] of judges.entries()) {
        const next = await trials[n]?.next();
        if (next === undefined || next.done === true || next.value.answer.verdict === "interrupted") return;
        ({ subject } = next.value);
        answers.push({ judge, answer: next.value.answer });
      }
      onChecked({ id: commit.id, subject, author: authorOf(commit), answers }, index + 1, commits.length);
    }
  } finally {
    await Promise.all(trials.map((trial) => trial.return(undefined)));
  }
}

const authorOf = ({ author }: Commit): string => {
  const { GIT_AUTHOR_NAME: name = "", GIT_AUTHOR_EMAIL: email = "" } = author;
  return `${name} <${email}>`;
};
