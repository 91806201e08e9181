/** Whether a database is whole. */
import { all, type Database } from "./database.ts";

const quickCheck = all<{ quick_check: string }>("PRAGMA quick_check(3)");

/** What SQLite finds wrong in the file, three findings at most; none when it is whole. Reads all of it. */
export const damages = (db: Database): string[] =>
  quickCheck(db, {}).flatMap(({ quick_check: found }) => (found === "ok" ? [] : [found]));
