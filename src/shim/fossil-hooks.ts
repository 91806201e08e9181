/**
 * The one place that changes a Fossil repository: its list of hooks, and the position that goes with it.
 *
 * The fossil program does the writing (`fossil sql`, script on stdin), so that locks, journal and file owner are its
 * affair. A change is decided here, from what was read, and is made in one IMMEDIATE transaction that writes only if the
 * rows still are what was read; else it is decided anew. So it stands wholly before or wholly after each pass of
 * Fossil's backoffice, which is one transaction too: the position that the caller saw is the one at which the list was
 * replaced.
 *
 * Four rows of `config`: `hooks`, the list; `hook-last-rcvid`, the last receipt that Fossil handed out; `hook-embargo`,
 * only read; and `gatepost-take-over`, a note of ours that stands there while hooks change hands, so that whoever finds
 * a change half done knows whether this half happened. Values cross as hex and are never part of a statement as text.
 *
 * Death in here changes all or nothing. The fossil program that was started may outlive us and write when its turn
 * comes; a caller who must exclude that writes another note first, which no earlier change expects.
 *
 * `fossil sql` ends with 0 when a statement failed (2.21): done is only what it says at its end.
 *
 * Proven by test/shim/fossil-hooks.test.ts.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { type Element, type Entry, readList, requireList } from "../core/fossil-hook-list.ts";
import { capture } from "../process/command.ts";

export { withEntry, withoutEntry } from "../core/fossil-hook-list.ts";

export type HookList = {
  /** Null: the repository has no list. */
  readonly text: string | null;
  /** Null: the value is no JSON array, or would lose bytes if it were read as text. */
  readonly elements: readonly Element[] | null;
  /** The hooks that Fossil reads in it; null where it is no JSON array of objects. */
  readonly entries: readonly Entry[] | null;
  /** The last receipt that Fossil handed out; null: it never had any to hand out. */
  readonly lastRcvid: number | null;
  /** Seconds since 1970 until which Fossil hands out nothing; null: no embargo. */
  readonly embargo: number | null;
  readonly note: string | null;
};

/** `text` null takes the row away: with `[]` Fossil's backoffice still moves its position, without the row it does not.
 *  What is left out stays as it is; `note` null takes the note away. */
export type Change = { text: string | null; lastRcvid?: number; note?: string | null };

const ROWS = { text: "hooks", lastRcvid: "hook-last-rcvid", embargo: "hook-embargo", note: "gatepost-take-over" };
const PATIENCE = 30_000;
const ATTEMPTS = 50;

/** How long (bytes) a row may be; Fossil itself has no use for a list of some thousand. */
const LONGEST = 16 * 1024 * 1024;

type Options = { patience?: number };
type Row = { type: string; hex: string };
type Rows = ReadonlyMap<string, Row>;

/** The list as it is. Needs the fossil program and the file's owner, as changing it does. */
export const readHookList = async (file: string, options: Options = {}): Promise<HookList> =>
  listOf(await readRows(file, options));

/** Replaces the list by what `change` makes of it (null: nothing), and returns the list that was replaced. `change` may be
 *  called several times; an error of its own leaves all as it was. Throws GP_PROGRAM where there is no fossil, GP_BUSY,
 *  GP_NOT_OWNER, GP_DENIED, GP_NO_REPOSITORY; GP_REPOSITORY where the list is not one that can be changed. */
export async function changeHookList(
  file: string,
  change: (now: HookList) => Change | null,
  options: Options = {},
): Promise<HookList> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const rows = await readRows(file, options);
    const now = listOf(rows);
    const wanted = change(now);
    if (wanted === null) return now;
    if (wanted.text !== now.text) requireElements(now);
    const statements = statementsFor(now, wanted);
    if (statements.length === 0 || (await replaced(file, rows, statements, options))) return now;
  }
  throw new GatepostError("GP_BUSY", `The hooks of ${file} are being changed all the time. Nothing was changed.`, {
    hint: "Stop what changes them, and try again.",
  });
}

/** The elements, or GP_REPOSITORY where the value is no list. */
export function requireElements({ text, elements }: HookList): readonly Element[] {
  if (elements !== null) return elements;
  requireList(text);
  throw new GatepostError(
    "GP_REPOSITORY",
    "The repository's own list of hooks (its setting hooks) is a BLOB or not UTF-8. Nothing was changed.",
    { hint: "Read as text it would not be the same. See what stands there: fossil hook status" },
  );
}

function listOf(rows: Rows): HookList {
  const text = textOf(rows.get(ROWS.text));
  const elements = isText(rows.get(ROWS.text)) ? readList(text) : null;
  const number = (name: string): number | null =>
    rows.has(name) ? Number.parseInt(textOf(rows.get(name)) ?? "", 10) || 0 : null;
  const isWhole = elements?.every((element) => element.entry !== null || !element.broken) === true;
  return {
    text,
    elements,
    entries: isWhole ? elements.flatMap(({ entry }) => (entry === null ? [] : [entry])) : null,
    lastRcvid: number(ROWS.lastRcvid),
    embargo: number(ROWS.embargo),
    note: textOf(rows.get(ROWS.note)),
  };
}

/** Whether nothing of it is lost when it is read as text. */
const isText = (row: Row | undefined): boolean =>
  row === undefined ||
  (row.type !== "blob" &&
    Buffer.from(textOf(row) ?? "")
      .toString("hex")
      .toUpperCase() === row.hex);

const textOf = (row: Row | undefined): string | null =>
  row === undefined || row.type === "null" ? null : Buffer.from(row.hex, "hex").toString("utf8");

/** What differs between the list and what is wanted, as statements with their condition. */
function statementsFor(now: HookList, wanted: Change): string[] {
  const put: [string, string][] = [];
  const drop: string[] = [];
  const set = (name: string, was: string | null, will: string | null): void => {
    if (was === will) return;
    if (will === null) drop.push(name);
    else put.push([name, will]);
  };
  set(ROWS.text, now.text, wanted.text);
  if (wanted.note !== undefined) set(ROWS.note, now.note, wanted.note);
  const last = wanted.lastRcvid;
  if (last !== undefined && last !== now.lastRcvid) put.push([ROWS.lastRcvid, String(last)]);
  const values = put.map(([name, value]) => `(${sqlText(name)},${sqlText(value)})`);
  return [
    ...(values.length === 0
      ? []
      : [`REPLACE INTO config(name,value,mtime) SELECT column1,column2,now() FROM (VALUES${values}) WHERE ${SAME};`]),
    ...drop.map((name) => `DELETE FROM config WHERE name=${sqlText(name)} AND ${SAME};`),
  ];
}

const SAME = "EXISTS(SELECT 1 FROM gatepost_same)";
const sqlText = (text: string): string => `CAST(x'${Buffer.from(text, "utf8").toString("hex")}' AS TEXT)`;
const names = (rows: readonly string[]): string => rows.map((name) => `'${name}'`).join(",");

/** The rows that must not have changed, as one text; the embargo comes and goes meanwhile. */
const STATE = `(SELECT group_concat(row) FROM (SELECT name||' '||typeof(value)||' '||hex(value) AS row FROM config
 WHERE name IN (${names([ROWS.text, ROWS.lastRcvid, ROWS.note])}) ORDER BY name))`;

async function replaced(file: string, rows: Rows, statements: readonly string[], options: Options): Promise<boolean> {
  const held = [...rows].filter(([name]) => name !== ROWS.embargo).sort(([a], [b]) => (a < b ? -1 : 1));
  const state = held.map(([name, { type, hex }]) => `${name} ${type} ${hex}`).join(",");
  const lines = await runScript(
    file,
    [
      "BEGIN IMMEDIATE;",
      `CREATE TEMP TABLE gatepost_same AS SELECT 1 WHERE ifnull(${STATE},'')=${sqlText(state)};`,
      ...statements,
      "COMMIT;",
      "SELECT 'same' FROM gatepost_same;",
    ],
    options,
  );
  return lines[0] === "same";
}

async function readRows(file: string, options: Options): Promise<Rows> {
  const hex = `CASE WHEN length(CAST(value AS BLOB)) > ${LONGEST} THEN 'long' ELSE hex(value) END`;
  const select = `SELECT name||' '||typeof(value)||' '||${hex} FROM config WHERE name IN (${names(Object.values(ROWS))});`;
  const lines = await runScript(file, [select], options);
  return new Map(
    lines.map((line) => {
      const [name = "", type = "", hex = ""] = line.split(" ");
      if (hex === "long") throw tooLong(file, name);
      return [name, { type, hex }];
    }),
  );
}

const END = "gatepost: end of script";

/** How long (ms) a fossil program may take beyond its wait for locks before it is ended. */
const HANGS = 60_000;

/** What the script prints, line by line; an error unless it ran to its end. */
async function runScript(file: string, statements: readonly string[], { patience }: Options): Promise<string[]> {
  requireOwner(file);
  const own = mkdtempSync(join(tmpdir(), "gatepost-fossil-")); // else it needs, and makes, a database in the user's home
  const head = [".bail on", `.timeout ${patience ?? PATIENCE}`, ".mode list", ".headers off"];
  try {
    const { stdout, stderr, code, signal } = await capture("fossil", ["sql", "-init", "/dev/null", "-R", file], {
      cwd: "/", // in a checkout it would open that one's database as well
      env: {
        PATH: process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
        FOSSIL_HOME: own,
        USER: "gatepost",
        LC_ALL: "C",
      },
      timeout: (patience ?? PATIENCE) + HANGS,
      input: `${[...head, ...statements, `SELECT '${END}';`].join("\n")}\n`,
    }).catch((error: unknown) => {
      throw isNoProgram(error) ? noProgram(error) : error;
    });
    const lines = stdout.toString("latin1").split("\n");
    if (lines.at(-2) === END) return lines.slice(0, -2);
    if (stderr.trim() === "") throw silent(file, signal ?? `exit ${code}`);
    throw failure(file, stderr);
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

function requireOwner(file: string): void {
  const owner = statSync(file, { throwIfNoEntry: false })?.uid;
  if (owner === undefined)
    throw new GatepostError("GP_NO_REPOSITORY", `There is no repository at ${file}. Nothing was changed.`, {
      hint: "If it was moved: gatepost init NEW-PATH",
    });
  if (owner === process.geteuid?.()) return;
  throw new GatepostError("GP_NOT_OWNER", `${file} belongs to another user (uid ${owner}). Nothing was changed.`, {
    hint: `As its owner: sudo -u '#${owner}' gatepost …`,
  });
}

const isNoProgram = (error: unknown): boolean => error instanceof GatepostError && error.code === "GP_PROGRAM";
const noProgram = (cause: unknown): GatepostError =>
  new GatepostError("GP_PROGRAM", "There is no fossil program, which alone may change a Fossil repository's hooks.", {
    hint: "Install fossil (Debian: apt install fossil), or put it on PATH. Nothing was changed.",
    cause,
  });

const silent = (file: string, end: string): GatepostError =>
  new GatepostError("GP_PROGRAM", `fossil sql on ${file} ended (${end}) before its script did, and said nothing.`, {
    hint: "Is the fossil on PATH the real one? It must answer: fossil version",
  });

const tooLong = (file: string, name: string): GatepostError =>
  new GatepostError(
    "GP_REPOSITORY",
    `The setting ${name} of ${file} is longer than ${LONGEST / 1024 / 1024} MiB. Nothing was changed.`,
    { hint: "No hook list is that long. See what stands there: fossil hook list" },
  );

function failure(file: string, stderr: string): GatepostError {
  const said = stderr.trim().split("\n");
  if (/database is locked|SQLITE_BUSY/.test(stderr))
    return new GatepostError("GP_BUSY", `Another program keeps ${file} locked. Nothing was changed.`, {
      hint: "Try again when it has ended: a commit, a push, or a hook of Fossil's that does not read its list.",
    });
  if (/readonly database|unable to open|not writable|permission denied/i.test(stderr))
    return new GatepostError("GP_DENIED", `fossil cannot write ${file}: ${said.at(-1)}. Nothing was changed.`, {
      hint: "Let its owner write to the file and to its folder.",
    });
  if (/not a valid repository|not a database|malformed/.test(stderr))
    return new GatepostError("GP_NO_REPOSITORY", `${file} is no Fossil repository that fossil can read: ${said[0]}.`, {
      hint: "Have fossil check it: fossil test-integrity",
    });
  return new GatepostError("GP_VCS", `fossil could not change the hooks of ${file}: ${said[0]}.`, {
    hint: "Nothing was changed.",
  });
}
