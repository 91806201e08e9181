/** The home's side of function hooks: each is called through the port, and its batch is sent as it is read. */
import type { MessagePort } from "node:worker_threads";
import type { BatchOnTheWay, BatchReceipt, FunctionCall } from "../backoffice/function-hook.ts";
import type { FromThread, ReceiptItem } from "./thread-protocol.ts";
import { inParts, sendParts } from "./thread-stream.ts";

type Calling = { batch: BatchOnTheWay; settle: (thrown: string | null) => void };

/** The functions that the caller supplies, as the backoffice calls them. */
export class RemoteFunctions {
  /** By the hook's name. */
  readonly byName = new Map<string, FunctionCall>();
  readonly #calling = new Map<number, Calling>();
  readonly #port: MessagePort;
  #last = 0;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** From now on the caller has a function of that name. */
  supply(name: string): void {
    this.byName.set(name, (batch, signal) => this.#call(name, batch, signal));
  }

  /** The caller says that the function settled. */
  settled(number: number, thrown: string | null): void {
    this.#calling.get(number)?.settle(thrown);
  }

  /** Sends the list of a function's batch; it can be read once more each time it is asked for. */
  list(number: number, port: MessagePort): void {
    const calling = this.#calling.get(number);
    if (calling === undefined)
      port.close(); // it has settled
    else void sendParts(port, texts(calling.batch.lines()));
  }

  async #call(name: string, batch: BatchOnTheWay, signal: AbortSignal): Promise<string | null> {
    this.#last += 1;
    const number = this.#last;
    const { receipts, lines: _, ...head } = batch;
    const { port1, port2 } = new MessageChannel();
    const stop = (): void => this.#say({ stop: number, reason: reasonOf(signal) });
    const thrown = new Promise<string | null>((settle) => this.#calling.set(number, { batch, settle }));
    this.#say({ invoke: number, function: name, head, receipts: port2 }, [port2]);
    void sendParts(port1, receiptParts(receipts));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    try {
      return await thrown;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#calling.delete(number);
    }
  }

  #say(message: FromThread, ports: MessagePort[] = []): void {
    this.#port.postMessage(message, ports);
  }
}

function reasonOf({ reason }: AbortSignal): { name: string; message: string } {
  const { name, message } = reason instanceof Error ? reason : { name: "AbortError", message: String(reason) };
  return { name, message };
}

/** A part of the receipts is closed when it is longer than this, in UTF-16 units: about half a millisecond to the reader. */
const PART = 16_384;

/** The list of receipts as texts of JSON; see `ReceiptItem`. */
export function* receiptParts(receipts: readonly BatchReceipt[]): Generator<string> {
  let part: string[] = [];
  let length = 0;
  for (const item of items(receipts)) {
    const text = JSON.stringify(item);
    part.push(text);
    length += text.length;
    if (length < PART) continue;
    yield `[${part.join(",")}]`;
    [part, length] = [[], 0];
  }
  if (part.length > 0) yield `[${part.join(",")}]`;
}

function* items(receipts: readonly BatchReceipt[]): Generator<ReceiptItem> {
  for (const receipt of receipts) {
    const [updates = [], ...others] = inParts(receipt.updates, 64);
    yield { receipt: { ...receipt, at: receipt.at.getTime(), updates } };
    for (const more of others) yield { updates: more };
  }
}

/** Many lines as one text, which crosses much faster than as many. */
async function* texts(lines: AsyncIterable<readonly string[]>): AsyncGenerator<string> {
  for await (const some of lines) for (const part of inParts(some, 512)) yield part.join("\n");
}
