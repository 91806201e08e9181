/** `gatepost runs`: what ran, on what, how it ended. */
import type { Command } from "commander";
import { GatepostError } from "../../core/errors.ts";
import { formatDuration, type RunId } from "../../core/units.ts";
import type { Asked, RunFilter, RunLine } from "../../home/runs.ts";
import { paint, plain, print, printJson, say, table } from "../output.ts";
import { addWhere, type Opened, type Where, withHome } from "../where.ts";
import { ago, requireCount, requireInstant, requireRunId } from "../words.ts";
import { addBulk, type Bulk, dropRuns, replayRuns } from "./runs-bulk.ts";
import { held, printDetail, runToJson } from "./runs-show.ts";
import { printUngated, UNGATED_HELP } from "./runs-ungated.ts";

type Options = Where & {
  failed?: boolean;
  parked?: boolean;
  refused?: boolean;
  ungated?: boolean;
  hook?: string;
  since?: string;
  commit?: string;
  limit?: string;
  follow?: boolean;
  json?: boolean;
};

export function registerRuns(program: Command): void {
  const runs = addWhere(
    program.command("runs").description("list what ran: newest first, of a repository or, with --home, of all"),
  )
    .option("--failed", "only runs that failed for good or are parked, refusals too; none that is tried again")
    .option("--parked", "only parked runs")
    .option("--refused", "only runs of gates that refused or were broken")
    .option("--ungated", "instead: commits and pushes that went round the gates")
    .option("--hook <HOOK>", "only of this hook (id or name)")
    .option("--since <TIME>", "only since then: 2h (ago), or a date")
    .option("--commit <COMMIT>", "only of the batch in which that commit or ref arrived, and of gates that judged it")
    .option("--limit <N>", "at most this many", "20")
    .option("-f, --follow", "stay, and print each run when it has ended")
    .option("--json", "print them as JSON; with --follow, one line for each run")
    .addHelpText(
      "after",
      `${UNGATED_HELP}\n\nExamples:\n  gatepost runs --failed --since 1d\n  gatepost runs show a-41`,
    )
    .action(list);
  addWhere(runs.command("show").description("show all about one run: what it was for, its attempts, their output"))
    .argument("<RUN>", "the run's id, such as a-41")
    .option("--json", "print it as JSON")
    .addHelpText("after", "\nExample:\n  gatepost runs show a-41")
    .action(show);
  const replay = addWhere(
    runs.command("replay").description("run again: a waiting or parked run at once, one that is over as a new run"),
  )
    .argument("[RUN...]", "ids of runs")
    .option("--failed", "all that failed or are parked, and were not run again since")
    .option("--parked", "all that are parked")
    .option(
      "--left-out",
      "receipts that were older than the window: a run on each, for each hook that got their batch",
    );
  addBulk(replay).action((words: string[], given: Bulk) => replayRuns(words, given, eachRun));
  addWhere(runs.command("release").description("let parked runs try again, with all their retries"))
    .argument("<RUN...>", "ids of runs")
    .addHelpText("after", "\nExample:\n  gatepost runs release a-41 a-42")
    .action((words: string[], given: Options) => eachRun(words, given, "release"));
  const drop = addWhere(runs.command("drop").description("give up runs that wait or are parked"))
    .argument("[RUN...]", "ids of runs")
    .option("--parked", "all that are parked");
  addBulk(drop).action((words: string[], given: Bulk) => dropRuns(words, given, eachRun));
}

async function filterFor({ home, repository }: Opened, given: Options): Promise<RunFilter> {
  const { findHook } = await import("../../home/hooks.ts");
  return {
    repository: repository?.id ?? null,
    hook: given.hook === undefined ? null : findHook(home, given.hook).id,
    states: given.parked ? ["parked"] : given.failed ? ["failed", "parked"] : null,
    since: given.since === undefined ? null : requireInstant(given.since, "--since", Date.now()),
    after: null,
    refused: given.refused === true,
    within: given.commit === undefined ? null : await arrivedWith({ home, repository }, given),
    limit: requireCount(given.limit ?? "20", "--limit", 1),
  };
}

async function arrivedWith(
  { home, repository }: Opened,
  { commit: word = "", repository: from = process.cwd() }: Options,
): Promise<NonNullable<RunFilter["within"]>> {
  if (repository === null)
    throw new GatepostError("GP_USAGE", "--commit is of one repository.", { hint: "Add -R REPOSITORY." });
  const { arrivedIn } = await import("../../home/why.ts");
  return arrivedIn(home, { repository, word, hook: null, where: "", from });
}

const HEADINGS = [" RUN", "WHEN", "REPOSITORY", "HOOK", "WHAT", " TOOK", "END"] as const;

function cells(line: RunLine, now: number): string[] {
  return [
    line.name,
    ago(line.startedAt ?? line.run.madeAt, now),
    plain(line.repository),
    plain(line.hook),
    plain(line.what),
    took(line),
    endOf(line, now),
  ];
}

/** A gate's clock has 10 ms. */
const took = ({ took, gate }: RunLine): string => {
  if (took === null) return "";
  return gate !== null && took < 10 ? "< 10 ms" : formatDuration(took);
};

/** How a run ended, or what it waits for, in a few words. */
function endOf({ run, gate, heldBy }: RunLine, now: number): string {
  if (run.state === "done") return paint("green", "ok");
  if (run.state === "failed" && run.gate !== null) return endInGate(run.reason ?? "", gate?.verdict);
  if (run.state === "running") return paint("yellow", `running, attempt ${run.attempts}`);
  if (run.state === "skipped") return paint("dim", `skipped: ${plain(run.reason ?? "")}`);
  if (run.state === "waiting") {
    const wait = Math.max(0, (run.dueAt ?? now) - now);
    const due = wait < 1000 ? "waits for the backoffice" : `attempt ${run.attempts + 1} in ${formatDuration(wait)}`;
    const next = heldBy === null ? due : held(heldBy);
    return paint("yellow", run.reason === null ? next : `${plain(run.reason)}, ${next}`);
  }
  return paint("red", run.state === "parked" ? `parked: ${plain(run.reason ?? "")}` : plain(run.reason ?? "failed"));
}

/** How a hook ended that its gate did not pass, or whose failure it only reports. */
function endInGate(reason: string, verdict: NonNullable<RunLine["gate"]>["verdict"] | undefined): string {
  const why = plain(reason);
  if (why === verdict) return paint("red", why);
  if (/^exit \d+, advisory$/.test(why)) return paint("yellow", why);
  if (/^exit \d+$/.test(why)) return paint("red", `refused (${why})`);
  return paint("red", verdict === "interrupted" ? `interrupted: ${why}` : `broken: ${why}`);
}

async function list(given: Options): Promise<void> {
  await withHome(given, async (opened) => {
    if (given.ungated) return printUngated(opened, given);
    const { isAnyRun, listRuns } = await import("../../home/runs.ts");
    const filter = await filterFor(opened, given);
    const lines = listRuns(opened.home, filter);
    if (given.follow) return follow(opened, filter, lines, given.json === true);
    if (given.json) return printJson({ runs: lines.map(runToJson) });
    if (lines.length > 0)
      print(
        table(
          HEADINGS,
          lines.map((line) => cells(line, Date.now())),
        ),
      );
    else say(isAnyRun(opened.home, filter.repository) ? "No run matches." : "Nothing ran yet.");
    await hint(opened);
  });
}

/** What an administrator should know who wonders why there is nothing newer. */
async function hint({ home, repository }: Opened): Promise<void> {
  const { embargoOf } = await import("../../home/embargo.ts");
  const until = repository === null ? null : embargoOf(home, repository, Date.now());
  if (until !== null)
    say(
      `What was received last waits for more to come, until ${new Date(until).toISOString().slice(11, 19)} UTC at the latest.`,
    );
  const { impediment } = await import("../../home/runs.ts");
  const sentence = impediment(home);
  if (sentence !== null) say(sentence);
}

async function follow(opened: Opened, filter: RunFilter, first: readonly RunLine[], json: boolean): Promise<void> {
  const { listRuns } = await import("../../home/runs.ts");
  const stop = new Promise<void>((resolve) => process.once("SIGINT", resolve).once("SIGTERM", resolve));
  let ended = false;
  void stop.then(() => {
    ended = true;
  });
  const show = (line: RunLine): void =>
    json ? print(JSON.stringify(runToJson(line))) : print(cells(line, Date.now()).filter(Boolean).join("  "));
  const open = new Set<RunId>();
  let after = (first[0]?.run.id ?? 0) as RunId;
  for (const line of [...first].reverse()) {
    if (isOver(line)) show(line);
    else open.add(line.run.id);
  }
  while (!ended) {
    const newer = listRuns(opened.home, { ...filter, after: (Math.min(after, ...open) - 1) as RunId, limit: 1000 });
    for (const line of newer.reverse()) {
      if (line.run.id > after) open.add(line.run.id);
      if (open.has(line.run.id) && isOver(line)) {
        show(line);
        open.delete(line.run.id);
      }
    }
    after = Math.max(after, ...newer.map(({ run }) => run.id)) as RunId;
    await Promise.race([stop, new Promise((resolve) => setTimeout(resolve, 200))]);
  }
}

const isOver = ({ run }: RunLine): boolean => run.state !== "waiting" && run.state !== "running";

async function show(word: string, given: Options): Promise<void> {
  await withHome(given, async ({ home }) => {
    const { showRun } = await import("../../home/runs.ts");
    printDetail(showRun(home, asked(word)), given.json === true);
  });
}

const asked = (word: string): Asked => ({ id: requireRunId(word), word });

async function eachRun(words: string[], given: Where, how: "replay" | "release" | "drop"): Promise<void> {
  await withHome(given, async ({ home }) => {
    const { freeRuns, giveUpRuns, replayRuns } = await import("../../home/runs.ts");
    const { ringDaemon } = await import("../../home/ring.ts");
    const runs = words.map(asked);
    if (runs.length === 0) throw new GatepostError("GP_USAGE", "Which run?");
    if (how === "drop") {
      giveUpRuns(home, runs);
      return say(`given up: ${words.join(" ")}`);
    }
    for (const name of how === "replay" ? replayRuns(home, runs) : freeRuns(home, runs)) say(`run ${name} will start`);
    if (!ringDaemon(home)) say(`No backoffice is running; start one: gatepost backoffice --home ${home.dir}`);
  });
}
