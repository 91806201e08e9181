/**
 * The order in which the receipts of one pass are numbered: by time, except that a receipt comes after every one whose
 * updates its own updates follow on some ref. Pushes of several refs that overlap can each be first on one ref; such a
 * knot has no right order, and time decides within it. What lies outside a knot keeps its place before or after it.
 */

/** `before[i]` names those that must come before i; the numbers themselves are in order of time. Returns all numbers
 *  once, in their final order. Linear, and without recursion, since a chain may be as long as the spool. */
export function orderByNeed(before: readonly (readonly number[])[]): number[] {
  const order: number[] = [];
  const foundAs = new Int32Array(before.length); // 0: not met yet
  const reaches = new Int32Array(before.length); // the earliest met one, still open, that this one needs
  const placed = new Uint8Array(before.length);
  const open: number[] = [];
  const path: { receipt: number; needs: Iterator<number> }[] = [];
  let met = 0;
  const meet = (receipt: number) => {
    foundAs[receipt] = reaches[receipt] = ++met;
    open.push(receipt);
    path.push({ receipt, needs: (before[receipt] ?? []).toSorted((a, b) => a - b).values() });
  };
  const lower = (receipt: number, to: number | undefined) => {
    reaches[receipt] = Math.min(reaches[receipt] ?? 0, to ?? 0);
  };
  for (let first = 0; first < before.length; first++) {
    if (foundAs[first] === 0) meet(first);
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const need = step.needs.next();
      if (need.done !== true) {
        if (foundAs[need.value] === 0) meet(need.value);
        else if (!placed[need.value]) lower(step.receipt, foundAs[need.value]);
        continue;
      }
      path.pop();
      const parent = path.at(-1);
      if (parent !== undefined) lower(parent.receipt, reaches[step.receipt]);
      if (reaches[step.receipt] !== foundAs[step.receipt]) continue;
      const knot = open.splice(open.lastIndexOf(step.receipt)).sort((a, b) => a - b);
      for (const receipt of knot) placed[receipt] = 1;
      for (const receipt of knot) order.push(receipt);
    }
  }
  return order;
}
