/** Daemons in tests: the built program, started for real and ended by process id, whatever becomes of the test. */
import type { ChildProcess } from "node:child_process";
import { afterEach } from "vitest";
import type { World } from "./cli.ts";

export type Daemon = {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** All it has said so far. */
  said(): string;
};

const daemons: Daemon[] = [];

/** Ends every daemon that a test leaves behind; to be called once in a file that starts some. */
export function endDaemonsAfterEach(): void {
  afterEach(async () => {
    for (const { child, ended } of daemons.splice(0)) {
      child.kill("SIGKILL"); // also where it is stopped
      await ended;
    }
  });
}

/** Starts gatepost and leaves it running. */
export function startDaemon(world: World, args: readonly string[], env: Record<string, string> = {}): Daemon {
  const child = world.start(args, { env });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once("exit", (code, signal) => resolve(signal ?? code)),
  );
  const daemon = { child, pid: child.pid ?? 0, ended, said: () => said };
  daemons.push(daemon);
  return daemon;
}
