/** A database in a temporary folder with one registered repository, for the tests of the store. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { Instant, RepositoryId } from "../../src/core/units.ts";
import { closeDatabase, createDatabase, type Database } from "../../src/store/database.ts";
import { addRepository } from "../../src/store/repository.ts";

/** A temporary folder, gone when the tests of the file are done. */
export function temporary(): string {
  const folder = fs.mkdtempSync(join(tmpdir(), "gatepost-store-"));
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A new database, closed when the tests of the file are done. */
export function freshDatabase(): Database {
  const db = createDatabase(join(temporary(), "gatepost.db"));
  afterAll(() => closeDatabase(db));
  return db;
}

export const register = (db: Database, name = "app.git"): RepositoryId =>
  addRepository(db, {
    ...{ name, kind: "git", path: `/srv/${name}`, inode: 1, workTree: null, objectFormat: "sha1" },
    now: 1 as Instant,
  });
