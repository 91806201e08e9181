/** A program that takes over the terminal for a while: it has our stdin, stdout and stderr. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { GatepostError } from "../core/errors.ts";
import type { Environment } from "./command.ts";

/** Runs it to its end and returns its exit code; of a signal, 128 and its number. Ctrl-C is the program's to hear. Throws
 *  GP_PROGRAM where it cannot be started. */
export async function runHere(
  file: string,
  args: readonly string[],
  options: { cwd: string; env: Environment },
): Promise<number> {
  const ignore = (): void => {};
  process.on("SIGINT", ignore);
  try {
    return await new Promise((done, failed) => {
      const child = spawn(file, args, { ...options, stdio: "inherit" });
      child.on("error", (cause) =>
        failed(new GatepostError("GP_PROGRAM", `${file} could not be started.`, { hint: `Install ${file}.`, cause })),
      );
      child.on("close", (code, signal) => done(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
    });
  } finally {
    process.off("SIGINT", ignore);
  }
}
