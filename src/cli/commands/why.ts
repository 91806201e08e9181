/** `gatepost why`: how far a commit or ref came, or where it stopped. */
import type { Command } from "commander";
import { GatepostError } from "../../core/errors.ts";
import { typed } from "../../core/shell-word.ts";
import { paint, plain, print, printJson } from "../output.ts";
import { addWhere, type Where, withHome } from "../where.ts";

type Options = Where & { hook?: string; json?: boolean };
type Answer = Awaited<ReturnType<typeof import("../../home/why.ts")["why"]>>;

export function registerWhy(program: Command): void {
  addWhere(
    program
      .command("why")
      .description("say how far a commit or ref came on its way to the hooks, or where it stopped and what mends that"),
  )
    .argument("<COMMIT|REF>", "a hash or the beginning of one, a revision such as main~3, or a ref, a deleted one too")
    .option("--hook <HOOK>", "only what became of it at this hook (id or name)")
    .option("--json", "print it as JSON")
    .addHelpText(
      "after",
      `
Exit codes: 0 each hook that was to get it is done with it, or its own rules left it out; 1 it stopped somewhere, or is
still on its way; 3 nothing knows of it.

Examples:
  gatepost why 41ff2a7
  gatepost why main --hook ci`,
    )
    .action(answer);
}

async function answer(word: string, given: Options): Promise<void> {
  await withHome(given, async ({ home, repository }) => {
    if (repository === null)
      throw new GatepostError("GP_USAGE", "In which repository?", { hint: "Add -R REPOSITORY." });
    const { labelOf, why } = await import("../../home/why.ts");
    const hook = given.hook === undefined ? null : (await import("../../home/hooks.ts")).findHook(home, given.hook);
    const found = await why(home, { repository, word, hook, where: whereIn(given), from: fromOf(given) });
    if (given.json) printJson(toJson(found));
    else print(lines(found, labelOf).join("\n"));
    process.exitCode = found.done ? 0 : 1;
  });
}

/** The work tree that is meant: HEAD is another commit in each. */
const fromOf = ({ repository }: Options): string => repository ?? process.cwd();

/** The options of the call that say where, for the calls that it names. */
const whereIn = ({ home, repository }: Options): string =>
  [
    ...(home === undefined ? [] : [` --home ${typed(home)}`]),
    ...(repository === undefined ? [] : [` -R ${typed(repository)}`]),
  ].join("");

const toJson = ({ steps, ...found }: Answer) => ({
  ...found,
  steps: steps.map(({ mend, ...step }) => ({ ...step, mend: mend?.command ?? null })),
});

/** A line for each step; those of hooks stand below what they are about, in columns. */
function lines({ steps }: Answer, labelOf: (hook: { id: number; name: string | null }) => string): string[] {
  const labels = steps.map(({ hook }) => (hook === null ? null : plain(labelOf(hook))));
  const width = Math.max(0, ...labels.map((label) => label?.length ?? 0));
  return steps.map(({ state, says, mend }, at) => {
    const label = labels[at] ?? null;
    const how = mend === null ? "" : `${mend.words}: ${plain(mend.command)}`;
    const sentence = coloured(state, plain(says));
    if (label === null) return `${sentence}.${how === "" ? "" : ` ${how}`}`;
    return `  ${label.padEnd(width)}  ${sentence}${how === "" ? "" : `. ${how}`}`;
  });
}

const coloured = (state: Answer["steps"][number]["state"], text: string): string => {
  if (state === "stopped") return paint("red", text);
  if (state === "waits") return paint("yellow", text);
  return state === "skipped" ? paint("dim", text) : text;
};
