/**
 * Moves what can never be used out of the spool, to `bad/`, with its reason beside it.
 *
 * In a shared home anyone may put anything into the spool, under any name and as often as they like. So:
 *   1. What has a long name gets a short new one; the reason tells what it was called.
 *   2. What cannot be moved to `bad/` (another user's folder, another device) stays in the spool as NAME.UUID.aside,
 *      which is no entry's name. What cannot be moved at all is remembered and passed over. Neither stops a pass; a sick
 *      or full disk does, since that is nobody's entry.
 *   3. `bad/` is bounded: beyond so many files or bytes the oldest go. Nothing is ever removed in depth: another user may
 *      still have a folder open that was moved there.
 *
 * A death in between leaves an entry without its reason, or a folder that is trimmed a little later. Proven by
 * test/fault/spool-attacks.test.ts.
 */
import { randomUUID } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { displayText, fromText } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import { remembered } from "./remembered.ts";

/** What cannot be used: an entry or, with `bytes`, what was part of a larger file. */
export type Unusable = { name: string; reason: string; bytes?: Buffer };

/** An entry and its reason are two files. */
const MOST_FILES = 2000;
const MOST_BYTES = 256 * 1024 * 1024;
/** How many are set aside before `bad/` is looked at again, and how many bytes. */
const TRIM_EACH = 100;
const TRIM_BYTES = 32 * 1024 * 1024;
const LONG_NAME = 80;

/** Faults of this process or its disk: they are no entry's. */
const OUR_FAULT = /^(EMFILE|ENFILE|ENOMEM|EIO|ENOSPC|EDQUOT|EROFS)$/;

/** Moves an entry to `bad/`, its reason beside it, and returns how many older ones had to go. What it told of is found by
 *  reconciling. Throws GP_DENIED where `bad` is not this user's own folder. */
export function setAside(spool: string, { name, reason, bytes }: Unusable): number {
  const bad = join(spool, "bad");
  const kept = name.length > LONG_NAME ? `${randomUUID()}.entry` : name;
  const to = join(bad, kept);
  requireBad(bad);
  try {
    if (bytes === undefined) moveAside(spool, name, kept);
    else writeNew(to, bytes);
    writeNew(`${to}.reason`, `${reason}\n${kept === name ? "" : `It was called ${displayText(fromText(name))}\n`}`);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code === "ENOENT") return 0;
    if (OUR_FAULT.test(code)) throw error;
    if (bytes === undefined) remembered(spool).stuck.add(name);
  }
  return trimSometimes(bad, to);
}

/** Takes an entry out: it is on a receipt, or in the table of gates, now. What its owner put in its place meanwhile is
 *  passed over. */
export function removeEntry(spool: string, name: string): void {
  try {
    unlinkSync(join(spool, name)); // rmSync would look at each of ten thousand entries before it removes it
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code === "ENOENT") return;
    if (!/^(EISDIR|EBUSY)$/.test(code) && !isFolder(join(spool, name))) throw error;
    remembered(spool).stuck.add(name);
  }
}

const isFolder = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

function writeNew(path: string, data: string | Buffer): void {
  rmSync(path, { force: true }); // of an entry of the same name, set aside before
  writeFileSync(path, data, { mode: 0o600, flag: "wx" });
}

function moveAside(spool: string, name: string, kept: string): void {
  const from = join(spool, name);
  try {
    renameSync(from, join(spool, "bad", kept));
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || OUR_FAULT.test(code)) throw error;
    renameSync(from, join(spool, `${kept}.${randomUUID()}.aside`));
  }
}

/** The spool of a shared home is anyone's to write to, but for what stands there already. */
function requireBad(bad: string): void {
  const stat = lstatSync(bad, { throwIfNoEntry: false });
  if (stat === undefined) {
    mkdirSync(bad, { mode: 0o700 });
    return;
  }
  if (stat.isDirectory() && stat.uid === (process.geteuid?.() ?? stat.uid)) return;
  throw new GatepostError("GP_DENIED", `${bad} is not a folder of this user's own: nothing is set aside there.`, {
    hint: "Move it away; it is made anew.",
  });
}

/** What was added to each `bad/` since it was last looked at. */
const added = new Map<string, { files: number; bytes: number }>();

function trimSometimes(bad: string, file: string): number {
  const since = added.get(bad);
  const bytes = onDisk(lstatSync(file, { throwIfNoEntry: false })) + (since?.bytes ?? 0);
  const files = 1 + (since?.files ?? 0);
  const isDue = since === undefined || files >= TRIM_EACH || bytes >= TRIM_BYTES;
  added.set(bad, isDue ? { files: 0, bytes: 0 } : { files, bytes });
  return isDue ? trim(bad) : 0;
}

type OnDisk = { blocks: number } | undefined;
const onDisk = (stat: OnDisk): number => (stat?.blocks ?? 0) * 512;

/** Removes the oldest files until the rest is within bounds; how many went. */
function trim(bad: string): number {
  const kept = readdirSync(bad).flatMap((name) => {
    const stat = lstatSync(join(bad, name), { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ name, changed: stat.ctimeMs, bytes: onDisk(stat) }];
  });
  let bytes = kept.reduce((sum, file) => sum + file.bytes, 0);
  if (kept.length <= MOST_FILES && bytes <= MOST_BYTES) return 0;
  kept.sort((a, b) => a.changed - b.changed);
  let gone = 0;
  for (const file of kept) {
    if (kept.length - gone <= MOST_FILES && bytes <= MOST_BYTES) break;
    if (!removeShallow(join(bad, file.name))) continue;
    gone += 1;
    bytes -= file.bytes;
  }
  return gone;
}

function removeShallow(path: string): boolean {
  try {
    if (isFolder(path)) rmdirSync(path);
    else unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}
