/**
 * The use cases of the hook database: add, edit, delete, enable, disable, import.
 *
 * Each is one transaction: every wrong id, type or command is found before anything changes, and either all of the call
 * is done, with an audit row for each hook, or nothing. Afterwards hooks.json is written anew.
 */
import { GatepostError } from "../core/errors.ts";
import { covers, type Hook, type HookSpec, requireName, requireType, type Scope } from "../core/hook.ts";
import { type Kind, nearest } from "../core/hook-type.ts";
import { substitute } from "../core/substitute.ts";
import type { HookId, Instant, ReceiptId } from "../core/units.ts";
import { shellComplaint } from "../process/shell.ts";
import { write } from "../store/database.ts";
import { addAudit, hookById, hookByName, insertHook, listHooks, removeHook, updateHook } from "../store/hook.ts";
import { newestReceipt } from "../store/receipt.ts";
import { listRepositories, moveCursor, type RepositoryRow, repositoryById } from "../store/repository.ts";
import { hookToJson, writeHooksFile } from "./exchange.ts";
import { marked, refreshGates, requireReached } from "./gates.ts";
import { requireOptions } from "./hook-options.ts";
import { type OpenHome, requireOwner, whoami } from "./open.ts";

/** The hooks that cover a repository, or all of the home when null; by id. */
export function hooksFor(home: OpenHome, repository: RepositoryRow | null): Hook[] {
  const hooks = listHooks(home.db);
  return repository === null ? hooks : hooks.filter((hook) => covers(hook.scope, repository));
}

/** The hook with that id or name. Nothing but a whole number is an id, and nothing out of range is a hook. */
export function findHook(home: OpenHome, word: string): Hook {
  const hook = /^\d{1,15}$/.test(word) ? hookById(home.db, Number(word) as HookId) : hookByName(home.db, word);
  if (hook !== null) return hook;
  const names = listHooks(home.db).flatMap(({ name }) => (name === null ? [] : [name]));
  const near = /^\d+$/.test(word) ? null : nearest(word, names);
  throw new GatepostError(
    "GP_NO_HOOK",
    `There is no hook ${JSON.stringify(word)}.${near === null ? "" : ` Did you mean ${near}?`}`,
    { hint: "The hooks there are: gatepost hook list" },
  );
}

/** The hooks that words name, each once, in the order given. `all` stands for every hook of exactly that scope. */
export function findHooks(home: OpenHome, words: readonly string[], repository: RepositoryRow | null): Hook[] {
  if (words.includes("all")) {
    if (words.length > 1)
      throw new GatepostError("GP_USAGE", '"all" stands for every hook; nothing can stand beside it.', {
        hint: "Name single hooks, or all, not both.",
      });
    return listHooks(home.db).filter(
      ({ scope }) => repository === null || (scope.scope === "repository" && scope.repository === repository.id),
    );
  }
  const found = new Map(words.map((word) => findHook(home, word)).map((hook) => [hook.id, hook]));
  return [...found.values()];
}

/** The hook as it would be stored, its type by its own name; an error where it cannot be. Changes nothing. */
export function checkHook(home: OpenHome, hook: HookSpec): HookSpec {
  const kind = hook.scope.scope === "repository" ? repositoryById(home.db, hook.scope.repository)?.kind : null;
  return checkSpec(hook, kind ?? null);
}

/** The same for repositories of a kind, or of any. */
export function checkSpec(hook: HookSpec, kind: Kind | null): HookSpec {
  const type = requireType(hook.type, kind).name;
  if (hook.wasType !== null) requireType(hook.wasType, kind);
  if (hook.name !== null) requireName(hook.name);
  if (hook.command === null) {
    if (hook.name === null)
      throw new GatepostError("GP_NAME", "A function hook needs a name by which its program finds it.", {
        hint: 'Give it one, or a "command".',
      });
  } else checkCommand(hook.command);
  requireOptions(type === "disabled" ? (hook.wasType ?? type) : type, hook, kind);
  return { ...hook, type, wasType: type === "disabled" ? hook.wasType : null };
}

function checkCommand(command: string): void {
  if (command.trim() === "")
    throw new GatepostError("GP_COMMAND", "The command is empty.", {
      hint: "Give a shell line: --command 'make test'",
    });
  if (command.includes("\0"))
    throw new GatepostError("GP_COMMAND", "The command holds a NUL byte.", { hint: "No shell can be given one." });
  const substituted = substitute(command);
  if (!substituted.ok) {
    const [where = "", ...instead] = substituted.reason.split(": "); // the sentence, and what to write instead
    const hint = instead.join(": ");
    throw new GatepostError("GP_SUBSTITUTE", `${where}.`, { hint: hint.charAt(0).toUpperCase() + hint.slice(1) });
  }
  const complaint = shellComplaint(substituted.command);
  if (complaint !== null)
    throw new GatepostError("GP_COMMAND", `sh cannot read this command: ${complaint}.`, {
      hint: "Try it first: sh -n -c '…'",
    });
}

/** Makes a change of hooks in one transaction; gates, shims and hooks.json follow it. */
export function changeHooks<T>(home: OpenHome, work: () => T): T {
  requireOwner(home.dir);
  const result = write(home.db, () => marked(home, work));
  writeHooksFile(home);
  requireReached(refreshGates(home));
  return result;
}

function requireFree(home: OpenHome, name: string | null, self: HookId | null): void {
  const holder = name === null ? null : hookByName(home.db, name);
  if (holder !== null && holder.id !== self)
    throw new GatepostError("GP_NAME", `Hook ${holder.id} is already named ${name}. Nothing was changed.`, {
      hint: `Change that one (gatepost hook edit ${name} …), or choose another name.`,
    });
}

const isAfterReceive = (hook: Hook): boolean =>
  hook.type === "after-receive" || (hook.type === "disabled" && hook.wasType === "after-receive");

/** A repository's first after-receive hook starts with what arrives from now on: its cursor moves to the newest receipt.
 *  To be called with the scopes of such hooks before they are stored. */
export function startAtNow(home: OpenHome, scopes: readonly Scope[]): void {
  const others = listHooks(home.db).filter(isAfterReceive);
  for (const repository of listRepositories(home.db)) {
    if (!scopes.some((scope) => covers(scope, repository))) continue;
    if (others.some((hook) => covers(hook.scope, repository))) continue;
    const newest: ReceiptId | undefined = newestReceipt(home.db, repository.id)?.id;
    if (newest !== undefined) moveCursor(home.db, { id: repository.id, cursor: newest });
  }
}

function insertChecked(home: OpenHome, spec: HookSpec, action: "add" | "import"): Hook {
  const checked = checkHook(home, spec);
  requireFree(home, checked.name, null);
  if (checked.type === "after-receive") startAtNow(home, [checked.scope]);
  return putHook(home, checked, action);
}

/** Stores a hook that was checked, with its audit row. Part of the caller's `changeHooks`. */
export function putHook(home: OpenHome, checked: HookSpec, action: "add" | "import"): Hook {
  const hook = { ...checked, id: insertHook(home.db, checked) };
  addAudit(home.db, {
    ...audited(),
    action,
    hook: hook.id,
    old: null,
    new: JSON.stringify(hookToJson(home, hook)),
  });
  return hook;
}

const audited = () => ({ at: Date.now() as Instant, ...whoami() });

/** Adds a hook and returns it with its id. */
export const addHook = (home: OpenHome, spec: HookSpec): Hook =>
  changeHooks(home, () => insertChecked(home, spec, "add"));

/** Adds all of these hooks, or none; `along` is part of the same transaction. */
export const importHooks = (
  home: OpenHome,
  specs: readonly HookSpec[],
  along: (hooks: readonly Hook[]) => void = () => {},
): Hook[] =>
  changeHooks(home, () => {
    const hooks = specs.map((spec, index) => {
      try {
        return insertChecked(home, spec, "import");
      } catch (error) {
        if (!(error instanceof GatepostError)) throw error;
        const { code, hint, message } = error;
        throw new GatepostError(code, `hooks[${index}]: ${message}`, hint === null ? {} : { hint });
      }
    });
    along(hooks);
    return hooks;
  });

type Edit = Partial<HookSpec>;

/** Changes hooks: what `edit` holds (or returns for a hook) replaces what they had. All of them, or none; `along` is part
 *  of the same transaction. */
export function editHooks(
  home: OpenHome,
  hooks: readonly Hook[],
  edit: Edit | ((hook: Hook) => Edit),
  along: () => void = () => {},
): Hook[] {
  if (typeof edit !== "function" && typeof edit.name === "string" && hooks.length > 1)
    throw new GatepostError("GP_NAME", "A name belongs to one hook.", { hint: "Edit one hook at a time to name it." });
  return changeHooks(home, () => {
    const edited = hooks.map((hook) => {
      const old = hookById(home.db, hook.id) ?? hook; // as it is now, not as it was when the call began
      return editOne(home, old, typeof edit === "function" ? edit(old) : edit);
    });
    along();
    return edited;
  });
}

function editOne(home: OpenHome, old: Hook, edit: Edit): Hook {
  const type = edit.type === undefined ? old.type : requireType(edit.type, null).name;
  const wasType = type === "disabled" ? (old.type === "disabled" ? old.wasType : old.type) : null;
  const checked: Hook = { ...checkHook(home, { ...old, ...edit, type, wasType }), id: old.id };
  requireFree(home, checked.name, old.id);
  if (checked.type === "after-receive" && (!isAfterReceive(old) || edit.scope !== undefined))
    startAtNow(home, [checked.scope]); // also repositories that it was not for until now
  return replaceHook(home, old, checked);
}

/** Stores a hook that was checked in the place of what it was, with its audit row. Part of the caller's `changeHooks`. */
export function replaceHook(home: OpenHome, old: Hook, checked: Hook): Hook {
  updateHook(home.db, checked);
  addAudit(home.db, {
    ...audited(),
    action: "edit",
    hook: old.id,
    old: JSON.stringify(hookToJson(home, old)),
    new: JSON.stringify(hookToJson(home, checked)),
  });
  return checked;
}

/** Deletes hooks. Their runs and the audit stay. `along` is part of the same transaction. */
export const deleteHooks = (home: OpenHome, hooks: readonly Hook[], along: () => void = () => {}): void =>
  changeHooks(home, () => {
    along();
    for (const hook of hooks) dropHook(home, hook);
  });

/** Deletes a hook, with its audit row. Part of the caller's `changeHooks`. */
export function dropHook(home: OpenHome, hook: Hook): void {
  removeHook(home.db, { id: hook.id });
  addAudit(home.db, {
    ...audited(),
    action: "delete",
    hook: hook.id,
    old: JSON.stringify(hookToJson(home, hook)),
    new: null,
  });
}

/** Switches hooks off, remembering their type. Those that are off already stay as they are. */
export const disableHooks = (home: OpenHome, hooks: readonly Hook[]): Hook[] =>
  editHooks(
    home,
    hooks.filter((hook) => hook.type !== "disabled"),
    { type: "disabled" },
  );

/** Switches hooks on again, as the type they had. */
export function enableHooks(home: OpenHome, hooks: readonly Hook[]): Hook[] {
  const off = hooks.filter((hook) => hook.type === "disabled");
  const typeless = off.find((hook) => hook.wasType === null);
  if (typeless !== undefined)
    throw new GatepostError("GP_TYPE", `Hook ${typeless.id} was added as disabled and never had another type.`, {
      hint: `Give it one: gatepost hook edit ${typeless.id} --type after-receive`,
    });
  return editHooks(home, off, (hook) => ({ type: hook.wasType ?? hook.type }));
}
