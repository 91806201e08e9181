/**
 * The steps from one version of the schema to the next.
 *
 * A new database is made from schema.sql and has the newest version at once. An older one is brought up to date when its
 * owner's program opens it. Rules:
 *   1. A step is frozen: it leads from version n to n + 1 as these were, whatever schema.sql says today. It is never
 *      changed after a release; a later wish is a further step. That all steps together end in the shape of schema.sql,
 *      with every row, reference and counter kept, is proven by test/store/migrate.test.ts.
 *   2. All steps that are missing run in one IMMEDIATE transaction, which begins by asking for the version again: of many
 *      programs that open the database at once, the first one migrates and the others find it done. A death in here
 *      leaves the old version, whole; the next call begins anew.
 *   3. References are not enforced meanwhile, or dropping a table that is about to be replaced would delete what refers
 *      to it. They are checked before the commit instead.
 *
 * A backoffice of the older program that has the database open goes on working: it names the columns it writes, and
 * what is new can be left out. It cannot open the database again.
 */
import type SQLite from "better-sqlite3";
import { GatepostError } from "../core/errors.ts";

/** From version 1 to 2: gates. A run is on a batch or of a gate, which only a new table of runs can say. */
const GATES = `
ALTER TABLE repository ADD COLUMN hooks_folders TEXT CHECK (json_valid(hooks_folders));

CREATE TABLE gate (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  repository   INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
  entry        TEXT NOT NULL UNIQUE,
  type         TEXT NOT NULL,
  native       TEXT NOT NULL,
  at           INTEGER NOT NULL,
  took         INTEGER NOT NULL CHECK (took >= 0),
  uid          INTEGER NOT NULL,
  user         BLOB NOT NULL,
  claimed_user BLOB,
  verdict      TEXT NOT NULL CHECK (verdict IN ('pass', 'refused', 'broken', 'interrupted')),
  reason       BLOB,
  branch       BLOB,
  author_name  BLOB,
  author_email BLOB,
  author_date  BLOB
) STRICT;
CREATE INDEX gate_repository ON gate (repository, id);

CREATE TABLE gate_update (
  gate   INTEGER NOT NULL REFERENCES gate (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  name   BLOB NOT NULL,
  old    TEXT NOT NULL,
  new    TEXT NOT NULL,
  PRIMARY KEY (gate, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_2 (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  incarnation TEXT NOT NULL,
  repository  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
  hook        INTEGER NOT NULL,
  hook_name   TEXT,
  type        TEXT NOT NULL,
  sequence    INTEGER NOT NULL,
  batch       INTEGER REFERENCES batch (id) ON DELETE CASCADE,
  gate        INTEGER REFERENCES gate (id) ON DELETE CASCADE,
  receipt     INTEGER REFERENCES receipt (id),
  replay_of   INTEGER REFERENCES run (id) ON DELETE SET NULL,
  state       TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'parked', 'skipped')),
  reason      TEXT,
  attempts    INTEGER NOT NULL DEFAULT 0,
  failures    INTEGER NOT NULL DEFAULT 0,
  due_at      INTEGER,
  made_at     INTEGER NOT NULL,
  ended_at    INTEGER,
  note        TEXT CHECK (json_valid(note)),
  CHECK ((state IN ('done', 'failed', 'parked', 'skipped')) = (ended_at IS NOT NULL)),
  CHECK ((state = 'waiting') = (due_at IS NOT NULL)),
  CHECK (state NOT IN ('skipped', 'parked') OR reason IS NOT NULL),
  CHECK ((batch IS NULL) <> (gate IS NULL)),
  CHECK (gate IS NULL OR state IN ('done', 'failed', 'skipped'))
) STRICT;
INSERT INTO run_2 (id, incarnation, repository, hook, hook_name, type, sequence, batch, receipt, replay_of, state, reason,
    attempts, failures, due_at, made_at, ended_at, note)
  SELECT id, incarnation, repository, hook, hook_name, type, sequence, batch, receipt, replay_of, state, reason,
    attempts, failures, due_at, made_at, ended_at, note FROM run;
-- The counter of the old table, which may be ahead of its highest row, or be there without any.
DELETE FROM sqlite_sequence WHERE name = 'run_2';
INSERT INTO sqlite_sequence (name, seq) SELECT 'run_2', seq FROM sqlite_sequence WHERE name = 'run';
DROP TABLE run;
ALTER TABLE run_2 RENAME TO run;

CREATE UNIQUE INDEX run_once ON run (batch, hook, ifnull(receipt, 0)) WHERE replay_of IS NULL AND batch IS NOT NULL;
CREATE INDEX run_open ON run (repository, batch, sequence, hook, id) WHERE state IN ('waiting', 'running');
CREATE INDEX run_parked ON run (repository, hook) WHERE state = 'parked';
CREATE INDEX run_repository ON run (repository, id);
CREATE INDEX run_hook ON run (hook, id);
CREATE INDEX run_ended ON run (ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX run_batch ON run (batch) WHERE batch IS NOT NULL;
CREATE INDEX run_gate ON run (gate) WHERE gate IS NOT NULL;
CREATE INDEX run_receipt ON run (receipt) WHERE receipt IS NOT NULL;
CREATE INDEX run_replay ON run (replay_of) WHERE replay_of IS NOT NULL;
`;

/** From version 2 to 3: repositories that number their receipts themselves (Fossil). */
const NATIVE = `
ALTER TABLE repository ADD COLUMN watermark TEXT CHECK (json_valid(watermark));
ALTER TABLE repository ADD COLUMN embargo INTEGER;
ALTER TABLE hook ADD COLUMN artifacts TEXT CHECK (json_valid(artifacts));
ALTER TABLE receipt ADD COLUMN native INTEGER;
ALTER TABLE receipt ADD COLUMN rows TEXT CHECK (json_valid(rows));
CREATE INDEX receipt_native ON receipt (repository, native) WHERE native IS NOT NULL;
`;

/** From version 3 to 4: leases end by a clock that nobody can set, and what the audit says stays. */
const KEPT = `
ALTER TABLE lease ADD COLUMN until INTEGER;
CREATE TRIGGER hook_audit_stays BEFORE DELETE ON hook_audit BEGIN SELECT raise(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER hook_audit_is_fixed BEFORE UPDATE ON hook_audit BEGIN SELECT raise(ABORT, 'the audit is only added to'); END;
`;

/** From version 4 to 5: fleets, pauses, team files, events. A run may be for an event, which only a new table of runs can say. */
const FLEETS = `
ALTER TABLE repository ADD COLUMN paused TEXT CHECK (json_valid(paused));
ALTER TABLE repository ADD COLUMN held_from INTEGER;
ALTER TABLE repository ADD COLUMN team TEXT CHECK (json_valid(team));
ALTER TABLE repository ADD COLUMN hooks_seen TEXT CHECK (json_valid(hooks_seen));
ALTER TABLE hook ADD COLUMN applied INTEGER NOT NULL DEFAULT 0 CHECK (applied IN (0, 1));
ALTER TABLE hook ADD COLUMN paused TEXT CHECK (json_valid(paused));
CREATE TABLE root (
  path     TEXT PRIMARY KEY,
  added_at INTEGER NOT NULL,
  seen     TEXT CHECK (json_valid(seen))
) STRICT, WITHOUT ROWID;
CREATE INDEX ref_update_new ON ref_update (new);
CREATE INDEX gate_update_new ON gate_update (new);
CREATE TABLE event (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  repository INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
  name       TEXT NOT NULL,
  cause      TEXT NOT NULL,
  at         INTEGER NOT NULL,
  facts      TEXT NOT NULL CHECK (json_valid(facts)),
  over_at    INTEGER
) STRICT;
CREATE UNIQUE INDEX event_once ON event (repository, name, cause) WHERE over_at IS NULL;
CREATE INDEX event_repository ON event (repository, id);
CREATE TABLE run_5 (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  incarnation TEXT NOT NULL,
  repository  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
  hook        INTEGER NOT NULL,
  hook_name   TEXT,
  type        TEXT NOT NULL,
  sequence    INTEGER NOT NULL,
  batch       INTEGER REFERENCES batch (id) ON DELETE CASCADE,
  gate        INTEGER REFERENCES gate (id) ON DELETE CASCADE,
  event       INTEGER REFERENCES event (id) ON DELETE CASCADE,
  receipt     INTEGER REFERENCES receipt (id),
  replay_of   INTEGER REFERENCES run (id) ON DELETE SET NULL,
  state       TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'parked', 'skipped')),
  reason      TEXT,
  attempts    INTEGER NOT NULL DEFAULT 0,
  failures    INTEGER NOT NULL DEFAULT 0,
  due_at      INTEGER,
  made_at     INTEGER NOT NULL,
  ended_at    INTEGER,
  note        TEXT CHECK (json_valid(note)),
  CHECK ((state IN ('done', 'failed', 'parked', 'skipped')) = (ended_at IS NOT NULL)),
  CHECK ((state = 'waiting') = (due_at IS NOT NULL)),
  CHECK (state NOT IN ('skipped', 'parked') OR reason IS NOT NULL),
  CHECK ((batch IS NOT NULL) + (gate IS NOT NULL) + (event IS NOT NULL) = 1),
  CHECK (gate IS NULL OR state IN ('done', 'failed', 'skipped'))
) STRICT;
INSERT INTO run_5 (id, incarnation, repository, hook, hook_name, type, sequence, batch, gate, receipt, replay_of, state,
    reason, attempts, failures, due_at, made_at, ended_at, note)
  SELECT id, incarnation, repository, hook, hook_name, type, sequence, batch, gate, receipt, replay_of, state,
    reason, attempts, failures, due_at, made_at, ended_at, note FROM run;
DELETE FROM sqlite_sequence WHERE name = 'run_5';
INSERT INTO sqlite_sequence (name, seq) SELECT 'run_5', seq FROM sqlite_sequence WHERE name = 'run';
DROP TABLE run;
ALTER TABLE run_5 RENAME TO run;
CREATE UNIQUE INDEX run_once ON run (batch, hook, ifnull(receipt, 0)) WHERE replay_of IS NULL AND batch IS NOT NULL;
CREATE UNIQUE INDEX run_event ON run (event, hook) WHERE replay_of IS NULL AND event IS NOT NULL;
CREATE INDEX run_open ON run (repository, batch, sequence, hook, id) WHERE state IN ('waiting', 'running');
CREATE INDEX run_parked ON run (repository, hook) WHERE state = 'parked';
CREATE INDEX run_repository ON run (repository, id);
CREATE INDEX run_hook ON run (hook, id);
CREATE INDEX run_ended ON run (ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX run_batch ON run (batch) WHERE batch IS NOT NULL;
CREATE INDEX run_gate ON run (gate) WHERE gate IS NOT NULL;
CREATE INDEX run_of_event ON run (event) WHERE event IS NOT NULL;
CREATE INDEX run_receipt ON run (receipt) WHERE receipt IS NOT NULL;
CREATE INDEX run_replay ON run (replay_of) WHERE replay_of IS NOT NULL;
`;

/** The step from version n stands at n - 1. */
const STEPS: readonly string[] = [GATES, NATIVE, KEPT, FLEETS];

/** The schema version this program writes. */
export const SCHEMA_VERSION = STEPS.length + 1;

/** The schema version of a database. */
export const versionOf = (sqlite: SQLite.Database): number => Number(sqlite.pragma("user_version", { simple: true }));

/** How long others wait for the one that migrates: the table of runs may be long. */
const PATIENCE = 60_000;

/** Brings the database at `path`, of a known older version, up to date, or changes nothing and throws what SQLite says.
 *  Afterwards references are enforced. Must not be called within a transaction. */
export function migrate(sqlite: SQLite.Database, path: string): void {
  const timeout = Number(sqlite.pragma("busy_timeout", { simple: true }));
  sqlite.pragma(`busy_timeout = ${PATIENCE}`);
  sqlite.pragma("synchronous = FULL");
  sqlite.pragma("foreign_keys = OFF"); // has no effect inside a transaction
  try {
    const steps = sqlite.transaction(() => {
      const version = versionOf(sqlite);
      if (version >= SCHEMA_VERSION) return; // another program was first
      for (const step of STEPS.slice(version - 1)) sqlite.exec(step);
      const [broken] = sqlite.pragma("foreign_key_check") as { table: string }[];
      if (broken !== undefined) throw damaged(path, broken.table);
      sqlite.pragma(`user_version = ${SCHEMA_VERSION}`);
    });
    steps.immediate();
  } finally {
    sqlite.pragma("foreign_keys = ON");
    sqlite.pragma(`busy_timeout = ${timeout}`);
  }
}

const damaged = (path: string, table: string): GatepostError =>
  new GatepostError(
    "GP_DAMAGED",
    `The database ${path} is damaged: a row of ${table} refers to one that is not there. Nothing was changed.`,
    { hint: "Move it away and restore a backup, or register the repository anew: gatepost init" },
  );
