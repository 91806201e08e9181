/**
 * What signals ask of a backoffice.
 *
 *   TERM, INT   stop: nothing new starts, running hooks get SIGTERM and their grace, the lease is given back.
 *   once more   the grace is over: what still runs is killed at once. QUIT asks for both at the first time.
 *   HUP         whoever stays reads settings, hooks and the list of homes anew; nothing that runs is disturbed. A single
 *               pass stops. So does whoever stays on a terminal that is gone: nobody could end it from there any more. (nohup
 *               cannot change that, since Node undoes it when it starts; setsid can.)
 *   USR1        nothing.
 *
 * The handlers stand before anything is opened. A signal that comes earlier, while Node starts, ends the process in the
 * kernel's way, when nothing has been begun. One that comes between then and the first pass is kept in `stop`, which
 * every loop asks first. If we die here by SIGKILL, the next holder ends what is left and repeats it.
 * Proved by the tests "D7" in test/fault/signals.test.ts; docs/service.md says the same to people.
 */
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { isatty } from "node:tty";

/** What this process was asked for. */
export type Signals = {
  stop: AbortSignal;
  /** Running hooks get no more grace. */
  hurry: AbortSignal;
  /** 128 and the number of the signal that stopped us; null while none has. */
  stoppedBy(): number | null;
  /** Calls this with the name of the signal that stops us, now where one has. */
  onStop(then: (name: NodeJS.Signals) => void): void;
  /** Calls this at each HUP that means to reload; only the latest one given is called. */
  onReload(then: () => void): void;
};

/** Puts the handlers in place; to be called once, before anything is opened. */
export function listenToSignals({ stays }: { stays: boolean }): Signals {
  const [stop, hurry] = [new AbortController(), new AbortController()];
  let by: NodeJS.Signals | null = null;
  let reload = (): void => {};
  const end = (name: NodeJS.Signals, isUrgent: boolean): void => {
    if (isUrgent || by !== null) hurry.abort();
    by ??= name;
    stop.abort();
  };
  const terminal = hasTerminal() ? [0, 1, 2].filter(isatty) : null;
  process.on("SIGTERM", () => end("SIGTERM", false));
  process.on("SIGINT", () => end("SIGINT", false));
  process.on("SIGQUIT", () => end("SIGQUIT", true));
  process.on("SIGUSR1", () => {}); // or Node would open its debugger, to whoever is on this machine
  process.on("SIGHUP", () => {
    const isGone = terminal !== null && !hasTerminal();
    if (isGone) letGo(terminal);
    if (stays && !isGone) reload();
    else if (!stop.signal.aborted) end("SIGHUP", false);
  });
  return {
    stop: stop.signal,
    hurry: hurry.signal,
    stoppedBy: () => (by === null ? null : 128 + constants.signals[by]),
    onStop: (then) => {
      const tell = (): void => {
        if (by !== null) then(by);
      };
      stop.signal.addEventListener("abort", tell, { once: true });
      tell();
    },
    onReload: (then) => {
      reload = then;
    },
  };
}

/** Whether this process has a terminal that is still there. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/** Puts /dev/null in place of a terminal that is gone. At its end Node sets the terminal back that it has, and aborts
 *  where that fails (20.20: "Assertion failed" in ResetStdio). */
function letGo(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) {
    try {
      closeSync(descriptor);
      openSync("/dev/null", "r+"); // takes the lowest number that is free, which is this one
    } catch {}
  }
}
