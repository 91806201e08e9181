/** What the caller's thread and a home's thread say to each other. Answers carry the number of what they answer. */
import type { MessagePort } from "node:worker_threads";
import type { BatchReceipt, HookBatch } from "../backoffice/function-hook.ts";
import type { PackedError } from "./thread-errors.ts";

export type Level = "info" | "debug" | "trace" | "error";

/** What of a batch is short. Its receipts and its list come in parts. */
export type BatchHead = Omit<HookBatch, "receipts" | "updates" | "artifacts">;

/**
 * An item of the list of receipts: a receipt with the first of its updates, or more updates of the receipt before it. A
 * part of that list is the JSON text of several: what is parsed weighs half of what a structured clone leaves, and what
 * stays alive is what the reader's garbage collector stops its event loop for.
 */
export type ReceiptItem =
  | { receipt: Omit<BatchReceipt, "at" | "updates"> & { at: number; updates: ReceiptUpdate[] } }
  | { updates: ReceiptUpdate[] };

export type ReceiptUpdate = BatchReceipt["updates"][number];

export type ToThread =
  /** Do this. `logs`: the caller wants to hear of what goes on. */
  | { call: number; name: string; args: readonly unknown[]; logs: boolean }
  /** The signal of that call aborted. */
  | { abort: number }
  /** These functions are there: said to a thread that follows one that died. */
  | { supply: readonly string[] }
  /** That function has settled; what it threw, as text. */
  | { settled: number; thrown: string | null }
  /** The function wants the list of its batch, through this port. */
  | { list: number; port: MessagePort };

export type FromThread =
  | { done: number; value: unknown }
  /** The value is a long array: its parts come through this port. */
  | { done: number; parts: MessagePort }
  | { failed: number; error: PackedError }
  | { log: number; level: Level; message: string }
  /** Call this function. */
  | { invoke: number; function: string; head: BatchHead; receipts: MessagePort }
  /** The signal of that function aborts, for this reason. */
  | { stop: number; reason: { name: string; message: string } };
