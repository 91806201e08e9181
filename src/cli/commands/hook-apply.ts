/** `hook apply`: the hooks of a home as one file says, and what that changed. */
import type { Command } from "commander";
import type { Hook, HookSpec, Scope } from "../../core/hook.ts";
import type { Difference } from "../../home/apply.ts";
import type { OpenHome } from "../../home/open.ts";
import { plain, print, printJson, say } from "../output.ts";
import { addWhere, type Where, withHome } from "../where.ts";
import { readInput, requireOne } from "./hook-import.ts";

type Options = Where & { prune?: boolean; dryRun?: boolean; json?: boolean };

export function registerHookApply(hook: Command): void {
  addWhere(
    hook
      .command("apply")
      .description("make the hooks of a home those of a file, matched by name, and print what that changed")
      .argument("<FILE>", "a file in the format of hook export, or - for stdin"),
  )
    .option("--prune", "delete also hooks that apply did not make")
    .option("--dry-run", "print what would change, and change nothing")
    .option("--json", "print it as JSON")
    .addHelpText(
      "after",
      `
Examples:
  gatepost hook apply --home /srv/git/.gatepost hooks.json
  gatepost hook apply --dry-run hooks.json
  gatepost hook apply -R app.git app-hooks.json      only the hooks of this one repository

A second call changes nothing. What an earlier file had and this one has not is deleted; hooks that were added by hand
are left alone, unless the file has one of that name.`,
    )
    .action(apply);
}

async function apply(file: string, given: Options): Promise<void> {
  const text = readInput(file);
  await withHome(given, async ({ home, repository }) => {
    const { applyHooks, warningsOf } = await import("../../home/apply.ts");
    const fallback: Scope | null = repository === null ? null : { scope: "repository", repository: repository.id };
    const dryRun = given.dryRun === true;
    const difference = await applyHooks(home, text, {
      repository: given.repository === undefined ? null : requireOne({ home, repository }),
      fallback,
      prune: given.prune === true,
      dryRun,
    });
    const { toJson, show } = await import("./hook-apply-show.ts");
    if (given.json) printJson(toJson(home, difference, dryRun));
    else for (const line of show(home, difference, dryRun)) print(line);
    const touched = touchedBy(difference);
    for (const warning of warningsOf(home, touched)) say(`Mind: ${plain(warning)}`);
    if (!dryRun && touched.length + difference.deleted.length > 0) await ring(home);
  });
}

const touchedBy = ({ added, changed }: Difference): (HookSpec | Hook)[] => [
  ...added,
  ...changed.map(({ hook }) => hook),
];

async function ring(home: OpenHome): Promise<void> {
  const { ringDaemon } = await import("../../home/ring.ts");
  ringDaemon(home);
}
