/**
 * Reads a hook's output to its end, whatever its length, and keeps a part of it. Reading never stops on our side, since
 * a hook whose output nobody reads hangs, and one whose pipe is closed dies of SIGPIPE. A flood cannot starve others:
 * libuv goes on to the next descriptor after 32 reads, and all hooks share one buffer that is emptied at each read.
 */
import { type ConnectOpts, Socket, type SocketConstructorOpts } from "node:net";
import { type Kept, KeptOutput } from "./kept-output.ts";

/** What was read. `cut`: somebody still held the pipe open when we stopped reading. */
export type HookOutput = Kept & { cut: boolean };

// A pipe holds 64 KiB, so no read can give more. Shared: it is filled and emptied within one callback.
const buffer = Buffer.allocUnsafeSlow(65_536);

export class OutputReader {
  /** Settles when the last process that held the pipe has closed it, or we have. */
  readonly ended: Promise<void>;

  readonly #kept: KeptOutput;
  readonly #socket: Socket;
  #sawEnd = false;

  /** Starts at once. Owns `descriptor`, the read end of the pipe. */
  constructor(descriptor: number, keep: number) {
    this.#kept = new KeptOutput(keep);
    const options: SocketConstructorOpts & ConnectOpts = {
      fd: descriptor,
      readable: true,
      writable: false,
      onread: {
        buffer,
        callback: (length, bytes) => {
          this.#kept.push(bytes.subarray(0, length));
          return true;
        },
      },
    };
    this.#socket = new Socket(options);
    this.#socket.on("error", () => {}); // "close" follows, and without "end" it counts as cut
    this.#socket.on("end", () => {
      this.#sawEnd = true;
    });
    this.ended = new Promise((resolve) => this.#socket.on("close", () => resolve()));
  }

  /** Stops reading, and says what was read. */
  close(): HookOutput {
    this.#socket.destroy();
    return { ...this.#kept.kept(), cut: !this.#sawEnd };
  }
}
