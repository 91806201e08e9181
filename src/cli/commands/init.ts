/** `gatepost init`: registers repositories and says what it did for each. */

import type { Command } from "commander";
import { typed } from "../../core/shell-word.ts";
import type { Registration } from "../../home/init.ts";
import { plain, print, printJson, report, say } from "../output.ts";
import { sayEdited } from "../where.ts";
import { counted } from "../words.ts";

type Options = { home?: string; json?: boolean };

export function registerInit(program: Command): void {
  program
    .command("init")
    .description("register repositories: make the home, note what is there, install the shims; calling it again mends")
    .argument(
      "[PATH...]",
      "Git: bare, work trees, linked work trees; Fossil: files, check-outs (default: the current folder)",
    )
    .option("--home <DIR>", "one home for all of them, instead of one inside each")
    .option("--json", "print what was done as JSON")
    .addHelpText(
      "after",
      `
Examples:
  gatepost init                                     the repository of the current folder
  gatepost init --home /srv/git/.gatepost /srv/git/*.git
  gatepost init --home /srv/fossil/.gatepost /srv/fossil/*.fossil

What is in a repository when it is registered counts as seen; what arrives afterwards is handed to the hooks.
Hooks that are there keep running. gatepost uninstall takes everything out again.`,
    )
    .action(async (paths: string[], options: Options) => {
      const { finish, register } = await import("../../home/init.ts");
      const { requireGiven } = await import("../../home/locate.ts");
      const { resolve } = await import("node:path");
      requireGiven(options.home);
      const done: Registration[] = [];
      let failed = 0;
      for (const path of paths.length === 0 ? ["."] : paths) {
        try {
          const home = options.home === undefined ? null : resolve(options.home);
          const registration = await register(path, home, home !== null && paths.length > 1);
          done.push(registration);
          if (options.json !== true) describe(registration);
          sayEdited(registration.edited);
        } catch (error) {
          const code = report(error); // the others are registered all the same
          failed ||= code;
        }
      }
      if (options.home !== undefined && paths.length > 1)
        for (const home of new Set(done.map((one) => one.home)))
          try {
            await finish(home);
          } catch (error) {
            failed ||= report(error);
          }
      if (options.json === true) printJson({ registered: done.map(toJson) });
      else nextStep(done);
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
