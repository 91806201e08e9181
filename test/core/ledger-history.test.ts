/** Settling against simulated histories: pushes that overlap, entries that are lost, late, dated wrongly or made up,
 *  looks that read the refs before or after a push. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ByteString } from "../../src/core/bytes.ts";
import { type RefValue, type Settled, settle, type WaitingEntry } from "../../src/core/ledger.ts";

type Refs = Map<ByteString, RefValue>;
const absent = "0".repeat(40);
const refAt = (n: number) => `refs/heads/${n}` as ByteString;
const valueAt = (n: number): RefValue => n.toString(16).padStart(5, "0").repeat(8);
const young = () => false;
const old = () => true;

/** Settles, checks all that must hold of any answer, and returns the ledger as it is then. */
function settleChecked(
  ledger: Refs,
  real: Refs,
  entries: readonly WaitingEntry[],
  isOld: (ref: ByteString) => boolean,
) {
  const settled = settle(ledger, real, entries, isOld);
  expect(settle(ledger, real, entries.toReversed(), isOld)).toEqual(settled);
  const receiptKeys = settled.receipts.flatMap((receipt) => receipt.entry ?? []);
  const keys = [...receiptKeys, ...settled.waiting, ...settled.nothing].sort();
  expect(keys).toEqual(entries.map((entry) => entry.key).sort());

  for (const receipt of settled.receipts) {
    const entry = entries.find(({ key }) => key === receipt.entry);
    if (entry?.kind !== "push") continue;
    const moves = receipt.moves.map((move) => `${move.ref} ${move.old} ${move.new}`);
    const updates = entry.updates.filter((update) => update.old !== update.new);
    expect(moves).toEqual([...new Set(updates.map((update) => `${update.ref} ${update.old} ${update.new}`))]);
    expect(receipt.moves.filter((move) => move.how === "reconciled")).toEqual([]);
  }

  const after = new Map(ledger);
  const moves = settled.receipts.flatMap((receipt) => receipt.moves);
  for (const move of moves) expect(move.step === 0).toBe(move.how === "claimed");
  const moved = moves.filter((move) => move.how !== "claimed").sort((a, b) => a.step - b.step);
  const steps = new Map<ByteString, number>();
  for (const move of moved) {
    expect(move.step).toBe((steps.get(move.ref) ?? 0) + 1);
    steps.set(move.ref, move.step);
    expect(move.old).toBe(after.get(move.ref) ?? absent);
    expect(move.new).not.toBe(move.old);
    after.set(move.ref, move.new);
  }
  for (const ref of new Set([...ledger.keys(), ...real.keys(), ...steps.keys()])) {
    const differs = (after.get(ref) ?? absent) !== (real.get(ref) ?? absent);
    if (steps.has(ref)) expect(differs).toBe(false);
    if (differs) expect(settled.unsettled).toContain(ref);
  }
  return { settled, after };
}

type Change = readonly { ref: number; to: number }[];
type Happening =
  | { kind: "push"; changes: readonly Change[]; turns: readonly boolean[]; fates: readonly Fate[]; at: number }
  | { kind: "forge"; updates: readonly { ref: number; old: number; to: number }[]; at: number; trusted: boolean }
  | { kind: "arrive"; which: number }
  | { kind: "look"; isOld: boolean; missed: number };
type Fate = "written" | "late" | "lost";

const small = fc.nat(3);
const change = fc.array(fc.record({ ref: fc.nat(2), to: small }), { minLength: 1, maxLength: 3 });
const pushWith = (fates: readonly Fate[]) =>
  fc.record({
    kind: fc.constant("push" as const),
    changes: fc.array(change, { minLength: 1, maxLength: 2 }),
    turns: fc.array(fc.boolean(), { maxLength: 6 }),
    fates: fc.array(fc.constantFrom(...fates), { minLength: 2, maxLength: 2 }),
    at: fc.nat(20),
  });
const forgery = fc.record({
  kind: fc.constant("forge" as const),
  updates: fc.array(fc.record({ ref: fc.nat(2), old: small, to: small }), { maxLength: 2 }),
  at: fc.nat(20),
  trusted: fc.boolean(),
});
const arrival = fc.record({ kind: fc.constant("arrive" as const), which: fc.nat(5) });
const lookWith = (isOld: fc.Arbitrary<boolean>) =>
  fc.record({ kind: fc.constant("look" as const), isOld, missed: fc.nat(2) });

/** Lets the happenings happen. `missed` pushes of a look come between its reading of the refs and of the spool. At the
 *  end the late entries arrive, and there are quiet looks, `lastIsOld`, until nothing waits. */
function live(happenings: readonly Happening[], lastIsOld: boolean) {
  let ledger: Refs = new Map();
  const past: Refs[] = [new Map()];
  let spool: WaitingEntry[] = [];
  let late: WaitingEntry[] = [];
  const answers: Settled[] = [];
  let count = 0;
  let lastRead = 0;
  const now = () => past.at(-1) as Refs;
  const look = (isOld: (ref: ByteString) => boolean, missed: number) => {
    lastRead = Math.max(lastRead, past.length - 1 - missed);
    const { settled, after } = settleChecked(ledger, past[lastRead] as Refs, spool, isOld);
    ledger = after;
    spool = spool.filter((entry) => settled.waiting.includes(entry.key));
    answers.push(settled);
  };
  for (const happening of happenings) {
    if (happening.kind === "look") look(happening.isOld ? old : young, happening.missed);
    else if (happening.kind === "arrive") spool.push(...late.splice(happening.which, 1));
    else if (happening.kind === "forge") {
      const { at, trusted } = happening;
      const updates = happening.updates.map(({ ref, old: from, to }) => {
        return { ref: refAt(ref), old: from === 0 ? absent : valueAt(from), new: to === 0 ? absent : valueAt(to) };
      });
      spool.push({ key: `forged ${++count}`, at, trusted, kind: "push", updates });
    } else {
      const pending = happening.changes.map((one) => [...one]);
      const made = pending.map((): { ref: ByteString; old: RefValue; new: RefValue }[] => []);
      for (let turn = 0; pending.some((one) => one.length > 0); turn++) {
        const wanted = happening.turns[turn] === true ? 1 : 0;
        const who = (pending[wanted] ?? []).length > 0 ? wanted : pending.findIndex((one) => one.length > 0);
        const { ref, to } = pending[who]?.shift() ?? { ref: 0, to: 0 };
        const from = now().get(refAt(ref)) ?? absent;
        const next = to === 0 ? absent : valueAt(to);
        if (from === next || made[who]?.some((update) => update.ref === refAt(ref))) continue;
        past.push(new Map(now()).set(refAt(ref), next));
        made[who]?.push({ ref: refAt(ref), old: from, new: next });
      }
      for (const [who, updates] of made.entries()) {
        const entry = { key: `push ${++count}`, at: happening.at, trusted: true, kind: "push" as const, updates };
        if (happening.fates[who] === "written") spool.push(entry);
        if (happening.fates[who] === "late") late.push(entry);
      }
    }
  }
  spool.push(...late);
  late = [];
  for (let left = 3; left > 0 && (left === 3 || spool.length > 0); left--) look(lastIsOld ? old : young, 0);
  const moves = answers.flatMap((answer) => answer.receipts.flatMap((receipt) => receipt.moves));
  const differing = [...now()].filter(([ref, value]) => (ledger.get(ref) ?? absent) !== value);
  return { moves, waiting: spool.map((entry) => entry.key), differing };
}

const history = (happening: fc.Arbitrary<Happening>) => fc.array(happening, { maxLength: 14 });

describe("whatever happens", () => {
  test("the ledger ends at the real values, each step where the last one ended, and no entry is lost or used twice", () => {
    const anything = fc.oneof(pushWith(["written", "late", "lost"]), forgery, arrival, lookWith(fc.boolean()));
    fc.assert(
      fc.property(history(anything), (happenings) => {
        const { waiting, differing } = live(happenings, true);
        expect({ waiting, differing }).toEqual({ waiting: [], differing: [] });
      }),
      { numRuns: 1500 },
    );
  });

  test("nothing is reconciled or claimed where every entry is there when the refs are quiet", () => {
    const written = fc.oneof(pushWith(["written"]), lookWith(fc.constant(false)));
    fc.assert(
      fc.property(history(written), (happenings) => {
        const quiet = happenings.map((one) => (one.kind === "look" ? { ...one, missed: 0 } : one));
        const { moves, waiting, differing } = live(quiet, false);
        expect({ waiting, differing }).toEqual({ waiting: [], differing: [] });
        expect(moves.filter((move) => move.how !== "entry")).toEqual([]);
      }),
      { numRuns: 600 },
    );
  });

  test("nothing is reconciled where every entry arrives before anything is old, in whatever order", () => {
    const late = fc.oneof(pushWith(["written", "late"]), arrival, lookWith(fc.constant(false)));
    fc.assert(
      fc.property(history(late), (happenings) => {
        const { moves, differing } = live(happenings, true);
        expect(differing).toEqual([]);
        expect(moves.filter((move) => move.how === "reconciled")).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  test("commits explain all that pushes do not, without waiting", () => {
    const refs = fc.dictionary(fc.nat(5).map(refAt), small.map(valueAt));
    fc.assert(
      fc.property(refs, refs, fc.integer({ min: 1, max: 3 }), (known, there, count) => {
        const nudges = Array.from({ length: count }, (_, n): WaitingEntry => {
          return { key: `work ${n}`, at: n, trusted: true, kind: "work", updates: [] };
        });
        const [ledger, real] = [known, there].map((side) => new Map(Object.entries(side)) as Refs) as [Refs, Refs];
        const { settled } = settleChecked(ledger, real, nudges, young);
        const differs = settled.receipts.length > 0;
        expect(settled.unsettled).toEqual([]);
        expect(settled.receipts.map((receipt) => receipt.entry)).toEqual(differs ? [nudges.at(-1)?.key] : []);
        expect(settled.nothing).toHaveLength(differs ? count - 1 : count);
      }),
    );
  });
});

describe("a ref that strangers keep naming in made-up entries", () => {
  const GRACE = 2000;

  /** A caller that keeps the ages as `settle` asks it to; looks every 200 ms until `ref` is settled. */
  function looksUntilSettled(
    ref: ByteString,
    ledger: Refs,
    real: Refs,
    spool: (look: number) => WaitingEntry[],
  ): number {
    const since = new Map<ByteString, number>();
    const entries: WaitingEntry[] = [];
    for (let look = 1; look < 100; look++) {
      const now = look * 200;
      entries.push(...spool(look));
      const { settled, after } = settleChecked(ledger, real, entries, (one) => now - (since.get(one) ?? now) >= GRACE);
      if (after.get(ref) === real.get(ref)) return look;
      for (const one of since.keys()) if (!settled.unsettled.includes(one)) since.delete(one);
      for (const one of settled.unsettled) if (!since.has(one)) since.set(one, now);
    }
    return Number.POSITIVE_INFINITY;
  }

  test("is held up for one grace, even if each entry ties it to a ref never named before", () => {
    const update = (ref: number, from: number, to: number) => ({
      ref: refAt(ref),
      old: valueAt(from),
      new: valueAt(to),
    });
    const [ledger, real] = [new Map([[refAt(0), valueAt(1)]]), new Map([[refAt(0), valueAt(2)]])];
    const looks = looksUntilSettled(refAt(0), ledger, real, (look) => [
      { key: `x${look}`, at: 0, trusted: false, kind: "push", updates: [update(0, 8, 9), update(look, 8, 9)] },
      ...(look === 1 ? [{ key: "e", at: 1, trusted: true, kind: "push" as const, updates: [update(0, 1, 2)] }] : []),
    ]);
    expect(looks).toBe(1 + GRACE / 200);
  });
});

describe("settling takes time in proportion to the entries", () => {
  const timed = (ledger: Refs, real: Refs, entries: readonly WaitingEntry[]) => {
    const started = process.cpuUsage(); // not the clock: other tests run at the same time
    const settled = settle(ledger, real, entries, old);
    const { user, system } = process.cpuUsage(started);
    return { settled, took: (user + system) / 1000 };
  };
  const one = (n: number, ref: number, from: number, to: number, at = n): WaitingEntry => {
    return {
      key: `e${n}`,
      at,
      trusted: true,
      kind: "push",
      updates: [{ ref: refAt(ref), old: valueAt(from), new: valueAt(to) }],
    };
  };
  const many = (count: number, make: (n: number) => WaitingEntry) => Array.from({ length: count }, (_, n) => make(n));

  test.each([
    [10_000, 300],
    [100_000, 3000],
  ])("for a chain of %i updates of one ref, written down backwards", (count, limit) => {
    const entries = many(count, (n) => one(n, 0, n, n + 1, -n));
    const { settled, took } = timed(new Map([[refAt(0), valueAt(0)]]), new Map([[refAt(0), valueAt(count)]]), entries);
    expect(settled.receipts.map((receipt) => receipt.entry)).toEqual(entries.map((entry) => entry.key));
    expect(took).toBeLessThan(limit);
  });

  test.each([
    [10_000, 300],
    [100_000, 3000],
  ])("for %i refs", (count, limit) => {
    const side = (value: number) =>
      new Map(Array.from({ length: count }, (_, n) => [refAt(n), valueAt(value)] as const));
    const { settled, took } = timed(
      side(1),
      side(2),
      many(count, (n) => one(n, n, 1, 2)),
    );
    expect(settled.receipts).toHaveLength(count);
    expect(took).toBeLessThan(limit);
  });

  test("for updates made up so that any two contradict each other", () => {
    const half = 10_000;
    const entries = [...many(half, (n) => one(n, 0, 1, n + 3)), ...many(half, (n) => one(half + n, 0, n + 3, 2))];
    const { settled, took } = timed(new Map([[refAt(0), valueAt(1)]]), new Map([[refAt(0), valueAt(2)]]), entries);
    expect(settled.receipts).toHaveLength(2 * half);
    expect(settled.receipts.flatMap(({ moves }) => moves).filter((move) => move.how === "entry")).toHaveLength(2);
    expect(took).toBeLessThan(2000);
  });
});
