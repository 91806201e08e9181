/**
 * Compares, when all has come to rest, what happened with what the database says happened: refs by git and by what was
 * pushed, runs by the journal that the hooks kept. Each thing that does not fit is one sentence in `broken`.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import BetterSqlite3 from "better-sqlite3";
import type { Clients, Push } from "./kill-clients.ts";
import { HOOKS, type HookName, type KillStand } from "./kill-stand.ts";
import type { Killed } from "./killer.ts";

export type Account = {
  broken: string[];
  figures: Record<string, number>;
  /** How each attempt ended, by "RUN ATTEMPT". */
  outcomes: ReadonlyMap<string, string>;
};

type Rows = Record<string, string | number | null>[];
type Move = { ref: string; old: string; new: string; receipt: number; user: string | null };

const ZERO = /^0+$/;

export function account(stand: KillStand, clients: Clients, killed: Killed): Account {
  const db = new BetterSqlite3(join(stand.home, "gatepost.db"), { readonly: true });
  const all = (sql: string, ...values: unknown[]): Rows => db.prepare<unknown[], Rows[number]>(sql).all(...values);
  try {
    const outcomes = new Map<string, string>();
    const told = { broken: [] as string[], figures: {} as Record<string, number>, outcomes };
    for (const row of all(
      "SELECT run.incarnation || '-' || run.id || ' ' || number AS attempt, outcome FROM attempt JOIN run ON run.id = run",
    ))
      outcomes.set(String(row["attempt"]), String(row["outcome"]));
    const count = (what: string, sentences: readonly string[]): void => {
      told.figures[what] = (told.figures[what] ?? 0) + sentences.length;
      told.broken.push(...sentences);
    };
    const sum = (sql: string): number => Number(all(sql)[0]?.["n"]);
    Object.assign(told.figures, {
      pushes: clients.pushes.length,
      commits: clients.committed.count,
      receipts: sum("SELECT count(*) AS n FROM receipt"),
      reconciled: sum("SELECT count(*) AS n FROM receipt WHERE source = 'reconciled'"),
      batches: sum("SELECT count(*) AS n FROM batch"),
      runs: sum("SELECT count(*) AS n FROM run"),
      repeats: sum("SELECT count(*) AS n FROM attempt WHERE number > 1"),
      "lost attempts": sum("SELECT count(*) AS n FROM attempt WHERE outcome = 'lost'"),
    });
    for (const path of stand.repositories()) {
      const gitDir = path === stand.work ? join(path, ".git") : path;
      const id = Number(all("SELECT id FROM repository WHERE path = ?", gitDir)[0]?.["id"]);
      const moves = movesOf(all, id);
      const pushes = clients.pushes.filter(({ repository }) => repository === path);
      count("gaps", gaps(stand, path, moves));
      if (path !== stand.work) count("invented", invented(path, moves, clients.pushes));
      count("lost", lostPushes(pushes, moves, killed));
      count("gaps", batchGaps(all, id));
      count("lost", missingRuns(all, id, path));
    }
    const aside = reasonsIn(join(stand.home, "spool", "bad"));
    told.figures["entries never finished"] = aside.length;
    count(
      "lost",
      aside.filter((reason) => reason !== "was never finished").map((reason) => `an entry was set aside: ${reason}`),
    );
    const journal = readJournal(stand);
    count(
      "overlaps",
      journal.filter(({ what }) => what === "overlap").map((line) => `an attempt overlapped: ${line.text}`),
    );
    count("unexplained", unexplained(all, journal, killed));
    count("lost", undelivered(stand, all, journal));
    return told;
  } finally {
    db.close();
  }
}

/** Why entries were set aside. */
const reasonsIn = (bad: string): string[] =>
  (fs.existsSync(bad) ? fs.readdirSync(bad) : [])
    .filter((name) => name.endsWith(".reason"))
    .map((name) => fs.readFileSync(join(bad, name), "utf8").trimEnd());

function movesOf(all: (sql: string, ...values: unknown[]) => Rows, repository: number): Move[] {
  const rows = all(
    `SELECT CAST(name AS TEXT) AS ref, old, new, receipt, CAST(gl_user AS TEXT) AS user FROM ref_update
     JOIN receipt ON receipt.id = ref_update.receipt WHERE ref_update.repository = ? AND how <> 'claimed'
     ORDER BY ref_update.id`,
    repository,
  );
  return rows as unknown as Move[];
}

/** The values of each ref follow each other from what it was to what it is. */
function gaps(stand: KillStand, path: string, moves: readonly Move[]): string[] {
  const value = new Map(stand.start.get(path));
  const broken: string[] = [];
  for (const move of moves) {
    const before = value.get(move.ref) ?? "0".repeat(move.old.length);
    if (move.old !== before)
      broken.push(`${path} ${move.ref}: receipt ${move.receipt} joins ${move.old}, not ${before}`);
    if (ZERO.test(move.new)) value.delete(move.ref);
    else value.set(move.ref, move.new);
  }
  const real = stand.refs(path);
  for (const ref of new Set([...value.keys(), ...real.keys()]))
    if (value.get(ref) !== real.get(ref))
      broken.push(`${path} ${ref} is ${real.get(ref) ?? "gone"}, the receipts end at ${value.get(ref) ?? "gone"}`);
  return broken;
}

/** No value that nobody pushed to the ref; and of those that its reflog still tells of, in the reflog's order. */
function invented(path: string, moves: readonly Move[], pushes: readonly Push[]): string[] {
  const pushed = new Set(
    pushes.flatMap((push) => [...push.moves].map(([ref, value]) => `${push.repository} ${ref} ${value}`)),
  );
  const broken = moves
    .filter((move) => !ZERO.test(move.new) && !pushed.has(`${path} ${move.ref} ${move.new}`))
    .map((move) => `${path} ${move.ref}: nobody pushed ${move.new} of receipt ${move.receipt}`);
  for (const ref of new Set(moves.map((move) => move.ref))) {
    const log = join(path, "logs", ref);
    const values = fs.existsSync(log)
      ? fs
          .readFileSync(log, "latin1")
          .split("\n")
          .map((line) => line.slice(41, 81))
      : [];
    // Git forgets the log of a ref that is deleted, also where nobody could tell of the deletion.
    const told = moves.filter((move) => move.ref === ref).map((move) => move.new);
    const deleted = told.findLastIndex((value) => ZERO.test(value));
    const known = told.findIndex((value, at) => at > deleted && values.includes(value));
    let at = -1;
    for (const value of known < 0 ? [] : told.slice(known)) {
      at = values.indexOf(value, at + 1);
      if (at >= 0) continue;
      broken.push(`${path} ${ref}: its reflog does not know ${value}, or not at that place`);
      break;
    }
  }
  return broken;
}

/** What each push moved whose shim was left alone is on a receipt that names the push, once. */
function lostPushes(pushes: readonly Push[], moves: readonly Move[], killed: Killed): string[] {
  const broken: string[] = [];
  const byUser = grouped(moves, (move) => move.user);
  for (const { name, moves: refs, code } of pushes) {
    if (code !== 0 || killed.disturbed.has(name)) continue;
    const own = byUser.get(name) ?? [];
    for (const [ref, value] of refs) {
      const times = own.filter((move) => move.ref === ref && move.new === value).length;
      // Of two that delete the same ref at once both are told that it is gone.
      const fits = times === 1 || (times === 0 && ZERO.test(value));
      if (!fits) broken.push(`push ${name}: ${ref} to ${value} is on ${times} receipts of it`);
    }
  }
  return broken;
}

/** Each receipt is in exactly one batch; batches have no gaps. */
function batchGaps(all: (sql: string, ...values: unknown[]) => Rows, repository: number): string[] {
  const batches = all(
    "SELECT id, base, upto, receipts, left_out FROM batch WHERE repository = ? ORDER BY id",
    repository,
  );
  const receipts = all("SELECT id FROM receipt WHERE repository = ? ORDER BY id", repository).map(({ id }) =>
    Number(id),
  );
  const broken: string[] = [];
  let base = batches[0]?.["base"] ?? 0;
  for (const batch of batches) {
    if (batch["base"] !== base)
      broken.push(`batch ${batch["id"]} starts at ${batch["base"]}, the one before ended at ${base}`);
    base = batch["upto"] ?? 0;
    const inside = receipts.filter((id) => id > Number(batch["base"]) && id <= Number(batch["upto"])).length;
    if (inside !== batch["receipts"] || batch["left_out"] !== 0)
      broken.push(`batch ${batch["id"]} says ${batch["receipts"]} receipts and has ${inside}`);
  }
  const outside = receipts.filter((id) => !batches.some((b) => id > Number(b["base"]) && id <= Number(b["upto"])));
  return [...broken, ...outside.map((id) => `receipt ${id} is in no batch`)];
}

/** Each hook has a run on each batch, or on each of its receipts, that has ended as it may. */
function missingRuns(all: (sql: string, ...values: unknown[]) => Rows, repository: number, path: string): string[] {
  const broken: string[] = [];
  for (const name of Object.keys(HOOKS) as HookName[]) {
    if (name === "each" && !path.endsWith("/one.git")) continue;
    const wanted =
      name === "each"
        ? "SELECT receipt.id AS what, batch.id AS batch, receipt.id AS receipt FROM receipt JOIN batch ON batch.repository = receipt.repository AND receipt.id > base AND receipt.id <= upto WHERE receipt.repository = ?"
        : "SELECT id AS what, id AS batch, NULL AS receipt FROM batch WHERE repository = ?";
    const rows = all(
      `SELECT what, run.state, run.id FROM (${wanted}) AS w LEFT JOIN run ON run.batch = w.batch AND run.hook_name = ?
       AND run.receipt IS w.receipt AND replay_of IS NULL`,
      repository,
      name,
    );
    for (const row of rows) {
      const fits = row["state"] === "done" || (name === "slow" && row["state"] === "failed");
      if (!fits) broken.push(`${path}: hook ${name} on ${row["what"]}: run ${row["id"]} is ${row["state"]}`);
    }
  }
  return broken;
}

function grouped<K, T>(list: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const one of list) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  return groups;
}

type Line = { what: string; hook: string; run: string; attempt: string; text: string };

function readJournal(stand: KillStand): Line[] {
  const lines = fs.readFileSync(stand.world.at("journal"), "latin1").split("\n").slice(0, -1);
  return lines.map((text) => {
    const [what = "", hook = "", , run = "", attempt = ""] = text.split(" ");
    return { what, hook, run, attempt, text };
  });
}

/** Each attempt but a run's last ended in a way that asks for another one, and that something explains; no attempt
 *  began that the database does not know, and none twice. */
function unexplained(
  all: (sql: string, ...values: unknown[]) => Rows,
  journal: readonly Line[],
  killed: Killed,
): string[] {
  const broken: string[] = [];
  const attempts = all(
    `SELECT run.incarnation || '-' || run.id AS run, number, outcome, exit_code, token, hook_name, attempts,
       run.state FROM attempt JOIN run ON run.id = attempt.run ORDER BY run.id, number`,
  );
  const known = new Set(attempts.map((row) => `${row["run"]} ${row["number"]}`));
  const began = new Map<string, number>();
  for (const { what, run, attempt } of journal)
    if (what === "begin") began.set(`${run} ${attempt}`, (began.get(`${run} ${attempt}`) ?? 0) + 1);
  for (const [attempt, times] of began) {
    if (!known.has(attempt)) broken.push(`attempt ${attempt} began, and the database does not know it`);
    if (times > 1) broken.push(`attempt ${attempt} began ${times} times`);
  }
  const deaths = new Set<number>();
  for (const row of attempts) {
    const name = `${row["run"]} ${row["number"]}`;
    const { outcome, exit_code: exit } = row;
    const isLast = row["number"] === row["attempts"];
    const was = `attempt ${name} of ${row["hook_name"]} (${outcome} ${exit ?? ""})`;
    if (outcome === "exit" && exit === 0 && (!isLast || row["state"] !== "done"))
      broken.push(`${was} went well and its run is ${row["state"]}`);
    if (outcome === "lost") deaths.add(Number(row["token"]));
    else if (killed.hooks.has(name) || (exit === 9 && row["hook_name"] === "flaky") || exit === 0) continue;
    else broken.push(`${was}: nothing explains how it ended`);
  }
  if (deaths.size > killed.backoffices)
    broken.push(`attempts were lost by ${deaths.size} holders, and ${killed.backoffices} were killed`);
  return broken;
}

/** The last attempt of each run that is done came to its end, and was told what its receipts say. */
function undelivered(
  stand: KillStand,
  all: (sql: string, ...values: unknown[]) => Rows,
  journal: readonly Line[],
): string[] {
  const ended = new Set(journal.filter(({ what }) => what === "end").map(({ run, attempt }) => `${run} ${attempt}`));
  const updates = grouped(
    all(`SELECT receipt, old || ' ' || new || ' ' || CAST(name AS TEXT) AS line, id, repository FROM ref_update
         WHERE how <> 'claimed' ORDER BY receipt, id`),
    ({ repository }) => Number(repository),
  );
  const broken: string[] = [];
  const runs = all(
    `SELECT run.incarnation || '-' || run.id AS run, hook_name, attempts, batch.repository, base, upto, receipt FROM run
     JOIN batch ON batch.id = run.batch WHERE state = 'done'`,
  );
  for (const row of runs) {
    const name = `${row["run"]} ${row["attempts"]}`;
    if (!ended.has(name)) broken.push(`run ${name} of ${row["hook_name"]} is done and never ended`);
    if (row["hook_name"] === "slow") continue;
    const [after, upto] =
      row["receipt"] === null
        ? [Number(row["base"]), Number(row["upto"])]
        : [Number(row["receipt"]) - 1, Number(row["receipt"])];
    const wanted = (updates.get(Number(row["repository"])) ?? [])
      .filter(({ receipt }) => Number(receipt) > after && Number(receipt) <= upto)
      .map(({ line }) => `${line}\n`)
      .sort();
    const file = stand.world.at("told", `${row["hook_name"]}.${name.replace(" ", ".")}`);
    const told = (fs.existsSync(file) ? fs.readFileSync(file, "latin1") : "").split(/(?<=\n)/).sort();
    if (told.join("") !== wanted.join(""))
      broken.push(`run ${name} of ${row["hook_name"]} was told something else: ${file}`);
  }
  return broken;
}
