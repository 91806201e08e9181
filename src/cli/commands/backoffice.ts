/** `gatepost backoffice` and `gatepost serve`: passes over homes, with Fossil's options in Fossil's words. */
import { availableParallelism } from "node:os";
import { type Command, Option } from "commander";
import { GatepostError } from "../../core/errors.ts";
import type { Millis } from "../../core/units.ts";
import type { BackofficeOptions, Progress } from "../../home/backoffice.ts";
import type { ServiceManager } from "../../home/stay.ts";
import { LogFile, logTo } from "../log.ts";
import { goOnUnread, progressLine, report } from "../output.ts";
import { wordsOf } from "../root.ts";
import { listenToSignals } from "../signals.ts";
import { requireCount, requireDuration } from "../words.ts";

type Options = {
  home?: string;
  repository?: string[];
  poll?: string;
  min: string;
  cron?: string;
  jobs?: string;
  logfile?: string;
  logFormat: "text" | "json";
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
    .addOption(
      new Option("--log-format <FORMAT>", "lines on stderr: text, or one object of JSON each")
        .choices(["text", "json"])
        .default("text"),
    )
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
    .action((paths: string[], given: Options, command: Command) => run(paths, given, command));
  addOptions(program.command("serve").description("stay and serve: the same as backoffice --poll"))
    .option("--poll <SECONDS>", "how often to look at what no push tells of", "5")
    .addHelpText("after", "\nExample:\n  gatepost serve --home /srv/git/.gatepost")
    .action((paths: string[], given: Options, command: Command) => run(paths, given, command));
}

async function run(paths: string[], { poll, ...rest }: Options, command: Command): Promise<void> {
  const given: Options = poll === undefined || Number(poll) < 1 ? rest : { ...rest, poll }; // 0: Fossil's "do not poll"
  if (given.poll !== undefined && given.cron !== undefined)
    throw new GatepostError("GP_USAGE", "--poll and --cron are two ways to stay; choose one.");
  const stays = given.poll !== undefined || given.cron !== undefined;
  const signals = listenToSignals({ stays }); // before all else: a signal that comes meanwhile is kept
  goOnUnread();
  const progress = progressLine();
  const log = logTo({ ...given, stays }, progress.clear);
  signals.onStop((name) => log.line("info", `stopping: ${name}`));
  try {
    await work(paths, given, { command, stays, signals, log, progress });
  } catch (error) {
    if (given.logFormat !== "json") throw error;
    process.exitCode = log.failure(error);
  } finally {
    progress.clear();
  }
  const broken = signals.stoppedBy();
  // Whoever stays was asked to end, and did. A pass that was broken off has not done all of its work.
  if (broken !== null && !stays && !given.automatic) process.exitCode = broken;
}

type Around = {
  command: Command;
  stays: boolean;
  signals: ReturnType<typeof listenToSignals>;
  log: ReturnType<typeof logTo>;
  progress: ReturnType<typeof progressLine>;
};

async function work(paths: string[], given: Options, around: Around): Promise<void> {
  const { stays, signals, log, progress } = around;
  const { homesFor } = await import("../../home/serve.ts");
  const { passAutomatically, passOnce, prepareProcess } = await import("../../home/backoffice.ts");
  const { passOnSchedule, serve, serviceManager } = await import("../../home/stay.ts");
  prepareProcess();
  const manager = stays ? serviceManager((message) => log.line("error", message)) : null;
  if (await leftToOwners(paths, given, around, manager)) return;
  const named = [...(given.repository ?? []), ...paths];
  const cwd = process.cwd();
  const { homes, failures } = homesFor(named, given.home, cwd);
  // The others are served all the same.
  for (const failure of failures)
    process.exitCode = given.logFormat === "json" ? log.failure(failure) : report(failure);
  const logFile = given.logfile === undefined ? null : new LogFile(given.logfile, log.line);
  const options: BackofficeOptions = {
    homes,
    jobs: given.jobs === undefined ? availableParallelism() : requireCount(given.jobs, "--jobs", 1),
    min: Number(given.min) <= 0 ? NEVER : requireDuration(given.min, "--min"),
    signal: signals.stop,
    hurry: signals.hurry,
    log: log.line,
    progress: shownBy(progress.show),
    onPass: (home, passed, took) => logFile?.add(home, passed, took, given.debug === true),
  };
  const homesAnew = () => homesFor(named, given.home, cwd).homes;
  if (given.poll !== undefined) {
    const every = requireDuration(given.poll, "--poll");
    const onBegin = (good: readonly string[]) =>
      log.say(`serving ${good.length === 1 ? good[0] : `${good.length} homes`} (pid ${process.pid})`);
    const onReload = (reload: () => void) =>
      signals.onReload(() => {
        logFile?.reopen();
        reload();
      });
    await serve({ ...options, poll: every, onBegin, onReload, homesAnew, manager });
  } else if (given.cron !== undefined) {
    signals.onReload(() => logFile?.reopen()); // each pass reads all else anew by itself
    await passOnSchedule({ ...options, homesAnew, manager }, given.cron);
  } else {
    const automatic = given.automatic === true;
    const mode = { stay: automatic, nodelay: given.nodelay === true, automatic };
    await (automatic ? passAutomatically(options, mode) : passOnce(options, mode));
  }
}

/** For root, who only supervises those who work for the owners of the homes. */
async function leftToOwners(
  paths: string[],
  given: Options,
  { command, stays, signals, log }: Around,
  manager: ServiceManager | null,
): Promise<boolean> {
  const { superviseForRoot } = await import("../../home/supervise.ts");
  const code = await superviseForRoot({
    words: wordsOf(command, ["home", "repository"]),
    paths: [...(given.repository ?? []), ...paths],
    home: given.home,
    cwd: process.cwd(),
    stays,
    log: log.line,
    signals,
    ready: () => {
      manager?.ready("supervising a worker for each owner");
      manager?.beat(() => true);
    },
  });
  if (code !== null) manager?.close();
  if (code !== null && code !== 0) process.exitCode = code;
  return code !== null;
}

function shownBy(show: (text: string) => void): Progress {
  return (what) => {
    if ("repositories" in what) {
      if (what.of > 32) show(`${what.repositories} of ${what.of} repositories`);
    } else show(`run ${what.run}: ${what.artifacts.toLocaleString("en")} artifacts listed`);
  };
}
