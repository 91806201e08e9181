/** What the parts of the backoffice share about one home. */
import type { Hook } from "../core/hook.ts";
import type { Layout } from "../core/layout.ts";
import type { Settings } from "../core/settings.ts";
import type { Instant, RepositoryId } from "../core/units.ts";
import type { Spooled } from "../spool/drain.ts";
import type { Database } from "../store/database.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { Repository } from "../vcs/repository.ts";
import type { Bell } from "./bell.ts";
import type { FolderTimes } from "./folder-watch.ts";
import type { FunctionCall } from "./function-hook.ts";

/** One line about what the backoffice does, and of which home. `debug` and `trace` (the commands themselves) are shown
 *  only when asked for. */
export type Log = (level: "info" | "debug" | "trace" | "error", message: string, home?: string) => void;

/** Progress of a pass, for a terminal: repositories looked at, or artifacts listed so far. */
export type Progress = (what: { repositories: number; of: number } | { artifacts: number; run: string }) => void;

/** One home that is open, and what whoever works on it was given. */
export type HomeContext = {
  readonly layout: Layout;
  readonly db: Database;
  readonly settings: Settings;
  readonly incarnation: string;
  /** Owner of the home. */
  readonly uid: number;
  /** Function hooks that this process supplies, by the hook's name. */
  readonly functions: ReadonlyMap<string, FunctionCall>;
  readonly bell: Bell;
  /** Aborting it ends the grace of hooks that were told to end. */
  readonly hurry?: AbortSignal;
  readonly log: Log;
  readonly progress: Progress;
  /** Brings compiled gates, shims and the hook lists of Fossil repositories in line with the database. */
  readonly refreshGates: () => Promise<void>;
  /** Whether that is called for: an edit or a change of hands was left unfinished. */
  readonly isOutOfLine: () => boolean;
  /** The shims that should stand in the folders of these repositories and do not. */
  readonly missingShims: (of: ReadonlySet<RepositoryId>) => Promise<Missing[]>;
  /** The folders below which every repository is registered. */
  readonly roots: Roots;
  readonly open: (row: RepositoryRow) => Repository;
  readonly memory: Memory;
};

/** The roots of a home: what was made below them since somebody looked. */
export type Roots = {
  /** Whether there is something new; a few stats where nothing changed. */
  readonly haveNew: () => boolean;
  /** Registers it, with gates and shims. */
  readonly register: () => Promise<void>;
  /** Where something may come to be, as of the last look. */
  readonly folders: () => FolderTimes[];
};

/** A shim that should stand and does not. */
export type Missing = {
  /** A repository that misses it; others may use the same folder. */
  repository: RepositoryId;
  /** How many repositories miss it. */
  shared: number;
  /** The hooks folder; of a Fossil repository its file. */
  folder: string;
  hook: string;
  /** "is gone", "was replaced by another hook", "cannot be executed". */
  how: string;
};

/** What a process remembers of a home between its looks. Losing it costs time, never a receipt. */
export type Memory = {
  /** Entries read but not on a receipt yet, by name. */
  readonly spooled: Map<string, Spooled>;
  /** Since when (monotonic ms) a ref of a repository has been unsettled without being moved. */
  readonly unsettled: Map<RepositoryId, Map<string, number>>;
  /** Since when (monotonic ms) a push has been seen that is still being received. */
  readonly receiving: Map<RepositoryId, number>;
  /** Since when (monotonic ms) a repository has been found locked, and whether that was said. */
  readonly busy: Map<RepositoryId, { since: number; said: boolean }>;
  /** Names of the entries that the last look saw: one that is not among them is news. */
  seen: ReadonlySet<string>;
  /** Repositories to be looked at again whatever their fingerprint says. */
  readonly lookAgain: Set<RepositoryId>;
};

/** The memory of a process that has not looked yet. */
export const emptyMemory = (): Memory => ({
  spooled: new Map(),
  unsettled: new Map(),
  receiving: new Map(),
  busy: new Map(),
  seen: new Set(),
  lookAgain: new Set(),
});

/** The wall clock, as times are stored. */
export const now = (): Instant => Date.now() as Instant;

/** How a hook is named in logs and reasons: "1 (ci)". */
export const hookLabel = (hook: Pick<Hook, "id" | "name">): string =>
  hook.name === null ? String(hook.id) : `${hook.id} (${hook.name})`;
