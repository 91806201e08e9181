/**
 * Real pipes, which Node cannot make.
 *
 * What Node calls a pipe is a pair of sockets, and a hook notices: `echo … >/dev/stderr` and `cat /dev/stdin` fail with
 * "No such device or address" (Linux opens no socket by name; seen on Node 20.20), though they work under git. Nor can
 * a child's stdout and stderr be one and the same, so the order of what a hook prints would be lost. A named pipe is
 * no way out: opening /dev/stdin on one whose writer has closed waits for ever.
 *
 * A shell can make pipes: it makes one between any two commands of a pipeline. So a shell is started whose stages say
 * their pid and wait; we open each stage's pipe through /proc, and let the shell end. That costs about 5 ms of processor
 * time for sixteen pipes, enough for eight hooks, and happens before they are needed.
 *
 * Each pipe serves once. What is held back is only one descriptor per unused pipe. If we die here, the shell reads the
 * end of its input and ends; nothing has a name, so nothing is left behind. Proved by
 * test/process/pipe.test.ts, and by row E12 of test/process/hook-process.test.ts.
 */
import { spawn } from "node:child_process";
import { closeSync, constants, fstatSync, openSync } from "node:fs";

/** Both ends as descriptors, blocking, closed in programs that are started. Whoever takes one closes both. */
export type Pipe = { readEnd: number; writeEnd: number };

const BATCH = 16;
const LOW = 2; // one hook's worth: the next batch is made while the last hook of this one starts

// In a stage, `read <&3` moves descriptor 0 away while it waits, hence the copy on 5.
const stage = '{ exec 5<&0; read -r pid rest </proc/self/stat; echo "$pid" >&4; read -r rest <&3; }';
const script = `exec 3<&0 4>&1; read -r rest <&3 | ${Array(BATCH).fill(stage).join(" | ")}`;

const spare: number[] = [];
let making: Promise<void> | null = null;

/** Takes `count` new pipes. Waits (some 5 ms) only when none are in store; rejects with the system's error when the
 *  system is out of processes or descriptors. */
export async function takePipes(count: number): Promise<Pipe[]> {
  while (spare.length < count) await preparePipes();
  const taken: Pipe[] = [];
  try {
    while (taken.length < count) taken.push(open(spare.pop() as number));
  } catch (error) {
    for (const pipe of taken) closePipe(pipe);
    releasePipes(); // out of descriptors, most likely: those in store are the first to give back
    throw error;
  }
  if (spare.length <= LOW) preparePipes().catch(() => {}); // whoever takes the next one tries again, and is told
  return taken;
}

/** Puts a batch of pipes in store, so that the first hook need not wait for it. Calls at the same time share one. */
export function preparePipes(): Promise<void> {
  making ??= makeBatch().finally(() => {
    making = null;
  });
  return making;
}

/** Closes the pipes in store. For the end of a program, and when descriptors are short. */
export function releasePipes(): void {
  for (const descriptor of spare.splice(0)) closeSync(descriptor);
}

export function closePipe(pipe: Pipe): void {
  closeSync(pipe.readEnd);
  closeSync(pipe.writeEnd);
}

/** Each end gets an open file of its own: O_NONBLOCK, which Node sets on ours, must not reach the hook's. */
function open(both: number): Pipe {
  let readEnd = -1;
  try {
    readEnd = openSync(`/proc/self/fd/${both}`, constants.O_RDONLY);
    return { readEnd, writeEnd: openSync(`/proc/self/fd/${both}`, constants.O_WRONLY) };
  } catch (error) {
    if (readEnd >= 0) closeSync(readEnd);
    throw error;
  } finally {
    closeSync(both);
  }
}

function makeBatch(): Promise<void> {
  return new Promise((resolve, reject) => {
    const shell = spawn("/bin/sh", ["-c", script], { cwd: "/", env: {}, stdio: ["pipe", "pipe", "ignore"] });
    let pids = "";
    shell.on("error", reject);
    if (shell.pid === undefined) return; // not started: "error" follows
    shell.stdin.on("error", () => {}); // it only ever closes
    shell.stdout.on("data", (chunk: Buffer) => {
      pids += chunk.toString("latin1");
      const lines = pids.split("\n");
      if (lines.length <= BATCH) return;
      try {
        spare.push(...openStages(lines.slice(0, BATCH)));
        resolve();
      } catch (error) {
        reject(error);
      }
      shell.stdin.destroy();
      shell.stdout.destroy();
    });
    shell.on("exit", () => reject(Object.assign(new Error("/bin/sh made no pipes"), { code: "EAGAIN" })));
  });
}

function openStages(pids: string[]): number[] {
  const opened: number[] = [];
  try {
    for (const pid of pids) {
      const descriptor = openSync(`/proc/${pid}/fd/5`, constants.O_RDWR);
      opened.push(descriptor);
      if (!fstatSync(descriptor).isFIFO()) throw Object.assign(new Error("not a pipe"), { code: "ENXIO" });
    }
    return opened;
  } catch (error) {
    for (const descriptor of opened) closeSync(descriptor);
    throw error;
  }
}
