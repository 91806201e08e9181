/**
 * What wakes a daemon, as far as the system can tell (inotify): a new entry in the spool, and a change to a repository
 * that is a file (Fossil), for which no shim speaks. Where nothing can be watched, the poll finds it.
 *
 * A Fossil file changes with its companions: FILE-journal appears before a transaction and goes with its end, FILE-wal
 * grows with it. Of each, one folder is watched, however many repositories stand in it. While a journal is there the
 * transaction is still going on, and reading would only hold it up; its end is the next thing to be told. A journal that
 * nobody removes was left by a process that died: the poll sees to it.
 */
import { existsSync, type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { Layout } from "../core/layout.ts";
import type { RepositoryId } from "../core/units.ts";
import { isGateLog } from "../spool/gate-log.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { Bell } from "./bell.ts";

/** A shim writes its entry a moment before the push ends. To begin at once would take the processor from it. */
const END_OF_PUSH = 3;

/** Rings the bell soon after something changed in the spool; null where the system cannot tell. */
export function watchSpool(layout: Layout, bell: Bell): FSWatcher | null {
  let soon: NodeJS.Timeout | null = null;
  const ring = (): void => {
    soon = null;
    bell.ring();
  };
  return watchFolder(layout.spool, (name) => {
    if (name !== null && isGateLog(name)) return; // a gate's record is not waited for
    if (soon === null) soon = setTimeout(ring, END_OF_PUSH);
  });
}

function watchFolder(path: string, changed: (name: string | null) => void): FSWatcher | null {
  try {
    const watcher = watch(path, (_, name) => changed(name));
    watcher.on("error", () => {}); // out of watches, or the folder went away: the poll goes on
    return watcher;
  } catch {
    return null;
  }
}

/** Watches the files of repositories that are files. */
export class FileWatch {
  readonly #stir: (id: RepositoryId) => void;
  readonly #folders = new Map<string, FSWatcher | null>();
  #files = new Map<string, RepositoryId>();
  readonly #soon = new Map<string, NodeJS.Timeout>();

  /** `stir` is told of each repository that may have received something. */
  constructor(stir: (id: RepositoryId) => void) {
    this.#stir = stir;
  }

  /** Watches these repositories from now on, and no others. */
  follow(rows: Iterable<RepositoryRow>): void {
    this.#files = new Map([...rows].flatMap((row) => (row.kind === "fossil" ? [[row.path, row.id] as const] : [])));
    const folders = new Set([...this.#files.keys()].map((path) => dirname(path)));
    for (const [folder, watcher] of this.#folders) {
      if (folders.has(folder)) continue;
      watcher?.close();
      this.#folders.delete(folder);
    }
    for (const folder of folders)
      if (!this.#folders.has(folder))
        this.#folders.set(
          folder,
          watchFolder(folder, (name) => this.#changed(folder, name)),
        );
  }

  close(): void {
    for (const watcher of this.#folders.values()) watcher?.close();
    for (const timer of this.#soon.values()) clearTimeout(timer);
    this.#folders.clear();
    this.#soon.clear();
  }

  #changed(folder: string, name: string | null): void {
    if (name === null) return;
    const path = `${folder === "/" ? "" : folder}/${basename(name).replace(/-(?:wal|journal)$/, "")}`;
    const id = this.#files.get(path);
    if (id === undefined || this.#soon.has(path)) return;
    const tell = (): void => {
      this.#soon.delete(path);
      if (!existsSync(`${path}-journal`)) this.#stir(id);
    };
    this.#soon.set(path, setTimeout(tell, END_OF_PUSH));
  }
}
