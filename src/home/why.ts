/**
 * Why a hook did or did not run: how far a commit or ref came, step by step, or the exact step where it stopped, with the
 * command that mends it.
 *
 * What is stored says nearly all of it: the receipt, its batch, and each hook's run, skipped ones with their reason. Where
 * there is no receipt, the repository, the spool and the hooks folder are asked why. Nothing is started but git, which
 * only reads, and nothing is changed, except that gate records which wait are stored before, as for every list of runs:
 * a push that was refused just now is told of too.
 *
 * Proven by test/e2e/why*.test.ts; what it costs with a million receipts: bench/why.mjs.
 */
import { type ByteString, displayText, fromText } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import type { Hook } from "../core/hook.ts";
import { typed } from "../core/shell-word.ts";
import type { ReceiptId } from "../core/units.ts";
import { receiptById } from "../store/receipt.ts";
import type { RefUpdate } from "../store/ref.ts";
import type { RepositoryRow } from "../store/repository.ts";
import { lastUpdateOf, ledgerValue, receiptsOfNative, updatesTo } from "../store/why.ts";
import { receivedAs } from "../vcs/fossil/received.ts";
import { commitNamed, type FoundCommit, named, reaching, refsReaching } from "../vcs/git/reaching.ts";
import { workTreeAt } from "../vcs/git/work-trees.ts";
import type { Rows } from "../vcs/repository.ts";
import { displaced, homeId, isOwner, type OpenHome } from "./open.ts";
import { isRegistered } from "./register.ts";
import { takeInGates } from "./runs.ts";
import { findArrivals } from "./why-find.ts";
import { commitGateSteps, pushGateSteps } from "./why-gates.ts";
import { type Asking, call, mend, pauseIn, type Step, step } from "./why-step.ts";
import type { Real } from "./why-unseen.ts";
import { type Came, oldStep, waitsForBackoffice, waySteps } from "./why-way.ts";

export type { Step } from "./why-step.ts";
export { labelOf } from "./why-step.ts";

/** `from`: a path in the work tree that is meant: HEAD is another commit in each. */
export type Question = { repository: RepositoryRow; word: string; hook: Hook | null; where: string; from: string };

/** `done`: each hook that was to get it is done with it, or has skipped it by its own rule. */
export type Why = {
  repository: string;
  subject: string;
  hash: string | null;
  ref: string | null;
  done: boolean;
  steps: Step[];
};

/** Answers. Throws GP_NO_COMMIT where nothing knows what is asked about, and GP_USAGE where it is not one thing. */
export async function why(home: OpenHome, { repository: row, word, hook, where, from }: Question): Promise<Why> {
  takeInGates(home);
  const asking: Asking = { home, row, hook, where, now: Date.now() as Asking["now"] };
  const found = row.kind === "fossil" ? await inFossil(asking, word) : await inGit(asking, word, from);
  const steps = [...homeSteps(asking), ...found.steps];
  const done = steps.every(({ state }) => state === "ok" || state === "skipped");
  return { repository: row.name, ...found, ref: found.ref === null ? null : displayText(found.ref), steps, done };
}

/** The batches and gates in which what is asked about arrived. */
export async function arrivedIn(home: OpenHome, question: Question): Promise<{ batches: number[]; gates: number[] }> {
  const { steps } = await why(home, question);
  return { batches: steps.flatMap(({ batch }) => batch ?? []), gates: steps.flatMap(({ gate }) => gate ?? []) };
}

type Answer = { subject: string; hash: string | null; ref: ByteString | null; steps: Step[] };

/** What is wrong with the home itself: then nothing of it runs, whatever else is said. */
function homeSteps(asking: Asking): Step[] {
  const { home, row } = asking;
  const init = mend("To run its hooks here", `gatepost init ${typed(row.path)}`);
  const why = displaced(home);
  if (why !== null)
    return [
      step("home", "stopped", `The home ${home.dir} was copied or moved: ${why}; its hooks do not run`, { mend: init }),
    ];
  if (isOwner(home.dir) && !isRegistered({ id: homeId(home), path: home.dir }))
    return [
      step("home", "stopped", `The home ${home.dir} is not in your register, so no push starts its backoffice`, {
        mend: init,
      }),
    ];
  if (row.parked !== null) {
    const says = `The backoffice cannot look at ${row.path}: ${row.parked.replace(/\.$/, "")}`;
    return [step("repository", "stopped", says, { mend: mend("Look closer", call(asking, "doctor")) })];
  }
  return [];
}

const notFound = (asking: Asking, word: string): GatepostError =>
  new GatepostError(
    "GP_NO_COMMIT",
    `${asking.row.name} has no commit or ref "${displayText(fromText(word))}", and no receipt tells of it.`,
    {
      hint: `It was not pushed here, git refused it, or it is gone since with its branch. What arrived last: ${call(asking, "runs")}`,
    },
  );

const notOne = (word: string): GatepostError =>
  new GatepostError("GP_USAGE", `More than one object begins with ${word}.`, {
    hint: "Give more digits of its hash.",
  });

const isZero = (value: string): boolean => /^0+$/.test(value);
const isHex = (word: string): boolean => /^[0-9a-f]{4,64}$/.test(word);
const short = (hash: string): string => hash.slice(0, 12);

async function inGit(asking: Asking, word: string, from: string): Promise<Answer> {
  const { row } = asking;
  const names = refNames(word);
  const gitDir = workTreeAt(row.path, from)?.gitDir ?? row.path;
  const [{ objects, ambiguous }, commit] = await Promise.all([
    named(gitDir, [word, ...names]),
    commitNamed(gitDir, word),
  ]);
  if (ambiguous) throw notOne(word);
  for (const [at, name] of names.entries()) {
    const ref = fromText(name);
    const value = objects[at + 1]?.hash ?? null;
    const answer = await ofRef(asking, ref, value);
    if (answer !== null) return answer;
  }
  const object = objects[0] ?? null;
  if (object === null) return unknownToGit(asking, word);
  const exact = updatesTo(asking.home.db, row.id, object.hash).filter(({ how }) => how !== "claimed");
  if (commit === null || (object.type === "tag" && exact.length > 0)) {
    if (exact.length === 0)
      throw new GatepostError("GP_USAGE", `${word} is a ${object.type}, not a commit.`, {
        hint: "Name the commit that brought it.",
      });
    return {
      subject: short(object.hash),
      hash: object.hash,
      ref: null,
      steps: await arrived(asking, short(object.hash), exact, commit),
    };
  }
  return ofCommit(asking, commit);
}

/** The full names that a word may stand for. */
function refNames(word: string): string[] {
  if (/[\s~^:?*[\\]|\.\.|@\{|^-|^$/.test(word) || word === "HEAD") return [];
  if (word.startsWith("refs/")) return [word];
  return [`refs/heads/${word}`, `refs/tags/${word}`, `refs/${word}`];
}

/** How the last move of a ref went on; null where neither the repository nor the home knows such a ref. */
async function ofRef(asking: Asking, ref: ByteString, value: string | null): Promise<Answer | null> {
  const { home, row } = asking;
  const last = lastUpdateOf(home.db, row.id, ref);
  const known = ledgerValue(home.db, row.id, ref);
  if (value === null && last === null && known === null) return null;
  const subject = value === null ? displayText(ref) : short(value);
  const answer = { subject, hash: value, ref };
  const isSeen = known === value || known?.startsWith("ref:") === true;
  if (last !== null && isSeen) return { ...answer, steps: await arrived(asking, subject, [last], null) };
  const real: Real = { ref, value };
  return { ...answer, steps: await unseen(asking, subject, [real]) };
}

/** Loaded only here: what looks at hooks folders and the spool is much, and what arrived needs none of it. */
const unseen = async (asking: Asking, subject: string, refs: readonly Real[]): Promise<Step[]> =>
  (await import("./why-unseen.ts")).unseenSteps(asking, subject, refs);

async function ofCommit(asking: Asking, commit: FoundCommit): Promise<Answer> {
  const { home, row } = asking;
  const subject = short(commit.hash);
  const answer = { subject, hash: commit.hash, ref: null };
  const { moves, before } = await findArrivals(home, row, commit);
  if (moves.length > 0) return { ...answer, steps: await arrived(asking, subject, moves, commit) };
  if (before) return { ...answer, steps: [oldStep(asking, subject)] };
  const refs = await refsReaching(row.path, commit.hash, 20);
  const known = refs.map(({ ref }) => ledgerValue(home.db, row.id, ref)).filter((value) => value !== null);
  const had = await reaching(row.path, commit.hash, new Set(known.filter(isHex)), new Set(known.filter(isHex)));
  if (had.size > 0) return { ...answer, steps: [oldStep(asking, subject)] };
  if (refs.length > 0) return { ...answer, steps: await unseen(asking, subject, refs) };
  const claimed = updatesTo(home.db, row.id, commit.hash);
  if (claimed.length > 0) {
    const says = `A shim told of ${subject}, but no ref reached it any more when the refs were looked at`;
    return { ...answer, steps: [step("receipt", "ok", says), ...(await arrived(asking, subject, claimed, commit))] };
  }
  const says = `${subject} is in ${row.name}, but no ref reaches it, and none was seen that did`;
  return { ...answer, steps: [...pushGateSteps(asking, commit.hash), step("receipt", "stopped", says)] };
}

/** What git does not have (any more): a push may have brought it, or a gate refused it. */
async function unknownToGit(asking: Asking, word: string): Promise<Answer> {
  const moves = isHex(word) ? updatesTo(asking.home.db, asking.row.id, word) : [];
  const [first] = moves;
  if (first !== undefined) {
    const same = moves.filter((move) => move.new === first.new);
    if (same.length < moves.length) throw notOne(word);
    const subject = short(first.new);
    const gone = step("repository", "ok", `${subject} is gone from ${asking.row.name} today`);
    return { subject, hash: first.new, ref: null, steps: [gone, ...(await arrived(asking, subject, same, null))] };
  }
  const judged = isHex(word) ? pushGateSteps(asking, word) : [];
  if (judged.length === 0) throw notFound(asking, word);
  const says = `${word} is not in ${asking.row.name}: a push was to bring it, and was not let in`;
  return { subject: word, hash: null, ref: null, steps: [...judged, step("receipt", "stopped", says)] };
}

/** A push that was refused before the one that came: it is told of, and stopped nothing. */
const overcome = (gate: Step): Step => (gate.state === "stopped" ? { ...gate, state: "ok" } : gate);

/** The steps of what these moves brought. */
async function arrived(
  asking: Asking,
  subject: string,
  moves: readonly RefUpdate[],
  commit: FoundCommit | null,
): Promise<Step[]> {
  const receipts = new Map<ReceiptId, RefUpdate[]>();
  for (const move of moves) receipts.set(move.receipt, [...(receipts.get(move.receipt) ?? []), move]);
  const came = [...receipts].map(
    ([receipt, own]): Came => ({
      receipt,
      refs: own.map(({ ref }) => ref),
      deleted: own.every((move) => isZero(move.new)),
    }),
  );
  const [first] = moves;
  const source = first === undefined ? null : receiptById(asking.home.db, first.receipt)?.source;
  const gates = [
    ...(commit === null || source === "push" ? [] : await commitGateSteps(asking, commit)),
    ...(first === undefined || isZero(first.new) ? [] : pushGateSteps(asking, first.new, 3).map(overcome)),
  ];
  const shims = source === "reconciled" ? await (await import("./why-unseen.ts")).shimSteps(asking) : [];
  return [...gates, ...shims, ...waySteps(asking, subject, came)];
}

async function inFossil(asking: Asking, word: string): Promise<Answer> {
  const { home, row } = asking;
  const found = await receivedAs(row.path, fromText(word));
  if (found === null) throw notFound(asking, word);
  const subject = short(found.hash);
  const answer = { subject, hash: found.hash, ref: null };
  const own = receiptsOfNative(home.db, row.id, found.rcvid).flatMap((id) => receiptById(home.db, id) ?? []);
  // A number that grew has several receipts: the artifact is in the one whose rows hold it.
  const receipt = own.find(({ rows }) => rows !== null && holds(JSON.parse(rows) as Rows, found.rid)) ?? own[0];
  if (receipt !== undefined)
    return { ...answer, steps: waySteps(asking, subject, [{ receipt: receipt.id, refs: [], deleted: false }]) };
  const read = row.watermark === null ? 0 : (JSON.parse(row.watermark) as { rcvid: number }).rcvid;
  if (found.rcvid <= read) return { ...answer, steps: [oldStep(asking, subject)] };
  const paused = pauseIn(row.paused, asking.now);
  const says = `${subject} came to ${row.name} with its receipt ${found.rcvid}, which no pass has read yet`;
  return { ...answer, steps: [waitsForBackoffice(asking, paused === null ? says : `${says} (${paused})`)] };
}

const holds = ({ low, high, more }: Rows, rid: number): boolean => (rid >= low && rid <= high) || more.includes(rid);
