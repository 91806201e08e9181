/**
 * `doctor`: says what really runs in a repository, and what keeps hooks from running.
 *
 * Looking changes nothing, not even what every other command renews. It goes as far as it can: where the database cannot
 * be read, because it is damaged or because the caller may only push, the files are looked at all the same.
 *
 * Mending is `init` once more for each repository with a finding, in the home that it has: that makes folders, modes,
 * program and pointer as they should be, puts shims into the folders in which Git looks now, and compiles the gates. What
 * was mended is not claimed but seen: everything is looked at again, and what is no longer found was mended. A home that
 * was copied or moved, or that this user never registered, is not touched: to run its hooks is a decision, and only
 * `init` takes it.
 *
 * If the process dies here, `doctor --fix` goes on where it was. Proven by test/e2e/doctor.test.ts.
 */
import { existsSync, rmSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { GatepostError, knownError } from "../core/errors.ts";
import { homePlace, layout } from "../core/layout.ts";
import { typed } from "../core/shell-word.ts";
import { closedBecause, removeMovedAside } from "../shim/install.ts";
import { openDatabase } from "../store/database.ts";
import { hooksFolders, listRepositories, type RepositoryRow } from "../store/repository.ts";
import { FIX, type Finding, failure, fine, PARKED } from "./doctor/finding.ts";
import {
  closedDatabase,
  examineCompiled,
  examineFiles,
  examinePlace,
  examineReadable,
  openToLook,
} from "./doctor/home.ts";
import { invariants, JUDGED, staleAuxiliaries } from "./doctor/invariants.ts";
import { examineRepository, examineUnknown } from "./doctor/repository.ts";
import { examineOpen } from "./doctor/work.ts";
import { takeEdited } from "./edited.ts";
import { writeHooksFile } from "./exchange.ts";
import { makeFolders } from "./folders.ts";
import { compileAll, refreshGates } from "./gates.ts";
import { register } from "./init.ts";
import { findRepository, homeOf, type Located, locate } from "./locate.ts";
import { closeHome, displaced, homeId, type OpenHome, refreshProgram, requireOwner, requireSafe } from "./open.ts";
import { isRegistered } from "./register.ts";
import { requireRepository } from "./repositories.ts";
import { mendFossil } from "./serve.ts";
import { obeyTeam } from "./team.ts";

export type { Finding, Level } from "./doctor/finding.ts";

/** What was found about a home, or about a repository of it. */
export type Examined = { kind: "home" | "repository"; name: string; path: string; findings: Finding[] };
export type Diagnosis = {
  home: string;
  examined: Examined[];
  /** What was found and is no longer; empty without `fix`. */
  mended: { name: string; says: string }[];
  /** Why something could not be mended. */
  trouble: string[];
  /** Where shims were kept that somebody had edited; empty without `fix`. */
  edited: string[];
};

export type DoctorOptions = { repository?: string | undefined; home?: string | undefined; cwd: string; fix: boolean };

/** Examines the repository that is named, or that the folder is in; all of a home where only that is named. With `fix`
 *  it mends what it can, and the findings are those of afterwards. Idempotent. Throws GP_NO_HOME where there is nothing
 *  to examine and, with `fix`, GP_NOT_OWNER. */
export async function doctor(options: DoctorOptions): Promise<Diagnosis> {
  const located = locateOrLost(options);
  if ("examined" in located) return located;
  const before = await examine(located);
  const { home } = located;
  if (!options.fix) return withCalls({ home, examined: before, mended: [], trouble: [], edited: [] }, options);
  requireOwner(home);
  const { trouble, edited } = before.some(isIll) ? await mend(located, before) : { trouble: [], edited: [] };
  const examined = await examine(located);
  const still = new Set(examined.flatMap(({ name, findings }) => findings.map(({ says }) => `${name} ${says}`)));
  const mended = before.flatMap(({ name, findings }) =>
    findings.flatMap(({ level, says }) => (level === "ok" || still.has(`${name} ${says}`) ? [] : [{ name, says }])),
  );
  return withCalls({ home, examined, mended, trouble, edited }, options);
}

const isBad = ({ level }: Finding): boolean => level !== "ok";
const isIll = ({ findings }: Examined): boolean => findings.some(isBad);

/** Where a pointer leads nowhere there is no home, and that is the finding. */
function locateOrLost(options: DoctorOptions): Located | Diagnosis {
  try {
    return locate(options);
  } catch (error) {
    const found = options.home === undefined ? findRepository(resolve(options.cwd, options.repository ?? ".")) : null;
    const place = found === null ? "" : homePlace(found);
    if (!(error instanceof GatepostError) || error.code !== "GP_NO_HOME" || found === null || !existsSync(place))
      throw error;
    const { path } = found;
    const home = homeOf(found);
    const says =
      home === null ? `${place} does not name a home: gates refuse.` : `The home ${home} is gone: gates refuse.`;
    const findings = [failure("pointer", says, `gatepost init --home DIR ${typed(path)}`)];
    const examined: Examined[] = [{ kind: "repository", name: basename(path), path, findings }];
    return { home: home ?? "", examined, mended: [], trouble: [], edited: [] };
  }
}

async function examine({ home: dir, repository }: Located): Promise<Examined[]> {
  const { home, findings } = openToLook(dir);
  const files = examineFiles(dir);
  if (home === null) return examineWithoutRows(dir, repository, [...findings, ...files]);
  try {
    return await examineWithRows(home, repository, [...findings, ...files]);
  } catch (error) {
    if (!(error instanceof GatepostError) || error.code !== "GP_DAMAGED") throw error;
    return examineWithoutRows(dir, repository, [...findings.filter(isBad), closedDatabase(error), ...files]);
  } finally {
    closeHome(home);
  }
}

/** Where the rows of the database cannot be read, or not be believed. */
async function examineWithoutRows(dir: string, repository: string | null, findings: Finding[]): Promise<Examined[]> {
  const all = { kind: "home" as const, name: dir, path: dir, findings: [...findings, examineReadable(dir)] };
  if (repository === null || !existsSync(repository)) return [all];
  const name = basename(repository) === ".git" ? basename(dirname(repository)) : basename(repository);
  return [{ kind: "repository", name, path: repository, findings: await examineUnknown(repository) }, all];
}

async function examineWithRows(home: OpenHome, repository: string | null, findings: Finding[]): Promise<Examined[]> {
  const wanted = compileAll(home);
  const examined: Examined[] = [];
  const own = [...examinePlace(home), ...examineCompiled(home, wanted), ...examineOpen(home)];
  own.push(...(await examinePromises(home)));
  for (const row of rowsOf(home, repository)) {
    const found = await examineRepository(home, row, wanted);
    examined.push({ kind: "repository", name: row.name, path: row.path, findings: found });
  }
  return [...examined, { kind: "home", name: home.dir, path: home.dir, findings: [...findings, ...own] }];
}

/** The promises, each broken one by its number, and how many hold. */
async function examinePromises(home: OpenHome): Promise<Finding[]> {
  const broken = await invariants(home);
  const holds = JUDGED.filter((promise) => broken.every((one) => one.promise !== promise));
  const says = `${holds.length} promises hold (docs/promise.md): ${holds.join(" ")}.`;
  return [
    fine("promises", says),
    ...broken.map(({ promise, level, says, mend }) => ({ level, about: promise, says: `${promise}: ${says}`, mend })),
  ];
}

const rowsOf = (home: OpenHome, repository: string | null): RepositoryRow[] =>
  repository === null ? listRepositories(home.db) : [requireRepository(home, repository)];

type Mended = Pick<Diagnosis, "trouble" | "edited">;

async function mend(located: Located, found: readonly Examined[]): Promise<Mended> {
  const done: Mended = { trouble: [], edited: [] };
  const { home: dir } = located;
  try {
    requireSafe(dir);
    const home: OpenHome = { dir, layout: layout(dir), db: openDatabase(layout(dir).database) };
    try {
      await mendHome(home, located.repository, found, done);
    } finally {
      closeHome(home);
    }
  } catch (error) {
    const { message } = knownError(error);
    if (!found.some(({ findings }) => findings.some(({ says }) => says.startsWith(message))))
      done.trouble.push(message);
  }
  return { ...done, edited: [...done.edited, ...takeEdited()] };
}

async function mendHome(home: OpenHome, repository: string | null, found: readonly Examined[], done: Mended) {
  const { dir } = home;
  if (displaced(home) !== null || !isRegistered({ id: homeId(home), path: dir })) {
    const why = `The home ${dir} is not one that this user has registered here. Nothing was mended.`;
    const path = repository ?? listRepositories(home.db).find((row) => existsSync(row.path))?.path;
    const next = `gatepost init ${path === undefined ? "PATH" : typed(path)}`;
    done.trouble.push(`${why} If its hooks shall run here: ${next}`);
    return;
  }
  const ill = new Set(found.filter((one) => one.kind === "home" || isIll(one)).map(({ path }) => path));
  const everything = found.some((one) => one.kind === "home" && isIll(one));
  if (everything) makeFolders(home.layout, existsSync(home.layout.shared));
  refreshProgram(home);
  writeHooksFile(home);
  let registered = false;
  for (const row of rowsOf(home, repository)) {
    if (!(everything && !registered) && !ill.has(row.path)) continue;
    if (!existsSync(row.path) || !isServed(home, row)) continue;
    try {
      done.edited.push(...(await register(row.path, dir)).edited);
      registered = true;
      for (const { path } of hooksFolders(row)) if (closedBecause(path) === null) removeMovedAside(path);
    } catch (error) {
      done.trouble.push(knownError(error).message);
    }
  }
  refreshGates(home);
  for (const row of rowsOf(home, repository))
    if (row.team !== null && existsSync(row.path) && isServed(home, row)) obeyTeam(home, row, null);
  for (const path of staleAuxiliaries(home)) rmSync(path, { force: true });
  done.trouble.push(...(await mendFossil(home)));
}

/** Whether it is this home's to mend: not one that another home has taken over, or that another user owns. */
function isServed(home: OpenHome, row: RepositoryRow): boolean {
  const other = homeOf(row);
  return (other === null || other === home.dir) && statSync(row.path).uid === statSync(home.dir).uid;
}

/** The calls that mend, with the options that this call was made with. */
function withCalls(diagnosis: Diagnosis, { repository, home }: DoctorOptions): Diagnosis {
  const where = [
    ...(home === undefined ? [] : [`--home ${typed(home)}`]),
    ...(repository === undefined ? [] : [`-R ${typed(repository)}`]),
  ];
  for (const { findings } of diagnosis.examined)
    for (const finding of findings)
      for (const call of [FIX, PARKED])
        if (finding.mend !== null) finding.mend = finding.mend.replace(call, () => [call, ...where].join(" "));
  return diagnosis;
}
