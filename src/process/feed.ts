/**
 * Feeds a hook's stdin from a source, one chunk ahead at most: the next chunk is asked for only when the pipe has taken
 * the one before. A hook that reads slowly thus slows the source down, and a list of any length needs no memory.
 *
 * Three ends must not be mixed up. The source ends: the pipe is closed, and the hook sees the end of its input. The hook
 * stops reading: that is its right and no error; the source is closed. The source fails, or the attempt is being ended:
 * the pipe is *held open* until the hook is gone, since a hook that saw the end of its input would take half a list
 * for the whole.
 */
import { Socket } from "node:net";

export class StdinFeed {
  /** When the first byte was in the pipe, by performance.now(); null before that. */
  firstByteAt: number | null = null;
  /** Settles, with the failure, if the source fails; else never. */
  readonly failed: Promise<{ message: string }>;

  #iterator: AsyncIterator<Uint8Array> | null = null;
  readonly #socket: Socket;
  #halted = false;
  #sourceEnded = false;
  #sourceClosed: Promise<unknown> | null = null;

  /** Starts at once. Owns `descriptor`, the write end of the pipe. */
  constructor(source: AsyncIterable<Uint8Array>, descriptor: number) {
    this.#socket = new Socket({ fd: descriptor, readable: false, writable: true });
    this.#socket.on("error", () => {}); // EPIPE: the write's own callback tells
    this.failed = new Promise((resolve) => {
      this.#pump(source).catch((error: unknown) => {
        this.#sourceEnded = true; // an iterator that threw is closed
        if (!this.#halted) resolve({ message: error instanceof Error ? error.message : String(error) });
      });
    });
  }

  /** Asks the source for no more; the hook does not see an end of its input. */
  halt(): void {
    this.#halted = true;
    this.#closeSource();
  }

  /** The hook is gone: closes pipe and source. Settles when the source has let go of what it held. */
  async close(): Promise<void> {
    this.halt();
    this.#socket.destroy();
    await this.#sourceClosed;
  }

  async #pump(source: AsyncIterable<Uint8Array>): Promise<void> {
    this.#iterator = source[Symbol.asyncIterator]();
    while (!this.#halted) {
      const next = await this.#iterator.next();
      if (next.done === true) {
        this.#sourceEnded = true;
        if (!this.#halted) this.#socket.end();
        return;
      }
      if (next.value.length > 0 && !this.#halted && !(await this.#write(next.value))) break;
    }
    this.#closeSource();
  }

  /** False when nobody reads any more. */
  #write(chunk: Uint8Array): Promise<boolean> {
    return new Promise((resolve) => {
      this.#socket.write(chunk, (error) => resolve(error === null || error === undefined));
      this.firstByteAt ??= performance.now();
    });
  }

  #closeSource(): void {
    if (this.#sourceEnded || this.#sourceClosed !== null) return;
    const close = async (): Promise<unknown> => this.#iterator?.return?.();
    this.#sourceClosed = close().catch(() => {}); // what a source says when it is closed changes no outcome
  }
}
