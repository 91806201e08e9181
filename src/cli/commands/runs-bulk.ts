/** `gatepost runs replay` and `drop` for many runs at once. */
import type { Command } from "commander";
import { GatepostError } from "../../core/errors.ts";
import type { Changed, Kind, Which } from "../../home/runs-bulk.ts";
import { plain, print, printJson, say, table } from "../output.ts";
import { type Opened, type Where, withHome } from "../where.ts";
import { counted, requireInstant } from "../words.ts";

export type Bulk = Where & {
  failed?: boolean;
  parked?: boolean;
  leftOut?: boolean;
  since?: string;
  hook?: string;
  dryRun?: boolean;
  json?: boolean;
};

/** What to do with runs that were named one by one. */
type ByName = (words: string[], given: Bulk, how: "replay" | "drop") => Promise<void>;

/** Adds the options that choose among many runs. */
export const addBulk = (command: Command): Command =>
  command
    .option("--since <TIME>", "of all: only those made, or received, since then: 2h (ago), or a date")
    .option("--hook <HOOK>", "of all: only of this hook (id or name)")
    .option("--dry-run", "of all: only say which")
    .option("--json", "of all: print them as JSON")
    .addHelpText("after", `\nExample:\n  gatepost runs ${command.name()} --parked --since 2h --dry-run`);

/** `runs replay`: the runs that are named, or all of a kind. */
export async function replayRuns(words: string[], given: Bulk, byName: ByName): Promise<void> {
  const kinds = (["failed", "parked"] as Kind[]).filter((kind) => given[kind as "failed" | "parked"]);
  if (given.leftOut) kinds.push("left-out");
  if (isByName(words, given, kinds.length)) return byName(words, given, "replay");
  await withHome(given, async (opened) => {
    const { replayAll } = await import("../../home/runs-bulk.ts");
    const changed = replayAll(opened.home, kinds[0] ?? "parked", await which(opened, given), given.dryRun === true);
    await tell(opened, changed, given, ["would start", "will start"]);
  });
}

/** `runs drop`: the runs that are named, or all that are parked. */
export async function dropRuns(words: string[], given: Bulk, byName: ByName): Promise<void> {
  if (isByName(words, given, given.parked ? 1 : 0)) return byName(words, given, "drop");
  await withHome(given, async (opened) => {
    const { dropAll } = await import("../../home/runs-bulk.ts");
    const changed = dropAll(opened.home, await which(opened, given), given.dryRun === true);
    await tell(opened, changed, given, ["would be given up", "given up"]);
  });
}

function isByName(words: string[], given: Bulk, kinds: number): boolean {
  const chosen = given.since !== undefined || given.hook !== undefined || given.dryRun === true || given.json === true;
  if (kinds > 1 || (kinds > 0 && words.length > 0))
    throw new GatepostError("GP_USAGE", "Runs are named, or all of one kind are meant. Nothing was done.", {
      hint: "Give ids of runs, or one of these options, not both.",
    });
  if (kinds === 0 && chosen)
    throw new GatepostError("GP_USAGE", "Which runs? Nothing was done.", {
      hint: "--since, --hook, --dry-run and --json choose among all of a kind: add --parked, or see --help.",
    });
  return kinds === 0;
}

async function which({ home, repository }: Opened, given: Bulk): Promise<Which> {
  const { findHook } = await import("../../home/hooks.ts");
  return {
    repository: repository?.id ?? null,
    hook: given.hook === undefined ? null : findHook(home, given.hook).id,
    since: given.since === undefined ? null : requireInstant(given.since, "--since", Date.now()),
  };
}

const LISTED = 20;
const MANY = 1000;

async function tell(
  { home }: Opened,
  changed: readonly Changed[],
  given: Bulk,
  [would, will]: readonly [string, string],
): Promise<void> {
  const verb = given.dryRun ? would : will;
  if (given.json) printJson({ dryRun: given.dryRun === true, runs: changed });
  else if (changed.length > 0) {
    const rows = changed
      .slice(0, LISTED)
      .map(({ name, of, hook, repository }) => [name ?? "new", repository, hook, of]);
    print(
      table(
        [" RUN", "REPOSITORY", "HOOK", "OF"],
        rows.map((row) => row.map(plain)),
      ),
    );
    if (changed.length > LISTED) print(`… and ${(changed.length - LISTED).toLocaleString("en")} more`);
  }
  const many = changed.length > MANY ? "; mind that this is more than a thousand" : "";
  say(changed.length === 0 ? "No run matches." : `${counted(changed.length, "run")} ${verb}${many}.`);
  if (given.dryRun || changed.length === 0 || will === "given up") return;
  const { ringDaemon } = await import("../../home/ring.ts");
  if (!ringDaemon(home)) say(`No backoffice is running; start one: gatepost backoffice --home ${home.dir}`);
}
