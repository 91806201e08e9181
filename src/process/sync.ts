/** Makes everything last that was written to a file system, where the system has a program for it. */
import { spawnSync } from "node:child_process";

/** True when all of the file system that `path` is on has reached the disk; false where that cannot be asked for. */
export const syncFileSystem = (path: string): boolean =>
  spawnSync("sync", ["-f", "--", path], { stdio: "ignore" }).status === 0;
