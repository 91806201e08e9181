/** Whether a database is whole and of our shape, and its log as small as it should be. */
import { statSync } from "node:fs";
import { all, type Database, madeIn, withFreshDatabase } from "./database.ts";

const quickCheck = all<{ quick_check: string }>("PRAGMA quick_check(3)");

/** What SQLite finds wrong in the file, three findings at most; none when it is whole. Reads all of it. */
export const damages = (db: Database): string[] =>
  quickCheck(db, {}).flatMap(({ quick_check: found }) => (found === "ok" ? [] : [found]));

/** The text of each table, index and trigger, without comments, blanks and quotes: what a step of an upgrade and
 *  schema.sql write differently. */
const shapeOf = (db: Database): Map<string, string> =>
  new Map(
    madeIn(db).map(({ type, name, sql }) => [`${type} ${name}`, sql.replace(/--.*/g, "").replace(/[\s"]+/g, "")]),
  );

/** What a database of the newest version lacks of ours, or has otherwise; what somebody added is theirs. */
export function strangeShapes(db: Database): string[] {
  const real = shapeOf(db);
  return [...withFreshDatabase(shapeOf)].flatMap(([name, sql]) => {
    if (!real.has(name)) return [`no ${name}`];
    return real.get(name) === sql ? [] : [`another ${name}`];
  });
}

/** SQLite begins the log anew when it has about 4 MB and nobody reads what stands in it; so this much has a reason. */
const LONG_LOG = 64 * 1024 * 1024;

/** What to say of a log that has grown because somebody has been reading for long; null while it is short. */
export function longLog({ path }: Database): string | null {
  const size = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= LONG_LOG) return null;
  const grown = `${path}-wal has grown to ${Math.round(size / 1024 / 1024)} MiB`;
  return `${grown}, since a program has been reading the database for long: it shrinks when that ends.`;
}
