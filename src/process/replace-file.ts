/**
 * Writing a file that others may see: whole or not at all, and never through a link.
 *
 * What stands in a home or a hooks folder may have come with an archive, or, where others may write, been put there by
 * them. A link under the name that we are about to write would lead us to any file of the caller's. So a text is written
 * under a name that nobody can know before (NAME.PID-RANDOM.new), into a file that this call makes and nobody else had
 * (O_EXCL, which follows no link); its mode is set on the open file; then it is renamed, which replaces a link and does
 * not follow it. If the process dies here, the file of that name stays; whoever cleans up knows by the PID in it whether
 * anybody still needs it.
 *
 * Proven by the tests "K1" in test/fault/enemy.test.ts and by test/process/replace-file.test.ts.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";

/** The part of a temporary name by which it is this process's, and not to be guessed: PID-RANDOM. */
export const ownMark = (): string => `${process.pid}-${randomBytes(8).toString("hex")}`;

/** What a temporary file of ours has at the end of its name; the first group is the id of its process. */
export const OWN_MARK = "(\\d{1,9})(?:-[0-9a-f]{16})?";

type Kept = { mode: number; encoding?: BufferEncoding; sync?: boolean };

/** Makes a file that is not there yet, of exactly that mode, whatever the umask; throws EEXIST where anything stands. */
export function makeFile(path: string, text: string, { mode, encoding = "utf8", sync = false }: Kept): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const file = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    const bytes = Buffer.from(text, encoding);
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
    fchmodSync(file, mode);
    if (sync) fsyncSync(file);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

/** Puts a text in the place of whatever stands at `path`, which must not be a folder. */
export function replaceFile(path: string, text: string, kept: Kept): void {
  const temporary = `${path}.${ownMark()}.new`;
  makeFile(temporary, text, kept);
  try {
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Sees to it that a file is there, an empty one if there was none; what is no file is replaced. */
export function putMark(path: string): void {
  try {
    makeFile(path, "", { mode: 0o644 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) replaceFile(path, "", { mode: 0o644 });
  }
}

/** Makes a folder that is only ours to make, below one that is there; throws ENOTDIR where a link stands instead. */
export function makeRealFolder(path: string): void {
  mkdirSync(path, { recursive: true });
  closeSync(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW));
}
