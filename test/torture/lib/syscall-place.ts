/**
 * A repository with entries that wait and hooks that would hear of them, which is put back as it was as often as it is
 * asked: what a pass does there, fails or not, can be compared with what an untouched pass does.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import type { Millis } from "../../../src/core/units.ts";
import { passOnce } from "../../../src/home/backoffice.ts";
import { closeHome } from "../../../src/home/open.ts";
import { damages } from "../../../src/store/check.ts";
import { closeDatabase, type Database, openDatabase } from "../../../src/store/database.ts";
import { brokenIn } from "../../../src/store/invariants.ts";
import type { World } from "../../helpers/cli.ts";
import { serve } from "../../helpers/served.ts";

/** Outcomes of an attempt after which its run is rightly attempted again. */
const BROKEN_OFF = new Set(["lost", "aborted", "not-started", "stdin-failed"]);

export class Prepared {
  readonly world: World;
  readonly home: string;
  readonly #keep: string;
  readonly #journal: string;
  readonly #scratch: string;
  #expected: string[] = [];

  private constructor(world: World, home: string, journal: string) {
    this.world = world;
    this.home = home;
    this.#journal = journal;
    this.#keep = `${journal}.keep`;
    this.#scratch = `${journal}.scratch`;
  }

  static async make(world: World): Promise<Prepared> {
    const r = await serve(world);
    const journal = `${r.path}.journal`;
    fs.mkdirSync(journal);
    const note = `cat >'${journal}'/"$GATEPOST_HOOK.$GATEPOST_RUN.$GATEPOST_ATTEMPT"`;
    r.hook(note, { stdin: "updates" });
    r.hook(`${note}; echo some output`, { stdin: "updates", each: "receipt", sequence: 20 });
    r.hook(note, { refs: ["refs/heads/*"], sequence: 30 });
    const push = (user: string, ...specs: string[]): void => {
      world.commit(r.clone, { file: user });
      r.git(["push", "-q", "origin", ...specs], { env: { GL_USER: user } });
    };
    push("ann", "HEAD:refs/heads/main");
    push("ben", "HEAD:refs/heads/one", "HEAD:refs/heads/two");
    push("cai", "HEAD:refs/heads/one", ":refs/heads/two");
    closeHome(r.home);
    const prepared = new Prepared(world, r.home.dir, journal);
    spawnSync("cp", ["-a", prepared.home, prepared.#keep]);
    return prepared;
  }

  /** What a pass is called with. */
  get args(): string[] {
    return ["backoffice", "--home", this.home];
  }

  /** Puts everything back as it was before the first pass. The home's own folder stays: a home knows its inode. */
  reset(): void {
    for (const name of fs.readdirSync(this.#journal)) fs.rmSync(join(this.#journal, name));
    for (const name of fs.readdirSync(this.home)) fs.rmSync(join(this.home, name), { recursive: true });
    if (spawnSync("cp", ["-a", `${this.#keep}/.`, this.home]).status !== 0)
      throw new Error("the home was not put back");
  }

  /** Remembers what hooks were given, as what they shall be given. */
  expect(): void {
    this.#expected = this.#delivered(this.#open());
  }

  /** Looks at what a struck pass left, as a reader would find it: half a state, if there is one. A pass that could not
   *  write down how a hook ended gives the lease back all the same, and that attempt stays open until the next one. */
  halfDone(): string[] {
    fs.rmSync(this.#scratch, { recursive: true, force: true });
    fs.mkdirSync(this.#scratch);
    for (const suffix of ["", "-wal"]) {
      const file = join(this.home, `gatepost.db${suffix}`);
      if (fs.existsSync(file)) fs.copyFileSync(file, join(this.#scratch, `gatepost.db${suffix}`));
    }
    const db = openDatabase(join(this.#scratch, "gatepost.db"));
    try {
      return broken(db).filter((what) => !/I7: An attempt is open while nobody holds the lease/.test(what));
    } finally {
      closeDatabase(db);
    }
  }

  /** A clean pass, after the time for which runs wait that could not be started; what is wrong afterwards. */
  async afterwards(): Promise<string[]> {
    const wait = openDatabase(join(this.home, "gatepost.db"));
    wait.sqlite.exec("UPDATE run SET due_at = 0 WHERE state = 'waiting'");
    closeDatabase(wait);
    const said: string[] = [];
    await passOnce(
      {
        homes: [this.home],
        jobs: 1,
        min: 3_600_000 as Millis,
        signal: new AbortController().signal,
        log: (level, message) => void (level === "error" && said.push(message)),
        progress: () => {},
        onPass: () => {},
      },
      { stay: false, nodelay: false, automatic: false },
    );
    const db = this.#open();
    const wrong = [...said, ...broken(db)];
    const all = <T>(sql: string): T[] => db.sqlite.prepare(sql).all() as T[];
    for (const { id, state, reason } of all<{ id: number; state: string; reason: string }>("SELECT * FROM run"))
      if (state !== "done") wrong.push(`run ${id} is ${state}: ${reason}`);
    for (const { run, number, outcome } of all<{ run: number; number: number; outcome: string }>(
      "SELECT a.run, a.number, a.outcome FROM attempt a JOIN run r ON r.id = a.run AND a.number < r.attempts",
    ))
      if (!BROKEN_OFF.has(outcome))
        wrong.push(`run ${run} was repeated after attempt ${number}, which ended: ${outcome}`);
    const users = all<{ user: string; source: string }>("SELECT CAST(user AS TEXT) AS user, source FROM receipt");
    const who = users.map(({ user, source }) => `${source} ${user}`).join(", ");
    if (who !== "push ann, push ben, push cai") wrong.push(`the receipts are: ${who}`);
    const delivered = this.#delivered(db);
    if (delivered.join() !== this.#expected.join()) wrong.push(`delivered: ${delivered.join("; ")}`);
    const left = fs.readdirSync(join(this.home, "spool")).filter((name) => name !== "bad");
    const aside = fs.readdirSync(join(this.home, "spool", "bad"));
    if (left.length + aside.length > 0) wrong.push(`left in the spool: ${[...left, ...aside].join(", ")}`);
    closeDatabase(db);
    return wrong;
  }

  #open(): Database {
    return openDatabase(join(this.home, "gatepost.db"));
  }

  /** What each hook was given, in the order of its runs, by the last attempt of each. */
  #delivered(db: Database): string[] {
    const rows = db.sqlite.prepare("SELECT id, hook, attempts FROM run ORDER BY hook, id").all();
    return (rows as { id: number; hook: number; attempts: number }[]).map(({ id, hook, attempts }) => {
      const file = join(this.#journal, `${hook}.a-${id}.${attempts}`);
      return `${hook}: ${fs.existsSync(file) ? fs.readFileSync(file, "latin1") : "nothing"}`;
    });
  }
}

const broken = (db: Database): string[] => [
  ...damages(db),
  ...brokenIn(db, { complete: true }).map(({ promise, what, where }) => `${promise}: ${what} (${where})`),
];
