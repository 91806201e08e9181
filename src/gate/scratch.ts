/**
 * A scratch repository: a place to ask a gate about one hook, with nothing at stake.
 *
 * A hook that is tried must be judged by the very runtime that judges real commits and pushes, or the trial proves
 * nothing. So a repository is made in a temporary folder that looks real to git, to the shim and to the hook: it has a
 * HEAD, refs, an index and a home of its own, whose only compiled gate holds this hook. The shim is started as git would
 * start it. Its exit status is the verdict; what it left in the spool tells a hook that passed from one that was left out.
 *
 * Rules
 *   1. What the real repository holds is borrowed for reading: objects as an alternate, configuration by an include, and
 *      over that include stands what must differ (no hooks, no upkeep, no monitor). Nothing of it is written, but for
 *      the times of objects that a hook stores again, which git renews where it finds them.
 *   2. Refs are not borrowed but written down, so that a caller can show the repository as it was.
 *   3. --advisory is left out of the compile: whether the hook refuses is what is asked.
 *   4. Nothing of git's and ours in the environment that speaks of another repository or of an outer run goes on.
 *   5. The folder is 0700 and removed however the trial ends, be it by Ctrl-C. Only kill -9 leaves it.
 *
 * Where a hook runs: among checked-out files in the scratch (`files`), in a real work tree of which only the index is a
 * copy (`tree`), or in the bare scratch itself (`bare`).
 *
 * Proven by test/e2e/backtest.test.ts and test/e2e/hook-test-gate.test.ts, which compare the real repository byte by byte.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ByteString, toBuffer } from "../core/bytes.ts";
import type { Hook } from "../core/hook.ts";
import { HOME_NAME, layout } from "../core/layout.ts";
import type { Refs } from "../vcs/repository.ts";
import { compileGate } from "./compile.ts";

export type ScratchPlan = {
  /** The git directory that all work trees share, and that of the work tree in question. */
  repository: string;
  own: string;
  objectFormat: "sha1" | "sha256" | null;
  place: { kind: "files" } | { kind: "tree"; root: string } | { kind: "bare" };
  /** Command, sequence and options are taken from it; it is compiled as one of this type. */
  hook: Hook;
  type: string;
  /** PATH of server gates. */
  path: string;
  /** Stands for %A instead of the file that would be made. */
  auxiliary: string | null;
  /** What %F stands for; copied, since a hook may run it. */
  program: string;
  /** Puts the shims of the type into a hooks folder. */
  install: (hooksFolder: string) => void;
};

export type Scratch = {
  readonly gitDir: string;
  /** Where the hook runs. */
  readonly cwd: string;
  /** The hooks folder, as git would name it there. */
  readonly hooks: string;
  readonly hook: Hook;
  readonly type: string;
  /** How git, started there, is told which repository it is in; as git itself tells a hook. */
  readonly env: Readonly<Record<string, string>>;
  /** Takes all of it away. */
  remove(): void;
};

/** Makes a scratch repository, with neither HEAD nor refs: see `putHead` and `putRefs`. */
export function makeScratch(plan: ScratchPlan): Scratch {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "gatepost-try-")));
  try {
    const files = join(root, "work");
    const gitDir = plan.place.kind === "bare" ? join(root, "scratch.git") : join(files, ".git");
    fill(gitDir, plan);
    const hook: Hook = { ...plan.hook, type: plan.type, advisory: false };
    const home = layout(join(gitDir, HOME_NAME));
    for (const folder of [home.gates, home.spool, home.auxiliary, dirname(home.program)])
      mkdirSync(folder, { recursive: true });
    if (existsSync(plan.program)) copyFileSync(plan.program, home.program);
    const { path, auxiliary } = plan;
    writeFileSync(join(home.gates, plan.type), compileGate(plan.type, [hook], { path, auxiliary }), { mode: 0o600 });
    plan.install(join(gitDir, "hooks"));
    const { place } = plan;
    const remove = (): void => removeFolder(root);
    const common = { gitDir, hook, type: plan.type, remove };
    if (place.kind === "tree")
      return { ...common, cwd: place.root, hooks: join(gitDir, "hooks"), env: treeVariables(gitDir, place.root) };
    if (place.kind === "bare") return { ...common, cwd: gitDir, hooks: "hooks", env: { GIT_DIR: "." } };
    return { ...common, cwd: files, hooks: ".git/hooks", env: { GIT_INDEX_FILE: ".git/index" } };
  } catch (error) {
    removeFolder(root);
    throw error;
  }
}

const treeVariables = (gitDir: string, root: string): Record<string, string> => ({
  GIT_DIR: gitDir,
  GIT_WORK_TREE: root,
  GIT_INDEX_FILE: join(gitDir, "index"),
});

function fill(gitDir: string, plan: ScratchPlan): void {
  const { repository, own, place } = plan;
  for (const folder of ["objects/info", "refs", "info", "hooks"]) mkdirSync(join(gitDir, folder), { recursive: true });
  writeFileSync(join(gitDir, "objects", "info", "alternates"), `${join(repository, "objects")}\n`);
  writeFileSync(join(gitDir, "config"), configuration(plan));
  for (const name of ["shallow", "info/attributes", "info/exclude"]) copy(repository, gitDir, name);
  if (place.kind !== "tree") return;
  const index = readdirSync(own).filter((name) => name === "index" || name.startsWith("sharedindex."));
  for (const name of [...index, ...STATE]) copy(own, gitDir, name);
}

/** What tells a hook, and the shim, that a merge or a rebase is under way. */
const STATE = [
  "info/sparse-checkout",
  ...["MERGE_HEAD", "MERGE_MODE", "MERGE_MSG", "CHERRY_PICK_HEAD", "REVERT_HEAD"],
  ...["rebase-merge/head-name", "rebase-apply/head-name"],
];

function copy(from: string, to: string, name: string): void {
  if (!existsSync(join(from, name))) return;
  mkdirSync(dirname(join(to, name)), { recursive: true });
  copyFileSync(join(from, name), join(to, name));
  // Git trusts an entry of the index only if its file is older than the index: a newer copy would hide a change that was
  // made in the second in which the index was written. Rounded down, so that it is never newer.
  const { mtimeMs } = statSync(join(from, name));
  const at = Math.floor(mtimeMs / 1000);
  utimesSync(join(to, name), at, at);
}

/** Formats are read from this very file and never from an include; of all other settings the last one counts. */
function configuration({ repository, own, objectFormat, place }: ScratchPlan): string {
  const isSha256 = objectFormat === "sha256";
  const included = [join(repository, "config"), join(own, "config.worktree")].filter((file) => existsSync(file));
  const overruled = [
    "[core]",
    "hooksPath = /dev/null",
    "fsmonitor = false",
    "untrackedCache = false",
    ...(place.kind === "files" ? ["sparseCheckout = false"] : []),
    "[gc]",
    "auto = 0",
    "[maintenance]",
    "auto = false",
    "[submodule]",
    "recurse = false",
  ];
  return [
    "[core]",
    `repositoryformatversion = ${isSha256 ? 1 : 0}`,
    `bare = ${place.kind === "bare"}`,
    ...(place.kind === "tree" ? [`worktree = ${quoted(place.root)}`] : []),
    ...(isSha256 ? ["[extensions]", "objectFormat = sha256"] : []),
    ...included.flatMap((file) => ["[include]", `path = ${quoted(file)}`]),
    ...overruled,
    "",
  ].join("\n");
}

const quoted = (value: string): string => `"${value.replace(/[\\"]/g, "\\$&")}"`;

/** Writes HEAD: the branch that it names, or the commit where it names none. */
export const putHead = ({ gitDir }: Scratch, head: { branch: ByteString } | { commit: string }): void =>
  writeFileSync(
    join(gitDir, "HEAD"),
    toBuffer(bytesOf("branch" in head ? `ref: ${head.branch}\n` : `${head.commit}\n`)),
  );

/** Writes all refs; those that were there go. */
export function putRefs(scratch: Scratch, refs: Refs): void {
  const packed = ["# pack-refs with: sorted"];
  rmSync(join(scratch.gitDir, "refs"), { recursive: true, force: true });
  mkdirSync(join(scratch.gitDir, "refs"));
  for (const name of [...refs.keys()].sort(byBytes)) {
    const value = refs.get(name) ?? "";
    if (value.startsWith("ref:")) putRef(scratch, name, `ref: ${value.slice(4)}`);
    else packed.push(`${value} ${name}`);
  }
  writeFileSync(join(scratch.gitDir, "packed-refs"), toBuffer(bytesOf(`${packed.join("\n")}\n`)));
}

/** Sets one ref over what `putRefs` wrote; null takes away again what this set. */
export function putRef({ gitDir }: Scratch, name: ByteString, value: string | null): void {
  const file = toBuffer(bytesOf(`${Buffer.from(gitDir).toString("latin1")}/${name}`));
  if (value === null) {
    rmSync(file, { force: true });
    return;
  }
  mkdirSync(file.subarray(0, file.lastIndexOf("/")), { recursive: true });
  writeFileSync(file, toBuffer(bytesOf(`${value}\n`)));
}

const bytesOf = (text: string): ByteString => text as ByteString;
const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** What git's own variables would bring along, and what a gate takes from its caller. */
const FOREIGN =
  /^(?:GATEPOST_|GIT_AUTHOR_|GIT_TRACE|GIT_CONFIG_KEY_|GIT_CONFIG_VALUE_|GIT_PUSH_|GIT_(?:ALTERNATE_OBJECT_DIRECTORIES|CEILING_DIRECTORIES|COMMON_DIR|CONFIG|CONFIG_COUNT|CONFIG_PARAMETERS|DIR|GRAFT_FILE|IMPLICIT_WORK_TREE|INDEX_FILE|INTERNAL_SUPER_PREFIX|NAMESPACE|NO_REPLACE_OBJECTS|OBJECT_DIRECTORY|PREFIX|QUARANTINE_PATH|REPLACE_REF_BASE|SHALLOW_FILE|WORK_TREE)$)/;

/** The environment of a local gate: the caller's, as when they call git, without what speaks of another repository. */
export function callerEnvironment(source: NodeJS.ProcessEnv, own: Readonly<Record<string, string>>) {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(source))
    if (value !== undefined && !FOREIGN.test(name)) environment[name] = value;
  return Object.assign(environment, own);
}

/** Takes a folder away whatever modes a hook has set in it. */
function removeFolder(folder: string): void {
  const again = { recursive: true, force: true, maxRetries: 5, retryDelay: 20 } as const;
  try {
    rmSync(folder, again);
  } catch {
    open(Buffer.from(folder));
    rmSync(folder, again);
  }
}

function open(folder: Buffer): void {
  chmodSync(folder, 0o700);
  for (const name of readdirSync(folder, { encoding: "buffer" })) {
    const path = Buffer.concat([folder, Buffer.from("/"), name]);
    if (lstatSync(path).isDirectory()) open(path);
  }
}

/** The text of what a gate left in the spool of the scratch since the last call; it is taken out. */
export function takeRecord({ gitDir }: Scratch): string {
  const { spool } = layout(join(gitDir, HOME_NAME));
  let text = "";
  for (const name of readdirSync(spool)) {
    text += readFileSync(join(spool, name), "latin1");
    rmSync(join(spool, name));
  }
  return text;
}
