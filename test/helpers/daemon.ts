/** Daemons in tests: the built program, started for real and ended by process id, whatever becomes of the test. */
import type { ChildProcess } from "node:child_process";
import { afterEach } from "vitest";
import { noteLook } from "../../src/store/repository.ts";
import { until, type World } from "./cli.ts";
import type { Watched } from "./served.ts";

export type Daemon = {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** All it has said so far. */
  said(): string;
  /** Asks it to end, and says how it did. */
  stop(): Promise<number | NodeJS.Signals | null>;
};

const daemons: Daemon[] = [];

/** Ends every daemon that a test leaves behind; to be called once in a file that starts some, and after a
 *  call that has each test take its world away: of such hooks the last one runs first. */
export function endDaemonsAfterEach(): void {
  afterEach(async () => {
    for (const { child, ended } of daemons.splice(0)) {
      child.kill("SIGKILL"); // also where it is stopped
      await ended;
    }
  });
}

/** Starts gatepost and leaves it running. */
export const startDaemon = (world: World, args: readonly string[], env: Record<string, string> = {}): Daemon =>
  followed(world.start(args, { env }));

/** Starts `gatepost serve` and waits until it has looked at the repository. Its poll is so rare that it finds nothing. */
export async function startServer(r: Watched, ...args: string[]): Promise<Daemon> {
  const { id, lookedAt } = r.repository();
  // Whatever an earlier look remembered: the first pass looks at the repository, by which it is seen to serve.
  noteLook(r.home.db, { id, fingerprint: null, now: lookedAt });
  const daemon = startDaemon(r.world, ["serve", "--poll", "3600", ...args, r.path]);
  await until("it serves", () => daemon.said().includes("serving") && r.repository().lookedAt !== lookedAt);
  return daemon;
}

/** A daemon that was started in another way. */
export function followed(child: ChildProcess): Daemon {
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once("exit", (code, signal) => resolve(signal ?? code)),
  );
  const stop = (): typeof ended => {
    child.kill("SIGTERM");
    return ended;
  };
  const daemon = { child, pid: child.pid ?? 0, ended, said: () => said, stop };
  daemons.push(daemon);
  return daemon;
}
