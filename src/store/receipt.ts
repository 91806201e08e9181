/** Table receipt. */
import { type ByteString, fromBuffer, toBuffer } from "../core/bytes.ts";
import type { Instant, ReceiptId, RepositoryId } from "../core/units.ts";
import { all, change, type Database, one } from "./database.ts";

/** Who and when of one arrival. `user` is believed; `claimedUser` is what an environment we cannot trust said. */
export type Receipt = {
  id: ReceiptId;
  source: "push" | "work" | "reconciled";
  entry: string | null;
  at: Instant;
  uid: number | null;
  user: ByteString | null;
  claimedUser: ByteString | null;
  address: ByteString | null;
  glUser: ByteString | null;
  glRepo: ByteString | null;
  remoteUser: ByteString | null;
  options: readonly ByteString[];
  more: boolean;
  leftOut: boolean;
  /** The repository's own number of it, and where its artifacts lie: JSON, see vcs `Rows`. Null where it has none. */
  native: number | null;
  rows: string | null;
};

/** The number by which people know a receipt: the repository's own, where it has one. */
export const rcvidOf = ({ id, native }: Pick<Receipt, "id" | "native">): ReceiptId => (native ?? id) as ReceiptId;

type Bytes = Buffer | null;
type Row = Omit<
  Receipt,
  "user" | "claimedUser" | "address" | "glUser" | "glRepo" | "remoteUser" | "options" | "more" | "leftOut"
> & {
  user: Bytes;
  claimedUser: Bytes;
  address: Bytes;
  glUser: Bytes;
  glRepo: Bytes;
  remoteUser: Bytes;
  options: Bytes;
  more: number;
  leftOut: number;
};

const bytes = (value: Bytes): ByteString | null => (value === null ? null : fromBuffer(value));
const blob = (value: ByteString | null): Bytes => (value === null ? null : toBuffer(value));

const toReceipt = (row: Row): Receipt => ({
  ...row,
  user: bytes(row.user),
  claimedUser: bytes(row.claimedUser),
  address: bytes(row.address),
  glUser: bytes(row.glUser),
  glRepo: bytes(row.glRepo),
  remoteUser: bytes(row.remoteUser),
  options: row.options === null ? [] : (fromBuffer(row.options).split("\0").slice(0, -1) as ByteString[]),
  more: row.more === 1,
  leftOut: row.leftOut === 1,
});

const toRow = (receipt: Omit<Receipt, "id" | "leftOut">) => ({
  source: receipt.source,
  entry: receipt.entry,
  at: receipt.at,
  uid: receipt.uid,
  user: blob(receipt.user),
  claimedUser: blob(receipt.claimedUser),
  address: blob(receipt.address),
  glUser: blob(receipt.glUser),
  glRepo: blob(receipt.glRepo),
  remoteUser: blob(receipt.remoteUser),
  options:
    receipt.options.length === 0 ? null : toBuffer(receipt.options.map((text) => `${text}\0`).join("") as ByteString),
  more: Number(receipt.more),
  native: receipt.native,
  rows: receipt.rows,
});

const columns = `id, source, entry, at, uid, user, claimed_user AS claimedUser, address, gl_user AS glUser,
  gl_repo AS glRepo, remote_user AS remoteUser, options, more, left_out AS leftOut, native, rows`;

const insert = change(
  `INSERT INTO receipt (repository, source, entry, at, uid, user, claimed_user, address, gl_user, gl_repo, remote_user,
     options, more, native, rows)
   VALUES (:repository, :source, :entry, :at, :uid, :user, :claimedUser, :address, :glUser, :glRepo, :remoteUser,
     :options, :more, :native, :rows)`,
);
export const addReceipt = (
  db: Database,
  repository: RepositoryId,
  receipt: Omit<Receipt, "id" | "leftOut">,
): ReceiptId => insert(db, { ...toRow(receipt), repository }).id as ReceiptId;

const claim = change(
  `UPDATE receipt SET source = :source, entry = :entry, uid = :uid, user = :user, claimed_user = :claimedUser,
     address = :address, gl_user = :glUser, gl_repo = :glRepo, remote_user = :remoteUser, options = :options
   WHERE id = :id AND source = 'reconciled' AND entry IS NULL`,
);
/** Puts who and options of a late entry on the reconciled receipt that it explains. Its time and number stay, and so
 *  does `more`: what was handed out cannot be held back any more. False when another entry was first. */
export const claimReceipt = (db: Database, id: ReceiptId, entry: Omit<Receipt, "id" | "leftOut">): boolean =>
  claim(db, { ...toRow(entry), id }).changes === 1;

const entryKnown = one<{ known: 1 }, { entry: string }>("SELECT 1 AS known FROM receipt WHERE entry = :entry");
/** Whether a spool entry of that name is on a receipt already (the process died between the commit and the unlink). */
export const isEntryKnown = (db: Database, entry: string): boolean => entryKnown(db, { entry }) !== null;

const newest = one<{ id: ReceiptId; at: Instant }, { repository: number }>(
  "SELECT id, at FROM receipt WHERE repository = :repository ORDER BY id DESC LIMIT 1",
);
export const newestReceipt = (db: Database, repository: RepositoryId): { id: ReceiptId; at: Instant } | null =>
  newest(db, { repository });

const interval = all<Row, { repository: number; base: number; upto: number }>(
  `SELECT ${columns} FROM receipt WHERE repository = :repository AND id > :base AND id <= :upto ORDER BY id`,
);
/** The receipts of (base, upto], oldest first. */
export const receiptsBetween = (db: Database, repository: RepositoryId, base: number, upto: number): Receipt[] =>
  interval(db, { repository, base, upto }).map(toReceipt);

const single = one<Row & { repository: RepositoryId }, { id: number }>(
  `SELECT ${columns}, repository FROM receipt WHERE id = :id`,
);
export function receiptById(db: Database, id: ReceiptId): (Receipt & { repository: RepositoryId }) | null {
  const row = single(db, { id });
  return row === null ? null : { ...toReceipt(row), repository: row.repository };
}

type Waiting = { id: ReceiptId; at: Instant; more: number };
const waiting = all<Waiting, { repository: number; cursor: number }>(
  "SELECT id, at, more FROM receipt WHERE repository = :repository AND id > :cursor ORDER BY id",
);
/** What waits behind the cursor: number, time, and whether its sender said that more is coming. */
export const waitingReceipts = (db: Database, repository: RepositoryId, cursor: ReceiptId) =>
  waiting(db, { repository, cursor }).map(({ id, at, more }) => ({ id, at, moreExpected: more === 1 }));

const oldest = one<{ at: Instant }, { repository: number; cursor: number }>(
  "SELECT at FROM receipt WHERE repository = :repository AND id > :cursor ORDER BY id LIMIT 1",
);
/** When the first of what waits behind the cursor came; null where nothing does. */
export const waitingSince = (db: Database, repository: RepositoryId, cursor: ReceiptId): Instant | null =>
  oldest(db, { repository, cursor })?.at ?? null;

const repositoriesWaiting = all<{ id: RepositoryId }>(
  `SELECT id FROM repository p WHERE cursor < (SELECT max(id) FROM receipt WHERE repository = p.id)`,
);
/** Repositories that have receipts behind their cursor. */
export const repositoriesWithReceipts = (db: Database): RepositoryId[] =>
  repositoriesWaiting(db, {}).map(({ id }) => id);

/** Forgets what waits behind the cursor: it is going to be read anew. */
export const dropWaiting = change<{ repository: RepositoryId; cursor: ReceiptId }>(
  "DELETE FROM receipt WHERE repository = :repository AND id > :cursor",
);

/** The repository's own numbers of its receipts, the newest first, each with the hash in its last row ("": it has none). */
export const nativeMarks = all<{ rcvid: number; mark: string }, { repository: number }>(
  `SELECT native AS rcvid, ifnull(rows ->> 'mark', '') AS mark FROM receipt
   WHERE repository = :repository AND native IS NOT NULL ORDER BY id DESC`,
);

/** Marks a receipt as older than the window of its batch. */
export const leaveOut = change<{ id: ReceiptId }>("UPDATE receipt SET left_out = 1 WHERE id = :id");
