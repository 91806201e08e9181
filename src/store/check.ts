/** Whether a database is whole, and its log as small as it should be. */
import { statSync } from "node:fs";
import { all, type Database } from "./database.ts";

const quickCheck = all<{ quick_check: string }>("PRAGMA quick_check(3)");

/** What SQLite finds wrong in the file, three findings at most; none when it is whole. Reads all of it. */
export const damages = (db: Database): string[] =>
  quickCheck(db, {}).flatMap(({ quick_check: found }) => (found === "ok" ? [] : [found]));

/** SQLite begins the log anew when it has about 4 MB and nobody reads what stands in it; so this much has a reason. */
const LONG_LOG = 64 * 1024 * 1024;

/** What to say of a log that has grown because somebody has been reading for long; null while it is short. */
export function longLog({ path }: Database): string | null {
  const size = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= LONG_LOG) return null;
  const grown = `${path}-wal has grown to ${Math.round(size / 1024 / 1024)} MiB`;
  return `${grown}, since a program has been reading the database for long: it shrinks when that ends.`;
}
