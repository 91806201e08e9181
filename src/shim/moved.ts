/**
 * Files of a hooks folder whose work the database does now.
 *
 * Such a file is not deleted: it stays in `gatepost/chained/` as every earlier hook does, and a mark `gatepost/moved/NAME`
 * tells the shims not to run it. So whoever takes Gatepost out gets it back like any other, the same file, and a push
 * that decided to run it before the mark was there still finds it.
 *
 * A file that somebody puts in its place afterwards is another hook, which is chained and runs: then the mark is renamed to
 * `NAME.over`, by which a gate knows that what ran in front of it was not the file that was moved.
 *
 * Proven by test/e2e/import-move.test.ts.
 */
import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeRealFolder, putMark } from "../process/replace-file.ts";
import { namesIn } from "./look-in.ts";

const markOf = (hooksFolder: string, name: string): string => join(hooksFolder, "gatepost", "moved", name);

/** Whether the earlier hook of that name is not run any more, since the database has it. */
export const isMoved = (hooksFolder: string, name: string): boolean => existsSync(markOf(hooksFolder, name));

/** Whether another file took its place since, which is run. */
export const isOver = (hooksFolder: string, name: string): boolean => existsSync(`${markOf(hooksFolder, name)}.over`);

/** The switch: from now on the shims do not run the earlier hook of that name. */
export function markMoved(hooksFolder: string, name: string): void {
  makeRealFolder(join(hooksFolder, "gatepost"));
  makeRealFolder(join(hooksFolder, "gatepost", "moved"));
  putMark(markOf(hooksFolder, name));
}

/** Another file stands in that place now and is run. */
export function markOver(hooksFolder: string, name: string): void {
  if (!isMoved(hooksFolder, name)) markMoved(hooksFolder, name);
  renameSync(markOf(hooksFolder, name), `${markOf(hooksFolder, name)}.over`);
}

/** Takes all marks out, and the copies that the hooks ran. What was moved is an earlier hook again. */
export function clearMoved(hooksFolder: string): void {
  const marks = dirname(markOf(hooksFolder, "any"));
  const copies = join(hooksFolder, "gatepost", "imported");
  for (const name of namesIn(marks)) {
    rmSync(join(copies, name.replace(/\.over$/, "")), { force: true });
    rmSync(join(marks, name), { force: true });
  }
}
