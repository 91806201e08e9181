/** A copy of the database as of one moment, and what must be changed in one before it takes the place of another. */
import { existsSync, rmSync } from "node:fs";
import SQLite from "better-sqlite3";
import { GatepostError } from "../core/errors.ts";
import type { Instant } from "../core/units.ts";
import { about, all, change, type Database, one, write } from "./database.ts";
import { type LeaseRow, readLease } from "./lease.ts";
import { putSetting, readSettings } from "./setting.ts";

/** Writes the database as of now, all that is in its write-ahead log included, into a file that is empty or not there.
 *  Others read and write meanwhile. The copy stands alone: it needs no file beside it. */
export function copyDatabase(db: Database, file: string): void {
  db.sqlite.prepare("VACUUM INTO ?").run(file);
}

/** What is wrong in a file that `copyDatabase` wrote, or a database that somebody kept: read whole, indexes too. It is
 *  not written to. Empty when it is whole. */
export function faultsOf(file: string): string[] {
  return about(file, () => {
    const sqlite = new SQLite(file, { readonly: true, fileMustExist: true });
    try {
      const found = sqlite.pragma("integrity_check(3)") as { integrity_check: string }[];
      const broken = sqlite.pragma("foreign_key_check") as { table: string }[];
      return [
        ...found.flatMap(({ integrity_check: text }) => (text === "ok" ? [] : [text])),
        ...broken.slice(0, 1).map(({ table }) => `a row of ${table} refers to one that is not there`),
      ];
    } finally {
      sqlite.close();
    }
  });
}

/** What one state of a home's database knows that another must not fall behind. */
export type Reached = {
  id: string | null;
  path: string | null;
  lease: LeaseRow | null;
  /** How many hooks there are. */
  hooks: number;
} & Given;

/** What one state of a database has given out. */
export type Given = {
  incarnation: string;
  /** The highest number given out in each table. */
  numbers: ReadonlyMap<string, number>;
};

const COUNTERS = "SELECT name, seq FROM sqlite_sequence";
const counters = all<{ name: string; seq: number }>(COUNTERS);
const countHooks = one<{ hooks: number }>("SELECT count(*) AS hooks FROM hook");

/** How far the database has come. */
export function reachedBy(db: Database): Reached {
  const settings = readSettings(db);
  return {
    id: settings.get("home.id") ?? null,
    path: settings.get("home.path") ?? null,
    incarnation: settings.get("incarnation") ?? "a",
    numbers: new Map(counters(db, {}).map(({ name, seq }) => [name, seq])),
    lease: readLease(db),
    hooks: countHooks(db, {})?.hooks ?? 0,
  };
}

/** The same of a database that nobody uses any more, of whatever version: it is left as it is, and its log beside it. */
export function givenBy(file: string): Given {
  const missing = [`${file}-wal`, `${file}-shm`].filter((beside) => !existsSync(beside));
  try {
    const sqlite = new SQLite(file, { readonly: true, fileMustExist: true });
    try {
      const incarnation = sqlite.prepare("SELECT value FROM setting WHERE name = 'incarnation'").pluck().get();
      const numbers = sqlite.prepare(COUNTERS).raw().all() as [string, number][];
      return { incarnation: typeof incarnation === "string" ? incarnation : "a", numbers: new Map(numbers) };
    } finally {
      sqlite.close();
    }
  } finally {
    for (const beside of missing) rmSync(beside, { force: true }); // SQLite makes them in order to read
  }
}

const hasCounter = one<{ seq: number }, { name: string }>("SELECT seq FROM sqlite_sequence WHERE name = :name");
const raise = change<{ name: string; seq: number }>(
  "UPDATE sqlite_sequence SET seq = :seq WHERE name = :name AND seq < :seq",
);
const begin = change<{ name: string; seq: number }>("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)");
const endLease = change<{ token: number }>(
  `UPDATE lease SET token = max(token, :token), boot_id = NULL, until = NULL, expires_at = iif(holder IS NULL, NULL, 0)
   WHERE id = 1`,
);
const lookAgain = change("UPDATE repository SET fingerprint = NULL, looked_at = 0");

/** How far numbers leap where nobody knows how far they had come. */
const LEAP = 1_000_000;

/**
 * Makes an earlier state fit to go on in the home at `path`: numbers continue behind those that were given out since
 * (`since`; null: not known) and behind those in `given`, runs made from now on are of the incarnation, whoever had the
 * lease then has it no more, and every repository is looked at, since what moved after that state is new to it. The
 * cursor stays: what it has not passed is cut again, and what was open or waiting then runs again under its own run id.
 */
export function resume(
  db: Database,
  { id, path, inode, incarnation }: { id: string; path: string; inode: number; incarnation: string },
  since: Reached | null,
  given: readonly Given[],
): void {
  write(db, () => {
    const states = [reachedBy(db), ...(since === null ? [] : [since]), ...given].map(({ numbers }) => numbers);
    for (const name of new Set([...states.flatMap((numbers) => [...numbers.keys()]), ...NUMBERED])) {
      const at = Math.max(...states.map((numbers) => numbers.get(name) ?? 0));
      const seq = since === null && NUMBERED.includes(name) ? at + LEAP : at;
      if (seq === 0) continue;
      if (hasCounter(db, { name }) === null) begin(db, { name, seq });
      else raise(db, { name, seq });
    }
    endLease(db, { token: (since?.lease?.token ?? 0) + 1 });
    lookAgain(db, {});
    putSetting(db, "home.id", id);
    putSetting(db, "home.path", path);
    putSetting(db, "home.inode", String(inode));
    putSetting(db, "incarnation", incarnation);
    putSetting(db, "looked.at", "0");
    putSetting(db, "restored.at", String(Date.now() as Instant));
  });
  // Whatever stands beside the file belongs to the one before it.
  db.sqlite.pragma("journal_mode = WAL");
  db.sqlite.pragma("wal_checkpoint(TRUNCATE)");
}

/** The tables whose numbers people see, or a cursor compares. */
const NUMBERED = ["hook", "receipt", "batch", "run", "gate"];

/** A file that cannot be restored. */
export const unusable = (file: string, why: string): GatepostError =>
  new GatepostError("GP_DAMAGED", `${file} cannot be restored: ${why}. Nothing was changed.`, {
    hint: "Name another backup.",
  });
