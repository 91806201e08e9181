/** Calls of gatepost as help and documentation show them, held against the program: do its commands and options exist? */
import type { Command } from "commander";
import { expandPrefixes } from "../../src/cli/prefix.ts";
import { GatepostError } from "../../src/core/errors.ts";

/** The calls of gatepost on a line of shell, as words: behind a prompt, sudo, a pipe, a variable or "$(". Other programs'
 *  words in quotes are none. */
export function callsOn(line: string): string[][] {
  const calls: string[][] = [];
  let call: string[] | null = null;
  let isStart = true;
  for (const word of wordsOf(line)) {
    if (SEPARATOR.test(word)) {
      if (call !== null) calls.push(call);
      call = null;
      isStart = true;
    } else if (call !== null) call.push(word);
    else if (isStart && /^(?:[.~]?\/.*\/)?gatepost$/.test(word)) call = [];
    else isStart = isStart && BEFORE.test(word);
  }
  if (call !== null) calls.push(call);
  return calls;
}

const SEPARATOR = /^(?:[|&;()<>]+|\$\()$/;

/** What may stand before the program of a call: a prompt, what starts programs, variables, and the five fields of cron. */
const BEFORE = /^(?:\w*[$#>!]|exec|command|nohup|nice|npx|sudo|-u|alice|git|if|while|do|then|\w+=.*|\d+|\*(?:\/\d+)?)$/;

/** Words as a shell cuts them, quotes taken off, up to a comment. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [whole, operator] of line.matchAll(PIECE)) {
    if (operator !== undefined) words.push(operator);
    else if (whole.startsWith("#")) break;
    else words.push(whole.replace(QUOTED, (_, single, double) => single ?? double ?? ""));
  }
  return words;
}

const PIECE = /(\$\(|[|&;()<>]+)|#.*|(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\|&;()<>])+/g;
const QUOTED = /'([^']*)'|"((?:\\.|[^"\\])*)"/g;

/** What is wrong with a call; null where its command and all its options are the program's. An ellipsis stands for what
 *  is left out. */
export function wrongWith(program: Command, words: readonly string[]): string | null {
  const call = words[0] === "help" ? words.slice(1) : [...words];
  let full: readonly string[];
  try {
    full = expandPrefixes(program, call);
  } catch (error) {
    if (error instanceof GatepostError) return error.message;
    throw error;
  }
  let command = program;
  let at = 0;
  for (; at < full.length; at++) {
    const sub = command.commands.find((other) => other.name() === full[at]);
    if (sub === undefined) break;
    command = sub;
  }
  const rest = full.slice(at);
  const takesNone = command.registeredArguments.length === 0;
  if (takesNone && command.commands.length > 0 && /^\w/.test(rest[0] ?? "")) return `${rest[0]} is no command`;
  return command.name() === "commit" ? null : wrongOption(command, rest);
}

function wrongOption(command: Command, words: readonly string[]): string | null {
  let isValue = false;
  for (const word of words) {
    if (isValue) {
      isValue = false;
      continue;
    }
    if (word === "--") return null;
    if (!/^-[\w-]/.test(word) || /^-(?:h|-help)$/.test(word)) continue;
    const name = word.replace(/=.*/s, "");
    const option = command.options.find(({ long, short }) => long === name || short === name);
    if (option === undefined) return `${word} is no option of ${command.name()}`;
    isValue = option.required && name === word;
  }
  return null;
}
