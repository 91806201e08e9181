/** Makes what was written last: one file or folder, or, where the system has a program for it, a whole file system. */
import { spawnSync } from "node:child_process";
import { closeSync, fsyncSync, openSync } from "node:fs";

/** Returns once the file, or the folder's list of names, has reached the disk. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** True when all of the file system that `path` is on has reached the disk; false where that cannot be asked for. */
export const syncFileSystem = (path: string): boolean =>
  spawnSync("sync", ["-f", "--", path], { stdio: "ignore" }).status === 0;
