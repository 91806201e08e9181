/** The command line: reads the words, calls one use case, reports what went wrong. */
import { type Command, CommanderError } from "commander";
import { quietOnClosedPipe, report, say } from "./output.ts";
import { commandPath, expandPrefixes } from "./prefix.ts";
import { buildProgram } from "./program.ts";

/** Runs one call and sets the exit code; the process ends when its last handle does. */
export async function main(argv: readonly string[]): Promise<void> {
  quietOnClosedPipe();
  openToSelf();
  const program = buildProgram();
  let words = argv;
  try {
    words = expandPrefixes(program, argv[0] === "help" && argv.length > 1 ? [...argv.slice(1), "--help"] : argv);
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? usage(error, called(program, words)) : report(error);
  }
}

/** A umask that keeps its own user out of what is made, as of a daemon that was started with 777, is of use to nobody.
 *  What others may do is said by the mode of each file that is made. */
function openToSelf(): void {
  const umask = process.umask(0o077);
  process.umask(umask & 0o077);
}

/** The command that the words name, "gatepost hook add". */
function called(program: Command, words: readonly string[]): string {
  let command = program;
  for (const word of words) {
    const sub = command.commands.find((other) => other.name() === word);
    if (sub === undefined) break;
    command = sub;
  }
  return commandPath(command);
}

/** Commander's own complaint in our form: one sentence, one hint, exit 2. Help and version are no complaint. */
function usage(error: CommanderError, command: string): number {
  if (error.exitCode === 0) return 0;
  const [first = ""] = error.message.replace(/^error: /, "").split("\n");
  if (error.code === "commander.help") return 2; // called without what it needs: the help was the answer
  const sentence = first.charAt(0).toUpperCase() + first.slice(1);
  say(`gatepost: ${sentence}${/[.?!)]$/.test(sentence) ? "" : "."}`);
  say(`How to call it: ${command} --help`);
  return 2;
}
