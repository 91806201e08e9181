/**
 * A look: what arrived since the last one becomes receipts.
 *
 * Which repositories are looked at? Those that the spool names, those whose fingerprint of the refs changed, and those
 * that an earlier look could not settle; all of them when `everything` is asked for. Only these are read. For each that
 * has refs: they are read first, then the spool (see core/ledger.ts for why), then all that follows from both is stored in
 * one transaction of the lease's holder (settle.ts), and only then are the entries removed. A death at any point shows the
 * same refs and entries again; an entry that is on a receipt already is known by its name. One that numbers its receipts
 * itself is read from where the last look ended (arrivals.ts).
 */
import { statSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ByteString } from "../core/bytes.ts";
import { fromSystem, GatepostError, isSystemError } from "../core/errors.ts";
import { settingMillis } from "../core/settings.ts";
import type { RepositoryId } from "../core/units.ts";
import { readInTurns, removeEntry, type Spooled, setAside, type Unusable } from "../spool/drain.ts";
import { isGateLogRipe } from "../spool/gate-log.ts";
import { writeAsHolder } from "../store/lease.ts";
import { listRepositories, parkRepository, type RepositoryRow, repositoryById } from "../store/repository.ts";
import { dropSetting, putSetting, readSetting } from "../store/setting.ts";
import type { Fingerprint, Repository } from "../vcs/repository.ts";
import { type Read, readArrivals, storeArrivals } from "./arrivals.ts";
import type { HomeContext } from "./context.ts";
import { storeGateLogInTurns, storeGateRecords } from "./gate-records.ts";
import { originFinder, strangerReason } from "./origin.ts";
import { followedRefs, type Stored, settleRepository } from "./settle.ts";

/** Which repositories a look considers: those that the spool names; also those whose refs changed; or all. */
export type Reach = "spool" | "changed" | "everything";

/** What a look found: receipts made, in how many ms it is worth to look again (null: nothing is unsettled), and which
 *  repositories it looked at; `locked`: one of them has been locked for so long that a pass does not wait for it. */
export type Looked = { receipts: number; again: number | null; at: RepositoryId[]; locked: boolean };

/** For how long (ms) a locked repository is tried again, and how soon. */
const BUSY_FOR = 10_000;
const BUSY_AGAIN = 250;

/** How many repositories have their refs read before the spool is read once for all of them. */
const GROUP = 32;

/** So many gate records are stored before timers have their turn. */
const GATES_IN_TURN = 2000;

type Candidate = { row: RepositoryRow; repository: Repository; fingerprint: Fingerprint; early: ReadonlySet<string> };

export async function look(ctx: HomeContext, token: number, reach: Reach): Promise<Looked> {
  const first = await sortSpool(ctx);
  if (reach !== "spool" || isGateLogRipe(ctx.layout.spool, Date.now())) await storeLog(ctx);
  ctx.memory.seen = first.names;
  const grace = settingMillis(ctx.settings, "reconcile-age");
  const again = first.left ? BUSY_AGAIN : first.partial ? grace : null;
  const looked: Looked = { receipts: 0, again, at: [], locked: false };
  const candidates = findCandidates(ctx, token, reach, first.byRepository);
  looked.at = candidates.map(({ row }) => row.id);
  for (let at = 0; at < candidates.length; at += GROUP) {
    const group = await Promise.all(
      candidates.slice(at, at + GROUP).map((candidate) => readOne(ctx, token, candidate)),
    );
    const { byRepository } = await sortSpool(ctx);
    for (const read of group) {
      if (read === null) continue;
      if ("busy" in read) {
        if (read.busy === "long") looked.locked = true;
        else looked.again = Math.min(looked.again ?? BUSY_AGAIN, BUSY_AGAIN);
        continue;
      }
      const { row } = read.candidate;
      const result =
        "real" in read
          ? settleOne(ctx, token, read.candidate, read.real, byRepository.get(row.id) ?? [])
          : settleArrivals(ctx, token, read.arrived);
      looked.receipts += result.receipts;
      if (result.again !== null) looked.again = Math.min(looked.again ?? result.again, result.again);
    }
    ctx.progress({ repositories: Math.min(at + GROUP, candidates.length), of: candidates.length });
  }
  return looked;
}

function findCandidates(
  ctx: HomeContext,
  token: number,
  reach: Reach,
  early: ReadonlyMap<RepositoryId, readonly Spooled[]>,
): Candidate[] {
  const named = new Set([...early.keys(), ...ctx.memory.lookAgain]);
  const rows =
    reach === "spool"
      ? [...named].map((id) => repositoryById(ctx.db, id)).filter((row) => row !== null)
      : listRepositories(ctx.db);
  return rows.flatMap((row) => {
    try {
      const repository = ctx.open(row);
      const fingerprint = repository.fingerprint(row.fingerprint, Date.now());
      if (reach !== "everything" && !named.has(row.id) && !fingerprint.changed) return [];
      requireSame(ctx, row);
      const names = new Set((early.get(row.id) ?? []).map(({ name }) => name));
      return [{ row, repository, fingerprint, early: names }];
    } catch (error) {
      park(ctx, token, row, error);
      return [];
    }
  });
}

/** The spool's entries by repository. What belongs to no repository of this home, or can never be read, is set aside.
 *  Gate records are stored on the way: they tell of what was judged, not of what arrived, and make no repository worth
 *  a look. */
async function sortSpool(ctx: HomeContext) {
  const view = await inTurns(readInTurns(ctx.layout.spool, Date.now(), ctx.memory.spooled));
  for (let at = 0; at < view.gates.length; at += GATES_IN_TURN) {
    if (at > 0) await nextTurn();
    for (const stranger of storeGateRecords(ctx, view.gates.slice(at, at + GATES_IN_TURN)))
      view.unusable.push(stranger);
  }
  const byRepository = new Map<RepositoryId, Spooled[]>();
  const find = originFinder(ctx);
  for (const spooled of view.entries) {
    const { dir } = spooled.entry;
    const id = find(dir);
    const list = id === null ? undefined : byRepository.get(id);
    if (id === null) view.unusable.push({ name: spooled.name, reason: strangerReason(dir) });
    else if (list === undefined) byRepository.set(id, [spooled]);
    else list.push(spooled);
  }
  for (const unusable of view.unusable) putAside(ctx, unusable);
  return { names: view.names, byRepository, partial: view.partial > 0, left: view.left > 0 };
}

/** Works through something long in turns. In between timers have theirs: what is in a spool must not cost the lease. */
async function inTurns<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await nextTurn();
  }
}

/** Homes whose `bad/` was found full, which is said once. */
const full = new WeakSet<HomeContext>();

function putAside(ctx: HomeContext, unusable: Unusable): void {
  const gone = setAside(ctx.layout.spool, unusable);
  ctx.memory.spooled.delete(unusable.name);
  ctx.log("error", `spool entry ${unusable.name} set aside: ${unusable.reason}`);
  if (gone === 0 || full.has(ctx)) return;
  full.add(ctx);
  ctx.log("error", `${ctx.layout.bad} is full: from now on the oldest files in it are removed`);
}

/** Gates are stored a little later than receipts: nobody waits for them, but whoever pushes waits for this processor. */
async function storeLog(ctx: HomeContext): Promise<void> {
  for (const unusable of await inTurns(storeGateLogInTurns(ctx))) putAside(ctx, unusable);
}

async function readOne(ctx: HomeContext, token: number, candidate: Candidate) {
  const { row, repository, fingerprint } = candidate;
  try {
    if (repository.kind === "git") return { candidate, real: await repository.readRefs(followedRefs(ctx, row)) };
    const arrived = await readArrivals(ctx, row, repository, fingerprint);
    ctx.memory.busy.delete(row.id);
    if (readSetting(ctx.db, lockedKey(row)) !== null)
      writeAsHolder(ctx.db, token, () => dropSetting(ctx.db, lockedKey(row)));
    return { candidate, arrived };
  } catch (error) {
    const busy = isLocked(error) ? stillLocked(ctx, token, row) : null;
    if (busy !== null) return { busy };
    park(ctx, token, row, error);
    return null;
  }
}

const isLocked = (error: unknown): boolean => error instanceof GatepostError && error.code === "GP_BUSY";

/** Where it is kept that a repository was said to be locked. */
const lockedKey = ({ id }: RepositoryRow): string => `said.locked.${id}`;

/** One that another program keeps locked is tried again at once for a while, then each time that this process looks. */
function stillLocked(ctx: HomeContext, token: number, row: RepositoryRow): "short" | "long" {
  const busy = ctx.memory.busy.get(row.id) ?? { since: performance.now(), said: false };
  ctx.memory.busy.set(row.id, busy);
  ctx.memory.lookAgain.add(row.id);
  if (performance.now() - busy.since <= BUSY_FOR) return "short";
  const seconds = Math.round(BUSY_FOR / 1000);
  if (!busy.said && readSetting(ctx.db, lockedKey(row)) === null) {
    const at = String(Date.now());
    writeAsHolder(ctx.db, token, () => putSetting(ctx.db, lockedKey(row), at)); // once, and not at each pass
    ctx.log("error", `${row.name} has been locked by another program for ${seconds} s; it waits for that`);
  }
  busy.said = true;
  return "long";
}

function settleOne(
  ctx: HomeContext,
  token: number,
  { row, fingerprint, early }: Candidate,
  real: ReadonlyMap<ByteString, string>,
  entries: readonly Spooled[],
): Stored {
  const usable = entries.filter(({ name, entry }) => entry.kind === "push" || early.has(name));
  const stored = settleRepository(ctx, token, row, real, { spooled: usable, early }, fingerprint);
  for (const name of stored.spent) {
    removeEntry(ctx.layout.spool, name);
    ctx.memory.spooled.delete(name);
  }
  if (stored.again === null) ctx.memory.lookAgain.delete(row.id);
  else ctx.memory.lookAgain.add(row.id);
  return stored;
}

function settleArrivals(ctx: HomeContext, token: number, arrived: Read): Pick<Stored, "receipts" | "again"> {
  const receipts = storeArrivals(ctx, token, arrived);
  if (receipts === null) ctx.memory.lookAgain.add(arrived.row.id);
  else ctx.memory.lookAgain.delete(arrived.row.id);
  return { receipts: receipts ?? 0, again: receipts === null ? 0 : null };
}

/** Another repository under the old path is not the one that was registered: nothing of it is anybody's receipt. */
function requireSame(ctx: HomeContext, row: RepositoryRow): void {
  const stat = statSync(row.path, { throwIfNoEntry: false });
  if (stat === undefined) return; // whoever opens it says so
  // Git checks whose it is only where it has to find the repository itself.
  if (stat.uid !== ctx.uid)
    throw new GatepostError("GP_NOT_OWNER", `${row.path} belongs to another user now (uid ${stat.uid}).`, {
      hint: "Give it back, or take it out of this home: gatepost uninstall",
    });
  if (row.kind !== "fossil" && stat.ino !== row.inode)
    // Fossil's are known again by what is in them
    throw new GatepostError("GP_NO_REPOSITORY", `Another repository stands at ${row.path}.`, {
      hint: `If it shall be served: gatepost init ${row.path}`,
    });
}

const PARKABLE: ReadonlySet<string> = new Set([
  ...["GP_NO_REPOSITORY", "GP_REPOSITORY", "GP_NOT_OWNER", "GP_VCS", "GP_DENIED"],
]);

/** Whether an error is about one repository alone, so that the others go on. */
export function isOfRepository(error: unknown): error is Error {
  return error instanceof GatepostError ? PARKABLE.has(error.code) || isLocked(error) : isSystemError(error);
}

/** A repository that cannot be read is parked with the reason and tried again at each full look; the others go on. */
function park(ctx: HomeContext, token: number, row: RepositoryRow, raw: unknown): void {
  const error = fromSystem(raw);
  if (!isOfRepository(error)) throw error;
  const reason = error.message;
  if (row.parked === reason) return;
  ctx.log("error", `${row.name} cannot be looked at: ${reason}`);
  writeAsHolder(ctx.db, token, () => parkRepository(ctx.db, { id: row.id, parked: reason }));
}
