/** `gatepost status`: how a home is, on one screen; `--check`: in one line, for monitoring. */
import type { Command } from "commander";
import { GatepostError } from "../../core/errors.ts";
import { typed } from "../../core/shell-word.ts";
import { formatDuration, type Millis } from "../../core/units.ts";
import type { Status } from "../../home/status.ts";
import { paint, plain, print, printJson } from "../output.ts";
import { addWhere, type Where, withHome } from "../where.ts";
import { ago, counted, requireDuration } from "../words.ts";

type Options = Where & { check?: boolean; maxWait: string; json?: boolean };

export function registerStatus(program: Command): void {
  addWhere(program.command("status").description("say on one screen how a home is: what it serves, what waits and why"))
    .option("--check", "print one line and exit with 0 or 1, for monitoring")
    .option("--max-wait <TIME>", "how long something may wait before that is a trouble", "5m")
    .option("--json", "print it as JSON")
    .addHelpText(
      "after",
      `
Examples:
  gatepost status                                the home of the current folder's repository
  gatepost status -R app.git                     only what concerns that one
  gatepost status --check --home /srv/git/.gatepost || mail -s gatepost root </dev/null

Exit code of --check: 0 all is well; 1 a run is parked, something waits for longer than --max-wait (paused or not), a shim
is missing, the last backoffice could not start, the home was copied or moved, or the database cannot be used.`,
    )
    .action(status);
}

async function status(given: Options): Promise<void> {
  const maxWait = requireDuration(given.maxWait, "--max-wait");
  try {
    await withHome(given, async ({ home, repository }) => {
      const { statusOf } = await import("../../home/status.ts");
      const found = await statusOf(home, given.repository === undefined ? null : repository, maxWait);
      if (given.check === true) process.exitCode = found.troubles.some(({ alarms }) => alarms) ? 1 : 0;
      if (given.json) printJson(toJson(found));
      else print(given.check ? oneLine(found, Date.now()) : screen(found, Date.now()));
    });
  } catch (error) {
    // Monitoring wants a line on stdout and one code; a wrong call stays a wrong call.
    if (given.check !== true || !(error instanceof GatepostError) || [2, 3, 70].includes(error.exitCode)) throw error;
    if (given.json) printJson({ error: { code: error.code, message: error.message, hint: error.hint } });
    else print(plain(`${error.message}${error.hint === null ? "" : ` ${error.hint}`}`));
    process.exitCode = 1;
  }
}

const toJson = ({ paused, waits, backoffice, ...rest }: Status) => ({
  ...rest,
  backoffice: backoffice === null ? null : { ...backoffice, since: iso(backoffice.since) },
  lastLook: iso(rest.lastLook),
  lastFullLook: iso(rest.lastFullLook),
  paused: {
    repositories: paused.repositories.map(({ name, path, pause }) => ({ name, path, ...pause, at: iso(pause.at) })),
    hooks: paused.hooks.map(({ hook, pause }) => ({ id: hook.id, name: hook.name, ...pause, at: iso(pause.at) })),
  },
  waits: waits.map((wait) => ({ ...wait, since: iso(wait.since) })),
});

const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

const length = (ms: number): string => formatDuration(Math.max(0, ms) as Millis).replace(/\.\d/, "");

const aliveWords = ({ backoffice }: Status, now: number): string | null =>
  backoffice === null ? null : `alive since ${backoffice.since === null ? "?" : length(now - backoffice.since)}`;

/** "1 run parked (ci on app.git), oldest waits 12 s, backoffice alive since 3 d". */
function oneLine(found: Status, now: number): string {
  const alarms = found.troubles.filter(({ alarms }) => alarms).map(({ says }) => says);
  const oldest = found.waits.reduce((longest, { since }) => Math.max(longest, now - since), 0);
  const paused = found.paused.repositories.map(({ name, pause }) => `${name} paused for ${length(now - pause.at)}`);
  const waits = found.waits.length === 0 ? "nothing waits" : `the oldest waits ${length(oldest)}`;
  const alive = aliveWords(found, now);
  const backoffice = alive === null ? "no backoffice running" : `backoffice ${alive}`;
  return plain([...alarms, waits, ...paused.slice(0, 3), backoffice].join(", "));
}

function screen(found: Status, now: number): string {
  const { repositories, paused, waits, runs } = found;
  const few = (parts: readonly (string | null)[]): string => parts.filter((part) => part !== null).join(", ");
  const some = (count: number, what: string): string | null => (count === 0 ? null : `${count} ${what}`);
  const none = found.automatic ? "none now; a push to a Git repository starts one" : "none, and pushes start none";
  const alive = aliveWords(found, now);
  const lines: [string, string][] = [
    ["home", found.home],
    ["backoffice", alive === null ? none : `${alive} (pid ${found.backoffice?.pid})`],
    ["last look", lookWords(found, now)],
    [
      "repositories",
      few([
        String(repositories.count),
        some(paused.repositories.length, "paused"),
        some(repositories.unreachable.length, "not reachable"),
        some(repositories.takenOut.length, "taken out"),
      ]),
    ],
    ["hooks", few([String(found.hooks), some(paused.hooks.length, "paused")])],
    ["waits", waits.length === 0 ? "nothing" : waitsWords(waits, now)],
    [
      "runs",
      few([
        `${runs.running} running`,
        `${runs.waiting} waiting`,
        `${runs.parked} parked`,
        `${runs.failedLastDay} failed in the last day`,
      ]),
    ],
    ["database", `${(found.databaseBytes / 1024 / 1024).toFixed(1)} MiB`],
  ];
  const home = ` --home ${typed(found.home)}`; // a name alone means nothing in another folder
  const out = lines.map(([name, text]) => `${name.padEnd(13)} ${plain(text)}`);
  for (const { name, pause } of paused.repositories) out.push(pausedLine(name, pause, now, `-R ${typed(name)}${home}`));
  for (const { hook, pause } of paused.hooks) {
    const word = hook.name ?? String(hook.id);
    out.push(pausedLine(`hook ${word}`, pause, now, `--hook ${word}${home}`));
  }
  for (const { says, mend, alarms } of found.troubles) {
    const level = alarms ? paint("red", "FAIL") : paint("yellow", "WARN");
    const sentence = plain(says).replace(/\.$/, "");
    out.push(`${level}  ${sentence}${mend === null ? "" : `. Mend: ${plain(mend)}`}`);
  }
  if (found.troubles.length === 0) out.push(paint("green", "All is well."));
  return out.join("\n");
}

type Pause = Status["paused"]["hooks"][number]["pause"];

const pausedLine = (what: string, { by, at, why }: Pause, now: number, target: string): string =>
  plain(
    `PAUSED ${what}, by ${by} ${ago(at, now)}${why === null ? "" : `: ${why}`}. To go on: gatepost resume ${target}`,
  );

function lookWords({ lastLook, lastFullLook }: Status, now: number): string {
  if (lastLook === null && lastFullLook === null) return "never";
  const newest = Math.max(lastLook ?? 0, lastFullLook ?? 0);
  return `${ago(newest, now)}${lastFullLook === null ? "" : `, at everything ${ago(lastFullLook, now)}`}`;
}

function waitsWords(waits: Status["waits"], now: number): string {
  const kinds = (["entries", "receipts", "runs"] as const).flatMap((kind) => {
    const count = waits.filter(({ what }) => what === kind).reduce((sum, wait) => sum + wait.count, 0);
    const noun = { entries: "entry", receipts: "receipt", runs: "run" }[kind];
    return count === 0 ? [] : [count === 1 || kind !== "entries" ? counted(count, noun) : `${count} entries`];
  });
  const [oldest] = [...waits].sort((a, b) => a.since - b.since);
  if (oldest === undefined) return "nothing";
  const of = oldest.repository === null ? "" : ` (${oldest.repository}: ${oldest.why})`;
  return `${kinds.join(", ")}; the oldest for ${length(now - oldest.since)}${of === "" ? ` (${oldest.why})` : of}`;
}
