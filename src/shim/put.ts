/** The texts of the shims, and putting one in place so that it lasts. */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { syncFileSystem } from "../process/sync.ts";

const runtime = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`../../src/shim/runtime/${file}`, import.meta.url)), "latin1");

const FILES = {
  receive: ["receive.sh"],
  gate: ["gate.sh"],
  /** What the shims of gates read when they need it: gatepost/gate.sh in the hooks folder. */
  rest: ["gate-rest.sh", "gate-end.sh"],
} as const;

export type ShimKind = keyof typeof FILES;

const texts = new Map<ShimKind, string>();

/** The whole text of a shim. */
export function shimText(kind: ShimKind): string {
  const known = texts.get(kind);
  if (known !== undefined) return known;
  const text = FILES[kind].map(runtime).join("\n");
  texts.set(kind, text);
  return text;
}

/** Puts the shim of a kind into a hooks folder under that name, by renaming it into place. */
export function putShim(hooksFolder: string, name: string, kind: ShimKind): void {
  const file = join(hooksFolder, name);
  const temporary = `${file}.gatepost-${process.pid}`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(temporary, shimText(kind), { mode: 0o755, encoding: "latin1" });
  chmodSync(temporary, 0o755); // whatever the umask: a pusher of the group must be able to run it
  if (existsSync(file)) syncFile(temporary);
  else unsynced.add(file);
  renameSync(temporary, file);
}

/** New shims that a power cut could still empty. An empty hook passes, so nobody may be told that a gate stands before
 *  `syncShims`. */
const unsynced = new Set<string>();

/** Makes all shims last that were put in place. Many of them take one sync of their file system, not one each. */
export function syncShims(): void {
  const files = [...unsynced].filter(existsSync);
  unsynced.clear();
  const folders = new Map(files.map((file) => [statSync(file).dev, dirname(file)]));
  if (files.length > MANY && [...folders.values()].every(syncFileSystem)) return;
  for (const file of files) syncFile(file);
  for (const folder of new Set(files.map(dirname))) syncFile(folder);
}

const MANY = 16;

function syncFile(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
