/** Whether a home keeps its promises, for tests that have not opened it. */
import { layout } from "../../src/core/layout.ts";
import { invariants, type Judging, type Violation } from "../../src/home/doctor/invariants.ts";
import { closeDatabase, openDatabase } from "../../src/store/database.ts";

/** The broken promises of the home at a path. */
export async function brokenPromises(dir: string, judging: Judging = {}): Promise<Violation[]> {
  const places = layout(dir);
  const home = { dir, layout: places, db: openDatabase(places.database) };
  try {
    return await invariants(home, judging);
  } finally {
    closeDatabase(home.db);
  }
}
