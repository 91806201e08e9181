/**
 * What reached a repository without passing the gates it had then: commits nobody's hooks judged (--no-verify,
 * cherry-pick, revert, rebase, am, shims that are not installed or shadowed), and in a bare repository refs that moved
 * without a push that passed. From the ledger; see core/ungated.ts for what vouches for what, and core/made-here.ts for
 * whose commits are judged. Changes nothing but that gate records which wait are stored before, as for every list of runs.
 *
 * Git is started a handful of times for each repository, however many commits there are. Proven by test/e2e/ungated.test.ts.
 */
import { followedRefs } from "../backoffice/settle.ts";
import type { ByteString } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import { tracedAsFetched, tracedAsMade } from "../core/made-here.ts";
import {
  COMMIT_GATES,
  type CommitGate,
  existed,
  gateStretches,
  madeWithin,
  movedUngated,
  type Stretch,
  vouchedFor,
} from "../core/ungated.ts";
import type { Instant, ReceiptId } from "../core/units.ts";
import { gatesKeptSince, passedCommitGates, passedUpdates } from "../store/gate.ts";
import { listHooks, readAudit } from "../store/hook.ts";
import { type Receipt, receiptsBetween } from "../store/receipt.ts";
import { readLedger, updatesOfReceipt, valuesAt } from "../store/ref.ts";
import { listRepositories, type RepositoryRow } from "../store/repository.ts";
import { openGit } from "../vcs/git.ts";
import type { Commit, GitRepository, Person, ReflogEntry } from "../vcs/repository.ts";
import { lookNow } from "./catch-up.ts";
import { homeSettings, type OpenHome } from "./open.ts";
import { takeInGates } from "./runs.ts";
import { type Arrival, LISTED } from "./what.ts";

/** A commit on a branch that no record of a gate vouches for. `at` is the committer's date. */
export type UngatedCommit = {
  kind: "commit";
  repository: string;
  at: Instant;
  commit: string;
  author: Person;
  branch: ByteString;
  subject: ByteString;
  /** The types that should have judged it and did not. */
  missing: CommitGate[];
  receipt: ReceiptId;
};

/** A move of a ref of a bare repository that no passed push vouches for. `at` is when it was received or found. */
export type UngatedUpdate = {
  kind: "update";
  repository: string;
  at: Instant;
  receipt: ReceiptId;
  source: Receipt["source"];
  ref: ByteString;
  old: string;
  new: string;
  user: ByteString | null;
};

export type Ungated = {
  /** Newest first, no more than were asked for. */
  lines: (UngatedCommit | UngatedUpdate)[];
  /** How many there are in all. */
  total: number;
  /** Commits without a record that are not held against anybody here: by others, or made elsewhere. */
  notJudged: number;
  /** Refs that differ from the ledger: what moved them is not in the list yet. */
  moved: number;
  /** Names of repositories that could not be read, and why. Empty where only one was asked for: then that is thrown. */
  unreadable: { repository: string; why: string }[];
};

export type UngatedFilter = { repository: RepositoryRow | null; since: Instant | null; limit: number };

/** Lists what went round the gates, of one repository or of all of the home. Gate records that wait are stored before. */
export async function listUngated(home: OpenHome, { repository, since, limit }: UngatedFilter): Promise<Ungated> {
  if (repository !== null && repository.kind !== "git")
    throw new GatepostError(
      "GP_USAGE",
      `${repository.name} is a ${repository.kind} repository; --ungated reads Git's history.`,
      {
        hint: "The gates that ran there: gatepost runs",
      },
    );
  takeInGates(home);
  await lookNow(home); // nothing starts a pass where gates are all there is
  const found: Ungated = { lines: [], total: 0, notJudged: 0, moved: 0, unreadable: [] };
  const rows = repository === null ? listRepositories(home.db).filter(({ kind }) => kind === "git") : [repository];
  for (const row of rows) {
    try {
      await listOf(home, row, since ?? 0, found);
    } catch (error) {
      if (repository !== null || !(error instanceof GatepostError)) throw error;
      found.unreadable.push({ repository: row.name, why: error.message });
    }
  }
  found.lines.sort((a, b) => b.at - a.at || b.receipt - a.receipt);
  return { ...found, lines: found.lines.slice(0, limit), total: found.lines.length };
}

async function listOf(home: OpenHome, row: RepositoryRow, since: number, found: Ungated): Promise<void> {
  const stretchesOf = gateReader(home, row);
  const commitGates = { "before-commit": stretchesOf("before-commit"), "commit-msg": stretchesOf("commit-msg") };
  const receiveGates = row.workTree === null ? stretchesOf("before-receive") : [];
  const first = Math.min(
    ...[...commitGates["before-commit"], ...commitGates["commit-msg"], ...receiveGates].map(({ from }) => from),
  );
  if (!Number.isFinite(first)) return;
  const repository = openGit(row.path);
  const settings = homeSettings(home);
  const kept = gatesKeptSince(home.db, row.id, Number(settings["retention-runs"])) ?? 0;
  const from = Math.max(since, kept);
  if (repository.fingerprint(row.fingerprint, Date.now()).changed) {
    const real = await repository.readRefs(followedRefs({ settings }, row));
    found.moved += differing(readLedger(home.db, row.id), real);
  }
  const receipts = receiptsBetween(home.db, row.id, 0, Number.MAX_SAFE_INTEGER)
    .filter(({ at }) => at >= first)
    .map((receipt) => ({
      ...receipt,
      updates: updatesOfReceipt(home.db, receipt.id).filter(({ how }) => how !== "claimed"),
    }));
  if (receipts.length === 0) return;
  if (receiveGates.length > 0) found.lines.push(...updatesOf(home, row, receipts, receiveGates, from));
  await commitsOf(home, row, repository, receipts, commitGates, from, found);
}

/** When gates of a type existed for a repository. */
function gateReader(home: OpenHome, row: RepositoryRow): (type: string) => Stretch[] {
  const changes = readAudit(home.db);
  const hooks = listHooks(home.db);
  return (type) => gateStretches(changes, hooks, type, row);
}

function differing(known: ReadonlyMap<ByteString, string>, real: ReadonlyMap<ByteString, string>): number {
  const names = new Set([...known.keys(), ...real.keys()]);
  return [...names].filter((name) => known.get(name) !== real.get(name)).length;
}

function updatesOf(
  home: OpenHome,
  row: RepositoryRow,
  receipts: readonly Arrival[],
  gates: readonly Stretch[],
  from: number,
): UngatedUpdate[] {
  const moves = receipts
    .filter(({ source }) => source !== "work") // a commit in a linked work tree: the gates of commits judge it
    .flatMap(({ updates, id, at, source, user }) =>
      updates.map(({ ref, old, new: value }) => ({ receipt: id, at, source, user, ref, old, new: value })),
    );
  return movedUngated(moves, passedUpdates(home.db, row.id), LISTED)
    .filter(({ at }) => at >= from && existed(gates, at, at))
    .map((move) => ({ kind: "update" as const, repository: row.name, ...move }));
}

type Arrived = { receipt: Arrival; branch: ByteString };

/** Adds the commits that came with these receipts and that nothing vouches for. */
async function commitsOf(
  home: OpenHome,
  row: RepositoryRow,
  repository: GitRepository,
  receipts: readonly Arrival[],
  gates: Record<CommitGate, Stretch[]>,
  from: number,
  found: Ungated,
): Promise<void> {
  if (COMMIT_GATES.every((type) => gates[type].length === 0)) return;
  const isLocal = ({ source }: Receipt): boolean => (row.workTree === null ? source === "work" : source !== "push");
  if (!receipts.some(isLocal)) return;
  const branches = receipts.flatMap(({ updates }) => updates).filter(({ ref }) => ref.startsWith("refs/heads/"));
  const base = valuesAt(home.db, row.id, ((receipts[0]?.id ?? 1) - 1) as ReceiptId);
  const [commits, reflogs, persons] = await Promise.all([
    repository.commits({ moves: branches, base }),
    repository.reflogs(),
    repository.configuredPersons(),
  ]);
  const writtenAt = remembered((hash) => repository.writtenAt(hash));
  const vouched = vouchedFor(inOrder(commits, reflogs), passedCommitGates(home.db, row.id), writtenAt);
  const isOurs = judgedHere(commits, reflogs, persons, vouched);
  const arrived = arrivalsOf(commits, receipts);
  for (const commit of commits) {
    const at = (commit.committedAt * 1000) as Instant;
    const [after, before] = madeWithin(commit.committedAt, writtenAt(commit.hash));
    const missing = COMMIT_GATES.filter(
      (type) => !vouched[type].has(commit.hash) && existed(gates[type], after, before),
    );
    const arrival = arrived.get(commit.hash);
    if (missing.length === 0 || arrival === undefined || at + 999 < from) continue;
    if (!isLocal(arrival.receipt) || !isOurs(commit)) {
      found.notJudged++;
      continue;
    }
    const { hash, author, subject } = commit;
    const where = { repository: row.name, branch: arrival.branch, receipt: arrival.receipt.id };
    found.lines.push({ kind: "commit", at, commit: hash, author, subject, missing, ...where });
  }
}

function remembered(ask: (hash: string) => number | null): (hash: string) => number | null {
  const known = new Map<string, number | null>();
  return (hash) => {
    const answer = known.get(hash);
    if (answer !== undefined) return answer;
    const asked = ask(hash);
    known.set(hash, asked);
    return asked;
  };
}

/** All commits a record may be of, each once, as they were made: also those that an amendment or a rebase replaced. */
function inOrder(commits: readonly Commit[], reflogs: readonly ReflogEntry[]): Commit[] {
  const heads = reflogs.filter(({ ref }) => /(?:^|\/)HEAD$/.test(ref)).reverse();
  const known = new Map(heads.map(({ commit }) => [commit.hash, commit]));
  for (const commit of commits) known.set(commit.hash, commit);
  return [...known.values()].sort((a, b) => a.committedAt - b.committedAt);
}

/** Whether a commit without a record is held against the people of this clone. */
function judgedHere(
  commits: readonly Commit[],
  reflogs: readonly ReflogEntry[],
  persons: readonly Person[],
  vouched: Record<CommitGate, ReadonlyMap<string, unknown>>,
): (commit: Commit) => boolean {
  const idOf = ({ name, email }: Person): string => `${name}\0${email}`;
  const gated = commits.filter(({ hash }) => COMMIT_GATES.some((type) => vouched[type].has(hash)));
  const traces = reflogs.map(({ commit, ref, how }) => ({ commit: commit.hash, ref, how }));
  const made = tracedAsMade(traces);
  const fetched = tracedAsFetched(traces, new Map(commits.map(({ hash, parents }) => [hash, parents])));
  const ours = new Set(
    [...persons, ...reflogs.map(({ by }) => by), ...gated.map(({ committer }) => committer)].map(idOf),
  );
  return ({ hash, committer }) => made.has(hash) || (ours.has(idOf(committer)) && !fetched.has(hash));
}

/** With which receipt each commit came, and on which branch. Every commit is visited once. */
function arrivalsOf(commits: readonly Commit[], receipts: readonly Arrival[]): Map<string, Arrived> {
  const parents = new Map(commits.map(({ hash, parents }) => [hash, parents]));
  const arrived = new Map<string, Arrived>();
  for (const receipt of receipts)
    for (const { ref, new: value } of receipt.updates) {
      if (!ref.startsWith("refs/heads/")) continue;
      const open = [value];
      for (let hash = open.pop(); hash !== undefined; hash = open.pop()) {
        const before = parents.get(hash);
        if (before === undefined || arrived.has(hash)) continue;
        arrived.set(hash, { receipt, branch: ref });
        open.push(...before);
      }
    }
  return arrived;
}
