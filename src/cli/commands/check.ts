/** `gatepost check`: judges commits in CI, and says what was refused so that it can be read in a log. */
import type { Command } from "commander";
import type { Check, Checked, Judge } from "../../home/check.ts";
import { plain, plainLines, print, printJson, progressLine, say } from "../output.ts";
import { counted } from "../words.ts";

type Options = { repository?: string; range?: string; team?: boolean; json?: boolean };

export function registerCheck(program: Command): void {
  program
    .command("check")
    .description("judge commits that are there by the before-commit and commit-msg hooks: for CI")
    .option("-R, --repository <PATH>", "the work tree (default: the current folder's)")
    .option(
      "--range <RANGE>",
      "A..B or A...B: what B has and A has not; or one commit (default: what upstream has not)",
    )
    .option("--team", "by gatepost.json alone, also where the repository is registered")
    .option("--json", "print what was found as JSON")
    .addHelpText(
      "after",
      `
Examples:
  gatepost check --range origin/main..HEAD
  gatepost check --range HEAD

The hooks are those of gatepost.json in the work tree, and of the repository's home where it has one; nothing needs to be
registered. Each commit is set up in a temporary folder, where only what is committed is. Nothing here is changed.
Exit 0: all pass; 1: one was refused; 3: there is no hook to judge by.`,
    )
    .action(check);
}

type Refusal = { checked: Checked; refusals: Checked["answers"][number][] };

async function check(given: Options): Promise<void> {
  const { checkCommits } = await import("../../home/check.ts");
  const { requireGiven } = await import("../../home/locate.ts");
  requireGiven(given.repository);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => stop.abort());
  const progress = progressLine();
  const found: Refusal[] = [];
  const skips = new Map<string, number>();
  let checkedSoFar = 0;
  let refused = 0;
  const result = await checkCommits({
    at: given.repository ?? ".",
    range: given.range ?? null,
    teamOnly: given.team === true,
    signal: stop.signal,
    onChecked(checked, done, total) {
      checkedSoFar = done;
      const refusals = checked.answers.filter(({ answer }) => answer.verdict === "refused");
      if (refusals.some(({ judge }) => !judge.hook.advisory)) refused += 1;
      for (const { judge, answer } of checked.answers)
        if (answer.verdict === "skipped") {
          const key = `${called(judge)}: ${answer.why}`;
          skips.set(key, (skips.get(key) ?? 0) + 1);
        }
      if (refusals.length > 0) {
        progress.clear();
        if (given.json) found.push({ checked, refusals });
        else print(block(checked, refusals));
      }
      progress.show(`${done} of ${total} commits, ${refused} refused`);
    },
  }).finally(progress.clear);
  process.exitCode = refused > 0 || result.interrupted || checkedSoFar < result.total ? 1 : 0;
  if (result.leftOut !== null) say(`Mind: ${plain(result.leftOut)}`);
  const counts = { commits: result.total, checked: checkedSoFar, passed: checkedSoFar - refused, refused };
  if (given.json) return printJson(toJson(result, counts, found));
  for (const [what, count] of skips) print(plain(`${counted(count, "commit")} not asked about by ${what}`));
  print(summary(result, counts));
}

/** How a hook is called: by where it is from, its name or place, and its type. */
function called({ from, hook }: Judge): string {
  const name = hook.name === null ? "" : ` (${hook.name})`;
  return `${hook.type} ${from === "team" ? `hook ${hook.id}${name} of gatepost.json` : `hook ${hook.id}${name}`}`;
}

function block({ id, subject, author }: Checked, refusals: Refusal["refusals"]): string {
  const lines = [plain(`${id.slice(0, 10)} ${subject}`), plain(`  by ${author}`)];
  for (const { judge, answer } of refusals) {
    const advisory = judge.hook.advisory ? " (advisory: it refuses nothing)" : "";
    lines.push(plain(`  ${called(judge)}: ${answer.why}${advisory}`));
    const output = plainLines(answer.output.toString("utf8").replace(/\s+$/, ""));
    if (output !== "") lines.push(...output.split("\n").map((line) => `    ${line}`));
  }
  return `${lines.join("\n")}\n`;
}

type Counts = { commits: number; checked: number; passed: number; refused: number };

function summary({ range, judges, interrupted }: Check, { commits, checked, passed, refused }: Counts): string {
  if (commits === 0) return plain(`${range} has no commits: nothing to check.`);
  const rest = interrupted ? `. Interrupted; of ${commits} in all` : "";
  return plain(
    `${counted(checked, "commit")} of ${range} checked by ${counted(judges.length, "hook")}: ${passed} passed, ${refused} refused${rest}.`,
  );
}

function toJson({ range, judges, interrupted }: Check, counts: Counts, found: readonly Refusal[]): unknown {
  const about = ({ from, hook }: Judge) => ({ from, id: hook.id, name: hook.name, type: hook.type });
  return {
    range,
    hooks: judges.map((judge) => ({ ...about(judge), advisory: judge.hook.advisory })),
    counts,
    interrupted,
    refused: found.map(({ checked: { id, subject, author }, refusals }) => ({
      id,
      subject,
      author,
      by: refusals.map(({ judge, answer: { exit, why, output } }) => ({
        ...about(judge),
        advisory: judge.hook.advisory,
        exit,
        why,
        output: output.toString("utf8"),
      })),
    })),
  };
}
