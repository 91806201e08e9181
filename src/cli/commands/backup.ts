/** `gatepost backup`: a copy of a home's database, and the way back. */
import type { Command } from "commander";
import { typed } from "../../core/shell-word.ts";
import { plain, print, printJson, say } from "../output.ts";
import { addWhere, sayEdited, type Where, withHome } from "../where.ts";

type Options = Where & { restore?: boolean; force?: boolean; json?: boolean };

export function registerBackup(program: Command): void {
  addWhere(
    program
      .command("backup")
      .description("write hooks, settings and history into one file; or restore it")
      .argument("<FILE>", "the backup"),
  )
    .option("--restore", "put what is in FILE in place of the database; the one that is there is kept beside it")
    .option("--force", "replace FILE if it is there; with --restore: also where other hooks are")
    .option("--json", "print what was done as JSON")
    .addHelpText(
      "after",
      `
Nobody needs to stop: pushes and the backoffice go on meanwhile. FILE is read back before it gets its name.

Examples:
  gatepost backup /var/backups/gatepost.db --force --home /srv/git/.gatepost
  gatepost backup --restore /var/backups/gatepost.db --home /srv/git/.gatepost`,
    )
    .action((file: string, given: Options) => (given.restore ? restoreIt(file, given) : backUp(file, given)));
}

const backUp = (given: string, { force = false, json, ...where }: Options): Promise<void> =>
  withHome(where, async ({ home }) => {
    const { backup } = await import("../../home/backup.ts");
    const made = backup(home, given, force);
    if (json) return printJson({ home: home.dir, ...made });
    print(`${plain(made.file)}: ${made.bytes} bytes, read back and whole.`);
  });

async function restoreIt(given: string, { force = false, json, home, repository }: Options): Promise<void> {
  const { homeAt, restore } = await import("../../home/restore.ts");
  const { locate } = await import("../../home/locate.ts");
  const { takeEdited } = await import("../../home/edited.ts");
  const dir = home === undefined ? locate({ repository, cwd: process.cwd() }).home : homeAt(home);
  const done = await restore(dir, given, force);
  if (json) return printJson(done);
  print(`${plain(done.home)}: restored. Runs from now on are named ${done.incarnation}-NUMBER.`);
  if (done.aside !== null) print(`The database that was there is now ${plain(done.aside)}.`);
  sayEdited(takeEdited());
  for (const text of done.trouble) say(`gatepost: ${plain(text)}`);
  if (!done.served) say(`Next: gatepost backoffice --home ${typed(done.home)}`);
}
