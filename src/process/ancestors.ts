/** The processes that this one was started by, up to the first. */
import { readFileSync } from "node:fs";

/** Their pids; empty where processes cannot be seen. */
export function ancestors(): Set<number> {
  const found = new Set<number>();
  let pid = process.ppid;
  while (pid > 0 && !found.has(pid)) {
    found.add(pid);
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      pid = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
    } catch {
      break;
    }
  }
  return found;
}
