/**
 * Shims for all repositories of a gitolite, put in place once.
 *
 * gitolite links each file of LOCAL_CODE/hooks/common into the hooks folder of each repository: of all at `gitolite setup`,
 * of a new one when it makes it. After these it links its own `update`, which asks whether the pusher may, and whatever
 * stands under that name in LOCAL_CODE is hidden (3.6.12, seen). So our shims and their folder `gatepost/` stand there,
 * the links are made as gitolite makes them, and `update` is not touched: gitolite's own trigger ACCESS_2 asks our gate
 * for each ref, after it has let the pusher pass. A program for it stands in LOCAL_CODE/triggers.
 *
 * gitolite removes what stands under the name of a common file, a folder it cannot (and its setup ends there). So what
 * an earlier installation put into a repository is taken out first; a file of the repository's own stays, and gets a
 * second name, by which it outlives gitolite's next setup.
 *
 * If this process dies between: links are missing in some repositories, as if they had been made just now; the next
 * refresh, or `gitolite setup`, makes them. Proven by test/e2e/gitolite.test.ts.
 */
import { existsSync, linkSync, lstatSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFile, ownMark } from "../process/replace-file.ts";
import { installGates, installShims, markCommon, removeAllShims, standingGates, standingReceivers } from "./install.ts";
import { namesIn, textOf } from "./look-in.ts";
import { putShim, shimText } from "./put.ts";

/** The name of the program for gitolite's trigger. */
export const TRIGGER = "gatepost-update";

const GATE = join("gatepost", "after", "update");

/** gitolite gives: what stands behind the name in its list, ACCESS_2, repository, user, kind, ref, result, old id, new id;
 *  for one of its own further checks (VREF) no ids. It runs in the repository, as the update hook does. */
const TRIGGER_TEXT = `#!/bin/sh
# gatepost trigger 1: listed as ACCESS_2 in .gitolite.rc, it asks the gate of before-ref hooks for each ref.
[ "$1" = ACCESS_2 ] && [ $# -eq 8 ] || exit 0
case $6 in *DENIED*) exit 0 ;; esac # gitolite refuses by itself
[ ! -x hooks/gatepost/after/update ] || exec hooks/gatepost/after/update "$5" "$7" "$8"
`;

const triggerFile = (common: string): string => join(dirname(dirname(common)), "triggers", TRIGGER);

/** Puts shims into the common folder, with `trigger` also the program of the trigger beside it, and links them into the hooks folders of
 *  repositories. Idempotent. Returns the names whose earlier common hook is now run by the shim. */
export function installCommon(
  common: string,
  natives: readonly string[],
  receivers: readonly string[],
  repositories: readonly string[],
  trigger: boolean,
): string[] {
  mkdirSync(common, { recursive: true });
  for (const hooks of repositories) clearOwn(hooks, common);
  markCommon(common, true);
  const chained = installShims(common, receivers);
  const standing = standingGates(common, natives);
  const missing = natives.filter((native) => standing.get(native) !== "ours");
  if (missing.length > 0) installGates(common, missing);
  if (trigger) {
    installGates(common, []);
    if (textOf(join(common, GATE), "latin1") !== shimText("gate")) putShim(common, GATE, "gate");
    putTrigger(common);
  }
  const names = [...commonNames(common), "gatepost"];
  for (const hooks of repositories) for (const name of names) linkInto(hooks, common, name);
  return chained;
}

/** The names of our shims in the common folder. */
export const commonNames = (common: string): string[] => [
  ...standingReceivers(common),
  ...[...standingGates(common, namesIn(common))].flatMap(([name, state]) => (state === "ours" ? [name] : [])),
];

function putTrigger(common: string): void {
  const file = triggerFile(common);
  if (textOf(file, "latin1") === TRIGGER_TEXT) return;
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${ownMark()}.new`;
  makeFile(temporary, TRIGGER_TEXT, { mode: 0o755, encoding: "latin1" });
  renameSync(temporary, file);
}

/** What an installation put into a repository before it was known to be gitolite's. */
function clearOwn(hooks: string, common: string): void {
  const own = join(hooks, "gatepost");
  const stat = lstatSync(own, { throwIfNoEntry: false });
  if (stat?.isDirectory()) {
    removeAllShims(hooks);
    if (existsSync(own)) renameSync(own, `${own}.${ownMark()}.kept`); // what is in it is somebody's
  } else if (stat === undefined && !isLinkTo(hooks, common, "post-receive")) removeAllShims(hooks);
}

const isLinkTo = (hooks: string, common: string, name: string): boolean => {
  const file = join(hooks, name);
  return (
    lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true && readlinkSync(file) === join(common, name)
  );
};

/** Whether a repository runs what stands in the common folder under that name. */
export const isLinked = isLinkTo;

function linkInto(hooks: string, common: string, name: string): void {
  const file = join(hooks, name);
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) symlinkSync(join(common, name), file);
  else if (stat.isFile() && !existsSync(`${file}.its-own`)) linkSync(file, `${file}.its-own`);
}

/** Takes the links to our shims out of a repository. */
export function unlinkFrom(hooks: string, common: string, names: readonly string[]): string[] {
  const gone = [...names, "gatepost"].filter((name) => isLinkTo(hooks, common, name));
  for (const name of gone) rmSync(join(hooks, name));
  for (const name of names) {
    const file = join(hooks, name);
    const kept = lstatSync(`${file}.its-own`, { throwIfNoEntry: false });
    if (kept === undefined) continue;
    if (existsSync(file)) {
      if (lstatSync(file).ino === kept.ino) rmSync(`${file}.its-own`);
    } else renameSync(`${file}.its-own`, file); // gitolite removed the first name
  }
  return gone.filter((name) => name !== "gatepost");
}

/** Takes the links to our shims out of a repository whose gitolite has no common folder any more, so that shims of its own can
 *  stand there. Links that lead nowhere go as well. */
export function leaveCommon(hooks: string): void {
  const own = join(hooks, "gatepost");
  if (!lstatSync(own, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const common = dirname(readlinkSync(own));
  const ours = commonNames(common);
  const gone = (name: string): boolean => isLinkTo(hooks, common, name) && !existsSync(join(hooks, name));
  unlinkFrom(
    hooks,
    common,
    namesIn(hooks).filter((name) => ours.includes(name) || gone(name)),
  );
}

/** Takes everything of ours out of the common folder, and the program of the trigger. Returns the names of the hooks. */
export function removeCommon(common: string): string[] {
  rmSync(join(common, GATE), { force: true });
  const removed = removeAllShims(common);
  const file = triggerFile(common);
  // gitolite only warns of a listed program that is missing; but where it is still listed, one that passes says nothing.
  if (textOf(file, "latin1") === TRIGGER_TEXT) rmSync(file);
  return removed;
}
