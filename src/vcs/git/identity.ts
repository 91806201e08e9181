/**
 * What repository a path belongs to. The path may be a work tree or a folder in one, a git directory, a bare
 * repository, a linked work tree or a submodule; all work trees of one repository give the same `gitDir`.
 *
 * Git finds it, with the ownership check that it makes only here: later reads name the directory and are not asked.
 * Here alone the owner's own and the system's configuration counts, because hooks are found through it.
 */
import fs from "node:fs";
import path from "node:path";
import { displayText, fromText } from "../../core/bytes.ts";
import { GatepostError } from "../../core/errors.ts";
import { type Ending, type Environment, stream } from "../../process/command.ts";
import { collect, gitEnvironment, gitFailure } from "./run.ts";

export type Identity = {
  /** Real path of the directory that all work trees share. */
  gitDir: string;
  bare: boolean;
  /** Root of the work tree the path lies in, else of the main one; null where there is none. */
  workTree: string | null;
  objectFormat: "sha1" | "sha256";
  /** Where git looks for hooks. */
  hooksDir: string;
  /** The scope of the configuration that sets core.hooksPath, null where none does. */
  hooksPathScope: "system" | "global" | "local" | "worktree" | null;
  /** core.sharedRepository lets others write. */
  sharedRepository: boolean;
  inode: number;
};

/** Looks, changes nothing. Throws GP_NO_REPOSITORY, GP_NOT_OWNER (git's "dubious ownership"), GP_DENIED, GP_PROGRAM,
 *  or GP_REPOSITORY where there is a repository that cannot be served, with the reason. */
export async function identifyGit(given: string): Promise<Identity> {
  const at = realPath(given);
  // `--path-format` comes late: what stands before it must not be paths. Paths last, so that flags have fixed places.
  const [place, settings] = await Promise.all([
    ask(at, ["rev-parse", "--is-bare-repository", "--is-inside-work-tree", "--show-object-format", ...PATHS]),
    ask(at, [
      "config",
      "--null",
      "--show-scope",
      "--get-regexp",
      "^core\\.(bare|worktree|hookspath|sharedrepository)$",
    ]),
  ]);
  if (place.code !== 0) throw refused(at, place);
  const [bareHere, inside, format, common, own, hooks, ...more] = place.stdout.toString("utf8").split("\n");
  if (bareHere === undefined || !/^(true|false)$/.test(bareHere) || !/^sha(1|256)$/.test(format ?? ""))
    throw new GatepostError("GP_PROGRAM", "This git is too old.", { hint: "Install git 2.32 or newer." });
  if (common === undefined || own === undefined || hooks === undefined || more.join("") !== "" || !isText(place.stdout))
    throw unservable(at, "a path of it has a newline or is not UTF-8");
  const gitDir = fs.realpathSync(common);
  const config = readSettings(settings.stdout);
  const linked = gitDir !== fs.realpathSync(own);
  const bare = linked ? await isBare(gitDir) : bareHere === "true";
  const workTree =
    inside === "true" ? await topOf(at) : bare ? null : mainWorkTree(gitDir, config.get("core.worktree"));
  const hooksPath = config.get("core.hookspath");
  return {
    gitDir,
    bare,
    workTree,
    objectFormat: format as "sha1" | "sha256",
    hooksDir:
      hooksPath === undefined ? path.join(gitDir, "hooks") : hooksIn(hooksPath.value, hooks, workTree ?? gitDir),
    hooksPathScope: (hooksPath?.scope ?? null) as Identity["hooksPathScope"],
    sharedRepository: isShared(config.get("core.sharedrepository")?.value),
    inode: fs.statSync(gitDir).ino,
  };
}

const PATHS = ["--path-format=absolute", "--git-common-dir", "--absolute-git-dir", "--git-path", "hooks"];

function realPath(given: string): string {
  let bytes: Buffer;
  try {
    bytes = fs.realpathSync.native(given, { encoding: "buffer" }); // the other one works on text
    if (!fs.statSync(bytes).isDirectory()) throw noRepository(given, "it is no directory");
  } catch (error) {
    if (error instanceof GatepostError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    // Node has already replaced bytes that are not UTF-8 in what it was started with.
    if (given.includes("\ufffd")) throw unservable(given, "its path is not UTF-8");
    if (code === "EACCES" || code === "EPERM")
      throw new GatepostError("GP_DENIED", `${shown(given)} cannot be read.`, { cause: error });
    throw noRepository(given, code === "ENOENT" ? "there is nothing at that path" : String(code));
  }
  if (!isText(bytes)) throw unservable(given, "its path is not UTF-8");
  return bytes.toString("utf8");
}

const isText = (bytes: Buffer): boolean => Buffer.from(bytes.toString("utf8")).equals(bytes);
const shown = (name: string): string => displayText(fromText(name));

function noRepository(at: string, why: string): GatepostError {
  return new GatepostError("GP_NO_REPOSITORY", `${shown(at)} is not a Git repository: ${why}.`, {
    hint: "Name a work tree, a bare repository or a .git directory.",
  });
}

function unservable(at: string, why: string): GatepostError {
  return new GatepostError("GP_REPOSITORY", `The repository at ${shown(at)} cannot be served: ${why}.`);
}

/** The caller's own configuration may stand elsewhere; whoever registers a repository is its owner. */
export function ownEnvironment(): Environment {
  const own = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "XDG_CONFIG_HOME"];
  const set = own.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { ...gitEnvironment(), ...Object.fromEntries(set) };
}

async function ask(at: string, args: readonly string[]): Promise<Ending & { stdout: Buffer }> {
  const running = stream("git", ["-C", at, "--no-pager", ...args], { env: ownEnvironment(), cwd: "/" });
  running.stdin.end();
  return collect(running);
}

function refused(at: string, ending: Ending): GatepostError {
  const failure = gitFailure(at, "tell the place", ending);
  if (failure.code === "GP_NO_REPOSITORY") return noRepository(at, "neither is any folder above it");
  if (failure.code !== "GP_VCS") return failure;
  const said = ending.stderr.trim().split("\n").at(-1) ?? "";
  return unservable(at, `git says "${shown(said.replace(/^fatal: /, ""))}"`);
}

async function topOf(at: string): Promise<string> {
  const answer = await ask(at, ["rev-parse", "--show-toplevel"]);
  if (answer.code !== 0) throw refused(at, answer);
  return answer.stdout.toString("utf8").slice(0, -1);
}

async function isBare(gitDir: string): Promise<boolean> {
  const answer = await ask(gitDir, [`--git-dir=${gitDir}`, "rev-parse", "--is-bare-repository"]);
  if (answer.code !== 0) throw refused(gitDir, answer);
  return answer.stdout.toString().trim() === "true";
}

type Setting = { scope: string; value: string };

/** The last value of each setting counts. `-z` output is scope NUL key LF value NUL. */
function readSettings(output: Buffer): Map<string, Setting> {
  const parts = output.toString("utf8").split("\0");
  const settings = new Map<string, Setting>();
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const [key = "", ...value] = (parts[i + 1] as string).split("\n");
    settings.set(key, { scope: parts[i] as string, value: value.join("\n") });
  }
  return settings;
}

/** A submodule says where its work tree is; otherwise a `.git` directory stands in it. */
function mainWorkTree(gitDir: string, setting: Setting | undefined): string | null {
  const root = setting === undefined ? path.dirname(gitDir) : path.resolve(gitDir, setting.value);
  if (setting === undefined && path.basename(gitDir) !== ".git") return null;
  return fs.existsSync(root) ? fs.realpathSync(root) : root;
}

/** Git takes a relative core.hooksPath from where the hook will run, not from where it was asked. */
function hooksIn(value: string, asked: string, runsIn: string): string {
  if (value.startsWith("~") || value.startsWith("%(")) return asked; // git has expanded it
  return path.resolve(runsIn, value);
}

/** Whether a value of core.sharedRepository lets others write. Git's own reading: a word, or a file mode. */
export function isShared(value: string | undefined): boolean {
  if (value === undefined) return false;
  if (/^[0-7]{3,4}$/.test(value)) return (Number.parseInt(value, 8) & 0o066) !== 0;
  return !/^(umask|false|no|off|0|)$/i.test(value);
}
