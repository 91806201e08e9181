/** What waits and what failed, counted. */
import type { HookId, Instant, ReceiptId, RepositoryId, RunId } from "../core/units.ts";
import { all, type Database, one } from "./database.ts";

const receipts = one<{ count: number; oldestAt: Instant | null }, { repository: number; cursor: number }>(
  "SELECT count(*) AS count, min(at) AS oldestAt FROM receipt WHERE repository = :repository AND id > :cursor",
);
/** How many receipts of a repository are not cut yet, and when the oldest came. */
export const uncutReceipts = (db: Database, repository: RepositoryId, cursor: ReceiptId) =>
  receipts(db, { repository, cursor }) ?? { count: 0, oldestAt: null };

/** The runs of one hook on one repository that are open: how many, and when the first was, or will be, due. */
export type OpenRuns = {
  repository: RepositoryId;
  hook: HookId;
  hookName: string | null;
  state: "waiting" | "running";
  count: number;
  dueAt: Instant | null;
};
const open = all<OpenRuns>(
  `SELECT repository, hook, hook_name AS hookName, state, count(*) AS count, min(due_at) AS dueAt FROM run
   WHERE state IN ('waiting', 'running') GROUP BY repository, hook, state ORDER BY repository, hook, state`,
);
export const openRunsByHook = (db: Database): OpenRuns[] => open(db, {});

/** The parked runs of one hook on one repository: how many, and the first. */
export type ParkedRuns = {
  repository: RepositoryId;
  hook: HookId;
  hookName: string | null;
  count: number;
  first: RunId;
  incarnation: string;
};
const parked = all<ParkedRuns>(
  `SELECT repository, hook, hook_name AS hookName, count(*) AS count, min(id) AS first, incarnation FROM run
   WHERE state = 'parked' GROUP BY repository, hook ORDER BY repository, hook`,
);
export const parkedRunsByHook = (db: Database): ParkedRuns[] => parked(db, {});

const failed = one<{ count: number }, { since: number; repository: number | null }>(
  `SELECT count(*) AS count FROM run WHERE ended_at >= :since AND state = 'failed' AND gate IS NULL
     AND (:repository IS NULL OR repository = :repository)`,
);
/** How many runs of the backoffice failed since then, of a repository or of all. */
export const failedSince = (db: Database, since: Instant, repository: RepositoryId | null): number =>
  failed(db, { since, repository })?.count ?? 0;
