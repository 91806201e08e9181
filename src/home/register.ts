/**
 * The register: which homes this user let Gatepost run. Only `init` writes it.
 *
 * A home is a folder with shell commands in it, and folders travel: in archives, in copies, by a pointer file that
 * somebody planted. So what a folder says of itself is not enough; the register, outside of every repository, must name
 * the same real path, inode and home id. (The device number is left out: it changes when the machine restarts.)
 *
 * The file is only ever added to: a line of JSON for a home, which replaces what earlier lines say of its path or id, or
 * {"removed": path}.
 */
import { appendFileSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { GatepostError } from "../core/errors.ts";

export type Registered = { id: string; path: string; inode: number };

/** Where this user's register stands. */
export function registerPath(env: NodeJS.ProcessEnv = process.env): string {
  const state = env["XDG_STATE_HOME"];
  return join(state?.startsWith("/") ? state : join(homedir(), ".local", "state"), "gatepost", "homes");
}

/** All entries; a line that is not one of ours is passed over. */
export function readRegister(path = registerPath()): Registered[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return [];
  }
  let entries: Registered[] = [];
  for (const line of text.split("\n")) {
    try {
      const { id, path, inode, removed } = JSON.parse(line) as Partial<Registered> & { removed?: unknown };
      const whole = typeof id === "string" && typeof path === "string" && typeof inode === "number";
      if (whole) entries = [...entries.filter((other) => other.path !== path && other.id !== id), { id, path, inode }];
      else if (typeof removed === "string") entries = entries.filter((other) => other.path !== removed);
    } catch {}
  }
  return entries;
}

/** Adds a home, or replaces the entry with its path or id. */
export function addToRegister(entry: Registered, path = registerPath()): void {
  const known = readRegister(path);
  if (known.some((other) => other.id === entry.id && other.path === entry.path && other.inode === entry.inode)) return;
  append(entry, path);
}

/** Takes a home out. */
export function removeFromRegister(home: string, path = registerPath()): void {
  if (readRegister(path).some((other) => other.path === home)) append({ removed: home }, path);
}

/** Makes the folder of the register, before anything is made that must stand in it. Throws GP_DENIED. */
export function prepareRegister(path = registerPath()): void {
  try {
    makeFolder(dirname(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new GatepostError("GP_DENIED", `The register of homes, ${path}, cannot be written (${code}).`, {
      hint: "Set XDG_STATE_HOME to a folder of yours, or mend that one.",
      cause: error,
    });
  }
}

/** Level by level: Node's own recursive way never returns where a level can be neither made nor found (in /proc). */
function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !statSync(folder).isDirectory()) throw error;
  }
}

/** One write at the end of the file: calls at the same time lose nothing of each other's, and readers see whole lines.
 *  The newline before it ends a line that a full disk cut short. */
function append(line: Registered | { removed: string }, path: string): void {
  prepareRegister(path);
  appendFileSync(path, `\n${JSON.stringify(line)}\n`, { mode: 0o600 });
}

/** Whether the home at `path` with that id is the one that was registered. */
export function isRegistered(home: { id: string; path: string }, path = registerPath()): boolean {
  const stat = statSync(home.path, { throwIfNoEntry: false });
  return readRegister(path).some(
    (entry) => entry.id === home.id && entry.path === home.path && entry.inode === stat?.ino,
  );
}
