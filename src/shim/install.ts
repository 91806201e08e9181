/**
 * Puts shims into a hooks folder and takes them out again.
 *
 * A hook that was there keeps running: it is kept under its own name in `gatepost/chained/` below the hooks folder, and
 * the shim runs it. It is linked there before the shim is renamed over it, so at no instant is the hook not run, and a
 * death in between leaves one of both states. Taking out renames it back: the same file, byte for byte, mode and all.
 *
 * A hook file that is a symbolic link is never written through: the link itself is kept and put back. A relative link
 * would point elsewhere from the other folder; its text is kept beside it (NAME.link).
 */
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The second line of every shim, by which it is known. */
const MARKER = "# gatepost shim ";
const runtime = fileURLToPath(new URL("../../src/shim/runtime/receive.sh", import.meta.url));

/** The hooks that tell Gatepost of an arrival. */
export const receiveHooks = (bare: boolean): readonly string[] =>
  bare ? ["post-receive"] : ["post-receive", "post-commit", "post-merge", "post-rewrite", "post-checkout"];

export type ShimState = "absent" | "ours" | "stale" | "foreign";

/** What stands in the hooks folder under that name: nothing, the shim as it should be, an older one, another's hook. */
export function inspectShim(hooksFolder: string, name: string): ShimState {
  const file = join(hooksFolder, name);
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return "absent";
  if (!stat.isFile()) return "foreign";
  const text = readFileSync(file, "latin1");
  if (!text.split("\n", 2)[1]?.startsWith(MARKER)) return "foreign";
  return text === readFileSync(runtime, "latin1") && (stat.mode & 0o111) !== 0 ? "ours" : "stale";
}

/** The manager that owns a hooks folder and would overwrite what we put there; null when nobody does. */
export const folderOwner = (hooksFolder: string): string | null =>
  basename(hooksFolder) === "_" && basename(dirname(hooksFolder)) === ".husky" ? "husky" : null;

const chainedPath = (hooksFolder: string, name: string): string => join(hooksFolder, "gatepost", "chained", name);

/** Puts the shim under each name; idempotent. Returns the names whose earlier hook is now run by the shim. */
export function installShims(hooksFolder: string, names: readonly string[]): string[] {
  mkdirSync(hooksFolder, { recursive: true });
  for (const name of names) {
    const state = inspectShim(hooksFolder, name);
    if (state === "ours") continue;
    if (state === "foreign") chain(hooksFolder, name);
    const temporary = join(hooksFolder, `.${name}.gatepost-${process.pid}`);
    writeFileSync(temporary, readFileSync(runtime), { mode: 0o755 });
    chmodSync(temporary, 0o755); // whatever the umask: a pusher of the group must be able to run it
    renameSync(temporary, join(hooksFolder, name));
  }
  return names.filter((name) => lstatSync(chainedPath(hooksFolder, name), { throwIfNoEntry: false }) !== undefined);
}

function chain(hooksFolder: string, name: string): void {
  const file = join(hooksFolder, name);
  const kept = chainedPath(hooksFolder, name);
  mkdirSync(dirname(kept), { recursive: true });
  const stat = lstatSync(file);
  const earlier = lstatSync(kept, { throwIfNoEntry: false });
  if (earlier?.ino === stat.ino) return; // kept already, by an installation that died before it put the shim in place
  if (earlier !== undefined) setAside(kept);
  if (stat.isSymbolicLink() && !readlinkSync(file).startsWith("/")) {
    writeFileSync(`${kept}.link`, readlinkSync(file, "buffer"));
    symlinkSync(resolve(hooksFolder, readlinkSync(file)), kept);
  } else if (stat.isDirectory()) throw new Error(`${file} is a folder`);
  else linkSync(file, kept);
}

/** Somebody put a new hook over the shim while an earlier one was kept: neither is thrown away. */
function setAside(kept: string): void {
  let number = 1;
  while (existsSync(`${kept}.old-${number}`)) number += 1;
  renameSync(kept, `${kept}.old-${number}`);
}

/** Takes our shims out and puts back what was there before. Returns the names that were taken out. */
export function removeShims(hooksFolder: string, names: readonly string[]): string[] {
  const removed: string[] = [];
  for (const name of names) {
    const state = inspectShim(hooksFolder, name);
    const kept = chainedPath(hooksFolder, name);
    const hasKept = lstatSync(kept, { throwIfNoEntry: false }) !== undefined;
    if (state === "foreign") continue; // not ours any more; what we kept stays where it is
    if (hasKept) restore(hooksFolder, name, kept);
    else if (state !== "absent") rmSync(join(hooksFolder, name));
    if (state !== "absent") removed.push(name);
  }
  for (const folder of [join(hooksFolder, "gatepost", "chained"), join(hooksFolder, "gatepost")]) {
    try {
      rmdirSync(folder); // only when empty
    } catch {}
  }
  return removed;
}

function restore(hooksFolder: string, name: string, kept: string): void {
  const file = join(hooksFolder, name);
  const link = `${kept}.link`;
  if (!existsSync(link)) {
    renameSync(kept, file);
    return;
  }
  const temporary = join(hooksFolder, `.${name}.gatepost-${process.pid}`);
  symlinkSync(readFileSync(link), temporary);
  renameSync(temporary, file);
  rmSync(kept);
  rmSync(link);
}
