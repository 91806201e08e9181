/** What this process remembers of a spool between two looks at it. Losing it costs time, never an entry. */
export type Remembered = {
  /** Unfinished entries: since when (monotonic ms) they are seen, and as what. */
  readonly unfinished: Map<string, { since: number; as: string }>;
  /** Bytes of the entries of others that were read and wait. */
  readonly sizes: Map<string, number>;
  /** What can neither be used nor moved out of the way: it is passed over. */
  readonly stuck: Set<string>;
  /** Since when (monotonic ms) each look found something that is worth another one soon; null: the last found nothing. */
  waitingSince: number | null;
};

const spools = new Map<string, Remembered>();

export function remembered(spool: string): Remembered {
  const known = spools.get(spool);
  if (known !== undefined) return known;
  const fresh = { unfinished: new Map(), sizes: new Map(), stuck: new Set<string>(), waitingSince: null };
  spools.set(spool, fresh);
  return fresh;
}

/** Forgets what is not there any more. */
export function forgetOthers({ unfinished, sizes, stuck }: Remembered, names: ReadonlySet<string>): void {
  for (const part of [unfinished, sizes]) for (const name of part.keys()) if (!names.has(name)) part.delete(name);
  for (const name of stuck) if (!names.has(name)) stuck.delete(name);
}
