/**
 * Whether a push is being received into a repository right now. Between the move of its first ref and its post-receive
 * lies every `update` hook of its other refs, which may take long: until then nobody has told who pushed.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { ancestors } from "./ancestors.ts";

/** True while a `git receive-pack` runs in that git directory, other than one that this process was started by (which
 *  would be waiting for us). Where processes cannot be seen, false. */
export function isReceiving(gitDir: string): boolean {
  let names: string[];
  try {
    names = readdirSync("/proc");
  } catch {
    return false;
  }
  const ours = ancestors();
  return names.some((name) => /^\d+$/.test(name) && !ours.has(Number(name)) && receives(name, gitDir));
}

function receives(pid: string, gitDir: string): boolean {
  try {
    if (!readFileSync(`/proc/${pid}/comm`, "latin1").startsWith("git")) return false;
    if (readlinkSync(`/proc/${pid}/cwd`) !== gitDir) return false;
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("receive-pack");
  } catch {
    return false; // ended meanwhile, or another user's
  }
}
