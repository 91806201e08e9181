/**
 * The auxiliary file of an after-receive run (`%A`): JSON with the receipts of the batch. One file per run, 0600, made
 * anew for each attempt and removed when the run ends. Run and attempt stand on its first line, so that a repeat can be
 * told from the first even by `head -1`.
 */
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Hook } from "../core/hook.ts";
import type { ProcessIdentity } from "../process/identity.ts";
import { makeFile } from "../process/replace-file.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { Details } from "../vcs/repository.ts";
import { detailMembers } from "./details.ts";
import { type Material, showReceipt } from "./material.ts";

export const auxiliaryPath = (folder: string, run: string): string => join(folder, `${run}.json`);

/** Writes the file. Receipts are written one by one: a batch may hold more than fits a string. `details` are read before,
 *  by `detailsFor`. */
export function writeAuxiliary(
  path: string,
  about: { run: string; attempt: number; hook: Hook; row: RepositoryRow },
  material: Material,
  details: Details | null,
): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  rmSync(path, { force: true });
  const file = openSync(path, "wx", 0o600);
  try {
    const { hook, row } = about;
    writeSync(file, `{"run": ${JSON.stringify(about.run)}, "attempt": ${about.attempt},\n`);
    const { batch } = material;
    const head = {
      hook: { id: hook.id, name: hook.name, type: hook.type },
      repository: { name: row.name, path: row.path, kind: row.kind },
      batch: { id: batch.id, ...boundsOf(material), cutAt: new Date(batch.cutAt) },
      leftOut: {
        count: material.leftOut.length,
        reason: "older than the window",
        receipts: material.leftOut.map(dated),
      },
    };
    writeSync(file, `${JSON.stringify(head).slice(1, -1)},\n`);
    for (const text of details === null ? [] : detailMembers(details)) writeSync(file, text);
    writeSync(file, '"receipts": [');
    for (const [index, receipt] of material.receipts.entries())
      writeSync(file, `${index === 0 ? "\n" : ",\n"}${JSON.stringify(showReceipt(receipt))}`);
    writeSync(file, "\n]}\n");
  } finally {
    closeSync(file);
  }
}

/** (base, upto] by the numbers that people know: of a repository with its own, the receipts' numbers there. */
function boundsOf({ batch, receipts }: Material): { base: number; upto: number } {
  let [least, most] = [Number.POSITIVE_INFINITY, 0]; // not of spread arguments: there may be more than a call can have
  for (const { native } of receipts) {
    if (native === null) continue;
    least = Math.min(least, native);
    most = Math.max(most, native);
  }
  return most === 0 ? { base: batch.base, upto: batch.upto } : { base: least - 1, upto: most };
}

const dated = ({ id, at }: Material["leftOut"][number]) => ({ rcvid: id, at: new Date(at) });

/**
 * Beside it stands who runs the hook, from before it gets its first byte: so that the next holder can end what is left
 * of it, whatever its environment says. It appears whole, for whoever sees it may end us at once. Not synced; what a
 * power cut takes away ran on the machine that was cut off.
 */
export function writeRunner(path: string, runner: ProcessIdentity & { bootId: string }): void {
  rmSync(`${path}.pid.new`, { force: true }); // the folder is ours alone; its name tells the sweeper whose it is
  makeFile(`${path}.pid.new`, JSON.stringify(runner), { mode: 0o600 });
  renameSync(`${path}.pid.new`, `${path}.pid`);
}

/** Who ran the hook that this file was for; null when that is not known. */
export function readRunner(path: string): (ProcessIdentity & { bootId: string }) | null {
  try {
    return JSON.parse(readFileSync(`${path}.pid`, "utf8"));
  } catch {
    return null;
  }
}

export function removeAuxiliary(path: string): void {
  rmSync(path, { force: true });
  rmSync(`${path}.pid`, { force: true });
  rmSync(`${path}.pid.new`, { force: true });
}
