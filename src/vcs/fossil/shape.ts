/** Whether a database is a Fossil repository with all that Gatepost reads of it. */
import type BetterSqlite3 from "better-sqlite3";
import { refuse } from "./refusal.ts";

/** Tables and columns that are read, and that no supported Fossil lacks. Others (forumpost, ticket) come when needed. */
const SHAPE = [
  "rid, rcvid, size, uuid, content FROM blob",
  "rid, srcid FROM delta",
  "rcvid, uid, mtime, ipaddr FROM rcvfrom",
  "uid, login FROM user",
  "name, value FROM config",
  "uuid FROM shun",
  "rid FROM private",
  "fnid, name FROM filename",
  "mid, fid, pmid, pid, fnid, pfnid, mperm, isaux FROM mlink",
  "pid, cid, isprim, mtime FROM plink",
  "type, mtime, objid, uid, euser, user, ecomment, comment FROM event",
  "rid FROM phantom",
  "tagid, tagname FROM tag",
  "tagid, tagtype, srcid, origid, value, mtime, rid FROM tagxref",
  "src, target, filename FROM attachment",
].map((part) => `SELECT ${part}`);

const NAMES = [...SHAPE.map((sql) => sql.split(" ").at(-1) ?? ""), "forumpost", "orphan"];

/** A view or a computed column in the place of a table would run whatever its maker likes, without end. */
const DISGUISED = `SELECT s.name FROM sqlite_schema AS s
  WHERE lower(s.name) IN (${NAMES.map((name) => `'${name}'`).join(", ")})
    AND (s.type <> 'table' OR s.sql LIKE 'CREATE VIRTUAL%'
      OR EXISTS (SELECT 1 FROM pragma_table_xinfo(s.name) WHERE hidden IN (2, 3))) LIMIT 1`;

/** Schemas that were looked at: the file's inode and the counter that each change of its schema raises. */
const looked = new Map<string, string>();
const MOST = 20_000;

/** Throws unless `db` is a repository of today's schema; says what else it is. Reads the schema alone. */
export function requireRepository(db: BetterSqlite3.Database, file: string, inode: number): void {
  const state = `${inode} ${String(db.pragma("schema_version", { simple: true }))}`;
  if (looked.get(file) === state) return;
  const disguised = db.prepare(DISGUISED).pluck().get();
  if (disguised !== undefined) throw refuse.disguised(file, String(disguised));
  requireShape(db, file);
  if (looked.size >= MOST) looked.clear();
  looked.set(file, state);
}

function requireShape(db: BetterSqlite3.Database, file: string): void {
  for (const sql of SHAPE)
    try {
      db.prepare(sql);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "SQLITE_ERROR") throw error;
      throw whatElse(db, file, (error as Error).message);
    }
}

function whatElse(db: BetterSqlite3.Database, file: string, lacks: string): unknown {
  const names = db.prepare("SELECT lower(name) FROM sqlite_schema WHERE type = 'table'").pluck().all();
  const has = (...wanted: string[]): boolean => wanted.every((name) => names.includes(name));
  if (has("blob", "rcvfrom", "config")) return refuse.old(file, lacks);
  if (has("vvar", "vfile")) return refuse.checkout(file, namedRepository(db) ?? "not named in it");
  if (has("global_config")) return refuse.configuration(file);
  return refuse.otherDatabase(file);
}

/** The repository that a check-out's database names, as it stands there; null where none is. */
export function namedRepository(db: BetterSqlite3.Database): string | null {
  const name = db.prepare("SELECT value FROM vvar WHERE name = 'repository'").pluck().get();
  return typeof name === "string" && name !== "" ? name : null;
}
