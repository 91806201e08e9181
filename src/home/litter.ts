/** What a process that was killed left in a home: files that it had not yet renamed into place, NAME.PID-RANDOM.new. */
import { rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Layout } from "../core/layout.ts";
import { OWN_MARK } from "../process/replace-file.ts";
import { isGone } from "../shim/litter.ts";
import { namesIn } from "../shim/look-in.ts";

const LITTER = new RegExp(`^\\.${OWN_MARK}\\.new(?:-journal|-wal|-shm)?$`);

/** Such files; those of a process that is still alive are left out. */
export function homeLitter(places: Layout): string[] {
  const { hooksFile, daemonPid, database, program, incarnation, manual, durable, shared, failed } = places;
  return [hooksFile, daemonPid, database, program, incarnation, manual, durable, shared, failed].flatMap((file) =>
    namesIn(dirname(file)).flatMap((name) => {
      if (!name.startsWith(`${basename(file)}.`)) return [];
      const pid = LITTER.exec(name.slice(basename(file).length))?.[1];
      return pid !== undefined && isGone(Number(pid)) ? [join(dirname(file), name)] : [];
    }),
  );
}

export function removeHomeLitter(layout: Layout): void {
  for (const file of homeLitter(layout)) rmSync(file, { force: true });
}
