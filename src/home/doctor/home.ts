/** What doctor looks at in a home itself: its files first, since they can be read where the database cannot. */
import { accessSync, constants, existsSync, lstatSync, statSync } from "node:fs";
import { join } from "node:path";
import { GatepostError } from "../../core/errors.ts";
import { type Layout, layout } from "../../core/layout.ts";
import { typed } from "../../core/shell-word.ts";
import { namesIn, textOf } from "../../shim/look-in.ts";
import { damages, longLog, strangeShapes } from "../../store/check.ts";
import { closeDatabase, type Database, openDatabase, SCHEMA_VERSION, versionAt } from "../../store/database.ts";
import { listHooks } from "../../store/hook.ts";
import { listRepositories } from "../../store/repository.ts";
import { exportHooks } from "../exchange.ts";
import { obstacles } from "../folders.ts";
import { compiledNames, type Wanted } from "../gates.ts";
import { homeLitter } from "../litter.ts";
import { displaced, homeId, lookAt, type OpenHome, requireSafe } from "../open.ts";
import { isRegistered } from "../register.ts";
import { counted, FIX, type Finding, failure, few, fine, warning } from "./finding.ts";
import { examineStrange } from "./work.ts";

/** Opens a home only to look at it: unlike `openHome`, nothing in it is written anew, and a database of an older version
 *  stays one. Null where its rows cannot be read or believed; the findings say why. */
export function openToLook(dir: string): { home: OpenHome | null; findings: Finding[] } {
  const places = layout(dir);
  try {
    requireSafe(dir);
  } catch (error) {
    return { home: null, findings: [closedDatabase(error)] };
  }
  let db: Database | null = null;
  try {
    const version = versionAt(places.database);
    if (version < SCHEMA_VERSION) {
      const then = "the next command that opens it brings it up to date";
      const says = `The database is of an older version (schema ${version}); ${then}. Only files were looked at.`;
      return { home: null, findings: [warning("database", says, FIX)] };
    }
    db = openDatabase(places.database);
    const wrong = damages(db);
    if (wrong.length === 0) return { home: { dir, layout: places, db }, findings: [databaseFinding(db)] };
    closeDatabase(db);
    const says = `The database ${places.database} is damaged: ${few(wrong)}. Only files could be looked at.`;
    return { home: null, findings: [failure("database", says, RESTORES)] };
  } catch (error) {
    if (db !== null) closeDatabase(db);
    const owner = lookAt(dir)?.uid;
    if (error instanceof GatepostError && error.code === "GP_DENIED" && owner !== process.geteuid?.())
      return {
        home: null,
        findings: [fine("database", `The database is for its owner to read (uid ${owner}); files were looked at.`)],
      };
    return { home: null, findings: [closedDatabase(error)] };
  }
}

const RESTORES = "gatepost backup --restore FILE";

/** The finding about a database that could not be read; what is not one of our errors is thrown on. */
export function closedDatabase(error: unknown): Finding {
  if (!(error instanceof GatepostError)) throw error;
  return failure("database", `${error.message} Only files could be looked at.`, error.hint ?? FIX);
}

function databaseFinding(db: Database): Finding {
  const strange = strangeShapes(db);
  if (strange.length > 0)
    return failure("database", `The schema of ${db.path} is not ours: ${few(strange)}.`, RESTORES);
  const long = longLog(db);
  if (long !== null) return warning("database", long, `fuser -v ${typed(db.path)}`);
  return fine("database", `The database is whole (schema ${SCHEMA_VERSION}).`);
}

/** What can be seen without the database. */
export function examineFiles(dir: string): Finding[] {
  const places = layout(dir);
  return [
    programFinding(places),
    ...folderFindings(places),
    spoolFinding(places),
    ...examineStrange(places),
    automaticFinding(places),
  ];
}

function programFinding({ program }: Layout): Finding {
  const text = textOf(program, "utf8");
  if (text === null) return warning("program", `${program} is missing, so that no shim can start a backoffice.`, FIX);
  const gone = [...text.matchAll(/'((?:[^']|'\\'')*)'/g)]
    .map(([, word = ""]) => word.replaceAll("'\\''", "'"))
    .filter((path) => !existsSync(path));
  if (gone.length > 0) return warning("program", `${program} names ${few(gone)}, which is gone.`, FIX);
  if ((statSync(program).mode & 0o111) === 0) return warning("program", `${program} is not executable.`, FIX);
  return fine("program", `${program} names a node and a program that are there.`);
}

/** What `backoffice` refuses is a failure here too, in the same words; then what is missing, or read by others. */
function folderFindings(places: Layout): Finding[] {
  const shared = existsSync(places.shared);
  const findings: Finding[] = [];
  const wrong = new Set<string>();
  for (const { path, says, mend } of obstacles(places, ownerOf(places))) {
    wrong.add(path);
    findings.push(failure("folders", says, mend));
  }
  for (const folder of [places.home, places.gates, join(places.home, "bin")]) {
    const mode = modeOf(folder);
    if (wrong.has(folder)) continue;
    if (mode === "missing") findings.push(failure("folders", `${folder} is missing.`, FIX));
    else if (shared && mode !== "hidden" && (mode & 0o055) !== 0o055)
      findings.push(failure("folders", `The home is shared, but others cannot read ${folder}.`, FIX));
  }
  for (const path of [places.database, places.auxiliary, places.bad]) {
    const mode = modeOf(path);
    if (!wrong.has(path) && typeof mode === "number" && (mode & 0o077) !== 0)
      findings.push(failure("folders", `Others than the owner may read ${path}.`, FIX));
  }
  const litter = homeLitter(places);
  if (litter.length > 0)
    findings.push(warning("folders", `A command that was killed left files: ${few(litter)}.`, FIX));
  const spool = modeOf(places.spool);
  if (wrong.has(places.spool)) return findings;
  if (spool === "missing" || (shared && spool !== "hidden" && (spool & 0o1033) !== 0o1033))
    findings.push(warning("folders", `Entries cannot be left in ${places.spool}.`, FIX));
  return findings.length > 0
    ? findings
    : [fine("folders", `The home is ${shared ? "shared" : "private"}, and its folders are too.`)];
}

/** Whose the home should be: this user's where anything of it is, for then they would run it. */
function ownerOf({ home, database }: Layout): number {
  const owner = lookAt(home)?.uid ?? -1;
  const self = process.geteuid?.() ?? owner;
  return lookAt(database)?.uid === self ? self : owner;
}

/** The mode of what is at a path, links not followed: a link would say the mode of another file. */
function modeOf(path: string): number | "missing" | "hidden" {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.mode ?? "missing";
  } catch {
    return "hidden"; // in a folder that this user may not enter
  }
}

function spoolFinding({ bad }: Layout): Finding {
  const names = namesIn(bad).filter((name) => !name.endsWith(".reason"));
  if (names.length === 0) return fine("spool", "No entry of the spool was set aside.");
  const mend = `Read the reasons in ${typed(bad)}, then delete ${names.length === 1 ? "it" : "them"}.`;
  return warning("spool", `${counted(names.length, "entry")} of the spool could not be used: ${few(names)}.`, mend);
}

function automaticFinding({ failed }: Layout): Finding {
  const text = textOf(failed, "utf8");
  if (text === null) return fine("backoffice", "The last backoffice that a shim started could work.");
  return warning(
    "backoffice",
    `The last backoffice that a shim started failed: ${firstLine(text)}`,
    "gatepost backoffice",
  );
}

const firstLine = (text: string): string => text.trim().split("\n", 1)[0] ?? "";

/** Whether this user, who cannot read the database, can read the gates: else they refuse. */
export function examineReadable(dir: string): Finding {
  const { gates } = layout(dir);
  if (!isReadable(gates)) return failure("compiled", `You cannot read ${gates}: gates refuse.`, OWNER_MENDS);
  const hidden = namesIn(gates).filter((name) => !isReadable(join(gates, name)));
  if (hidden.length === 0) return fine("compiled", "You can read the compiled files.");
  return failure("compiled", `You cannot read compiled files: ${few(hidden)} in ${gates}.`, OWNER_MENDS);
}

const OWNER_MENDS = `${FIX}, by the owner of the home`;

/** What the database and the register say of the home. */
export function examinePlace(home: OpenHome): Finding[] {
  const paths = listRepositories(home.db).map(({ path }) => path);
  const init = `gatepost init ${typed(paths.find(existsSync) ?? "REPOSITORY")}`;
  const why = displaced(home);
  if (why !== null)
    return [failure("home", `The home ${home.dir} was copied or moved: ${why}. Its backoffice runs nothing.`, init)];
  if (isRegistered({ id: homeId(home), path: home.dir }))
    return [fine("home", "The home is where it was made, and stands in the register.")];
  return [
    warning("home", `The home ${home.dir} is not in this user's register, so no backoffice runs it by itself.`, init),
  ];
}

/** What is derived from the hooks in the database. */
export function examineCompiled(home: OpenHome, { files: wanted }: Wanted): Finding[] {
  const path = (name: string): string => join(home.layout.gates, name);
  const missing = [...wanted.keys()].filter((name) => !existsSync(path(name)));
  const hidden = [...wanted.keys()].filter((name) => existsSync(path(name)) && !isReadable(path(name)));
  const different = [...wanted].flatMap(([name, text]) => {
    const there = textOf(path(name), "utf8");
    return there === null || there === text ? [] : [name];
  });
  const left = compiledNames(home).filter((name) => !wanted.has(name));
  const findings: Finding[] = [];
  const named = (names: readonly string[]): string => `${few(names)} in ${home.layout.gates}`;
  if (missing.length > 0)
    findings.push(
      failure("compiled", `Compiled files are missing, so that their gates refuse: ${named(missing)}.`, FIX),
    );
  if (hidden.length > 0) findings.push(failure("compiled", `You cannot read compiled files: ${named(hidden)}.`, FIX));
  if (different.length > 0)
    findings.push(failure("compiled", `Compiled files are not what the database says: ${named(different)}.`, FIX));
  if (left.length > 0) findings.push(warning("compiled", `Compiled files belong to no hook: ${named(left)}.`, FIX));
  if (existsSync(home.layout.stale))
    findings.push(warning("compiled", "An edit of the hooks was broken off before the gates were compiled.", FIX));
  if (findings.length === 0)
    findings.push(fine("compiled", `${counted(wanted.size, "compiled file")} as the database says.`));
  const text = `${JSON.stringify(exportHooks(home, listHooks(home.db)), null, 2)}\n`;
  const copy = textOf(home.layout.hooksFile, "utf8");
  if (copy !== text && isReadable(home.dir))
    findings.push(warning("hooks.json", `${home.layout.hooksFile} is not what the database says.`, FIX));
  return findings;
}

const isReadable = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
};
