/** Rings a daemon that serves this home: something changed that no push tells of. */
import { closeSync, constants, openSync } from "node:fs";
import { ringFile } from "../backoffice/daemon.ts";
import { watcherOf } from "../backoffice/presence.ts";
import type { OpenHome } from "./open.ts";

/** Others may write to the spool of a shared home: what they put there is neither followed, nor waited for, nor emptied. */
const RING = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Rings; false when nobody is there to hear it. */
export function ringDaemon(home: OpenHome): boolean {
  if (watcherOf(home.layout) === null) return false;
  try {
    closeSync(openSync(ringFile(home.layout), RING, 0o600));
    return true;
  } catch {
    return false; // not our home to write to, or not a file that stands there; its daemon looks by itself
  }
}
