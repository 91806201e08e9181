/**
 * Whether a push is being received into a repository right now. Between the move of its first ref and its post-receive
 * lies every `update` hook of its other refs, which may take long: until then nobody has told who pushed.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

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
  return names.some((name) => /^\d+$/.test(name) && !ours.has(name) && receives(name, gitDir));
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

function ancestors(): Set<string> {
  const found = new Set<string>();
  let pid = String(process.ppid);
  while (pid !== "0" && pid !== "" && !found.has(pid)) {
    found.add(pid);
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      pid = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? "";
    } catch {
      break;
    }
  }
  return found;
}
