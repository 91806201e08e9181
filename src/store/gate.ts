/** Tables gate and gate_update: what gates judged. Their hooks are runs: see `addGateRun` in run.ts. */
import { type ByteString, fromBuffer, toBuffer } from "../core/bytes.ts";
import type { GateId, Instant, Millis, RepositoryId } from "../core/units.ts";
import { all, change, type Database, one } from "./database.ts";

/** One gate that ran. `user` is believed; `claimedUser` is what an environment we cannot trust said. */
export type Gate = {
  id: GateId;
  repository: RepositoryId;
  entry: string;
  type: string;
  native: string;
  at: Instant;
  took: Millis;
  uid: number;
  user: ByteString;
  claimedUser: ByteString | null;
  verdict: "pass" | "refused" | "broken" | "interrupted";
  reason: ByteString | null;
  branch: ByteString | null;
  authorName: ByteString | null;
  authorEmail: ByteString | null;
  authorDate: ByteString | null;
};

/** What the push that was judged was to do to one ref. */
export type GateUpdate = { ref: ByteString; old: string; new: string };

type Bytes = "claimedUser" | "reason" | "branch" | "authorName" | "authorEmail" | "authorDate";
type Row = Omit<Gate, "user" | Bytes> & { user: Buffer } & Record<Bytes, Buffer | null>;

const bytes = (value: Buffer | null): ByteString | null => (value === null ? null : fromBuffer(value));
const blob = (value: ByteString | null): Buffer | null => (value === null ? null : toBuffer(value));

const insert = change(
  `INSERT INTO gate (repository, entry, type, native, at, took, uid, user, claimed_user, verdict, reason, branch,
     author_name, author_email, author_date)
   VALUES (:repository, :entry, :type, :native, :at, :took, :uid, :user, :claimedUser, :verdict, :reason, :branch,
     :authorName, :authorEmail, :authorDate)
   ON CONFLICT (entry) DO NOTHING`,
);
const insertUpdate = change<{ gate: number; number: number; name: Buffer; old: string; new: string }>(
  "INSERT INTO gate_update (gate, number, name, old, new) VALUES (:gate, :number, :name, :old, :new)",
);

/** Adds a gate with its updates, in order; null, and nothing is changed, when one of that entry is there already. To be
 *  called in a transaction that adds its runs too. */
export function addGate(db: Database, gate: Omit<Gate, "id">, updates: readonly GateUpdate[]): GateId | null {
  const { changes, id } = insert(db, {
    ...gate,
    user: toBuffer(gate.user),
    claimedUser: blob(gate.claimedUser),
    reason: blob(gate.reason),
    branch: blob(gate.branch),
    authorName: blob(gate.authorName),
    authorEmail: blob(gate.authorEmail),
    authorDate: blob(gate.authorDate),
  });
  if (changes === 0) return null;
  for (const [at, { ref, ...values }] of updates.entries())
    insertUpdate(db, { ...values, gate: id, number: at + 1, name: toBuffer(ref) });
  return id as GateId;
}

const byId = one<Row, { id: number }>(
  `SELECT id, repository, entry, type, native, at, took, uid, user, claimed_user AS claimedUser, verdict, reason, branch,
     author_name AS authorName, author_email AS authorEmail, author_date AS authorDate
   FROM gate WHERE id = :id`,
);
export function gateById(db: Database, id: GateId): Gate | null {
  const row = byId(db, { id });
  if (row === null) return null;
  return {
    ...row,
    user: fromBuffer(row.user),
    claimedUser: bytes(row.claimedUser),
    reason: bytes(row.reason),
    branch: bytes(row.branch),
    authorName: bytes(row.authorName),
    authorEmail: bytes(row.authorEmail),
    authorDate: bytes(row.authorDate),
  };
}

const updates = all<{ name: Buffer; old: string; new: string }, { gate: number }>(
  "SELECT name, old, new FROM gate_update WHERE gate = :gate ORDER BY number",
);
/** What the push was to do, in its order; no more than the record listed. */
export const updatesOfGate = (db: Database, gate: GateId): GateUpdate[] =>
  updates(db, { gate }).map(({ name, ...values }) => ({ ref: fromBuffer(name), ...values }));

/** A commit's gate that passed, as far as it tells which commit it was of. */
export type PassedGate = Pick<Gate, "type" | "native" | "at" | "took" | "authorName" | "authorEmail" | "authorDate">;
type PassedRow = Omit<PassedGate, "authorName" | "authorEmail" | "authorDate"> &
  Record<"authorName" | "authorEmail" | "authorDate", Buffer | null>;
const passed = all<PassedRow, { repository: number }>(
  `SELECT type, native, at, took, author_name AS authorName, author_email AS authorEmail, author_date AS authorDate
   FROM gate WHERE repository = :repository AND verdict = 'pass' AND type IN ('before-commit', 'commit-msg')
   ORDER BY id`,
);
/** The gates of commits that passed in a repository, in the order in which they were recorded. */
export const passedCommitGates = (db: Database, repository: RepositoryId): PassedGate[] =>
  passed(db, { repository }).map((row) => ({
    ...row,
    authorName: bytes(row.authorName),
    authorEmail: bytes(row.authorEmail),
    authorDate: bytes(row.authorDate),
  }));

/** What a push that passed its gate was to do to one ref. */
export type PassedUpdate = { gate: GateId; at: Instant; ref: ByteString; new: string };
const passedRefs = all<{ gate: GateId; at: Instant; name: Buffer; new: string }, { repository: number }>(
  `SELECT g.id AS gate, g.at, u.name, u.new FROM gate g JOIN gate_update u ON u.gate = g.id
   WHERE g.repository = :repository AND g.verdict = 'pass' AND g.type = 'before-receive'
   ORDER BY g.at, g.id, u.number`,
);
/** What the pushes that passed a before-receive gate were to do, oldest first; of each no more than its record listed. */
export const passedUpdates = (db: Database, repository: RepositoryId): PassedUpdate[] =>
  passedRefs(db, { repository }).map(({ name, ...rest }) => ({ ...rest, ref: fromBuffer(name) }));

const oldestGate = one<{ at: Instant | null }, { repository: number }>(
  "SELECT min(at) AS at FROM gate WHERE repository = :repository",
);
const firstRun = one<{ id: number | null }>("SELECT min(id) AS id FROM run");
const hasRuns = one<{ id: number }, { repository: number; keep: number }>(
  "SELECT id FROM run WHERE repository = :repository ORDER BY id DESC LIMIT 1 OFFSET max(:keep - 1, 0)",
);
/** From when on the gates of a repository are all still here; null: as far as can be told, none was ever deleted.
 *  Retention keeps the last `keep` runs of a repository, so one that has fewer has lost none. */
export function gatesKeptSince(db: Database, repository: RepositoryId, keep: number): Instant | null {
  if ((firstRun(db, {})?.id ?? 1) === 1 || hasRuns(db, { repository, keep }) === null) return null;
  return oldestGate(db, { repository })?.at ?? null;
}
