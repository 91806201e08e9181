/** `gatepost follow-team`: what gates call when a work tree's gatepost.json is not the one that was compiled. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { fromSystem, GatepostError } from "../../core/errors.ts";
import { plain, print } from "../output.ts";

export function registerFollowTeam(program: Command): void {
  program
    .command("follow-team", { hidden: true })
    .description("for gates: compile the gatepost.json of the work tree in the current folder, and say what changed")
    .argument("<HOME>", "the home")
    .argument("<REPOSITORY>", "the directory that its work trees share")
    .argument("<GITDIR>", "the work tree's own git directory")
    .addHelpText("after", '\nExample:\n  gatepost follow-team .git/gatepost "$PWD/.git" .git')
    .action(async (home: string, repository: string, gitDir: string) => {
      const { followTeam } = await import("../../home/team.ts");
      try {
        const change = followTeam(home, repository, { root: process.cwd(), gitDir: resolve(gitDir) });
        if (change !== "") print(change);
      } catch (thrown) {
        const error = fromSystem(thrown);
        if (!(error instanceof GatepostError)) throw thrown;
        // The gate takes the first line for the reason, and the second for what mends it.
        const [first = "", ...rest] = error.message.split("\n").map((line) => plain(line.trim()));
        print(rest.length === 0 ? first.replace(/\.$/, "") : `${first} ${rest.join("; ")}`);
        print(plain(error.code === "GP_IMPORT" ? "edit gatepost.json" : (error.hint ?? "gatepost init")));
        process.exitCode = error.exitCode;
      }
    });
}
