/**
 * Which receipt brought a commit that is no tip of a push. The ledger notes only the values of refs, so the history is
 * asked which of them reach it: beginning with the first moves that are not older than the commit, in pages that grow,
 * each with one start of git. A commit is dated before it is pushed, so the first page nearly always has it, and git
 * walks no further than the page is long. The page before the date is asked as well, since clocks differ by minutes.
 *
 * Where the commit's date lies (a clock that was ahead, a rebase that kept dates), the first move of the page to have it
 * comes from a value that had it before: then the pages are gone through the other way.
 *
 * Reads only. Proven by test/e2e/why-find.test.ts; what it costs: bench/why.mjs.
 */
import type { ReceiptId } from "../core/units.ts";
import type { RefUpdate } from "../store/ref.ts";
import type { RepositoryRow } from "../store/repository.ts";
import { movesFrom, receiptsFrom, updatesTo } from "../store/why.ts";
import { type FoundCommit, reaching, refsReaching } from "../vcs/git/reaching.ts";
import type { OpenHome } from "./open.ts";

/** `moves`: what brought the commit to each ref, oldest first, as far as that was near the first of them or it was their
 *  new value. `before`: a ref had it before its first receipt that is still known. */
export type Found = { moves: RefUpdate[]; before: boolean };

const FIRST_PAGE = 64;
const GROWTH = 8;
/** A commit that no ref reaches today is not looked for further than this from its date. */
const FAR = 20_000;

const isHash = (value: string): boolean => /^[0-9a-f]+$/.test(value) && !/^0+$/.test(value);

/** Finds the receipts with which a commit came. */
export async function findArrivals({ db }: OpenHome, row: RepositoryRow, commit: FoundCommit): Promise<Found> {
  const exact = updatesTo(db, row.id, commit.hash).filter(({ how }) => how !== "claimed");
  const dated = receiptsFrom(db, row.id, commit.committedAt * 1000);
  const known = exact[0]?.receipt ?? null;
  const search = { db, row, commit: commit.hash, dated, known };
  const isDateWrong = known !== null && known < dated;
  let page = isDateWrong ? NOTHING : await onward(search);
  // One page before the date in any case: the clock of whoever committed may be some minutes ahead of this machine's.
  page = (await backward(search, page.moves.length === 0 && !page.earlier && known === null)) ?? page;
  if (page.earlier) return { moves: [], before: true };
  const met = new Set(page.moves.map(({ ref }) => ref));
  return { moves: [...page.moves, ...exact.filter(({ ref }) => !met.has(ref))].sort(byReceipt), before: false };
}

const byReceipt = (a: RefUpdate, b: RefUpdate): number => a.receipt - b.receipt;

type Search = Pick<OpenHome, "db"> & {
  row: RepositoryRow;
  commit: string;
  /** No receipt before this one is as young as the commit. */
  dated: ReceiptId;
  /** The first receipt that has the commit as a new value. */
  known: ReceiptId | null;
};

/** The first move to have it on each ref. `earlier`: one of these refs had it before. */
type Page = { moves: RefUpdate[]; earlier: boolean };
const NOTHING: Page = { moves: [], earlier: false };

async function onward({ db, row, commit, dated }: Search): Promise<Page> {
  let far: boolean | null = null;
  for (let [offset, limit] = [0, FIRST_PAGE]; ; [offset, limit] = [offset + limit, limit * GROWTH]) {
    const moves = movesFrom(db, { repository: row.id, receipt: dated, limit, offset, back: false });
    const page = await judge(row.path, commit, moves);
    if (page.moves.length > 0 || page.earlier || moves.length < limit) return page;
    far ??= offset > 0 && (await refsReaching(row.path, commit, 1)).length === 0;
    if (far && offset > FAR) return NOTHING;
  }
}

/** The pages before the commit's date; null where none of them has it. With `far` it is looked for in all of them, else
 *  as long as they have it. */
async function backward({ db, row, commit, dated, known }: Search, far: boolean): Promise<Page | null> {
  const receipt = known === null ? dated : Math.min(dated, known);
  let found: Page | null = null;
  let goesOn = far;
  for (let [offset, limit] = [0, FIRST_PAGE]; ; [offset, limit] = [offset + limit, limit * GROWTH]) {
    const moves = movesFrom(db, { repository: row.id, receipt, limit, offset, back: true });
    const page = await judge(row.path, commit, moves.reverse());
    if (page.moves.length > 0 || page.earlier) found = page;
    if (moves.length < limit || (found === null ? !goesOn : !page.earlier)) return found;
    if (found === null && offset === 0) goesOn = (await refsReaching(row.path, commit, 1)).length > 0;
  }
}

/** Which of these moves, oldest first, brought the commit to a ref that did not have it. */
async function judge(gitDir: string, commit: string, moves: readonly RefUpdate[]): Promise<Page> {
  const values = new Set(moves.flatMap((move) => [move.new, move.old]).filter(isHash));
  if (values.size === 0) return NOTHING;
  // Only a branch can be at nothing but a commit: tags may be pushed to any other ref, and lie below a namespace, too.
  const tags = moves.filter(({ ref }) => !ref.startsWith("refs/heads/")).flatMap((move) => [move.new, move.old]);
  const have = await reaching(gitDir, commit, values, new Set(tags.filter(isHash)));
  const met = new Set<string>();
  const page: Page = { moves: [], earlier: false };
  for (const move of moves) {
    if (met.has(move.ref) || !(have.has(move.new) || have.has(move.old))) continue;
    met.add(move.ref);
    if (have.has(move.old)) page.earlier = true;
    else page.moves.push(move);
  }
  return page;
}
