/**
 * `daemon.pid`: tells the shims that somebody looks at the spool, so that a push need not start a backoffice.
 *
 * One line, "PID STARTTIME"; the start time makes a pid that was given to another process worthless. Written by whoever
 * looks, when nobody else does; taken away by the same. It is a convenience and guards nothing: who may work is decided
 * by the lease. Whoever takes it away looks at the spool once more afterwards, or a push in between would wait.
 */
import { readFileSync, rmSync } from "node:fs";
import { isSystemError } from "../core/errors.ts";
import type { Layout } from "../core/layout.ts";
import { isAlive, processIdentity } from "../process/identity.ts";
import { replaceFile } from "../process/replace-file.ts";

function present(file: string): { pid: number; startTime: string } | null {
  try {
    const match = /^(\d+) (\d+)\n$/.exec(readFileSync(file, "utf8"));
    return match === null ? null : { pid: Number(match[1]), startTime: match[2] ?? "" };
  } catch {
    return null;
  }
}

/** Says that this process looks at the spool; false when another one does already. */
export function announce(layout: Layout): boolean {
  try {
    return write(layout);
  } catch (error) {
    if (isSystemError(error)) return false; // no room, or the home is gone: this file guards nothing
    throw error;
  }
}

function write(layout: Layout): boolean {
  rmSync(layout.starting, { force: true }); // whoever was started is up: the next push may start another at once
  const other = present(layout.daemonPid);
  if (other !== null && other.pid !== process.pid && isAlive(other)) return false;
  const self = processIdentity(process.pid);
  if (self === null) return false; // no /proc: shims start a backoffice each time, and the lease sorts it out
  if (other?.pid === self.pid && other.startTime === self.startTime) return true; // said already: an idle cycle writes nothing
  replaceFile(layout.daemonPid, `${self.pid} ${self.startTime}\n`, { mode: 0o644 });
  return true;
}

/** Takes back what `announce` said, unless another process has said it since. */
export function withdraw(layout: Layout): void {
  if (present(layout.daemonPid)?.pid === process.pid) rmSync(layout.daemonPid, { force: true });
}

/** The process that looks at the spool of this home, if one does. */
export function watcherOf(layout: Layout): { pid: number } | null {
  const found = present(layout.daemonPid);
  return found !== null && isAlive(found) ? { pid: found.pid } : null;
}
