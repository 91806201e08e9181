/**
 * Telling systemd how a service goes: that it is ready, what it does, that it is alive, that it stops.
 *
 * systemd listens on a datagram socket, which Node cannot write to, so each message is one call of systemd-notify. Root's
 * says that it speaks for us; any other user's speaks as a child, which its unit must allow (home/service/unit.ts).
 * NOTIFY_SOCKET and the watchdog's variables are taken out of
 * this process's environment at once: whatever is started later must not be able to speak for the service.
 *
 * The watchdog is answered at half of its time, and only while the caller says that its loops turn. The timer runs on
 * the event loop itself, so a process that hangs in a computation or a system call answers nothing either, and systemd
 * starts it anew. If this process dies between two messages, systemd sees that by itself.
 * Proved by the tests "sd_notify" in test/e2e/service-notify.test.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { findProgram } from "./program.ts";

/** Whoever supervises this process. Nothing here fails or waits. */
export type ServiceManager = {
  /** Everything is up; `status` is shown by `systemctl status`. */
  ready(status: string): void;
  status(text: string): void;
  /** Answers the watchdog, if there is one, as long as `isAlive` says so. */
  beat(isAlive: () => boolean): void;
  stopping(): void;
  /** Nothing more is said. */
  close(): void;
};

/** How long a message may take; systemd-notify waits for systemd to have read it. */
const PATIENCE = 10_000;

/** Whoever supervises this process and listens; null where nobody does. `complain` is told once if it cannot be spoken
 *  to. */
export function serviceManager(complain: (message: string) => void): ServiceManager | null {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: micros, WATCHDOG_PID: watched } = process.env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete process.env[name];
  if (socket === undefined || socket === "") return null;
  const isWatched = watched === undefined || Number(watched) === process.pid;
  const beats = isWatched && Number(micros) > 0 ? Math.max(1, Number(micros) / 2000) : null;
  let timer: NodeJS.Timeout | undefined;
  let beating: ChildProcess | null = null;
  let hasComplained = false;
  const failed = (why: string): void => {
    if (!hasComplained) complain(`systemd cannot be told how it goes: ${why}`);
    hasComplained = true;
  };
  const tell = (...lines: string[]): ChildProcess => {
    const child = spawn(findProgram("systemd-notify"), lines, {
      env: { PATH: process.env["PATH"] ?? "", NOTIFY_SOCKET: socket },
      stdio: "ignore",
      timeout: PATIENCE,
    });
    child.on("error", (error: NodeJS.ErrnoException) =>
      failed(error.code === "ENOENT" ? "the program systemd-notify is missing" : error.message),
    );
    child.on("exit", (code, signal) => {
      if (code !== 0) failed(`systemd-notify ended with ${code ?? signal}`);
    });
    return child;
  };
  return {
    ready: (status) => void tell("READY=1", `STATUS=${status}`),
    status: (text) => void tell(`STATUS=${text}`),
    beat(isAlive) {
      if (beats === null) return;
      timer = setInterval(() => {
        if (beating !== null || !isAlive()) return;
        beating = tell("WATCHDOG=1");
        for (const end of ["error", "exit"]) beating.once(end, () => (beating = null));
      }, beats);
      timer.unref(); // it keeps nobody alive
    },
    stopping: () => void tell("STOPPING=1", "STATUS=stopping"),
    close: () => clearInterval(timer),
  };
}
