/** -R, --home and --all: which home and repository a command is about. */
import { type Command, Option } from "commander";
import { GatepostError } from "../core/errors.ts";
import { keptSentence, takeEdited } from "../home/edited.ts";
import { noteOfLists } from "../home/lists-note.ts";
import type { OpenHome } from "../home/open.ts";
import type { RepositoryRow } from "../home/repositories.ts";
import { plain, say } from "./output.ts";

export type Where = { repository?: string; home?: string };

const oneRepository = (): Option =>
  new Option(
    "-R, --repository <REPOSITORY>",
    "the repository: a path, or with --home its name in the home (default: the current folder's)",
  ).argParser((value: string, before: string | undefined) => {
    if (before === undefined) return value;
    throw new GatepostError("GP_USAGE", `-R is given twice, and this command is about one repository.`, {
      hint: "Call it once for each. A hook for several: gatepost hook add -R a.git -R b.git …",
    });
  });

/** Adds -R and --home to a command. */
export function addWhere(command: Command, repository = oneRepository()): Command {
  return command
    .addOption(repository)
    .addOption(new Option("--home <DIR>", "the home, where it is not the repository's own"));
}

export type Opened = { home: OpenHome; repository: RepositoryRow | null };

/** Runs `work` with the home that the options name, makes the change that it left to be made in the hook lists of Fossil
 *  repositories, and closes the home. `repository` is null only when --home stands alone. */
export async function withHome<T>(where: Where, work: (opened: Opened) => T | Promise<T>): Promise<T> {
  const { locate } = await import("../home/locate.ts");
  const { closeHome, openHome } = await import("../home/open.ts");
  const { requireRepository } = await import("../home/repositories.ts");
  const located = locate({ repository: where.repository, home: where.home, cwd: process.cwd() });
  const home = openHome(located.home);
  try {
    const repository = located.repository === null ? null : requireRepository(home, located.repository);
    const before = noteOfLists(home);
    const result = await work({ home, repository });
    const note = noteOfLists(home);
    if (note !== null && note !== before) {
      const { bringFossilInLine, requireListed } = await import("../home/fossil-gates.ts");
      requireListed(await bringFossilInLine(home));
    }
    return result;
  } finally {
    closeHome(home);
    sayEdited(takeEdited());
  }
}

/** Says where shims were kept that somebody had edited and that the call replaced. */
export function sayEdited(paths: readonly string[]): void {
  for (const path of paths) say(`Mind: ${plain(keptSentence(path))}.`);
}
