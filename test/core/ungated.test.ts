/** Which commits and pushes went round the gates: the rules, on made-up histories. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Hook } from "../../src/core/hook.ts";
import { NO_OPTIONS } from "../../src/core/hook.ts";
import { tracedAsFetched, tracedAsMade } from "../../src/core/made-here.ts";
import {
  type Dated,
  existed,
  gateStretches,
  type HookChange,
  madeWithin,
  movedUngated,
  type Passed,
  vouchedFor,
} from "../../src/core/ungated.ts";
import type { HookId, Instant, RepositoryId } from "../../src/core/units.ts";

const T = 1_700_000_000_000;
const alice = { name: "alice", email: "alice@example.org" };
const repository = { id: 1 as RepositoryId, name: "team/app" };

const hook = (id: number, scope: Hook["scope"] = { scope: "all" }): Hook => ({
  ...{ ...NO_OPTIONS, id: id as HookId, name: null, scope, type: "before-commit", sequence: 10, command: "true" },
});
const change = (at: number, id: number, json: object | null): HookChange => ({
  at: at as Instant,
  hook: id as HookId,
  new: json === null ? null : JSON.stringify(json),
});
const all = { all: true, type: "before-commit" };
const off = { all: true, type: "disabled", wasType: "before-commit" };
const stretches = (changes: HookChange[], hooks: Hook[], type = "before-commit") =>
  gateStretches(changes, hooks, type, repository);

describe("a gate existed", () => {
  it("from when a hook of the type was added until it was disabled, and again when it was enabled", () => {
    const changes = [
      change(10, 1, all),
      change(20, 1, off),
      change(30, 1, all),
      change(35, 1, { ...all, sequence: 3 }),
    ];
    expect(stretches(changes, [hook(1)])).toEqual([
      { from: 10, to: 20 },
      { from: 30, to: Number.POSITIVE_INFINITY },
    ]);
    expect(stretches(changes, [hook(1)], "commit-msg")).toEqual([]);
  });

  it("as long as one of several hooks did", () => {
    const changes = [change(10, 1, all), change(15, 2, all), change(20, 1, null), change(30, 2, null)];
    expect(stretches(changes, [])).toEqual([{ from: 10, to: 30 }]);
  });

  it("only where the hook covered the repository", () => {
    const named = (scope: object) => [change(10, 1, { ...scope, type: "before-commit" }), change(20, 1, null)];
    expect(stretches(named({ pattern: "team/*" }), [])).toEqual([{ from: 10, to: 20 }]);
    expect(stretches(named({ pattern: "other/*" }), [])).toEqual([]);
    expect(stretches(named({ repository: "team/app" }), [])).toEqual([{ from: 10, to: 20 }]);
    expect(stretches(named({ repository: "app" }), [])).toEqual([]);
  });

  it("under whatever name the repository had when the hook was added for it", () => {
    const changes = [change(10, 1, { repository: "app", type: "before-commit" })];
    expect(stretches(changes, [hook(1, { scope: "repository", repository: repository.id })])).toHaveLength(1);
    expect(stretches(changes, [hook(1, { scope: "repository", repository: 2 as RepositoryId })])).toEqual([]);
  });

  it("for nobody, where the hook went with its repository and nobody deleted it", () => {
    expect(stretches([change(10, 1, { repository: "team/app", type: "before-commit" })], [])).toEqual([]);
  });

  it("for a commit only if it did for the whole of the second in which the commit was made, or when it was written", () => {
    const since = [{ from: T + 300, to: Number.POSITIVE_INFINITY }];
    const accused = (written: number | null) => existed(since, ...madeWithin(T / 1000, written));
    expect(accused(null)).toBe(false);
    expect(accused(T + 200)).toBe(false);
    expect(accused(T + 400)).toBe(true);
    expect(accused(T + 60_000)).toBe(true); // its file was written anew
    expect(accused(T - 1)).toBe(false);
    expect(existed([{ from: T - 5, to: T + 500 }], ...madeWithin(T / 1000, null))).toBe(false);
  });
});

/** A commit of alice's with author date `authored`, dated and written at `at`. */
const commit = (hash: string, at: number, more: Partial<Dated> = {}): Dated => ({
  ...{ hash, parents: ["p"], author: alice, authoredAt: T / 1000, committedAt: Math.floor(at / 1000) },
  ...more,
});
const record = (at: number, more: Partial<Passed> = {}): Passed => ({
  ...{ type: "before-commit", native: "pre-commit", at, took: 10, authorName: alice.name },
  ...{ authorEmail: alice.email, authorDate: `@${T / 1000} +0100` },
  ...more,
});
const message = { type: "commit-msg", native: "commit-msg" } as const;
const packed = () => null;
const judged = (commits: Dated[], records: Passed[], written: Record<string, number> | null = null) => {
  const vouched = vouchedFor(commits, records, written === null ? packed : (hash) => written[hash] ?? null);
  return [...vouched["before-commit"].keys()].sort();
};
const MINUTE = 60_000;

describe("a record of a gate", () => {
  it("vouches for the commit of its author and date", () => {
    expect(judged([commit("a", T)], [record(T)])).toEqual(["a"]);
    expect(judged([commit("a", T)], [record(T, { authorDate: `@${T / 1000 + 1} +0100` })])).toEqual([]);
    expect(judged([commit("a", T)], [record(T, { authorName: "bob" })])).toEqual([]);
    expect(judged([commit("a", T)], [record(T, { authorEmail: "b@example.org" })])).toEqual([]);
  });

  it("of one type does not vouch for the other", () => {
    const vouched = vouchedFor([commit("a", T)], [record(T, message)], packed);
    expect([vouched["before-commit"].size, vouched["commit-msg"].size]).toEqual([0, 1]);
  });

  it("vouches for one commit, whoever wrote the record", () => {
    const picked = [commit("a", T), commit("b", T + MINUTE), commit("c", T + 2 * MINUTE)];
    expect(judged(picked, [record(T + 2)])).toEqual(["a"]);
    expect(judged(picked, [record(T + MINUTE + 2)])).toEqual(["b"]);
    expect(judged([commit("a", T), commit("b", T)], [record(T + 2)])).toEqual(["a"]);
    expect(judged([commit("a", T), commit("b", T)], [record(T + 2), record(T + 30)])).toEqual(["a", "b"]);
  });

  it("vouches for the commit written next, of those of one second", () => {
    const [a, b] = [commit("a", T), commit("b", T)];
    expect(judged([a, b], [record(T + 500)], { a: T + 200, b: T + 510 })).toEqual(["b"]);
    expect(judged([a, b], [record(T + 190)], { a: T + 200, b: T + 510 })).toEqual(["a"]);
    expect(judged([a, b], [record(T + 205)], { a: T + 200, b: T + 212 })).toEqual(["b"]); // clocks lag, but seldom
    expect(judged([a], [record(T + 205)], { a: T + 200 })).toEqual(["a"]);
    expect(judged([a], [record(T + 230)], { a: T + 200 })).toEqual([]);
  });

  it("of a commit that was given up is not lent to a later one", () => {
    const commits = [commit("a", T + MINUTE), commit("b", T + MINUTE)];
    const records = [record(T + MINUTE + 100), record(T + MINUTE + 300)]; // the first ended at an empty message
    expect(judged(commits, records, { a: T + MINUTE + 310, b: T + MINUTE + 700 })).toEqual(["a"]);
    expect(judged([commit("b", T + 10 * MINUTE)], [record(T + MINUTE)])).toEqual([]);
  });

  it("waits for the editor", () => {
    const records = [record(T + 5), record(T + 90 * MINUTE, message)];
    const vouched = vouchedFor([commit("a", T)], records, () => T + 90 * MINUTE + 4);
    expect([vouched["before-commit"].size, vouched["commit-msg"].size]).toEqual([1, 1]);
    const elsewhere = { meanwhile: T + 300, edited: T + 505 };
    const commits = Object.keys(elsewhere).map((hash) => commit(hash, T));
    expect(judged(commits, [record(T + 5), record(T + 500, message)], elsewhere)).toEqual(["edited"]);
  });

  it("of hooks that took long vouches for the date before them, and of an amendment for that after them", () => {
    const slow = record(T + 5 * MINUTE, { took: 5 * MINUTE });
    expect(judged([commit("a", T)], [slow])).toEqual(["a"]);
    expect(judged([commit("a", T + 5 * MINUTE)], [slow])).toEqual(["a"]);
    expect(judged([commit("a", T + 6 * MINUTE)], [slow])).toEqual([]);
  });

  it("of a merge vouches for the next merge", () => {
    const merge = { native: "pre-merge-commit", authorName: null, authorEmail: null, authorDate: null };
    const two = { parents: ["p", "q"] };
    const commits = [commit("a", T), commit("m", T + 2000, two), commit("n", T + MINUTE, two)];
    expect(judged(commits, [record(T + 1900, merge)])).toEqual(["m"]);
    expect(judged(commits, [record(T + 3000, merge)], { m: T + 2000, n: T + MINUTE })).toEqual(["n"]);
    expect(judged([commit("a", T)], [record(T, merge)])).toEqual([]);
    const solved = commit("solved", T + 1000, { ...two, authoredAt: T / 1000 + 1 }); // git commit ended that one
    const own = record(T + 1010, { authorDate: `@${T / 1000 + 1} +0000` });
    expect(judged([solved, commit("m", T + 1000, two)], [record(T + 1005, merge), own])).toEqual(["m", "solved"]);
  });

  it("vouches for all that passed and for nothing else, however commits, bypasses and refusals follow each other", () => {
    const step = fc.record({
      how: fc.constantFrom("passed", "round", "refused"),
      pause: fc.integer({ min: 200, max: 3000 }),
      took: fc.integer({ min: 0, max: 40 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let now = T;
        const commits: Dated[] = [];
        const records: Passed[] = [];
        const written: Record<string, number> = {};
        for (const [index, { how, pause, took }] of steps.entries()) {
          now += pause;
          const hash = `${how} ${index}`;
          if (how !== "round") records.push(record(now + took, { took }));
          // One that is given up has another try at once, as people do: that is the one its successor's record is for.
          if (how === "refused") {
            now += took + 60;
            records.push(record(now + took, { took }));
          }
          written[hash] = now + took + 5;
          commits.push(commit(hash, how === "round" ? now : now + took));
          now += took;
        }
        const expected = commits.map(({ hash }) => hash).filter((hash) => !hash.startsWith("round"));
        expect(judged(commits, records, written)).toEqual(expected.sort());
      }),
      { numRuns: 300 },
    );
  });

  it("never lends itself twice, whatever dates commits have", () => {
    const at = fc.integer({ min: T - 5000, max: T + 5000 });
    fc.assert(
      fc.property(
        fc.array(at, { maxLength: 12 }),
        fc.array(at, { maxLength: 12 }),
        fc.boolean(),
        (made, left, loose) => {
          const commits = made.map((time, index) => commit(String(index), time));
          const written = Object.fromEntries(made.map((time, index) => [String(index), time]));
          const found = judged(
            commits,
            left.map((time) => record(time)),
            loose ? written : null,
          );
          expect(found.length).toBeLessThanOrEqual(left.length);
        },
      ),
    );
  });
});

describe("a move of a ref", () => {
  const move = (receipt: number, ref: string, value: string, at = T) => ({ receipt, at, ref, new: value });
  const line = (gate: number, ref: string, value: string, at = T - 5) => ({ gate, at, ref, new: value });

  it("is vouched for by one line of a push that passed before", () => {
    const moves = [move(1, "main", "x"), move(2, "main", "y", T + 1000), move(3, "main", "x", T + 2000)];
    expect(movedUngated(moves, [line(1, "main", "x")], 25)).toEqual(moves.slice(1));
    expect(movedUngated(moves, [line(1, "main", "x", T + 1500)], 25)).toEqual(moves.slice(0, 2));
    expect(movedUngated(moves, [line(1, "other", "x")], 25)).toEqual(moves);
    expect(movedUngated(moves, [line(1, "main", "x"), line(2, "main", "x", T + 1500)], 25)).toEqual([moves[1]]);
  });

  it("of a push longer than its record is vouched for with the rest of the push", () => {
    const moves = ["a", "b", "c"].map((ref) => move(1, ref, "x")).concat(move(2, "d", "x"));
    const lines = [line(1, "a", "x"), line(1, "b", "x")];
    expect(movedUngated(moves, lines, 2)).toEqual([moves[3]]);
    expect(movedUngated(moves, lines, 3)).toEqual([moves[2], moves[3]]);
  });
});

describe("reflogs tell", () => {
  const trace = (commit: string, how: string, ref = "HEAD") => ({ commit, ref, how });

  it.for([
    "commit: m",
    "commit (initial): m",
    "commit (amend): m",
    "cherry-pick: m",
    "revert: m",
    "am: m",
    "rebase (pick): m",
    "rebase -i (reword): m",
    "merge side: Merge made by the 'ort' strategy.",
    "pull: Merge made by the 'ort' strategy.",
    "pull -q --rebase (pick): m",
  ])("that a commit was made: %s", (how) => {
    expect(tracedAsMade([trace("a", how)])).toEqual(new Set(["a"]));
  });

  it.for([
    "pull: Fast-forward",
    "merge side: Fast-forward",
    "checkout: moving from commit: to main",
    "reset: moving to commit",
    "rebase (start): checkout main",
    "pull --rebase (finish): returning to refs/heads/main",
    "clone: from /srv/app.git",
    "branch: Created from HEAD",
    "",
  ])("nothing of the kind: %s", (how) => {
    expect(tracedAsMade([trace("a", how)]).size).toBe(0);
  });

  it("what came with a fetch: its history too, but not what was made here and came back", () => {
    const parents = new Map([
      ["theirs", ["mine", "older"]],
      ["mine", ["first"]],
      ["older", ["first"]],
    ]);
    const traces = [trace("theirs", "fetch: fast-forward", "refs/remotes/origin/main"), trace("mine", "commit: m")];
    expect(tracedAsFetched(traces, parents)).toEqual(new Set(["theirs", "older", "first"]));
    expect(tracedAsFetched([trace("mine", "update by push", "refs/remotes/origin/main")], parents).size).toBe(0);
    expect(tracedAsFetched([trace("older", "pull: Fast-forward")], parents)).toEqual(new Set(["older", "first"]));
    expect(tracedAsFetched([trace("older", "checkout: moving from a to b")], parents).size).toBe(0);
  });
});
