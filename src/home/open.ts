/** Opening a home: its database, its place, and whether it is still the home that was registered. */

import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { GatepostError } from "../core/errors.ts";
import { type Layout, layout } from "../core/layout.ts";
import { type Settings, settingsFrom } from "../core/settings.ts";
import { quoted } from "../core/shell-word.ts";
import { closeDatabase, type Database, openDatabase } from "../store/database.ts";
import { readSetting, readSettings } from "../store/setting.ts";

/** A home whose database is open. */
export type OpenHome = { readonly dir: string; readonly layout: Layout; readonly db: Database };

/** Opens the home at a real path. Anyone who may read the database may list; only `requireRunnable` lets hooks run. */
export function openHome(dir: string): OpenHome {
  requireSafe(dir);
  const places = layout(dir);
  const home = { dir, layout: places, db: openDatabase(places.database) };
  try {
    refreshProgram(home);
  } catch {} // a home that this user may only read: its owner's next call does it
  return home;
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
 * Refuses to open a database that SQLite would be led astray by, and any that is not root's own for root: SQLite makes
 * files beside it, which its owner could then not use, and root would be led where the home's owner likes.
 */
function requireSafe(dir: string): void {
  if (process.geteuid?.() === 0 && lstatSync(dir, { throwIfNoEntry: false })?.uid) requireOwner(dir);
  const { database } = layout(dir);
  const stat = lookAt(database);
  if (stat === null || stat.isFile()) return;
  const what = stat.isSymbolicLink() ? "a symbolic link" : "no regular file";
  throw new GatepostError("GP_DENIED", `${database} is ${what}: it is not opened.`, {
    hint: "Put the database itself there, or move that away and restore a backup.",
  });
}

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
    hint: `As its owner: sudo -u '#${owner}' gatepost ${words}`,
  });

/** The absolute path of the program as installed. */
export const programFile = (): string => fileURLToPath(new URL("../../bin/gatepost", import.meta.url));

/** Keeps `<home>/bin/gatepost` naming the node and program of the newest call, so that upgrades, version managers and
 *  cron's PATH need no other care. Written only when it differs. */
export function refreshProgram(home: { layout: Layout }): void {
  const file = home.layout.program;
  const text = `#!/bin/sh\n# Starts Gatepost; rewritten by each call that finds node or program elsewhere.\nexec ${quoted(process.execPath)} ${quoted(programFile())} "$@"\n`;
  try {
    if (readFileSync(file, "utf8") === text) return;
  } catch {}
  // Only the folder itself: a home that has just been moved away must not be begun anew.
  if (!existsSync(dirname(file))) mkdirSync(dirname(file));
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, text, { mode: 0o755 });
  chmodSync(temporary, 0o755); // whatever the umask
  renameSync(temporary, file);
}

/** Who makes a change, for the audit. */
export function whoami(): { uid: number; user: string } {
  const uid = process.geteuid?.() ?? -1;
  try {
    return { uid, user: userInfo().username };
  } catch {
    return { uid, user: String(uid) }; // a uid without a name
  }
}
