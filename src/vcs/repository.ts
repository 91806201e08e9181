/**
 * What Gatepost needs to know of a repository, whatever its kind: whether something may have arrived, what arrived, and
 * which artifacts and paths that were. Git says it by refs that move; Fossil numbers its receipts itself. Everything here
 * only reads, runs nothing that the repository names, and carries names as bytes.
 */
import type { ByteString } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import type { Instant } from "../core/units.ts";

/** A hash in lower-case hex, all zeros for "absent", or `ref:refs/heads/main` for a symbolic ref, which is kept by
 *  its target, never by value: it moves only when it points elsewhere. */
export type RefValue = string;
export type Refs = ReadonlyMap<ByteString, RefValue>;
export type Move = { ref: ByteString; old: RefValue; new: RefValue };

/** What arrived: what the new values of `moves` reach and no value of `base` reaches. `base` holds the values of all
 *  refs as they were before the moves, from our own record; what the repository's refs say today plays no part. */
export type RefRange = { moves: readonly Move[]; base: Iterable<RefValue> };

/** Where the artifacts of a receipt lie in a Fossil file: the blobs of its number in rows `low` to `high` (none if low is
 *  the greater), and the rows `more` below, which were known by name before their content came. `mark` is the hash in row
 *  `high`: where another stands there, the rows were rearranged, and the number is searched for. */
export type Rows = { low: number; high: number; more: readonly number[]; mark: string };

/** Receipts by the repository's own numbers: after `after`, up to and with `upto`; `rows` null: to be searched. */
export type Span = { after: number; upto: number; rows: Rows | null };
export type RcvRange = { spans: readonly Span[] };

export type Range = RefRange | RcvRange;

/** The state of a repository's storage by file times alone. Without change between two of them nothing arrived, unless
 *  the earlier was `unsure`: taken within a second of the newest file time, so that a later write may look the same. */
export type Fingerprint = { text: string; changed: boolean; unsure: boolean; newestAt: number };

/** What of a range is no longer in the repository: values of the base (the list may then repeat what had arrived
 *  before), and new values, each of which is a line `HASH gone`. */
export type Gone = { base: number; new: number };

export type ListOptions = {
  /** Also list `tree` lines. */
  trees?: boolean;
  /** Called at most once for each look that finds something vanished, before any line; counts are totals so far. */
  onGone?: (gone: Gone) => void;
  /** Ends every program started; the iteration then throws the signal's reason. */
  signal?: AbortSignal;
};

export type Person = { name: ByteString; email: ByteString };

/** A commit, its texts as the bytes it has; dates in seconds since 1970, 0 where it has none that can be read. */
export type Commit = {
  hash: string;
  parents: readonly string[];
  author: Person;
  authoredAt: number;
  committer: Person;
  committedAt: number;
  /** The first paragraph of its message on one line. */
  subject: ByteString;
};

/** That a ref of this clone was at `commit` from `at` (seconds since 1970) on: who moved it there, and how, in the words
 *  that the moving command left ("commit (amend): …"). `ref` is in full, and "HEAD" or "worktrees/NAME/HEAD". */
export type ReflogEntry = { commit: Commit; ref: ByteString; at: number; by: Person; how: ByteString };

/** What every kind can say. A range is one of the kind's own. */
interface Reading {
  /** Where its data lives; real and absolute. */
  readonly path: string;
  /** Cheap, synchronous. Take it before reading: what changes in between is then seen the next time. */
  fingerprint(previous: string | null, now: number): Fingerprint;
  /** `HASH DESCRIPTION` lines in chunks of whole lines: check-ins oldest first, or in the order in which they were stored.
   *  Memory does not grow with the list, and nothing of the repository is held open between two chunks. */
  artifacts(range: Range, options?: ListOptions): AsyncIterable<Buffer>;
  /** Whether a check-in of the range changed a path that one of the pathspecs matches (deletions count). */
  touches(range: Range, pathspecs: readonly string[], signal?: AbortSignal): Promise<boolean>;
  /** The paths such check-ins changed and which are still there at its end: each once, ended by NUL. */
  paths(range: Range, pathspecs: readonly string[], signal?: AbortSignal): AsyncIterable<Buffer>;
}

export interface GitRepository extends Reading {
  readonly kind: "git";
  /** All refs, or those others can see (refs/heads, refs/tags, refs/notes). */
  readRefs(which: "all" | "public"): Promise<Refs>;
  /** The newest commit of the default branch as if it had just arrived; null in an empty repository. */
  headRange(): Promise<RefRange | null>;
  /** The commits of the range, each once, oldest first as far as dates tell; what has vanished is left out. */
  commits(range: Range): Promise<Commit[]>;
  /** The reflogs, those of all work trees' HEAD too: one after the other, each newest first; what has vanished is left
   *  out. Empty where none are kept. */
  reflogs(): Promise<ReflogEntry[]>;
  /** Who commits here, as far as git's configuration says, the calling user's too. */
  configuredPersons(): Promise<Person[]>;
  /** When a commit was written into the repository, in milliseconds since 1970; null where that cannot be told. */
  writtenAt(commit: string): number | null;
}

/** How far the receipts of a repository were read, and by what it is known again: its project code; the number and the
 *  time (a Julian day, as stored) of the last receipt, the time of the first; the last row of artifacts and the hash in
 *  it; the rows whose content had not come, as stretches [low, high] (null: not known, blobs are searched). */
export type Watermark = {
  project: string;
  rcvid: number;
  mtime: number;
  first: number;
  rid: number;
  mark: string;
  phantoms: readonly (readonly [number, number])[] | null;
};

/** One receipt as the repository tells it. `again`: this number was read before and has grown since. */
export type Arrival = {
  rcvid: number;
  at: Instant;
  user: ByteString | null;
  address: ByteString | null;
  rows: Rows;
  again: boolean;
};

export type Arrivals = {
  arrivals: readonly Arrival[];
  watermark: Watermark;
  /** The embargo that the repository keeps. */
  embargo: Instant | null;
  /** What waits refers to content that has not come: the transfer goes on, or broke off. */
  incomplete: boolean;
  /** The file is an earlier state of what was read before: it was restored from a backup. */
  restored: boolean;
};

/** One path that a check-in changed. A renamed file may have been edited too; where its old name is gone, that is
 *  another one, `deleted`. */
export type FileChange = {
  path: ByteString;
  change: "added" | "edited" | "deleted" | "renamed";
  /** Its old name, of a renamed one. */
  from?: ByteString;
};

/** A check-in as the repository shows it today, with what was amended. */
export type CheckinDetails = {
  hash: string;
  user: ByteString;
  at: Instant;
  branch: ByteString;
  comment: ByteString;
  /** Hashes, the primary one first. */
  parents: readonly string[];
  private: boolean;
  /** What it changed against its primary parent, in the order of bytes. */
  files: readonly FileChange[];
  /** How many such changes are left out. */
  moreFiles: number;
};

/** A tag that a control artifact gave to another artifact (`propagated`: and to its descendants), or cancelled there,
 *  whether or not that is still in force. The name is Fossil's: `sym-v1` for what people call v1. */
export type TagChange = {
  artifact: string;
  name: ByteString;
  target: string;
  change: "added" | "propagated" | "cancelled";
  value?: ByteString;
};

/** What the list of a range cannot say. `more`: what is left out, as it would be too long or cannot be read: check-ins,
 *  control artifacts, private artifacts. */
export type Details = {
  checkins: readonly CheckinDetails[];
  tags: readonly TagChange[];
  /** The hashes of private artifacts. */
  private: readonly string[];
  more: { checkins: number; tags: number; private: number };
};

/** Receipts that were stored, the newest first, each with the hash in its last row ("": it had none). Asked of a file that
 *  is an earlier state, to find the last one that it still has. */
export type Known = () => Iterable<{ rcvid: number; mark: string }>;

export interface FossilRepository extends Reading {
  readonly kind: "fossil";
  /** What arrived since the watermark (null: nothing, all counts as read), and whether that and what waits is complete.
   *  Throws GP_NO_REPOSITORY where another repository stands in its place. */
  arrivals(since: Watermark | null, waiting: readonly Span[], known?: Known): Promise<Arrivals>;
  /** Its receipts after `base` (null: the one before the last) up to `upto` (null: the newest), by its own numbers, and
   *  the newest number, 0 where it has received nothing. */
  receipts(base: number | null, upto: number | null): Promise<{ newest: number; receipts: Omit<Arrival, "again">[] }>;
  /** A watermark right behind that receipt (0: before the first): what is behind it is searched. */
  positionAfter(rcvid: number): Promise<Watermark>;
  /** The branches of the check-ins of the range. */
  branches(range: Range): Promise<ByteString[]>;
  /** What the list of the range cannot say, read at once and held in memory: there are limits. */
  details(range: Range): Promise<Details>;
}

export type Repository = GitRepository | FossilRepository;

/** The range as its kind has it. A range of another kind is a fault of the caller. */
export function refRange(range: Range): RefRange {
  if ("moves" in range) return range;
  throw new GatepostError("GP_BUG", "A range of receipts was asked of a repository that has refs.");
}

export function rcvRange(range: Range): RcvRange {
  if ("spans" in range) return range;
  throw new GatepostError("GP_BUG", "A range of refs was asked of a repository that numbers its receipts.");
}
