/** `gatepost backoffice` and `gatepost serve`: passes over homes, with Fossil's options in Fossil's words. */
import { appendFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { type Command, Option } from "commander";
import { GatepostError } from "../../core/errors.ts";
import type { Millis } from "../../core/units.ts";
import type { BackofficeOptions, Log, Passed, Progress } from "../../home/backoffice.ts";
import { plain, progressLine, report, say } from "../output.ts";
import { requireCount, requireDuration } from "../words.ts";

type Options = {
  home?: string;
  repository?: string[];
  poll?: string;
  min: string;
  cron?: string;
  jobs?: string;
  logfile?: string;
  debug?: boolean;
  trace?: boolean;
  nodelay?: boolean;
  nolease?: boolean;
  automatic?: boolean;
};

/** Of 0 or less, Fossil looks at nothing that has not changed. */
const NEVER = Number.MAX_SAFE_INTEGER as Millis;

function addOptions(command: Command): Command {
  return command
    .argument("[REPOSITORY...]", "repositories or homes (default: this folder's, else every registered home)")
    .option("--home <DIR>", "the home to work on")
    .addOption(
      new Option("-R, --repository <REPOSITORY>", "a repository, as an argument names it; repeatable").argParser(
        (value: string, before: string[] = []) => [...before, value],
      ),
    )
    .option("--min <SECONDS>", "read everything at least this often, whatever file times say", "3600")
    .option("--jobs <N>", "repositories that run side by side (default: one per processor)")
    .option("--logfile <FILE>", "append a line for each repository whose hooks ran, in Fossil's format")
    .option("--debug", "say what is done, on stderr")
    .option("--trace", "as --debug, and the command of each hook");
}

export function registerBackoffice(program: Command): void {
  addOptions(
    program.command("backoffice").description("make one pass: hand what arrived to the hooks; for cron and by hand"),
  )
    .option("--poll <SECONDS>", "stay: wake on pushes at once, and look at the rest this often")
    .option("--cron <EXPR>", "stay: make a pass at the times of a cron expression")
    .option("--nodelay", "leave a home that another backoffice works on to that one, instead of waiting for it")
    .option("--nolease", "accepted for crontabs of Fossil; a pass never waits for a lease that nobody uses")
    .option("--automatic", "as shims start it: stay until no embargo and no near retry waits")
    .addHelpText(
      "after",
      `
Examples:
  gatepost backoffice /srv/git/app.git          one pass
  gatepost backoffice --poll 5                  stay, and serve every registered home
  */5 * * * *  gatepost backoffice              in a crontab; prints nothing when all is well

Without any of these, a push to a Git repository starts a pass by itself (gatepost settings automatic-backoffice). Nothing
does where a Fossil repository receives something: there keep gatepost serve running, or a crontab line.`,
    )
    .action((paths: string[], given: Options) => run(paths, given));
  addOptions(program.command("serve").description("stay and serve: the same as backoffice --poll"))
    .option("--poll <SECONDS>", "how often to look at what no push tells of", "5")
    .addHelpText("after", "\nExample:\n  gatepost serve --home /srv/git/.gatepost")
    .action((paths: string[], given: Options) => run(paths, given));
}

async function run(paths: string[], { poll, ...rest }: Options): Promise<void> {
  const given: Options = poll === undefined || Number(poll) < 1 ? rest : { ...rest, poll }; // 0: Fossil's "do not poll"
  const { homesFor } = await import("../../home/serve.ts");
  const { passAutomatically, passOnce, passOnSchedule, prepareProcess, serve } = await import(
    "../../home/backoffice.ts"
  );
  if (given.poll !== undefined && given.cron !== undefined)
    throw new GatepostError("GP_USAGE", "--poll and --cron are two ways to stay; choose one.");
  prepareProcess();
  const stop = stopSignal();
  const { homes, failures } = homesFor([...(given.repository ?? []), ...paths], given.home, process.cwd());
  for (const failure of failures) process.exitCode = report(failure); // the others are served all the same
  const progress = progressLine();
  const options: BackofficeOptions = {
    homes,
    jobs: given.jobs === undefined ? availableParallelism() : requireCount(given.jobs, "--jobs", 1),
    min: Number(given.min) <= 0 ? NEVER : requireDuration(given.min, "--min"),
    signal: stop,
    log: logger(given, progress.clear),
    progress: shownBy(progress.show),
    onPass: (home, passed, took) => logPass(given, home, passed, took),
  };
  try {
    if (given.poll !== undefined) {
      const every = requireDuration(given.poll, "--poll");
      say(
        `gatepost: serving ${options.homes.length === 1 ? options.homes[0] : `${options.homes.length} homes`} (pid ${process.pid})`,
      );
      await serve({ ...options, poll: every });
    } else if (given.cron !== undefined) await passOnSchedule(options, given.cron);
    else {
      const mode = {
        stay: given.automatic === true,
        nodelay: given.nodelay === true,
        automatic: given.automatic === true,
      };
      await (given.automatic ? passAutomatically(options, mode) : passOnce(options, mode));
    }
  } finally {
    progress.clear();
  }
}

/** TERM, INT and HUP stop in order: nothing new starts, running hooks get their grace, the lease is given back. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => stop.abort());
  return stop.signal;
}

function logger(given: Options, clear: () => void): Log {
  return (level, message) => {
    const stays = given.poll !== undefined || given.cron !== undefined;
    const asked = given.debug || given.trace;
    if (!{ error: true, info: stays || asked, debug: asked, trace: given.trace }[level]) return;
    clear();
    const stamp = stays ? `${new Date().toISOString()} ` : "";
    say(`${stamp}gatepost: ${plain(message)}`);
  };
}

function shownBy(show: (text: string) => void): Progress {
  return (what) => {
    if ("repositories" in what) {
      if (what.of > 32) show(`${what.repositories} of ${what.of} repositories`);
    } else show(`run ${what.run}: ${what.artifacts.toLocaleString("en")} artifacts listed`);
  };
}

/** `2026-11-21 07:18:49 My-Proj 1 hooks elapse-time 3230 us`, as Fossil logs it; idle passes only with --debug. */
function logPass(given: Options, home: string, passed: Passed, took: number): void {
  if (given.logfile === undefined) return;
  const at = new Date().toISOString().slice(0, 19).replace("T", " ");
  const rest = `elapse-time ${Math.round(took * 1000)} us`;
  const line = (name: string, what: string) => `${at} ${plain(name).replaceAll(" ", "-")} ${what} ${rest}\n`;
  const lines = [...passed.runs].map(([name, count]) => line(name, `${count} hooks`));
  if (lines.length === 0 && given.debug) lines.push(line(home, "no-op"));
  try {
    if (lines.length > 0) appendFileSync(given.logfile, lines.join(""));
  } catch (error) {
    given.logfile = undefined as never; // one complaint, not one for each pass
    report(new GatepostError("GP_DENIED", `The log file cannot be written (${(error as Error).message}).`));
  }
}
