/** What a process that was killed left in a home: files that it had not yet renamed into place, NAME.PID.new. */
import { rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Layout } from "../core/layout.ts";
import { isGone } from "../shim/litter.ts";
import { namesIn } from "../shim/look-in.ts";

/** Such files; those of a process that is still alive are left out. */
export function homeLitter({ hooksFile, daemonPid, database, program }: Layout): string[] {
  return [hooksFile, daemonPid, database, program].flatMap((file) =>
    namesIn(dirname(file)).flatMap((name) => {
      if (!name.startsWith(`${basename(file)}.`)) return [];
      const pid = /^\.(\d{1,9})\.new(?:-journal|-wal|-shm)?$/.exec(name.slice(basename(file).length))?.[1];
      return pid !== undefined && isGone(Number(pid)) ? [join(dirname(file), name)] : [];
    }),
  );
}

export function removeHomeLitter(layout: Layout): void {
  for (const file of homeLitter(layout)) rmSync(file, { force: true });
}
