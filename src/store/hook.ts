/** Tables hook and hook_audit. */
import type { ArtifactKind, Hook, HookSpec, HookStdin, Scope } from "../core/hook.ts";
import type { HookId, Instant, Millis, RepositoryId } from "../core/units.ts";
import { all, change, type Database, one } from "./database.ts";

type HookRow = {
  id: number;
  name: string | null;
  scope: Scope["scope"];
  repository: number | null;
  pattern: string | null;
  type: string;
  wasType: string | null;
  sequence: number;
  command: string | null;
  timeout: number | null;
  retries: number;
  inOrder: number;
  advisory: number;
  refs: string | null;
  paths: string | null;
  stdin: HookStdin | null;
  each: "receipt" | null;
  trees: number;
  dir: string | null;
  parallel: number;
  artifacts: string | null;
};

const columns = `id, name, scope, repository, pattern, type, was_type AS wasType, sequence, command, timeout, retries,
  in_order AS inOrder, advisory, refs, paths, stdin, each, trees, dir, parallel, artifacts`;

function toScope(row: HookRow): Scope {
  if (row.scope === "repository") return { scope: "repository", repository: row.repository as RepositoryId };
  if (row.scope === "pattern") return { scope: "pattern", pattern: row.pattern ?? "" };
  return { scope: "all" };
}

const toHook = (row: HookRow): Hook => ({
  id: row.id as HookId,
  name: row.name,
  scope: toScope(row),
  type: row.type,
  wasType: row.wasType,
  sequence: row.sequence,
  command: row.command,
  timeout: row.timeout as Millis | null,
  retries: row.retries,
  inOrder: row.inOrder === 1,
  advisory: row.advisory === 1,
  refs: row.refs === null ? null : (JSON.parse(row.refs) as string[]),
  paths: row.paths === null ? null : (JSON.parse(row.paths) as string[]),
  stdin: row.stdin,
  each: row.each,
  trees: row.trees === 1,
  dir: row.dir,
  parallel: row.parallel === 1,
  artifacts: row.artifacts === null ? null : (JSON.parse(row.artifacts) as ArtifactKind[]),
});

const toRow = (hook: HookSpec) => ({
  ...hook,
  scope: hook.scope.scope,
  repository: hook.scope.scope === "repository" ? hook.scope.repository : null,
  pattern: hook.scope.scope === "pattern" ? hook.scope.pattern : null,
  inOrder: Number(hook.inOrder),
  advisory: Number(hook.advisory),
  refs: hook.refs === null ? null : JSON.stringify(hook.refs),
  paths: hook.paths === null ? null : JSON.stringify(hook.paths),
  trees: Number(hook.trees),
  parallel: Number(hook.parallel),
  artifacts: hook.artifacts === null ? null : JSON.stringify(hook.artifacts),
});

const select = all<HookRow>(`SELECT ${columns} FROM hook ORDER BY id`);
const byId = one<HookRow, { id: number }>(`SELECT ${columns} FROM hook WHERE id = :id`);
const byName = one<HookRow, { name: string }>(`SELECT ${columns} FROM hook WHERE name = :name`);

/** All hooks of the home, by id. */
export const listHooks = (db: Database): Hook[] => select(db, {}).map(toHook);
export function hookById(db: Database, id: HookId): Hook | null {
  const row = byId(db, { id });
  return row === null ? null : toHook(row);
}
export function hookByName(db: Database, name: string): Hook | null {
  const row = byName(db, { name });
  return row === null ? null : toHook(row);
}

const insert = change(
  `INSERT INTO hook (name, scope, repository, pattern, type, was_type, sequence, command, timeout, retries, in_order,
     advisory, refs, paths, stdin, each, trees, dir, parallel, artifacts)
   VALUES (:name, :scope, :repository, :pattern, :type, :wasType, :sequence, :command, :timeout, :retries, :inOrder,
     :advisory, :refs, :paths, :stdin, :each, :trees, :dir, :parallel,
     :artifacts)`,
);
export const insertHook = (db: Database, hook: HookSpec): HookId => insert(db, toRow(hook)).id as HookId;

const update = change(
  `UPDATE hook SET name = :name, scope = :scope, repository = :repository, pattern = :pattern, type = :type,
     was_type = :wasType, sequence = :sequence, command = :command, timeout = :timeout, retries = :retries,
     in_order = :inOrder, advisory = :advisory, refs = :refs, paths = :paths, stdin = :stdin, each = :each,
     trees = :trees, dir = :dir, parallel = :parallel, artifacts = :artifacts WHERE id = :id`,
);
export const updateHook = (db: Database, hook: Hook): void => void update(db, { ...toRow(hook), id: hook.id });
export const removeHook = change<{ id: HookId }>("DELETE FROM hook WHERE id = :id");

const applied = all<{ id: HookId }>("SELECT id FROM hook WHERE applied = 1 ORDER BY id");
/** The hooks that the last file of `hook apply` made or took over. */
export const appliedHooks = (db: Database): Set<HookId> => new Set(applied(db, {}).map(({ id }) => id));
/** Notes that a hook is one of them. */
export const markApplied = change<{ id: HookId }>("UPDATE hook SET applied = 1 WHERE id = :id");

export type AuditRow = {
  at: Instant;
  uid: number;
  user: string;
  action: "add" | "edit" | "delete" | "import";
  hook: HookId;
  old: string | null;
  new: string | null;
};
/** Adds a line to the record of who changed which hook. */
export const addAudit = change<AuditRow>(
  `INSERT INTO hook_audit (at, uid, user, action, hook, old, new)
   VALUES (:at, :uid, :user, :action, :hook, :old, :new)`,
);

const audit = all<AuditRow, { after: number }>(
  "SELECT at, uid, user, action, hook, old, new FROM hook_audit WHERE id > :after ORDER BY id",
);
/** Every change of a hook there ever was, in the order in which they were made. */
export const readAudit = (db: Database): AuditRow[] => audit(db, { after: 0 });
