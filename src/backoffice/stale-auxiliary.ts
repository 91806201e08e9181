/** Which files in the folder of auxiliary files nobody needs: what processes that were killed left there. */
import { lstatSync } from "node:fs";
import { basename } from "node:path";
import { HOUR } from "../core/units.ts";
import { processIdentity } from "../process/identity.ts";
import type { Run } from "../store/run.ts";
import { runName } from "./trial.ts";

/** The file of `hook test` for the hook that it tries, by its process: see home/try-hook.ts. */
const TRIAL = /^test-(\d+)\.json$/;

/** Says of a file whether it is of a run or a trial that is over, or the temporary file of a gate. Of a gate it is not
 *  known whether it still runs, so a young file is let be. */
export function isStaleAuxiliary(unfinished: readonly Pick<Run, "id" | "incarnation">[]): (path: string) => boolean {
  const open = new Set(unfinished.map((run) => `${runName(run)}.json`));
  return (path) => {
    const name = basename(path);
    const trial = TRIAL.exec(name);
    if (trial !== null) return processIdentity(Number(trial[1])) === null;
    if (/^[a-z]+-\d+\.json(\.pid(\.new)?)?$/.test(name)) return !open.has(name.replace(/\.pid(\.new)?$/, ""));
    return name.startsWith("gatepost-") && isOldFile(path);
  };
}

function isOldFile(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && Date.now() - stat.mtimeMs > HOUR;
}
