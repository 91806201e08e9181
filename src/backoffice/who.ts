/**
 * Who pushed. The system vouches for one thing only: which user owns the entry's file. GL_USER and REMOTE_USER come from
 * the environment of the pushing process; they are believed when that process ran as the home's owner (then the server
 * set them), and kept as a claim when it ran as anybody else.
 */
import { type ByteString, fromText } from "../core/bytes.ts";
import type { Instant } from "../core/units.ts";
import { userName } from "../process/users.ts";
import type { Spooled } from "../spool/drain.ts";
import type { Entry } from "../spool/entry.ts";
import type { Receipt } from "../store/receipt.ts";

/** The push option by which a sender says that more is coming. */
const MORE = fromText("gatepost.more");

/** Who is behind an entry: the user who is believed, and who is only claimed. */
export function senderOf(
  { uid, entry }: Spooled<Pick<Entry, "glUser" | "remoteUser">>,
  homeUid: number,
): { user: ByteString; claimedUser: ByteString | null } {
  const named = entry.glUser ?? entry.remoteUser;
  const believed = uid === homeUid;
  return {
    user: believed && named !== null ? named : fromText(userName(uid)),
    claimedUser: believed ? null : named,
  };
}

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
      native: null,
      rows: null,
    };
  const { entry, uid, name } = source;
  return {
    source: entry.kind,
    entry: name,
    at,
    uid,
    ...senderOf(source, homeUid),
    address: entry.address,
    glUser: entry.glUser,
    glRepo: entry.glRepo,
    remoteUser: entry.remoteUser,
    options: entry.options,
    more: entry.options.includes(MORE),
    native: null,
    rows: null,
  };
}
