/**
 * `hook import --from`: the hooks of another manager into the database, for one repository.
 *
 * All of what can be carried over is added in one transaction, or nothing. A command that Gatepost refuses is left out
 * and named instead of failing the rest. Files of the hooks folder that do the same are set aside only after the hooks
 * are stored: a death in between runs a hook twice, never not at all. Proven by test/e2e/import-hooks-dir.test.ts.
 */
import { existsSync, lstatSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { GatepostError } from "../../core/errors.ts";
import { covers, type Hook, type HookSpec } from "../../core/hook.ts";
import { makeRealFolder, replaceFile } from "../../process/replace-file.ts";
import { listHooks } from "../../store/hook.ts";
import type { RepositoryRow } from "../../store/repository.ts";
import { identifyGit } from "../../vcs/git.ts";
import { checkHook, importHooks } from "../hooks.ts";
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
): Promise<Plan> {
  return (await plan(home, row, source, path)).plan;
}

async function plan(home: OpenHome, row: RepositoryRow, source: Source, path: string | null) {
  const { workTree, gitDir, hooksDir } = await identifyGit(row.workTree ?? row.path);
  const place: Place = { root: workTree, gitDir, hooksDir };
  const read = await readForeign(source, place, path);
  const names = new Set(listHooks(home.db).flatMap(({ name }) => (name === null ? [] : [name])));
  const left = [...read.left];
  const specs: HookSpec[] = [];
  const refused = new Set<string>();
  const there = listHooks(home.db).filter(({ scope }) => covers(scope, row));
  for (const hook of read.hooks) {
    const twin = there.find((one) => (one.wasType ?? one.type) === hook.type && isSame(one, hook));
    if (twin !== undefined) {
      left.push({ what: `${hook.name ?? "a hook"} (${hook.type})`, why: `hook ${twin.id} does the same already` });
      continue;
    }
    const name = hook.name === null ? null : freeName(hook.name, names);
    const spec: HookSpec = { ...hook, name, scope: { scope: "repository", repository: row.id } };
    try {
      specs.push(checkHook(home, spec));
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
  return { place, plan: { specs, left, next: specs.length === 0 ? [] : read.next, taken } };
}

const isSame = (a: Omit<HookSpec, "scope">, b: Omit<HookSpec, "scope">): boolean =>
  a.command === b.command && a.dir === b.dir && JSON.stringify(a.paths) === JSON.stringify(b.paths);

function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let number = 2; taken.has(free); number += 1) free = `${name}-${number}`;
  return free;
}

export type Imported = Plan & { hooks: Hook[]; setAside: string[] };

/** Adds the hooks of a source to a repository: all that can be, or none. Where files of the hooks folder do the same
 *  already, only with `take`, which renames them to NAME.imported-by-gatepost; GP_USAGE without. */
export async function importFrom(
  home: OpenHome,
  row: RepositoryRow,
  source: Source,
  path: string | null,
  take = false,
): Promise<Imported> {
  const { place, plan: planned } = await plan(home, row, source, path);
  const runsTwice = planned.taken.filter((file) => isRun(place.hooksDir, file.path));
  if (runsTwice.length > 0 && !take) {
    const files = runsTwice.map(({ name }) => name).join(", ");
    throw new GatepostError("GP_USAGE", `The hook files ${files} would run as well. Nothing was imported.`, {
      hint: `${UNINSTALL.get(source) ?? ""}With --take they are renamed to NAME.imported-by-gatepost.`,
    });
  }
  const inodes = planned.taken.map((file) => ({ ...file, inode: lstatSync(file.path).ino }));
  for (const { name, path: from, copy } of planned.taken) if (copy) copyProgram(place.hooksDir, name, from);
  const hooks = importHooks(home, planned.specs);
  const setAside = inodes
    .filter(({ path: from }) => isRun(place.hooksDir, from))
    .flatMap(({ name, inode }) => setFileAside(place.hooksDir, name, inode) ?? []);
  return { ...planned, hooks, setAside };
}

/** Afterwards these would not find their files any more: a shim stands in their place. */
const UNINSTALL = new Map<Source, string>([
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
