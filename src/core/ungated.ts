/**
 * Which commits and pushes went round the gates. Pure: rows of the home and facts of commits in, answers out.
 *
 * A gate leaves a record when it ran; a commit does not say which record is its own. What joins them:
 *   1. A gate of a type existed at a time if the audit of hooks says that an enabled hook of the type was there.
 *   2. Git exports author, email and date of the commit to its hooks, before there is a hash. A record vouches for at most
 *      one commit with that author and date: a commit, its amendments, its picked copies, and whatever a script commits
 *      in the same second. Records and commits of one author and date are joined in their order, each record with the
 *      commit that was written next after its gate (core/align.ts). A gate after which another one ran before anything
 *      was written belongs to a commit that was given up, and must not lend its record to one that went round.
 *   3. Dates of commits are whole seconds. Git takes a commit's date when it starts, or, where the author's date is given
 *      (--amend, -C), when before-commit has ended; then the editor may stay open for hours, and commit-msg runs. So a
 *      commit is dated within a second of its before-commit gate, and not after its commit-msg gate.
 *   4. `git merge` exports nothing; its records vouch for the next commit with several parents that has none.
 *   5. In doubt nobody is accused: in the second in which a hook was added, only a commit whose file tells that it was
 *      written later counts.
 * A date that was set by hand (GIT_COMMITTER_DATE) is believed; who does that can hide a commit among older ones.
 *
 * Nothing here is stored, so nothing can be half done. Proven by test/core/ungated.test.ts (with a property) and
 * test/e2e/ungated.test.ts.
 */
import { align } from "./align.ts";
import { covers, type Hook, matchesPattern, patternsOf } from "./hook.ts";
import { HOUR, type HookId, type Instant, type RepositoryId } from "./units.ts";

/** The types that judge a commit. */
export const COMMIT_GATES = ["before-commit", "commit-msg"] as const;
export type CommitGate = (typeof COMMIT_GATES)[number];

/** A change of a hook; `new` is the hook after it as JSON in export's format, null when it was deleted. */
export type HookChange = { at: Instant; hook: HookId; new: string | null };
/** From `from` until before `to`. */
export type Stretch = { from: number; to: number };

/** When an enabled hook of that type covered the repository, by the changes in their order. `hooks` are those there are
 *  now: one that is gone though nobody deleted it went with its repository, and is left out. */
export function gateStretches(
  changes: readonly HookChange[],
  hooks: readonly Hook[],
  type: string,
  repository: { id: RepositoryId; name: string },
): Stretch[] {
  const present = new Map(hooks.map((hook) => [hook.id, hook]));
  const last = new Map(changes.map((change) => [change.hook, change]));
  const isGone = (id: HookId): boolean => !present.has(id) && last.get(id)?.new !== null;
  const open = new Map<HookId, number>();
  const stretches: Stretch[] = [];
  for (const change of changes) {
    if (isGone(change.hook)) continue;
    const from = open.get(change.hook);
    const on = change.new !== null && isGateFor(change.new, type, repository, present.get(change.hook));
    if (on && from === undefined) open.set(change.hook, change.at);
    if (on || from === undefined) continue;
    open.delete(change.hook);
    stretches.push({ from, to: change.at });
  }
  for (const from of open.values()) stretches.push({ from, to: Number.POSITIVE_INFINITY });
  return joined(stretches);
}

function isGateFor(
  json: string,
  type: string,
  repository: { id: RepositoryId; name: string },
  now: Hook | undefined,
): boolean {
  const hook = JSON.parse(json) as { type?: unknown; all?: unknown; pattern?: unknown; repository?: unknown };
  if (hook.type !== type) return false;
  if (hook.all === true) return true;
  const patterns = [hook.pattern ?? []].flat() as string[];
  if (patterns.length > 0) return patterns.flatMap(patternsOf).some((one) => matchesPattern(one, repository.name));
  // By its name then; a hook that is still for one repository is better asked by id, which a new name leaves alone.
  return now?.scope.scope === "repository" ? covers(now.scope, repository) : hook.repository === repository.name;
}

function joined(stretches: Stretch[]): Stretch[] {
  const result: Stretch[] = [];
  for (const { from, to } of stretches.sort((a, b) => a.from - b.from)) {
    const before = result.at(-1);
    if (before !== undefined && from <= before.to) before.to = Math.max(before.to, to);
    else result.push({ from, to });
  }
  return result;
}

/** Whether a gate existed the whole time from one instant to another. */
export const existed = (stretches: readonly Stretch[], from: number, to: number): boolean =>
  stretches.some((stretch) => stretch.from <= from && to < stretch.to);

/** Of a commit of which only the second is known, and perhaps when its file was written: the time in which it was made,
 *  as exactly as can be told. */
export function madeWithin(committedAt: number, written: number | null): [from: number, to: number] {
  const second = committedAt * 1000;
  if (written === null || written < second) return [second, second + 999];
  const at = Math.min(written, second + 999);
  return [at, at];
}

/** What is known of a commit; dates in seconds since 1970. */
export type Dated = {
  hash: string;
  parents: readonly string[];
  author: { name: string; email: string };
  authoredAt: number;
  committedAt: number;
};

/** A gate of a commit that passed. */
export type Passed = {
  type: string;
  native: string;
  at: number;
  took: number;
  authorName: string | null;
  authorEmail: string | null;
  authorDate: string | null;
};

/**
 * For which commit each record vouches: of each type the hashes that have one, each with it. `records` in the order in which they
 * were left, `commits` in the order in which they were made, as far as that is known, those since given up included. `writtenAt` is asked of commits
 * that share author and date with a record, and of merges; maybe twice.
 */
export function vouchedFor<R extends Passed>(
  commits: readonly Dated[],
  records: readonly R[],
  writtenAt: (hash: string) => number | null,
): Record<CommitGate, Map<string, R>> {
  const groups = new Map<string, Dated[]>();
  const merges: Dated[] = [];
  for (const commit of commits) {
    const key = authorKey(commit.author.name, commit.author.email, commit.authoredAt);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [commit]);
    else group.push(commit);
    if (commit.parents.length > 1) merges.push(commit);
  }
  const vouched = { "before-commit": new Map<string, R>(), "commit-msg": new Map<string, R>() };
  const byKey = new Map<string | null, Gate<R>[]>();
  for (const record of records) {
    const key = keyOf(record);
    const list = byKey.get(key);
    const before = list?.at(-1);
    // The message of the same commit was judged later, after the editor: that is nearer to when the commit was written.
    if (record.type === "commit-msg" && before?.record.type === "before-commit")
      before.end = Math.max(before.end, record.at);
    if (list === undefined) byKey.set(key, [{ record, end: record.at }]);
    else list.push({ record, end: record.at });
  }
  const nameless = byKey.get(null) ?? [];
  byKey.delete(null);
  for (const [key, list] of byKey)
    for (const type of COMMIT_GATES) join(list, groups.get(key ?? "") ?? [], type, vouched[type], writtenAt);
  for (const type of COMMIT_GATES) join(nameless, merges, type, vouched[type], writtenAt);
  return vouched;
}

const authorKey = (name: string, email: string, at: number): string => `${name}\0${email}\0${at}`;

/** The author that git exported; null where it exported none, and the variables are what the caller happened to have. */
function keyOf({ native, authorName, authorEmail, authorDate }: Passed): string | null {
  const [, at] = /^@(\d+) [+-]\d{4}$/.exec(authorDate ?? "") ?? [];
  return native === "pre-merge-commit" || at === undefined
    ? null
    : authorKey(authorName ?? "", authorEmail ?? "", Number(at));
}

/** A gate tells the time in steps of 10 ms, and clocks of files lag a little: so much may a commit seem to be older. */
const BLUR = 20;
/** For so long a merge may wait for its editor. */
const EDITING = 12 * HOUR;
/** More than any pair costs: a record is left alone where it cannot be joined, or where that makes others worse. */
const ALONE = 150;
/** So many records are joined at once. Scripts that set dates can give thousands of commits the same. */
const AT_ONCE = 500;

/** A record, and until when the gates of its commit ran. */
type Gate<R extends Passed = Passed> = { record: R; end: number };
type Written = { commit: Dated; at: number | null };

function join<R extends Passed>(
  records: readonly Gate<R>[],
  group: readonly Dated[],
  type: CommitGate,
  taken: Map<string, R>,
  writtenAt: (hash: string) => number | null,
): void {
  const gates = records.filter(({ record }) => record.type === type);
  const free = gates.length === 0 ? [] : group.filter(({ hash }) => !taken.has(hash));
  const order = ({ commit, at }: Written): number => at ?? commit.committedAt * 1000 + 999;
  let left = free.map((commit): Written => ({ commit, at: writtenAt(commit.hash) }));
  left.sort((a, b) => order(a) - order(b));
  for (let at = 0; at < gates.length && left.length > 0; at += AT_ONCE) {
    const some = gates.slice(at, at + AT_ONCE);
    const partners = align(some, left.slice(0, 2 * AT_ONCE), costOf, ALONE);
    for (const [index, { record }] of some.entries()) {
      const joined = left[partners[index] ?? -1];
      if (joined !== undefined) taken.set(joined.commit.hash, record);
    }
    left = left.slice((partners.findLast((partner) => partner !== null) ?? -1) + 1);
  }
}

/** How unlikely it is that a commit is the one a gate judged: about the milliseconds between them while these are few. */
function costOf({ record, end }: Gate, { commit, at }: Written): number {
  if (at !== null && at < end - BLUR) return Number.POSITIVE_INFINITY;
  // Written as soon as its gates ended: its own, whatever its date. `rebase --committer-date-is-author-date` sets it.
  if ((at === null || at - end >= 1000) && !isDatedBy(commit, record)) return Number.POSITIVE_INFINITY;
  if (at === null) return 100 + Math.min(40, Math.abs(end - commit.committedAt * 1000 - 500) / 100);
  const later = at - end;
  if (later < 0) return -3 * later;
  return later < 100 ? later : 100 + Math.min(40, 10 * Math.log2(later / 100));
}

/** Whether the date of the commit can be that of a commit which this gate judged. */
function isDatedBy({ committedAt }: Dated, record: Passed): boolean {
  const isNotOlder = record.type === "commit-msg" || committedAt >= Math.floor((record.at - record.took) / 1000) - 1;
  if (keyOf(record) === null) return isNotOlder && Math.abs(committedAt * 1000 - record.at) < EDITING;
  return isNotOlder && committedAt <= Math.floor(record.at / 1000) + 1;
}

/** What a receipt did to one ref. */
export type Moved = { receipt: number; at: number; ref: string; new: string };
/** What a push that passed its gate was to do to one ref. */
export type Allowed = { gate: number; at: number; ref: string; new: string };

/**
 * The moves of refs, oldest first, that no passed push vouches for. Each line of a gate's record vouches for one: the first
 * of that ref to that value which was received after it. `listed` is how many lines a record has at most; of a longer
 * push it vouches for whatever else came in the same receipt.
 */
export function movedUngated<M extends Moved>(moves: readonly M[], allowed: readonly Allowed[], listed: number): M[] {
  const key = (ref: string, value: string): string => `${value} ${ref}`;
  const waiting = new Map<string, Allowed[]>();
  const lines = new Map<number, number>();
  for (const line of allowed) {
    lines.set(line.gate, (lines.get(line.gate) ?? 0) + 1);
    const list = waiting.get(key(line.ref, line.new));
    if (list === undefined) waiting.set(key(line.ref, line.new), [line]);
    else list.push(line);
  }
  const whole = new Set<number>();
  const left = moves.filter((move) => {
    const list = waiting.get(key(move.ref, move.new));
    const line = list?.[0];
    if (line === undefined || line.at > move.at + BLUR) return true;
    list?.shift();
    if ((lines.get(line.gate) ?? 0) >= listed) whole.add(move.receipt);
    return false;
  });
  return left.filter(({ receipt }) => !whole.has(receipt));
}
