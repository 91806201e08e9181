/**
 * What wakes a daemon, as far as the system can tell (inotify): a new entry in the spool, and a change to a repository
 * that is a file (Fossil), for which no shim speaks. Where nothing can be watched, the poll finds it.
 *
 * A Fossil file changes with its companions: FILE-journal appears before a transaction and goes with its end, FILE-wal
 * grows with it. Of each, one folder is watched, however many repositories stand in it. While a journal is there the
 * transaction is still going on, and reading would only hold it up; its end is the next thing to be told. A journal that
 * nobody removes was left by a process that died: the poll sees to it.
 */
import { existsSync, type FSWatcher, statfsSync, watch } from "node:fs";
import { dirname } from "node:path";
import type { Layout } from "../core/layout.ts";
import type { RepositoryId } from "../core/units.ts";
import { isGateLog } from "../spool/gate-log.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { Repository } from "../vcs/repository.ts";
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

/** Tells of changes in a folder until it is closed; null where the system cannot. */
export function watchFolder(
  path: string,
  changed: (name: string | null, change: "rename" | "change") => void,
): FSWatcher | null {
  try {
    const watcher = watch(path, (change, name) => changed(name, change));
    watcher.on("error", () => {}); // out of watches, or the folder went away: the poll goes on
    return watcher;
  } catch {
    return null;
  }
}

/** Of a -wal the time changes before what was committed can be read: it is looked at again after these ms. */
const WAL_AGAIN = [100, 900];

type Watched = {
  id: RepositoryId;
  path: string;
  repository: Repository;
  seen: string | null;
  timers: Set<NodeJS.Timeout>;
  soon: boolean;
};

/** File systems on which others write that this kernel does not hear of: NFS, SMB, CIFS, Ceph, 9p, FUSE, AFS, Lustre. */
const REMOTE: ReadonlySet<number> = new Set([
  ...[0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x00c36400, 0x01021997, 0x65735546, 0x5346414f, 0x0bd00bd0],
]);

function isRemote(folder: string): boolean {
  try {
    return REMOTE.has(statfsSync(folder).type);
  } catch {
    return true; // gone, which the poll finds out
  }
}

/** Watches the files of repositories that are files. */
export class FileWatch {
  readonly #stir: (id: RepositoryId) => void;
  readonly #folders = new Map<string, FSWatcher | null>();
  readonly #files = new Map<string, Watched>();

  /** `stir` is told of each repository that may have received something. */
  constructor(stir: (id: RepositoryId) => void) {
    this.#stir = stir;
  }

  /** Watches these repositories from now on, and no others. */
  follow(served: Iterable<{ row: RepositoryRow; repository: Repository }>): void {
    const wanted = new Map([...served].filter(({ row }) => row.kind === "fossil").map((one) => [one.row.path, one]));
    for (const [path, watched] of this.#files) if (wanted.get(path)?.row.id !== watched.id) this.#forget(watched);
    for (const [path, { row, repository }] of wanted)
      if (!this.#files.has(path))
        this.#files.set(path, { id: row.id, path, repository, seen: null, timers: new Set(), soon: false });
    const folders = new Set([...wanted.keys()].map((path) => dirname(path)));
    for (const [folder, watcher] of this.#folders) {
      if (folders.has(folder)) continue;
      watcher?.close();
      this.#folders.delete(folder);
    }
    for (const folder of folders)
      if (!this.#folders.has(folder))
        this.#folders.set(folder, isRemote(folder) ? null : watchFolder(folder, (name) => this.#changed(folder, name)));
  }

  /** Whether the system tells of every change to the file at that path. */
  sees(path: string): boolean {
    return this.#files.has(path) && (this.#folders.get(dirname(path)) ?? null) !== null;
  }

  close(): void {
    for (const watcher of this.#folders.values()) watcher?.close();
    for (const watched of this.#files.values()) this.#forget(watched);
    this.#folders.clear();
  }

  #forget(watched: Watched): void {
    for (const timer of watched.timers) clearTimeout(timer);
    this.#files.delete(watched.path);
  }

  #changed(folder: string, name: string | null): void {
    if (name === null) return;
    const watched = this.#files.get(`${folder === "/" ? "" : folder}/${name.replace(/-(?:wal|journal)$/, "")}`);
    if (watched === undefined || watched.soon) return;
    watched.soon = true;
    this.#later(watched, END_OF_PUSH, () => {
      watched.soon = false;
      if (!existsSync(`${watched.path}-journal`) && this.#isNews(watched)) this.#tell(watched);
    });
  }

  /** Reading a repository in WAL mode makes and removes files as well, which is no news. */
  #isNews(watched: Watched): boolean {
    const before = watched.seen;
    try {
      watched.seen = watched.repository.fingerprint(null, Date.now()).text;
    } catch {
      watched.seen = null; // gone, which a look is to find out
    }
    return watched.seen === null || watched.seen !== before;
  }

  #tell(watched: Watched): void {
    this.#stir(watched.id);
    if (!existsSync(`${watched.path}-wal`)) return;
    for (const pause of WAL_AGAIN) this.#later(watched, pause, () => this.#stir(watched.id));
  }

  #later(watched: Watched, pause: number, act: () => void): void {
    const timer = setTimeout(() => {
      watched.timers.delete(timer);
      act();
    }, pause);
    watched.timers.add(timer);
  }
}
