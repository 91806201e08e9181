/** `gatepost commit`: fossil commit, with commit-msg hooks. */
import type { Command } from "commander";
import { plain, say } from "../output.ts";

export function registerCommit(program: Command): void {
  program
    .command("commit")
    .description("Fossil: commit, and ask the commit-msg hooks as well; every other option is that of fossil commit")
    .argument("[OPTION or FILE...]", "the options and files of fossil commit, passed on as they stand")
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption("--help", "show this; the options of fossil: fossil help commit")
    .addHelpText(
      "after",
      `
The order is Fossil's: first the message (-m, -M, or the editor), then the commit-msg hooks, which find it in the file
%A and may change it, then fossil commit, which asks the before-commit hooks. --no-verify asks nobody. Where something
refuses after the message was typed, the message stays in a file, whose name is told.

Fossil cannot be had to ask commit-msg by itself: a plain "fossil commit -m" goes past it. What else does: docs/fossil.md

Example:
  gatepost commit -m 'Fix the parser' src/parser.c`,
    )
    .action(async (words: string[]) => {
      const { commitFossil } = await import("../../home/fossil-commit.ts");
      process.exitCode = await commitFossil(words, process.cwd(), (text) => say(plain(`gatepost: ${text}`)));
    });
}
