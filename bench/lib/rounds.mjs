/**
 * Rounds: every variant once in each, in an order that is drawn anew, so that what the machine does besides falls on
 * all of them alike and none is always the one that comes after another.
 */
import { setImmediate } from "node:timers/promises";
import { progress } from "./report.mjs";

/** A generator of numbers in [0, 1) that a seed repeats (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function shuffled(list, random) {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}

/** Runs `variants` (name → async function of the round's number that returns a measurement) `count` times, after `warm`
 *  rounds that do not count; gives the measurements by name, in the order of the rounds. */
export async function rounds(label, variants, { count, warm = 1, seed }) {
  const random = randomFrom(seed);
  const found = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
  for (let round = 0; round < warm + count; round++) {
    for (const name of shuffled(Object.keys(variants), random)) {
      progress(`${label}: round ${round + 1} of ${warm + count}, ${name}`);
      await setImmediate(); // a signal to end is seen here at the latest: most measurements block
      const measured = await variants[name](round);
      if (round >= warm) found[name].push(measured);
    }
  }
  progress("");
  return found;
}
