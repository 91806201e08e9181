/** What a process that was killed left in a home, or beside a backup: files that it had not yet renamed into place, NAME.PID-RANDOM.new. */
import { rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Layout } from "../core/layout.ts";
import { OWN_MARK } from "../process/replace-file.ts";
import { isGone } from "../shim/litter.ts";
import { namesIn } from "../shim/look-in.ts";

const LITTER = new RegExp(`^\\.${OWN_MARK}\\.new(?:-journal|-wal|-shm)?$`);

/** Such files of those that are named, in their folders; those of a process that is still alive are left out. */
const litterOf = (files: readonly string[]): string[] =>
  files.flatMap((file) =>
    namesIn(dirname(file)).flatMap((name) => {
      if (!name.startsWith(`${basename(file)}.`)) return [];
      const pid = LITTER.exec(name.slice(basename(file).length))?.[1];
      return pid !== undefined && isGone(Number(pid)) ? [join(dirname(file), name)] : [];
    }),
  );

/** Those of a home. */
export function homeLitter(places: Layout): string[] {
  const { hooksFile, daemonPid, database, program, incarnation, manual, durable, shared, failed } = places;
  return litterOf([hooksFile, daemonPid, database, program, incarnation, manual, durable, shared, failed]);
}

/** Removes those of one file, wherever it is. */
export function removeLitterOf(file: string): void {
  for (const left of litterOf([file])) rmSync(left, { force: true });
}

export function removeHomeLitter(layout: Layout): void {
  for (const file of homeLitter(layout)) rmSync(file, { force: true });
}
