/**
 * What is read in one read transaction and handed on afterwards: a hook may take as long as it likes to read its list,
 * and as long as a reader holds a Fossil file, `fossil commit` waits. Short texts stay in memory; longer ones go to a
 * file that has no name any more, so that nothing is left of it when this process dies.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmdirSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Bytes kept in memory. */
const IN_MEMORY = 512 * 1024;

export class Spill {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #file: number | null = null;
  /** Bytes of each stretch in the file. */
  #stretches: number[] = [];

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > IN_MEMORY) this.#flush();
  }

  /** Forgets what was added: it is going to be read anew. */
  clear(): void {
    this.close();
    this.#chunks = [];
    this.#bytes = 0;
    this.#stretches = [];
  }

  /** All of it, in order; what was added in one chunk comes in one. */
  *read(): Generator<Buffer> {
    let at = 0;
    for (const length of this.#file === null ? [] : this.#stretches) {
      const stretch = Buffer.allocUnsafe(length);
      for (let got = 0; got < length; ) got += readSync(this.#file ?? -1, stretch, got, length - got, at + got);
      at += length;
      yield stretch;
    }
    yield* this.#chunks;
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #flush(): void {
    this.#file ??= nameless();
    for (const chunk of this.#chunks) for (let at = 0; at < chunk.length; ) at += writeSync(this.#file, chunk, at);
    this.#stretches.push(this.#bytes);
    this.#chunks = [];
    this.#bytes = 0;
  }
}

function nameless(): number {
  const folder = mkdtempSync(join(tmpdir(), "gatepost-"));
  const path = join(folder, "list");
  const file = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  rmdirSync(folder);
  return file;
}
