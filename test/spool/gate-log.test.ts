/** The log of gates: records that were appended, read by whoever stores them. */
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, uptime } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fromText } from "../../src/core/bytes.ts";
import { formatGateEntry, type GateEntry } from "../../src/spool/gate-entry.ts";
import { isGateLogDue, removeGateLog, takeGateLogs } from "../../src/spool/gate-log.ts";

let spool: string;
beforeEach(() => {
  spool = mkdtempSync(join(tmpdir(), "gatepost-log-"));
});
afterEach(() => rmSync(spool, { recursive: true, force: true }));

const record = (run: string, change: Partial<GateEntry> = {}): string =>
  formatGateEntry({
    kind: "gate",
    hook: "pre-commit",
    ...{ dir: fromText("/r/.git"), namespace: null, glUser: null, glRepo: null, remoteUser: null, address: null },
    ...{ run, clock: null, type: "before-commit", verdict: "pass", took: 10, branch: null },
    ...{ authorName: null, authorEmail: null, authorDate: null, reason: null, hooks: [], updates: [], more: false },
    ...change,
  }).toString("latin1");
const append = (text: string, file = "gates"): void => appendFileSync(join(spool, file), `\n${text}`);

/** All that one reading of the logs gives. */
function takeAll(now = Date.now()) {
  const parts = [...takeGateLogs(spool, now)];
  return {
    gates: parts.flatMap(({ gates }) => gates),
    done: parts.filter(({ done }) => done).map(({ log }) => log),
    unusable: parts.flatMap(({ unusable }) => unusable ?? []),
  };
}
const reasons = (): string[] =>
  readdirSync(join(spool, "bad"))
    .filter((name) => name.endsWith(".reason"))
    .map((name) => readFileSync(join(spool, "bad", name), "utf8").trim());

const later = (): number => Date.now() + 61_000;

test("records that were appended are read in order, each by the name of its run", () => {
  append(record("one"));
  append(record("two"));
  expect(takeAll().gates.map(({ name }) => name)).toEqual(["one.entry", "two.entry"]);
});

test("gates begin a new log while the old one is read", () => {
  append(record("one"));
  takeAll();
  expect(existsSync(join(spool, "gates"))).toBe(false);
  append(record("two"));
  expect(
    takeAll()
      .gates.map(({ name }) => name)
      .sort(),
  ).toEqual(["one.entry", "two.entry"]);
});

test("what a gate adds to a log that was renamed under it is read within the minute, and the file then goes", () => {
  append(record("one"));
  takeAll();
  const [renamed = ""] = readdirSync(spool);
  append(record("late"), renamed);
  const last = takeAll(later());
  expect(last.gates.map(({ name }) => name)).toEqual(["one.entry", "late.entry"]);
  expect(last.done).toEqual([renamed]);
  for (const name of last.done) removeGateLog(spool, name);
  expect(readdirSync(spool)).toEqual([]);
});

test("a record that was cut off spoils no other, and is named when its file is read for the last time", () => {
  append(record("one"));
  append(record("cut").slice(0, 40));
  append(record("three"));
  const now = takeAll();
  expect(now.gates.map(({ name }) => name)).toEqual(["one.entry", "three.entry"]);
  expect(now.unusable).toEqual([]);
  const last = takeAll(later());
  expect(last.unusable.map(({ reason }) => reason)).toEqual(["was never finished"]);
  expect(last.unusable[0]?.bytes?.toString()).toBe(`${record("cut").slice(0, 40)}\n`);
});

test("cut at any byte, a log gives the records before the cut and nothing else", () => {
  const whole = `\n${record("one")}\n${record("two")}`;
  const firstEnds = 1 + record("one").length;
  for (let length = 0; length <= whole.length; length += 1) {
    writeFileSync(join(spool, "gates"), whole.slice(0, length));
    const names = takeAll().gates.map(({ name }) => name);
    // The last line counts without its newline, for the empty line of the next record may stand in for it.
    const expected =
      length >= whole.length - 1 ? ["one.entry", "two.entry"] : length >= firstEnds - 1 ? ["one.entry"] : [];
    expect(names, `cut at ${length}`).toEqual(expected);
    for (const name of readdirSync(spool)) rmSync(join(spool, name));
  }
});

test("a clock that counts from the machine's start becomes a time, within the time in which the file was written", () => {
  append(record("now", { clock: Math.round(uptime() * 1000) }));
  append(record("never", { clock: 99_999_999_999 }));
  const [first, second] = takeAll().gates;
  expect(Math.abs((first?.at ?? 0) - Date.now())).toBeLessThan(2000);
  expect(Math.floor(second?.at ?? 0)).toBeLessThanOrEqual(Date.now()); // the clock of files has fractions, that of programs none
});

test("there is something to do while a log waits, and once more when a renamed one is a minute old", () => {
  expect(isGateLogDue(spool, Date.now())).toBe(false);
  append(record("one"));
  expect(isGateLogDue(spool, Date.now())).toBe(true);
  takeAll();
  expect(isGateLogDue(spool, Date.now())).toBe(false);
  expect(isGateLogDue(spool, later())).toBe(true);
});

test("what cannot be used of a log is one file, however many records it is, and the others are read", () => {
  append(record("one"));
  append("gatepost 1\nnonsense\n\n".repeat(200_000));
  append(record("two"));
  const last = takeAll(later());
  expect(last.gates.map(({ name }) => name)).toEqual(["one.entry", "two.entry"]);
  expect(last.unusable.map(({ reason }) => reason)).toEqual([
    "was never finished (the first of 200000 records of one log of gates)",
  ]);
  expect(last.unusable[0]?.bytes?.length).toBeLessThan(100_000);
});

test("records are found wherever the pieces end in which a log is read", () => {
  const runs = Array.from({ length: 9000 }, (_, number) => `run-${number}`);
  appendFileSync(join(spool, "gates"), runs.map((run) => `\n${record(run)}`).join(""));
  expect(takeAll().gates.map(({ name }) => name)).toEqual(runs.map((run) => `${run}.entry`));
});

test("one that is longer than a record can be is cut, and those behind it are read", () => {
  append(`gatepost 1\n${"x".repeat(5_000_000)}\n`);
  append(record("two"));
  const last = takeAll(later());
  expect(last.gates.map(({ name }) => name)).toEqual(["two.entry"]);
  expect(last.unusable).toHaveLength(1);
});

test("a renamed log whose times are kept young is old by its name", () => {
  append(record("one"));
  const name = `gates.${Date.now() - 61_000}-0.log`;
  append(record("two"), name);
  utimesSync(join(spool, name), new Date(), new Date());
  expect(takeAll().done).toEqual([name]);
});

test("where others may write to the spool, a log that they could have written is set aside", () => {
  chmodSync(spool, 0o1733);
  append(record("one"));
  chmodSync(join(spool, "gates"), 0o666);
  expect(takeAll().gates).toEqual([]);
  expect(reasons()).toEqual(["is no log of this home's gates: others could write it"]);
});

test.runIf(process.geteuid?.() === 0)("another user's log is set aside", () => {
  append(record("one"));
  chownSync(join(spool, "gates"), 12_002, 12_002);
  expect(takeAll().gates).toEqual([]);
  expect(reasons()).toEqual(["is no log of this home's gates: others could write it"]);
});
