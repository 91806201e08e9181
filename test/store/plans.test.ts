/**
 * The plans of all statements: what a pass does must not grow with the history that a home keeps. Each statement that
 * reads a table or an index from end to end is listed here with the reason why it may.
 */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { STATEMENTS } from "../../src/store/database.ts";
import { freshDatabase } from "./fixture.ts";

const folder = new URL("../../src/store/", import.meta.url);
for (const file of readdirSync(folder)) await import(new URL(file, folder).href);

const db = freshDatabase();
const oneLine = (sql: string): string => sql.replace(/\s+/g, " ").trim();

/** The lines of a statement's plan that read a table, or an index, from end to end; rows that it looks up to keep
 *  references whole are in the plan too. */
function scans(sql: string): string[] {
  const values = Object.fromEntries([...sql.matchAll(/:(\w+)/g)].map(([, name = ""]) => [name, null]));
  const plan = db.sqlite.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(values) as { detail: string }[];
  return plan.map(({ detail }) => detail).filter((detail) => /^SCAN (?!pragma_|json_each)/.test(detail));
}

/** Statement (how it begins and ends), what it reads whole, and why it may. */
const whole: readonly [RegExp, string[], string][] = [
  [
    /^SELECT id, name, kind, .* FROM repository ORDER BY name$/,
    ["repository USING INDEX sqlite_autoindex_repository_1"],
    "the repositories of a home",
  ],
  [
    /^SELECT path FROM repository$/,
    ["repository USING COVERING INDEX sqlite_autoindex_repository_2"],
    "the repositories of a home, when a folder below a root changed",
  ],
  [/^SELECT r\.id AS receipt, .* WHERE b\.left_out > 0 /, ["b"], "what windows left out, asked for by a person"],
  [/^SELECT path, seen FROM root/, ["root"], "a handful of roots"],
  [/^SELECT id FROM repository p WHERE cursor </, ["p"], "one row for each repository"],
  [/^SELECT id, name, scope, .* FROM hook ORDER BY id$/, ["hook"], "the hooks of a home"],
  [/^SELECT id FROM hook WHERE applied = 1 /, ["hook"], "the hooks of a home, when a file is applied"],
  [
    /^SELECT count\(\*\) AS hooks FROM hook$/,
    ["hook USING COVERING INDEX hook_repository"],
    "whether a home has hooks, before a backup replaces them",
  ],
  [/^SELECT name, value FROM setting$/, ["setting"], "a handful of settings"],
  // Partial indexes: they hold what waits or is open, never what is over.
  [/^SELECT DISTINCT repository FROM run WHERE state IN/, ["run USING INDEX run_open"], "open runs only"],
  [/^SELECT id, incarnation FROM run WHERE state IN/, ["run USING INDEX run_open"], "open runs only"],
  [/^SELECT run, number, .* FROM attempt WHERE ended_at IS NULL/, ["attempt USING INDEX attempt_open"], "open ones"],
  [/^SELECT r\.hook FROM attempt a CROSS JOIN run r /, ["a USING INDEX attempt_open"], "open ones"],
  [/^SELECT 1 AS found FROM run WHERE state IN/, ["run USING INDEX run_open"], "open runs only, up to the first"],
  [/^SELECT repository, hook, .* WHERE state IN .* GROUP BY/, ["run USING INDEX run_open"], "open runs only"],
  [/^SELECT repository, hook, .* WHERE state = 'parked' GROUP BY/, ["run USING INDEX run_parked"], "parked runs only"],
  [/^SELECT id, paused FROM hook WHERE paused IS NOT NULL/, ["hook"], "the hooks of a home, asked for by a person"],
  // Not part of a pass.
  [/^SELECT .*, note FROM run .* ORDER BY id DESC LIMIT :limit$/, ["run"], "asked for by a person, newest first"],
  [
    /^DELETE FROM \w+$/,
    ["run", "event", "gate", "batch", "ref_update", "receipt", "ref"],
    "a copied home forgets its past",
  ],
  [/^UPDATE repository SET cursor = 0,/, ["repository"], "a copied home forgets its past"],
  [/^SELECT .* FROM run WHERE state IN \(SELECT .* AND gate IS NULL .* ORDER BY id$/, ["run"], "asked for by a person"],
  // Only when a backup is restored.
  [/ sqlite_sequence\b/, ["sqlite_sequence"], "a row for each table"],
  [/^UPDATE repository SET fingerprint = NULL, looked_at = 0$/, ["repository"], "a restored home is looked at"],
  // Once an hour, in steps, up to the first row that is kept.
  [/^DELETE FROM batch WHERE id IN/, ["b"], "retention"],
  [/^DELETE FROM receipt WHERE id IN/, ["r"], "retention"],
  [/^DELETE FROM event WHERE id IN/, ["e"], "retention"],
];

/** The statements of src/store/invariants.ts, by which doctor judges all that is there. */
const isJudge = /^\/\* I\d+ \*\//;

/** What a statement reads whole once for each row of something else. */
function scansForEach(sql: string): string[] {
  const values = Object.fromEntries([...sql.matchAll(/:(\w+)/g)].map(([, name = ""]) => [name, null]));
  const plan = db.sqlite.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(values) as {
    id: number;
    parent: number;
    detail: string;
  }[];
  const isInner = (parent: number): boolean => {
    const node = plan.find(({ id }) => id === parent);
    return node !== undefined && (node.detail.startsWith("CORRELATED") || isInner(node.parent));
  };
  return plan
    .filter(({ id, parent, detail }) => {
      const isSecond = plan.some(
        (other) => other.parent === parent && other.id < id && /^(SCAN|SEARCH)/.test(other.detail),
      );
      return /^SCAN (?!CONSTANT ROW)/.test(detail) && (isInner(parent) || isSecond);
    })
    .map(({ detail }) => detail);
}

describe("the statements of the store", () => {
  it("are all known here", () => {
    expect(STATEMENTS.size).toBeGreaterThan(60);
  });

  it.for([...STATEMENTS].map(oneLine).filter((sql) => !isJudge.test(sql)))("%s", (sql) => {
    const allowed = whole.find(([pattern]) => pattern.test(sql))?.[1] ?? [];
    const more = scans(sql).filter((detail) => !allowed.includes(detail.replace(/^SCAN /, "")));
    expect(more).toEqual([]);
  });

  it.for([...STATEMENTS].map(oneLine).filter((sql) => isJudge.test(sql)))("reads nothing whole twice: %s", (sql) => {
    // Who changed hooks is asked only where a stretch of receipts is in no batch.
    expect(scansForEach(sql).filter((detail) => detail !== "SCAN hook_audit")).toEqual([]);
  });

  it("that may read a whole table are still there and still do", () => {
    const idle = whole.filter(([pattern]) => {
      const found = [...STATEMENTS].map(oneLine).filter((sql) => pattern.test(sql));
      return found.length === 0 || found.every((sql) => scans(sql).length === 0);
    });
    expect(idle.map(([pattern]) => String(pattern))).toEqual([]);
  });
});
