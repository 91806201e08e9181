/**
 * The chain of one ref: in which order its waiting updates led from the value last known to the value that is there.
 *
 * Values are places, updates are one-way streets between them, and what happened was a walk from the one place to the
 * other that took each street once. Walks may come back (a branch is reset and moved again), streets may be double
 * (two pushers made the same move), signs may be missing (a shim was killed) or invented (anyone who may push can write
 * into the spool). So nothing here trusts a clock; file times only choose between walks that are equally good:
 *   1. Where a walk uses every update that can lie on one, that walk is the answer.
 *   2. Where none does, as few updates as possible are left out: first of strangers, then of anyone.
 *   3. Where no walk leads there at all, the walk from the start and the walk to the end are kept and the gap between
 *      them is named. Only the owner's updates may lengthen the first: nothing there confirms where it ends.
 *   4. An update left over that starts where the chain ended, or further on, is `later`: the refs are read before the
 *      spool, so it is most likely a push that came in between. Every other one left over is `stray`.
 *
 * Linear in the number of updates, whatever is in them: rule 2 looks for the smallest set only as long as its allowance
 * lasts, so a forger can buy a worse guess but not a slow pass. Proven by test/core/ledger.test.ts.
 */

/** Hex of a hash; all zeros where the ref is absent; "ref:refs/heads/x" for a symbolic ref, kept by its target. */
export type RefValue = string;

/** One waiting update. `trusted`: written by the home's owner. */
export type Link = { readonly old: RefValue; readonly new: RefValue; readonly trusted: boolean };

/** `before`, then the `gap` where there is one, then `after` lead from the known value to the real one. Every update is
 *  in exactly one of before, after, later and stray. A gap never joins equal values. */
export type Chain<L extends Link> = {
  readonly before: readonly L[];
  readonly gap: { readonly old: RefValue; readonly new: RefValue } | null;
  readonly after: readonly L[];
  readonly later: ReadonlySet<L>;
  readonly stray: readonly L[];
};

/** Orders `links`, which come sorted by time, into the chain from `known` to `real`. Values must be written alike. */
export function chainOf<L extends Link>(links: readonly L[], known: RefValue, real: RefValue): Chain<L> {
  const whole = walkBetween(links, known, real);
  if (whole !== null) return { before: whole, gap: null, after: [], ...leftOver(links, new Set(whole), real) };
  // What can be reached from `known` cannot lead to `real`, else there were a walk: the two parts share no update.
  const own = links.filter((link) => link.trusted);
  const gapStart = farEnd(own, known, "new");
  const gapEnd = farEnd(links.toReversed(), real, "old");
  const before = walkBetween(own, known, gapStart) ?? [];
  const after = walkBetween(links, gapEnd, real) ?? [];
  const used = new Set([...before, ...after]);
  return { before, gap: { old: gapStart, new: gapEnd }, after, ...leftOver(links, used, real) };
}

type Place<L> = { out: Street<L>[]; into: Street<L>[]; tried: number; surplus: number };
type Street<L> = { link: L; from: Place<L>; to: Place<L>; open: boolean };

/** The updates, in order, of a walk that uses as many as rules 1 and 2 say; null where no walk leads from `start` to
 *  `end`. Empty where both are the same place and nothing leads back to it. */
function walkBetween<L extends Link>(links: readonly L[], start: RefValue, end: RefValue): readonly L[] | null {
  const [only] = links;
  if (only === undefined) return start === end ? [] : null;
  if (links.length === 1 && only.old === start && only.new === end) return links;

  const places = new Map<RefValue, Place<L>>();
  const placeOf = (value: RefValue): Place<L> => {
    const place = places.get(value) ?? { out: [], into: [], tried: 0, surplus: 0 };
    places.set(value, place);
    return place;
  };
  const streets = links.map((link) => {
    const street = { link, from: placeOf(link.old), to: placeOf(link.new), open: false };
    street.from.out.push(street);
    street.to.into.push(street);
    return street;
  });
  const [from, to] = [placeOf(start), placeOf(end)];
  const ahead = reachable(from, (place) => place.out.map((street) => street.to));
  if (!ahead.has(to)) return null;
  const behind = reachable(to, (place) => place.into.map((street) => street.from));
  const useful = streets.filter((street) => ahead.has(street.from) && behind.has(street.to));
  for (const street of useful) street.open = true;
  closeSurplus(useful, from, to);
  const walk = followOpen(from, to);
  if (walk !== null) return walk;
  // Closing the surplus cut the only way through: a walk by time order, with what fits into it, is left.
  for (const street of useful) street.open = true;
  for (const place of places.values()) place.tried = 0;
  return followOpen(from, to);
}

function reachable<T>(start: T, next: (from: T) => readonly T[]): Set<T> {
  const found = new Set([start]);
  for (const place of found) for (const further of next(place)) found.add(further);
  return found;
}

/** Goes on along the earliest open street until there is none, then backs up, taking side trips that return. On the way
 *  back a street is kept if it ends where the kept part begins; the others were dead ends. Uses all open streets
 *  exactly where such a walk exists. Null where `to` was not reached. */
function followOpen<L>(from: Place<L>, to: Place<L>): L[] | null {
  const path: Street<L>[] = [];
  const kept: L[] = [];
  let [here, keptFrom] = [from, to];
  for (;;) {
    const street = here.out[here.tried++];
    if (street !== undefined) {
      if (!street.open) continue;
      path.push(street);
      here = street.to;
      continue;
    }
    const last = path.pop();
    if (last === undefined) return keptFrom === from ? kept.reverse() : null;
    if (here === keptFrom) {
      kept.push(last.link);
      keptFrom = last.from;
    }
    here = last.from;
  }
}

/** Visits that the search for the fewest updates may make for each update: 100 doubtful updates among 10,000 are found
 *  within it, and 100,000 updates made up to be contradictory cost less than a second. */
const ALLOWANCE = 200;

/** A walk leaves each place as often as it enters it, its ends aside. Where more streets leave than enter, closes the
 *  shortest ways from there to places where more enter than leave, until all is even. */
function closeSurplus<L extends Link>(streets: readonly Street<L>[], from: Place<L>, to: Place<L>): void {
  const places = new Set([from, to]);
  for (const street of streets) {
    street.from.surplus++;
    street.to.surplus--;
    places.add(street.from).add(street.to);
  }
  from.surplus--;
  to.surplus++;
  let allowance = ALLOWANCE * streets.length;
  for (const closable of [(link: L) => !link.trusted, () => true]) {
    while (allowance > 0) {
      const cameBy = new Map<Place<L>, Street<L> | null>();
      for (const place of places) if (place.surplus > 0) cameBy.set(place, null);
      if (cameBy.size === 0) return;
      allowance -= places.size;
      let lacking: Place<L> | null = null;
      for (const place of cameBy.keys()) {
        if (place.surplus < 0) {
          lacking = place;
          break;
        }
        // Latest first, so that of two updates that say the same the earlier one stays.
        for (const street of place.out.toReversed()) {
          allowance--;
          if (street.open && closable(street.link) && !cameBy.has(street.to)) cameBy.set(street.to, street);
        }
      }
      if (lacking === null) break;
      lacking.surplus++;
      let place = lacking;
      for (let street = cameBy.get(place); street; street = cameBy.get(place)) {
        street.open = false;
        place = street.from;
      }
      place.surplus--;
    }
  }
}

/** Where one ends up who starts at `start` and always takes the first unused update in the given direction. */
function farEnd(links: readonly Link[], start: RefValue, towards: "old" | "new"): RefValue {
  const onward = endsByStart(links.toReversed(), towards);
  let here = start;
  for (let next = onward.get(here)?.pop(); next !== undefined; next = onward.get(here)?.pop()) here = next;
  return here;
}

function endsByStart(links: readonly Link[], towards: "old" | "new"): Map<RefValue, RefValue[]> {
  const ends = new Map<RefValue, RefValue[]>();
  for (const link of links) {
    const start = towards === "new" ? link.old : link.new;
    const known = ends.get(start);
    if (known === undefined) ends.set(start, [link[towards]]);
    else known.push(link[towards]);
  }
  return ends;
}

function leftOver<L extends Link>(links: readonly L[], used: ReadonlySet<L>, real: RefValue) {
  const rest = links.filter((link) => !used.has(link));
  if (rest.length === 0) return { later: new Set<L>(), stray: rest };
  const onward = endsByStart(rest, "new");
  const beyond = reachable(real, (value) => onward.get(value) ?? []);
  const later = new Set(rest.filter((link) => beyond.has(link.old)));
  return { later, stray: rest.filter((link) => !later.has(link)) };
}
