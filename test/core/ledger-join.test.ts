import { describe, expect, test } from "vitest";
import type { ByteString } from "../../src/core/bytes.ts";
import { joinReconciled, type WaitingEntry } from "../../src/core/ledger.ts";

/** "m:AB" moves m from A to B; "-" is absent. */
const updateOf = (words: string) => {
  const [old, to] = [...words.slice(2)].map((letter) => (letter === "-" ? "0" : letter).repeat(40));
  return { ref: words.slice(0, 1) as ByteString, old: old ?? "", new: to ?? "" };
};
const push = (...updates: string[]): WaitingEntry => {
  return { key: "e", at: 1, trusted: true, kind: "push", updates: updates.map(updateOf) };
};

describe("an entry that comes late", () => {
  const reconciled = (...rows: [number, string][]) => rows.map(([id, update]) => ({ id, ...updateOf(update) }));

  test("joins the reconciled receipt that has its updates", () => {
    const moves = reconciled([4, "m:AB"], [5, "n:AB"], [5, "o:AB"]);
    expect(joinReconciled(push("n:AB", "o:AB", "o:BB"), moves)).toBe(5);
    expect(joinReconciled(push("o:AB"), moves)).toBe(5);
  });

  test("joins a receipt that swallowed its update with those before or after it", () => {
    expect(joinReconciled(push("m:AB"), reconciled([4, "m:AC"]))).toBe(4);
    expect(joinReconciled(push("m:BC"), reconciled([4, "m:AC"]))).toBe(4);
    expect(joinReconciled(push("m:BC"), reconciled([4, "m:AD"]))).toBeNull();
    expect(joinReconciled(push("m:BC"), reconciled([4, "n:AC"]))).toBeNull();
  });

  test("joins none if its updates are spread over several, or one of them is in none", () => {
    const moves = reconciled([4, "m:AB"], [5, "n:AB"]);
    expect(joinReconciled(push("m:AB", "n:AB"), moves)).toBeNull();
    expect(joinReconciled(push("m:AB", "p:AB"), moves)).toBeNull();
  });

  test("prefers the receipt with the most equal moves, then the oldest", () => {
    const moves = reconciled([4, "m:AC"], [6, "m:AB"], [5, "m:AB"], [5, "m:XY"], [7, "m:AB"]);
    expect(joinReconciled(push("m:AB"), moves)).toBe(5);
  });

  test("joins none if it says nothing", () => {
    expect(joinReconciled(push("m:AA"), reconciled([4, "m:AB"]))).toBeNull();
    expect(joinReconciled({ ...push(), kind: "work" }, reconciled([4, "m:AB"]))).toBeNull();
  });

  test("reads an absent value in any length", () => {
    const entry = { ...push(), updates: [{ ref: "m" as ByteString, old: "0000", new: "B".repeat(40) }] };
    expect(joinReconciled(entry, reconciled([3, "m:-C"], [4, "m:-B"]))).toBe(4);
  });
});
