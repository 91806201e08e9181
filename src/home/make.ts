/**
 * Making a home, and recognising one that is not where it was made.
 *
 * A home knows its id, its path and its inode. A folder that says otherwise is a copy or was moved, and runs nothing
 * until `init` is called there. Then: where the old place still holds the home of that id, this is a copy and becomes a
 * home of its own, with the hooks but without the other's past; else it was moved and goes on as it was. Where only the
 * inode differs, it was restored from a backup: it goes on, under a new incarnation, so that run ids stay unique.
 */

import { randomUUID } from "node:crypto";
import { chmodSync, existsSync, rmSync, statSync } from "node:fs";
import { GatepostError } from "../core/errors.ts";
import { layout } from "../core/layout.ts";
import { putMark } from "../process/replace-file.ts";
import { closeDatabase, createDatabase, lookInto, write } from "../store/database.ts";
import { forgetPast } from "../store/past.ts";
import { noteFullLook, putSetting, readSetting } from "../store/setting.ts";
import { writeHooksFile } from "./exchange.ts";
import { makeFolders } from "./folders.ts";
import { freshIncarnation, noteIncarnation } from "./given-out.ts";
import { nextIncarnation } from "./incarnation.ts";
import { keepHooksFile } from "./kept-hooks.ts";
import { type OpenHome, refreshProgram, requireOwner, requireSafe } from "./open.ts";
import { addToRegister, prepareRegister } from "./register.ts";

/** How a home came to be open: it was there, made now, moved here, copied here, or restored. */
export type HowMade = "there" | "made" | "moved" | "copied" | "restored";
export type Made = { home: OpenHome; how: HowMade };

/** SQLite opens no file whose path has more than 512 bytes, and what it makes beside ours has up to 50 more. */
const LONGEST_PATH = 460;

/** Opens the home at `dir`, making it if need be, and enters it into this user's register. Idempotent. */
export function makeHome(dir: string, shared: boolean): Made {
  if (Buffer.byteLength(dir) > LONGEST_PATH)
    throw new GatepostError("GP_REPOSITORY", `The path of the home, ${dir}, is too long for SQLite.`, {
      hint: "Choose a place with a shorter path: gatepost init --home DIR",
    });
  if (dir.includes("\n")) throw new GatepostError("GP_REPOSITORY", "The path of a home cannot hold a newline.");
  prepareRegister(); // a home that cannot be registered would run nothing: better none than half of one
  const places = layout(dir);
  const existed = existsSync(places.database);
  if (existsSync(dir)) requireOwner(dir);
  const isShared = shared || existsSync(places.shared);
  makeFolders(places, isShared);
  requireSafe(dir);
  if (isShared) putMark(places.shared);
  const home: OpenHome = { dir, layout: places, db: createDatabase(places.database) };
  try {
    chmodSync(places.database, 0o600);
    const how = write(home.db, () => {
      const settled = settleIdentity(home, existed);
      noteIncarnation(places, readSetting(home.db, "incarnation") ?? "a"); // before anything can run under it
      return settled;
    });
    refreshProgram(home);
    rmSync(places.failed, { force: true }); // whatever kept a backoffice from working may be over
    if (how === "made") keepHooksFile(places);
    writeHooksFile(home);
    addToRegister({ id: readSetting(home.db, "home.id") ?? "", path: dir, inode: statSync(dir).ino });
    return { home, how };
  } catch (error) {
    closeDatabase(home.db);
    throw error;
  }
}

/** Lets those into a home who may push to a repository that others may write to. Idempotent. */
export function openToOthers(places: OpenHome["layout"]): void {
  makeFolders(places, true);
  putMark(places.shared);
}

function settleIdentity(home: OpenHome, existed: boolean): HowMade {
  const inode = String(statSync(home.dir).ino);
  const was = { id: readSetting(home.db, "home.id"), path: readSetting(home.db, "home.path") };
  const place = (): void => {
    putSetting(home.db, "home.path", home.dir);
    putSetting(home.db, "home.inode", inode);
  };
  if (was.id === null || was.path === null) {
    putSetting(home.db, "home.id", randomUUID());
    putSetting(home.db, "incarnation", freshIncarnation(home.layout));
    noteFullLook(home.db, Date.now()); // each repository is read when it is registered
    place();
    return "made";
  }
  if (was.path === home.dir) {
    if (readSetting(home.db, "home.inode") === inode) return existed ? "there" : "made";
    putSetting(home.db, "incarnation", nextIncarnation(readSetting(home.db, "incarnation") ?? "a"));
    place();
    return "restored";
  }
  const copied = homeIdAt(was.path) === was.id;
  if (copied) {
    putSetting(home.db, "home.id", randomUUID());
    putSetting(home.db, "incarnation", nextIncarnation(readSetting(home.db, "incarnation") ?? "a"));
    forgetPast(home.db);
  }
  place();
  return copied ? "copied" : "moved";
}

function homeIdAt(dir: string): string | null {
  try {
    return lookInto(layout(dir).database, (db) => readSetting(db, "home.id"));
  } catch {
    return null;
  }
}
