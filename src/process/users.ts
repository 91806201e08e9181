/** The users of the system. */
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { GatepostError } from "../core/errors.ts";
import { capture } from "./command.ts";
import { USUAL_PATH } from "./environment.ts";
import { findProgram } from "./program.ts";

/** An entry of the passwd database. */
export type User = { name: string; uid: number; gid: number; home: string; shell: string };

let names: Map<number, string> | null = null;

function readNames(): Map<number, string> {
  const found = new Map<number, string>();
  try {
    for (const { name, uid } of parseUsers(readFileSync("/etc/passwd", "utf8")))
      if (!found.has(uid)) found.set(uid, name);
  } catch {} // no such file: names are a courtesy, numbers are the truth
  try {
    const self = userInfo();
    found.set(self.uid, self.username); // also where the name comes from a directory service
  } catch {}
  return found;
}

/** The login name of a user id; "uid 1001" where the system has none. */
export function userName(uid: number): string {
  names ??= readNames();
  return names.get(uid) ?? `uid ${uid}`;
}

/** The word by which sudo -u, typed in a shell, takes a user: the login name, else the number. */
export function sudoWord(uid: number): string {
  const name = userName(uid);
  return /^[A-Za-z_][\w.-]*$/.test(name) ? name : `'#${uid}'`;
}

/** The users there are, or the one with that id: as the system's name service says, which may ask a directory; else as
 *  /etc/passwd does. The first entry of an id counts, as everywhere. */
export async function findUsers(id?: number): Promise<User[]> {
  const seen = new Set<number>();
  return parseUsers(await passwdText(id)).filter(({ uid }) => {
    const isFirst = !seen.has(uid);
    seen.add(uid);
    return isFirst && (id === undefined || uid === id);
  });
}

async function passwdText(id: number | undefined): Promise<string> {
  try {
    const words = id === undefined ? ["passwd"] : ["passwd", String(id)];
    const { stdout } = await capture(findProgram("getent", USUAL_PATH), words, { env: { PATH: USUAL_PATH } });
    return stdout.toString("utf8");
  } catch (error) {
    if (!(error instanceof GatepostError) || error.code !== "GP_PROGRAM") throw error;
    return readFileSync("/etc/passwd", "utf8"); // a system without getent has no directory service either
  }
}

function parseUsers(text: string): User[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , uid = "", gid = "", , home = "", shell = ""] = line.split(":");
    const isWhole = name !== "" && /^\d+$/.test(uid) && /^\d+$/.test(gid);
    return isWhole ? [{ name, uid: Number(uid), gid: Number(gid), home: home || "/", shell: shell || "/bin/sh" }] : [];
  });
}
