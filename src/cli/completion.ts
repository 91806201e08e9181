/**
 * What can be typed, read off the program itself: for each command its sub-commands, options and arguments, and for each
 * value what can stand there. A completion script is this, written as tables of the shell (completion/*.ts), so that a
 * press of TAB starts no Node for what is known when the script is printed, and a script that a shell reads at its start
 * (`source <(gatepost completion bash)`) is never out of date. What only a home knows the script asks for with
 * `gatepost complete KIND -- WORDS`.
 *
 * What a value is follows from its placeholder in the help (`<HOOK>`, `[PATH...]`), its choices, or, for the few whose
 * placeholder says little, from the name of the option. Test: test/e2e/completion.test.ts.
 */
import type { Argument, Command, Option } from "commander";
import { ARTIFACTS } from "../core/hook.ts";
import { EVENT_TYPES, NATIVE_TYPES, TYPES } from "../core/hook-type.ts";
import { SETTINGS } from "../core/settings.ts";
import { commandPath, expandPrefixes } from "./prefix.ts";

/** A word that can be typed, and what it stands for, on one line. */
export type Word = { word: string; says: string };

/** What can stand in a place: words that are known now, files, and things that a home is asked for. */
export type Value = { words: readonly Word[]; files: boolean; ask: Ask | null };

/** Kinds of things in a home; see src/home/complete.ts. */
export type Ask = "hooks" | "runs" | "held-runs" | "repositories" | "values";

/** A command: how it is called, and what can follow. */
export type Node = {
  /** "gatepost hook add". */
  path: string;
  /** Its sub-commands. */
  words: readonly Word[];
  /** Every word that stands for a sub-command, shortened ones too, and the sub-command it stands for. */
  short: ReadonlyMap<string, string>;
  options: readonly (Word & { value: Value | null })[];
  /** Its arguments; where `more`, the last can be repeated. */
  args: readonly Value[];
  more: boolean;
};

const oneLine = (text: string): string => text.replace(/\s+/g, " ");
const nothing: Value = { words: [], files: false, ask: null };
const files: Value = { ...nothing, files: true };
const asks = (ask: Ask, ...words: string[]): Value => ({ words: words.map(bare), files: false, ask });
const oneOf = (words: readonly string[]): Value => ({ ...nothing, words: words.map(bare) });
const bare = (word: string): Word => ({ word, says: "" });
const known = (word: string, says: string): Word => ({ word, says: oneLine(says) });

/** By placeholder. One that is not here, such as <N>, is nothing that could be offered. */
const PLACEHOLDERS: Readonly<Record<string, Value>> = {
  REPOSITORY: { ...files, ask: "repositories" },
  PATH: files,
  DIR: files,
  FILE: files,
  HOME: files,
  "OPTION or FILE": files,
  ID: asks("hooks"),
  HOOK: asks("hooks"),
  RUN: asks("runs"),
  VALUE: asks("values"),
  TYPE: { ...nothing, words: [...TYPES, ...NATIVE_TYPES, ...EVENT_TYPES].map(({ name, says }) => known(name, says)) },
};

/** By command and option or argument, where the placeholder does not say it. */
const OTHERS: Readonly<Record<string, Value>> = {
  "--stdin": oneOf(["artifacts", "updates", "paths"]),
  "--each": oneOf(["receipt"]),
  "--artifact": oneOf(ARTIFACTS),
  "settings NAME": { ...nothing, words: Object.entries(SETTINGS).map(([name, { says }]) => known(name, says)) },
  "release RUN": asks("held-runs"),
  "drop RUN": asks("held-runs"),
  "edit ID": asks("hooks", "all"),
  "delete ID": asks("hooks", "all"),
  "enable ID": asks("hooks", "all"),
  "disable ID": asks("hooks", "all"),
};

/** The command and all below it; hidden ones are left out. */
export function nodesOf(command: Command): Node[] {
  const help = command.createHelp();
  const subs = help.visibleCommands(command);
  const options = help.visibleOptions(command).flatMap((option) => {
    const value = option.required || option.optional ? valueOfOption(command, option) : null;
    const names = [option.long, option.short].filter((name) => name != null);
    return names.map((word) => ({ word, says: oneLine(option.description), value }));
  });
  const own: Node = {
    path: commandPath(command),
    words: subs.map((sub) => known(sub.name(), sub.description())),
    short: shortened(command),
    options,
    args: command.registeredArguments.map((argument) => valueOfArgument(command, argument)),
    more: command.registeredArguments.at(-1)?.variadic === true,
  };
  return [own, ...command.commands.filter((sub) => subs.includes(sub)).flatMap(nodesOf)];
}

function valueOfOption(command: Command, option: Option): Value {
  if (option.argChoices !== undefined) return oneOf(option.argChoices);
  if (option.long === "--unset")
    return oneOf(command.options.flatMap(({ long }) => (isKept(long) ? [long.slice(2)] : [])));
  const placeholder = /[<[](.+?)(?:\.{3})?[>\]]/.exec(option.flags)?.[1] ?? "";
  return OTHERS[option.long ?? ""] ?? PLACEHOLDERS[placeholder] ?? nothing;
}

/** Whether an option of `hook edit` is kept with the hook and has a default to go back to. */
const isKept = (long: string | null | undefined): long is string =>
  long != null && !["--repository", "--home", "--json", "--unset", "--command", "--type", "--all"].includes(long);

function valueOfArgument(command: Command, argument: Argument): Value {
  if (argument.argChoices !== undefined) return oneOf(argument.argChoices);
  const name = argument.name();
  return OTHERS[`${command.name()} ${name}`] ?? PLACEHOLDERS[name] ?? nothing;
}

/** What each prefix of a sub-command stands for, as the program itself takes it. */
function shortened(command: Command): Map<string, string> {
  const names = command.commands.map((sub) => sub.name());
  const above = commandPath(command).split(" ").slice(1);
  const found = new Map<string, string>();
  for (const name of names)
    for (let length = 1; length <= name.length; length++) {
      const word = name.slice(0, length);
      try {
        const full = expandPrefixes(programOf(command), [...above, word]).at(-1);
        if (full !== undefined && names.includes(full)) found.set(word, full);
      } catch {} // it could be more than one
    }
  return found;
}

const programOf = (command: Command): Command => (command.parent === null ? command : programOf(command.parent));
