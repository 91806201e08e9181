/** The processes of the machine, and what each was started with, as /proc tells. */
import { readdirSync, readFileSync } from "node:fs";

/** The pids of all processes, as /proc lists them. */
export const allPids = (): number[] =>
  readdirSync("/proc")
    .filter((name) => name >= "1" && name <= "9~")
    .map(Number);

/** The variables that a process was started with as a byte string, a NUL before and behind each; empty where it ended
 *  meanwhile or is another user's. */
export function startedWith(pid: number): string {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, "latin1")}`;
  } catch {
    return "";
  }
}
