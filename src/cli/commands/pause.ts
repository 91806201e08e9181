/** `gatepost pause` and `gatepost resume`: hold back what would be handed out, of a repository or to a hook. */
import type { Command } from "commander";
import { GatepostError } from "../../core/errors.ts";
import { typed } from "../../core/shell-word.ts";
import { plain, printJson, say } from "../output.ts";
import { addWhere, type Opened, type Where, withHome } from "../where.ts";
import { ago } from "../words.ts";

type Options = Where & { hook?: string; all?: boolean; reason?: string; json?: boolean };

export function registerPause(program: Command): void {
  addTarget(
    program
      .command("pause")
      .description("hold back what would be handed out: of a repository, or to one hook; what arrives is kept"),
  )
    .option("--reason <TEXT>", "why, for whoever asks why nothing runs")
    .addHelpText(
      "after",
      `
Examples:
  gatepost pause -R app.git --reason 'moving the disks'   nothing of it is handed out, and nothing of it runs
  gatepost pause --hook ci                                 its runs wait; other hooks go on
  gatepost resume -R app.git                               all that arrived meanwhile is handed out, however old

What runs already ends by itself. A gate cannot wait: gatepost hook disable HOOK`,
    )
    .action((given: Options) => change(given, "pause"));
  addTarget(program.command("resume").description("end a pause: what waited is handed out"))
    .addHelpText(
      "after",
      "\nExamples:\n  gatepost resume -R app.git\n  gatepost resume --all --home /srv/git/.gatepost",
    )
    .action((given: Options) => change(given, "resume"));
}

const addTarget = (command: Command): Command =>
  addWhere(command)
    .option("--hook <HOOK>", "only the runs of this hook (id or name)")
    .option("--all", "every repository of the home")
    .option("--json", "print what was changed as JSON");

async function change(given: Options, verb: "pause" | "resume"): Promise<void> {
  if (given.hook !== undefined && given.all === true)
    throw new GatepostError("GP_USAGE", "--hook and --all are two things to choose from.");
  await withHome(given, async (opened) => {
    const { home } = opened;
    const pauses = await import("../../home/pause.ts");
    const why = given.reason ?? null;
    let changed: ReturnType<typeof pauses.pauseRepositories>;
    if (given.hook !== undefined) {
      const { findHook } = await import("../../home/hooks.ts");
      const hook = findHook(home, given.hook);
      changed = [verb === "pause" ? pauses.pauseHook(home, hook, why) : pauses.resumeHook(home, hook)];
    } else {
      const rows = await meant(opened, given);
      changed = verb === "pause" ? pauses.pauseRepositories(home, rows, why) : pauses.resumeRepositories(home, rows);
    }
    if (given.json) printJson({ [verb === "pause" ? "paused" : "resumed"]: changed });
    const what = given.hook === undefined ? "" : "hook ";
    for (const { name, pause, was } of changed) {
      const by = pause === null ? "" : ` ${pauses.pauseInWords(pause, (at) => ago(at, Date.now()))}`;
      const call = `gatepost resume ${given.hook === undefined ? `-R ${typed(name)}` : `--hook ${name}`} --home ${typed(home.dir)}`;
      if (verb === "resume")
        say(`${what}${plain(name)} ${was ? "was not paused." : `goes on; it was paused${plain(by)}`}`);
      else if (was) say(`${what}${plain(name)} is paused already,${plain(by)}. That stays.`);
      else say(`${what}${plain(name)} is paused. To go on: ${plain(call)}`);
    }
    if (verb === "resume" && changed.some(({ was }) => !was)) await ring(opened);
  });
}

async function meant({ home, repository }: Opened, given: Options) {
  if (given.all === true) return (await import("../../home/repositories.ts")).registeredRepositories(home);
  if (repository !== null) return [repository];
  throw new GatepostError("GP_USAGE", "Which repository? A home alone names none.", {
    hint: "Add -R REPOSITORY, or --all for every repository of the home.",
  });
}

async function ring({ home }: Opened): Promise<void> {
  const { ringDaemon } = await import("../../home/ring.ts");
  if (!ringDaemon(home)) say(`No backoffice is running; make a pass: gatepost backoffice --home ${typed(home.dir)}`);
}
