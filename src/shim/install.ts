/**
 * Puts shims into a hooks folder and takes them out again.
 *
 * A hook that was there keeps running: it is kept under its own name in `gatepost/chained/` below the hooks folder, and
 * the shim runs it. It is linked there before the shim is renamed over it, so at no instant is the hook not run, and a
 * death in between leaves one of both states. Taking out renames it back: the same file, byte for byte, mode and all.
 *
 * A hook file that is a symbolic link is never written through: the link itself is kept and put back. A relative one gets
 * "../../" before its text, so that it still points to the same file, also after the repository was moved.
 *
 * A shim of ours that somebody edited is kept beside its place before it is replaced or taken out (edited.ts).
 *
 * Proven by test/e2e/gate-install.test.ts.
 */
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { IN_PLACE, nativeHooks } from "../core/hook-type.ts";
import { makeRealFolder, putMark } from "../process/replace-file.ts";
import { keepEdited } from "./edited.ts";
import { removeLitter, tidy } from "./litter.ts";
import { namesIn, textOf } from "./look-in.ts";
import { clearMoved, isMoved, markOver } from "./moved.ts";
import { putShim, type ShimKind, shimText, whoseText } from "./put.ts";

/** Where the rest of the gates' runtime stands, below a hooks folder. */
const REST = join("gatepost", "gate.sh");

const RECEIVERS: readonly string[] = ["post-receive", "post-commit", "post-merge", "post-rewrite", "post-checkout"];

/** The hook that tells of a push, and those that tell of work in a work tree, which every commit pays for. */
export const PUSH_RECEIVER = "post-receive";
export const WORK_RECEIVERS: readonly string[] = RECEIVERS.slice(1);

/** All hooks that can ask a gate. */
const GATES: readonly string[] = IN_PLACE.flatMap(nativeHooks);

/** Where the shim of a gate stands: under its own name or, where the receive shim has that, behind it. */
export const gatePlace = (native: string): string =>
  RECEIVERS.includes(native) ? join("gatepost", "after", native) : native;

const kindOf = (name: string): ShimKind => (RECEIVERS.includes(name) ? "receive" : name === REST ? "rest" : "gate");

export type ShimState = "absent" | "ours" | "stale" | "edited" | "foreign";

/** What stands in the hooks folder under that name: nothing, the shim as it should be, an older one, one that somebody
 *  edited, another's hook. */
export function inspectShim(hooksFolder: string, name: string): ShimState {
  const file = join(hooksFolder, name);
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return "absent";
  if (!stat.isFile()) return "foreign";
  const text = readFileSync(file, "latin1");
  if (text === shimText(kindOf(name))) return (stat.mode & 0o111) !== 0 ? "ours" : "stale";
  const whose = kindOf(name) === "rest" && firstLine(text) === firstLine(shimText("rest")) ? "ours" : whoseText(text);
  return whose === "ours" ? "stale" : whose;
}

/** By it the rest of any version is known, which has no sum: after an upgrade it is old, and not another's hook. */
const firstLine = (text: string): string => text.slice(0, text.indexOf("\n"));

/** The manager that owns a hooks folder and would overwrite what we put there; null when nobody does. */
export const folderOwner = (hooksFolder: string): string | null =>
  basename(hooksFolder) === "_" && basename(dirname(hooksFolder)) === ".husky" ? "husky" : null;

/** Why nothing is ever written into a hooks folder: "it belongs to husky"; null where shims may stand. People switch all
 *  hooks off by a core.hooksPath that is no folder, such as /dev/null. */
export function closedBecause(hooksFolder: string): string | null {
  const owner = folderOwner(hooksFolder);
  if (owner !== null) return `it belongs to ${owner}`;
  const stat = statSync(hooksFolder, { throwIfNoEntry: false });
  return stat === undefined || stat.isDirectory() ? null : "it is no folder, so Git runs no hooks at all";
}

/** Where the hook is kept that stood in the shim's place. */
export const chainedPath = (hooksFolder: string, name: string): string =>
  join(hooksFolder, "gatepost", "chained", name);

/** Puts the shim under each name; idempotent. A folder of that name stays, for nothing can be put over it: Git fails at
 *  it, and doctor names it. Returns the names whose earlier hook is now run by the shim. */
export function installShims(hooksFolder: string, names: readonly string[]): string[] {
  if (!existsSync(hooksFolder)) mkdirSync(hooksFolder, { recursive: true });
  for (const name of names) {
    const state = inspectShim(hooksFolder, name);
    if (state === "ours" || lstatSync(join(hooksFolder, name), { throwIfNoEntry: false })?.isDirectory()) continue;
    if (state === "foreign") chain(hooksFolder, name);
    if (state === "edited") keepEdited(join(hooksFolder, name));
    putShim(hooksFolder, name, kindOf(name));
  }
  return names.filter(
    (name) =>
      lstatSync(chainedPath(hooksFolder, name), { throwIfNoEntry: false }) !== undefined && !isMoved(hooksFolder, name),
  );
}

function chain(hooksFolder: string, name: string): void {
  const file = join(hooksFolder, name);
  const kept = chainedPath(hooksFolder, name);
  makeRealFolder(dirname(dirname(kept)));
  makeRealFolder(dirname(kept));
  const stat = lstatSync(file);
  const target = stat.isSymbolicLink() ? readlinkSync(file, "buffer") : null;
  const moved = target !== null && target[0] !== SLASH ? Buffer.concat([UP, target]) : null;
  const earlier = lstatSync(kept, { throwIfNoEntry: false });
  // Kept already, by an installation that died before it put the shim in place.
  if (earlier?.ino === stat.ino) return;
  if (moved !== null && earlier?.isSymbolicLink() && readlinkSync(kept, "buffer").equals(moved)) return;
  if (earlier !== undefined && !isSame(kept, file)) setAside(kept);
  if (isMoved(hooksFolder, name)) markOver(hooksFolder, name); // this one is another, and runs
  rmSync(kept, { force: true });
  if (moved !== null) symlinkSync(moved, kept);
  else linkSync(file, kept);
}

const SLASH = "/".charCodeAt(0);
/** From where earlier hooks are kept to where they stood. */
const UP = Buffer.from("../../");

/** Whether two files are the same to Git: a manager that installs itself again writes the same file. */
function isSame(one: string, other: string): boolean {
  const [a, b] = [lstatSync(one), lstatSync(other)];
  return a.isFile() && b.isFile() && a.mode === b.mode && readFileSync(one).equals(readFileSync(other));
}

/** Somebody put a new hook over the shim while an earlier one was kept: neither is thrown away. */
function setAside(kept: string): void {
  let number = 1;
  while (lstatSync(`${kept}.old-${number}`, { throwIfNoEntry: false }) !== undefined) number += 1;
  renameSync(kept, `${kept}.old-${number}`);
}

/** The earlier hooks that are kept in a folder, as paths. */
export const keptBeside = (hooksFolder: string): string[] =>
  namesIn(join(hooksFolder, "gatepost", "chained")).map((name) => chainedPath(hooksFolder, name));

/** Takes our shims out and puts back what was there before. Returns the names that were taken out. */
export function removeShims(hooksFolder: string, names: readonly string[]): string[] {
  const removed: string[] = [];
  for (const name of names) {
    const state = inspectShim(hooksFolder, name);
    const kept = chainedPath(hooksFolder, name);
    const hasKept = lstatSync(kept, { throwIfNoEntry: false }) !== undefined;
    if (state === "foreign") {
      // Not ours any more. What we kept stays where it is, unless it stands here again.
      if (hasKept && isSame(kept, join(hooksFolder, name))) rmSync(kept);
      continue;
    }
    if (state === "edited") keepEdited(join(hooksFolder, name));
    if (hasKept) restore(hooksFolder, name, kept);
    else if (state !== "absent") rmSync(join(hooksFolder, name));
    if (state !== "absent") removed.push(name);
  }
  tidy(hooksFolder);
  return removed;
}

/** Tells the shims whether repositories that are not registered may use this folder: theirs then pass, since nobody
 *  compiled anything for them. Elsewhere a home that is missing refuses. */
export function markCommon(hooksFolder: string, common: boolean): void {
  const mark = commonMark(hooksFolder);
  if (!common) rmSync(mark, { force: true });
  else if (!existsSync(mark)) {
    makeRealFolder(dirname(mark));
    putMark(mark);
  }
}

/** Tells the receive shims in a folder whether nobody is to hear of work in the work trees, but only of pushes: then they
 *  stand there because gates stand behind them. */
export function markQuiet(hooksFolder: string, quiet: boolean): void {
  const mark = join(hooksFolder, "gatepost", "quiet");
  if (!quiet) rmSync(mark, { force: true });
  else if (!existsSync(mark)) {
    if (!existsSync(hooksFolder)) mkdirSync(hooksFolder, { recursive: true });
    makeRealFolder(dirname(mark));
    putMark(mark);
  }
}

/** Whether the shims in this folder believe so. */
export const isCommon = (hooksFolder: string): boolean => existsSync(commonMark(hooksFolder));

const commonMark = (hooksFolder: string): string => join(hooksFolder, "gatepost", "common");

/** What stands in a folder where the shims of gates stand. */
export function standingGates(hooksFolder: string, natives: readonly string[]): Map<string, ShimState> {
  const there = new Set([...namesIn(hooksFolder), ...namesIn(join(hooksFolder, "gatepost", "after"))]);
  const found = natives.filter((native) => there.has(native));
  if (found.length === 0) return new Map();
  const whole = restIsWhole(hooksFolder);
  const states = new Map<string, ShimState>();
  for (const native of found) {
    const state = inspectShim(hooksFolder, gatePlace(native));
    if (state !== "absent") states.set(native, state === "ours" && !whole ? "stale" : state);
  }
  return states;
}

/** Whether what the shims of gates read when they need it is there, and of this version. */
export const restIsWhole = (hooksFolder: string): boolean =>
  textOf(join(hooksFolder, REST), "latin1") === shimText("rest");

const isOurs = (state: ShimState): boolean => state === "ours" || state === "stale" || state === "edited";

/** The receive shims that stand in a folder. */
export const standingReceivers = (hooksFolder: string): string[] => {
  const there = new Set(namesIn(hooksFolder));
  return RECEIVERS.filter((name) => there.has(name) && isOurs(inspectShim(hooksFolder, name)));
};

/** Puts the shims of gates into a folder; those that are there already stay. */
export function installGates(hooksFolder: string, natives: readonly string[]): void {
  const places = natives.map(gatePlace);
  if (!restIsWhole(hooksFolder)) putShim(hooksFolder, REST, "rest"); // before those that read it
  installShims(
    hooksFolder,
    places.filter((place) => dirname(place) === "."),
  );
  for (const place of places)
    if (dirname(place) !== "." && inspectShim(hooksFolder, place) !== "ours") {
      keepStrange(hooksFolder, place);
      putShim(hooksFolder, place, kindOf(place));
    }
}

/** Behind the receive shim nothing but ours is looked for: whatever else stands there was made of it. */
function keepStrange(hooksFolder: string, place: string): void {
  const state = inspectShim(hooksFolder, place);
  if (state === "edited" || state === "foreign") keepEdited(join(hooksFolder, place));
}

/** Takes out whatever is ours in a folder. Returns the names of the hooks that are as they were before. */
export function removeAllShims(hooksFolder: string): string[] {
  // What a link leads to is another folder's, and serves others (gitolite.ts).
  if (lstatSync(join(hooksFolder, "gatepost"), { throwIfNoEntry: false })?.isSymbolicLink()) return [];
  markCommon(hooksFolder, false);
  markQuiet(hooksFolder, false);
  clearMoved(hooksFolder);
  removeLitter(hooksFolder);
  removeMovedAside(hooksFolder);
  const names = [...standingGates(hooksFolder, GATES)].flatMap(([native, state]) => (isOurs(state) ? [native] : []));
  removeGates(hooksFolder, GATES);
  const plain = names.filter((name) => gatePlace(name) === name);
  return [...removeShims(hooksFolder, RECEIVERS), ...plain];
}

/** Takes out shims of ours that lefthook renamed to NAME.old when it put its own file in their place: it would put them
 *  back when it goes. */
export function removeMovedAside(hooksFolder: string): void {
  for (const name of movedAside(hooksFolder)) {
    if (inspectShim(hooksFolder, name) === "edited") keepEdited(join(hooksFolder, name));
    rmSync(join(hooksFolder, name));
  }
}

/** The names of such files. */
export const movedAside = (hooksFolder: string): string[] =>
  namesIn(hooksFolder).filter((name) => name.endsWith(".old") && isOurs(inspectShim(hooksFolder, name)));

/** Takes the shims of gates out of a folder; a hook that was there before is put back. */
export function removeGates(hooksFolder: string, natives: readonly string[]): void {
  const places = natives.map(gatePlace);
  for (const place of places) {
    if (dirname(place) === ".") continue;
    keepStrange(hooksFolder, place);
    rmSync(join(hooksFolder, place), { force: true });
  }
  removeShims(
    hooksFolder,
    places.filter((place) => dirname(place) === "."),
  );
  if (![...standingGates(hooksFolder, GATES).values()].some(isOurs)) rmSync(join(hooksFolder, REST), { force: true });
  tidy(hooksFolder);
}

function restore(hooksFolder: string, name: string, kept: string): void {
  const file = join(hooksFolder, name);
  const target = lstatSync(kept).isSymbolicLink() ? readlinkSync(kept, "buffer") : null;
  if (target === null || !target.subarray(0, UP.length).equals(UP)) {
    renameSync(kept, file);
    return;
  }
  const temporary = join(hooksFolder, `.${name}.gatepost-${process.pid}`);
  rmSync(temporary, { force: true }); // of a process that died and had the same id
  symlinkSync(target.subarray(UP.length), temporary);
  renameSync(temporary, file);
  rmSync(kept);
}
