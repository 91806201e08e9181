/** Opening a home: its database, its place, and whether it is still the home that was registered. */

import { accessSync, constants, lstatSync, mkdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { GatepostError } from "../core/errors.ts";
import { type Layout, layout } from "../core/layout.ts";
import { type Settings, settingsFrom } from "../core/settings.ts";
import { quoted, typed } from "../core/shell-word.ts";
import { replaceFile } from "../process/replace-file.ts";
import { sudoWord } from "../process/users.ts";
import { closeDatabase, type Database, openDatabase } from "../store/database.ts";
import { readSetting, readSettings } from "../store/setting.ts";
import { isRegistered } from "./register.ts";

/** A home whose database is open. */
export type OpenHome = { readonly dir: string; readonly layout: Layout; readonly db: Database };

/** Opens the home at a real path. Anyone who may read the database may list; only `requireRunnable` lets hooks run. */
export function openHome(dir: string): OpenHome {
  requireSafe(dir);
  const places = layout(dir);
  requireReadable(dir, places);
  const home = { dir, layout: places, db: openDatabase(places.database) };
  try {
    if (
      isOwner(dir) &&
      !isProgramCurrent(places) &&
      displaced(home) === null &&
      isRegistered({ id: homeId(home), path: dir })
    )
      refreshProgram(home);
  } catch {} // a home that cannot be written to: the next call does it
  return home;
}

/** Refuses a home of another user's that this one may not read, with the call that would work. */
function requireReadable(dir: string, { database }: Layout): void {
  try {
    accessSync(database, constants.R_OK);
  } catch (error) {
    const owner = lookAt(dir)?.uid ?? process.geteuid?.();
    const isClosed = (error as NodeJS.ErrnoException).code === "EACCES";
    if (isClosed && owner !== undefined && owner !== process.geteuid?.()) throw anothers(dir, owner);
  }
}

/** Idempotent. */
export const closeHome = (home: OpenHome): void => closeDatabase(home.db);

/** The settings as of now, each at its default where it is not set. */
export const homeSettings = (home: OpenHome): Settings => settingsFrom(readSettings(home.db));

/** The home's own id, given at `init`. */
export const homeId = (home: OpenHome): string => readSetting(home.db, "home.id") ?? "";

/** Why this folder is not the home that `init` made: it was copied or moved. Null when it is. */
export function displaced(home: OpenHome): string | null {
  const recorded = readSetting(home.db, "home.path");
  if (recorded !== home.dir) return `it was made at ${recorded ?? "an unknown place"}`;
  const inode = String(statSync(home.dir, { throwIfNoEntry: false })?.ino ?? "gone");
  return readSetting(home.db, "home.inode") === inode ? null : "another folder stands in its place";
}

/** Refuses to run the hooks of a home that is a copy, was moved, or belongs to another user. */
export function requireRunnable(home: OpenHome): void {
  const why = displaced(home);
  if (why !== null)
    throw new GatepostError(
      "GP_HOME_MOVED",
      `The home ${home.dir} was copied or moved: ${why}. Its hooks do not run.`,
      {
        hint: "If its hooks shall run here: gatepost init REPOSITORY",
      },
    );
  requireOwner(home.dir);
}

/** Whether the current user owns what is at that path. */
export const isOwner = (path: string): boolean => statSync(path).uid === process.geteuid?.();

/**
 * Refuses to open a database that SQLite would be led astray by, one that is not its home's owner's, and any that is not
 * root's own for root: SQLite makes files beside it, which its owner could then not use, and root would be led where
 * the home's owner likes.
 */
export function requireSafe(dir: string): void {
  const { database, program } = layout(dir);
  const [home, stat] = [lookAt(dir), lookAt(database)];
  if (process.geteuid?.() === 0) requireRootsHome(dir, home, [database, dirname(program)]);
  if (stat === null) return;
  if (!stat.isFile())
    throw new GatepostError("GP_DENIED", `${database} is ${kindOf(stat)}: it is not opened.`, {
      hint: "Put the database itself there, or move that away and restore a backup.",
    });
  if (home !== null && stat.uid !== home.uid) throw strangers(database, stat.uid, home.uid);
}

/** The error about something in a home that is not the home's owner's. */
const strangers = (path: string, uid: number, owner: number): GatepostError =>
  new GatepostError("GP_DENIED", `${path} belongs to another user (uid ${uid}). The hooks of this home do not run.`, {
    hint: `As root: chown ${owner} ${typed(path)} (unless somebody planted it there: then move it away)`,
  });

/** For root: the folder itself and what is used in it must be root's, and nobody else may be able to exchange them. */
function requireRootsHome(dir: string, home: Stats | null, inside: readonly string[]): void {
  if (home === null) return;
  for (const path of [dir, ...inside]) {
    const stat = lookAt(path);
    if (stat !== null && stat.uid !== 0) throw path === dir ? anothers(dir, stat.uid) : strangers(path, stat.uid, 0);
  }
  if (
    home.isDirectory() &&
    ((home.mode & OTHERS_WRITE) === 0 || ((lookAt(dirname(dir))?.mode ?? 0) & OTHERS_WRITE) === 0)
  )
    return;
  throw new GatepostError(
    "GP_DENIED",
    `Others can write to ${dir} and to the folder it is in: root opens nothing there.`,
    {
      hint: `Look at what others put there, then: chmod go-w ${typed(dir)}`,
    },
  );
}

const OTHERS_WRITE = 0o022;

const kindOf = (stat: Stats): string => {
  if (stat.isSymbolicLink()) return "a symbolic link";
  if (stat.isFIFO()) return "a pipe";
  return stat.isDirectory() ? "a folder" : "no regular file";
};

/** What stands at that path, links not followed; null where nothing does, or this user may not know. */
export function lookAt(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch {
    return null;
  }
}

/** Refuses when the current user does not own `path`, and names the call that would work. */
export function requireOwner(path: string): void {
  const owner = statSync(path).uid;
  const self = process.geteuid?.() ?? owner;
  if (owner !== self) throw anothers(path, owner);
}

/** The error about what belongs to another user, with the words of the call that its owner can make. */
export const anothers = (path: string, owner: number, words = "…"): GatepostError =>
  new GatepostError("GP_NOT_OWNER", `${path} belongs to another user (uid ${owner}). Nothing was changed.`, {
    hint: `As its owner: sudo -u ${sudoWord(owner)} gatepost ${words}`,
  });

/** The absolute path of the program as installed. */
export const programFile = (): string => fileURLToPath(new URL("../../bin/gatepost", import.meta.url));

/** Keeps `<home>/bin/gatepost` naming the node and program of the newest call, so that upgrades, version managers and
 *  cron's PATH need no other care. Written only when it differs. */
export function refreshProgram({ layout: places }: { layout: Layout }): void {
  if (isProgramCurrent(places)) return;
  const folder = dirname(places.program);
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  // Only the folder itself: a home that has just been moved away must not be begun anew.
  if (stat === undefined) mkdirSync(folder);
  else if (!stat.isDirectory() || stat.uid !== process.geteuid?.())
    throw new GatepostError("GP_DENIED", `${folder} is no folder of yours: nothing is written there.`, {
      hint: "Move it away; it is made anew.",
    });
  replaceFile(places.program, programText(), { mode: 0o755 });
}

/** Whether `<home>/bin/gatepost` is as this call would write it; a file that is none is not read. */
function isProgramCurrent({ program }: Layout): boolean {
  try {
    return lstatSync(program).isFile() && readFileSync(program, "utf8") === programText();
  } catch {
    return false;
  }
}

/** What stands in `<home>/bin/gatepost`. */
export const programText = (): string =>
  `#!/bin/sh\n# Starts Gatepost; rewritten by each call that finds node or program elsewhere.\nexec ${quoted(process.execPath)} ${quoted(programFile())} "$@"\n`;

/** Who makes a change, for the audit. */
export function whoami(): { uid: number; user: string } {
  const uid = process.geteuid?.() ?? -1;
  try {
    return { uid, user: userInfo().username };
  } catch {
    return { uid, user: String(uid) }; // a uid without a name
  }
}
