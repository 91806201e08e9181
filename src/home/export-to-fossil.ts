/**
 * `hook export --to fossil`: hooks of ours back into a Fossil repository's own list, to be run by Fossil, behind the last
 * receipt that we handed out. Here they stay, switched off. The chain of steps is in handover.ts.
 */
import { randomUUID } from "node:crypto";
import { GatepostError } from "../core/errors.ts";
import { sortsAlike, toFossil } from "../core/fossil-hook.ts";
import type { Entry } from "../core/fossil-hook-list.ts";
import type { Hook } from "../core/hook.ts";
import { cells } from "../core/shell-cells.ts";
import { type HookList, readHookList, requireElements } from "../shim/fossil-hooks.ts";
import { listHooks } from "../store/hook.ts";
import type { RepositoryRow } from "../store/repository.ts";
import { openRuns } from "../store/run.ts";
import { dropLeftNote, finishHandover, giveOut, type Handover, hearing, type Mark, putMark } from "./handover.ts";
import { editHooks, findHooks } from "./hooks.ts";
import { requireFossil } from "./import/fossil.ts";
import type { OpenHome } from "./open.ts";
import { nativeCursor } from "./take-over.ts";

export type FossilExport = {
  handover: Handover | null;
  /** Hooks of the repository that stay here, and why. */
  stays: { hook: Hook; why: string }[];
  /** Fossil will run the gates in another order than that of their numbers. */
  disordered: boolean;
};

type Going = { hook: Hook; entry: Entry };

/** Gives the named hooks, or all of this repository that Fossil knows the types of, to Fossil; all of them, or none.
 *  GP_USAGE where Fossil cannot express one; GP_BUSY where runs of them wait, or positions differ. */
export async function exportToFossil(
  home: OpenHome,
  row: RepositoryRow,
  words: readonly string[],
): Promise<FossilExport> {
  requireFossil(row);
  const finished = await finishHandover(home, row);
  if (finished?.way === "out") return { handover: finished, stays: [], disordered: false };
  const list = await readHookList(row.path);
  const { going, stays } = choose(home, row, words, list);
  if (going.length === 0) {
    await dropLeftNote(row.path);
    return { handover: null, stays, disordered: false };
  }
  const mark: Mark & { way: "out" } = {
    way: "out",
    token: randomUUID(),
    hooks: going.map(({ hook }) => ({ id: hook.id, type: hook.type })),
    entries: going.map(({ entry }) => entry),
    after: null,
  };
  const heard = going.filter(({ hook }) => hook.type === "after-receive").map(({ hook }) => hook);
  editHooks(home, heard, { type: "disabled" }, () => {
    requireNoneOpen(home, row, heard);
    mark.after = heard.length === 0 ? null : nativeCursor(home, row);
    if (heard.length > 0) requireSamePosition(row, list, mark.after);
    putMark(home, row, mark);
  });
  const gates = going.filter(({ entry }) => entry.type === "before-commit").map(({ hook }) => hook.sequence);
  return { handover: await giveOut(home, row, mark), stays, disordered: !sortsAlike(gates) };
}

function choose(home: OpenHome, row: RepositoryRow, words: readonly string[], list: HookList) {
  const isOwn = ({ scope }: Hook): boolean => scope.scope === "repository" && scope.repository === row.id;
  const named = words.length > 0 && !words.includes("all");
  const hooks = named ? findHooks(home, words, row) : listHooks(home.db).filter(isOwn);
  const there = requireElements(list).flatMap(({ entry }) => (entry === null ? [] : [entry]));
  const going: Going[] = [];
  const stays: FossilExport["stays"] = [];
  const refused: string[] = [];
  for (const hook of hooks) {
    const entry = isOwn(hook) ? toFossil(hook) : { why: "it is for more than this repository" };
    const why = "why" in entry ? entry.why : trouble(row, hook, entry, there);
    if (why === null && !("why" in entry)) going.push({ hook, entry });
    else if (named || ["after-receive", "before-commit"].includes(hook.type))
      refused.push(`hook ${labelOf(hook)}: ${why}`);
    else stays.push({ hook, why: why ?? "" });
  }
  if (refused.length > 0)
    throw new GatepostError("GP_USAGE", `Fossil cannot run ${refused.join("; ")}. Nothing was changed.`, {
      hint: named
        ? "Leave it out, or change it first: gatepost hook edit"
        : "Name those that shall go: gatepost hook export --to fossil ID …",
    });
  return { going, stays };
}

const labelOf = ({ id, name }: Hook): string => (name === null ? String(id) : `${id} (${name})`);

function trouble({ path }: RepositoryRow, hook: Hook, entry: Entry, there: readonly Entry[]): string | null {
  const usesPath = cells(hook.command ?? "").some(({ letter }) => letter === "R");
  if (usesPath && !/^[\w@+.,/:-]+$/.test(path)) return "it uses %R, and Fossil would paste that path as several words";
  if (there.some(({ cmd, seq }) => cmd === entry.cmd && seq === entry.seq)) return "Fossil's list has it already";
  return null;
}

function requireNoneOpen(home: OpenHome, row: RepositoryRow, hooks: readonly Hook[]): void {
  const ids = new Set(hooks.map(({ id }) => id));
  const open = [...openRuns(home.db, row.id)].filter(({ hook }) => ids.has(hook));
  const [first] = open;
  if (first === undefined) return;
  throw new GatepostError("GP_BUSY", `${open.length} runs of hook ${first.hook} wait or run. Nothing was changed.`, {
    hint: "Let the backoffice end them first: gatepost backoffice; or: gatepost runs drop",
  });
}

/** Fossil has one position for all of its hooks. */
function requireSamePosition(row: RepositoryRow, list: HookList, ours: number | null): void {
  if (!hearing(list) || (list.lastRcvid ?? 0) === (ours ?? 0)) return;
  throw new GatepostError(
    "GP_BUSY",
    `Fossil's own hooks of ${row.path} are at receipt ${list.lastRcvid ?? 0}, these at ${ours ?? 0}. Nothing was changed.`,
    { hint: `Let both catch up first: fossil backoffice ${row.path}; gatepost backoffice` },
  );
}
