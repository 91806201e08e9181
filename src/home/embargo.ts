/** Until when the receipts of a repository are held back. */
import { embargoUntil } from "../core/cut.ts";
import type { Instant } from "../core/units.ts";
import { waitingReceipts } from "../store/receipt.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { OpenHome } from "./open.ts";

/** The end of the embargo on what waits in the repository; null when nothing is held back. */
export const embargoOf = (home: OpenHome, row: RepositoryRow, now: number): Instant | null =>
  embargoUntil(waitingReceipts(home.db, row.id, row.cursor), row.embargo, now as Instant);
