/** `gatepost doctor` of homes that are not as they should be: it looks at what is left, refuses what a backoffice refuses,
 *  and changes nothing unless it is asked to. */
import * as fs from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { doctor } from "../../src/home/doctor.ts";
import { bootId } from "../../src/process/identity.ts";
import { strangeShapes } from "../../src/store/check.ts";
import { closeDatabase, openDatabase, SCHEMA_VERSION, versionAt } from "../../src/store/database.ts";
import { makeWorld } from "../helpers/cli.ts";
import { backdate, enter, leave, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));
const root = process.geteuid?.() === 0;

/** A repository with a gate and a hook, whose home is closed and well. */
async function home(): Promise<Served> {
  const at = await serve(world);
  for (const type of ["before-receive", "after-receive"])
    expect(call(at, "hook", "add", "--type", type, "--command", "true").code).toBe(0);
  at.push();
  expect(backoffice(at).code).toBe(0);
  expect(await ills(at)).toEqual([]);
  closeDatabase(at.home.db);
  return at;
}

const call = (at: Served, ...words: string[]) => world.gatepost([...words, "-R", at.path]);
const backoffice = (at: Served) => world.gatepost(["backoffice", at.path], { timeout: 60_000 });

const found = async (at: Served, fix = false) => doctor({ repository: at.path, cwd: world.dir, fix });
const ills = async (at: Served, fix = false) =>
  (await found(at, fix)).examined.flatMap(({ findings }) =>
    findings.flatMap(({ level, says }) => (level === "ok" ? [] : [`${level} ${says.replaceAll(at.home.dir, "HOME")}`])),
  );

function sql(at: Served, text: string): void {
  const db = new SQLite(at.home.layout.database);
  db.exec(text);
  db.close();
}

/** The run of the hook; the gate has one too. */
const ON_BATCH = "(SELECT min(id) FROM run WHERE batch IS NOT NULL)";

const noProgram = "warn HOME/bin/gatepost is missing, so that no shim can start a backoffice.";

describe("doctor of a database that cannot be used", () => {
  it("says which table is gone, looks at the files, and other commands say that it is damaged", async () => {
    const at = await home();
    sql(at, "DROP TABLE attempt");
    fs.rmSync(at.home.layout.program);
    const out = await ills(at);
    expect(out).toEqual([
      "fail The schema of HOME/gatepost.db is not ours: no index attempt_open, no table attempt.",
      expect.stringMatching(/^fail .* is damaged: its schema is not ours \(no such table: .*attempt\)\. Only files/),
      noProgram,
    ]);
    expect(call(at, "doctor", "--fix").code).toBe(1);
    for (const { code, stderr } of [call(at, "runs"), backoffice(at)])
      expect([code, stderr]).toEqual([5, expect.stringContaining("gatepost backup --restore FILE")]);
  });

  it.for([1, 2, 3])("which says that it is of version %i and is not: it is damaged, and no bug", async (version) => {
    const at = await home();
    sql(at, `PRAGMA user_version = ${version}`);
    for (const { code, stderr } of [call(at, "runs"), backoffice(at)])
      expect([code, stderr]).toEqual([5, expect.stringContaining("is damaged: its schema is not ours")]);
    expect(call(at, "doctor").code).toBe(1);
    const fixed = call(at, "doctor", "--fix");
    expect([fixed.code, fixed.stderr]).toEqual([1, expect.stringContaining("its schema is not ours")]);
  });

  it("goes on with the files when pages in the middle are damaged", async () => {
    const at = await home();
    const bytes = fs.readFileSync(at.home.layout.database);
    fs.writeFileSync(at.home.layout.database, bytes.fill(0x7f, 3 * 4096, 30 * 4096));
    fs.rmSync(at.home.layout.program);
    const out = await ills(at);
    expect(out).toEqual([expect.stringMatching(/^fail The database .* is damaged.* Only files could/), noProgram]);
    expect(call(at, "doctor").code).toBe(1);
    expect(call(at, "doctor", "--fix").code).toBe(1);
  });

  it("leaves one of an older version as it is, and brings it up to date only with --fix", async () => {
    const at = await home();
    const { database } = at.home.layout;
    const old = `${database}.old`;
    const db = new SQLite(old);
    db.exec(fs.readFileSync(new URL("../fixtures/schema-1.sql", import.meta.url), "utf8"));
    db.prepare("ATTACH ? AS now").run(database);
    const columns = (db.pragma("table_info(repository)") as { name: string }[]).map(({ name }) => name).join();
    db.exec(`INSERT INTO setting SELECT * FROM now.setting;
      INSERT INTO repository (${columns}) SELECT ${columns} FROM now.repository; UPDATE repository SET cursor = 0`);
    db.exec("DETACH now; PRAGMA journal_mode = WAL");
    db.close();
    for (const end of ["-wal", "-shm"]) fs.rmSync(database + end, { force: true });
    fs.renameSync(old, database);
    fs.chmodSync(database, 0o600);
    const before = fs.readFileSync(database);
    fs.rmSync(at.home.layout.program);
    const then = "the next command that opens it brings it up to date. Only files were looked at.";
    expect(await ills(at)).toEqual([`warn The database is of an older version (schema 1); ${then}`, noProgram]);
    expect(fs.readFileSync(database).equals(before)).toBe(true);
    expect(await ills(at, true)).toEqual([]);
    expect(versionAt(database)).toBe(SCHEMA_VERSION);
  });

  it.for([
    ["DROP TRIGGER hook_audit_stays", "no trigger hook_audit_stays"],
    ["DROP INDEX run_once", "no index run_once"],
    ["DROP INDEX run_open; CREATE INDEX run_open ON run (id)", "another index run_open"],
    ["ALTER TABLE setting ADD COLUMN more TEXT", "another table setting"],
  ] as const)("finds what of the schema is not ours after %s", async ([text, says]) => {
    const at = await home();
    sql(at, text);
    expect(await ills(at)).toEqual([`fail The schema of HOME/gatepost.db is not ours: ${says}.`]);
  });

  it.for([1, 2, 3])("takes one that was brought up to date from version %i for ours", (version) => {
    const path = world.at(`version-${version}.db`);
    const db = new SQLite(path);
    db.exec(fs.readFileSync(new URL(`../fixtures/schema-${version}.sql`, import.meta.url), "utf8"));
    db.close();
    const now = openDatabase(path);
    expect(strangeShapes(now)).toEqual([]);
    closeDatabase(now);
  });
});

describe("doctor of a home whose folders are in doubt", () => {
  it("finds that gates are gone, and makes them again", async () => {
    const at = await home();
    fs.rmSync(at.home.layout.gates, { recursive: true });
    expect(await ills(at)).toContain("fail HOME/gates is missing.");
    expect(call(at, "doctor").code).toBe(1);
    const added = call(at, "hook", "add", "--type", "before-receive", "--command", "true");
    expect([added.code, added.stderr]).toEqual([3, expect.stringContaining("Make it anew: gatepost doctor --fix")]);
    expect(await ills(at, true)).toEqual([]);
    expect(fs.readdirSync(at.home.layout.gates)).toEqual(["before-receive"]);
  });

  type Place = [what: string, spoil: (at: Served) => void, says: RegExp, mended: boolean];
  const linked = (path: string) => {
    fs.renameSync(path, `${path}.kept`);
    fs.symlinkSync(`${path}.kept`, path);
  };
  const given = (path: string) => fs.chownSync(path, 12345, 12345);
  const isLink = /is a symbolic link/;
  const isAnothers = /belongs to another user \(uid 12345\)/;
  const places: Place[] = [
    ["the spool is a link", ({ home }) => linked(home.layout.spool), isLink, false],
    [
      "the spool is open to all",
      ({ home }) => fs.chmodSync(home.layout.spool, 0o777),
      /may write to HOME\/spool/,
      true,
    ],
    ["the folder of files is a link", ({ home }) => linked(home.layout.auxiliary), isLink, false],
    ["the database is a link", ({ home }) => linked(home.layout.database), isLink, false],
  ];
  if (root)
    places.push(
      ["the spool is another user's", ({ home }) => given(home.layout.spool), isAnothers, false],
      ["bad is another user's", ({ home }) => given(home.layout.bad), isAnothers, false],
      [
        "the database is another user's",
        ({ home }) => given(home.layout.database),
        /gatepost\.db\S* belongs to another/,
        false,
      ],
    );

  it.for(places)("refuses what a backoffice refuses: %s", async ([, spoil, says, mended]) => {
    const at = await home();
    spoil(at);
    const refused = backoffice(at);
    expect(refused.code).toBe(7);
    const { stdout, code } = call(at, "doctor");
    expect(code).toBe(1);
    const failed = stdout.split("\n").filter((line) => says.test(line.replaceAll(at.home.dir, "HOME")));
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatch(/^ {2}FAIL {2}/);
    const [first = "", next = ""] = refused.stderr.split("\n");
    expect(failed[0]).toContain(first.replace(/^gatepost: /, ""));
    expect(failed[0]).toContain(`Mend: ${next}`);
    expect(call(at, "doctor", "--fix").code).toBe(mended ? 0 : 1);
    expect(backoffice(at).code).toBe(mended ? 0 : 7);
  });

  it.runIf(root)("does not open a database in another user's home for root", async () => {
    const at = await home();
    given(at.home.dir);
    const out = await ills(at);
    expect(out[0]).toMatch(/^fail HOME belongs to another user \(uid 12345\)\..* Only files could be looked at\.$/);
  });

  it("says that a database is a pipe, and does not wait for it", async () => {
    const at = await home();
    fs.rmSync(at.home.layout.database);
    world.run(["mkfifo", at.home.layout.database]);
    const { stdout, code } = world.gatepost(["doctor", "-R", at.path], { timeout: 60_000 });
    expect(code).toBe(1);
    expect(stdout).toContain("gatepost.db is a pipe: it is not opened. Only files could be looked at. Mend: ");
  });

  it("names the call that registers a home that is not, where --fix would have mended it", async () => {
    const at = await home();
    fs.rmSync(at.home.layout.program);
    const env = { XDG_STATE_HOME: world.at("nobody's") };
    const { stderr, code } = world.gatepost(["doctor", "--fix", "-R", at.path], { env });
    expect(code).toBe(1);
    expect(stderr).toContain(`Nothing was mended. If its hooks shall run here: gatepost init ${at.path}\n`);
  });
});

describe("doctor of what waits", () => {
  it("names an open run whose backoffice is gone", async () => {
    const at = await home();
    sql(
      at,
      `UPDATE attempt SET ended_at = NULL, outcome = NULL, exit_code = NULL WHERE run = ${ON_BATCH};
       UPDATE run SET state = 'running', ended_at = NULL WHERE id = ${ON_BATCH};
       UPDATE lease SET holder = 'x', boot_id = '${bootId()}', pid = 4194304, start_time = '1', expires_at = 1`,
    );
    expect(await ills(at)).toEqual([expect.stringMatching(/^warn Run a-\d is open and its backoffice is gone\.$/)]);
    expect(backoffice(at).code).toBe(0);
    expect(await ills(at)).toEqual([]);
  });

  it("does not take a run for lost whose backoffice lives", async () => {
    const at = await home();
    const start = fs
      .readFileSync("/proc/self/stat", "latin1")
      .replace(/^.*\) /, "")
      .split(" ")[19];
    sql(
      at,
      `UPDATE attempt SET ended_at = NULL, outcome = NULL, exit_code = NULL WHERE run = ${ON_BATCH};
       UPDATE run SET state = 'running', ended_at = NULL WHERE id = ${ON_BATCH};
       UPDATE lease SET holder = 'x', boot_id = '${bootId()}', pid = ${process.pid}, start_time = '${start}', expires_at = 1`,
    );
    expect(JSON.parse(call(at, "doctor", "--json").stdout).examined.flatMap(alarms)).toEqual([]);
  });

  const alarms = ({ findings }: { findings: { level: string; says: string }[] }) =>
    findings.flatMap(({ level, says }) => (level === "ok" ? [] : [says]));

  it("names files in the spool that nobody reads, once they are a minute old", async () => {
    const at = await home();
    for (const name of ["entry.tmp", "note", "ring", "gates.1.log", "x.aside"])
      fs.writeFileSync(join(at.home.layout.spool, name), "");
    expect(await ills(at)).toEqual([]);
    for (const name of fs.readdirSync(at.home.layout.spool)) backdate(join(at.home.layout.spool, name), 61_000);
    expect(await ills(at)).toEqual([
      "warn 2 files in HOME/spool are no entries, and nobody reads them: entry.tmp, note.",
    ]);
  });

  it("counts the runs that are parked, and says where they are listed", async () => {
    const at = await home();
    sql(at, `UPDATE run SET state = 'parked', reason = 'exit 1' WHERE id = ${ON_BATCH}`);
    expect(call(at, "doctor").stdout).toContain(
      `WARN  1 run of ${at.row.name} is parked. Mend: gatepost runs --parked -R ${at.path}\n`,
    );
  });

  it("says how many promises hold beside one that is broken", async () => {
    const at = await home();
    sql(at, "UPDATE attempt SET output_head = zeroblob(32769), output_bytes = 40000 WHERE run = 1");
    const { stdout, code } = call(at, "doctor");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ {2}ok {4}9 promises hold \(docs\/promise\.md\): I1 I2 I3 I4 I5 I6 I7 I9 I14\.$/m);
    expect(stdout).toMatch(/^ {2}FAIL {2}I10: /m);
  });

  it("sends whoever asks of a repository that can be read again to the backoffice, which looks again", async () => {
    const at = await home();
    sql(at, "UPDATE repository SET parked = 'cannot read config'");
    expect(call(at, "doctor").stdout).toContain("cannot read config. Mend: gatepost backoffice\n");
  });
});
