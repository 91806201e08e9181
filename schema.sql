-- The whole model of a Gatepost home. One database per home (gatepost.db), one writer at a time.
--
-- Reading order: a repository has refs; what arrives in it is a receipt with ref updates; a batch is an interval of
-- receipts; a gate is one commit or push that was judged before it landed; an event is something that somebody should
-- hear of; a run is one hook on one batch, in one gate or for one event; an attempt is one process started for a run.
--
-- Conventions: times are integer milliseconds since 1970, UTC. Names that may not be UTF-8 (refs, push options) are
-- BLOBs. Numbers that people see or that a cursor compares (hooks, receipts, batches, runs) are AUTOINCREMENT: a number
-- that was used once is never given out again, not even after everything was pruned. Flags are 0 or 1.
-- The connection sets: journal_mode=WAL, synchronous=FULL, foreign_keys=ON, busy_timeout.

PRAGMA application_id = 0x47506F73;  -- "GPos": tells a Gatepost database from any other SQLite file
PRAGMA user_version = 5;             -- the version of this schema; src/store/migrate.ts holds the steps between versions

-- Facts about the home itself and its settings. Settings that are not here have their default (src/core/settings.ts).
CREATE TABLE setting (
  name  TEXT PRIMARY KEY,  -- 'home.id', 'home.path', 'home.inode', 'incarnation', or the name of a user's setting
  value TEXT NOT NULL      -- as text, in the form that `gatepost settings` prints
) STRICT, WITHOUT ROWID;

-- A registered repository.
CREATE TABLE repository (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  name          TEXT NOT NULL UNIQUE,  -- what -R, patterns and lists use: the folder's name, longer where two would be equal
  kind          TEXT NOT NULL CHECK (kind IN ('git', 'fossil', 'subversion', 'mercurial', 'inbox')),
  path          TEXT NOT NULL UNIQUE,  -- absolute real path of its data (Git: the common git directory)
  inode         INTEGER NOT NULL,      -- of path, to notice that another repository took its place
  work_tree     TEXT,                  -- root of the work tree; NULL for a bare repository
  object_format TEXT,                  -- Git: 'sha1' or 'sha256'
  registered_at INTEGER NOT NULL,
  cursor        INTEGER NOT NULL DEFAULT 0,  -- the last receipt already cut into a batch (Fossil: hook-last-rcvid)
  fingerprint   TEXT,                  -- of its refs at the last look that found them all explained; NULL: look again
  looked_at     INTEGER NOT NULL DEFAULT 0,  -- when its refs were last read
  parked        TEXT,                  -- why it cannot be looked at (gone, replaced, not readable); NULL: all is well
  hooks_folders TEXT CHECK (json_valid(hooks_folders)),  -- JSON array: where shims go, as of the last init or doctor; NULL: unknown
  watermark     TEXT CHECK (json_valid(watermark)),  -- Fossil: how far its own receipts were read (src/vcs/repository.ts)
  embargo       INTEGER,               -- Fossil: what waits is held back until then; NULL: it is not
  paused        TEXT CHECK (json_valid(paused)),  -- {"at": ms, "by": "alice", "why": …}: nothing is cut or run; NULL: it is not
  held_from     INTEGER,               -- since the pause that held back what waits: the window leaves none of it out; NULL: none did
  team          TEXT CHECK (json_valid(team)),  -- JSON array of types: its work trees obey their gatepost.json, which had these; NULL: no
  hooks_seen    TEXT CHECK (json_valid(hooks_seen))  -- times of its hooks folders when all shims were last seen in them; NULL: look
) STRICT;

-- A folder below which every repository is registered, at each pass also those that were made since.
CREATE TABLE root (
  path     TEXT PRIMARY KEY,  -- absolute real path
  added_at INTEGER NOT NULL,
  seen     TEXT CHECK (json_valid(seen))  -- times of the folders that held repositories or could, as last looked at; NULL: look
) STRICT, WITHOUT ROWID;

-- The ledger: every ref with the value last seen. A receipt moves it; nothing else does.
CREATE TABLE ref (
  repository INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
  name       BLOB NOT NULL,  -- full name, 'refs/heads/main'
  value      TEXT NOT NULL,  -- hash in hex, or 'ref:' and the target of a symbolic ref
  PRIMARY KEY (repository, name)
) STRICT, WITHOUT ROWID;

-- A stored command and when to run it. The id is stable: never reused, never renumbered.
CREATE TABLE hook (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT UNIQUE CHECK (name GLOB '[A-Za-z_]*'),  -- optional; stands wherever the id may
  scope      TEXT NOT NULL CHECK (scope IN ('repository', 'pattern', 'all')),
  repository INTEGER REFERENCES repository (id) ON DELETE CASCADE,  -- scope 'repository': this one
  pattern    TEXT,                   -- scope 'pattern': repositories whose name matches, 'team/*'; several: one on each line
  type       TEXT NOT NULL,          -- see src/core/hook-type.ts; 'disabled' never runs
  was_type   TEXT,                   -- of a disabled hook: the type that `hook enable` gives back
  sequence   INTEGER NOT NULL DEFAULT 10,  -- ascending as a number; ties by id
  command    TEXT,                   -- one shell line; NULL: a function of a program that embeds Gatepost, found by name
  timeout    INTEGER CHECK (timeout > 0),       -- milliseconds; NULL: the type's default
  retries    INTEGER NOT NULL DEFAULT 0 CHECK (retries >= 0),  -- further attempts after the first; then the run is parked
  in_order   INTEGER NOT NULL DEFAULT 0 CHECK (in_order IN (0, 1)),  -- a run that waits holds back the hook's later runs
  advisory   INTEGER NOT NULL DEFAULT 0 CHECK (advisory IN (0, 1)),  -- gates: a refusal is shown but does not refuse
  refs       TEXT CHECK (json_valid(refs)),     -- JSON array of ref patterns; NULL: any
  paths      TEXT CHECK (json_valid(paths)),    -- JSON array of pathspecs; NULL: any
  stdin      TEXT CHECK (stdin IN ('artifacts', 'updates', 'paths')),  -- what it reads; NULL: the type's default
  each       TEXT CHECK (each IN ('receipt')),  -- one run for each receipt of the batch; NULL: one for the batch
  trees      INTEGER NOT NULL DEFAULT 0 CHECK (trees IN (0, 1)),     -- list trees too
  dir        TEXT,                   -- local gates: run there, relative to the work tree's root
  parallel   INTEGER NOT NULL DEFAULT 0 CHECK (parallel IN (0, 1)),  -- local gates: side by side with neighbours so marked
  artifacts  TEXT CHECK (json_valid(artifacts)),  -- JSON array of kinds of artifact that must have arrived; NULL: any
  applied    INTEGER NOT NULL DEFAULT 0 CHECK (applied IN (0, 1)),  -- made by `hook apply`, whose next file may delete it
  paused     TEXT CHECK (json_valid(paused)),  -- as repository.paused: its runs wait; NULL: it is not
  CHECK ((scope = 'repository') = (repository IS NOT NULL)),
  CHECK ((scope = 'pattern') = (pattern IS NOT NULL)),
  CHECK ((type = 'disabled') OR (was_type IS NULL)),
  CHECK (command IS NOT NULL OR name IS NOT NULL)
) STRICT;
CREATE INDEX hook_repository ON hook (repository);

-- Who changed which hook, when, from what to what. Only ever added to.
CREATE TABLE hook_audit (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  at     INTEGER NOT NULL,
  uid    INTEGER NOT NULL,     -- effective user id of the process that made the change
  user   TEXT NOT NULL,        -- its login name, as far as the system knows it
  action TEXT NOT NULL CHECK (action IN ('add', 'edit', 'delete', 'import')),
  hook   INTEGER NOT NULL,     -- no reference: the row outlives the hook
  old    TEXT CHECK (json_valid(old)),  -- the hook before, in export's format; NULL when added
  new    TEXT CHECK (json_valid(new)),  -- the hook after; NULL when deleted
  CHECK ((action IN ('add', 'import')) = (old IS NULL)),
  CHECK ((action = 'delete') = (new IS NULL))
) STRICT;
CREATE TRIGGER hook_audit_stays BEFORE DELETE ON hook_audit BEGIN SELECT raise(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER hook_audit_is_fixed BEFORE UPDATE ON hook_audit BEGIN SELECT raise(ABORT, 'the audit is only added to'); END;

-- One arrival of artifacts: a push, a local commit, or a difference that reconciling found.
CREATE TABLE receipt (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,  -- the rcvid
  repository   INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
  source       TEXT NOT NULL CHECK (source IN ('push', 'work', 'reconciled')),
  entry        TEXT UNIQUE,      -- name of the spool entry it came from: an entry seen twice makes one receipt
  at           INTEGER NOT NULL, -- when it arrived (the entry's file time, clamped), or when it was found
  uid          INTEGER,          -- owner of the spool entry; NULL: unknown
  user         BLOB,             -- who pushed, as far as it can be believed
  claimed_user BLOB,             -- who the pusher's environment claims, where that cannot be believed
  address      BLOB,             -- where the push came from, as the server's environment said
  gl_user      BLOB,             -- GL_USER, GL_REPO and REMOTE_USER of that push, for --each receipt
  gl_repo      BLOB,
  remote_user  BLOB,
  options      BLOB,             -- push options, each ended by a NUL; NULL: none
  more         INTEGER NOT NULL DEFAULT 0 CHECK (more IN (0, 1)),  -- the sender said that more is coming: embargo
  left_out     INTEGER NOT NULL DEFAULT 0 CHECK (left_out IN (0, 1)),  -- older than the window when its batch was cut
  native       INTEGER,          -- Fossil: its own number for this receipt, which may grow and then has several rows here
  rows         TEXT CHECK (json_valid(rows)),  -- Fossil: where its artifacts lie in the file; NULL: to be searched
  CHECK (source <> 'reconciled' OR claimed_user IS NULL OR entry IS NOT NULL)
) STRICT;
CREATE INDEX receipt_repository ON receipt (repository, id);
CREATE INDEX receipt_native ON receipt (repository, native) WHERE native IS NOT NULL;
CREATE INDEX receipt_unclaimed ON receipt (repository, id) WHERE source = 'reconciled' AND entry IS NULL;

-- What a receipt did to one ref. The id is also the order in which the values of one ref followed each other.
CREATE TABLE ref_update (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  receipt    INTEGER NOT NULL REFERENCES receipt (id) ON DELETE CASCADE,
  repository INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
  name       BLOB NOT NULL,
  old        TEXT NOT NULL,  -- as ref.value; all zeros: there was none
  new        TEXT NOT NULL,
  how        TEXT NOT NULL CHECK (how IN ('entry', 'reconciled', 'claimed'))  -- 'claimed' moved nothing: a hint that did not fit
) STRICT;
CREATE INDEX ref_update_receipt ON ref_update (receipt);
CREATE INDEX ref_update_name ON ref_update (repository, name, receipt);
CREATE INDEX ref_update_moved ON ref_update (repository, receipt);
CREATE INDEX ref_update_new ON ref_update (new);

-- What arrived in a repository of no version control: only the kind 'inbox' stores its artifacts here.
CREATE TABLE artifact (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  receipt     INTEGER NOT NULL REFERENCES receipt (id) ON DELETE CASCADE,
  hash        TEXT NOT NULL,
  description BLOB NOT NULL  -- one line, without the hash
) STRICT;
CREATE INDEX artifact_receipt ON artifact (receipt);

-- A closed interval of receipts, (base, upto], of one repository. Never changes after the cut.
CREATE TABLE batch (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  repository INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
  base       INTEGER NOT NULL,  -- the receipt before the first; the upto of the batch before it, or the start
  upto       INTEGER NOT NULL,
  cut_at     INTEGER NOT NULL,
  receipts   INTEGER NOT NULL,  -- how many it hands out
  left_out   INTEGER NOT NULL DEFAULT 0,  -- how many were older than the window
  UNIQUE (repository, base),
  UNIQUE (repository, upto),
  CHECK (base < upto)
) STRICT;

-- One gate that ran, as the record it left in the spool tells it. Its hooks are runs, over when they are stored.
CREATE TABLE gate (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  repository   INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
  entry        TEXT NOT NULL UNIQUE,  -- name of the record's spool entry: one that is seen twice makes one gate
  type         TEXT NOT NULL,    -- hook type, 'before-commit'
  native       TEXT NOT NULL,    -- the hook that the version-control program called, 'pre-commit'
  at           INTEGER NOT NULL, -- when it ended (the entry's file time, at most now)
  took         INTEGER NOT NULL CHECK (took >= 0),  -- milliseconds from its start to its verdict
  uid          INTEGER NOT NULL, -- owner of the spool entry
  user         BLOB NOT NULL,    -- who committed or pushed, as far as it can be believed
  claimed_user BLOB,             -- who the environment claims, where that cannot be believed
  verdict      TEXT NOT NULL CHECK (verdict IN ('pass', 'refused', 'broken', 'interrupted')),
  reason       BLOB,             -- why it is broken
  branch       BLOB,             -- of a commit: the full name of the ref that HEAD stood for; NULL: detached or unknown
  author_name  BLOB,             -- of a commit, as git exported them; NULL where git exported none (merges)
  author_email BLOB,
  author_date  BLOB              -- '@1700000000 +0100'
) STRICT;
CREATE INDEX gate_repository ON gate (repository, id);

-- What the push that a gate judged was to do to one ref; of very many refs only the first 25.
CREATE TABLE gate_update (
  gate   INTEGER NOT NULL REFERENCES gate (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,  -- its place in the push, from 1
  name   BLOB NOT NULL,
  old    TEXT NOT NULL,     -- hash in hex; all zeros: there was none
  new    TEXT NOT NULL,
  PRIMARY KEY (gate, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX gate_update_new ON gate_update (new);

-- Something that happened in a repository and that on:NAME hooks are told of, once for each cause.
CREATE TABLE event (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  repository INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
  name       TEXT NOT NULL,     -- 'parked', 'left-out', 'gate-missing': the hook type without 'on:'
  cause      TEXT NOT NULL,     -- what it is about, 'run 40, attempt 9': while it lasts, the same cause is no second event
  at         INTEGER NOT NULL,
  facts      TEXT NOT NULL CHECK (json_valid(facts)),  -- what hooks find in their auxiliary file
  over_at    INTEGER            -- when the cause was seen to be gone; NULL: it lasts, or cannot end
) STRICT;
CREATE UNIQUE INDEX event_once ON event (repository, name, cause) WHERE over_at IS NULL;
CREATE INDEX event_repository ON event (repository, id);

-- One hook on one batch (with --each receipt: on one receipt of it), in one gate, or for one event.
CREATE TABLE run (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  incarnation TEXT NOT NULL,     -- of the home when it was made: 'a', then 'b' after a restore; shown as 'a-41'
  repository  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
  hook        INTEGER NOT NULL,  -- no reference: the run outlives the hook; 0: the chained hook, or the gate itself; -1: a hook of gatepost.json
  hook_name   TEXT,              -- as it was when the run was made
  type        TEXT NOT NULL,
  sequence    INTEGER NOT NULL,
  batch       INTEGER REFERENCES batch (id) ON DELETE CASCADE,  -- NULL: not on a batch
  gate        INTEGER REFERENCES gate (id) ON DELETE CASCADE,   -- NULL: not in a gate
  event       INTEGER REFERENCES event (id) ON DELETE CASCADE,  -- NULL: not for an event
  receipt     INTEGER REFERENCES receipt (id),  -- --each receipt: this one; NULL: the whole batch
  replay_of   INTEGER REFERENCES run (id) ON DELETE SET NULL,  -- made by `runs replay`
  state       TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'parked', 'skipped')),
  reason      TEXT,              -- why it was skipped, failed or parked, in one sentence
  attempts    INTEGER NOT NULL DEFAULT 0,  -- how many were started
  failures    INTEGER NOT NULL DEFAULT 0,  -- how many of them the hook failed; lost and aborted ones do not count
  due_at      INTEGER,           -- waiting: not before this
  made_at     INTEGER NOT NULL,
  ended_at    INTEGER,           -- set exactly when the state is final; parked counts as ended until it is released
  note        TEXT CHECK (json_valid(note)),  -- what the listing met: {"baseGone":true,"gone":2}; NULL: nothing
  CHECK ((state IN ('done', 'failed', 'parked', 'skipped')) = (ended_at IS NOT NULL)),
  CHECK ((state = 'waiting') = (due_at IS NOT NULL)),
  CHECK (state NOT IN ('skipped', 'parked') OR reason IS NOT NULL),
  CHECK ((batch IS NOT NULL) + (gate IS NOT NULL) + (event IS NOT NULL) = 1),
  CHECK (gate IS NULL OR state IN ('done', 'failed', 'skipped'))
) STRICT;
CREATE UNIQUE INDEX run_once ON run (batch, hook, ifnull(receipt, 0)) WHERE replay_of IS NULL AND batch IS NOT NULL;
CREATE UNIQUE INDEX run_event ON run (event, hook) WHERE replay_of IS NULL AND event IS NOT NULL;
CREATE INDEX run_open ON run (repository, batch, sequence, hook, id) WHERE state IN ('waiting', 'running');
CREATE INDEX run_parked ON run (repository, hook) WHERE state = 'parked';
CREATE INDEX run_repository ON run (repository, id);
CREATE INDEX run_hook ON run (hook, id);
CREATE INDEX run_ended ON run (ended_at, id) WHERE ended_at IS NOT NULL;
-- For the references above: without them, each row that retention deletes reads the whole table of runs.
CREATE INDEX run_batch ON run (batch) WHERE batch IS NOT NULL;
CREATE INDEX run_gate ON run (gate) WHERE gate IS NOT NULL;
CREATE INDEX run_of_event ON run (event) WHERE event IS NOT NULL;
CREATE INDEX run_receipt ON run (receipt) WHERE receipt IS NOT NULL;
CREATE INDEX run_replay ON run (replay_of) WHERE replay_of IS NOT NULL;

-- One process started for a run (or one call of a function hook).
CREATE TABLE attempt (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  run          INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  number       INTEGER NOT NULL CHECK (number > 0),
  token        INTEGER NOT NULL,  -- lease token of the holder that started it; 0: a gate, which needs none
  started_at   INTEGER NOT NULL,
  ended_at     INTEGER,           -- NULL: open; if its holder is gone, it is lost and the run is repeated
  pid          INTEGER,           -- of the process and its group; with start_time it names one process for sure
  start_time   TEXT,
  boot_id      TEXT,              -- of the machine it ran on: after a restart, or in another pid namespace, they name nobody
  took         INTEGER,           -- milliseconds by the monotonic clock
  outcome      TEXT CHECK (outcome IN ('exit', 'signal', 'timeout', 'aborted', 'not-started', 'stdin-failed', 'threw', 'unkillable', 'lost')),
  exit_code    INTEGER,           -- outcome 'exit'
  detail       TEXT,              -- signal name, error text
  survivors    INTEGER NOT NULL DEFAULT 0,  -- processes that outlived the hook and had to be ended
  detached     INTEGER NOT NULL DEFAULT 0 CHECK (detached IN (0, 1)),  -- one that left on purpose still held its output
  output_head  BLOB,              -- first 32 KiB of stdout and stderr together
  output_tail  BLOB,              -- last 32 KiB of what came after the head
  output_bytes INTEGER NOT NULL DEFAULT 0,  -- all that was read
  UNIQUE (run, number),
  CHECK ((ended_at IS NULL) = (outcome IS NULL)),
  CHECK ((outcome IS 'exit') = (exit_code IS NOT NULL))
) STRICT;
CREATE INDEX attempt_open ON attempt (run) WHERE ended_at IS NULL;

-- The right to cut and run: one row. Every write of a holder shows the token; a higher one makes the old one worthless.
CREATE TABLE lease (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  token      INTEGER NOT NULL,  -- only grows
  holder     TEXT,              -- uuid of the holding process's claim; NULL: free
  boot_id    TEXT,              -- of the machine the holder runs on, and the namespaces in which it counts pids and time
  pid        INTEGER,
  start_time TEXT,              -- with pid and boot_id: proof of death, never a guess
  expires_at INTEGER,           -- renewed while the holder works; by the wall clock, for whoever shares no other with it
  until      INTEGER,           -- the same in milliseconds of the boot's own clock, which nobody can set
  CHECK ((holder IS NULL) = (expires_at IS NULL))
) STRICT;
INSERT INTO lease (id, token) VALUES (1, 0);
