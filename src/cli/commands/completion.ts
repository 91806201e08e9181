/** `gatepost completion` prints a script for a shell; `gatepost complete`, which no help names, is what that asks. */
import { Argument, type Command } from "commander";
import { print, printRaw } from "../output.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

export function registerCompletion(program: Command): void {
  program
    .command("completion")
    .description("print a script with which a shell completes commands, options, and names of hooks and repositories")
    .addArgument(new Argument("<SHELL>", "which shell").choices(SHELLS))
    .addHelpText(
      "after",
      `
Examples:
  source <(gatepost completion bash)                 in ~/.bashrc
  source <(gatepost completion zsh)                  in ~/.zshrc, below compinit
  gatepost completion fish | source                  in ~/.config/fish/config.fish`,
    )
    .action((shell: (typeof SHELLS)[number]) => script(program, shell));
  program
    .command("complete", { hidden: true })
    .description("what a completion script asks: the things of a kind that there are in a home, one on each line")
    .argument("[KIND]", "hooks, runs, held-runs, repositories or values")
    .argument("[WORD...]", "after --: the words of the line so far")
    .action(answer);
}

async function script(program: Command, shell: (typeof SHELLS)[number]): Promise<void> {
  const { nodesOf } = await import("../completion.ts");
  const nodes = nodesOf(program);
  if (shell === "bash") return printRaw((await import("../completion/bash.ts")).bashScript(nodes));
  if (shell === "zsh") return printRaw((await import("../completion/zsh.ts")).zshScript(nodes));
  printRaw((await import("../completion/fish.ts")).fishScript(nodes));
}

/** Whoever presses TAB wants no message: where something is wrong, nothing is offered. */
async function answer(kind = "", words: string[] = []): Promise<void> {
  try {
    const { candidates } = await import("../../home/complete.ts");
    for (const { word, says } of candidates(kind, words, process.cwd())) {
      if (isTypable(word)) print(`${word}\t${says.replace(UNSEEN, " ").slice(0, 100)}`);
    }
  } catch {}
}

/** Control characters, and what turns the direction of writing or breaks lines. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu;

/** A line of the script's answer holds one word, and a terminal must be able to show it. */
const isTypable = (word: string): boolean => word !== "" && word.search(UNSEEN) < 0;
