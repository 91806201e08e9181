/**
 * What the lines of a list cannot say of the artifacts of a range: which files a check-in deleted or renamed, the names
 * of tags, which artifacts are private, and who, where and when in fields that cannot be mistaken for one another.
 *
 * A check-in is told as it is today, with what was amended; its files as table `mlink` has them, against the primary
 * parent. Tags are told as they were given, from the cards of the artifacts that gave them: one that another cancelled or
 * replaced since then is in no table, and its line says `unknown`. Those that a check-in gives itself (`commit --tag`) are
 * told from the tables.
 *
 * All of it is held in memory, and is made of what strangers pushed. So it has limits, and of what goes beyond them the
 * number is told; whoever needs it asks fossil by the hashes of the list. Proven by test/vcs/fossil-details.test.ts.
 */
import type BetterSqlite3 from "better-sqlite3";
import { type ByteString, fromBuffer } from "../../core/bytes.ts";
import type { CheckinDetails, Details, FileChange, RcvRange, TagChange } from "../repository.ts";
import { contentReader } from "./content.ts";
import { checkinsOf } from "./paths.ts";
import { ridsOf } from "./rids.ts";

type Db = BetterSqlite3.Database;

/** `controls`: artifacts that give tags to others. `files`: of all check-ins together. `text`: bytes of what check-ins
 *  say, and again of what tags do. */
export type Limits = { checkins: number; controls: number; files: number; private: number; text: number };

export const DETAIL_LIMITS: Limits = {
  checkins: 1_000,
  controls: 1_000,
  files: 10_000,
  private: 10_000,
  text: 4 * 1024 * 1024,
};

/** The details of a range, each list in the order of rows and whole up to its limit. Reads in the caller's transaction. */
export function readDetails(db: Db, range: RcvRange, limits: Limits = DETAIL_LIMITS): Details {
  const rids = JSON.stringify(ridsOf(db, range));
  const ofType = db
    .prepare<[string, string], number>(
      "SELECT objid FROM json_each(?) AS wanted JOIN event ON objid = wanted.value WHERE event.type = ? ORDER BY objid",
    )
    .pluck();
  const all = { checkins: ofType.all(rids, "ci"), controls: ofType.all(rids, "g") };
  const checkins = [...checkinDetails(db, all.checkins.slice(0, limits.checkins), limits)];
  const own = all.checkins.slice(0, checkins.length).flatMap(ownTags(db));
  const { tags, told } = tagChanges(db, all.controls.slice(0, limits.controls), limits.text);
  const hidden = "FROM json_each(?) AS wanted JOIN private ON private.rid = wanted.value JOIN blob USING (rid)";
  const count = db.prepare<[string], number>(`SELECT count(*) ${hidden}`).pluck().get(rids) ?? 0;
  const uuids = db.prepare<[string, number], string>(`SELECT uuid ${hidden} ORDER BY rid LIMIT ?`).pluck();
  const hashes = count === 0 ? [] : uuids.all(rids, limits.private);
  return {
    checkins,
    tags: [...own, ...tags],
    private: hashes,
    more: {
      checkins: all.checkins.length - checkins.length,
      tags: all.controls.length - told,
      private: count - hashes.length,
    },
  };
}

type FileRow = { path: Buffer; was: Buffer | null; fid: number; pid: number };

function* checkinDetails(db: Db, rids: readonly number[], limits: Limits): Generator<CheckinDetails> {
  const isPrivate = db.prepare<[number], number>("SELECT 1 FROM private WHERE rid = ?").pluck();
  const countFiles = db.prepare<[number], number>("SELECT count(*) FROM mlink WHERE mid = ? AND NOT isaux").pluck();
  const changesOf = db.prepare<[number, number], FileRow>(
    `SELECT CAST(new.name AS BLOB) AS path, CAST(old.name AS BLOB) AS was, fid, pid
     FROM mlink JOIN filename AS new USING (fnid) LEFT JOIN filename AS old ON old.fnid = pfnid
     WHERE mid = ? AND NOT isaux ORDER BY CAST(new.name AS BLOB) LIMIT ?`,
  );
  let { files: room, text } = limits;
  for (const { rid, ...checkin } of checkinsOf(db, rids)) {
    text -= checkin.user.length + checkin.branch.length + checkin.comment.length + checkin.parents.join().length;
    if (text < 0) return;
    const files: FileChange[] = [];
    for (const row of room > 0 ? changesOf.all(rid, room) : []) {
      text -= row.path.length + (row.was?.length ?? 0);
      if (text < 0) break;
      files.push(fileChange(row));
    }
    room -= files.length;
    const moreFiles = room > 0 && text >= 0 ? 0 : (countFiles.get(rid) ?? 0) - files.length;
    yield { ...checkin, private: isPrivate.get(rid) === 1, files, moreFiles };
  }
}

/** `pid` is 0 where the parent has no such file, and -1 where a merge brought it. */
function fileChange({ path, was, fid, pid }: FileRow): FileChange {
  const name = fromBuffer(path);
  if (fid === 0) return { path: name, change: "deleted" };
  if (was !== null) return { path: name, change: "renamed", from: fromBuffer(was) };
  return { path: name, change: pid > 0 ? "edited" : "added" };
}

type OwnTag = { hash: string; name: Buffer; value: Buffer | null };

/** The tags that a check-in gives itself alone; what it begins for its descendants is its branch. */
function ownTags(db: Db): (rid: number) => TagChange[] {
  const given = db.prepare<[number], OwnTag>(
    `SELECT uuid AS hash, CAST(tagname AS BLOB) AS name, CAST(value AS BLOB) AS value
     FROM tagxref JOIN tag USING (tagid) JOIN blob ON blob.rid = tagxref.rid
     WHERE tagxref.rid = ? AND srcid = tagxref.rid AND tagtype = 1 ORDER BY tagname`,
  );
  return (rid) =>
    given.all(rid).map(({ hash, name, value }) => {
      const tag = { artifact: hash, name: fromBuffer(name), target: hash, change: "added" } as const;
      return value === null ? tag : { ...tag, value: fromBuffer(value) };
    });
}

/** Longer control artifacts are not read. */
const LONG = 1024 * 1024;

/** The tags that control artifacts give or cancel, and how many of these were read: all before the first that does not
 *  fit, but for those that cannot be read. */
function tagChanges(db: Db, rids: readonly number[], limit: number): { tags: TagChange[]; told: number } {
  const read = contentReader(db);
  const blob = db.prepare<[number], { hash: string; size: number }>(
    "SELECT uuid AS hash, size FROM blob WHERE rid = ?",
  );
  const tags: TagChange[] = [];
  let told = 0;
  let text = limit;
  for (const rid of rids) {
    const { hash, size } = blob.get(rid) ?? { hash: "", size: LONG + 1 };
    const content = size > LONG ? null : read(rid);
    if (content === null) continue;
    text -= content.length;
    if (text < 0) break;
    told += 1;
    for (const line of content.toString("latin1").split("\n")) tags.push(...tagOf(hash, line));
  }
  return { tags, told };
}

const CHANGES = { "+": "added", "*": "propagated", "-": "cancelled" } as const;

/** The tag of a line `T (+|-|*)NAME TARGET VALUE?`; nothing of another line. */
function tagOf(artifact: string, line: string): TagChange[] {
  const [, sign, name = "", target = "", value] = /^T ([-+*])([^ ]+) ([0-9a-f]{40,64})(?: ([^ ]+))?$/.exec(line) ?? [];
  if (sign !== "+" && sign !== "*" && sign !== "-") return [];
  const tag = { artifact, name: plain(name), target, change: CHANGES[sign] };
  return [value === undefined ? tag : { ...tag, value: plain(value) }];
}

const ESCAPES: Record<string, string> = { s: " ", n: "\n", t: "\t", r: "\r", v: "\v", f: "\f", 0: "\0" };

/** A word of a card as it was before Fossil wrote blanks and the like with backslashes. */
const plain = (word: string): ByteString =>
  word.replace(/\\(.)/gs, (_, letter: string) => ESCAPES[letter] ?? letter) as ByteString;
