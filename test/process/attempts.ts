/** What the tests of hook processes share: an attempt with short times, and a look at who is left, by /proc alone. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Millis } from "../../src/core/units.ts";
import type { Attempt } from "../../src/process/hook-process.ts";

/** The shell word for a program in test/fixtures. */
export const fixture = (name: string): string => `'${fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))}'`;

export const ms = (length: number): Millis => length as Millis;

export function attempt(command: string, rest: Partial<Attempt> = {}): Attempt {
  return {
    command,
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    stdin: null,
    timeout: ms(20_000),
    grace: ms(100),
    drain: ms(100),
    keep: 32 * 1024,
    ...rest,
  };
}

/** Running processes (no zombies) of the session of a hook. */
export function runningIn(session: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const fields = statFields(pid);
      return fields !== null && Number(fields[3]) === session && fields[0] !== "Z" && fields[0] !== "X";
    });
}

export function isRunning(pid: number): boolean {
  const fields = statFields(pid);
  return fields !== null && fields[0] !== "Z" && fields[0] !== "X";
}

function statFields(pid: number): string[] | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^[\s\S]*\) /, "")
      .split(" ");
  } catch {
    return null;
  }
}

/** Asks until it is so; the test's own time limit ends it otherwise. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

export async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}
