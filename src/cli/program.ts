/** All commands, put together. Each command file registers its own words and loads its use case only when called. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { registerBackoffice } from "./commands/backoffice.ts";
import { registerBackup } from "./commands/backup.ts";
import { registerCheck } from "./commands/check.ts";
import { registerCommit } from "./commands/commit.ts";
import { registerCompletion } from "./commands/completion.ts";
import { registerDemo } from "./commands/demo.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerFollowTeam } from "./commands/follow-team.ts";
import { registerHook } from "./commands/hook.ts";
import { registerInit } from "./commands/init.ts";
import { registerPause } from "./commands/pause.ts";
import { registerRuns } from "./commands/runs.ts";
import { registerService } from "./commands/service.ts";
import { registerSettings } from "./commands/settings.ts";
import { registerStatus } from "./commands/status.ts";
import { registerUninstall } from "./commands/uninstall.ts";
import { registerWhy } from "./commands/why.ts";
import { leaveToOwner } from "./root.ts";

const version = (): string =>
  (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;

export function buildProgram(): Command {
  const program = new Command("gatepost")
    .description("Keeps the hooks of repositories in a database and runs them when something arrives.")
    .version(version(), "-V, --version")
    .helpCommand("help [COMMAND...]", "show how a command is called")
    .enablePositionalOptions() // `runs show -R x`: the option is show's, not that of runs
    .addHelpText(
      "after",
      `
Example, a first minute:
  gatepost init /srv/git/app.git
  gatepost hook add -R /srv/git/app.git --type after-receive --command 'cat >> /tmp/arrived'
  (push something)
  gatepost runs -R /srv/git/app.git

Exit codes: 0 done, 1 refused or failed, 2 wrong use, 3 not found, 4 busy, 5 database damaged or too new,
6 no space or descriptors, 7 not permitted, 70 a bug.`,
    );
  for (const register of [
    registerInit,
    registerHook,
    registerBackoffice,
    registerRuns,
    registerStatus,
    registerPause,
    registerWhy,
    registerDoctor,
    registerBackup,
    registerCheck,
    registerCommit,
    registerSettings,
    registerService,
    registerUninstall,
    registerDemo,
    registerFollowTeam,
    registerCompletion,
  ])
    register(program);
  program.hook("preAction", (_, command) => leaveToOwner(command));
  strict(program);
  return program;
}

/** Errors are thrown, so that `main` reports them in one form; commander itself prints only help: on stderr where a
 *  sub-command is missing. */
function strict(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => {} });
  for (const sub of command.commands) strict(sub);
}
