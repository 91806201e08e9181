/**
 * Watching the folders below a home's roots: a repository that is made there is to be served within a moment.
 *
 * The system tells of new names in a folder (inotify). That is a reason to look, no more: what is made is made in steps,
 * and a look that comes too early finds half of it; so as long as a folder is young the next look follows soon. What the
 * system does not tell of (network file systems, no watches left) the poll finds by the folders' times.
 *
 * Proven by test/e2e/root-daemon.test.ts.
 */
import type { FSWatcher } from "node:fs";
import { folderStamp, placeStamp } from "../process/folder-stamp.ts";
import { watchFolder } from "./watch.ts";

/** A folder, or something in one that may become a repository, and its times when it was last looked at ("": they were
 *  too young to be believed). */
export type FolderTimes = { path: string; stamp: string; isFolder: boolean };

/** A look that is called for waits so long (ms) for what comes with the first name. */
const SOON = 50;
/** How soon a young folder is looked at again. */
const YOUNG_AGAIN = 1000;

/** What SQLite makes and removes beside a database all the time. */
const PASSING = /-(?:wal|shm|journal)$|\.lock$/;

export class FolderWatch {
  readonly #stir: () => void;
  readonly #watchers = new Map<string, FSWatcher | null>();
  #times: readonly FolderTimes[] = [];
  #timer: NodeJS.Timeout | null = null;
  #stirred = false;

  /** `stir` is called when it is worth to look. */
  constructor(stir: () => void) {
    this.#stir = stir;
  }

  /** Watches these from now on, and nothing else. */
  follow(times: readonly FolderTimes[]): void {
    this.#times = times;
    const folders = new Set(times.filter(({ isFolder }) => isFolder).map(({ path }) => path));
    for (const [path, watcher] of this.#watchers) {
      if (folders.has(path)) continue;
      watcher?.close();
      this.#watchers.delete(path);
    }
    for (const path of folders)
      if (!this.#watchers.has(path))
        this.#watchers.set(
          path,
          watchFolder(path, (name, change) => {
            if (change === "rename" && (name === null || !PASSING.test(name))) this.#later(SOON);
          }),
        );
    if (times.some(({ stamp }) => stamp === "")) this.#later(YOUNG_AGAIN);
    else if (times.length > 0 && this.moved()) this.#later(SOON); // before it was watched
  }

  /** Whether it was stirred since this was last asked. */
  isStirred(): boolean {
    const stirred = this.#stirred;
    this.#stirred = false;
    return stirred;
  }

  /** Whether a folder has other times than when it was looked at. */
  moved(): boolean {
    const now = (path: string, isFolder: boolean): string => (isFolder ? folderStamp(path) : placeStamp(path));
    return this.#times.some(({ path, stamp, isFolder }) => stamp !== "" && now(path, isFolder) !== stamp);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher?.close();
    this.#watchers.clear();
  }

  #later(pause: number): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#stirred = true;
      this.#stir();
    }, pause);
  }
}
