/**
 * Keeps gates and shims as the hook database says: compiles what changed, puts shims where hooks are, and takes them
 * away where none are left.
 *
 * Order. A marker (gates/stale) is made inside the transaction of an edit. After it, under the write lock again: compiled
 * files first, then shims are put in place, then shims that nothing needs are taken out, and last their compiled files;
 * then the marker goes. So a shim never stands without its compiled file, and a death anywhere leaves the marker, by
 * which the next call of the home's owner does all of it again. Because it is all done under the lock and from what the
 * database says then, of two edits at once the later compile serves both.
 *
 * Proven by test/gate/compile.test.ts and test/e2e/gate-faults.test.ts.
 */
import { existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { GatepostError, isSystemError } from "../core/errors.ts";
import { bySequence, covers, type Hook } from "../core/hook.ts";
import { IN_PLACE, isServerType, nativeHooks } from "../core/hook-type.ts";
import { homePlace } from "../core/layout.ts";
import { compileGate } from "../gate/compile.ts";
import { CompiledFiles } from "../gate/compiled-files.ts";
import { putMark } from "../process/replace-file.ts";
import { installCommon } from "../shim/gitolite.ts";
import {
  closedBecause,
  installGates,
  installShims,
  markCommon,
  markQuiet,
  PUSH_RECEIVER,
  removeGates,
  removeShims,
  standingGates,
  standingReceivers,
  WORK_RECEIVERS,
} from "../shim/install.ts";
import { removeLitter } from "../shim/litter.ts";
import { namesIn } from "../shim/look-in.ts";
import { syncShims } from "../shim/put.ts";
import { write } from "../store/database.ts";
import { listHooks } from "../store/hook.ts";
import { movedHooks } from "../store/moved.ts";
import {
  type HooksFolder,
  hooksFolders,
  listRepositories,
  type RepositoryRow,
  teamTypes,
} from "../store/repository.ts";
import { FOSSIL_GATES, fossilWarnings, isLeft, noteLists } from "./fossil-gates.ts";
import { unaskedRefs } from "./gitolite-rc.ts";
import { removeHomeLitter } from "./litter.ts";
import { homeServing } from "./locate.ts";
import { finishMoves, gateTypeOf } from "./moved.ts";
import { homeSettings, type OpenHome } from "./open.ts";

/** Makes an edit, inside its transaction, after noting that the gates are about to differ from the database. An edit that
 *  throws changes nothing, and takes back the note. */
export function marked<T>(home: OpenHome, edit: () => T): T {
  const was = existsSync(home.layout.stale);
  markStale(home);
  try {
    return edit();
  } catch (error) {
    if (!was) rmSync(home.layout.stale, { force: true });
    throw error;
  }
}

/** Notes that the gates may differ from the database until they are refreshed. Throws GP_NO_FILE where there is no folder
 *  for them: whatever stood in it is gone, and its gates refuse. */
export function markStale({ layout: { gates, stale } }: OpenHome): void {
  if (!existsSync(gates))
    throw new GatepostError("GP_NO_FILE", `${gates} is missing, so that gates refuse. Nothing was changed.`, {
      hint: "Make it anew: gatepost doctor --fix",
    });
  putMark(stale);
}

/** The file that holds the compiled hooks of a type for a repository. */
export const compiledFile = (home: OpenHome, row: Pick<RepositoryRow, "id" | "path" | "kind">, type: string): string =>
  join(home.layout.gates, home.dir === homePlace(row) ? type : `${row.id}.${type}`);

const nameOf = (home: OpenHome, row: RepositoryRow, type: string): string =>
  compiledFile(home, row, type).slice(home.layout.gates.length + 1);

/** A hooks folder in which the shims could not be brought in line, and why. */
export type Unreached = { folder: string; why: string };

/** Compiles the gates of every repository of the home and brings the shims in line; the hook lists of Fossil repositories
 *  are brought in line afterwards (`bringFossilInLine`). Idempotent. One folder that cannot
 *  be written does not keep the others from it. Shims of repositories that another home serves now, as the original does
 *  those that a copied home knows, stay as they are. */
export function refreshGates(home: OpenHome): Unreached[] {
  return write(home.db, () => {
    const wanted = compileAll(home);
    const compiled = new CompiledFiles(home.layout);
    for (const [file, text] of wanted.files) compiled.put(file, text);
    compiled.finish();
    const unreached = wanted.shims.flatMap((change) => tryToBringInLine(change) ?? []);
    const moves = new Set(movedHooks(home.db).map(({ repository }) => repository));
    for (const row of moves.size === 0 ? [] : listRepositories(home.db))
      if (moves.has(row.id) && homeServing(row) === home.dir) finishMoves(home, row);
    syncShims();
    for (const name of compiledNames(home)) if (!wanted.files.has(name)) rmSync(join(home.layout.gates, name));
    const litter = namesIn(home.layout.gates).filter((name) => name.endsWith(".new")); // of one that died
    for (const name of litter) rmSync(join(home.layout.gates, name));
    removeHomeLitter(home.layout);
    noteLists(home);
    rmSync(home.layout.stale, { force: true });
    return unreached;
  });
}

/** Throws GP_DENIED where shims could not be put: nobody may believe that a gate is there when it is not. */
export function requireReached([first]: readonly Unreached[]): void {
  if (first === undefined) return;
  const { folder, why } = first;
  throw new GatepostError("GP_DENIED", `The hooks folder ${folder} cannot be written (${why}); the change is stored.`, {
    hint: "Mend that folder, then put the shims in place: gatepost doctor --fix",
  });
}

/** `natives` ask a gate; `receivers` tell of arrivals. */
type ShimChange = {
  folder: string;
  /** Hooks folders into which gitolite links the files of this one; it asks the gate of before-ref by its trigger. */
  links: string[];
  byTrigger: boolean;
  use: HooksFolder["use"];
  natives: string[];
  receivers: string[];
  /** Nobody is to hear of work in its work trees: receive shims stand there only because gates of team files do. */
  quiet: boolean;
};
export type Wanted = {
  /** Text of each compiled file, by its name in gates/. */
  files: Map<string, string>;
  shims: ShimChange[];
};

/** What should stand in gates/ and in the hooks folders. Changes nothing. */
export function compileAll(home: OpenHome): Wanted {
  const { path } = homeSettings(home);
  const hooks = listHooks(home.db)
    .filter((hook) => hook.command !== null && IN_PLACE.includes(hook.type))
    .sort(bySequence);
  const arrivals = listHooks(home.db).filter(({ type }) => type === "after-receive");
  const texts = new Map<string, string>();
  const compiled = ({ id: repository, kind }: RepositoryRow, type: string, of: readonly Hook[]): string => {
    // Elsewhere, where its scope was widened, such a hook has no file that ran in its stead.
    const own = moves.filter((one) => one.repository === repository && of.some(({ id }) => id === one.hook));
    const moved = new Map(own.map(({ hook, native }): [number, string] => [hook, native]));
    const key = `${kind} ${type} ${of.map(({ id }) => `${id}${moved.get(id) ?? ""}`).join(" ")}`;
    const text = texts.get(key) ?? compileGate(type, of, { path, auxiliary: null, kind, moved });
    texts.set(key, text);
    return text;
  };
  const files = new Map<string, string>();
  const folders = new Map<string, ShimChange>();
  const moves = movedHooks(home.db);
  for (const row of listRepositories(home.db)) {
    if (row.kind === "fossil") {
      const own = isLeft(row) ? [] : hooks.filter(({ scope }) => covers(scope, row));
      for (const type of FOSSIL_GATES)
        files.set(
          nameOf(home, row, type),
          compiled(
            row,
            type,
            own.filter((hook) => hook.type === type),
          ),
        );
    }
    if (row.kind !== "git") continue;
    const places = hooksFolders(row);
    const own = new Map<string, Hook[]>();
    const left = places.some(({ use }) => use === "left");
    for (const hook of left ? [] : hooks)
      if (covers(hook.scope, row)) own.set(hook.type, [...(own.get(hook.type) ?? []), hook]);
    // Where others use the folder, a shim may stand for their sake: then this repository's gate says that it has none.
    const kept = moves.flatMap((one) => (one.repository === row.id ? (gateTypeOf(one) ?? []) : []));
    const asked = [...new Set([...own.keys(), ...(left ? [] : [...teamGates(row), ...kept])])];
    const types = places.some(({ use }) => use !== "own") ? IN_PLACE : asked;
    for (const type of types) {
      files.set(nameOf(home, row, type), compiled(row, type, own.get(type) ?? []));
    }
    if (left || homeServing(row) !== home.dir) continue; // gone, or served by another home now
    for (const { path: folder, use, gitolite } of places) {
      const change = folders.get(folder) ?? {
        ...{ folder, use, natives: [], receivers: [], quiet: use === "own" },
        ...{ links: [], byTrigger: false },
      };
      const all = asked.flatMap(nativeHooks);
      const natives = gitolite === undefined ? all : all.filter((native) => native !== "update");
      if (gitolite !== undefined && use === "everyone") change.links.push(join(row.path, "hooks"));
      change.byTrigger ||= natives.length < all.length;
      change.natives.push(...natives.filter((name) => !change.natives.includes(name)));
      const receivers = receiversOf(row, natives, arrivals);
      if (isHeard(row, arrivals) || [...own.keys()].flatMap(nativeHooks).some((name) => WORK_RECEIVERS.includes(name)))
        change.quiet = false;
      change.receivers.push(...receivers.filter((name) => !change.receivers.includes(name)));
      folders.set(folder, change);
    }
  }
  return { files, shims: [...folders.values()] };
}

/** The types whose gates must stand for the sake of its team files: those that they have had, and those at which Git has
 *  just changed a work tree, or is about to commit or push, so that a file that changed is noticed. */
export function teamGates(row: Pick<RepositoryRow, "team">): string[] {
  const types = teamTypes(row);
  return types === null ? [] : [...new Set(["before-commit", "before-push", ...AT_CHANGES, ...types])];
}

const AT_CHANGES = ["git:post-checkout", "git:post-merge", "git:post-rewrite"];

/** A push is always told of. Work in a work tree only where somebody is to hear of it, since each commit pays for that;
 *  and where a gate's shim stands behind the receive shim. */
const receiversOf = (row: RepositoryRow, natives: readonly string[], arrivals: readonly Hook[]): string[] => {
  const heard = isHeard(row, arrivals);
  return [PUSH_RECEIVER, ...WORK_RECEIVERS.filter((name) => heard || natives.includes(name))];
};

const isHeard = (row: RepositoryRow, arrivals: readonly Hook[]): boolean =>
  row.workTree !== null && arrivals.some(({ scope }) => covers(scope, row));

/** Why the gates of this type will not be asked in a repository it covers, or not as one may think, in a sentence each. */
export function gateWarnings(home: OpenHome, hook: Pick<Hook, "type" | "scope" | "paths" | "stdin">): string[] {
  const { type, scope } = hook;
  if (!IN_PLACE.includes(type)) return [];
  return listRepositories(home.db).flatMap((row) => {
    if (!covers(scope, row)) return [];
    if (row.kind !== "git") return row.kind === "fossil" ? fossilWarnings(home, row, hook) : [];
    if (row.workTree === null && !isServerType(type) && !EVERYWHERE.includes(type) && !hasWorkTrees(row))
      return [`${row.name} is bare: ${type} hooks run where people commit, and nobody does in there.`];
    if (row.folders === null)
      // of a home that an earlier version made
      return [
        `Where Git looks for the hooks of ${row.name} is not known yet: gatepost init ${row.workTree ?? row.path}`,
      ];
    if (hooksFolders(row).every(({ use }) => use === "left"))
      return [
        `${row.name} was taken out of its home, so Git asks no gate in it: gatepost init ${row.workTree ?? row.path}`,
      ];
    return hooksFolders(row).flatMap((place) => {
      const { path, former } = place;
      const unasked = type === "before-ref" ? unaskedRefs(place) : null;
      if (unasked !== null) return [`Git asks no gate in ${row.name} yet: ${unasked}.`];
      const why = former ? null : closedBecause(path);
      return why === null ? [] : [`Git asks no gate in ${row.name}: its hooks folder is ${path}, and ${why}.`];
    });
  });
}

const EVERYWHERE = ["git:reference-transaction", "git:pre-auto-gc", "before-push"];

const hasWorkTrees = (row: RepositoryRow): boolean => existsSync(join(row.path, "worktrees"));

const ALL_NATIVES = IN_PLACE.flatMap(nativeHooks);

function tryToBringInLine(change: ShimChange): Unreached | null {
  try {
    bringInLine(change);
    return null;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return { folder: change.folder, why: error.code ?? error.message };
  }
}

function bringInLine({ folder, use, natives, receivers, quiet, links, byTrigger }: ShimChange): void {
  if (links.length > 0) return void installCommon(folder, natives, receivers, links, byTrigger);
  if (closedBecause(folder) !== null) return; // another manager's: its hooks are imported, or it stays
  if (!existsSync(folder) && !existsSync(dirname(folder))) return; // of a repository or work tree that is gone
  removeLitter(folder);
  markQuiet(folder, quiet && receivers.some((name) => WORK_RECEIVERS.includes(name)));
  installShims(folder, receivers);
  const standing = standingGates(folder, ALL_NATIVES);
  const missing = natives.filter((native) => standing.get(native) !== "ours");
  const spare = [...standing].flatMap(([native, state]) =>
    !natives.includes(native) && state !== "foreign" ? [native] : [],
  );
  if (natives.length > 0) markCommon(folder, use !== "own"); // first: a shim without it refuses what is not registered
  if (missing.length > 0) installGates(folder, missing);
  // In a folder that others use, other homes may need it: there it stays and asks a gate that has no hooks.
  if (use === "everyone") return;
  if (spare.length > 0) removeGates(folder, spare);
  const silent = standingReceivers(folder).filter((name) => !receivers.includes(name));
  if (silent.length > 0) removeShims(folder, silent);
}

/** Names in gates/ that are compiled files. */
export const compiledNames = (home: OpenHome): string[] =>
  namesIn(home.layout.gates).filter((name) => IN_PLACE.includes(name.replace(/^\d+\./, "")));
