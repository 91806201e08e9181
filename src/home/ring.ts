/** Rings a daemon that serves this home: something changed that no push tells of. */
import { writeFileSync } from "node:fs";
import { ringFile } from "../backoffice/daemon.ts";
import { watcherOf } from "../backoffice/presence.ts";
import type { OpenHome } from "./open.ts";

/** Rings; false when nobody is there to hear it. */
export function ringDaemon(home: OpenHome): boolean {
  if (watcherOf(home.layout) === null) return false;
  try {
    writeFileSync(ringFile(home.layout), "", { mode: 0o600 });
    return true;
  } catch {
    return false; // not our home to write to; its daemon looks by itself
  }
}
