/** What a copied home forgets: everything that happened in the one it was copied from. Hooks and audit stay. */
import { change, type Database } from "./database.ts";

const statements = ["run", "event", "gate", "batch", "ref_update", "receipt", "ref"].map((table) =>
  change(`DELETE FROM ${table}`),
);
const resetCursor = change(
  "UPDATE repository SET cursor = 0, fingerprint = NULL, looked_at = 0, parked = NULL, held_from = NULL",
);

export function forgetPast(db: Database): void {
  for (const statement of statements) statement(db, {});
  resetCursor(db, {});
}
