import fs from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { fromText } from "../../src/core/bytes.ts";
import { DETAIL_LIMITS, type Limits, readDetails } from "../../src/vcs/fossil/details.ts";
import { openFossil } from "../../src/vcs/fossil.ts";
import { checkout, connect, fossil, repository } from "./fossil-stand.ts";

/** A repository with a check-out in which a, b and c are checked in. */
function stand() {
  const file = repository();
  const folder = checkout(file);
  const db = connect(file);
  const newest = () => db.prepare("SELECT max(rcvid) FROM rcvfrom").pluck().get() as number;
  const run = (...args: string[]) => fossil(folder, ...args);
  const at = {
    file,
    folder,
    db,
    fossil: run,
    newest,
    range: (after: number) => ({ spans: [{ after, upto: newest(), rows: null }] }),
    details: (after: number, limits: Partial<Limits> = {}) =>
      readDetails(db, at.range(after), { ...DETAIL_LIMITS, ...limits }),
    write: (name: string, content: string) => {
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      fs.writeFileSync(path.join(folder, name), content);
    },
    /** Commits the folder as it is, and returns the hash. */
    commit: (...options: string[]): string => {
      run("addremove", "--dotfiles");
      const comment = options.includes("-m") ? [] : ["-m", "x"];
      const printed = run("commit", "--no-warnings", "--hash", "--allow-empty", ...comment, ...options);
      return /^New_Version: ([0-9a-f]+)$/m.exec(printed)?.[1] ?? "";
    },
    /** The hashes of the artifacts behind a receipt, without those of files. */
    arrived: (after: number): string[] =>
      db
        .prepare("SELECT uuid FROM blob JOIN event ON objid = rid WHERE rcvid > ? ORDER BY rid")
        .pluck()
        .all(after) as string[],
  };
  for (const name of ["a", "b", "c"]) at.write(name, `of ${name}\n`);
  const first = at.commit();
  return { ...at, first };
}

/** The files of check-ins in short: "CHANGE PATH", and "< FROM". */
const filesOf = ({ checkins }: ReturnType<typeof readDetails>): string[][] =>
  checkins.map(({ files }) =>
    files.map(({ path: name, change, from }) => `${change} ${name}${from === undefined ? "" : ` < ${from}`}`),
  );

describe("the details of check-ins", () => {
  it("tell who, when, where, on what, and what became of each file", () => {
    const at = stand();
    const before = at.newest();
    at.write("a", "edited\n");
    at.write("d/new é", "new\n");
    fs.rmSync(path.join(at.folder, "b"));
    at.fossil("mv", "--hard", "c", "moved");
    const comment = "two\nlines by bob on trunk";
    const date = ["--date-override", "2031-02-03 04:05:06"];
    const hash = at.commit("-m", comment, "--user-override", "Jane Doe on trunk", ...date, "--branch", "fé x");
    expect(at.details(before)).toEqual({
      checkins: [
        {
          hash,
          user: "Jane Doe on trunk",
          at: Date.UTC(2031, 1, 3, 4, 5, 6),
          branch: fromText("fé x"),
          comment,
          parents: [at.first],
          private: false,
          files: [
            { path: "a", change: "edited" },
            { path: "b", change: "deleted" },
            { path: "c", change: "deleted" },
            { path: fromText("d/new é"), change: "added" },
            { path: "moved", change: "renamed", from: "c" },
          ],
          moreFiles: 0,
        },
      ],
      tags: [],
      private: [],
      more: { checkins: 0, tags: 0, private: 0 },
    });
    expect(at.details(at.newest()).checkins).toEqual([]);
    expect(filesOf(at.details(0)).slice(0, 2)).toEqual([[], ["added a", "added b", "added c"]]);
  });

  it("tell a changed permission as an edit, and a name that another file took as both", () => {
    const at = stand();
    const before = at.newest();
    fs.chmodSync(path.join(at.folder, "b"), 0o755);
    at.fossil("mv", "--hard", "a", "z");
    at.fossil("mv", "--hard", "c", "a");
    at.commit();
    expect(filesOf(at.details(before))).toEqual([["renamed a < c", "edited b", "deleted c", "renamed z < a"]]);
  });

  it("hold a merge against its primary parent", () => {
    const at = stand();
    at.write("side", "1\n");
    at.write("a", "by side\n");
    const side = at.commit("--branch", "side");
    at.fossil("update", "trunk");
    at.write("b", "by trunk\n");
    const trunk = at.commit();
    const before = at.newest();
    at.fossil("merge", "side");
    at.write("a", "as neither had it\n");
    at.commit();
    const told = at.details(before);
    expect(told.checkins[0]?.parents).toEqual([trunk, side]);
    expect(filesOf(told)).toEqual([["edited a", "added side"]]);
    expect(at.details(before, { files: 1 }).checkins).toMatchObject([{ files: [{ path: "a" }], moreFiles: 1 }]);
  });

  it("have what was amended since", () => {
    const at = stand();
    const before = at.newest();
    const hash = at.commit("-m", "mistaken");
    const amended = ["--comment", "right", "--author", "bob", "--branch", "other", "--date", "2030-01-02 03:04:05"];
    at.fossil("amend", hash, ...amended);
    const now = { comment: "right", user: "bob", branch: "other", at: Date.UTC(2030, 0, 2, 3, 4, 5) };
    expect(at.details(before).checkins).toMatchObject([{ hash, ...now }]);
  });

  it("mark what is private, and list its files with the rest that is", () => {
    const at = stand();
    const before = at.newest();
    at.write("secret", "1\n");
    const hidden = at.commit("--private");
    at.fossil("update", "trunk");
    const open = at.commit();
    const told = at.details(before);
    expect(told.checkins.map((one) => [one.hash, one.private])).toEqual([
      [hidden, true],
      [open, false],
    ]);
    const secret = at.db.prepare("SELECT uuid FROM blob JOIN mlink ON fid = rid JOIN filename USING (fnid)");
    const file = at.db.prepare(`${secret.source} WHERE name = 'secret'`).pluck().get();
    expect(told.private).toEqual([file, hidden]);
    expect(at.details(before, { private: 1 })).toMatchObject({ private: [file], more: { private: 1 } });
  });

  it("have names and texts as the bytes that are stored", () => {
    const at = stand();
    at.db.exec(`UPDATE filename SET name = CAST(x'ff0a27' AS TEXT) WHERE name = 'a';
      UPDATE event SET comment = CAST(x'fe' AS TEXT), user = CAST(x'fd' AS TEXT) WHERE objid = (SELECT max(mid) FROM mlink)`);
    const [, told] = at.details(0).checkins;
    expect(told).toMatchObject({ comment: "\xfe", user: "\xfd" });
    expect(told?.files.map(({ path: name }) => name)).toEqual(["b", "c", "\xff\n'"]);
  });
});

describe("the details of tags", () => {
  it("tell names, targets and values, also of those that were cancelled or replaced since", () => {
    const at = stand();
    const before = at.newest();
    at.fossil("tag", "add", "v1 é", "trunk");
    at.fossil("tag", "add", "--propagate", "note", at.first, "a\\b c");
    at.fossil("tag", "add", "--raw", "own", at.first, "1");
    at.fossil("tag", "add", "--raw", "own", at.first, "2");
    at.fossil("tag", "cancel", "v1 é", "trunk");
    const arrived = at.arrived(before);
    const target = at.first;
    expect(at.details(before)).toEqual({
      checkins: [],
      tags: [
        { artifact: arrived[0], name: fromText("sym-v1 é"), target, change: "added" },
        { artifact: arrived[1], name: "sym-note", target, change: "propagated", value: "a\\b c" },
        { artifact: arrived[2], name: "own", target, change: "added", value: "1" },
        { artifact: arrived[3], name: "own", target, change: "added", value: "2" },
        { artifact: arrived[4], name: fromText("sym-v1 é"), target, change: "cancelled" },
      ],
      private: [],
      more: { checkins: 0, tags: 0, private: 0 },
    });
    const list = fossil("/", "test-describe-artifacts", "-R", at.file);
    expect(list.split("\n").filter((line) => line.includes("unknown")).length, "Fossil's lines").toBeGreaterThan(0);
  });

  it("tell what an amendment changed, and where a branch was begun", () => {
    const at = stand();
    const before = at.newest();
    at.fossil("amend", at.first, "--comment", "a new\none", "--close", "--branch", "other");
    const [artifact] = at.arrived(before);
    const tags = at.details(before).tags;
    const ofFirst = { artifact, target: at.first };
    expect(tags).toContainEqual({ ...ofFirst, name: "comment", change: "added", value: "a new\none" });
    expect(tags).toContainEqual({ ...ofFirst, name: "closed", change: "added" });
    expect(tags).toContainEqual({ ...ofFirst, name: "branch", change: "propagated", value: "other" });
    expect(tags).toContainEqual({ ...ofFirst, name: "sym-trunk", change: "cancelled" });
    const next = at.newest();
    at.fossil("branch", "new", "side", "trunk");
    expect(at.details(next)).toMatchObject({ checkins: [{ branch: "side", files: [] }], tags: [] });
  });

  it("go on behind one that cannot be read, and count it", () => {
    const at = stand();
    const before = at.newest();
    at.fossil("tag", "add", "one", "trunk");
    at.fossil("tag", "add", "two", "trunk");
    at.db.prepare("UPDATE blob SET content = x'0000000001' WHERE uuid = ?").run(at.arrived(before)[0]);
    expect(at.details(before)).toMatchObject({ tags: [{ name: "sym-two" }], more: { tags: 1 } });
  });
});

describe("details that are too long", () => {
  /** Three check-ins and three tags behind the receipt that is returned. */
  function many() {
    const at = stand();
    const before = at.newest();
    for (const name of ["one", "two", "three"]) {
      for (const part of ["x", "y"]) at.write(`${name}/${part}`, `${name}\n`);
      at.commit("-m", name);
    }
    for (const name of ["one", "two", "three"]) at.fossil("tag", "add", name, "trunk");
    return { at, before };
  }

  it("end where there are too many, and tell how many are left out", () => {
    const { at, before } = many();
    const whole = at.details(before);
    expect([whole.checkins.length, whole.tags.length]).toEqual([3, 3]);
    expect(at.details(before, { checkins: 3, controls: 3, files: 6 })).toEqual(whole);
    const told = at.details(before, { checkins: 2, controls: 1 });
    expect(told).toEqual({
      checkins: whole.checkins.slice(0, 2),
      tags: whole.tags.slice(0, 1),
      private: [],
      more: { checkins: 1, tags: 2, private: 0 },
    });
  });

  it("go on with check-ins where there are too many files", () => {
    const { at, before } = many();
    const told = at.details(before, { files: 3 });
    expect(filesOf(told)).toEqual([["added one/x", "added one/y"], ["added two/x"], []]);
    expect(told.checkins.map(({ moreFiles }) => moreFiles)).toEqual([0, 1, 2]);
    expect(told.more.checkins).toBe(0);
  });

  it("end where texts are too long, wherever that is", () => {
    const { at, before } = many();
    const size = (upto: number): number =>
      at
        .details(before)
        .checkins.slice(0, upto)
        .map(({ user, branch, comment, parents }) => `${user}${branch}${comment}${parents}`.length)
        .reduce((a, b) => a + b, 0);
    const [one, paths] = [size(1), "one/xone/y".length];
    const short = at.details(before, { text: one - 1 });
    expect([short.checkins, short.more.checkins]).toEqual([[], 3]);
    const inFiles = at.details(before, { text: one + paths - 1 });
    expect(filesOf(inFiles)).toEqual([["added one/x"]]);
    expect([inFiles.checkins[0]?.moreFiles, inFiles.more.checkins]).toEqual([1, 2]);
    const all = at.details(before, { text: size(3) + "one/xone/ytwo/xtwo/ythree/xthree/y".length });
    expect(all.checkins).toEqual(at.details(before).checkins);
    const artifact = "SELECT size FROM blob WHERE uuid = ?";
    const sizes = at
      .arrived(before)
      .slice(3)
      .map((hash) => at.db.prepare(artifact).pluck().get(hash) as number);
    const tags = at.details(before, { text: (sizes[0] ?? 0) + (sizes[1] ?? 0) });
    expect([tags.tags.map(({ name }) => name), tags.more.tags]).toEqual([["sym-one", "sym-two"], 1]);
  });
});

it("details are read from the file as it stands, and without a search where its rows are known", async () => {
  const at = stand();
  const { watermark } = await openFossil(at.file).arrivals(null, []);
  const hash = at.commit();
  const { arrivals } = await openFossil(at.file).arrivals(watermark, []);
  const spans = arrivals.map(({ rcvid, rows }) => ({ after: rcvid - 1, upto: rcvid, rows }));
  expect((await openFossil(at.file).details({ spans })).checkins.map((one) => one.hash)).toEqual([hash]);
  await expect(openFossil(at.file).details({ moves: [], base: [] })).rejects.toThrow("range of refs");
});
