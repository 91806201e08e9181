/** The beginning and the end of an output of any length, in a fixed amount of memory. */
export type Kept = {
  /** The first bytes, at most `keep`. */
  head: Buffer;
  /** The last bytes that are not in `head`, at most `keep`. Nothing is missing when both lengths add up to `bytes`. */
  tail: Buffer;
  /** All that was read, kept or not. */
  bytes: number;
};

/** Takes chunks of any size, whose memory it does not hold on to, and keeps the first and the last `keep` bytes. */
export class KeptOutput {
  readonly #keep: number;
  // Both are made when first needed: most hooks print a line or none.
  #head: Buffer | null = null;
  #ring: Buffer | null = null;
  #bytes = 0;

  constructor(keep: number) {
    this.#keep = keep;
  }

  push(chunk: Uint8Array): void {
    if (this.#keep > 0) {
      const room = Math.max(0, this.#keep - this.#bytes);
      if (room > 0) {
        this.#head ??= Buffer.allocUnsafe(this.#keep);
        this.#head.set(chunk.subarray(0, room), this.#bytes);
      }
      if (chunk.length > room) this.#pushToRing(chunk.subarray(room), this.#bytes + room);
    }
    this.#bytes += chunk.length;
  }

  /** A copy of what is kept so far. */
  kept(): Kept {
    const head = Buffer.from((this.#head ?? Buffer.alloc(0)).subarray(0, Math.min(this.#bytes, this.#keep)));
    return { head, tail: this.#tail(), bytes: this.#bytes };
  }

  /** The byte at `position` of the whole output lies in the ring at `position` modulo `keep`. */
  #pushToRing(chunk: Uint8Array, position: number): void {
    this.#ring ??= Buffer.allocUnsafe(this.#keep);
    const last = chunk.subarray(Math.max(0, chunk.length - this.#keep));
    const at = (position + chunk.length - last.length) % this.#keep;
    const untilEnd = Math.min(last.length, this.#keep - at);
    this.#ring.set(last.subarray(0, untilEnd), at);
    this.#ring.set(last.subarray(untilEnd), 0);
  }

  #tail(): Buffer {
    if (this.#ring === null) return Buffer.alloc(0);
    if (this.#bytes <= 2 * this.#keep) return Buffer.from(this.#ring.subarray(0, this.#bytes - this.#keep));
    const at = this.#bytes % this.#keep;
    return Buffer.concat([this.#ring.subarray(at), this.#ring.subarray(0, at)]);
  }
}
