/** The log of gates: records that were appended, read by whoever stores them. */
import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, uptime } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fromText } from "../../src/core/bytes.ts";
import { formatGateEntry, type GateEntry } from "../../src/spool/gate-entry.ts";
import { isGateLogDue, removeGateLogs, takeGateLogs } from "../../src/spool/gate-log.ts";

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
const later = (): number => Date.now() + 61_000;

test("records that were appended are read in order, each by the name of its run", () => {
  append(record("one"));
  append(record("two"));
  expect(takeGateLogs(spool, Date.now()).gates.map(({ name }) => name)).toEqual(["one.entry", "two.entry"]);
});

test("gates begin a new log while the old one is read", () => {
  append(record("one"));
  takeGateLogs(spool, Date.now());
  expect(existsSync(join(spool, "gates"))).toBe(false);
  append(record("two"));
  expect(
    takeGateLogs(spool, Date.now())
      .gates.map(({ name }) => name)
      .sort(),
  ).toEqual(["one.entry", "two.entry"]);
});

test("what a gate adds to a log that was renamed under it is read within the minute, and the file then goes", () => {
  append(record("one"));
  takeGateLogs(spool, Date.now());
  const [renamed = ""] = readdirSync(spool);
  append(record("late"), renamed);
  const last = takeGateLogs(spool, later());
  expect(last.gates.map(({ name }) => name)).toEqual(["one.entry", "late.entry"]);
  expect(last.done).toEqual([renamed]);
  removeGateLogs(spool, last.done);
  expect(readdirSync(spool)).toEqual([]);
});

test("a record that was cut off spoils no other, and is named when its file is read for the last time", () => {
  append(record("one"));
  append(record("cut").slice(0, 40));
  append(record("three"));
  const now = takeGateLogs(spool, Date.now());
  expect(now.gates.map(({ name }) => name)).toEqual(["one.entry", "three.entry"]);
  expect(now.unusable).toEqual([]);
  const last = takeGateLogs(spool, later());
  expect(last.unusable.map(({ reason }) => reason)).toEqual(["was never finished"]);
  expect(last.unusable[0]?.bytes?.toString()).toBe(`${record("cut").slice(0, 40)}\n`);
});

test("cut at any byte, a log gives the records before the cut and nothing else", () => {
  const whole = `\n${record("one")}\n${record("two")}`;
  const firstEnds = 1 + record("one").length;
  for (let length = 0; length <= whole.length; length += 1) {
    writeFileSync(join(spool, "gates"), whole.slice(0, length));
    const names = takeGateLogs(spool, Date.now()).gates.map(({ name }) => name);
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
  const [first, second] = takeGateLogs(spool, Date.now()).gates;
  expect(Math.abs((first?.at ?? 0) - Date.now())).toBeLessThan(2000);
  expect(Math.floor(second?.at ?? 0)).toBeLessThanOrEqual(Date.now()); // the clock of files has fractions, that of programs none
});

test("there is something to do while a log waits, and once more when a renamed one is a minute old", () => {
  expect(isGateLogDue(spool, Date.now())).toBe(false);
  append(record("one"));
  expect(isGateLogDue(spool, Date.now())).toBe(true);
  takeGateLogs(spool, Date.now());
  expect(isGateLogDue(spool, Date.now())).toBe(false);
  expect(isGateLogDue(spool, later())).toBe(true);
});
