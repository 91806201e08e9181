import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ArrivedReceipt,
  CEILING,
  decideCut,
  EMBARGO,
  embargoUntil,
  leftOut,
  receiptTime,
} from "../../src/core/cut.ts";
import { after, DAY, type Instant, MINUTE, type Millis, type ReceiptId, SECOND } from "../../src/core/units.ts";

const noon = 1_795_000_000_000 as Instant;
const id = (n: number) => n as ReceiptId;
const plus = (length: number) => after(noon, length as Millis);
const arrived = (n: number, at: Instant, moreExpected = false): ArrivedReceipt => ({ id: id(n), at, moreExpected });

const instant = fc.integer({ min: -DAY, max: DAY }).map(plus);
const anyReceipts = fc
  .array(fc.record({ at: instant, moreExpected: fc.boolean() }), { maxLength: 8 })
  .map((rows) => rows.map(({ at, moreExpected }, n) => arrived(n + 1, at, moreExpected)));
const anyEmbargo = fc.option(instant);

describe("the cut", () => {
  test("takes everything behind the cursor, up to the newest receipt", () => {
    const receipts = [arrived(9, plus(2)), arrived(7, noon), arrived(8, plus(1))];
    expect(decideCut(id(7), receipts, null, plus(5))).toEqual({ kind: "cut", after: 7, upto: 9 });
  });

  test("is not made when nothing lies behind the cursor", () => {
    expect(decideCut(id(7), [], null, noon)).toEqual({ kind: "idle" });
    expect(decideCut(id(7), [arrived(7, noon, true)], plus(SECOND), noon)).toEqual({ kind: "idle" });
  });

  test("waits while the newest receipt says that more is coming, and then needs no new event", () => {
    const receipts = [arrived(1, noon, true)];
    expect(decideCut(id(0), receipts, null, plus(1))).toEqual({ kind: "wait", until: plus(EMBARGO) });
    expect(decideCut(id(0), receipts, null, plus(EMBARGO - 1))).toEqual({ kind: "wait", until: plus(EMBARGO) });
    expect(decideCut(id(0), receipts, null, plus(EMBARGO))).toEqual({ kind: "cut", after: 0, upto: 1 });
  });

  test("is made at once when a later receipt is complete", () => {
    const receipts = [arrived(1, noon, true), arrived(2, plus(SECOND))];
    expect(decideCut(id(0), receipts, null, plus(SECOND))).toEqual({ kind: "cut", after: 0, upto: 2 });
  });

  test("is held back by a sender that keeps renewing for five minutes from the oldest receipt and no longer", () => {
    const renewed = Array.from({ length: 20 }, (_, n) => arrived(n + 1, plus(n * 20 * SECOND), true));
    const before = renewed.filter((receipt) => receipt.at < plus(CEILING - 5 * SECOND));
    expect(decideCut(id(0), before, null, plus(CEILING - 5 * SECOND))).toEqual({ kind: "wait", until: plus(CEILING) });
    expect(decideCut(id(0), renewed, null, plus(CEILING)).kind).toBe("cut");
  });

  test("counts the five minutes from the oldest receipt that is still behind the cursor", () => {
    const receipts = [arrived(1, plus(-CEILING), true), arrived(2, noon, true)];
    expect(decideCut(id(0), receipts, null, plus(1)).kind).toBe("cut");
    expect(decideCut(id(1), receipts, null, plus(1)).kind).toBe("wait");
  });

  test("respects the embargo of the store itself, even behind a complete receipt", () => {
    const receipts = [arrived(1, noon)];
    expect(decideCut(id(0), receipts, plus(40 * SECOND), plus(1))).toEqual({ kind: "wait", until: plus(40 * SECOND) });
    expect(decideCut(id(0), receipts, plus(40 * SECOND), plus(40 * SECOND)).kind).toBe("cut");
  });

  test("ends the store's embargo 60 s after the newest receipt, however far it reaches", () => {
    expect(embargoUntil([arrived(1, noon)], plus(119 * SECOND), plus(1))).toEqual(plus(EMBARGO));
  });

  test("does not depend on the order in which receipts are listed", () => {
    fc.assert(
      fc.property(anyReceipts, anyEmbargo, instant, (receipts, store, now) => {
        const reversed = decideCut(id(0), receipts.toReversed(), store, now);
        expect(reversed).toEqual(decideCut(id(0), receipts, store, now));
      }),
    );
  });
});

describe("an embargo under a clock that cannot be trusted", () => {
  test("C1 never ends in the past nor more than 60 s ahead", () => {
    fc.assert(
      fc.property(anyReceipts, anyEmbargo, instant, (receipts, store, now) => {
        const until = embargoUntil(receipts, store, now);
        if (until === null) return;
        expect(until).toBeGreaterThan(now);
        expect(until).toBeLessThanOrEqual(now + EMBARGO);
      }),
    );
  });

  test("C1 is over after the clock jumped ahead ten years", () => {
    expect(embargoUntil([arrived(1, noon, true)], plus(50 * SECOND), plus(3650 * DAY))).toBeNull();
  });

  test("C1 is over after the clock was put back ten years", () => {
    expect(embargoUntil([arrived(1, noon, true)], plus(50 * SECOND), plus(-3650 * DAY))).toBeNull();
  });

  test("C2 takes at most its own length more when the clock is put back while it waits", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: EMBARGO }), fc.integer({ min: 0, max: 10 * MINUTE }), (waited, back) => {
        let now = plus(waited - back);
        let left: number = EMBARGO + EMBARGO;
        for (;;) {
          const cut = decideCut(id(0), [arrived(1, noon, true)], plus(EMBARGO), now);
          if (cut.kind !== "wait") break;
          left -= cut.until - now;
          now = cut.until;
        }
        expect(left).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test("C2 still ends five minutes after the first receipt of the new time, if it is renewed for ever", () => {
    const old = arrived(1, plus(DAY), true);
    const renewed = Array.from({ length: 12 }, (_, n) => arrived(n + 2, plus(n * 30 * SECOND), true));
    expect(decideCut(id(0), [old, ...renewed], null, plus(CEILING + 30 * SECOND)).kind).toBe("cut");
  });
});

describe("the window", () => {
  const receipts = [
    { id: id(1), at: plus(-DAY - 1) },
    { id: id(2), at: plus(-DAY) },
    { id: id(3), at: noon },
  ];

  test("leaves out what is more than its length older than the newest receipt, and keeps the one at its edge", () => {
    expect(leftOut(receipts, DAY)).toEqual([1]);
  });

  test("leaves nothing out when it is switched off", () => {
    expect(leftOut(receipts, null)).toEqual([]);
    expect(leftOut([], DAY)).toEqual([]);
  });

  test("never leaves out the newest receipt, however long the quiet before it and whatever the clock did", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(receipts, { minLength: 1 }), fc.nat(2 * DAY), instant, (some, window, at) => {
        const newest = { id: id(9), at };
        expect(leftOut([newest, ...some], window as Millis)).not.toContain(9);
        expect(leftOut(some.slice(0, 1), window as Millis)).toEqual([]);
      }),
    );
  });

  test("names what it leaves out in ascending order", () => {
    const old = [5, 3, 4].map((n) => ({ id: id(n), at: plus(-2 * DAY - n) }));
    expect(leftOut([...old, { id: id(6), at: noon }], DAY)).toEqual([3, 4, 5]);
  });
});

describe("the window of a repository that was paused", () => {
  const days = (n: number) => plus(n * DAY);

  test("leaves out nothing that arrived since the pause began, however long that lasted", () => {
    const since = [1, 2, 3].map((n) => ({ id: id(n), at: days(n) }));
    expect(leftOut(since, DAY)).toEqual([1]);
    expect(leftOut(since, DAY, days(1))).toEqual([]);
    fc.assert(
      fc.property(anyReceipts, fc.nat(2 * DAY), instant, (receipts, window, heldFrom) => {
        const out = leftOut(receipts, window as Millis, heldFrom);
        for (const { id: one, at } of receipts) if (at >= heldFrom) expect(out).not.toContain(one);
      }),
    );
  });

  test("still leaves out what was too old when the pause began, and keeps what waited then and was not", () => {
    const before = [
      { id: id(1), at: days(-2) },
      { id: id(2), at: plus(-DAY / 2) },
      { id: id(3), at: days(5) },
    ];
    expect(leftOut(before, DAY, noon)).toEqual([1]);
    expect(leftOut(before, DAY, days(9)), "a pause that began after the newest changes nothing").toEqual([1, 2]);
  });
});

describe("the time of a receipt", () => {
  test("is its entry's file time, in whole milliseconds", () => {
    expect(receiptTime(noon + 10.75, noon, plus(20))).toBe(noon + 10);
    expect(receiptTime(noon + 10.75, null, plus(20))).toBe(noon + 10);
  });

  test("is not before the previous receipt's", () => {
    expect(receiptTime(noon - 10, noon, plus(20))).toBe(noon);
  });

  test("is never after now, even if the previous receipt's is", () => {
    expect(receiptTime(noon + 10, null, noon)).toBe(noon);
    expect(receiptTime(noon + 10, plus(DAY), noon)).toBe(noon);
  });

  test("is now where the file has none that can be used, and never before 1970", () => {
    expect(receiptTime(Number.NaN, null, noon)).toBe(noon);
    expect(receiptTime(-5, null, noon)).toBe(0);
  });
});
