/**
 * What Gatepost needs to know of a repository, whatever its kind: which refs it has, whether they may have changed,
 * and what arrived between two states of them. Everything here only reads, runs nothing that the repository names,
 * and carries names as bytes.
 */
import type { ByteString } from "../core/bytes.ts";

/** A hash in lower-case hex, all zeros for "absent", or `ref:refs/heads/main` for a symbolic ref, which is kept by
 *  its target, never by value: it moves only when it points elsewhere. */
export type RefValue = string;
export type Refs = ReadonlyMap<ByteString, RefValue>;
export type Move = { ref: ByteString; old: RefValue; new: RefValue };

/** What arrived: what the new values of `moves` reach and no value of `base` reaches. `base` holds the values of all
 *  refs as they were before the moves, from our own record; what the repository's refs say today plays no part. */
export type Range = { moves: readonly Move[]; base: Iterable<RefValue> };

/** The state of the ref storage by file times alone. Without change between two of them no ref has moved, unless the
 *  earlier was `unsure`: taken within a second of the newest file time, so that a later write may look the same. */
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

export interface Repository {
  readonly kind: "git";
  /** Where its data lives; real and absolute. */
  readonly path: string;
  /** All refs, or those others can see (refs/heads, refs/tags, refs/notes). */
  readRefs(which: "all" | "public"): Promise<Refs>;
  /** Cheap, synchronous. Take it before `readRefs`: what changes in between is then seen the next time. */
  fingerprint(previous: string | null, now: number): Fingerprint;
  /** `HASH DESCRIPTION` lines, oldest check-in first, in chunks of whole lines. Memory does not grow with the list. */
  artifacts(range: Range, options?: ListOptions): AsyncIterable<Buffer>;
  /** Whether a check-in of the range changed a path that one of the pathspecs matches (deletions count). */
  touches(range: Range, pathspecs: readonly string[], signal?: AbortSignal): Promise<boolean>;
  /** The paths such check-ins changed and which a new value still has: each once, ended by NUL. */
  paths(range: Range, pathspecs: readonly string[], signal?: AbortSignal): AsyncIterable<Buffer>;
  /** The newest commit of the default branch as if it had just arrived; null in an empty repository. */
  headRange(): Promise<Range | null>;
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
