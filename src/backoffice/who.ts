/**
 * Who pushed. The system vouches for one thing only: which user owns the entry's file. GL_USER and REMOTE_USER come from
 * the environment of the pushing process; they are believed when that process ran as the home's owner (then the server
 * set them), and kept as a claim when it ran as anybody else.
 */
import { type ByteString, fromText } from "../core/bytes.ts";
import type { Instant } from "../core/units.ts";
import { userName } from "../process/users.ts";
import type { Spooled } from "../spool/drain.ts";
import type { Receipt } from "../store/receipt.ts";

/** The push option by which a sender says that more is coming. */
const MORE = fromText("gatepost.more");

/** The receipt that an entry makes; without one, a reconciled receipt of which only the time is known. */
export function receiptOf(source: Spooled | null, at: Instant, homeUid: number): Omit<Receipt, "id" | "leftOut"> {
  if (source === null)
    return {
      source: "reconciled",
      entry: null,
      at,
      uid: null,
      user: null,
      claimedUser: null,
      address: null,
      glUser: null,
      glRepo: null,
      remoteUser: null,
      options: [],
      more: false,
    };
  const { entry, uid, name } = source;
  const named: ByteString | null = entry.glUser ?? entry.remoteUser;
  const believed = uid === homeUid;
  return {
    source: entry.kind,
    entry: name,
    at,
    uid,
    user: believed && named !== null ? named : fromText(userName(uid)),
    claimedUser: believed ? null : named,
    address: entry.address,
    glUser: entry.glUser,
    glRepo: entry.glRepo,
    remoteUser: entry.remoteUser,
    options: entry.options,
    more: entry.options.includes(MORE),
  };
}
