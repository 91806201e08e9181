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

/** Bytes of commands that are handed to one shell: far below what a system takes. */
const HANDFUL = 50_000;

/** Asks about many commands at once, so that `shellComplaint` knows the answer for those that can be read: one shell asks
 *  a shell for each, which for a hundred of them takes a tenth of the time that starting each from here does. */
export function askAhead(commands: readonly string[]): void {
  const asked = [...new Set(commands)].filter(
    (command) => command.length <= SHORT && !readable.has(command) && !command.includes("\0"),
  );
  while (asked.length > 1) {
    const some: string[] = [];
    for (let bytes = 0; asked.length > 0 && bytes < HANDFUL; bytes += some.at(-1)?.length ?? 0)
      some.push(...asked.splice(0, 1));
    const script = 'for c do if /bin/sh -n -c "$c"; then echo y; else echo n; fi; done';
    const { status, stdout } = spawnSync("/bin/sh", ["-c", script, "sh", ...some], {
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 60_000,
    });
    const answers = status === 0 ? stdout.toString("latin1").split("\n") : [];
    for (const [index, command] of some.entries())
      if (answers[index] === "y" && readable.size < MOST) readable.add(command);
  }
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
