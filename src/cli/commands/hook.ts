/** `gatepost hook …`: the words; what they do is in hook-edit.ts, hook-apply.ts, hook-import.ts, hook-show.ts and hook-test.ts. */
import type { Command } from "commander";
import { registerHookApply } from "./hook-apply.ts";
import { registerHookEdit } from "./hook-edit.ts";
import { registerHookImport } from "./hook-import.ts";
import { registerHookShow } from "./hook-show.ts";
import { registerHookTest } from "./hook-test.ts";

export function registerHook(program: Command): void {
  const hook = program
    .command("hook")
    .description("the hook database: add, edit, delete, list, try out")
    .addHelpText(
      "after",
      `
In commands, %F is the gatepost program, %R the repository, %A the auxiliary file, each as one safe word; %% is a
percent sign. Sub-commands may be shortened, Fossil's own first: a add, e edit, d delete, l list, s status, t test.

Examples:
  gatepost hook add --type after-receive --command 'cat >> /tmp/arrived'
  gatepost hook list
  gatepost hook edit 1 --type disabled`,
    );
  registerHookEdit(hook);
  registerHookApply(hook);
  registerHookImport(hook);
  registerHookShow(hook);
  registerHookTest(hook);
}
