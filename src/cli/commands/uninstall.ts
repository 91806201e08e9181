/** `gatepost uninstall`: the way out. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { GatepostError } from "../../core/errors.ts";
import { typed } from "../../core/shell-word.ts";
import { plain, print, say } from "../output.ts";
import { addWhere, sayEdited, type Where, withHome } from "../where.ts";
import { counted } from "../words.ts";

export function registerUninstall(program: Command): void {
  addWhere(
    program.command("uninstall").description("take a repository out: shims away, earlier hooks back, byte for byte"),
  )
    .option("--root <DIR>", "instead: register below that folder no more; what is registered stays")
    .option("--purge", "also delete the home, with its hooks and history, if it serves nobody else")
    .addHelpText("after", "\nExamples:\n  gatepost uninstall -R /srv/git/app.git\n  gatepost uninstall --root /srv/git")
    .action(async (given: Where & { purge?: boolean; root?: string }) => {
      if (given.root !== undefined) return await unfollow(given, given.root);
      const { forgetHome } = await import("../../home/uninstall.ts");
      if (given.home !== undefined && given.repository === undefined && forgetHome(resolve(given.home)))
        return print(plain(`${given.home} is gone; it was taken out of the register.`));
      await withHome(given, async ({ home, repository }) => {
        if (repository === null)
          throw new GatepostError("GP_USAGE", "Which repository? --home alone does not say.", {
            hint: "Add -R REPOSITORY.",
          });
        const { uninstall } = await import("../../home/uninstall.ts");
        const { hooksFor } = await import("../../home/hooks.ts");
        const own = hooksFor(home, repository).filter(
          ({ type, scope }) => ["after-receive", "before-commit"].includes(type) && scope.scope === "repository",
        );
        const unheard = repository.kind === "fossil" ? own.length : 0;
        const back = `gatepost hook export --to fossil -R ${typed(repository.path)}`;
        if (given.purge && unheard > 0)
          throw new GatepostError(
            "GP_USAGE",
            `With --purge ${counted(unheard, "hook")} of ${repository.name} would be gone for good. Nothing was changed.`,
            {
              hint: `Give them to fossil first: ${back}. Or delete them: gatepost hook delete all`,
            },
          );
        const done = await uninstall(home, repository, given.purge === true);
        const { removed, keptFor, hooksDeleted, homeRemoved, stillServed, edited, editorGone, beside, switchedOff } =
          done;
        print(
          `${plain(repository.name)}: ${removed.length === 0 ? (repository.kind === "git" ? "no shims were there" : "taken out") : `taken out: ${removed.join(" ")}`}`,
        );
        sayEdited(edited);
        for (const file of beside) say(plain(`Kept, since another file stands in its place: ${file}`));
        for (const hook of switchedOff)
          say(
            plain(
              `Its file is back; hook ${hook}, which was edited since, is switched off: gatepost hook list --home ${typed(home.dir)}`,
            ),
          );
        if (editorGone)
          say(
            `Mind: its setting editor names a script of this home; change it, or no message can be typed: fossil settings editor YOUR-EDITOR`,
          );
        if (done.trigger !== null)
          say(
            plain(
              `gitolite warns at each push of a program that is gone. Take out of ${done.trigger}: gatepost-update`,
            ),
          );
        if (keptFor !== null)
          print(`The shims in ${plain(keptFor)} stay: other registered repositories use that folder.`);
        if (unheard > 0)
          say(
            plain(
              `Mind: ${counted(unheard, "hook")} of it ${unheard === 1 ? "is" : "are"} run by nobody now. To give them to fossil: gatepost init ${typed(repository.path)}; ${back}`,
            ),
          );
        if (hooksDeleted > 0) print(`Deleted with it: ${counted(hooksDeleted, "hook")} for this repository alone.`);
        if (given.purge && stillServed > 0)
          say(
            `The home ${plain(home.dir)} is kept: it still serves ${stillServed} ${stillServed === 1 ? "repository" : "repositories"}.`,
          );
        if (homeRemoved) print(`The home ${plain(home.dir)} was deleted.`);
        else if (stillServed === 0)
          say(`Its hooks and history are kept in ${plain(home.dir)}; gatepost init brings them back.`);
      });
    });
}

/** Ends that a home registers what is made below a folder. */
async function unfollow(given: Where & { purge?: boolean }, dir: string): Promise<void> {
  if (given.purge || given.repository !== undefined)
    throw new GatepostError("GP_USAGE", "--root stands alone: it takes no repository out. Nothing was changed.", {
      hint: `gatepost uninstall --root ${typed(dir)}`,
    });
  const { followerOf } = await import("../../home/root-find.ts");
  const { stopFollowing } = await import("../../home/root.ts");
  const { requireGiven } = await import("../../home/locate.ts");
  requireGiven(dir);
  const root = resolve(dir);
  const home = given.home ?? followerOf(root);
  if (home === null)
    throw new GatepostError("GP_NO_HOME", `No home of this user follows ${root}. Nothing was changed.`, {
      hint: "Name the home: --home DIR. Of which user? It follows what was told by: gatepost init --root DIR",
    });
  await withHome({ home }, ({ home }) => {
    const { root: path, served } = stopFollowing(home, root);
    print(
      plain(
        `${path} is followed no more. ${served === 1 ? "1 repository" : `${served} repositories`} below it stay registered.`,
      ),
    );
  });
}
