/** Table setting: facts about the home and its settings, as texts by name. */
import { all, change, type Database, one } from "./database.ts";

const select = all<{ name: string; value: string }>("SELECT name, value FROM setting");
const selectOne = one<{ value: string }, { name: string }>("SELECT value FROM setting WHERE name = :name");
const upsert = change<{ name: string; value: string }>(
  "INSERT INTO setting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
);
const remove = change<{ name: string }>("DELETE FROM setting WHERE name = :name");

export const readSettings = (db: Database): Map<string, string> =>
  new Map(select(db, {}).map(({ name, value }) => [name, value]));
export const readSetting = (db: Database, name: string): string | null => selectOne(db, { name })?.value ?? null;
export const putSetting = (db: Database, name: string, value: string): void => void upsert(db, { name, value });
/** Notes when every repository of the home was last looked at, whatever its fingerprint said. */
export const noteFullLook = (db: Database, now: number): void => putSetting(db, "looked.at", String(now));
export const lastFullLook = (db: Database): number => Number(readSetting(db, "looked.at") ?? 0);
export const dropSetting = (db: Database, name: string): void => void remove(db, { name });
