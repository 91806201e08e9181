/**
 * Hooks that were forked and are not yet started. Between fork and exec a child is a copy of its parent: it has neither
 * the hook's environment nor its command line, and no file names it yet. If its parent is killed in that moment, it goes
 * on, execs and runs, later than anybody who looked for it by any of these. So whoever wants to be sure that nothing of
 * a dead backoffice is left waits first until such copies have become what they are going to be.
 *
 * A copy is told by its one thread: a program of Node's has several from its first milliseconds on, and fork copies only
 * the one that called it. One that is just starting is taken for a copy as well, and waited for those milliseconds.
 * Proved by "A1: a hook that was forked and not yet started …" in test/fault/unstarted.test.ts.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { type ProcessIdentity, processIdentity } from "./identity.ts";
import { waitUntil } from "./pace.ts";
import { allPids } from "./processes.ts";

/** Waits, `within` ms at most, for all copies of our program that are about to become another one, or to end. */
export async function awaitUnstarted(within: number): Promise<void> {
  const program = linkOf("self");
  const copies = allPids()
    .filter((pid) => isCopy(pid, program))
    .flatMap((pid) => processIdentity(pid) ?? []);
  const remains = ({ pid, startTime }: ProcessIdentity): boolean =>
    isCopy(pid, program) && processIdentity(pid)?.startTime === startTime;
  await waitUntil(() => !copies.some(remains), within);
}

function isCopy(pid: number, program: string | null): boolean {
  if (program === null || linkOf(pid) !== program) return false;
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return /^Threads:\t1$/m.test(status) && !/^State:\t[ZX]/m.test(status);
  } catch {
    return false; // it ended meanwhile
  }
}

/** The program that a process runs; null where it ended, or is another user's, whose hooks are not ours. */
function linkOf(pid: number | "self"): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return null;
  }
}
