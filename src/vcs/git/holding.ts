/**
 * Reads a program's output while something it depends on is not yet known, so that the program is not held up: first
 * into memory, then into a temporary file that has no name any more. If this process dies, the file is gone with it.
 * When the file cannot be made or the disk is full, the rest simply waits in the pipe.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";

const IN_MEMORY = 1024 * 1024;
const PAGE = 256 * 1024;

/** All chunks of `source`, in order, the first of them not before `known` has settled. Rejects as `known` does. */
export async function* held(source: Readable, known: Promise<unknown>): AsyncGenerator<Buffer, void, undefined> {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let isKnown = false;
  const settled = known.then(() => {
    isKnown = true;
    return null;
  });
  settled.catch(() => {}); // awaited below; the source may fail first
  const memory: Buffer[] = [];
  let size = 0;
  let file: Spill | null = null;
  let next = chunks.next();
  next.catch(() => {});
  try {
    for (;;) {
      const step = await Promise.race([settled, next]);
      if (step === null || step.done === true || isKnown) break;
      if (size < IN_MEMORY) memory.push(step.value);
      else {
        file ??= Spill.open();
        if (file === null || !file.write(step.value)) break;
      }
      size += step.value.length;
      next = chunks.next();
      next.catch(() => {});
    }
    await settled;
    yield* memory;
    if (file !== null) yield* file.read();
    for (let step = await next; step.done !== true; step = await chunks.next()) yield step.value;
  } finally {
    file?.close();
    source.destroy();
  }
}

class Spill {
  readonly #fd: number;
  #size = 0;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  static open(): Spill | null {
    try {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "gatepost-"));
      try {
        const fd = fs.openSync(path.join(folder, "list"), "wx+", 0o600);
        fs.unlinkSync(path.join(folder, "list"));
        return new Spill(fd);
      } finally {
        fs.rmdirSync(folder);
      }
    } catch {
      return null;
    }
  }

  /** False when not all of it could be written; none of it counts then. */
  write(chunk: Buffer): boolean {
    try {
      for (let done = 0; done < chunk.length; )
        done += fs.writeSync(this.#fd, chunk, done, chunk.length - done, this.#size + done);
    } catch {
      return false;
    }
    this.#size += chunk.length;
    return true;
  }

  *read(): Generator<Buffer> {
    for (let at = 0; at < this.#size; ) {
      const page = Buffer.allocUnsafe(Math.min(PAGE, this.#size - at));
      const got = fs.readSync(this.#fd, page, 0, page.length, at);
      if (got === 0) throw new Error("A temporary file became shorter.");
      at += got;
      yield page.subarray(0, got);
    }
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}
