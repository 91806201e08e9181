/** Laying out what a settling works on: for each entry a draft of its receipt, for each ref that differs or is named its
 *  chain. Both know each other through the updates. Part of ledger.ts, which tells the rules. */
import type { ByteString } from "./bytes.ts";
import { type Chain, chainOf, type Link, type RefValue } from "./ref-chain.ts";

/** A whole entry as it lies in the spool. `at` is its file time in milliseconds; `trusted` says that the home's owner
 *  wrote it; `key` is unique. A "work" entry has no updates. */
export type WaitingEntry = {
  readonly key: string;
  readonly at: number;
  readonly trusted: boolean;
  readonly kind: "push" | "work";
  readonly updates: readonly { readonly ref: ByteString; readonly old: RefValue; readonly new: RefValue }[];
};

/** `step` numbers the moves that this settling makes on one ref from 1, in the order of the chain, which the receipts'
 *  order contradicts where overlapping pushes make a knot. A claimed move changes nothing and has step 0. */
export type LedgerMove = {
  readonly ref: ByteString;
  readonly old: RefValue;
  readonly new: RefValue;
  readonly how: "entry" | "reconciled" | "claimed";
  readonly step: number;
};

/** One receipt in the making. `follows`: those whose updates its own follow on some ref. */
export type Draft = {
  readonly entry: WaitingEntry | null;
  readonly key: string;
  readonly at: number;
  readonly updates: Update[];
  readonly moves: LedgerMove[];
  readonly follows: Set<Draft>;
  settled: boolean;
};
export type Update = Link & { readonly ref: Ref; readonly draft: Draft; step: number };
export type Ref = {
  readonly name: ByteString;
  readonly known: RefValue;
  readonly real: RefValue;
  readonly updates: Update[];
  chain: Chain<Update>;
  /** Towards the ref that stands for all that hang together with this one; itself where that is this one. */
  group: Ref;
  decided: boolean;
};

export const draftOf = (entry: WaitingEntry | null, at: number): Draft => ({
  entry,
  key: entry?.key ?? "",
  at,
  updates: [],
  moves: [],
  follows: new Set(),
  settled: false,
});

export const byTime = (a: { at: number; key: string }, b: { at: number; key: string }) =>
  a.at - b.at || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

const unknown: Chain<Update> = { before: [], gap: null, after: [], later: new Set(), stray: [] };

/** The refs that differ or are named, by name, with their chains, and a draft for each entry, by time. */
export function layOut(
  ledger: ReadonlyMap<ByteString, RefValue>,
  real: ReadonlyMap<ByteString, RefValue>,
  entries: readonly WaitingEntry[],
): { refs: Ref[]; drafts: Draft[] } {
  const absent = absentValue(ledger, real, entries);
  const written = (value: RefValue | undefined) => (value === undefined || isAbsent(value) ? absent : value);
  const refs = new Map<ByteString, Ref>();
  const refOf = (name: ByteString): Ref => {
    const met = refs.get(name);
    if (met !== undefined) return met;
    const values = { known: written(ledger.get(name)), real: written(real.get(name)) };
    const ref = { name, ...values, updates: [], chain: unknown, decided: false } as Omit<Ref, "group"> as Ref;
    ref.group = ref;
    refs.set(name, ref);
    return ref;
  };
  for (const side of [ledger, real]) {
    for (const name of side.keys()) if (written(ledger.get(name)) !== written(real.get(name))) refOf(name);
  }
  const drafts = entries.map((entry) => draftOf(entry, entry.at)).sort(byTime);
  for (const draft of drafts) {
    const said = new Set<string>();
    for (const update of draft.entry?.updates ?? []) {
      const [old, to] = [written(update.old), written(update.new)];
      const ref = refOf(target(update.ref, real));
      const words = `${old} ${to} ${ref.name}`;
      if (old === to || said.has(words)) continue;
      said.add(words);
      const link: Update = { ref, old, new: to, trusted: draft.entry?.trusted === true, draft, step: 0 };
      draft.updates.push(link);
      ref.updates.push(link);
    }
  }
  for (const ref of refs.values()) ref.chain = chainOf(ref.updates, ref.known, ref.real);
  return { refs: [...refs.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), drafts };
}

/** The ref whose value changes when `ref` is written; `ref` itself where the symbolic refs go round in a circle. */
function target(ref: ByteString, real: ReadonlyMap<ByteString, RefValue>): ByteString {
  const met = new Set([ref]);
  for (let here = ref; ; ) {
    const value = real.get(here);
    if (value?.startsWith("ref:") !== true) return here;
    here = value.slice(4) as ByteString;
    if (met.has(here)) return ref;
    met.add(here);
  }
}

export const isAbsent = (value: RefValue) => /^0+$/.test(value);

/** "Absent" as long as the hashes of this repository: entries may write it in any length. */
function absentValue(
  ledger: ReadonlyMap<ByteString, RefValue>,
  real: ReadonlyMap<ByteString, RefValue>,
  entries: readonly WaitingEntry[],
): RefValue {
  for (const side of [real, ledger]) {
    for (const value of side.values()) if (!value.startsWith("ref:")) return "0".repeat(value.length);
  }
  const sha256 = entries.some((entry) => entry.updates.some((update) => update.new.length === 64));
  return "0".repeat(sha256 ? 64 : 40);
}
