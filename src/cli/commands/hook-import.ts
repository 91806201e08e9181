/** `hook import`: hooks from what export printed, or from another hook manager. */
import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { GatepostError } from "../../core/errors.ts";
import type { HookSpec, Scope } from "../../core/hook.ts";
import { typed } from "../../core/shell-word.ts";
import type { Handover } from "../../home/handover.ts";
import type { Plan, Source } from "../../home/import/import-from.ts";
import { plain, plainLines, print, printJson, say } from "../output.ts";
import { addWhere, type Opened, type Where, withHome } from "../where.ts";
import { beforeArrivals, done } from "./hook-edit.ts";

type Options = Where & { from?: Source | "fossil"; take?: boolean; move?: boolean; dryRun?: boolean; json?: boolean };

export function registerHookImport(hook: Command): void {
  addWhere(
    hook
      .command("import")
      .description("add hooks from what export printed, or from another hook manager")
      .argument("[FILE]", "a file, or - for stdin; with --from, the file or folder where it is not at its usual place"),
  )
    .addOption(
      new Option("--from <MANAGER>", "whose hooks").choices([
        "husky",
        "lefthook",
        "pre-commit-config",
        "git-config",
        "hooks-dir",
        "fossil",
      ]),
    )
    .option("--dry-run", "show what would be added, and change nothing")
    .option("--take", "rename files of the hooks folder that do the same, so that nothing runs twice")
    .option("--move", "with --from hooks-dir: into the database; uninstall puts the files back")
    .option("--json", "print the hooks as JSON")
    .addHelpText(
      "after",
      `
Examples:
  gatepost hook export -R old.git | gatepost hook import -R new.git -
  gatepost hook import --from lefthook --dry-run
  gatepost hook import --from hooks-dir --move -R app.git   its post-receive, pre-receive and update become hooks
  gatepost hook import --from fossil -R project.fossil   Fossil stops running them; none misses a receipt`,
    )
    .action(async (file: string | undefined, given: Options) => {
      if (given.move && (given.from !== "hooks-dir" || given.take || file !== undefined))
        throw new GatepostError(
          "GP_USAGE",
          "--move takes the files of a repository's own hooks folder. Nothing was moved.",
          {
            hint: "Such as: gatepost hook import --from hooks-dir --move -R app.git",
          },
        );
      if (given.from === "fossil") await importFromFossil(file, given);
      else if (given.from !== undefined) await importFromManager(given.from, file ?? null, given);
      else if (file !== undefined) await importFile(file, given);
      else
        throw new GatepostError("GP_USAGE", "What should be imported? Name a file, or another manager.", {
          hint: "Such as: gatepost hook import hooks.json, or: gatepost hook import --from husky",
        });
    });
}

async function importFile(file: string, given: Options): Promise<void> {
  const text = readInput(file);
  await withHome(given, async (opened) => {
    const { readExported } = await import("../../home/exchange.ts");
    const { checkHook, importHooks } = await import("../../home/hooks.ts");
    const fallback: Scope | null =
      opened.repository === null ? null : { scope: "repository", repository: opened.repository.id };
    const specs = readExported(opened.home, text, fallback, given.repository !== undefined);
    if (given.dryRun)
      await show(
        opened,
        specs.map((spec) => checkHook(opened.home, spec)),
        null,
        given.json,
      );
    else {
      for (const { type } of specs) await beforeArrivals(opened, type);
      await done(opened, importHooks(opened.home, specs), "added", given.json);
    }
  });
}

async function importFromManager(source: Source, path: string | null, given: Options): Promise<void> {
  await withHome(given, async (opened) => {
    const { importFrom, planImport } = await import("../../home/import/import-from.ts");
    const repository = requireOne(opened);
    if (repository.kind === "fossil")
      throw new GatepostError("GP_USAGE", `${repository.path} is a Fossil repository. Nothing was imported.`, {
        hint: "Its own hooks: gatepost hook import --from fossil",
      });
    if (given.dryRun) {
      const plan = await planImport(opened.home, repository, source, path, given.move);
      await show(opened, plan.specs, plan, given.json);
      if (given.json) return;
      if (given.move)
        sayMoved(
          plan.taken.map(({ name }) => name),
          "would move",
        );
      return sayRest(plan, plan.specs.length);
    }
    const { take = false, move = false } = given;
    const imported = await importFrom(opened.home, repository, source, path, { take, move });
    if (given.json) await show(opened, imported.hooks, imported, true);
    await done(opened, imported.hooks, "added");
    for (const file of imported.setAside) say(`renamed, so that it does not run twice: ${plain(file)}`);
    sayMoved(imported.moved, "moved");
    sayRest(imported, imported.hooks.length);
  });
}

/** Which files the database has now, and what is different for those who used them. */
function sayMoved(names: readonly string[], word: string): void {
  if (names.length === 0) return;
  say(`${word} into the database: ${plain(names.join(", "))}. Back: gatepost uninstall`);
  if (names.includes("post-receive"))
    say(
      "post-receive runs after the push from now on: what it prints is kept for gatepost runs, and no pusher sees it.",
    );
}

/** The repository that the call names, or GP_USAGE. */
export function requireOne({ repository }: Opened): NonNullable<Opened["repository"]> {
  if (repository !== null) return repository;
  throw new GatepostError("GP_USAGE", "For which repository? --home alone does not say. Nothing was changed.", {
    hint: "Add -R REPOSITORY.",
  });
}

async function importFromFossil(file: string | undefined, given: Options): Promise<void> {
  if (file !== undefined || given.take)
    throw new GatepostError("GP_USAGE", "--from fossil takes no file and no --take. Nothing was imported.", {
      hint: "Such as: gatepost hook import --from fossil -R project.fossil",
    });
  await withHome(given, async (opened) => {
    const { importFromFossil, planFossil } = await import("../../home/import/fossil.ts");
    const repository = requireOne(opened);
    if (given.dryRun) {
      const { takes, left } = await planFossil(opened.home, repository);
      const specs = takes.map(({ hook }) => hook);
      await show(opened, specs, { specs, left, next: [], taken: [] }, given.json);
      if (!given.json) sayRest({ left, next: [] }, specs.length);
      return;
    }
    const { handover, left } = await importFromFossil(opened.home, repository);
    const hooks = handover?.hooks ?? [];
    if (given.json) await show(opened, hooks, { specs: hooks, left, next: [], taken: [] }, true);
    if (handover !== null) await sayTakenOver(opened, repository, handover);
    if (given.json) return;
    if (hooks.length === 0 && left.length === 0)
      say(`fossil has no hooks in ${plain(repository.path)}. Nothing was added.`);
    else sayRest({ left, next: [] }, hooks.length);
  });
}

async function sayTakenOver(
  opened: Opened,
  row: { path: string },
  { hooks, after, missedUpto }: Handover,
): Promise<void> {
  const { ringDaemon } = await import("../../home/ring.ts");
  const from = after === null ? "" : ` after receipt ${after}`;
  const back = plain(`gatepost hook export --to fossil -R ${typed(row.path)}`);
  say(
    `${hooks.length} ${hooks.length === 1 ? "hook" : "hooks"} taken over${from}. Fossil no longer runs them; back again: ${back}`,
  );
  if (after === null && hooks.some(({ type }) => type === "after-receive"))
    say(
      "fossil has never run them: what arrived in the last day is handed out at the next pass, as fossil would have.",
    );
  const { arrivalWarnings } = await import("../../home/arrival-warnings.ts");
  const [hears] = hooks.flatMap((hook) => arrivalWarnings(opened.home, hook));
  if (hears !== undefined) say(plain(`Mind: ${hears}`));
  if (missedUpto !== null)
    say(
      `Mind: receipts up to ${missedUpto} went to other hooks meanwhile. For these: gatepost hook test --base-rcvid ${after ?? 0} --new-rcvid ${missedUpto} ID`,
    );
  ringDaemon(opened.home);
}

/** The hooks as they are or would be: as JSON with what was left, or as a list. */
async function show(opened: Opened, specs: readonly HookSpec[], plan: Plan | null, json?: boolean): Promise<void> {
  const { hookToJson } = await import("../../home/exchange.ts");
  if (json) {
    const hooks = specs.map((spec) => ({ ...("id" in spec ? { id: spec.id } : {}), ...hookToJson(opened.home, spec) }));
    printJson({ hooks, ...(plan === null ? {} : { left: plan.left, next: plan.next }) });
    return;
  }
  for (const spec of specs) {
    const { name, type, wasType, sequence, command, ...rest } = hookToJson(opened.home, spec);
    const was = wasType === undefined ? "" : ` (was ${wasType})`;
    print(plain(`would add ${name ?? "a hook"}: ${type}${was}, sequence ${sequence}`));
    for (const [option, value] of Object.entries(rest).filter(([key]) => key !== "repository"))
      for (const one of Array.isArray(value) ? value : [value]) print(`    ${option}: ${plain(String(one))}`);
    print(plainLines(String(command)).replace(/^/gm, "    "));
  }
}

/** As much of it as a person reads. */
const cut = (text: string): string =>
  text.length > 300 ? `${text.slice(0, 300).replace(/\p{Surrogate}$/u, "")}…` : text;

/** What was not carried over, and what to do now. */
function sayRest({ left, next }: Pick<Plan, "left" | "next">, count: number): void {
  if (count === 0) say("There is no hook that could be carried over. Nothing was added.");
  if (left.length > 0) say("Not carried over:");
  for (const { what, why } of left) say(`  ${plain(cut(what))} – ${plain(cut(why))}`);
  if (next.length > 0) say("What to do now:");
  for (const line of next) say(`  ${plain(line)}`);
}

/** The text of a file, or of stdin for "-". */
export function readInput(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const hint = "Name a file that gatepost hook export wrote, or - for stdin.";
    if (code === "ENOENT") throw new GatepostError("GP_NO_FILE", `There is no file ${file}.`, { hint });
    if (code === "EISDIR") throw new GatepostError("GP_USAGE", `${file} is a folder.`, { hint });
    throw new GatepostError("GP_DENIED", `${file} cannot be read (${code}).`, { hint });
  }
}
