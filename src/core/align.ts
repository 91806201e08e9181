/**
 * Joins two lists that happened in the same order, of which either may have entries without a partner: the pairing that
 * keeps the order and costs least. Pure.
 */

/** For each of `left` the index of its partner among `right`, or null. `cost` is what joining two of them costs, infinite
 *  where they cannot belong together; leaving one of `left` alone costs `alone`, one of `right` nothing. Of pairings that
 *  cost the same, the one with earlier partners. Time and memory grow with the product of the lengths. */
export function align<L, R>(
  left: readonly L[],
  right: readonly R[],
  cost: (a: L, b: R) => number,
  alone: number,
): (number | null)[] {
  const width = right.length + 1;
  // best[i * width + j]: the least that the first i of left cost with the first j of right.
  const best = new Float64Array((left.length + 1) * width);
  const joins = new Uint8Array((left.length + 1) * width);
  for (const [i, a] of left.entries()) {
    best[(i + 1) * width] = (i + 1) * alone;
    for (const [j, b] of right.entries()) {
      const at = (i + 1) * width + j + 1;
      const apart = Math.min(at1(best, at - 1), at1(best, at - width) + alone);
      const joined = at1(best, at - width - 1) + cost(a, b);
      best[at] = Math.min(apart, joined);
      if (joined < apart) joins[at] = 1;
    }
  }
  const partners: (number | null)[] = left.map(() => null);
  for (let i = left.length, j = right.length; i > 0 && j > 0; ) {
    const at = i * width + j;
    if (joins[at] === 1) partners[--i] = --j;
    else if (at1(best, at - 1) === best[at]) j--;
    else i--;
  }
  return partners;
}

const at1 = (values: Float64Array, index: number): number => values[index] as number;
