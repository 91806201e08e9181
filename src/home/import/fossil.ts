/**
 * `hook import --from fossil`: the hooks in a Fossil repository's own list become hooks of ours, for that repository.
 *
 * Fossil no longer runs them from one transaction on, and we begin behind the last receipt that it had handed out in that
 * transaction. The chain of steps and what a death leaves is in home/handover.ts. A hook that cannot mean the same here
 * stays in Fossil's list, and Fossil goes on running it. One that was exported earlier and is switched off here is
 * switched on again, with its name.
 */
import { randomUUID } from "node:crypto";
import { GatepostError } from "../../core/errors.ts";
import { fromFossil, toFossil } from "../../core/fossil-hook.ts";
import { type Element, type Entry, withoutTexts } from "../../core/fossil-hook-list.ts";
import { covers, type Hook, type HookSpec } from "../../core/hook.ts";
import { isFossilEntry } from "../../shim/fossil-entry.ts";
import { changeHookList, type HookList, readHookList, requireElements } from "../../shim/fossil-hooks.ts";
import { lastCut } from "../../store/batch.ts";
import { listHooks } from "../../store/hook.ts";
import { receiptById, waitingReceipts } from "../../store/receipt.ts";
import { type RepositoryRow, repositoryById } from "../../store/repository.ts";
import { lookNow } from "../catch-up.ts";
import {
  begun,
  claim,
  done,
  finishHandover,
  type Handover,
  type Mark,
  overtaken,
  putMark,
  takeBack,
  takeIn,
} from "../handover.ts";
import { checkHook, importHooks } from "../hooks.ts";
import type { OpenHome } from "../open.ts";
import type { Left } from "./foreign.ts";

/** `hook`: as it will be. `reused`: the hook here that is switched on again for it. */
type Take = { text: string; hook: HookSpec; reused: Hook | null };
export type FossilPlan = { takes: Take[]; left: Left[] };

/** How many hooks of a list an import would look at: all but our own. */
export const importable = ({ elements }: Pick<HookList, "elements">): number =>
  elements?.filter(({ entry }) => entry === null || !isFossilEntry(entry.cmd)).length ?? 0;

/** What an import would do; changes nothing. */
export async function planFossil(home: OpenHome, row: RepositoryRow): Promise<FossilPlan> {
  requireFossil(row);
  return plan(home, row, await readHookList(row.path));
}

/** Refuses a repository that is none of Fossil's. */
export function requireFossil({ kind, path }: RepositoryRow): void {
  if (kind === "fossil") return;
  throw new GatepostError(
    "GP_USAGE",
    `${path} is a ${kind} repository; fossil has no hooks there. Nothing was changed.`,
    {
      hint: "Name a Fossil repository: -R FILE.fossil",
    },
  );
}

function plan(home: OpenHome, row: RepositoryRow, list: HookList): FossilPlan {
  const there = listHooks(home.db).filter(({ scope }) => covers(scope, row));
  const takes: Take[] = [];
  const left: Left[] = [];
  for (const [id, element] of requireElements(list).entries()) {
    if (element.entry !== null && isFossilEntry(element.entry.cmd)) continue;
    const free = there.filter((hook) => !takes.some(({ reused }) => reused?.id === hook.id));
    const take = takeOf(home, row, element, free);
    if ("why" in take) left.push({ what: labelOf(id, element), why: take.why });
    else takes.push(take);
  }
  return { takes, left };
}

const labelOf = (id: number, { entry, text }: Element): string =>
  `Fossil's hook ${id} (${entry === null ? text : `${entry.type}: ${entry.cmd}`})`;

function takeOf(home: OpenHome, row: RepositoryRow, element: Element, there: readonly Hook[]): Take | { why: string } {
  if (element.entry === null) return { why: element.why };
  const found = fromFossil(element.entry);
  if ("why" in found) return found;
  const reused = there.find((hook) => isSameAsOff(hook, row, element.entry)) ?? null;
  if (reused !== null) return { text: element.text, hook: { ...reused, type: found.type, wasType: null }, reused };
  const twin = there.find(({ type, command }) => type === found.type && command === found.command);
  if (twin !== undefined) return { why: `hook ${twin.id} here does the same already` };
  try {
    const hook = checkHook(home, { ...found, scope: { scope: "repository", repository: row.id } });
    return { text: element.text, hook, reused: null };
  } catch (error) {
    if (!(error instanceof GatepostError)) throw error;
    return { why: error.message.replace(/\.$/, "") };
  }
}

/** Whether a hook that is off would come out as this entry, switched on or not. */
function isSameAsOff(hook: Hook, row: RepositoryRow, entry: Entry): boolean {
  if (hook.type !== "disabled" || hook.scope.scope !== "repository" || hook.scope.repository !== row.id) return false;
  if (entry.type !== "disabled" && entry.type !== hook.wasType) return false;
  const out = toFossil(hook);
  return !("why" in out) && out.cmd === entry.cmd && out.seq === entry.seq;
}

export type FossilImport = FossilPlan & { handover: Handover | null };

const ATTEMPTS = 5;

/** Takes over all hooks of the list that can be; `handover` null where there is none. Finishes first what an earlier call
 *  left. Throws GP_BUSY where Fossil's position and ours cannot be brought together yet; what shim/fossil-hooks.ts throws. */
export async function importFromFossil(home: OpenHome, row: RepositoryRow): Promise<FossilImport> {
  requireFossil(row);
  const finished = await finishHandover(home, row);
  if (finished?.way === "in")
    return { ...plan(home, row, await readHookList(row.path)), takes: [], handover: finished };
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const token = randomUUID();
    const list = await claim(row.path, token, null);
    let planned: FossilPlan;
    try {
      planned = plan(home, row, list);
      if (planned.takes.length > 0) await requireMeeting(home, row, list, planned);
    } catch (error) {
      await unclaim(row.path, token);
      throw error;
    }
    if (planned.takes.length === 0) {
      await unclaim(row.path, token);
      return { ...planned, handover: null };
    }
    const mark = prepare(home, row, planned, token);
    const taken = await takeOut(home, row, planned, mark, list);
    if (taken !== null) return { ...planned, handover: await takeIn(home, row, mark, taken.lastRcvid) };
    takeBack(home, row, mark);
  }
  throw overtaken(row);
}

const unclaim = (file: string, token: string): Promise<HookList> =>
  changeHookList(file, ({ text, note }) => (note === begun(token) ? { text, note: null } : null));

/** Step 2: the hooks, off, with what they shall be. */
function prepare(home: OpenHome, row: RepositoryRow, { takes }: FossilPlan, token: string): Mark & { way: "in" } {
  const fresh = takes.filter(({ reused }) => reused === null);
  const off = fresh.map(({ hook }) => ({
    ...hook,
    type: "disabled",
    wasType: hook.type === "disabled" ? null : hook.type,
  }));
  const gates = takes.flatMap(({ text, hook }) => (hook.type === "before-commit" ? [text] : []));
  const mark: Mark & { way: "in" } = { way: "in", token, hooks: [], gates, switched: null };
  importHooks(home, off, (hooks) => {
    mark.hooks = takes.flatMap(({ hook, reused }, n) => {
      const before = takes.slice(0, n).filter((take) => take.reused === null).length;
      const id = reused?.id ?? hooks[before]?.id;
      return id === undefined ? [] : [{ id, type: hook.type, made: reused === null }];
    });
    putMark(home, row, mark);
  });
  return mark;
}

/** Step 3: out of Fossil's list, all but the gates; with the position as of then. Null: the list has changed since it was
 *  read. After an error, what step 2 did is undone where that can be told. */
async function takeOut(
  home: OpenHome,
  row: RepositoryRow,
  { takes }: FossilPlan,
  mark: Mark & { way: "in" },
  list: HookList,
): Promise<{ lastRcvid: number | null } | null> {
  const texts = takes.flatMap(({ text, hook }) => (hook.type === "before-commit" ? [] : [text]));
  let changed = false;
  try {
    const found = await changeHookList(row.path, (now) => {
      if (now.note !== begun(mark.token)) throw overtaken(row);
      changed = now.text !== list.text;
      if (changed) return null;
      requireBehind(home, row, now, takes);
      return { text: withoutTexts(now.text, texts), note: done(mark.token, now.lastRcvid) };
    });
    return changed ? null : { lastRcvid: found.lastRcvid };
  } catch (error) {
    await finishHandover(home, row).catch(() => {}); // the next call does it
    throw error;
  }
}

const hear = (takes: readonly Take[]): boolean => takes.some(({ hook }) => hook.type === "after-receive");

/** A repository has one position. Refuses where hooks would miss what is between ours and Fossil's. */
async function requireMeeting(
  home: OpenHome,
  row: RepositoryRow,
  list: HookList,
  { takes }: FossilPlan,
): Promise<void> {
  requireBehind(home, row, list, takes);
  if (!hear(takes)) return;
  const others = listHooks(home.db).filter(({ type, scope }) => type === "after-receive" && covers(scope, row));
  if (others.length === 0) return;
  await lookNow(home);
  const cursor = repositoryById(home.db, row.id)?.cursor ?? row.cursor;
  const waits = waitingReceipts(home.db, row.id, cursor)
    .map(({ id }) => receiptById(home.db, id)?.native ?? null)
    .find((native) => native !== null && native <= (list.lastRcvid ?? 0));
  if (waits === undefined) return;
  throw new GatepostError(
    "GP_BUSY",
    `Receipt ${waits} of ${row.path} still waits for hook ${others[0]?.id} here, while Fossil's have had it. Nothing was changed.`,
    { hint: "Let the backoffice hand it out first: gatepost backoffice" },
  );
}

function requireBehind(home: OpenHome, row: RepositoryRow, { lastRcvid }: HookList, takes: readonly Take[]): void {
  const cut = lastCut(home.db, row.id);
  const ours = (cut === null ? null : receiptById(home.db, cut)?.native) ?? null;
  if (!hear(takes) || ours === null || ours <= (lastRcvid ?? 0)) return;
  throw new GatepostError(
    "GP_BUSY",
    `Hooks here were given receipt ${ours} of ${row.path}, Fossil's only ${lastRcvid ?? "none"}. Nothing was changed.`,
    { hint: `They would miss what is between. Let Fossil catch up first: fossil backoffice ${row.path}` },
  );
}
