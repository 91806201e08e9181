/**
 * Hooks that change hands between Fossil's own list and the database, with the position in the receipts that goes along.
 *
 * Two files cannot be changed in one transaction, so each way is a chain of small ones, and a mark in our database (a
 * setting) together with a note in Fossil's (see shim/fossil-hooks.ts) tells how far the chain went:
 *
 *   in   1. note "begun TOKEN", and the list is read     2. ours: the hooks, switched off; the mark
 *        3. Fossil's: the hooks out of the list, if it still is what was read; note "done TOKEN RCVID", the position as
 *           of this very transaction                     4. ours: the position; the hooks switched on; mark "switched"
 *        5. Fossil's: the gates out of the list          6. ours: no mark
 *   out  1. ours: the hooks switched off, the gates not yet; the mark with the position
 *        2. Fossil's: note "begun TOKEN"                 3. Fossil's: the hooks into the list, the position, note "done"
 *        4. ours: the gates switched off, no mark; then Fossil's: no note
 *
 * After a death anywhere `finishHandover` goes on, called by the next import or export, `init`, `doctor --fix` or the
 * backoffice, as soon as whoever was at it is gone: before step 3 of "in" it takes the hooks back out of the database, and
 * Fossil never noticed; later, and on the way out, it goes forward. While a chain is open neither side runs the hooks of
 * arrivals, and receipts wait; so none is lost and none comes twice. Gates (before-commit) are on both sides meanwhile:
 * better asked twice than not at all.
 *
 * A fossil program that a dead call started may still be waiting for a lock. It would write only over its own note
 * "begun TOKEN", and whoever finishes replaces that before deciding anything.
 *
 * Proven by test/e2e/import-fossil.test.ts.
 */
import { randomUUID } from "node:crypto";
import { GatepostError } from "../core/errors.ts";
import { type Entry, entryText, requireList, withoutTexts, writeList } from "../core/fossil-hook-list.ts";
import type { Hook } from "../core/hook.ts";
import type { HookId } from "../core/units.ts";
import { bootId, isAlive, type ProcessIdentity, processIdentity } from "../process/identity.ts";
import { changeHookList, type HookList } from "../shim/fossil-hooks.ts";
import { hookById } from "../store/hook.ts";
import { listRepositories, type RepositoryRow } from "../store/repository.ts";
import { dropSetting, putSetting, readSetting, readSettings } from "../store/setting.ts";
import { bringFossilInLine, requireListed } from "./fossil-gates.ts";
import { deleteHooks, editHooks } from "./hooks.ts";
import type { OpenHome } from "./open.ts";
import { takeOverAt } from "./take-over.ts";

type Moving = { id: HookId; type: string };

export type Mark =
  | {
      way: "in";
      token: string;
      /** With the type that each shall have in the end. `made`: added for this, and not there before. */
      hooks: (Moving & { made: boolean })[];
      /** Texts of the gates in Fossil's list, which leave it last. */
      gates: string[];
      /** Step 4 is done, with Fossil's position at that moment. */
      switched: { lastRcvid: number | null } | null;
    }
  | {
      way: "out";
      token: string;
      hooks: Moving[];
      entries: Entry[];
      /** Where Fossil shall go on; null: hooks of arrivals are not among them, or nothing is known. */
      after: number | null;
    };

const PREFIX = "fossil.handover.";
const settingOf = ({ id }: RepositoryRow): string => PREFIX + id;

export const begun = (token: string): string => `begun ${token}`;
const DONE = /^done (\S+) (\d+|-)$/;
export const done = (token: string, rcvid: number | null): string => `done ${token} ${rcvid ?? "-"}`;

/** The change of hands that is under way in a repository; null: none. */
export function markOf(home: OpenHome, row: RepositoryRow): Mark | null {
  const text = readSetting(home.db, settingOf(row));
  return text === null ? null : (JSON.parse(text) as Mark);
}

/** Stores it together with who is at it. */
export const putMark = (home: OpenHome, row: RepositoryRow, mark: Mark): void =>
  putSetting(home.db, settingOf(row), JSON.stringify({ ...mark, by: { ...self(), boot: bootId() } }));

const self = () => processIdentity(process.pid) ?? { pid: process.pid, startTime: "" };

/** The repositories in which a change of hands was left open by a process that is gone. */
export function abandonedHandovers(home: OpenHome): RepositoryRow[] {
  const names = new Map([...readSettings(home.db)].filter(([name]) => name.startsWith(PREFIX)));
  if (names.size === 0) return [];
  return listRepositories(home.db).filter((row) => {
    const mark = names.get(settingOf(row));
    return mark !== undefined && !isWorkedOn((JSON.parse(mark) as Partial<Worked>).by);
  });
}

type Worked = { by: ProcessIdentity & { boot: string } };
const isWorkedOn = (by: Worked["by"] | undefined): boolean => by !== undefined && by.boot === bootId() && isAlive(by);

/** What became of hooks: `way` they went; taken back: none went anywhere. */
export type Handover = {
  way: "in" | "out" | "taken back";
  hooks: Hook[];
  /** The receipt behind which the new owner goes on; null where hooks of arrivals were not among them, or there was none. */
  after: number | null;
  /** In: the last receipt that other hooks got while this was done, and these did not; null: none. */
  missedUpto: number | null;
};

/** Ends a change of hands that a death left open; null where none is. May be called at any time, by several at once.
 *  Afterwards our own entry stands in Fossil's list as it should, whoever was to see to that. */
export async function finishHandover(home: OpenHome, row: RepositoryRow): Promise<Handover | null> {
  requireListed(await bringFossilInLine(home));
  const mark = markOf(home, row);
  if (mark === null) return null;
  if (mark.way === "out") return giveOut(home, row, mark);
  if (mark.switched !== null) return takeIn(home, row, mark, mark.switched.lastRcvid);
  const token = randomUUID();
  const found = await claim(row.path, token, mark.token);
  const [, owner, rcvid] = DONE.exec(found.note ?? "") ?? [];
  if (owner === mark.token) return takeIn(home, row, mark, rcvid === "-" ? null : Number(rcvid));
  takeBack(home, row, mark);
  await dropNote(row.path, begun(token));
  return { way: "taken back", hooks: [], after: null, missedUpto: null };
}

/** Puts "begun TOKEN" as the note, so that nobody else's change counts any more, unless the note says that `owner` is
 *  done; returns what was there. */
export const claim = (file: string, token: string, owner: string | null): Promise<HookList> =>
  changeHookList(file, ({ text, note }) =>
    owner !== null && DONE.exec(note ?? "")?.[1] === owner ? null : { text, note: begun(token) },
  );

const dropNote = (file: string, mine: string): Promise<HookList> =>
  changeHookList(file, ({ text, note }) => (note === mine ? { text, note: null } : null));

/** Takes away the note "done" of a death between the last two steps; for when there is no mark. */
export const dropLeftNote = (file: string): Promise<HookList> =>
  changeHookList(file, ({ text, note }) => (DONE.test(note ?? "") ? { text, note: null } : null));

/** Takes the hooks of step 2 out of the database, and the mark; for when Fossil's list was not changed. */
export function takeBack(home: OpenHome, row: RepositoryRow, mark: Mark & { way: "in" }): void {
  const made = existing(
    home,
    mark.hooks.filter((one) => one.made),
  );
  deleteHooks(home, made, () => {
    requireMark(home, row, mark);
    dropSetting(home.db, settingOf(row));
  });
}

/** Steps 4 to 6. */
export async function takeIn(
  home: OpenHome,
  row: RepositoryRow,
  mark: Mark & { way: "in" },
  lastRcvid: number | null,
): Promise<Handover> {
  const hears = mark.hooks.some(({ type }) => type === "after-receive");
  let missedUpto: number | null = null;
  if (mark.switched === null) {
    if (hears) {
      const from = await takeOverAt(home, row, lastRcvid);
      if (from > (lastRcvid ?? 0)) missedUpto = from;
    }
    const types = new Map(mark.hooks.map(({ id, type }) => [id, type]));
    const off = existing(home, mark.hooks).filter(
      (hook) => hook.type === "disabled" && types.get(hook.id) !== "disabled",
    );
    const typed = (hook: Hook) => ({ type: types.get(hook.id) ?? hook.type });
    editHooks(home, off, typed, () => {
      requireMark(home, row, mark);
      putMark(home, row, { ...mark, switched: { lastRcvid } });
    });
  }
  if (mark.gates.length > 0) requireListed(await bringFossilInLine(home)); // ours is asked before theirs is not
  await changeHookList(row.path, ({ text, note }) => ({
    text: withoutTexts(text, mark.gates),
    ...(note === done(mark.token, lastRcvid) ? { note: null } : {}),
  }));
  dropMark(home, row, mark);
  return { way: "in", hooks: existing(home, mark.hooks), after: hears ? lastRcvid : null, missedUpto };
}

/** Steps 2 to 4 of the way out. */
export async function giveOut(home: OpenHome, row: RepositoryRow, mark: Mark & { way: "out" }): Promise<Handover> {
  const token = randomUUID();
  const isDone = ({ note }: HookList): boolean => DONE.exec(note ?? "")?.[1] === mark.token;
  if (!isDone(await claim(row.path, token, mark.token)))
    await changeHookList(row.path, (now) => {
      if (isDone(now)) return null;
      if (now.note !== begun(token)) throw overtaken(row);
      const texts = requireList(now.text).map((element) => element.text);
      const text = writeList([...texts, ...mark.entries.map(entryText)]);
      const change = { text, note: done(mark.token, mark.after) };
      if (mark.after === null) return change;
      const others = hearing(now) ? [now.lastRcvid ?? 0] : []; // added this moment: rather twice than never
      return { ...change, lastRcvid: Math.min(mark.after, ...others) };
    });
  const gates = existing(home, mark.hooks).filter(({ type }) => type === "before-commit");
  editHooks(home, gates, { type: "disabled" }, () => {
    requireMark(home, row, mark);
    dropSetting(home.db, settingOf(row));
  });
  await dropNote(row.path, done(mark.token, mark.after));
  return { way: "out", hooks: existing(home, mark.hooks), after: mark.after, missedUpto: null };
}

/** Whether Fossil has hooks of arrivals. */
export const hearing = ({ entries }: HookList): boolean =>
  entries?.some(({ type }) => type === "after-receive") === true;

const existing = (home: OpenHome, hooks: readonly { id: HookId }[]): Hook[] =>
  hooks.flatMap(({ id }) => hookById(home.db, id) ?? []);

function dropMark(home: OpenHome, row: RepositoryRow, mark: Mark): void {
  if (markOf(home, row)?.token === mark.token) dropSetting(home.db, settingOf(row));
}

function requireMark(home: OpenHome, row: RepositoryRow, mark: Mark): void {
  const there = markOf(home, row);
  if (there?.token !== mark.token) throw overtaken(row);
}

/** Another call finished, or took back, what this one had begun. */
export const overtaken = ({ path }: RepositoryRow): GatepostError =>
  new GatepostError("GP_BUSY", `Another call moves the hooks of ${path} at this moment; this one stops.`, {
    hint: "See what is there now: gatepost hook list; fossil hook list",
  });
