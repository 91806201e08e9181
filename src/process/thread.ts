/** Threads of this process: the one way in which one is started. */
import { Worker } from "node:worker_threads";

export type Thread = Worker;

/** The number of the thread that calls, within this process; no other thread ever has it. */
export { threadId } from "node:worker_threads";

/**
 * Starts the module of dist with that name in a thread of its own, whose `process.env` is `env` and nobody else's. The
 * module is the built one also where this is not: a thread understands no TypeScript. The options that Node was started
 * with do not count there: a loader or an inspector is meant for the caller's own code.
 */
export const startThread = (module: string, env: NodeJS.ProcessEnv): Thread =>
  new Worker(new URL(`../../dist/${module}.js`, import.meta.url), {
    ...{ name: "gatepost", env: { ...env }, execArgv: [] },
    // Else its end closes each number that a file had once that something else closed: pipes that became sockets. By then
    // these numbers may be a database of another thread, or the program's own files.
    trackUnmanagedFds: false,
  });
