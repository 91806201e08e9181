/**
 * A hook's command as it stands in a compiled gate: as it is, in a subshell of the gate's shell, or in a shell of its own.
 *
 * As it is stands the call of a program by its path, and of a builtin that can do nothing to the shell (not `test`, which computes in bash), with words that
 * need no reading: such a text has nothing that a subshell would keep from the gate, and the shell starts the program
 * without forking itself, as in a raw hook.
 *
 * In the gate's own shell, a subshell `(⏎COMMAND⏎)`, it costs one fork. That is the same as `sh -c COMMAND` for every
 * text that the shell reads as complete by itself and as complete between those parentheses. What does not end at its
 * own last line (an open here-document, a last backslash) would take in what follows; what speaks of the process it
 * runs in ($$, $0, return) or of how it is read (alias, set -x, LINENO) would find itself in the gate. All these run as
 * `sh -c`, quoted, where nothing can take in anything: the same by construction, for one exec more.
 *
 * Proven by test/gate/command.test.ts: many texts both ways, in several shells.
 */
import { quoted } from "../core/shell-word.ts";
import { askAhead, shellComplaint } from "../process/shell.ts";

const SPEAKS_OF_ITSELF = new RegExp(
  [
    /\balias\b|\breturn\b|\bLINENO\b|\bPPID\b|\bBASH\w*|\bFUNCNAME\b|\bcaller\b|\\$/,
    /\$\{?(?:[$!0-]|_(?!\w))/, // $$ $! $0 $- $_
    /\btrap\b[ \t]*(?:-p|[;&|)}<>\n]|$)/, // bash lists the gate's
    /\bset\b(?![ \t]+(?:[-+][aefuC]+[ \t]*(?:[;&|)}\n]|$)|--[ \t]))/, // -v -x and more show where the text is read
  ]
    .map(({ source }) => source)
    .join("|"),
);

const known = new Map<string, boolean>();

const between = (command: string): string => `(\n${command}\n)`;

/** Asks the shell about many commands at once: whether it can read them, and whether it can between parentheses. */
export const askAheadOf = (commands: readonly string[]): void =>
  askAhead(commands.flatMap((command) => [command, between(command)]));

/** Whether the command may stand between the parentheses. */
export function standsInline(command: string): boolean {
  let answer = known.get(command);
  if (answer === undefined) {
    answer = !SPEAKS_OF_ITSELF.test(command) && shellComplaint(between(command)) === null;
    known.set(command, answer);
  }
  return answer;
}

// Plain characters, '…', and "…" in which only our own variables and the arguments are filled in.
const WORD = /(?:[\w.@%+,:=/-]|'[^'\n]*'|"(?:[^"\\$`\n]|\$\{GATEPOST_\w+\}|\$GATEPOST_\w+\b|\$[1-9@])*")+/.source;
const PROGRAM = /[\w.@%+,:-]*\/[\w.@%+,:/-]+/.source;
const PLAIN_CALL = new RegExp(`^(?:${PROGRAM}|true|false|:|echo)(?:[ \\t]+${WORD})*$`);

/** Whether the command may stand as it is: it calls one program, and does nothing to the shell that calls it. */
export const isPlainCall = (command: string): boolean => PLAIN_CALL.test(command);

/** The lines between the parentheses of a hook's subshell. */
export const bodyOf = (command: string): string =>
  standsInline(command) ? command : `exec /bin/sh -c ${quoted(command)} sh "$@"`;
