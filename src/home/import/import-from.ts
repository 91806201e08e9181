/**
 * `hook import --from`: the hooks of another manager into the database, for one repository.
 *
 * All of what can be carried over is added in one transaction, or nothing. A command that Gatepost refuses is left out
 * and named instead of failing the rest. Files of the hooks folder that do the same are set aside (`take`) only after the
 * hooks are stored: a death in between runs a hook twice, never not at all. Or they are moved (`move`): then each push runs
 * exactly one of both, see home/moved.ts. Proven by test/e2e/import-hooks-dir.test.ts and import-move.test.ts.
 */
import { existsSync, lstatSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { GatepostError } from "../../core/errors.ts";
import { covers, type Hook, type HookSpec } from "../../core/hook.ts";
import { typed } from "../../core/shell-word.ts";
import { makeRealFolder, replaceFile } from "../../process/replace-file.ts";
import { inspectShim } from "../../shim/install.ts";
import { listHooks } from "../../store/hook.ts";
import { hooksFolders, type RepositoryRow } from "../../store/repository.ts";
import { hooksFoldersOf, identifyGit } from "../../vcs/git.ts";
import { checkHook, importHooks } from "../hooks.ts";
import { noteMoved } from "../moved.ts";
import type { OpenHome } from "../open.ts";
import type { Left } from "./foreign.ts";
import { type Place, readForeign, type Source, type Taken } from "./read.ts";

export { SOURCES, type Source } from "./read.ts";

export type Plan = {
  /** What would be added, checked, with scope and unique names. */
  specs: HookSpec[];
  left: Left[];
  /** What to type so that the same commands do not run twice. */
  next: string[];
  taken: Taken[];
};

/** What an import would do; changes nothing. */
export async function planImport(
  home: OpenHome,
  row: RepositoryRow,
  source: Source,
  path: string | null,
  move = false,
): Promise<Plan> {
  return (await plan(home, row, source, path, move)).plan;
}

async function plan(home: OpenHome, row: RepositoryRow, source: Source, path: string | null, move: boolean) {
  const identity = await identifyGit(row.workTree ?? row.path);
  const { workTree, gitDir, hooksDir } = identity;
  if (move) requireOwnFolder(hooksDir, await hooksFoldersOf(identity));
  const place: Place = { root: workTree, gitDir, hooksDir, move };
  const read = await readForeign(source, place, path);
  const names = new Set(listHooks(home.db).flatMap(({ name }) => (name === null ? [] : [name])));
  const left = [...read.left];
  const specs: HookSpec[] = [];
  const natives: string[] = []; // of the specs, where they come from files
  const refused = new Set<string>();
  const there = listHooks(home.db).filter(({ scope }) => covers(scope, row));
  for (const [index, hook] of read.hooks.entries()) {
    const twin = there.find((one) => (one.wasType ?? one.type) === hook.type && isSame(one, hook));
    if (twin !== undefined) {
      left.push({ what: `${hook.name ?? "a hook"} (${hook.type})`, why: `hook ${twin.id} does the same already` });
      continue;
    }
    const name = hook.name === null ? null : freeName(hook.name, names);
    const spec: HookSpec = { ...hook, name, scope: { scope: "repository", repository: row.id } };
    try {
      specs.push(checkHook(home, spec));
      natives.push(read.taken[index]?.name ?? "");
      if (name !== null) names.add(name);
    } catch (error) {
      if (!(error instanceof GatepostError)) throw error;
      left.push({
        what: `${hook.name ?? "a hook"} (${hook.type})`,
        why: error.message.replace(/ Nothing was changed\.$/, ""),
      });
      refused.add(hook.name ?? "");
    }
  }
  const taken = read.taken.filter(({ name }) => source !== "hooks-dir" || !refused.has(name));
  return { place, natives, plan: { specs, left, next: specs.length === 0 ? [] : read.next, taken } };
}

const isSame = (a: Omit<HookSpec, "scope">, b: Omit<HookSpec, "scope">): boolean =>
  a.command === b.command && a.dir === b.dir && JSON.stringify(a.paths) === JSON.stringify(b.paths);

function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let number = 2; taken.has(free); number += 1) free = `${name}-${number}`;
  return free;
}

/** What others use, or what is committed, is not this repository's to change. */
function requireOwnFolder(hooksDir: string, folders: readonly { path: string; use: string }[]): void {
  if (folders.some(({ path, use }) => path === hooksDir && use === "own")) return;
  throw new GatepostError(
    "GP_USAGE",
    `The hooks folder ${hooksDir} is not this repository's alone. Nothing was moved.`,
    {
      hint: "Its files run before Gatepost's hooks as they are; nothing has to be moved.",
    },
  );
}

/** `setAside`: where files were renamed to. `moved`: the names of files whose work the hooks do now. */
export type Imported = Plan & { hooks: Hook[]; setAside: string[]; moved: string[] };

/** Adds the hooks of a source to a repository: all that can be, or none. Where files of the hooks folder do the same
 *  already, only with `take`, which renames them to NAME.imported-by-gatepost; GP_USAGE without. */
export async function importFrom(
  home: OpenHome,
  row: RepositoryRow,
  source: Source,
  path: string | null,
  { take = false, move = false } = {},
): Promise<Imported> {
  const { place, plan: planned, natives } = await plan(home, row, source, path, move);
  const runsTwice = planned.taken.filter((file) => isRun(place.hooksDir, file.path));
  if (runsTwice.length > 0 && !take && !move) {
    const files = runsTwice.map(({ name }) => name).join(", ");
    throw new GatepostError("GP_USAGE", `The hook files ${files} would run as well. Nothing was imported.`, {
      hint: `${INSTEAD.get(source) ?? ""}With --take they are renamed to NAME.imported-by-gatepost.`,
    });
  }
  if (move && row.folders !== null && hooksFolders(row).every(({ use }) => use === "left"))
    throw new GatepostError(
      "GP_USAGE",
      `${row.name} was taken out, so nothing would run what is moved. Nothing was moved.`,
      {
        hint: `Take it in again: gatepost init ${typed(row.workTree ?? row.path)}`,
      },
    );
  if (move && natives.includes("post-receive") && inspectShim(place.hooksDir, "post-receive") === "foreign")
    throw new GatepostError(
      "GP_USAGE",
      "post-receive was put over Gatepost's shim, so what it ran for is not known. Nothing was moved.",
      {
        hint: "First put the shim in front of it, and have the pushes found: gatepost doctor --fix; gatepost backoffice",
      },
    );
  const inodes = planned.taken.map((file) => ({ ...file, inode: lstatSync(file.path).ino }));
  for (const { name, path: from, copy } of planned.taken) if (copy) copyProgram(place.hooksDir, name, from);
  if (move) {
    const inodeOf = (native: string): number => inodes.find(({ name }) => name === native)?.inode ?? 0;
    const hooks = importHooks(home, planned.specs, (added) => {
      const files = added.map((hook, index) => ({ hook, native: natives[index] ?? "" }));
      noteMoved(
        home,
        row,
        place.hooksDir,
        files.map((file) => ({ ...file, inode: inodeOf(file.native) })),
      );
    });
    return { ...planned, hooks, setAside: [], moved: natives };
  }
  const hooks = importHooks(home, planned.specs);
  const setAside = inodes
    .filter(({ path: from }) => isRun(place.hooksDir, from))
    .flatMap(({ name, inode }) => setFileAside(place.hooksDir, name, inode) ?? []);
  return { ...planned, hooks, setAside, moved: [] };
}

/** What is better than that. After an import lefthook and pre-commit would not find their files any more: shims stand there. */
const INSTEAD = new Map<Source, string>([
  ["hooks-dir", "With --move they go into the database, and uninstall puts them back. "],
  ["lefthook", "First type: lefthook uninstall. "],
  ["pre-commit-config", "First type: pre-commit uninstall. "],
]);

/** Whether Git, or a shim of ours, runs that file. */
const isRun = (hooksDir: string, path: string): boolean =>
  dirname(path) === hooksDir || dirname(path) === join(hooksDir, "gatepost", "chained");

function copyProgram(hooksDir: string, name: string, from: string): void {
  const copy = join(hooksDir, "gatepost", "imported", name);
  makeRealFolder(dirname(dirname(copy)));
  makeRealFolder(dirname(copy));
  replaceFile(copy, readFileSync(from, "latin1"), { mode: 0o755, encoding: "latin1" });
}

/** Adding the hooks may have put a shim in the file's place and chained the file, which is known by its inode. */
function setFileAside(hooksDir: string, name: string, inode: number): string | null {
  const places = [join(hooksDir, name), join(hooksDir, "gatepost", "chained", name)];
  const path = places.find((place) => lstatSync(place, { throwIfNoEntry: false })?.ino === inode);
  if (path === undefined) return null;
  let aside = join(hooksDir, `${name}.imported-by-gatepost`);
  for (let number = 2; existsSync(aside); number += 1) aside = join(hooksDir, `${name}.imported-by-gatepost-${number}`);
  renameSync(path, aside);
  return aside;
}
