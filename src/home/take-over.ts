/**
 * The position from which a Fossil repository's receipts are handed out, when its hooks change hands.
 *
 * Fossil keeps its own cursor (hook-last-rcvid). Taking over means that our first batch begins right behind it, whatever
 * was seen since the repository was registered; giving back tells Fossil how far we came. Receipts that were handed out
 * by neither stay waiting.
 */
import { watermarkOf } from "../backoffice/arrivals.ts";
import { lastCut } from "../store/batch.ts";
import { write } from "../store/database.ts";
import { dropWaiting, receiptById, receiptsBetween } from "../store/receipt.ts";
import { forgetFingerprint, putWatermark, type RepositoryRow, repositoryById } from "../store/repository.ts";
import { openFossil } from "../vcs/fossil.ts";
import type { OpenHome } from "./open.ts";

/**
 * Makes everything after Fossil's cursor wait for the next batch, and returns the receipt behind which it begins.
 * `lastRcvid` null: Fossil never ran a hook here, and would begin with the last day, which the window of the batch sees
 * to. Where a batch of ours was cut behind that point already, what it held is not handed out again: then the number
 * returned is higher. To be called before the hooks are switched on; calling it again changes nothing more.
 */
export async function takeOverAt(home: OpenHome, row: RepositoryRow, lastRcvid: number | null): Promise<number> {
  const cut = lastCut(home.db, row.id);
  const from = Math.max((cut === null ? null : receiptById(home.db, cut)?.native) ?? 0, lastRcvid ?? 0);
  const position = await openFossil(row.path).positionAfter(from);
  write(home.db, () => {
    const { id, cursor } = repositoryById(home.db, row.id) ?? row;
    dropWaiting(home.db, { repository: id, cursor });
    putWatermark(home.db, { id, watermark: JSON.stringify(position), embargo: null });
    forgetFingerprint(home.db, { id });
  });
  return from;
}

/** How far a Fossil repository was handed out, by Fossil's numbers: the receipt before the first that waits; null where
 *  that is not known, and for repositories of other kinds. */
export function nativeCursor(home: OpenHome, { id }: Pick<RepositoryRow, "id">): number | null {
  const row = repositoryById(home.db, id);
  if (row === null || row.watermark === null) return null;
  const [first] = receiptsBetween(home.db, id, row.cursor, Number.MAX_SAFE_INTEGER).flatMap(
    ({ native }) => native ?? [],
  );
  return first === undefined ? (watermarkOf(row)?.rcvid ?? null) : first - 1;
}
