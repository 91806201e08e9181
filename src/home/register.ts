/**
 * The register: which homes this user let Gatepost run. Only `init` writes it.
 *
 * A home is a folder with shell commands in it, and folders travel: in archives, in copies, by a pointer file that
 * somebody planted. So what a folder says of itself is not enough; the register, outside of every repository, must name
 * the same real path, inode and home id. (The device number is left out: it changes when the machine restarts.)
 */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

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
  const entries: Registered[] = [];
  for (const line of text.split("\n")) {
    try {
      const { id, path, inode } = JSON.parse(line) as Partial<Registered>;
      if (typeof id === "string" && typeof path === "string" && typeof inode === "number")
        entries.push({ id, path, inode });
    } catch {}
  }
  return entries;
}

/** Adds a home, or replaces the entry with its path or id. The file is replaced whole, so readers never see half. */
export function addToRegister(entry: Registered, path = registerPath()): void {
  const known = readRegister(path);
  if (known.some((other) => other.id === entry.id && other.path === entry.path && other.inode === entry.inode)) return;
  writeRegister([...known.filter((other) => other.path !== entry.path && other.id !== entry.id), entry], path);
}

/** Takes a home out. */
export function removeFromRegister(home: string, path = registerPath()): void {
  const known = readRegister(path);
  if (known.some((other) => other.path === home))
    writeRegister(
      known.filter((other) => other.path !== home),
      path,
    );
}

function writeRegister(entries: readonly Registered[], path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.new`;
  writeFileSync(temporary, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""), { mode: 0o600 });
  renameSync(temporary, path);
}

/** Whether the home at `path` with that id is the one that was registered. */
export function isRegistered(home: { id: string; path: string }, path = registerPath()): boolean {
  const stat = statSync(home.path, { throwIfNoEntry: false });
  return readRegister(path).some(
    (entry) => entry.id === home.id && entry.path === home.path && entry.inode === stat?.ino,
  );
}
