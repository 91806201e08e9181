/**
 * Rows A6 and A10 of the fault catalogue: the power fails. A repository and its home stand on a file system of their own
 * (lib/power-machine.ts); at random moments its image is copied, as the disk has it at that moment, and a machine is
 * started with the copy. What had been acknowledged must be there, what had been delivered must not be delivered anew,
 * and every change of a ref that is in the image's repository must reach every hook. Every other machine has a durable
 * spool: there, who pushed must be known of each push that had returned.
 */
import SQLite from "better-sqlite3";
import { afterEach, expect, test } from "vitest";
import { damages } from "../../src/store/check.ts";
import { closeDatabase, openDatabase } from "../../src/store/database.ts";
import { brokenIn } from "../../src/store/invariants.ts";
import { type Acknowledged, impossible, Machine, type Restarted, readJournal } from "./lib/power-machine.ts";
import { report, torture } from "./lib/torture.ts";

/** Images of one machine; then another is made, lest its small disk fill up. */
const IMAGES = 5;

const reason = impossible();
if (reason !== null) console.log(`torture power: skipped, since ${reason}`);

type Figures = Record<
  | "images"
  | "receipts noted"
  | "receipts lost"
  | "runs noted"
  | "runs lost"
  | "refs"
  | "undelivered"
  | "repeated"
  | "pushes durable"
  | "forgotten"
  | "entries torn",
  number
>;

let machine: Machine | null = null;
afterEach(async () => {
  await machine?.remove();
  machine = null;
});

test.skipIf(reason !== null)("A6: a power cut loses no acknowledged receipt and no finished run", async () => {
  const work = torture(20);
  const figures: Figures = {
    ...{ images: 0, "receipts noted": 0, "receipts lost": 0, "runs noted": 0, "runs lost": 0, refs: 0 },
    ...{ undelivered: 0, repeated: 0, "pushes durable": 0, forgotten: 0, "entries torn": 0 },
  };
  const wrong: string[] = [];
  for (let number = 0; figures.images < work.count; number++) {
    const durable = number % 2 === 1;
    machine = new Machine();
    await machine.start(durable);
    for (let image = 0; image < IMAGES && figures.images < work.count; image++) {
      await new Promise((resolve) => setTimeout(resolve, work.random.below(600)));
      const { acknowledged, restarted } = await machine.cut();
      figures.images += 1;
      const found = judge(acknowledged, restarted, durable, figures);
      wrong.push(...found.map((what) => `image ${figures.images}${durable ? " (durable)" : ""}: ${what}`));
    }
    await machine.remove();
    machine = null;
  }
  report("power", figures, work);
  expect(wrong, `seed ${work.seed}`).toEqual([]);
});

/** What is wrong with one image. */
function judge(acknowledged: Acknowledged, restarted: Restarted, durable: boolean, figures: Figures): string[] {
  const wrong: string[] = [];
  const all = <T>(db: SQLite.Database, sql: string): T[] => db.prepare(sql).all() as T[];
  const keyed = <T extends { id: number }>(db: SQLite.Database, sql: string): Map<number, T> =>
    new Map(all<T>(db, sql).map((row) => [row.id, row]));

  // As it was found.
  const crashed = new SQLite(restarted.at("before", "gatepost.db"));
  if (crashed.pragma("integrity_check", { simple: true }) !== "ok") wrong.push("the database is damaged");
  const receipts = keyed<Acknowledged["receipts"][number]>(crashed, "SELECT id, entry FROM receipt");
  const updates = keyed<Acknowledged["updates"][number]>(crashed, "SELECT id, receipt, new FROM ref_update");
  const batches = keyed<Acknowledged["batches"][number]>(crashed, "SELECT id, base, upto FROM batch");
  const runs = keyed<Acknowledged["runs"][number]>(crashed, "SELECT id, state, attempts FROM run");
  crashed.close();
  const isLost = ({ id, entry }: { id: number; entry: string | null }): boolean =>
    !receipts.has(id) || (entry !== null && receipts.get(id)?.entry !== entry);
  const lost = acknowledged.receipts.filter(isLost).map(({ id }) => `receipt ${id}`);
  figures["receipts noted"] += acknowledged.receipts.length;
  figures["receipts lost"] += lost.length;
  const differs = <T extends { id: number }>(rows: readonly T[], there: ReadonlyMap<number, T>): T[] =>
    rows.filter((row) => JSON.stringify(there.get(row.id)) !== JSON.stringify(row));
  lost.push(...differs(acknowledged.updates, updates).map(({ id }) => `update ${id}`));
  lost.push(...differs(acknowledged.batches, batches).map(({ id }) => `batch ${id}`));
  const lostRuns = differs(acknowledged.runs, runs);
  figures["runs noted"] += acknowledged.runs.length;
  figures["runs lost"] += lostRuns.length;
  lost.push(...lostRuns.map(({ id }) => `run ${id}`));
  if (lost.length > 0) wrong.push(`lost: ${lost.slice(0, 5).join(", ")}`);
  if (restarted.text("fsck").includes("fsck failed")) wrong.push(`git lost something: ${restarted.text("fsck")}`);

  // As it went on.
  const [backoffice, doctor] = restarted.lines("code");
  if (backoffice !== "0") wrong.push(`the backoffice ended ${backoffice}: ${restarted.text("said")}`);
  if (doctor !== "0") wrong.push(`doctor found: ${restarted.text("doctor")}`);
  const db = openDatabase(restarted.at("after", "gatepost.db"));
  wrong.push(...damages(db));
  wrong.push(...brokenIn(db, { complete: true }).map(({ promise, what, where }) => `${promise}: ${what} (${where})`));
  const ran = all<{ id: number; hook: number; state: string }>(db.sqlite, "SELECT id, hook, state FROM run");
  for (const run of ran) if (run.state !== "done") wrong.push(`run ${run.id} is ${run.state}`);
  const anew = readJournal(restarted.at("journal"));
  const finished = new Set(acknowledged.runs.map(({ id }) => `a-${id}`));
  const repeated = [...anew.keys()].filter(
    (name) => finished.has(name.split(".")[0] ?? "") || acknowledged.journal.has(name),
  );
  figures.repeated += repeated.length;
  if (repeated.length > 0) wrong.push(`what had ended ran again: ${repeated.slice(0, 5).join(", ")}`);

  // Every ref of the image, at every hook.
  const hookOf = new Map(ran.map(({ id, hook }) => [`a-${id}`, hook]));
  const delivered = new Set<string>();
  for (const [name, text] of [...acknowledged.journal, ...anew])
    for (const [, value = "", ref = ""] of text.matchAll(/^[0-9a-f]+ ([0-9a-f]+) (refs\/\S+)$/gm))
      delivered.add(`${hookOf.get(name.split(".")[0] ?? "")} ${ref} ${value}`);
  const refs = restarted.lines("refs");
  for (const hook of all<{ id: number }>(db.sqlite, "SELECT id FROM hook"))
    for (const ref of refs) {
      figures.refs += 1;
      if (delivered.has(`${hook.id} ${ref}`)) continue;
      figures.undelivered += 1;
      wrong.push(`hook ${hook.id} never heard of ${ref}`);
    }

  const known = new Set(
    all<{ name: string; new: string; user: string }>(
      db.sqlite,
      `SELECT CAST(u.name AS TEXT) AS name, u.new, CAST(r.user AS TEXT) AS user
       FROM ref_update u JOIN receipt r ON r.id = u.receipt WHERE r.user IS NOT NULL AND u.how = 'entry'`,
    ).map((row) => `${row.name} ${row.new} ${row.user}`),
  );
  const unknown = acknowledged.pushes.filter((push) => !known.has(push));
  const bad = restarted.lines("bad").filter((name) => name.endsWith(".reason"));
  figures["entries torn"] += bad.length;
  if (durable) {
    figures["pushes durable"] += acknowledged.pushes.length;
    figures.forgotten += unknown.length;
    if (unknown.length > 0) wrong.push(`nobody knows who pushed ${unknown.slice(0, 3).join("; ")}`);
  }
  closeDatabase(db);
  return wrong;
}
