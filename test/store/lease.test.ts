/** The lease: who has it, who may take it over, and what an old holder can still do, which is nothing. */
import { describe, expect, it } from "vitest";
import type { GatepostError } from "../../src/core/errors.ts";
import type { Instant, Millis } from "../../src/core/units.ts";
import { closeDatabase, openDatabase } from "../../src/store/database.ts";
import {
  type Holder,
  type Moment,
  readLease,
  releaseLease,
  renewLease,
  takeLease,
  writeAsHolder,
} from "../../src/store/lease.ts";
import { putSetting, readSetting } from "../../src/store/setting.ts";
import { freshDatabase } from "./fixture.ts";

const holder = (name: string): Holder => ({ holder: name, bootId: "boot", pid: 7, startTime: "1" });
/** A moment at which the wall clock is far from where the boot's own stands. */
const at = (time: number, ahead = 1_000_000): Moment => ({ wall: (time + ahead) as Instant, sinceBoot: time });
const ttl = 60 as Millis;
const alive = () => false;

describe("the lease", () => {
  it("goes to the first who asks, and the next one is told who has it", () => {
    const db = freshDatabase();
    expect(takeLease(db, holder("a"), at(1000), ttl, alive)).toEqual({ token: 1 });
    expect(takeLease(db, holder("b"), at(1059), ttl, alive)).toEqual({
      heldBy: { token: 1, ...holder("a"), expiresAt: 1_001_060, until: 1060 },
    });
  });

  it("passes on at its end, or as soon as the holder is known to be dead, each time with a higher token", () => {
    const db = freshDatabase();
    takeLease(db, holder("a"), at(1000), ttl, alive);
    expect(takeLease(db, holder("b"), at(1060), ttl, alive)).toEqual({ token: 2 });
    expect(takeLease(db, holder("c"), at(1061), ttl, ({ holder }) => holder === "b")).toEqual({ token: 3 });
    expect(readLease(db)).toEqual({ token: 3, ...holder("c"), expiresAt: 1_001_121, until: 1121 });
  });

  it("C1: neither passes on nor lasts longer when the wall clock jumps ten years either way", () => {
    const db = freshDatabase();
    const years = 10 * 365 * 86_400_000;
    takeLease(db, holder("a"), at(1000), ttl, alive);
    for (const ahead of [years, -years])
      expect(takeLease(db, holder("b"), at(1059, ahead), ttl, alive)).toMatchObject({ heldBy: { token: 1 } });
    expect(renewLease(db, 1, "a", at(1050, -years), ttl)).toBe(true);
    expect(takeLease(db, holder("b"), at(1109, years), ttl, alive)).toMatchObject({ heldBy: { token: 1 } });
    expect(takeLease(db, holder("b"), at(1110, -years), ttl, alive)).toEqual({ token: 2 });
  });

  it("C1: of whoever counts time otherwise lasts by the wall clock, and at most its length after that was set back", () => {
    const db = freshDatabase();
    const elsewhere = { ...holder("a"), bootId: "another container" };
    takeLease(db, elsewhere, at(1000, 5000), ttl, alive);
    expect(takeLease(db, holder("b"), at(9000, -3000), ttl, alive)).toMatchObject({ heldBy: { token: 1 } });
    expect(takeLease(db, holder("b"), at(1000, 1000), ttl, alive)).toMatchObject({ heldBy: { expiresAt: 6060 } });
    expect(takeLease(db, holder("b"), at(1000, 1059), ttl, alive)).toMatchObject({ heldBy: { expiresAt: 2060 } });
    expect(takeLease(db, holder("b"), at(1000, 1060), ttl, alive)).toEqual({ token: 2 });
  });

  it("D5: whose row was deleted by hand is lost to its holder, and goes on with a higher token", () => {
    const db = freshDatabase();
    takeLease(db, holder("a"), at(1000), ttl, alive);
    db.sqlite.exec("UPDATE lease SET token = 16; PRAGMA foreign_keys = OFF");
    expect(takeLease(db, holder("b"), at(2000), ttl, alive)).toEqual({ token: 17 });
    db.sqlite.exec("INSERT INTO attempt (run, number, token, started_at) VALUES (1, 1, 17, 1); DELETE FROM lease");
    expect(renewLease(db, 17, "b", at(2010), ttl)).toBe(false);
    const write = () => writeAsHolder(db, 17, () => {});
    expect(write).toThrow(expect.objectContaining({ code: "GP_LEASE_LOST" }) as GatepostError);
    expect(takeLease(db, holder("b"), at(2020), ttl, alive)).toEqual({ token: 18 });
  });

  it("is renewed and given back by its holder only, and its token never falls", () => {
    const db = freshDatabase();
    takeLease(db, holder("a"), at(1000), ttl, alive);
    takeLease(db, holder("b"), at(2000), ttl, alive);
    expect(renewLease(db, 1, "a", at(9000), ttl)).toBe(false);
    expect(renewLease(db, 2, "a", at(9000), ttl)).toBe(false);
    releaseLease(db, 1, "a");
    expect(readLease(db)).toMatchObject({ holder: "b", until: 2060 });
    expect(renewLease(db, 2, "b", at(2500), ttl)).toBe(true);
    releaseLease(db, 2, "b");
    expect(readLease(db)).toEqual({
      token: 2,
      holder: null,
      bootId: null,
      pid: null,
      startTime: null,
      expiresAt: null,
      until: null,
    });
    expect(takeLease(db, holder("a"), at(2001), ttl, alive)).toEqual({ token: 3 });
  });

  it("a write with an old lease token changes nothing", () => {
    const db = freshDatabase();
    takeLease(db, holder("a"), at(1000), ttl, alive);
    writeAsHolder(db, 1, () => putSetting(db, "x", "first"));
    const other = openDatabase(db.path);
    takeLease(other, holder("b"), at(2000), ttl, alive);
    closeDatabase(other);

    let called = false;
    const late = () =>
      writeAsHolder(db, 1, () => {
        called = true;
        putSetting(db, "x", "late");
      });
    expect(late).toThrow(expect.objectContaining({ code: "GP_LEASE_LOST" }) as GatepostError);
    expect(called).toBe(false);
    expect(readSetting(db, "x")).toBe("first");
    writeAsHolder(db, 2, () => putSetting(db, "x", "second"));
    expect(readSetting(db, "x")).toBe("second");
  });

  it("cannot be taken between a holder's check and its write", () => {
    const db = freshDatabase();
    takeLease(db, holder("a"), at(1000), ttl, alive);
    const other = openDatabase(db.path);
    other.sqlite.pragma("busy_timeout = 1");
    writeAsHolder(db, 1, () => {
      const taking = () => takeLease(other, holder("b"), at(2000), ttl, alive);
      expect(taking).toThrow(expect.objectContaining({ code: "GP_BUSY" }) as GatepostError);
      putSetting(db, "x", "mine");
    });
    expect(takeLease(other, holder("b"), at(2000), ttl, alive)).toEqual({ token: 2 });
    closeDatabase(other);
    expect(readSetting(db, "x")).toBe("mine");
  });
});
