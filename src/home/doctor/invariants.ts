/**
 * Whether a home keeps its promises: I1 to I14, as far as they leave something that can be looked at afterwards, in the
 * database, the spool, the folder of auxiliary files, the repositories and the list of processes. Nothing is changed.
 *
 * A home that is at work changes while we look. So the database is read as of one moment, files are listed before it
 * and looked at again after it, and what may be just happening (an entry that came this minute, a ref that nobody has
 * looked at yet) breaks no promise. With `settled` the caller says that nothing happens: then it does. With `complete` it
 * says that nothing was ever deleted, replaced or registered anew, so that the whole past is judged.
 *
 * Proven by test/fault/invariants.test.ts, in which each promise is broken by hand.
 */
import { existsSync, lstatSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { followedRefs } from "../../backoffice/settle.ts";
import { isStaleAuxiliary } from "../../backoffice/stale-auxiliary.ts";
import { displayText } from "../../core/bytes.ts";
import { GatepostError, isSystemError } from "../../core/errors.ts";
import { covers } from "../../core/hook.ts";
import { typed } from "../../core/shell-word.ts";
import { VARIABLES } from "../../core/substitute.ts";
import { MINUTE, type RunId } from "../../core/units.ts";
import { carriersOf } from "../../process/carriers.ts";
import { namesIn } from "../../shim/look-in.ts";
import { entryNames } from "../../spool/drain.ts";
import { snapshot } from "../../store/database.ts";
import { listHooks } from "../../store/hook.ts";
import { brokenIn, sessionOfRun } from "../../store/invariants.ts";
import { readLease } from "../../store/lease.ts";
import { unfinishedRuns } from "../../store/prune.ts";
import { waitingReceipts } from "../../store/receipt.ts";
import { readLedger } from "../../store/ref.ts";
import { listRepositories, type RepositoryRow, repositoryById } from "../../store/repository.ts";
import { openGit } from "../../vcs/git.ts";
import { homeSettings, type OpenHome } from "../open.ts";
import { counted, FIX, few, type Level } from "./finding.ts";

/** A promise that is broken ("fail"), or that waits for somebody ("warn"). */
export type Violation = { promise: string; level: Exclude<Level, "ok">; says: string; mend: string };

/** How much the caller knows of the home. */
export type Judging = {
  /** Nothing was ever pruned, replaced or registered anew: all of the past is judged. */
  complete?: boolean;
  /** A pass has just ended and nothing else goes on: nothing may wait. */
  settled?: boolean;
};

/** The promises that are judged. */
export const JUDGED = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I9", "I10", "I14"] as const;

/** The broken promises of a home. Changes nothing, may take seconds, and may be called while it is at work. */
export async function invariants(home: OpenHome, judging: Judging = {}): Promise<Violation[]> {
  const found = [...fromDatabase(home, judging), ...fromSpool(home, judging), ...fromAuxiliary(home)];
  found.push(...fromProcesses(home));
  for (const row of listRepositories(home.db)) {
    if (judging.settled) found.push(...fromWaiting(home, row));
    if (row.kind === "git" && row.parked === null) found.push(...(await fromRefs(home, row, judging)));
  }
  return found;
}

const REPORT = "Keep a copy (gatepost backup FILE) and report it; the backoffice goes on";

function fromDatabase({ db }: OpenHome, { complete = false }: Judging): Violation[] {
  return snapshot(db, () => brokenIn(db, { complete })).map(({ promise, what, where }) => {
    return { promise, level: "fail", says: `${what}: ${few(where)}.`, mend: REPORT };
  });
}

/** Entries that nobody fetched. An embargo holds back batches, never entries. */
function fromSpool({ layout: { spool } }: OpenHome, { settled = false }: Judging): Violation[] {
  const old = entryNames(spool).filter((name) => {
    const stat = lstatSync(join(spool, name), { throwIfNoEntry: false });
    return stat !== undefined && (settled || Math.abs(Date.now() - stat.mtimeMs) > MINUTE);
  });
  if (old.length === 0) return [];
  const says = `${counted(old.length, "entry")} of the spool ${old.length === 1 ? "waits" : "wait"} for a backoffice: ${few(old)}.`;
  return [{ promise: "I1", level: settled ? "fail" : "warn", says, mend: "gatepost backoffice" }];
}

function fromWaiting({ db }: OpenHome, row: RepositoryRow): Violation[] {
  const heard = listHooks(db).some((hook) => hook.type === "after-receive" && covers(hook.scope, row));
  const waiting = heard && row.embargo === null ? waitingReceipts(db, row.id, row.cursor) : [];
  const ids = waiting.filter(({ moreExpected }) => !moreExpected).map(({ id }) => `receipt ${id}`);
  if (ids.length === 0) return [];
  const says = `What arrived in ${row.name} was not cut into a batch: ${few(ids)}.`;
  return [{ promise: "I1", level: "fail", says, mend: "gatepost backoffice" }];
}

/** Files for hooks whose runs are over. */
function fromAuxiliary(home: OpenHome): Violation[] {
  const stale = staleAuxiliaries(home);
  if (stale.length === 0) return [];
  const says = `Files of runs that are over were left in ${home.layout.auxiliary}: ${few(stale.map((path) => basename(path)))}.`;
  return [{ promise: "I14", level: "warn", says, mend: FIX }];
}

/** The paths of auxiliary files that nobody needs. While a backoffice works, one that was made this minute may be its
 *  own, and is not among them. */
export function staleAuxiliaries({ db, layout: { auxiliary } }: OpenHome): string[] {
  const names = namesIn(auxiliary); // before the database is asked: one that is made later is not among them
  const isStale = isStaleAuxiliary(unfinishedRuns(db));
  const atWork = readLease(db)?.holder !== null;
  return names.flatMap((name) => {
    const path = join(auxiliary, name);
    const stat = isStale(path) ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
    return stat === undefined || (atWork && Date.now() - stat.mtimeMs < MINUTE) ? [] : [path];
  });
}

/** What stayed in the session of a hook that is over. What left it on purpose is nobody's business. */
function fromProcesses({ db, layout: { auxiliary } }: OpenHome): Violation[] {
  const carriers = carriersOf(VARIABLES.A, `${auxiliary}/`);
  if (carriers.length === 0) return [];
  const open = new Set(unfinishedRuns(db).map(({ id }) => id));
  const left = carriers.filter(({ session, value }) => {
    const id = Number(/-(\d+)\.json$/.exec(value)?.[1] ?? 0);
    return !open.has(id as RunId) && sessionOfRun(db, id, session);
  });
  if (left.length === 0) return [];
  const pids = left.map(({ pid }) => String(pid));
  const says = `Processes of hooks that are over still run: ${few(pids)}.`;
  return [
    { promise: "I9", level: "fail", says, mend: `See what they are (ps -o pid,args ${few(pids)}), then end them` },
  ];
}

/**
 * A ref that differs from the ledger breaks a promise only where nobody would look: where the files of the refs say that
 * nothing moved. All else was just not seen yet.
 */
async function fromRefs(home: OpenHome, row: RepositoryRow, { settled = false }: Judging): Promise<Violation[]> {
  if (statSync(row.path, { throwIfNoEntry: false })?.ino !== row.inode) return []; // gone or replaced: another finding
  try {
    const repository = openGit(row.path);
    const which = followedRefs({ settings: homeSettings(home) }, row);
    const known = readLedger(home.db, row.id);
    const real = await repository.readRefs(which);
    const names = new Set([...known.keys(), ...real.keys()]);
    const differ = [...names].filter((name) => known.get(name) !== real.get(name)).map(displayText);
    if (differ.length === 0) return [];
    const now = repositoryById(home.db, row.id);
    const unseen = now === null || now.lookedAt !== row.lookedAt || row.fingerprint === null;
    if (!settled && (unseen || repository.fingerprint(row.fingerprint, Date.now()).changed)) return [];
    const says = `Refs of ${row.name} moved without a receipt: ${few(differ)}.`;
    return [{ promise: "I2", level: "fail", says, mend: `gatepost init ${typed(row.path)}; gatepost backoffice` }];
  } catch (error) {
    // A repository that cannot be read is another finding's.
    if ((error instanceof GatepostError && existsSync(row.path)) || isSystemError(error)) return [];
    throw error;
  }
}
