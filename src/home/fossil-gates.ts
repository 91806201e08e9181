/**
 * Keeps the hook lists of Fossil repositories as the hook database says: our entry stands in a list while before-commit
 * hooks cover the repository, and not otherwise.
 *
 * The fossil program makes the change, which takes longer than the write lock of a home may be held. So the edit of a
 * hook compiles at once (gates.ts) and leaves a note, gates/lists; whoever called goes on to `bringFossilInLine` when the
 * lock is free. A death in between leaves the note, by which the next call of the owner or the backoffice does it. Until
 * then an entry that is spare asks a gate without hooks, since the gates of Fossil repositories are always compiled. Where
 * an entry stands is kept in the home, so that an edit looks at none of the lists that stay as they are; `doctor --fix`
 * and each full look of the backoffice look at all.
 *
 * The scripts in the home stay while a Fossil repository is registered, hooks or not: one of them may be somebody's editor.
 *
 * Proven by test/e2e/fossil-gates.test.ts.
 */

import { existsSync, rmSync } from "node:fs";
import { GatepostError } from "../core/errors.ts";
import { covers, DEFAULT_SEQUENCE, type Hook } from "../core/hook.ts";
import { homePlace } from "../core/layout.ts";
import { quoted } from "../core/shell-word.ts";
import type { RepositoryId } from "../core/units.ts";
import { pathFunction } from "../gate/path-case.ts";
import { replaceFile } from "../process/replace-file.ts";
import {
  editorScript,
  FOSSIL_ENTRY_START,
  fossilEntry,
  fossilShimsAreWhole,
  isFossilEntry,
  putFossilShims,
  removeFossilShims,
} from "../shim/fossil-entry.ts";
import { changeHookList, type HookList, withEntry, withoutEntry } from "../shim/fossil-hooks.ts";
import { listHooks } from "../store/hook.ts";
import { hooksFolders, listRepositories, putHooksFolders, type RepositoryRow } from "../store/repository.ts";
import { readFossil } from "../vcs/fossil/open.ts";
import { noteOfLists, placeOfNote } from "./lists-note.ts";
import { homeServing } from "./locate.ts";
import { isOwner, type OpenHome } from "./open.ts";

/** The types that a Fossil repository has gates of. */
export const FOSSIL_GATES: readonly string[] = ["before-commit", "commit-msg"];

/** Whether a repository was taken out of its home, which keeps what it knows of it. */
export const isLeft = (row: RepositoryRow): boolean => hooksFolders(row).some(({ use }) => use === "left");

/** Whether our entry stands in the list, as far as is known. */
const stands = (row: RepositoryRow): boolean => hooksFolders(row).length > 0;

type Row = { row: RepositoryRow; isAsked: boolean };

function fossilRows(home: OpenHome): Row[] {
  const rows = listRepositories(home.db).filter((row) => row.kind === "fossil" && !isLeft(row));
  if (rows.length === 0) return [];
  const hooks = listHooks(home.db).filter(({ type, command }) => type === "before-commit" && command !== null);
  return rows.map((row) => ({ row, isAsked: hooks.some(({ scope }) => covers(scope, row)) }));
}

/** Puts the scripts into the home, or takes them away, and notes that there are lists to be changed. */
export function noteLists(home: OpenHome): void {
  const rows = fossilRows(home);
  const script = existsSync(editorScript(home.dir));
  if (rows.length === 0) {
    if (script) removeFossilShims(home.dir);
    return;
  }
  const messages = listHooks(home.db).filter(({ type }) => type === "commit-msg");
  if (script || rows.some(({ row, isAsked }) => isAsked || messages.some(({ scope }) => covers(scope, row))))
    putFossilShims(home.dir);
  if (rows.some(({ row, isAsked }) => isAsked !== stands(row)))
    replaceFile(placeOfNote(home.layout), `${process.pid} ${process.hrtime.bigint()}\n`, { mode: 0o644 });
}

type InLine = {
  /** Looks at all lists, since others may have changed them, and not only at those that are to be changed. */
  all?: boolean;
  /** Looks at this one's list in any case. */
  also?: RepositoryId;
  /** For how many milliseconds to wait where a list is locked. */
  patience?: number;
};

/** Brings the lists in line with the hook database. Idempotent; only the home's owner can. Returns what went wrong; one
 *  list that cannot be changed does not keep the others from it, and the note stays. */
export async function bringFossilInLine(home: OpenHome, { all = false, also, patience = 30_000 }: InLine = {}) {
  const failures: GatepostError[] = [];
  const note = noteOfLists(home);
  if ((note === null && !all && also === undefined) || !isOwner(home.dir)) return failures;
  for (const one of fossilRows(home)) {
    const { row, isAsked } = one;
    if (!existsSync(row.path) || homeServing(row) !== home.dir) continue; // gone, or served by another home now
    if (!all && row.id !== also && isAsked === stands(row)) continue;
    try {
      await bringInLine(home, one, patience);
      putHooksFolders(home.db, row.id, isAsked ? [{ path: row.path, use: "own" }] : []);
    } catch (error) {
      if (!(error instanceof GatepostError)) throw error;
      failures.push(error);
    }
  }
  // An edit meanwhile has made another note.
  if (failures.length === 0 && noteOfLists(home) === note) rmSync(placeOfNote(home.layout), { force: true });
  return failures;
}

/** Throws where a list could not be changed: nobody may believe that a gate is there when it is not. */
export function requireListed([first]: readonly GatepostError[]): void {
  if (first === undefined) return;
  const why = first.message.replace(/ Nothing was changed\.$/, "");
  throw new GatepostError(first.code, `${why} What was asked for is stored; fossil does not know of it.`, {
    hint: `${first.hint ?? "Mend that."} Then: gatepost doctor --fix`,
    cause: first,
  });
}

async function bringInLine(home: OpenHome, { row, isAsked }: Row, patience: number): Promise<void> {
  const wanted = listWith(isAsked ? entryOf(home, row) : null);
  const text = await readList(row.path);
  if (wanted({ text }) !== text) await changeHookList(row.path, (now) => changeTo(wanted, now), { patience });
}

/** The list, read without the fossil program. */
const readList = (file: string): Promise<string | null> =>
  readFossil(file, (db) => {
    const value = db.prepare("SELECT value FROM config WHERE name = 'hooks'").pluck().get();
    return value === undefined || value === null ? null : String(value);
  });

const listWith =
  (command: string | null) =>
  ({ text }: Pick<HookList, "text">): string | null =>
    command === null
      ? withoutEntry(text, isOurs)
      : withEntry(text, { cmd: command, type: "before-commit", seq: DEFAULT_SEQUENCE }, isOurs);

const isOurs = ({ cmd }: { cmd: string }): boolean => isFossilEntry(cmd);

const changeTo = (wanted: (now: HookList) => string | null, now: HookList) => {
  const text = wanted(now);
  return text === now.text ? null : { text };
};

const entryOf = (home: OpenHome, row: RepositoryRow): string =>
  fossilEntry({ home: home.dir, repository: row.path, id: home.dir === homePlace(row) ? null : row.id });

/** Takes our entry out of the list of a repository. Returns whether there was one. */
export async function takeOutEntry(file: string): Promise<boolean> {
  const wanted = listWith(null);
  if (!(await readList(file))?.includes(FOSSIL_ENTRY_START)) return false;
  const was = await changeHookList(file, (now) => (now.elements === null ? null : changeTo(wanted, now)));
  return was.elements?.some(({ entry }) => entry !== null && isOurs(entry)) === true;
}

/** Whether the repository's setting `editor` names the script of a home. */
export async function namesOurEditor(file: string): Promise<boolean> {
  const value = await readFossil(file, (db) =>
    db.prepare("SELECT value FROM config WHERE name = 'editor'").pluck().get(),
  );
  return typeof value === "string" && value.includes("/shim/fossil-editor");
}

/** Whether our entry should stand in the list of a repository and does not. False where the list cannot be read now. */
export async function isEntryGone(home: OpenHome, row: RepositoryRow): Promise<boolean> {
  const one = fossilRows(home).find((other) => other.row.id === row.id);
  if (one === undefined || !one.isAsked || !stands(row) || !existsSync(row.path) || homeServing(row) !== home.dir)
    return false;
  try {
    return (await readList(row.path))?.includes(FOSSIL_ENTRY_START) !== true;
  } catch (error) {
    if (error instanceof GatepostError) return false; // whoever looks at its receipts says why
    throw error;
  }
}

/** What keeps fossil from asking the gates of a repository, or has it ask spare ones, in a sentence each. */
export async function fossilTrouble(home: OpenHome, row: RepositoryRow): Promise<string[]> {
  const one = fossilRows(home).find((other) => other.row.id === row.id);
  if (one === undefined || homeServing(row) !== home.dir) return [];
  const text = await readList(row.path);
  if (!one.isAsked)
    return text?.includes(FOSSIL_ENTRY_START) === true ? [`Fossil asks a gate of ${row.path} that has no hooks.`] : [];
  const trouble: string[] = [];
  if (listWith(entryOf(home, row))({ text }) !== text)
    trouble.push(`Fossil asks no gate of ${row.path}, or another home's: the entry in its hook list is not as it was.`);
  if (!fossilShimsAreWhole(home.dir)) trouble.push(`What fossil's gates run is missing or old: ${home.dir}/shim.`);
  return trouble;
}

/** What whoever adds a gate hook must know of a Fossil repository that it covers, in a sentence each. */
export function fossilWarnings(
  home: OpenHome,
  row: RepositoryRow,
  hook: Pick<Hook, "type" | "paths" | "stdin">,
): string[] {
  if (!FOSSIL_GATES.includes(hook.type)) return [];
  const warnings: string[] = [];
  if (isLeft(row))
    return [`${row.name} was taken out of its home, so fossil asks no gate in it: gatepost init ${row.path}`];
  if (hook.type === "commit-msg") {
    const script = quoted(editorScript(home.dir));
    warnings.push(
      `Fossil itself has no commit-msg. In check-outs of ${row.name}, commit by: gatepost commit`,
      `To have it asked behind the editor of a plain fossil commit: fossil settings editor "${script} YOUR-EDITOR"`,
    );
  }
  if (hook.paths !== null && pathFunction("check", hook.paths) === null) {
    const then = hook.stdin === "paths" ? "its gate refuses each commit" : "the hook runs at each commit";
    warnings.push(`In ${row.name}, which is not of Git, sh cannot match this --path: ${then}.`);
  }
  return warnings;
}
