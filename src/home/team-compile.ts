/**
 * The compiled team file of a work tree, in `gatepost-team/` of its own git directory:
 *
 *     now -> 4711-6f0c…/       what the gates read; a link, so that it is exchanged at once
 *     4711-6f0c…/gatepost.json the file as it was compiled, with which a gate compares the work tree's
 *     4711-6f0c…/same          its text once more, where it is so small that the gate's shell compares it itself
 *     4711-6f0c…/TYPE          for each local type, also those without hooks, so that one that is missing is a fault
 *
 * A folder is written whole before the link leads to it, and never changed afterwards; so whenever this process dies, and
 * however many compile at once, a gate finds files that belong together, or none and refuses. The folder before stays
 * until the next change, for a gate that just found its way there. Others whose process is gone are removed.
 *
 * That the folder is there in the directory that all work trees share is the sign for the gates that somebody agreed to
 * the team files of this repository (src/home/team.ts).
 *
 * Proven by test/e2e/team.test.ts and test/e2e/team-faults.test.ts.
 */
import { lstatSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Hook } from "../core/hook.ts";
import { quoted } from "../core/shell-word.ts";
import { compileGate } from "../gate/compile.ts";
import { makeFile, makeRealFolder, ownMark } from "../process/replace-file.ts";
import { isGone } from "../shim/litter.ts";
import { namesIn } from "../shim/look-in.ts";
import type { WorkTree } from "../vcs/git.ts";
import { LOCAL_TYPES, parseTeamFile, TEAM_FILE, type TeamFile } from "./team-file.ts";

const FOLDER = "gatepost-team";

/** Where what is compiled stands, below a git directory. */
export const teamFolder = (gitDir: string): string => join(gitDir, FOLDER);

const compiledOf = (gitDir: string): string => join(teamFolder(gitDir), "now");

/** Up to so many bytes the gate's shell compares the file itself: it reads byte by byte. */
const MOST_READ = 1024;

/** Each file that should be there, with its bytes. */
function filesOf({ bytes, hooks }: TeamFile): Map<string, Buffer> {
  const compiled = (type: string): Buffer => {
    const own = hooks.filter((hook) => hook.type === type);
    return Buffer.from(compileGate(type, own, { path: "", auxiliary: null, team: true })); // PATH is for server gates
  };
  const files = new Map(LOCAL_TYPES.map((type) => [type, compiled(type)]));
  if (bytes.length <= MOST_READ) files.set("same", Buffer.from(`_gatepost_same=${quoted(bytes.toString("utf8"))}\n`));
  return files.set(TEAM_FILE, bytes);
}

const same = (file: string, bytes: Buffer): boolean => {
  try {
    return readFileSync(file).equals(bytes);
  } catch {
    return false;
  }
};

/** Whether what is compiled is that file, whole. */
export const isCompiled = ({ gitDir }: Pick<WorkTree, "gitDir">, team: TeamFile): boolean =>
  [...filesOf(team)].every(([name, bytes]) => same(join(compiledOf(gitDir), name), bytes));

/** Compiles the team file of a work tree, unless it is compiled already. `mode` is that of the files. */
export function compileTeam({ gitDir }: Pick<WorkTree, "gitDir">, team: TeamFile, mode: 0o600 | 0o644): void {
  if (isCompiled({ gitDir }, team)) return;
  const folder = teamFolder(gitDir);
  makeOwnFolder(folder);
  const mark = ownMark();
  mkdirSync(join(folder, mark), { mode: mode === 0o600 ? 0o700 : 0o755 });
  for (const [name, bytes] of filesOf(team))
    makeFile(join(folder, mark, name), bytes.toString("latin1"), { mode, encoding: "latin1" });
  const before = targetOf(folder);
  symlinkSync(mark, join(folder, `${mark}.new`));
  // A copy of the repository that followed links has a folder in its place, which no name goes over.
  if (kindOf(join(folder, "now"))?.isDirectory()) rmSync(join(folder, "now"), { recursive: true, force: true });
  renameSync(join(folder, `${mark}.new`), join(folder, "now"));
  for (const name of namesIn(folder)) {
    const pid = /^(\d{1,9})-[0-9a-f]{16}(?:\.new)?$/.exec(name)?.[1];
    const isLeft = pid !== undefined && name !== mark && name !== before && isGone(Number(pid));
    if (isLeft) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

const kindOf = (path: string) => lstatSync(path, { throwIfNoEntry: false });

/** Makes the folder; what has its name and is none, such as a link, is taken away. */
function makeOwnFolder(folder: string): void {
  if (kindOf(folder)?.isDirectory() === false) rmSync(folder, { force: true });
  makeRealFolder(folder);
}

function targetOf(folder: string): string | null {
  try {
    return readlinkSync(join(folder, "now"));
  } catch {
    return null;
  }
}

/** The hooks that were compiled last in a work tree; null where none were, or they cannot be read any more. */
export function compiledHooks({ gitDir }: Pick<WorkTree, "gitDir">): Hook[] | null {
  try {
    return parseTeamFile(readFileSync(join(compiledOf(gitDir), TEAM_FILE)));
  } catch {
    return null;
  }
}

/** Tells the gates that somebody agreed, or, by taking away what was compiled as well, that nobody does. */
export function markAgreed(gitDir: string, linked: readonly string[], agreed: boolean): void {
  if (agreed) makeOwnFolder(teamFolder(gitDir));
  else for (const own of [gitDir, ...linked]) rmSync(teamFolder(own), { recursive: true, force: true });
}

/** Whether the gates believe so. */
export const isAgreed = (gitDir: string): boolean => kindOf(teamFolder(gitDir))?.isDirectory() === true;
