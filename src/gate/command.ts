/**
 * A hook's command as it stands in a compiled gate: in the gate's own shell, or in one of its own.
 *
 * In the gate's own shell, a subshell `(⏎COMMAND⏎)`, it costs one fork. That is the same as `sh -c COMMAND` for every
 * text that the shell reads as complete by itself and as complete between those parentheses. What does not end at its
 * own last line (an open here-document, a last backslash) would take in what follows; what speaks of the process it
 * runs in ($$, $0, return) or of how it is read (alias, set -x, LINENO) would find itself in the gate. All these run as
 * `sh -c`, quoted, where nothing can take in anything: the same by construction, for one exec more.
 *
 * Proven by test/gate/command.test.ts: many texts both ways, in several shells.
 */
import { shellComplaint } from "../process/shell.ts";

/** A text as one word of sh. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

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

/** Whether the command may stand between the parentheses. */
export function standsInline(command: string): boolean {
  let answer = known.get(command);
  if (answer === undefined) {
    answer = !SPEAKS_OF_ITSELF.test(command) && shellComplaint(`(\n${command}\n)`) === null;
    known.set(command, answer);
  }
  return answer;
}

/** The lines between the parentheses of a hook's subshell. */
export const bodyOf = (command: string): string =>
  standsInline(command) ? command : `exec /bin/sh -c ${quoted(command)} sh "$@"`;
