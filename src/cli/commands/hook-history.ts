/** `hook test --history`: what a gate hook would have refused, as a table. */
import { GatepostError } from "../../core/errors.ts";
import type { Hook } from "../../core/hook.ts";
import type { History, HistoryOptions } from "../../home/backtest.ts";
import type { OpenHome } from "../../home/open.ts";
import type { RepositoryRow } from "../../home/repositories.ts";
import { plain, print, printJson, progressLine, say, table } from "../output.ts";

/** Options that would be ignored beside each other are refused. */
export function refuseTogether(given: Readonly<Record<string, unknown>>): void {
  const alone = { baseRcvid: "--base-rcvid", newRcvid: "--new-rcvid", auxFile: "--aux-file", dryRun: "--dry-run" };
  for (const [name, option] of Object.entries(alone))
    if (given["history"] !== undefined && given[name] !== undefined)
      throw new GatepostError("GP_USAGE", `${option} and --history do not go together.`, {
        hint: "--history says by itself what the hook is tried on.",
      });
  if (given["limit"] !== undefined && given["history"] === undefined)
    throw new GatepostError("GP_USAGE", "--limit is for --history.", { hint: "Such as --history main --limit 100" });
}

type Refused = { id: string; subject: string; exit: number | null; why: string; output: string };

/** Tries the hook on its history and prints what it found, also of what was interrupted. */
export async function history(
  home: OpenHome,
  row: RepositoryRow,
  hook: Hook,
  about: Omit<HistoryOptions, "onTried">,
  asJson: boolean,
): Promise<void> {
  const { tryHistory } = await import("../../home/backtest.ts");
  const refused: Refused[] = [];
  const skipped = new Map<string, number>();
  let passed = 0;
  const start = performance.now();
  const progress = progressLine();
  const result = await tryHistory(home, row, hook, {
    ...about,
    onTried({ id, subject, answer: { verdict, exit, why, output } }, done, total) {
      if (verdict === "pass") passed += 1;
      else if (verdict === "skipped") skipped.set(why, (skipped.get(why) ?? 0) + 1);
      else refused.push({ id, subject, exit, why, output: output.toString("utf8") });
      progress.show(`${done} of ${total}, ${refused.length} would be refused`);
    },
  }).finally(progress.clear);
  if (result.interrupted) process.exitCode = 1;
  const tookMs = Math.round(performance.now() - start);
  const left = [...skipped.values()].reduce((sum, count) => sum + count, 0);
  const counts = {
    tried: passed + refused.length + left,
    passed,
    refused: refused.length,
    skipped: left,
    gone: result.gone,
  };
  if (asJson) {
    const { id, name, type } = hook;
    const { unit, interrupted } = result;
    const why = Object.fromEntries(skipped);
    return printJson({
      hook: { id, name, type },
      range: about.range,
      unit,
      counts,
      skipped: why,
      interrupted,
      tookMs,
      refused,
    });
  }
  print(summary(result, counts, skipped));
  if (refused.length > 0) print(table([UNITS[result.unit].heading, "SUBJECT", "SAID"], refused.map(line)));
  if (hook.advisory && refused.length > 0) say("The hook is advisory: as it is, it would refuse nothing.");
}

const UNITS = {
  commit: { noun: "commit", plural: "commits", heading: "COMMIT" },
  push: { noun: "push", plural: "pushes", heading: "RECEIPT" },
  ref: { noun: "ref", plural: "refs", heading: "RECEIPT" },
} as const;

type Counts = { tried: number; passed: number; refused: number; skipped: number; gone: number };

function summary({ unit, total, interrupted }: History, counts: Counts, skipped: ReadonlyMap<string, number>): string {
  const { tried, passed, refused, gone } = counts;
  const head = `${tried.toLocaleString("en")} ${tried === 1 ? UNITS[unit].noun : UNITS[unit].plural}`;
  const parts = [`${passed} would pass`, `${refused} would be refused`];
  for (const [why, count] of skipped) parts.push(`${count} skipped (${why})`);
  const rest = gone === 0 ? "" : ` ${gone} could not be tried: their commits are gone.`;
  return `${head}: ${parts.join(", ")}.${rest}${interrupted ? ` Interrupted; of ${total} in all.` : ""}`;
}

const line = ({ id, subject, why, output }: Refused): string[] => [
  id.slice(0, 10),
  cut(plain(subject), 50),
  cut(plain(output.split("\n").find((text) => text.trim() !== "") ?? why), 80),
];

const cut = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);
