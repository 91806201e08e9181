/**
 * What `gatepost init` does about a team file, and when it is called by a package manager: `"prepare": "gatepost init"` in
 * package.json calls it in a clone, but also where a package is unpacked, or fetched as a dependency of another's project.
 */
import { resolve } from "node:path";
import type { Registration } from "../../home/init.ts";
import { plain, print as printed, report, say, table } from "../output.ts";
import { counted } from "../words.ts";

export type TeamOptions = { yes?: boolean; team?: boolean; json?: boolean };

/** What became of the team file: there is none, its hooks run, or they do not. */
export type TeamState = "none" | "obeyed" | "left out";

/** Whether `init` without arguments has nothing to do where it was called, after saying why in one line. */
export async function hasNothingToDo(): Promise<boolean> {
  const why = await reason();
  if (why !== null) say(`gatepost: ${why}`);
  return why !== null;
}

async function reason(): Promise<string | null> {
  if (!/^(?:|0|false)$/i.test(process.env["CI"] ?? ""))
    return "CI is set, so no hooks are put in place. To judge commits there: gatepost check --range origin/main..HEAD. To register all the same: gatepost init .";
  if (process.env["npm_lifecycle_event"] === undefined) return null;
  const nothing = "so no hooks are put in place.";
  if (process.env["_PACOTE_NO_PREPARE_"] !== undefined) return `npm prepares this package for another, ${nothing}`;
  if (/[\\/]node_modules(?:[\\/]|$)/.test(process.cwd())) return `This is a package in node_modules, ${nothing}`;
  const { findRepository } = await import("../../home/locate.ts");
  return findRepository(".") === null ? `This folder is in no repository, ${nothing}` : null;
}

/** Shows what a team file that nobody agreed to yet would run, asks where there is a terminal, and has it obeyed or not; of
 *  one that is obeyed it says what changed. `at` is the path that was registered. Returns the exit code as well. */
export async function settleTeam(
  done: Registration,
  at: string,
  options: TeamOptions,
): Promise<{ state: TeamState; code: number }> {
  const print = options.json === true ? say : printed;
  const { closeHome, openHome } = await import("../../home/open.ts");
  const home = openHome(done.home);
  try {
    const { lookAtTeam, leaveTeam, obeyTeam, TEAM_FILE } = await import("../../home/team.ts");
    const row = done.repository;
    if (options.team === false) {
      if (row.team !== null) print(`${TEAM_FILE} is no longer obeyed here.`);
      leaveTeam(home, row);
      return { state: "left out", code: 0 };
    }
    const { tree, team } = lookAtTeam(row, resolve(at)) ?? { tree: null, team: null };
    if (row.team !== null) {
      const change = obeyTeam(home, row, tree);
      if (change !== "") say(`gatepost: ${change}`);
      return { state: team === null ? "none" : "obeyed", code: 0 };
    }
    if (team === null) return { state: "none", code: 0 };
    say(`${TEAM_FILE} asks to run here:`);
    const rows = team.hooks.map(({ type, name, command }) => [plain(type), name ?? "", plain(command ?? "")]);
    for (const line of table(["TYPE", "NAME", "COMMAND"], rows).split("\n")) say(`  ${line}`);
    if (options.yes !== true && !(await agreed())) {
      leaveTeam(home, row);
      say(`${TEAM_FILE} was left out; all else is in place. To obey it after all: gatepost init`);
      return { state: "left out", code: 0 };
    }
    obeyTeam(home, row, tree);
    print(
      `${TEAM_FILE}: ${counted(team.hooks.length, "hook")} of the team run here from now on, and changes of the file are followed.`,
    );
    return { state: "obeyed", code: 0 };
  } catch (error) {
    return { state: "left out", code: report(error) };
  } finally {
    closeHome(home);
  }
}

/** Asks on the terminal. Without one, as when a package manager calls, whoever called has decided; somebody at a terminal
 *  whose question goes elsewhere (`init 2>log`) has not. */
async function agreed(): Promise<boolean> {
  if (!process.stdin.isTTY) return true;
  if (!process.stderr.isTTY) return process.env["npm_lifecycle_event"] !== undefined;
  const { createInterface } = await import("node:readline/promises");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question("Run these, and follow changes of the file? [y/N] ")).trim());
  } catch {
    process.stderr.write("\n"); // Ctrl-C, Ctrl-D: what follows is no answer to the question
    return false;
  } finally {
    terminal.close();
  }
}
