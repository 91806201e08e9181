/** What `npm start` runs: the main thing on real input, or, with repositories, a daemon that serves them. */
import type { Command } from "commander";
import { print, say } from "../output.ts";

export function registerDemo(program: Command): void {
  program
    .command("demo")
    .description(
      "see it work: a repository, two hooks, some pushes, in a temporary folder; with REPOSITORY, serve those",
    )
    .argument("[REPOSITORY...]", "register these and serve them until Ctrl-C, instead of the demonstration")
    .addHelpText("after", "\nExample:\n  gatepost demo")
    .action(async (paths: string[]) => {
      if (paths.length > 0) return serveThese(program, paths);
      const { demonstrate } = await import("../../home/demo.ts");
      await demonstrate(print);
    });
}

async function serveThese(program: Command, paths: readonly string[]): Promise<void> {
  await program.parseAsync(["init", ...paths], { from: "user" });
  if (process.exitCode) return;
  say("Press Ctrl-C to stop. In another terminal: gatepost hook add, git push, gatepost runs.");
  await program.parseAsync(["serve", ...paths], { from: "user" });
}
