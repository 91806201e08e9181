/** The caller's side of function hooks: puts batches together as they arrive, and calls the program's functions. */
import type { MessagePort } from "node:worker_threads";
import type { BatchReceipt, BatchUpdate, HookBatch, HookFunction } from "../backoffice/function-hook.ts";
import { GatepostError } from "../core/errors.ts";
import { textOf } from "./thread-errors.ts";
import type { FromThread, ReceiptItem, ReceiptUpdate, ToThread } from "./thread-protocol.ts";
import { receiveParts } from "./thread-stream.ts";

type Invoked = Extract<FromThread, { invoke: number }>;
type Under = { stop: AbortController; ports: Set<MessagePort> };

/** The functions of a program, and which of them are at work. */
export class LocalFunctions {
  /** By the hook's name: the last is called. The one before it stays until the last is stored, for that may fail. */
  readonly #byName = new Map<string, HookFunction[]>();
  readonly #under = new Map<number, Under>();

  names(): string[] {
    return [...this.#byName.keys()];
  }

  /** Supplies a function under the name that `store` stores it by; where that fails, what was there stays. */
  async supply<T>(name: string, run: HookFunction, store: () => Promise<T>): Promise<T> {
    const all = this.#byName.get(name) ?? [];
    this.#byName.set(name, all);
    const entry: HookFunction = (batch, at) => run(batch, at); // the same function may be supplied twice at once
    all.push(entry);
    try {
      const stored = await store();
      all.splice(0, all.indexOf(entry));
      return stored;
    } catch (error) {
      if (all.includes(entry)) all.splice(all.indexOf(entry), 1);
      if (all.length === 0 && this.#byName.get(name) === all) this.#byName.delete(name);
      throw error;
    }
  }

  /** Calls a function with its batch and answers when it has settled. Never rejects. */
  async invoke(message: Invoked, answer: (message: ToThread, ports?: MessagePort[]) => void): Promise<void> {
    const number = message.invoke;
    const under: Under = { stop: new AbortController(), ports: new Set([message.receipts]) };
    this.#under.set(number, under);
    let thrown: string | null = null;
    try {
      const arrived = await putTogether(receiveParts<string>(message.receipts));
      const artifacts = (): AsyncIterable<string> => {
        const { port1, port2 } = new MessageChannel();
        if (this.#under.get(number) !== under) port1.close();
        else {
          under.ports.add(port1);
          answer({ list: number, port: port2 }, [port2]);
        }
        return linesOf(receiveParts<string>(port1));
      };
      const batch: HookBatch = { ...message.head, ...arrived, artifacts };
      const run = this.#byName.get(message.function)?.at(-1);
      if (run === undefined) throw new GatepostError("GP_BUG", `No function is named ${message.function}.`);
      await run(batch, { signal: under.stop.signal });
    } catch (error) {
      thrown = textOf(error);
    }
    for (const port of under.ports) port.close();
    // Whoever the home's thread is now did not ask for this when the one that did has died.
    if (this.#under.get(number) === under && this.#under.delete(number)) answer({ settled: number, thrown });
  }

  /** Aborts the signal of a function. */
  stop(number: number, { name, message }: { name: string; message: string }): void {
    this.#under.get(number)?.stop.abort(new DOMException(message, name));
  }

  /** The home's thread has died: what is at work is told so, and is waited for by nobody. */
  abandon(reason: Error): void {
    for (const { stop, ports } of this.#under.values()) {
      stop.abort(reason);
      for (const port of ports) port.close();
    }
    this.#under.clear();
  }
}

type Receipt = BatchReceipt & { updates: ReceiptUpdate[] };

/** The parsed receipt itself, its time made a Date in place: a copy would be as much garbage as there are receipts. */
const dated = (receipt: Extract<ReceiptItem, { receipt: unknown }>["receipt"]): Receipt =>
  Object.assign(receipt, { at: new Date(receipt.at) });

/** The receipts that `receiptParts` made parts of, and what they moved. */
export async function putTogether(parts: AsyncIterable<string>) {
  const receipts: Receipt[] = [];
  const updates: BatchUpdate[] = [];
  for await (const part of parts)
    for (const item of JSON.parse(part) as ReceiptItem[]) {
      const come = "receipt" in item ? item.receipt.updates : item.updates;
      if ("receipt" in item) receipts.push(dated(item.receipt));
      else receipts.at(-1)?.updates.push(...come);
      for (const update of come) if (update.how !== "claimed") updates.push(update);
    }
  return { receipts, updates };
}

async function* linesOf(parts: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const text of parts) yield* text.split("\n");
}
