/** File systems of a test's own: small ones that fill up, and folders that nobody can write into. For whoever may mount. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const did = (argv: readonly string[]): boolean =>
  spawnSync(argv[0] ?? "", argv.slice(1), { stdio: "ignore" }).status === 0;

/** Whether this user may mount; else tests that need it are skipped. */
export const canMount = ((): boolean => {
  const folder = fs.mkdtempSync(join(tmpdir(), "gatepost-mount-"));
  try {
    return did(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder]) && did(["umount", folder]);
  } finally {
    fs.rmdirSync(folder);
  }
})();

/** Whether files can be made immutable where temporary folders are. */
export const canSeal = ((): boolean => {
  const folder = fs.mkdtempSync(join(tmpdir(), "gatepost-seal-"));
  try {
    return did(["chattr", "+i", folder]) && did(["chattr", "-i", folder]);
  } finally {
    fs.rmdirSync(folder);
  }
})();

export type Disk = {
  readonly dir: string;
  /** Takes all room but so many bytes. */
  fill(left?: number): void;
  /** Gives it back. */
  free(): void;
};

const mounted: string[] = [];

/** Mounts a disk of that size onto a folder, which is made. */
export function disk(dir: string, size = "4m"): Disk {
  fs.mkdirSync(dir, { recursive: true });
  if (!did(["mount", "-t", "tmpfs", "-o", `size=${size},mode=0755`, "none", dir])) throw new Error(`no disk at ${dir}`);
  mounted.push(dir);
  const filler = join(dir, "filler");
  const bytes = Buffer.alloc(4096);
  return {
    dir,
    fill(left = 0) {
      fs.rmSync(filler, { force: true });
      const file = fs.openSync(filler, "w");
      try {
        for (;;) fs.writeSync(file, bytes);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        fs.ftruncateSync(file, Math.max(0, fs.fstatSync(file).size - left));
      } finally {
        fs.closeSync(file);
      }
    },
    free: () => fs.rmSync(filler, { force: true }),
  };
}

/** Lets nobody write below a folder while `work` goes on. */
export async function readOnly<T>(dir: string, work: () => T | Promise<T>): Promise<T> {
  if (!did(["mount", "--bind", dir, dir]) || !did(["mount", "-o", "remount,bind,ro", dir]))
    throw new Error(`${dir} could not be made read-only`);
  try {
    return await work();
  } finally {
    did(["umount", "-l", dir]);
  }
}

/** Lets nobody change a file or folder while `work` goes on. */
export async function sealed<T>(paths: readonly string[], work: () => T | Promise<T>): Promise<T> {
  try {
    if (!did(["chattr", "+i", ...paths])) throw new Error(`${paths.join(" ")} could not be made immutable`);
    return await work();
  } finally {
    did(["chattr", "-i", ...paths]);
  }
}

/** Takes all disks away. */
export function unmount(): void {
  for (const dir of mounted.splice(0)) did(["umount", "-l", dir]);
}
