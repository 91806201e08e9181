/** Gates in the database: what is kept of one, that there is one for each entry, and with what they go. */
import { describe, expect, it } from "vitest";
import type { ByteString } from "../../src/core/bytes.ts";
import type { GateId, HookId, Instant, Millis, RepositoryId } from "../../src/core/units.ts";
import type { Database } from "../../src/store/database.ts";
import { addGate, type Gate, gateById, updatesOfGate } from "../../src/store/gate.ts";
import { forgetPast } from "../../src/store/past.ts";
import { removeRepository } from "../../src/store/repository.ts";
import { addGateRun, openRuns, runById } from "../../src/store/run.ts";
import { attemptsOf, dropRun, releaseRun } from "../../src/store/run-view.ts";
import { freshDatabase, register } from "./fixture.ts";

const bytes = (text: string) => text as ByteString;
const wild = bytes("\xff\x00\n'");
const at = 1000 as Instant;

const gate = (repository: RepositoryId, change: Partial<Gate> = {}): Omit<Gate, "id"> => ({
  ...{ repository, entry: "1.entry", type: "before-receive", native: "pre-receive", at, took: 5 as Millis, uid: 7 },
  ...{ user: wild, claimedUser: null, verdict: "broken", reason: wild, branch: null },
  ...{ authorName: wild, authorEmail: bytes(""), authorDate: null },
  ...change,
});
const updates = [
  { ref: wild, old: "0", new: "1" },
  { ref: bytes("refs/heads/a"), old: "1", new: "0" },
  { ref: wild, old: "1", new: "2" },
];

/** Adds a gate that is not there yet. */
function add(db: Database, repository: RepositoryId, change: Partial<Gate> = {}): GateId {
  const id = addGate(db, gate(repository, change), updates);
  if (id === null) throw new Error("it is there already");
  return id;
}

/** Adds a run to a gate. */
const addRun = (db: Database, repository: RepositoryId, of: GateId) =>
  addGateRun(db, {
    ...{ incarnation: "a", repository, hook: 3 as HookId, hookName: null, type: "before-receive", sequence: 10 },
    ...{ gate: of, state: "failed", reason: "exit 1", endedAt: at },
    attempt: { outcome: "exit", exitCode: 1, detail: null, startedAt: at, endedAt: at, took: 5 as Millis },
  });

describe("a gate", () => {
  it("is kept with every byte of its names, its updates in their order", () => {
    const db = freshDatabase();
    const repository = register(db);
    const id = add(db, repository);
    expect(gateById(db, id)).toEqual({ ...gate(repository), id });
    expect(updatesOfGate(db, id)).toEqual(updates);
    expect(gateById(db, 99 as GateId)).toBeNull();
  });

  it("is there once for each entry: a second one changes nothing", () => {
    const db = freshDatabase();
    const repository = register(db);
    const id = add(db, repository);
    expect(addGate(db, gate(repository, { verdict: "pass" }), updates)).toBeNull();
    expect(gateById(db, id)?.verdict).toBe("broken");
    expect(updatesOfGate(db, id)).toHaveLength(3);
    expect(add(db, repository, { entry: "2.entry" })).toBeGreaterThan(id);
  });

  it("has runs that are over, which no backoffice takes up and nobody can release or drop", () => {
    const db = freshDatabase();
    const repository = register(db);
    const id = addRun(db, repository, add(db, repository));
    expect(runById(db, id)).toMatchObject({ batch: null, state: "failed", attempts: 1, failures: 1, endedAt: at });
    expect(attemptsOf(db, id)).toMatchObject([{ number: 1, outcome: "exit", exitCode: 1, took: 5, outputHead: null }]);
    expect([...openRuns(db, repository)]).toEqual([]);
    expect([releaseRun(db, id, at), dropRun(db, id, "no", at)]).toEqual([false, false]);
  });

  it.for([
    ["its repository is removed", (db: Database, repository: RepositoryId) => removeRepository(db, { id: repository })],
    ["a copied home forgets its past", (db: Database) => forgetPast(db)],
  ] as const)("goes with its runs and updates when %s", ([, go]) => {
    const db = freshDatabase();
    const repository = register(db);
    addRun(db, repository, add(db, repository));
    go(db, repository);
    for (const table of ["gate", "gate_update", "run", "attempt"])
      expect(db.sqlite.prepare(`SELECT count(*) FROM ${table}`).pluck().get(), table).toBe(0);
  });
});
