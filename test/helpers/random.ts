/** Numbers that look random and that a seed repeats. */
export type Random = {
  /** A whole number from 0 up to, not with, `end`. */
  below(end: number): number;
  pick<T>(list: readonly T[]): T;
  chance(share: number): boolean;
};

/** Numbers that a seed repeats (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (end: number): number => Math.floor(next() * end);
  return {
    below,
    pick: (list) => {
      const at = below(list.length);
      if (list.length === 0) throw new Error("nothing to pick from");
      return list[at] as (typeof list)[number];
    },
    chance: (share) => next() < share,
  };
}
