/** -R, --pattern and --all of commands that make or change hooks: which repositories a hook is for. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { GatepostError } from "../core/errors.ts";
import { patternScope, type Scope } from "../core/hook.ts";
import { addWhere, type Opened, withHome } from "./where.ts";

export type ScopeOptions = { repository?: string[]; home?: string; pattern?: string[]; all?: boolean };

const collect = (value: string, before: string[] = []): string[] => [...before, value];

/** Adds the options to a command. */
export function addScope(command: Command, how: "add" | "edit"): Command {
  const repositories =
    how === "add"
      ? "the repository: a path, or with --home its name in the home; repeatable; 'team/*' is a pattern (default: the current folder's)"
      : "where the hook is: a path, or with --home a name; given twice, or 'team/*': the repositories it is for from now on";
  return addWhere(command, new Option("-R, --repository <REPOSITORY>", repositories).argParser(collect))
    .option("--all", "for every repository of the home, now and later")
    .addOption(
      new Option(
        "--pattern <PATTERN>",
        "for every repository of the home whose name matches, such as 'team/*'; repeatable",
      ).argParser(collect),
    );
}

/** Runs `work` with the home that the options name and the scope that they mean; null where they mean none, but only the
 *  place. A scope is never wider than what was said. */
export async function withScope<T>(
  given: ScopeOptions,
  work: (opened: Opened, scope: Scope | null) => Promise<T>,
): Promise<T> {
  const named = [...new Set(given.repository ?? [])];
  const starred = named.filter((name) => name.includes("*") && !existsSync(resolve(name)));
  const places = named.filter((name) => !starred.includes(name));
  const patterns = [...starred, ...(given.pattern ?? [])];
  if (given.all && (named.length > 0 || patterns.length > 0))
    throw new GatepostError("GP_USAGE", "--all stands for every repository; -R or --pattern cannot stand beside it.", {
      hint: "From elsewhere, name the home: gatepost hook add --home DIR --all …",
    });
  const [place] = places;
  const where = {
    ...(given.home === undefined ? {} : { home: given.home }),
    ...(place === undefined ? {} : { repository: place }),
  };
  return await withHome(where, async (opened) => {
    if (given.all) return await work(opened, { scope: "all" });
    if (places.length > 1 || (places.length > 0 && starred.length > 0))
      return await work(opened, patternScope([...(await namesOf(opened, places, given.home)), ...patterns]));
    return await work(opened, patterns.length > 0 ? patternScope(patterns) : null);
  });
}

/** The names of these repositories, all of which must be of the home. */
async function namesOf({ home }: Opened, places: readonly string[], at: string | undefined): Promise<string[]> {
  const { locate } = await import("../home/locate.ts");
  const { requireRepository } = await import("../home/repositories.ts");
  return places.map((place) => {
    const located = locate({ repository: place, home: at, cwd: process.cwd() });
    if (located.home !== home.dir)
      throw new GatepostError("GP_USAGE", `${place} has another home, ${located.home}. Nothing was changed.`, {
        hint: "A hook is of one home: add one in each, or register them together: gatepost init --home DIR PATH…",
      });
    const { name } = requireRepository(home, located.repository ?? place);
    if (!name.includes("*")) return name;
    throw new GatepostError("GP_USAGE", `The name ${name} has a star, which would stand for others too.`, {
      hint: "Give that repository a hook of its own: one -R at a time.",
    });
  });
}
