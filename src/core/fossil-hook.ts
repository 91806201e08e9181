/**
 * A hook of Fossil's as one of ours, and back, meaning kept.
 *
 * Fossil pastes %F, %R and %A into the command as text, one pass from the left, and keeps every other percent sign. We
 * fill them as safe words, and write a percent sign `%%`. So on the way in a percent sign that begins no place is doubled
 * (`%%F`, which Fossil reads as a percent sign and a place, becomes `%%%F`), and on the way out it is single again. What
 * then stands before an F, R or A would become a place: that is refused, as is all that Fossil has no way to say.
 *
 * A command of before-commit goes through a check in Fossil that ends the commit with a crash (dollar signs, pipes,
 * semicolons). Such a one goes out as `sh -c '…'`, where the check does not look. Fossil pastes into it all the same.
 *
 * What is not kept, because Fossil cannot be told: that a path with a space stays one word.
 *
 * Pure. Proven by test/core/fossil-hook.test.ts, which has both run the same commands.
 */

import type { Entry } from "./fossil-hook-list.ts";
import { type HookSpec, NO_OPTIONS } from "./hook.ts";
import { cells, type Letter } from "./shell-cells.ts";
import { quoted } from "./shell-word.ts";
import { substitute } from "./substitute.ts";

const FOSSIL_TYPES = ["after-receive", "before-commit", "disabled"];

/** The hook that does what the entry does, without a name or scope; or why none can. Whether sh can read the command is
 *  not asked. */
export function fromFossil({ cmd, type, seq }: Entry): Omit<HookSpec, "scope"> | { why: string } {
  if (!FOSSIL_TYPES.includes(type)) return { why: `Fossil has no type "${type}" and never runs it` };
  if (cmd.trim() === "") return { why: "its command is empty" };
  if (cmd.includes("\0")) return { why: "its command holds a NUL byte" };
  if (/\p{Surrogate}/u.test(cmd)) return { why: "its command is no Unicode text" };
  const doubled = cmd.replace(/%([FRA])?/g, (place, letter: Letter | undefined) => {
    if (letter === undefined) return "%%";
    return letter === "A" && type === "after-receive" ? "" : place; // Fossil has no such file then, and pastes nothing
  });
  const substituted = substitute(doubled);
  if (!substituted.ok) return { why: substituted.reason.replace(/\.$/, "") };
  if (doubled.trim() === "") return { why: "nothing is left of its command without %A, which is empty there" };
  return { ...NO_OPTIONS, name: null, type, sequence: seq, command: doubled };
}

/** The entry that does what the hook does; or why Fossil cannot. The scope and the name are not looked at. */
export function toFossil(hook: Omit<HookSpec, "scope" | "name">): Entry | { why: string } {
  const { command, type, sequence } = hook;
  if (command === null) return { why: "it is a function of a program that embeds Gatepost" };
  const runsAs = type === "disabled" ? (hook.wasType ?? type) : type;
  if (!FOSSIL_TYPES.includes(runsAs)) return { why: `Fossil has no ${runsAs} hooks` };
  const options = optionsOf(hook);
  if (options.length > 0) return { why: `Fossil has no ${options.join(", ")}` };
  const pieces = cells(command);
  for (const [n, { char, letter }] of pieces.entries()) {
    const next = pieces[n + 1]?.char ?? "";
    if (char === "%" && letter === null && "FRA".includes(next) && next !== "")
      return { why: `Fossil cannot write %%${next}: it would fill it in` };
    if (letter === "A" && runsAs === "after-receive") return { why: "Fossil gives after-receive hooks no %A" };
  }
  const text = pieces.map(({ char, letter }) => (letter === null ? char : `%${letter}`)).join("");
  const cmd = runsAs === "before-commit" && !passesCheck(text) ? `sh -c ${quoted(text)}` : text;
  return { cmd, type, seq: sequence };
}

type Option = Exclude<keyof HookSpec, "name" | "scope" | "type" | "wasType" | "sequence" | "command">;

function optionsOf(hook: Omit<HookSpec, "scope" | "name">): string[] {
  const given: Record<Option, [string, boolean]> = {
    timeout: ["--timeout", hook.timeout !== null],
    retries: ["--retries", hook.retries > 0],
    inOrder: ["--in-order", hook.inOrder],
    advisory: ["--advisory", hook.advisory],
    refs: ["--ref", hook.refs !== null],
    paths: ["--path", hook.paths !== null],
    stdin: ["--stdin", hook.stdin !== null && hook.stdin !== "artifacts"],
    each: ["--each", hook.each !== null],
    trees: ["--trees", hook.trees],
    dir: ["--dir", hook.dir !== null],
    parallel: ["--parallel", hook.parallel],
    artifacts: ["--artifact", hook.artifacts !== null],
  };
  return Object.values(given).flatMap(([option, isGiven]) => (isGiven ? [option] : []));
}

/** Whether Fossil runs that text as a before-commit hook, or ends the commit with "Unsafe command string". The values of
 *  places are taken to be harmless. */
export function passesCheck(text: string): boolean {
  let quote = "";
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    const isLast = at === text.length - 1;
    if ("$`".includes(char) && quote !== "'") return false;
    if (";|&\n".includes(char) && quote !== "'" && !isLast) return false;
    if (char === "\\" && isLast) return false;
    if (char === "\\" && quote !== "'") at += 1;
    else if (char === "'" || char === '"') quote = quote === "" ? char : quote === char ? "" : quote;
  }
  return quote === "";
}

/** Whether Fossil, which sorts before-commit hooks by the text of their number, runs these in the order of the numbers. */
export function sortsAlike(sequences: readonly number[]): boolean {
  const byText = [...sequences].sort((a, b) => (String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0));
  return byText.every((sequence, n) => n === 0 || (byText[n - 1] ?? sequence) <= sequence);
}
