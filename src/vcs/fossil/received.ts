/** With which receipt of Fossil's an artifact came. */
import { type ByteString, toText } from "../../core/bytes.ts";
import { GatepostError } from "../../core/errors.ts";
import { readFossil } from "./open.ts";

/** `rid`: its row. */
export type Received = { hash: string; rcvid: number; rid: number };

/** The artifact of that hash or beginning of one (four digits at least), or else the newest check-in with that tag or on
 *  that branch; null where there is none, or its content has not come. GP_USAGE where several hashes begin so. */
export function receivedAs(file: string, word: ByteString): Promise<Received | null> {
  return readFossil(file, (db) => {
    if (/^[0-9a-f]{4,64}$/.test(word)) {
      const found = db
        .prepare<[string, string], Received>(
          "SELECT uuid AS hash, rcvid, rid FROM blob WHERE uuid >= ? AND uuid < ? AND size >= 0 LIMIT 2",
        )
        .all(word, `${word}g`);
      if (found.length > 1)
        throw new GatepostError("GP_USAGE", `More than one artifact begins with ${word}.`, {
          hint: "Give more digits of its hash.",
        });
      if (found[0] !== undefined) return found[0];
    }
    const tagged = db.prepare<[string], Received>(
      `SELECT b.uuid AS hash, b.rcvid, b.rid FROM tag AS t
       JOIN tagxref AS x ON x.tagid = t.tagid AND x.tagtype > 0 JOIN blob AS b ON b.rid = x.rid
       WHERE t.tagname = ? AND b.size >= 0 ORDER BY x.mtime DESC LIMIT 1`,
    );
    return tagged.get(`sym-${toText(word) ?? word}`) ?? null;
  });
}
