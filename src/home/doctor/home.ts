/** What doctor looks at in a home itself: its files first, since they can be read where the database cannot. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { GatepostError } from "../../core/errors.ts";
import { type Layout, layout } from "../../core/layout.ts";
import { typed } from "../../core/shell-word.ts";
import { namesIn, textOf } from "../../shim/look-in.ts";
import { damages, longLog } from "../../store/check.ts";
import { closeDatabase, openDatabase, SCHEMA_VERSION } from "../../store/database.ts";
import { listHooks } from "../../store/hook.ts";
import { listRepositories } from "../../store/repository.ts";
import { exportHooks } from "../exchange.ts";
import { compiledNames, type Wanted } from "../gates.ts";
import { homeLitter } from "../litter.ts";
import { displaced, homeId, type OpenHome } from "../open.ts";
import { isRegistered } from "../register.ts";
import { counted, FIX, type Finding, failure, few, fine, warning } from "./finding.ts";

/** Opens a home only to look at it: unlike `openHome`, nothing in it is written anew. Null, and a finding, where the
 *  database cannot be opened. */
export function openToLook(dir: string): { home: OpenHome | null; findings: Finding[] } {
  const places = layout(dir);
  try {
    const home = { dir, layout: places, db: openDatabase(places.database) };
    try {
      const wrong = damages(home.db);
      const long = longLog(home.db);
      if (wrong.length === 0 && long !== null)
        return { home, findings: [warning("database", long, `fuser -v ${typed(places.database)}`)] };
      if (wrong.length === 0)
        return { home, findings: [fine("database", `The database is whole (schema ${SCHEMA_VERSION}).`)] };
      const says = `The database ${places.database} is damaged: ${few(wrong)}.`;
      return { home, findings: [failure("database", says, "gatepost backup --restore FILE")] };
    } catch (error) {
      closeDatabase(home.db);
      throw error;
    }
  } catch (error) {
    if (!(error instanceof GatepostError)) throw error;
    const owner = statSync(dir).uid;
    if (error.code === "GP_DENIED" && owner !== process.geteuid?.())
      return {
        home: null,
        findings: [fine("database", `The database is for its owner to read (uid ${owner}); files were looked at.`)],
      };
    const says = `${error.message} Only files could be looked at.`;
    return { home: null, findings: [failure("database", says, error.hint ?? FIX)] };
  }
}

/** What can be seen without the database. */
export function examineFiles(dir: string): Finding[] {
  const places = layout(dir);
  return [programFinding(places), ...folderFindings(places), spoolFinding(places), automaticFinding(places)];
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

/** Whoever may write where compiled gates stand runs what they like as whoever commits. */
function folderFindings(places: Layout): Finding[] {
  const shared = existsSync(places.shared);
  const findings: Finding[] = [];
  for (const folder of [places.home, places.gates, join(places.home, "bin")]) {
    const mode = statSync(folder, { throwIfNoEntry: false })?.mode;
    if (mode === undefined) findings.push(failure("folders", `${folder} is missing.`, FIX));
    else if ((mode & 0o022) !== 0) findings.push(failure("folders", `Others than the owner may write ${folder}.`, FIX));
    else if (shared && (mode & 0o055) !== 0o055)
      findings.push(failure("folders", `The home is shared, but others cannot read ${folder}.`, FIX));
  }
  for (const path of [places.database, places.auxiliary, places.bad])
    if (((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0)
      findings.push(failure("folders", `Others than the owner may read ${path}.`, FIX));
  const litter = homeLitter(places);
  if (litter.length > 0)
    findings.push(warning("folders", `A command that was killed left files: ${few(litter)}.`, FIX));
  const spool = statSync(places.spool, { throwIfNoEntry: false })?.mode;
  if (spool === undefined || (shared && (spool & 0o1033) !== 0o1033))
    findings.push(warning("folders", `Entries cannot be left in ${places.spool}.`, FIX));
  return findings.length > 0
    ? findings
    : [fine("folders", `The home is ${shared ? "shared" : "private"}, and its folders are too.`)];
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
