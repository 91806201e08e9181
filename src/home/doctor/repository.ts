/** What doctor looks at in one repository: whether it is the one that was registered, and what Git runs there. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { watermarkOf } from "../../backoffice/arrivals.ts";
import { GatepostError } from "../../core/errors.ts";
import { covers } from "../../core/hook.ts";
import { IN_PLACE } from "../../core/hook-type.ts";
import { homePlace, pointerText } from "../../core/layout.ts";
import { typed } from "../../core/shell-word.ts";
import { PUSH_RECEIVER } from "../../shim/install.ts";
import { listHooks } from "../../store/hook.ts";
import { hooksFolders, type RepositoryRow } from "../../store/repository.ts";
import { openFossil } from "../../vcs/fossil.ts";
import { type Identity, identifyGit, runsConfiguredHooks } from "../../vcs/git.ts";
import { fossilTrouble } from "../fossil-gates.ts";
import { compiledFile, teamGates, type Wanted } from "../gates.ts";
import { foldersOf, gitoliteFindings } from "../gitolite.ts";
import { readForeign } from "../import/read.ts";
import { homeOf } from "../locate.ts";
import type { OpenHome } from "../open.ts";
import { whoIsKeptOut } from "./access.ts";
import { FIX, type Finding, failure, few, fine, warning } from "./finding.ts";
import { type Expected, examineFolder } from "./hooks-folder.ts";
import { teamFindings } from "./team.ts";
import { examineParked, examinePauses } from "./work.ts";

/** Everything about a repository that its home knows. */
export async function examineRepository(home: OpenHome, row: RepositoryRow, wanted: Wanted): Promise<Finding[]> {
  const init = `gatepost init ${typed(row.path)}`;
  const stat = statSync(row.path, { throwIfNoEntry: false });
  if (stat === undefined) {
    const mend = `gatepost uninstall --home ${typed(home.dir)} -R ${typed(row.name)}`;
    return [failure("repository", `${row.path} is gone.`, mend)];
  }
  if (row.kind === "fossil") return examineFossil(home, row, init);
  if (row.kind !== "git") return [];
  const findings: Finding[] = [];
  if (stat.ino !== row.inode)
    findings.push(warning("repository", `Another repository stands at ${row.path} than was registered.`, init));
  // Where the repository stands as it was registered, the reason may be over: the next look tells.
  const again = stat.ino === row.inode ? "gatepost backoffice" : init;
  if (row.parked !== null)
    findings.push(warning("repository", `The backoffice cannot look at ${row.path}: ${row.parked}`, again));
  findings.push(...examineParked(home, row), ...examinePauses(home, row), ...pointerFindings(home, row));
  if (row.folders !== null && hooksFolders(row).every(({ use }) => use === "left"))
    return [...findings, warning("hooks folder", `${row.path} was taken out of its home: no hook runs there.`, init)];
  const gates = new Map<string, number>();
  for (const hook of listHooks(home.db))
    if (hook.command !== null && IN_PLACE.includes(hook.type) && covers(hook.scope, row))
      gates.set(hook.type, (gates.get(hook.type) ?? 0) + 1);
  for (const type of teamGates(row)) gates.set(type, (gates.get(type) ?? 0) + 1);
  const receivers = new Map(wanted.shims.map((shims) => [shims.folder, shims.receivers]));
  findings.push(...(await examineGit(row.path, gates, (folder) => receivers.get(folder) ?? null)));
  findings.push(...teamFindings(row), ...readersFindings(home, row, [...gates.keys()]));
  if (findings.every(({ level, about }) => level === "ok" || about !== "repository"))
    findings.unshift(fine("repository", `${row.path} is the repository that was registered.`));
  return findings;
}

/** A Fossil repository: that it can be read and goes on from what was read, and that fossil asks its gates. */
async function examineFossil(home: OpenHome, row: RepositoryRow, init: string): Promise<Finding[]> {
  const findings = [...examineParked(home, row), ...examinePauses(home, row), ...pointerFindings(home, row)];
  try {
    const { restored } = await openFossil(row.path).arrivals(watermarkOf(row), []);
    const as = restored ? "an earlier state of the repository" : "the repository";
    findings.unshift(fine("repository", `${row.path} is ${as} that was registered, and can be read.`));
  } catch (error) {
    if (!(error instanceof GatepostError)) throw error;
    return [failure("repository", error.message, error.hint ?? init)];
  }
  if (row.parked !== null)
    findings.push(
      warning("repository", `The backoffice cannot look at ${row.path}: ${row.parked}`, "gatepost backoffice"),
    );
  const trouble = await fossilTrouble(home, row);
  findings.push(...trouble.map((says) => failure("hooks", says, FIX)));
  if (trouble.length === 0) findings.push(fine("hooks", "Its hook list is as it should be."));
  return findings;
}

/** What can be said of a repository whose home's database cannot be read. */
export const examineUnknown = (gitDir: string): Promise<Finding[]> => examineGit(gitDir, null, () => []);

/** The file that names the home must name this one, and the repository's number in it. */
function pointerFindings(home: OpenHome, row: RepositoryRow): Finding[] {
  const place = homePlace(row);
  const inside = home.dir === place;
  if (inside) return [];
  const other = homeOf(row);
  if (other === null) return [failure("pointer", `${place} does not name the home, so that shims find none.`, FIX)];
  if (other !== home.dir) {
    const mend = `gatepost uninstall --home ${typed(home.dir)} -R ${typed(row.name)}`;
    return [failure("pointer", `${row.path} is served by another home, ${other}.`, mend)];
  }
  if (readFileSync(place, "utf8") === pointerText(home.dir, row.id))
    return [fine("pointer", `${place} names the home.`)];
  return [failure("pointer", `${place} is of an older form, or names another repository: gates refuse.`, FIX)];
}

async function examineGit(
  gitDir: string,
  gates: Expected["gates"],
  receiversIn: (folder: string) => readonly string[] | null,
): Promise<Finding[]> {
  let identity: Identity;
  try {
    identity = await identifyGit(gitDir);
  } catch (error) {
    if (!(error instanceof GatepostError)) throw error;
    return [failure("repository", error.message, error.hint ?? "See what git says there.")];
  }
  const folders = await foldersOf(identity);
  const findings = folders.flatMap((folder) => {
    const receivers = receiversIn(folder.path);
    const known = folder.gitolite === undefined ? gates : withoutRefs(gates); // of these gitoliteFindings speaks
    const expected = { gates: known, receivers: receivers ?? [PUSH_RECEIVER], known: receivers !== null };
    return examineFolder(folder, expected, folders.length > 1);
  });
  findings.push(...(await gitoliteFindings(gitDir, folders, gates)));
  return [...findings, ...(await configuredFindings(identity))];
}

const withoutRefs = (gates: Expected["gates"]): Expected["gates"] =>
  gates === null ? null : new Map([...gates].filter(([type]) => type !== "before-ref"));

/** Hooks in Git's own configuration. */
async function configuredFindings({ workTree: root, gitDir, hooksDir }: Identity): Promise<Finding[]> {
  try {
    const { hooks } = await readForeign("git-config", { root, gitDir, hooksDir });
    if (hooks.length === 0) return [];
    const names = few(hooks.map(({ name, type }) => `${name} (${type})`));
    const run = await runsConfiguredHooks();
    const says = run ? "run as well" : "do not run: this git is older than 2.54";
    return [fine("git config", `Hooks of Git's configuration ${says}: ${names}.`)];
  } catch (error) {
    if (!(error instanceof GatepostError)) throw error;
    return [warning("git config", error.message, "git config --get-regexp '^hook\\.'")];
  }
}

/** Whoever may push must be able to read the gates that judge the push. */
function readersFindings(home: OpenHome, row: RepositoryRow, types: readonly string[]): Finding[] {
  if (!existsSync(home.layout.shared)) return [];
  const files = types.map((type) => compiledFile(home, row, type)).filter((file) => existsSync(file));
  const kept = whoIsKeptOut(row.path, files.length > 0 ? files : [home.layout.gates]);
  if (kept === null) return [fine("readers", "Whoever may push can read the gates.")];
  const below = kept.path === home.dir || kept.path.startsWith(`${home.dir}/`);
  const mend = below ? FIX : `chmod o+x ${typed(kept.path)}`;
  return [failure("readers", `May push, but not read the gates because of ${kept.path}: ${few(kept.names)}.`, mend)];
}
