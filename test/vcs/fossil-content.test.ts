import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { applyDelta, contentReader } from "../../src/vcs/fossil/content.ts";
import { FossilPlace } from "../helpers/fossil-place.ts";
import { randomFrom } from "../helpers/random.ts";

const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "vcs-fossil-")));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const place = new FossilPlace(folder);

describe("the content of an artifact", () => {
  it("is what fossil gives, through chains of deltas", async () => {
    const file = place.path("r.fossil");
    const checkout = place.path("checkout");
    fs.mkdirSync(checkout);
    await place.must(["init", file]);
    const fossil = (...args: string[]): Promise<Buffer> => place.must(args, { cwd: checkout });
    await fossil("open", file);
    const lines = Array.from({ length: 400 }, (_, i) => `line ${i}`);
    for (let i = 0; i < 6; i++) {
      lines[i * 50] = `changed by ${i}`;
      fs.writeFileSync(path.join(checkout, "f"), lines.join("\n"));
      fs.writeFileSync(path.join(checkout, "empty"), "");
      await fossil("addremove");
      await fossil("commit", "-m", "m", "--no-warnings", "--hash");
    }
    const db = new BetterSqlite3(file);
    try {
      const blobs = db.prepare<[], { rid: number; uuid: string }>("SELECT rid, uuid FROM blob").all();
      const read = contentReader(db);
      for (const { rid, uuid } of blobs) expect(read(rid)).toEqual(await fossil("artifact", uuid));
      expect(
        db.prepare("SELECT count(*) FROM delta WHERE srcid IN (SELECT rid FROM delta)").pluck().get(),
      ).toBeGreaterThan(2);

      const [one, two] = db.prepare<[], number>("SELECT rid FROM delta ORDER BY rid LIMIT 2").pluck().all();
      db.exec(`INSERT INTO blob(rcvid, size, uuid, content) VALUES(0, -1, '${"0".repeat(64)}', NULL)`);
      expect(read(blobs.length + 1)).toBeNull();
      expect(read(1e9)).toBeNull();
      db.exec(`UPDATE delta SET srcid = ${two} WHERE rid = ${one}; UPDATE delta SET srcid = ${one} WHERE rid = ${two}`);
      expect(read(one ?? 0)).toBeNull();
      db.exec("UPDATE blob SET content = x'0000000511223344'");
      expect(blobs.map(({ rid }) => read(rid)).every((content) => content === null)).toBe(true);
      db.exec("UPDATE blob SET size = 70000000");
      expect(read(1)).toBeNull();
    } finally {
      db.close();
    }
  });
});

describe("a delta", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);

  it("makes what fossil made it from", async () => {
    const random = randomFrom(seed);
    const names = ["source", "target", "delta"].map((name) => place.path(name));
    const [source = "", target = "", delta = ""] = names;
    for (let round = 0; round < 20; round++) {
      const piece = (): Buffer => Buffer.from(Array.from({ length: random.below(200) }, () => random.below(256)));
      const pieces = Array.from({ length: 1 + random.below(30) }, piece);
      fs.writeFileSync(source, Buffer.concat(pieces));
      const other = Array.from({ length: random.below(40) }, () =>
        random.chance(0.7) ? random.pick(pieces) : piece(),
      );
      fs.writeFileSync(target, Buffer.concat(other));
      await place.must(["test-delta-create", ...names]);
      const made = applyDelta(fs.readFileSync(source), fs.readFileSync(delta));
      expect({ seed, round, equal: made.equals(fs.readFileSync(target)) }).toEqual({ seed, round, equal: true });
    }
  });

  it.each([
    ["is empty", ""],
    ["has no end", "3\n3:abc"],
    ["is cut off within bytes", "5\n5:abc"],
    ["copies beyond the source", "9\n9@0,0;"],
    ["copies without an offset", "3\n3@0;0;"],
    ["makes more than it says", "3\n4:abcd0;"],
    ["makes less than it says", "5\n4:abcd0;"],
    ["says an impossible size", "~~~~~~~~~~\n1:a0;"],
    ["has an unknown sign", "3\n3?abc0;"],
  ])("is refused where it %s", (_, delta) => {
    expect(() => applyDelta(Buffer.from("source"), Buffer.from(delta))).toThrow(RangeError);
  });
});
