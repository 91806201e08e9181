/** What a copied home forgets: everything that happened in the one it was copied from. Hooks and audit stay. */
import { change, type Database } from "./database.ts";

const statements = ["run", "event", "gate", "batch", "ref_update", "receipt", "ref"].map((table) =>
  change(`DELETE FROM ${table}`),
);
const resetCursor = change(
  `UPDATE repository SET cursor = 0, fingerprint = NULL, looked_at = 0, parked = NULL, held_from = paused ->> 'at'`,
);

// Two replays of one run would be none of any while the runs go one after the other, and that is refused.
const loosen = change("UPDATE run SET replay_of = id WHERE replay_of IS NOT NULL");

export function forgetPast(db: Database): void {
  loosen(db, {});
  for (const statement of statements) statement(db, {});
  resetCursor(db, {});
}
