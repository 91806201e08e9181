/** Function hooks: after-receive hooks that are functions of a program which embeds Gatepost, found by their name. */
import type { BatchId, ReceiptId } from "../core/units.ts";

/** One ref that moved; the values are hashes in hex, all zeros for "absent". A ref that is not UTF-8 is shown escaped. */
export type BatchUpdate = { readonly ref: string; readonly old: string; readonly new: string };

/** One arrival of the batch. `how` in its updates: see the promise page; `claimed` updates moved nothing. */
export type BatchReceipt = {
  readonly rcvid: ReceiptId;
  readonly at: Date;
  readonly source: "push" | "work" | "reconciled";
  readonly user: string | null;
  readonly claimedUser: string | null;
  readonly address: string | null;
  readonly options: readonly string[];
  readonly updates: readonly (BatchUpdate & { readonly how: "entry" | "reconciled" | "claimed" })[];
};

/** What a function hook is called with. Everything is read when it is asked for. */
export type HookBatch = {
  readonly id: BatchId;
  /** The same at every attempt: an idempotency key. */
  readonly run: string;
  readonly attempt: number;
  readonly repository: { readonly name: string; readonly path: string; readonly kind: string };
  readonly receipts: readonly BatchReceipt[];
  /** The ref updates of all receipts, in order, without those that moved nothing. */
  readonly updates: readonly BatchUpdate[];
  /** How many receipts were older than the window. */
  readonly leftOut: number;
  /** The artifact lines that a command would read on stdin, without their newline. */
  artifacts(): AsyncIterable<string>;
};

/** Settling means done, throwing means a failed attempt. The signal aborts at the timeout and at shutdown. */
export type HookFunction = (batch: HookBatch, context: { signal: AbortSignal }) => unknown;

/** A batch on its way to a function, which may live in another thread: its list in parts, as it is made. */
export type BatchOnTheWay = Omit<HookBatch, "updates" | "artifacts"> & { lines(): AsyncIterable<readonly string[]> };

/** How the backoffice calls a function, wherever that is: settles when it has settled, with what it threw as text, or
 *  null. */
export type FunctionCall = (batch: BatchOnTheWay, signal: AbortSignal) => Promise<string | null>;
