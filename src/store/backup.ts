/** A copy of the database as of one moment, and what must be changed in one before it takes the place of another. */
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
  incarnation: string;
  /** The highest number given out in each table. */
  numbers: ReadonlyMap<string, number>;
  lease: LeaseRow | null;
};

const counters = all<{ name: string; seq: number }>("SELECT name, seq FROM sqlite_sequence");

/** How far the database has come. */
export function reachedBy(db: Database): Reached {
  const settings = readSettings(db);
  return {
    id: settings.get("home.id") ?? null,
    path: settings.get("home.path") ?? null,
    incarnation: settings.get("incarnation") ?? "a",
    numbers: new Map(counters(db, {}).map(({ name, seq }) => [name, seq])),
    lease: readLease(db),
  };
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
 * (`since`; null: not known), runs made from now on are of the incarnation, whoever had the lease then has it no more,
 * and every repository is looked at, since what moved after that state is new to it. The cursor stays: what it has not
 * passed is cut again, and what was open or waiting then runs again under its own run id.
 */
export function resume(
  db: Database,
  { path, inode, incarnation }: { path: string; inode: number; incarnation: string },
  since: Reached | null,
): void {
  write(db, () => {
    const own = reachedBy(db);
    for (const name of new Set([...own.numbers.keys(), ...(since?.numbers.keys() ?? []), ...NUMBERED])) {
      const at = own.numbers.get(name) ?? 0;
      const seq =
        since === null ? (NUMBERED.includes(name) ? at + LEAP : at) : Math.max(at, since.numbers.get(name) ?? 0);
      if (seq === 0) continue;
      if (hasCounter(db, { name }) === null) begin(db, { name, seq });
      else raise(db, { name, seq });
    }
    endLease(db, { token: (since?.lease?.token ?? 0) + 1 });
    lookAgain(db, {});
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
