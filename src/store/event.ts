/** Table event: what on:NAME hooks are told of, once for each cause. */
import type { EventId, Instant, RepositoryId } from "../core/units.ts";
import { all, change, type Database, one } from "./database.ts";

/** Something that happened in a repository. `name` is the hook type without "on:"; `facts` is JSON. */
export type StoredEvent = {
  id: EventId;
  repository: RepositoryId;
  name: string;
  cause: string;
  at: Instant;
  facts: string;
  /** When the cause was seen to be gone; null while it lasts, and where it cannot end. */
  overAt: Instant | null;
};

const columns = "id, repository, name, cause, at, facts, over_at AS overAt";
const insert = change(
  `INSERT INTO event (repository, name, cause, at, facts) VALUES (:repository, :name, :cause, :at, :facts)
   ON CONFLICT (repository, name, cause) WHERE over_at IS NULL DO NOTHING`,
);
/** Adds an event; null, and nothing is changed, while one of the same cause lasts. */
export function addEvent(db: Database, event: Omit<StoredEvent, "id" | "overAt">): EventId | null {
  const { changes, id } = insert(db, event);
  return changes === 0 ? null : (id as EventId);
}

const byId = one<StoredEvent, { id: number }>(`SELECT ${columns} FROM event WHERE id = :id`);
export const eventById = (db: Database, id: EventId): StoredEvent | null => byId(db, { id });

/** Notes that the cause of an event is gone: the next of that cause is news. */
export const endEvent = change<{ id: EventId; now: Instant }>(
  "UPDATE event SET over_at = :now WHERE id = :id AND over_at IS NULL",
);

const lasting = all<StoredEvent, { repository: number; name: string }>(
  `SELECT ${columns} FROM event WHERE repository = :repository AND name = :name AND over_at IS NULL ORDER BY cause`,
);
/** The events of that name in a repository whose cause lasts. */
export const lastingEvents = (db: Database, repository: RepositoryId, name: string): StoredEvent[] =>
  lasting(db, { repository, name });

const since = all<StoredEvent, { repository: number; after: number; limit: number }>(
  `SELECT ${columns} FROM event WHERE repository = :repository AND id > :after ORDER BY id DESC LIMIT :limit`,
);
/** The newest events of a repository, newest first. */
export const latestEvents = (db: Database, repository: RepositoryId, limit: number): StoredEvent[] =>
  since(db, { repository, after: 0, limit });
