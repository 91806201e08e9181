/**
 * What a process that was killed left in a hooks folder: shims that it had not yet renamed into place, NAME.gatepost-PID-RANDOM.
 * Those of a process that is still alive are not touched.
 */
import { rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "../core/errors.ts";
import { IN_PLACE, nativeHooks } from "../core/hook-type.ts";
import { isRunning, processStatus } from "../process/identity.ts";
import { OWN_MARK } from "../process/replace-file.ts";
import { namesIn } from "./look-in.ts";

const NAMES = new Set(["post-receive", "gate.sh", ...IN_PLACE.flatMap(nativeHooks)]);

const LITTER = new RegExp(`^\\.?(.+)\\.gatepost-${OWN_MARK}$`);

/** Whether no process has this id, so that what is named after it belongs to nobody. */
export function isGone(pid: number): boolean {
  const status = processStatus(pid);
  return status === null || !isRunning(status);
}

/** Such files, as paths below the folder. */
export const litterIn = (hooksFolder: string): string[] =>
  ["", "gatepost", join("gatepost", "after")].flatMap((below) =>
    namesIn(join(hooksFolder, below)).flatMap((name) => {
      const [, of = "", pid] = LITTER.exec(name) ?? [];
      return NAMES.has(of) && isGone(Number(pid)) ? [join(below, name)] : [];
    }),
  );

/** Removes them, as far as the folder can be written, and our own folder where nothing else is left in it. */
export function removeLitter(hooksFolder: string): void {
  const litter = litterIn(hooksFolder);
  try {
    for (const path of litter) rmSync(join(hooksFolder, path), { force: true });
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
  if (litter.length > 0) tidy(hooksFolder);
}

/** Removes our folders in a hooks folder where they are empty. */
export function tidy(hooksFolder: string): void {
  for (const folder of ["gatepost/chained", "gatepost/after", "gatepost/moved", "gatepost/imported", "gatepost"]) {
    try {
      rmdirSync(join(hooksFolder, folder));
    } catch {}
  }
}
