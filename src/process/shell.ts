/** Asks the shell whether it can read a command, without running any of it. */
import { spawnSync } from "node:child_process";

/** Commands that the shell could read: hooks that are taken over by the thousand are asked about again with the database
 *  locked. Long ones are rare, and would fill it. */
const readable = new Set<string>();
const MOST = 20_000;
const SHORT = 1000;

/** The shell's complaint about `command`, or null when `sh` can read it. */
export function shellComplaint(command: string): string | null {
  if (readable.has(command)) return null;
  const complaint = ask(command);
  if (complaint === null && command.length <= SHORT && readable.size < MOST) readable.add(command);
  return complaint;
}

function ask(command: string): string | null {
  const { status, stderr, error } = spawnSync("/bin/sh", ["-n", "-c", command], {
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    stdio: ["ignore", "ignore", "pipe"],
    timeout: 5000,
  });
  if (error !== undefined) return error.message; // a command too long for the system, or no /bin/sh
  if (status === 0) return null;
  const first = stderr.toString("utf8").split("\n")[0] ?? "";
  return first.replace(/^\S*sh: (?:-c: )?(?:line )?\d+: /, "").replace(/^\S*sh: /, "") || "syntax error";
}
