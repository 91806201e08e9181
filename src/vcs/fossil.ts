/** Fossil repositories, read-only: the parts in fossil/ behind the interface that every kind has. */
import type BetterSqlite3 from "better-sqlite3";
import type { ByteString } from "../core/bytes.ts";
import { toBuffer } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import { parsePathspecs } from "../core/pathspec.ts";
import { readArrivals, readReceipts, watermarkAfter } from "./fossil/arrivals.ts";
import { readDetails } from "./fossil/details.ts";
import { fossilFingerprint } from "./fossil/fingerprint.ts";
import { listArtifacts } from "./fossil/listing.ts";
import { readFossil } from "./fossil/open.ts";
import { branchesOf, changedPaths } from "./fossil/paths.ts";
import { Spill } from "./fossil/spill.ts";
import { type FossilRepository, rcvRange } from "./repository.ts";

export { type FossilIdentity, findFossil, identifyFossil, isCheckout, looksLikeFossil } from "./fossil/identity.ts";

/** How long (ms) a look waits for a lock. */
const LOOK_PATIENCE = 300;

/** The repository in the file at a real path. Keeps nothing open: each call opens the file, reads in one transaction, and
 *  closes it before anything is handed on. */
export function openFossil(file: string): FossilRepository {
  return {
    kind: "fossil",
    path: file,
    fingerprint: (previous, now) => fossilFingerprint(file, previous, now),
    // A look has others to see to: one that is locked is looked at again soon.
    arrivals: (since, waiting, known) =>
      readFossil(file, (db) => readArrivals(db, file, since, waiting, known), { patience: LOOK_PATIENCE }),
    receipts: (base, upto) => readFossil(file, (db) => readReceipts(db, base, upto)),
    positionAfter: (rcvid) => readFossil(file, (db) => watermarkAfter(db, rcvid)),
    branches: (range) => readFossil(file, (db) => branchesOf(db, rcvRange(range))),
    details: (range) => readFossil(file, (db) => readDetails(db, rcvRange(range))),
    artifacts: (range) => readWhole(file, (db) => listArtifacts(db, rcvRange(range))),
    paths: (range, pathspecs) =>
      readWhole(file, (db) => pathLines(changedPaths(db, rcvRange(range)), matcher(pathspecs))),
    touches: (range, pathspecs) => {
      const matches = matcher(pathspecs);
      return readFossil(file, (db) => {
        for (const { path } of changedPaths(db, rcvRange(range))) if (matches(path)) return true;
        return false;
      });
    },
  };
}

/** Reads all of it in one transaction, then hands it on. */
async function* readWhole(
  file: string,
  read: (db: BetterSqlite3.Database) => Iterable<Buffer>,
): AsyncGenerator<Buffer> {
  const spill = new Spill();
  try {
    await readFossil(file, (db) => {
      spill.clear(); // of an attempt that met a lock
      for (const chunk of read(db)) spill.add(chunk);
    });
    yield* spill.read();
  } finally {
    spill.close();
  }
}

function matcher(pathspecs: readonly string[]): (path: ByteString) => boolean {
  if (pathspecs.length === 0) return () => true;
  const parsed = parsePathspecs(pathspecs);
  if (!parsed.ok) throw new GatepostError("GP_USAGE", parsed.reason);
  return parsed.matches;
}

const NUL = Buffer.from([0]);

function* pathLines(paths: ReturnType<typeof changedPaths>, matches: (path: ByteString) => boolean): Generator<Buffer> {
  for (const { path, present } of paths) if (present && matches(path)) yield Buffer.concat([toBuffer(path), NUL]);
}
