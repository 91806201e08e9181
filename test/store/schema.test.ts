/** The model's own guards: what schema.sql refuses whoever writes, and that no number is ever given out twice. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { closeDatabase, openDatabase } from "../../src/store/database.ts";
import { removeRepository } from "../../src/store/repository.ts";
import { freshDatabase, register } from "./fixture.ts";

const db = freshDatabase();
const app = register(db);

/** Rows that are fine; each case below spoils one of them. */
const fine = {
  hook: { scope: "'repository'", repository: app, type: "'after-receive'", command: "'true'" },
  hook_audit: { at: 1, uid: 0, user: "'root'", action: "'edit'", hook: 1, old: "'{}'", new: "'{}'" },
  receipt: { repository: app, source: "'push'", at: 1 },
  ref_update: { receipt: 1, repository: app, name: "x'61'", old: "'0'", new: "'1'", how: "'entry'" },
  batch: { repository: app, base: 0, upto: 1, cut_at: 1, receipts: 1 },
  gate: {
    ...{ repository: app, entry: "'1.entry'", type: "'before-commit'", native: "'pre-commit'", at: 1, took: 1 },
    ...{ uid: 0, user: "x'61'", verdict: "'pass'" },
  },
  gate_update: { gate: 1, number: 1, name: "x'61'", old: "'0'", new: "'1'" },
  run: {
    ...{ incarnation: "'a'", repository: app, hook: 1, type: "'after-receive'", sequence: 10, batch: 1 },
    ...{ state: "'waiting'", due_at: 1, made_at: 1 },
  },
  attempt: { run: 1, number: 1, token: 1, started_at: 1 },
  repository: { name: "'b'", kind: "'git'", path: "'/b'", inode: 1, registered_at: 1 },
  setting: { name: "'n'", value: "'v'" },
  lease: { id: 2, token: 0 },
} as const;
type Table = keyof typeof fine;

function insert(table: Table, spoilt: Readonly<Record<string, string | number>> = {}): number {
  const row: Record<string, string | number> = { ...fine[table], ...spoilt };
  const sql = `INSERT INTO ${table} (${Object.keys(row)}) VALUES (${Object.values(row)})`;
  return Number(db.sqlite.prepare(sql).run().lastInsertRowid);
}

/** Takes back whatever the work did. */
function undone(work: () => void): void {
  db.sqlite.exec("BEGIN");
  try {
    for (const table of ["receipt", "batch", "gate", "run"] as const) insert(table, { id: 1 });
    work();
  } finally {
    db.sqlite.exec("ROLLBACK");
  }
}

describe("the schema", () => {
  it.for(Object.keys(fine).filter((table) => table !== "lease") as Table[])("takes a %s as it should be", (table) => {
    undone(() => {
      const id = ["receipt", "batch", "gate", "run"].includes(table) ? { id: 1 } : {};
      if ("id" in id) db.sqlite.exec(`DELETE FROM ${table}`);
      expect(insert(table, id)).toBeGreaterThan(0);
    });
  });

  const refused: [table: Table, spoilt: Record<string, string | number>][] = [
    ["repository", { kind: "'cvs'" }],
    ["repository", { path: "'/srv/app.git'" }],
    ["repository", { name: "'app.git'" }],
    ["repository", { inode: "'text'" }],
    ["hook", { scope: "'some'" }],
    ["hook", { scope: "'all'" }],
    ["hook", { repository: "NULL" }],
    ["hook", { repository: 99 }],
    ["hook", { pattern: "'x'" }],
    ["hook", { scope: "'pattern'", repository: "NULL" }],
    ["hook", { name: "'1st'" }],
    ["hook", { name: "''" }],
    ["hook", { command: "NULL" }],
    ["hook", { was_type: "'commit-msg'" }],
    ["hook", { timeout: 0 }],
    ["hook", { retries: -1 }],
    ["hook", { refs: "'no json'" }],
    ["hook", { paths: "'no json'" }],
    ["hook", { stdin: "'all'" }],
    ["hook", { each: "'batch'" }],
    ["hook", { in_order: 2 }],
    ["hook", { sequence: "'ten'" }],
    ["hook_audit", { action: "'look'" }],
    ["hook_audit", { action: "'add'" }],
    ["hook_audit", { action: "'delete'" }],
    ["hook_audit", { old: "NULL" }],
    ["hook_audit", { new: "NULL" }],
    ["hook_audit", { new: "'no json'" }],
    ["receipt", { source: "'mail'" }],
    ["receipt", { source: "'reconciled'", claimed_user: "x'61'" }],
    ["receipt", { more: 2 }],
    ["receipt", { repository: 99 }],
    ["ref_update", { how: "'guessed'" }],
    ["ref_update", { name: "'text'" }],
    ["ref_update", { receipt: 99 }],
    ["batch", { base: 5, upto: 5 }],
    ["batch", { base: 0, upto: 2 }],
    ["batch", { base: -1, upto: 1 }],
    ["run", { state: "'gone'" }],
    ["run", { due_at: "NULL" }],
    ["run", { state: "'running'" }],
    ["run", { state: "'done'", due_at: "NULL" }],
    ["run", { ended_at: 1 }],
    ["run", { state: "'skipped'", due_at: "NULL", ended_at: 1 }],
    ["run", { state: "'parked'", due_at: "NULL", ended_at: 1 }],
    ["run", { note: "'no json'" }],
    ["run", { hook: 1, batch: 1 }],
    ["run", { batch: 99, hook: 2 }],
    ["run", { batch: "NULL" }],
    ["run", { gate: 1, hook: 2 }],
    ["run", { batch: "NULL", gate: 1 }],
    ["run", { batch: "NULL", gate: 99, state: "'done'", due_at: "NULL", ended_at: 1 }],
    ["gate", {}],
    ["gate", { entry: "'2.entry'", verdict: "'maybe'" }],
    ["gate", { entry: "'2.entry'", took: -1 }],
    ["gate", { entry: "'2.entry'", user: "'text'" }],
    ["gate", { entry: "'2.entry'", repository: 99 }],
    ["gate_update", { gate: 99 }],
    ["gate_update", { name: "'text'" }],
    ["attempt", { number: 0 }],
    ["attempt", { outcome: "'exit'", exit_code: 0 }],
    ["attempt", { ended_at: 2 }],
    ["attempt", { ended_at: 2, outcome: "'exit'" }],
    ["attempt", { ended_at: 2, outcome: "'signal'", exit_code: 0 }],
    ["attempt", { ended_at: 2, outcome: "'fate'" }],
    ["attempt", { run: 99 }],
    ["lease", {}],
    ["lease", { id: 1 }],
  ];

  it.for(refused.map(([table, spoilt]) => ({ table, spoilt, with: JSON.stringify(spoilt) })))(
    "refuses a $table with $with",
    ({ table, spoilt }) => {
      undone(() => {
        expect(() => insert(table, spoilt)).toThrow(/constraint failed|cannot store/);
      });
    },
  );

  it("keeps a lease in which holder and end are set together", () => {
    const update = db.sqlite.prepare("UPDATE lease SET holder = 'a'");
    expect(() => update.run()).toThrow("CHECK constraint failed");
  });

  it("has only strict tables, and a comment on each that says what it holds", () => {
    const tables = db.sqlite.pragma("table_list") as { schema: string; name: string; strict: number }[];
    const own = tables.filter(({ schema, name }) => schema === "main" && !name.startsWith("sqlite_"));
    expect(own.filter(({ strict }) => strict !== 1)).toEqual([]);
    const text = readFileSync(new URL("../../schema.sql", import.meta.url), "utf8");
    const described = [...text.matchAll(/^-- .*\nCREATE TABLE (\w+)/gm)].map(([, name]) => name);
    expect(described.sort()).toEqual(own.map(({ name }) => name).sort());
  });
});

describe("numbers that people and cursors see", () => {
  it("are never given out again, not even after everything was deleted and the database was opened anew", () => {
    const again = freshDatabase();
    const fill = (target: typeof again, sql: string): number =>
      Number(target.sqlite.prepare(sql).run().lastInsertRowid);
    const rows = [
      "INSERT INTO hook (scope, type, command) VALUES ('all', 'after-receive', 'true')",
      "INSERT INTO receipt (repository, source, at) SELECT max(id), 'push', 1 FROM repository",
      "INSERT INTO batch (repository, base, upto, cut_at, receipts) SELECT max(id), 0, 1, 1, 1 FROM repository",
      `INSERT INTO run (incarnation, repository, hook, type, sequence, batch, state, due_at, made_at)
       SELECT 'a', repository, 1, 'after-receive', 10, max(id), 'waiting', 1, 1 FROM batch`,
    ];
    const repository = register(again);
    expect(rows.map((sql) => fill(again, sql))).toEqual([1, 1, 1, 1]);
    again.sqlite.exec("DELETE FROM hook");
    removeRepository(again, { id: repository }); // and with it what it received
    expect(again.sqlite.prepare("SELECT count(*) AS n FROM run").get()).toEqual({ n: 0 });
    closeDatabase(again);

    const reopened = openDatabase(again.path);
    try {
      expect(register(reopened)).toBe(repository + 1);
      expect(rows.map((sql) => fill(reopened, sql))).toEqual([2, 2, 2, 2]);
    } finally {
      closeDatabase(reopened);
    }
  });
});

it("what the audit says is neither changed nor taken away, whoever asks", () => {
  const insert = "INSERT INTO hook_audit (at, uid, user, action, hook, new) VALUES (1, 0, 'root', 'add', 1, '{}')";
  db.sqlite.exec(insert);
  for (const change of ["UPDATE hook_audit SET user = 'x'", "DELETE FROM hook_audit"])
    expect(() => db.sqlite.exec(change), change).toThrow("the audit is only added to");
});
