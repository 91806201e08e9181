/**
 * Helper programs (git, sh -n, id): started with an argument array, never through a shell, in an environment that is
 * written out in full. Two forms: `capture` for a short answer that fits in memory, `stream` for one that may not.
 */
import { spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { GatepostError } from "../core/errors.ts";

/** The whole environment of a program: nothing is added to it. */
export type Environment = Readonly<Record<string, string>>;

/** How a program ended: its exit code, or the signal that killed it. */
export type Ending = { code: number | null; signal: NodeJS.Signals | null; stderr: string };

/** How a program is started; without `input` its stdin is empty. */
export type CommandOptions = { cwd?: string; env: Environment; input?: string | Uint8Array };

/** Runs a program to its end and returns all it printed. A non-zero exit is a value; only a program that cannot be
 *  started is an error (GP_PROGRAM, or GP_FULL when the system is out of processes or descriptors). */
export async function capture(
  file: string,
  args: readonly string[],
  options: CommandOptions & { maxBytes?: number; timeout?: number },
): Promise<Ending & { stdout: Buffer }> {
  const { execa } = await import("execa"); // 100 ms of start-up: only commands that need another program pay it
  const result = await execa(file, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
    env: options.env,
    extendEnv: false,
    encoding: "buffer",
    reject: false,
    stripFinalNewline: false,
    maxBuffer: options.maxBytes ?? 64 * 1024 * 1024,
    ...(options.timeout === undefined ? {} : { timeout: options.timeout, forceKillAfterDelay: 500 }),
  });
  if (result.exitCode === undefined && result.signal === undefined) throw cannotStart(file, result.cause ?? result);
  return {
    code: result.exitCode ?? null,
    signal: (result.signal as NodeJS.Signals | undefined) ?? null,
    stdout: Buffer.from(result.stdout ?? []),
    stderr: Buffer.from(result.stderr ?? []).toString("utf8"),
  };
}

/** Starts a program whose output is read as it comes. `ended` settles when the program has ended and its pipes are
 *  closed; of its stderr the first 64 KiB are kept. Throws GP_FULL where there are no descriptors. Breaking off: `kill()`, which is harmless after the end. */
export function stream(
  file: string,
  args: readonly string[],
  options: Omit<CommandOptions, "input">,
): { stdin: Writable; stdout: Readable; ended: Promise<Ending>; kill: () => void } {
  const child = spawn(file, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  // Without descriptors for its pipes Node gives back a child that has none, and tells of it in an event.
  if ((child.stdout as Readable | undefined) === undefined) {
    child.on("error", () => {});
    throw cannotStart(file, { code: "EMFILE" });
  }
  // Node throws away what nobody has begun to read when a program ends; a listener makes it keep the output.
  child.stdout.on("readable", () => {});
  child.stdin.on("error", () => {}); // a program may stop reading early; its exit code tells whether that was a failure
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    if (stderr.length < 65_536) stderr += chunk.toString("utf8");
  });
  const ended = new Promise<Ending>((resolve, reject) => {
    child.on("error", (error) => reject(cannotStart(file, error)));
    child.on("close", (code, signal) => resolve({ code, signal, stderr }));
  });
  ended.catch(() => {}); // whoever awaits it sees the failure; nobody awaiting it must not end the process
  return { stdin: child.stdin, stdout: child.stdout, ended, kill: () => void child.kill("SIGKILL") };
}

function cannotStart(file: string, cause: unknown): GatepostError {
  const code = (cause as { code?: string }).code ?? (cause as { cause?: { code?: string } }).cause?.code;
  if (code === "EAGAIN" || code === "EMFILE" || code === "ENFILE" || code === "ENOMEM")
    return new GatepostError(
      "GP_FULL",
      `${file} could not be started: the system is out of processes or descriptors.`,
      {
        hint: "Raise the limit (ulimit -n, ulimit -u), or stop what uses them up; Gatepost goes on by itself.",
        cause,
      },
    );
  return new GatepostError("GP_PROGRAM", `${file} could not be started (${code ?? "unknown reason"}).`, {
    hint: `Install ${file}, or put it on PATH.`,
    cause,
  });
}
