import { describe, expect, test } from "vitest";
import type { ByteString } from "../../src/core/bytes.ts";
import { type LedgerMove, type RefValue, type Settled, settle, type WaitingEntry } from "../../src/core/ledger.ts";

type Refs = ReadonlyMap<ByteString, RefValue>;
type Words = readonly string[];

/** Values are written as one letter, "-" for absent; updates as "ref:AB", which moves ref from A to B. */
const value = (letter: string): RefValue =>
  letter.startsWith("ref:") ? letter : letter === "-" ? "0".repeat(40) : letter.charCodeAt(0).toString(16).repeat(20);
const letters = new Map("-ABCDEFGSTUXYZ".split("").map((letter) => [value(letter), letter]));
const name = (ref: string) => ref as ByteString;
const refsOf = (values: Record<string, string>): Refs =>
  new Map(Object.entries(values).map(([ref, letter]) => [name(ref), value(letter)]));

function push(key: string, at: number, updates: Words, trusted = true): WaitingEntry {
  const parsed = updates.map((update) => {
    const [ref = "", old = "", to = ""] = /^(.+):(.)(.)$/.exec(update)?.slice(1) ?? [];
    return { ref: name(ref), old: value(old), new: value(to) };
  });
  return { key, at, trusted, kind: "push", updates: parsed };
}
const forged = (key: string, at: number, updates: Words) => push(key, at, updates, false);
const nudge = (key: string, at: number): WaitingEntry => ({ key, at, trusted: true, kind: "work", updates: [] });

const young = () => false;
const old = () => true;

const said = (move: LedgerMove) => {
  const ends = [move.old, move.new].map((v) => letters.get(v) ?? v).join("");
  return `${move.how === "entry" ? "" : `${move.how} `}${move.ref}:${ends}`;
};
/** One line for each receipt, and one for what waits and for what is to be removed. */
function told(settled: Settled): string[] {
  const lines = settled.receipts.map((receipt) => [receipt.entry ?? "(none)", ...receipt.moves.map(said)].join(" "));
  if (settled.waiting.length > 0) lines.push(`waiting ${settled.waiting.join(" ")}`);
  if (settled.nothing.length > 0) lines.push(`nothing ${settled.nothing.join(" ")}`);
  return lines;
}
const settleFrom = (
  ledger: Record<string, string>,
  real: Record<string, string>,
  entries: readonly WaitingEntry[],
  isOld: (ref: ByteString) => boolean = young,
) => told(settle(refsOf(ledger), refsOf(real), entries, isOld));

describe("the updates of one ref", () => {
  test("are put in chain order, whatever their files' times say", () => {
    const entries = [push("e3", 1, ["m:CD"]), push("e1", 3, ["m:AB"]), push("e2", 2, ["m:BC"])];
    expect(settleFrom({ m: "A" }, { m: "D" }, entries)).toEqual(["e1 m:AB", "e2 m:BC", "e3 m:CD"]);
  });

  test("are all used when the ref came back to where it was, and went on", () => {
    const entries = [push("e1", 1, ["m:AC"]), push("e2", 2, ["m:AB"]), push("e3", 3, ["m:BA"])];
    expect(settleFrom({ m: "A" }, { m: "C" }, entries)).toEqual(["e2 m:AB", "e3 m:BA", "e1 m:AC"]);
  });

  test("make receipts even if the ref ended where it began", () => {
    const entries = [push("e1", 1, ["m:AB"]), push("e2", 2, ["m:BA"])];
    expect(settleFrom({ m: "A" }, { m: "A" }, entries)).toEqual(["e1 m:AB", "e2 m:BA"]);
  });

  test("may create it and delete it", () => {
    const entries = [push("e1", 1, ["m:-A"]), push("e2", 2, ["m:A-"]), push("e3", 3, ["m:-B"])];
    expect(settleFrom({}, { m: "B" }, entries)).toEqual(["e1 m:-A", "e2 m:A-", "e3 m:-B"]);
    expect(settleFrom({ m: "A" }, {}, [push("e1", 1, ["m:A-"])])).toEqual(["e1 m:A-"]);
  });

  test("are ordered by file time between equals", () => {
    const entries = [push("late", 7, ["m:AB"]), push("back", 3, ["m:BA"]), push("early", 5, ["m:AB"])];
    expect(settleFrom({ m: "A" }, { m: "B" }, entries)).toEqual(["early m:AB", "back m:BA", "late m:AB"]);
  });

  test("count once if an entry repeats them, and not at all if they change nothing", () => {
    expect(settleFrom({ m: "A" }, { m: "B" }, [push("e1", 1, ["m:AB", "m:BB", "m:AB"])])).toEqual(["e1 m:AB"]);
    expect(settleFrom({ m: "A" }, { m: "A" }, [push("e1", 1, ["m:AA"])])).toEqual(["e1"]);
  });

  test("read an absent value in any length", () => {
    const entry = { ...push("e1", 1, []), updates: [{ ref: name("m"), old: "00", new: value("A").repeat(2) }] };
    const { receipts } = settle(new Map(), new Map([[name("m"), value("A").repeat(2)]]), [entry], young);
    expect(receipts[0]?.moves[0]).toMatchObject({ old: "0".repeat(80), how: "entry" });
  });

  test("that nobody sees in the repository, of a sha256 hash, leave the absent value as long as theirs", () => {
    const long = value("A").repeat(2).slice(0, 64);
    const created = { ref: name("m"), old: "0".repeat(64), new: long };
    const deleted = { ref: name("m"), old: long, new: "0".repeat(64) };
    const { receipts } = settle(new Map(), new Map(), [{ ...push("e1", 1, []), updates: [created, deleted] }], young);
    expect(receipts[0]?.moves).toMatchObject([created, deleted]);
  });
});

describe("an update that has no place in the chain", () => {
  test("goes on from the real value: it waits for the next look and holds nothing up", () => {
    const entries = [push("e1", 1, ["m:AB"]), push("e2", 2, ["m:BC"])];
    expect(settleFrom({ m: "A" }, { m: "B" }, entries)).toEqual(["e1 m:AB", "waiting e2"]);
    expect(settleFrom({ m: "A" }, { m: "B" }, entries, old)).toEqual(["e1 m:AB", "waiting e2"]);
    expect(settleFrom({ m: "B" }, { m: "B" }, [push("e2", 2, ["m:BC"])])).toEqual(["waiting e2"]);
  });

  test("is kept as claimed once its ref has stood still for the grace", () => {
    const entries = [push("e2", 2, ["m:BC"]), push("e3", 3, ["m:CD"])];
    expect(settleFrom({ m: "B" }, { m: "B" }, entries, old)).toEqual(["e2 claimed m:BC", "e3 claimed m:CD"]);
  });

  test("is kept as claimed with all of its entry, once one of the entry's refs has stood still for the grace", () => {
    const refs = { m: "A", n: "A" };
    const told = settleFrom(refs, refs, [push("e", 1, ["m:AB", "n:AB"])], (ref) => ref === "n");
    expect(told).toEqual(["e claimed m:AB claimed n:AB"]);
  });

  test("comes from somewhere else: it holds its ref up until it is old, then is kept as claimed", () => {
    const entries = [push("e1", 1, ["m:XY"]), push("e2", 2, ["m:AB"])];
    expect(settleFrom({ m: "A" }, { m: "B" }, entries)).toEqual(["waiting e1 e2"]);
    expect(settleFrom({ m: "A" }, { m: "B" }, entries, old)).toEqual(["e1 claimed m:XY", "e2 m:AB"]);
  });

  test("holds up everything that hangs together with it, and nothing else", () => {
    const entries = [push("e1", 1, ["m:XY", "n:AB"]), push("e2", 2, ["n:BC", "o:AB"]), push("e3", 3, ["p:AB"])];
    const [ledger, real] = [
      { m: "A", n: "A", o: "A", p: "A" },
      { m: "A", n: "C", o: "B", p: "B" },
    ];
    expect(settleFrom(ledger, real, entries)).toEqual(["e3 p:AB", "waiting e1 e2"]);
    const all = ["e1 claimed m:XY n:AB", "e2 n:BC o:AB", "e3 p:AB"];
    expect(settleFrom(ledger, real, entries, (ref) => ref === "o")).toEqual(all);
  });

  test("is later on one ref: its entry waits, and with it the other ref it moved", () => {
    const entries = [push("e1", 1, ["m:AB"]), push("e2", 2, ["m:BC", "n:AB"])];
    expect(settleFrom({ m: "A", n: "A" }, { m: "B", n: "B" }, entries)).toEqual(["e1 m:AB", "waiting e2"]);
    expect(settleFrom({ m: "B", n: "A" }, { m: "C", n: "B" }, [push("e2", 2, ["m:BC", "n:AB"])])).toEqual([
      "e2 m:BC n:AB",
    ]);
  });

  test("names the refs that must be looked at again", () => {
    const entries = [push("e1", 1, ["m:BC"]), push("e2", 2, ["n:AB"])];
    const settled = settle(refsOf({ m: "B", n: "A", o: "A" }), refsOf({ m: "B", n: "B", o: "B" }), entries, young);
    expect(settled).toMatchObject({ unsettled: ["m", "o"], waitUntilAge: true });
    expect(settle(refsOf({ m: "A" }), refsOf({ m: "A" }), [], young)).toMatchObject({
      unsettled: [],
      waitUntilAge: false,
    });
  });
});

describe("updates that contradict each other", () => {
  test("lose as few as possible to an invented short cut", () => {
    const real = [push("e1", 2, ["m:AB"]), push("e2", 3, ["m:BC"]), push("e3", 4, ["m:CD"]), push("e4", 5, ["m:DE"])];
    const told = settleFrom({ m: "A" }, { m: "E" }, [...real, push("x", 1, ["m:AD"])], old);
    expect(told).toEqual(["x claimed m:AD", "e1 m:AB", "e2 m:BC", "e3 m:CD", "e4 m:DE"]);
  });

  test("lose those of strangers first, even to a shorter walk", () => {
    const entries = [push("e1", 3, ["m:AC"]), forged("x1", 1, ["m:AB"]), forged("x2", 2, ["m:BC"])];
    expect(settleFrom({ m: "A" }, { m: "C" }, entries, old)).toEqual(["x1 claimed m:AB", "x2 claimed m:BC", "e1 m:AC"]);
  });

  test("lose the later one where two say the same", () => {
    const entries = [push("e2", 2, ["m:AB"]), push("e1", 1, ["m:AB"])];
    expect(settleFrom({ m: "A" }, { m: "B" }, entries, old)).toEqual(["e1 m:AB", "e2 claimed m:AB"]);
  });

  test("still lead to the real value where leaving out the fewest would cut the only way", () => {
    const updates = ["AB", "BC", "CD", "BE", "EF", "FG", "GA", "DX", "XY", "YC"];
    const entries = updates.map((update, n) => push(update, n, [`m:${update}`]));
    const moving = settleFrom({ m: "A" }, { m: "D" }, entries, old).filter((line) => !line.includes("claimed"));
    expect(moving).toEqual(["AB m:AB", "BC m:BC", "CD m:CD", "waiting DX XY YC"]);
  });
});

describe("a difference that no entry explains", () => {
  test("waits for its entry, then becomes one reconciled receipt", () => {
    const [ledger, real] = [
      { m: "A", n: "A", o: "A" },
      { m: "B", o: "A", p: "B" },
    ];
    expect(settleFrom(ledger, real, [])).toEqual([]);
    expect(settleFrom(ledger, real, [], old)).toEqual(["(none) reconciled m:AB reconciled n:A- reconciled p:-B"]);
    expect(settleFrom(ledger, real, [], (ref) => ref === "n")).toEqual(["(none) reconciled n:A-"]);
  });

  test("is bridged between the entries that led from the ledger and those that led to the ref", () => {
    const entries = [push("e1", 1, ["m:AB"]), push("e3", 2, ["m:CD"])];
    expect(settleFrom({ m: "A" }, { m: "D" }, entries)).toEqual(["waiting e1 e3"]);
    expect(settleFrom({ m: "A" }, { m: "D" }, entries, old)).toEqual(["e1 m:AB", "(none) reconciled m:BC", "e3 m:CD"]);
  });

  test("is numbered after the last entry where none follows it, and before the first where all do", () => {
    expect(settleFrom({ m: "A" }, { m: "C" }, [push("e1", 1, ["m:AB"])], old)).toEqual([
      "e1 m:AB",
      "(none) reconciled m:BC",
    ]);
    expect(settleFrom({ m: "A" }, { m: "C" }, [push("e1", 1, ["m:BC"])], old)).toEqual([
      "(none) reconciled m:AB",
      "e1 m:BC",
    ]);
  });

  test("makes at most two receipts: one that entries follow, one at the end", () => {
    const entries = [push("e1", 1, ["m:BC"]), push("e2", 2, ["n:BC"]), push("e3", 3, ["o:AB"])];
    const told = settleFrom({ m: "A", n: "A", o: "A", p: "A" }, { m: "C", n: "C", o: "C", p: "B" }, entries, old);
    expect(told).toEqual([
      "(none) reconciled m:AB reconciled n:AB",
      "e1 m:BC",
      "e2 n:BC",
      "e3 o:AB",
      "(none) reconciled o:BC reconciled p:AB",
    ]);
  });

  test("takes the longest way that is known on both sides", () => {
    const before = [push("e1", 1, ["m:AB"]), push("e2", 2, ["m:BA"]), push("e3", 3, ["m:AC"])];
    const after = [push("e4", 4, ["m:XY"]), push("e5", 5, ["m:YX"]), push("e6", 6, ["m:XZ"])];
    const bridged = ["e1 m:AB", "e2 m:BA", "e3 m:AC", "(none) reconciled m:CX", "e4 m:XY", "e5 m:YX", "e6 m:XZ"];
    expect(settleFrom({ m: "A" }, { m: "Z" }, [...after, ...before], old)).toEqual(bridged);
  });

  test("goes by file time where two ways are known: the earlier from the ledger, the later to the ref", () => {
    const before = [push("e1", 1, ["m:AB"]), push("e2", 2, ["m:AC"])];
    const after = [push("e3", 3, ["m:XZ"]), push("e4", 4, ["m:YZ"])];
    const bridged = ["e1 m:AB", "e2 claimed m:AC", "e3 claimed m:XZ", "(none) reconciled m:BY", "e4 m:YZ"];
    expect(settleFrom({ m: "A" }, { m: "Z" }, [...before, ...after], old)).toEqual(bridged);
  });

  test("is not led astray by what a stranger says came first", () => {
    const entries = [forged("x", 1, ["m:AX"]), push("e", 2, ["m:BC"])];
    expect(settleFrom({ m: "A" }, { m: "C" }, entries, old)).toEqual([
      "x claimed m:AX",
      "(none) reconciled m:AB",
      "e m:BC",
    ]);
  });

  test("leaves a push that goes on from the real value waiting even when it is old", () => {
    expect(settleFrom({ m: "A" }, { m: "B" }, [push("e", 1, ["m:BC"])], old)).toEqual([
      "(none) reconciled m:AB",
      "waiting e",
    ]);
  });
});

describe("a commit in a work tree", () => {
  test("explains at once all that no push explains; of two the newest does, and the other is spent", () => {
    const told = settleFrom({ m: "A", n: "A" }, { m: "C", n: "B", o: "B" }, [
      nudge("w1", 1),
      nudge("w2", 2),
      push("e", 3, ["n:AB"]),
    ]);
    expect(told).toEqual(["w2 m:AC o:-B", "e n:AB", "nothing w1"]);
  });

  test("is removed when nothing differs, or when pushes explain it all", () => {
    expect(settleFrom({ m: "A" }, { m: "A" }, [nudge("w1", 1), nudge("w2", 2)])).toEqual(["nothing w1 w2"]);
    expect(settleFrom({ m: "A" }, { m: "B" }, [nudge("w1", 1), push("e", 2, ["m:AB"])])).toEqual([
      "e m:AB",
      "nothing w1",
    ]);
  });

  test("stands between the pushes that its move joins", () => {
    const entries = [nudge("w", 9), push("e1", 1, ["m:AB"]), push("e3", 2, ["m:CD"])];
    expect(settleFrom({ m: "A" }, { m: "D" }, entries)).toEqual(["e1 m:AB", "w m:BC", "e3 m:CD"]);
  });

  test("waits where the ref it moved is held up", () => {
    const entries = [nudge("w1", 1), nudge("w2", 2), push("x", 3, ["m:XY"])];
    expect(settleFrom({ m: "A" }, { m: "B" }, entries)).toEqual(["waiting x w2", "nothing w1"]);
    expect(settleFrom({ m: "A" }, { m: "B" }, entries, old)).toEqual(["w2 m:AB", "x claimed m:XY", "nothing w1"]);
  });
});

describe("a symbolic ref", () => {
  test("hands an update of its value to the ref it stands for, once", () => {
    const refs = { HEAD: "ref:alias", alias: "ref:m" };
    const entry = push("e", 1, ["HEAD:AB", "m:AB"]);
    expect(settleFrom({ ...refs, m: "A" }, { ...refs, m: "B" }, [entry])).toEqual(["e m:AB"]);
  });

  test("that is pointed elsewhere is reconciled with its targets, and its targets' values are their own", () => {
    const [ledger, real] = [
      { HEAD: "ref:m", m: "A" },
      { HEAD: "ref:n", m: "A", n: "B" },
    ];
    const told = settleFrom(ledger, real, [push("e", 1, ["HEAD:-B"])], old);
    expect(told).toEqual(["e n:-B", "(none) reconciled HEAD:ref:mref:n"]);
  });

  test("that goes round in a circle moves nothing", () => {
    const refs = { a: "ref:b", b: "ref:a" };
    expect(settleFrom(refs, refs, [push("e", 1, ["a:AB"])], old)).toEqual(["e claimed a:AB"]);
  });
});

describe("the order of receipts", () => {
  test("is that of time between receipts that no ref joins, then that of their names", () => {
    const entries = [push("c", 2, ["o:AB"]), push("b", 2, ["n:AB"]), push("a", 3, ["m:AB"])];
    const told = settleFrom({ m: "A", n: "A", o: "A" }, { m: "B", n: "B", o: "B" }, entries);
    expect(told).toEqual(["b n:AB", "c o:AB", "a m:AB"]);
  });

  test("follows time within a knot of overlapping pushes only; steps tell the order on each ref", () => {
    const entries = [push("e1", 1, ["m:AB", "n:BC"]), push("e2", 2, ["m:BC", "n:AB"]), push("e0", 9, ["m:-A"])];
    const after = push("e3", 0, ["m:CD"]);
    const settled = settle(refsOf({ n: "A" }), refsOf({ m: "D", n: "C" }), [...entries, after], young);
    expect(told(settled)).toEqual(["e0 m:-A", "e1 m:AB n:BC", "e2 m:BC n:AB", "e3 m:CD"]);
    const steps = settled.receipts.map((receipt) => receipt.moves.map((move) => move.step));
    expect(steps).toEqual([[1], [2, 2], [3, 1], [4]]);
  });
});
