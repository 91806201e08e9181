/**
 * Sub-commands may be shortened to a prefix, as in Fossil. Fossil's own six `hook` sub-commands come first, in Fossil's
 * order, so that what fingers know works (`hook d` is delete, not disable); any other prefix must mean one command only.
 * And a long option may have one dash, as Fossil takes it (`backoffice -poll 5`).
 */
import type { Command } from "commander";
import { GatepostError } from "../core/errors.ts";
import { nearest } from "../core/hook-type.ts";

const FOSSIL_FIRST = ["add", "edit", "delete", "list", "status", "test"];

/** Writes shortened command words out in full. Options before the word may take a value, so they end the search. */
export function expandPrefixes(program: Command, argv: readonly string[]): string[] {
  const words = [...argv];
  let command = program;
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? "";
    const names = visible(command);
    if (names.length === 0 || word.startsWith("-")) break;
    const full = resolveWord(word, names, command);
    if (full === null) break;
    words[at] = full;
    command = command.commands.find((sub) => sub.name() === full) ?? command;
  }
  return command.name() === "commit" ? words : [...words.slice(0, at), ...withTwoDashes(command, words.slice(at))];
}

/** Words of an option's value and what follows `--` stay as they are. */
function withTwoDashes(command: Command, words: readonly string[]): string[] {
  let isValue = false;
  let isOver = false;
  return words.map((word) => {
    if (isValue || isOver) {
      isValue = false;
      return word;
    }
    isOver = word === "--";
    const [, name = "", value] = /^--?([a-z][a-z-]+)(=.*)?$/s.exec(word) ?? [];
    const option = command.options.find(({ long, short }) => long === `--${name}` || short === word);
    isValue = option?.required === true && value === undefined;
    return option !== undefined && name !== "" && option.short !== word ? `--${name}${value ?? ""}` : word;
  });
}

function resolveWord(word: string, names: readonly string[], command: Command): string | null {
  if (word === "help" || command.commands.some((sub) => sub.name() === word)) return word;
  const aliased = command.commands.find((sub) => sub.aliases().includes(word));
  if (aliased !== undefined) return aliased.name();
  const matches = word === "" ? [] : names.filter((name) => name.startsWith(word));
  if (matches.length === 1) return matches[0] ?? null;
  const path = commandPath(command);
  if (matches.length > 1) {
    const fossil = path === "gatepost hook" ? FOSSIL_FIRST.find((name) => matches.includes(name)) : undefined;
    if (fossil !== undefined) return fossil;
    throw new GatepostError("GP_USAGE", `"${word}" is short for ${matches.join(" and ")}.`, {
      hint: "Write one more letter.",
    });
  }
  // `runs a-41` and `settings window` take words of their own.
  if (command.registeredArguments.length > 0) return null;
  const near = nearest(word, names);
  throw new GatepostError("GP_USAGE", `"${word}" is not a command.${near === null ? "" : ` Did you mean ${near}?`}`, {
    hint: `One of: ${names.join(" ")}. More: ${path} --help`,
  });
}

/** The sub-commands that help names. */
function visible(command: Command): string[] {
  const shown = command.createHelp().visibleCommands(command);
  return command.commands.filter((sub) => shown.includes(sub)).map((sub) => sub.name());
}

/** "gatepost hook add", for messages. */
export function commandPath(command: Command): string {
  return command.parent === null ? command.name() : `${commandPath(command.parent)} ${command.name()}`;
}
