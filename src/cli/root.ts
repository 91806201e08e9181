/**
 * What root may call about what belongs to another user. Commands that only read are run as that user; any other is
 * refused, with the call that would work: who changed a hook is a fact that the audit keeps, so it is never guessed.
 */
import type { Command } from "commander";
import { commandPath } from "./prefix.ts";

/** Commands that change nothing, whatever options they are given. */
const READING = new Set(["runs", "runs show", "status", "why", "hook list", "hook status", "hook types"]);

function onlyReads(command: Command, name: string): boolean {
  if (name === "doctor") return command.opts()["fix"] !== true;
  if (name === "hook export") return command.opts()["to"] === undefined;
  return READING.has(name) || (name === "settings" && command.args.length < 2);
}

/** Commands that deal with owners themselves, or with no home. */
const ELSEWHERE = /^(?:backoffice|serve|service|demo|completion|complete|help)\b/;

/** To be called before each command's action: ends the process where root's call was run as, or is left to, another. */
export async function leaveToOwner(command: Command): Promise<void> {
  const name = commandPath(command).replace(/^gatepost ?/, "");
  if (process.geteuid?.() !== 0 || ELSEWHERE.test(name)) return;
  const { home, repository, root } = command.opts<{ home?: string; repository?: string | string[]; root?: string }>();
  const paths = name === "init" && command.args.length > 0 ? command.args : (home ?? root ?? repository ?? ".");
  const { asOwner } = await import("../home/as-owner.ts");
  const code = await asOwner([paths].flat(), onlyReads(command, name), process.argv.slice(2));
  if (code !== null) process.exit(code);
}

/** The words by which `command` was called, but for its arguments and the options that are named. */
export function wordsOf(command: Command, but: readonly string[]): string[] {
  const words = [command.name()];
  for (const option of command.options) {
    const name = option.attributeName();
    if (but.includes(name) || command.getOptionValueSource(name) !== "cli" || option.long == null) continue;
    for (const value of [command.opts()[name]].flat())
      words.push(typeof value === "boolean" ? option.long : `${option.long}=${value}`);
  }
  return words;
}
