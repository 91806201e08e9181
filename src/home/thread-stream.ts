/**
 * Long lists from one thread to the other, in parts.
 *
 * A list that crosses as one message stops the reader's event loop while it is unpacked (10,000 receipts: some 50 ms), and
 * one that is sent as fast as it is made fills the reader's memory. So each list goes through a port of its own, in parts,
 * and no part is sent before the reader asked for it: it asks for two at first, and for one more each time it takes one
 * up. What is on its way is at most two parts, however long the list is. The reader's event loop turns after each part: Node
 * hands over every message that has come by then in one turn, and a sender that keeps up would make it endless.
 *
 * Breaking off: the reader closes the port, and the sender lets go of what it reads from. Where the sender's thread
 * dies, the port closes, and the reader gets an error rather than a list that seems to end.
 *
 * Proved by test/home/thread-stream.test.ts and test/e2e/library-loop.test.ts.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { MessagePort } from "node:worker_threads";
import { GatepostError } from "../core/errors.ts";
import { type PackedError, pack, unpack } from "./thread-errors.ts";

type Message = { part: unknown } | { end: PackedError | null };

/** Sends the parts as they are asked for. What fails while they are made fails at the reader. Never rejects. */
export async function sendParts(port: MessagePort, parts: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
  let asked = 0;
  let isClosed = false;
  let wake = (): void => {};
  port.on("message", (more: number) => {
    asked += more;
    wake();
  });
  port.on("close", () => {
    isClosed = true;
    wake();
  });
  const send = (message: Message): void => port.postMessage(message);
  try {
    for await (const part of parts) {
      while (asked === 0 && !isClosed)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      if (isClosed) return;
      asked -= 1;
      send({ part });
    }
    send({ end: null });
  } catch (error) {
    send({ end: pack(error) }); // to a port that is closed by now: nobody hears it
  }
}

/** The parts that `sendParts` sends, as they come. None is asked for before the first is taken. */
export function receiveParts<T>(port: MessagePort): AsyncGenerator<T> {
  const state = { isClosed: false, wake: (): void => {} };
  // From the beginning: a port that closes before anybody reads says so only then.
  port.on("close", () => {
    state.isClosed = true;
    state.wake();
  });
  return partsOf<T>(port, state);
}

async function* partsOf<T>(port: MessagePort, state: { isClosed: boolean; wake: () => void }): AsyncGenerator<T> {
  const come: Message[] = [];
  port.on("message", (message: Message) => {
    come.push(message);
    state.wake();
  });
  port.postMessage(2);
  try {
    for (;;) {
      const message = come.shift();
      if (message === undefined) {
        if (state.isClosed) throw brokenOff();
        await new Promise<void>((resolve) => {
          state.wake = resolve;
        });
      } else if ("part" in message) {
        port.postMessage(1);
        yield message.part as T;
        await turn(); // else parts that came meanwhile are unpacked in the same turn, for as long as the sender keeps up
      } else if (message.end === null) return;
      else throw unpack(message.end);
    }
  } finally {
    port.close();
  }
}

const brokenOff = (): GatepostError =>
  new GatepostError("GP_CLOSED", "This list can no longer be read: its hook has ended, or its home was closed.", {
    hint: "Read it to its end before the function settles.",
  });

/** What an array, or an iterable, holds, so many at a time. */
export function* inParts<T>(values: Iterable<T>, size = 64): Generator<T[]> {
  let part: T[] = [];
  for (const value of values) {
    part.push(value);
    if (part.length < size) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}
