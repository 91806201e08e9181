/**
 * Whether a Fossil repository may have received something, told from the times of two files: its own, and its -wal,
 * since in WAL mode a commit changes only that as long as anybody has the repository open. Both are looked at each
 * time. (Going over to WAL mode changes the file itself, but a file that has been in WAL mode for long shows by nothing
 * that somebody has just begun a new -wal.)
 *
 * An empty -wal counts as none: there is no commit in it, and every reader makes one, we too. Number, size, mtime and
 * ctime must agree.
 *
 * `unsure` lasts longer for a -wal: SQLite writes a commit into it, waits for the disk, and only then shows it to
 * readers. Whoever looks in between sees the new time and the old content. (In rollback mode the lock makes him wait.)
 */
import { type BigIntStats, statSync } from "node:fs";
import type { Fingerprint } from "../repository.ts";
import { refuse, refusedBySystem } from "./refusal.ts";

const UNSURE_MS = 1000;
const UNSURE_WAL_MS = 5000;
const quiet = { throwIfNoEntry: false, bigint: true } as const;

/** The fingerprint of the repository in `path`, its real path; `previous` is the text of the last one, of this or any
 *  version. Throws GP_NO_REPOSITORY where nothing is there. */
export function fossilFingerprint(path: string, previous: string | null, now: number): Fingerprint {
  let main: BigIntStats | undefined;
  let wal: BigIntStats | undefined;
  try {
    main = statSync(path, quiet);
    wal = statSync(`${path}-wal`, quiet);
  } catch (error) {
    throw refusedBySystem(path, null, error);
  }
  if (main === undefined) throw refuse.missing(path);
  const mainAt = Number(main.mtimeMs);
  const text = wal === undefined || wal.size === 0n ? `f1 ${state(main)}` : `f1 ${state(main)} ${state(wal)}`;
  const walAt = wal === undefined || wal.size === 0n ? 0 : Number(wal.mtimeMs);
  return {
    text,
    changed: text !== previous,
    unsure: Math.abs(now - mainAt) < UNSURE_MS || Math.abs(now - walAt) < UNSURE_WAL_MS,
    newestAt: Math.max(mainAt, walAt),
  };
}

const state = (stat: BigIntStats): string => `${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
