/** `gatepost init`: registers repositories and says what it did for each. */

import type { Command } from "commander";
import { typed } from "../../core/shell-word.ts";
import type { Registration } from "../../home/init.ts";
import { plain, print, printJson, progressLine, report, say } from "../output.ts";
import { sayEdited } from "../where.ts";
import { counted } from "../words.ts";
import { importFrom, readFrom, sayKept } from "./init-from.ts";
import { initRoot } from "./init-root.ts";
import { hasNothingToDo, settleTeam, type TeamOptions, type TeamState } from "./init-team.ts";

type Options = { home?: string; root?: string; from?: string; json?: boolean } & TeamOptions;

export function registerInit(program: Command): void {
  program
    .command("init")
    .description("register repositories: make the home, note what is there, install the shims; calling it again mends")
    .argument(
      "[PATH...]",
      "Git: bare, work trees, linked work trees; Fossil: files, check-outs (default: the current folder)",
    )
    .option("--home <DIR>", "one home for all of them, instead of one inside each")
    .option("--root <DIR>", "every repository below this folder, also those that are made there later")
    .option("--from <FILE>", "import the hooks of a file, such as the hooks.json of a home that was lost")
    .option("--yes", "obey gatepost.json, the team's hooks, without asking")
    .option("--no-team", "leave gatepost.json out, also where it was obeyed")
    .option("--json", "print what was done as JSON")
    .addHelpText(
      "after",
      `
Examples:
  gatepost init                                     the repository of the current folder
  gatepost init --home /srv/git/.gatepost /srv/git/*.git
  gatepost init --home /srv/fossil/.gatepost /srv/fossil/*.fossil
  gatepost init --root /srv/git                     all of them, and all that will be; home /srv/git/.gatepost

What is in a repository when it is registered counts as seen; what arrives afterwards is handed to the hooks.
Hooks that are there keep running. gatepost uninstall takes everything out again.`,
    )
    .action(async (paths: string[], options: Options) => {
      const { from } = options;
      const hooks = from === undefined ? null : await readFrom(from, paths.length, options.home);
      if (options.root !== undefined) {
        const rooted = await initRoot(paths, options.root, options);
        return hooks === null ? await sayKept(rooted) : await importFrom(hooks, rooted);
      }
      if (paths.length === 0 && options.home === undefined && hooks === null && (await hasNothingToDo())) return;
      const { register, registerAll } = await import("../../home/init.ts");
      const { requireGiven } = await import("../../home/locate.ts");
      const { resolve } = await import("node:path");
      requireGiven(options.home);
      const done: Registration[] = [];
      const at = new Map<Registration, string>();
      let failed = 0;
      const home = options.home === undefined ? null : resolve(options.home);
      const tell = (path: string, registration: Registration): void => {
        done.push(registration);
        at.set(registration, path);
        if (options.json !== true) describe(registration);
        sayEdited(registration.edited);
      };
      if (home !== null && paths.length > 1) {
        const line = progressLine();
        const all = await registerAll(paths, home, (some, of) => line.show(`registering: ${some} of ${of}`));
        line.clear();
        for (const [index, one] of all.done.entries())
          if (one instanceof Error) failed = report(one) || failed;
          else tell(paths[index] ?? "", one);
        if (all.failure !== null) failed ||= report(all.failure);
      } else
        for (const path of paths.length === 0 ? ["."] : paths) {
          try {
            tell(path, await register(path, home));
          } catch (error) {
            const code = report(error); // the others are registered all the same
            failed ||= code;
          }
        }
      for (const one of new Set(done.map((registration) => registration.home)))
        if (hooks === null) await sayKept(one);
        else if (failed === 0) await importFrom(hooks, one);
        else say("No hook was imported: register every repository first.");
      const teams = new Map<Registration, TeamState>();
      for (const [registration, path] of at) {
        if (registration.repository.workTree === null) continue; // a bare one can have linked work trees
        const { state, code } = await settleTeam(registration, path, options);
        teams.set(registration, state);
        failed ||= code;
      }
      if (options.json === true)
        printJson({ registered: done.map((one) => ({ ...toJson(one), team: teams.get(one) ?? "none" })) });
      else if (![...teams.values()].includes("obeyed")) nextStep(done);
      process.exitCode = failed;
    });
}

const toJson = ({ repository, home, how, known, bare, shared, refs, ...rest }: Registration) => ({
  repository: { id: repository.id, name: repository.name, kind: repository.kind, path: repository.path, bare },
  home: { path: home, how, shared },
  known,
  refs,
  chained: rest.chained,
  noShim: rest.noShim,
  importable: rest.importable,
  edited: rest.edited,
});

const said: Record<Registration["how"], string> = {
  there: "",
  made: "",
  moved: "The home was moved here and goes on.",
  copied: "This is a copy: it has the hooks of the original, and a history of its own.",
  restored: "The home was restored: run ids start a new series.",
};

function describe(done: Registration): void {
  const { repository, bare, shared, refs, known, home, how, chained, noShim } = done;
  const what = known ? "already registered, now in order" : "registered";
  const facts =
    repository.kind === "git"
      ? ["git", bare ? "bare" : "work tree", counted(refs, "ref")]
      : [repository.kind, `receipt ${refs}`];
  if (shared) facts.push("shared: others may push");
  print(plain(`${repository.name}: ${what} (${facts.join(", ")}), home ${home}`));
  if (said[how] !== "") print(said[how]);
  if (done.replaced) print("Another repository than before stands there: what is in it now counts as seen.");
  if (chained.length > 0) print(`Existing hooks keep running: ${chained.join(" ")}.`);
  for (const note of done.notes ?? []) print(plain(note));
  if (done.importable > 0)
    print(
      plain(
        `It has ${counted(done.importable, "hook")} of its own, which fossil goes on running until they are taken over: gatepost hook import --from fossil -R ${typed(repository.path)}`,
      ),
    );
  if (noShim !== null)
    print(plain(`No shim was put in place: ${noShim}. What arrives is found by looking at the refs, a little later.`));
}

function nextStep(done: readonly Registration[]): void {
  const [first] = done;
  if (first === undefined || done.every(({ known }) => known)) return;
  const oneHome = done.length > 1 && done.every(({ home }) => home === first.home);
  const here = !oneHome && done.length === 1 && first.repository.workTree === process.cwd();
  const importing = `hook import --from fossil -R ${typed(first.repository.path)}`;
  const one = here ? "" : `-R ${typed(first.repository.workTree ?? first.repository.path)} `;
  const at = oneHome ? `--home ${typed(first.home)} --all ` : one;
  const type = oneHome || first.bare ? "after-receive" : "before-commit";
  const adding = `hook add ${at}--type ${type} --command '…'`;
  say(plain(`Next: gatepost ${done.length === 1 && first.importable > 0 ? importing : adding}`));
}
