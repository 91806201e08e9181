/** `init --from FILE`: after the repositories are registered, the hooks of a file. */
import { GatepostError } from "../../core/errors.ts";
import { typed } from "../../core/shell-word.ts";
import { plain, say } from "../output.ts";
import { counted } from "../words.ts";
import { readInput } from "./hook-import.ts";

/** A file of hooks that was read: its name and text. */
export type From = { file: string; text: string };

/** The file, judged as far as it can be before anything is registered. */
export async function readFrom(file: string, paths: number, home?: string): Promise<From> {
  if (paths > 1 && home === undefined)
    throw new GatepostError("GP_USAGE", "--from is for one home, and each of these has its own. Nothing was done.", {
      hint: "With one home for all of them: gatepost init --from FILE --home DIR PATH…",
    });
  const { readForRebuild } = await import("../../home/rebuild.ts");
  const text = readInput(file);
  readForRebuild(text);
  return { file, text };
}

/** Imports the hooks of that file into the home and says so. */
export async function importFrom({ file, text }: From, home: string): Promise<void> {
  const { rebuildHooks } = await import("../../home/rebuild.ts");
  const rebuilt = await rebuildHooks(home, text);
  if ("imported" in rebuilt) say(plain(`${counted(rebuilt.imported.length, "hook")} imported from ${file}`));
  else
    say(
      plain(
        `The home has ${counted(rebuilt.has, "hook")}: ${file} was not imported. To make them those of the file: gatepost hook apply --home ${typed(home)} ${typed(file)}`,
      ),
    );
}

/** Says where the hooks are of a home that had lost its database. */
export async function sayKept(home: string): Promise<void> {
  const { keptHooks } = await import("../../home/kept-hooks.ts");
  const path = keptHooks(home);
  if (path === null) return;
  say(
    plain(
      `Mind: the database of this home was lost. Its hooks are in ${path}: gatepost hook import --home ${typed(home)} ${typed(path)}`,
    ),
  );
}
