/** Pauses: the columns `paused` of repository and hook, and `held_from`. */
import type { HookId, Instant, RepositoryId } from "../core/units.ts";
import { all, change, type Database, one } from "./database.ts";

const repository = one<{ paused: string | null }, { id: number }>("SELECT paused FROM repository WHERE id = :id");
/** Whether nothing of the repository is to be cut or run. */
export const isRepositoryPaused = (db: Database, id: RepositoryId): boolean =>
  (repository(db, { id })?.paused ?? null) !== null;

const hook = one<{ paused: string | null }, { id: number }>("SELECT paused FROM hook WHERE id = :id");
/** The pause of a hook as it is kept, JSON; null while it is not paused. */
export const pausedHook = (db: Database, id: HookId): string | null => hook(db, { id })?.paused ?? null;
/** Whether the runs of the hook are to wait. */
export const isHookPaused = (db: Database, id: HookId): boolean => pausedHook(db, id) !== null;

const hooks = all<{ id: HookId; paused: string }>("SELECT id, paused FROM hook WHERE paused IS NOT NULL ORDER BY id");
/** The hooks that are paused. */
export const pausedHooks = (db: Database): { id: HookId; paused: string }[] => hooks(db, {});

const pauseOne = change<{ id: RepositoryId; paused: string; now: Instant }>(
  "UPDATE repository SET paused = :paused, held_from = ifnull(held_from, :now) WHERE id = :id AND paused IS NULL",
);
/** Pauses a repository; false, and nothing is changed, where it is paused already. */
export const pauseRepository = (db: Database, id: RepositoryId, paused: string, now: Instant): boolean =>
  pauseOne(db, { id, paused, now }).changes === 1;

const resumeOne = change<{ id: RepositoryId }>(
  "UPDATE repository SET paused = NULL WHERE id = :id AND paused IS NOT NULL",
);
/** Ends the pause of a repository, and keeps since when it held back what waits; false where it was not paused. */
export const resumeRepository = (db: Database, id: RepositoryId): boolean => resumeOne(db, { id }).changes === 1;

/** What a pause held back was cut. */
export const forgetHeld = change<{ id: RepositoryId }>("UPDATE repository SET held_from = NULL WHERE id = :id");

const pauseHookOne = change<{ id: HookId; paused: string }>(
  "UPDATE hook SET paused = :paused WHERE id = :id AND paused IS NULL",
);
/** Pauses a hook; false, and nothing is changed, where it is paused already. */
export const pauseHook = (db: Database, id: HookId, paused: string): boolean =>
  pauseHookOne(db, { id, paused }).changes === 1;

const resumeHookOne = change<{ id: HookId }>("UPDATE hook SET paused = NULL WHERE id = :id AND paused IS NOT NULL");
/** Ends the pause of a hook; false where it was not paused. */
export const resumeHook = (db: Database, id: HookId): boolean => resumeHookOne(db, { id }).changes === 1;
