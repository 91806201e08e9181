import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromText } from "../../src/core/bytes.ts";
import { branchesOf, changedPaths, checkinsOf } from "../../src/vcs/fossil/paths.ts";
import { ridsOf } from "../../src/vcs/fossil/rids.ts";
import type { Span } from "../../src/vcs/repository.ts";
import { checkout, connect, environment, fossil, repository } from "./fossil-stand.ts";

let written = 0; // fossil takes a file for changed by its time in seconds and its size

/** A repository, its check-out, and what Gatepost reads of the receipts (after, upto] in it. */
function stand() {
  const file = repository();
  const folder = checkout(file);
  const db = connect(file);
  const spans = (after: number, upto: number) => ({ spans: [{ after, upto, rows: null }] });
  const paths = (after: number, upto = newest()) => [...changedPaths(db, spans(after, upto))];
  const newest = () => db.prepare("SELECT max(rcvid) FROM rcvfrom").pluck().get() as number;
  return {
    file,
    folder,
    db,
    newest,
    spans,
    /** Paths that are still there as they are, others as "-NAME". */
    paths: (after: number, upto?: number) =>
      paths(after, upto).map(({ path: one, present }) => (present ? one : `-${one}`)),
    branches: (after: number, upto = newest()) => branchesOf(db, spans(after, upto)),
    checkins: (after: number, upto = newest()) => [...checkinsOf(db, ridsOf(db, spans(after, upto)))],
    fossil: (...args: string[]) => fossil(folder, ...args),
    write: (name: string, content = "x".repeat(++written)) => {
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      fs.writeFileSync(path.join(folder, name), content);
    },
    /** Adds and deletes as the folder is, and commits; returns the number of the receipt before. */
    commit: (...options: string[]): number => {
      const before = newest();
      const comment = options.includes("-m") ? [] : ["-m", "x"];
      fossil(folder, "addremove", "--dotfiles");
      fossil(folder, "commit", "--no-warnings", "--allow-older", ...comment, ...options);
      expect(newest()).toBe(before + 1);
      return before;
    },
  };
}

describe("the changed paths of a Fossil repository", () => {
  it("are those that were added, changed or deleted, and both names of what was renamed", () => {
    const at = stand();
    for (const name of ["kept", "edited", "deleted", "sub/renamed é"]) at.write(name);
    const first = at.commit();
    at.write("edited");
    at.write("new");
    fs.rmSync(path.join(at.folder, "deleted"));
    at.fossil("mv", "--hard", "sub/renamed é", "other name");
    const second = at.commit();
    expect(at.paths(second)).toEqual(["-deleted", "edited", "new", "other name", fromText("-sub/renamed é")]);
    expect(at.paths(first, second)).toEqual(["deleted", "edited", "kept", fromText("sub/renamed é")]);
    expect(at.paths(first)).toEqual(["-deleted", "edited", "kept", "new", "other name", fromText("-sub/renamed é")]);
    expect(at.paths(at.newest())).toEqual([]);
  });

  it("have a name that was taken from a file and given to another as there", () => {
    const at = stand();
    at.write("a", "of a");
    at.write("b", "of b");
    at.commit();
    at.fossil("mv", "--hard", "a", "c");
    at.fossil("mv", "--hard", "b", "a");
    expect(at.paths(at.commit())).toEqual(["a", "-b", "c"]);
    at.fossil("mv", "--soft", "a", "d");
    at.write("d", "of b");
    at.write("a", "of b"); // as it had been
    expect(at.paths(at.commit())).toEqual(["a", "d"]);
    expect(at.fossil("ls")).toBe("a\nc\nd\n");
  });

  it("count a change of the executable bit", () => {
    const at = stand();
    at.write("tool");
    at.commit();
    fs.chmodSync(path.join(at.folder, "tool"), 0o755);
    expect(at.paths(at.commit())).toEqual(["tool"]);
  });

  it("are of a merge those that differ from its primary parent", () => {
    const at = stand();
    for (const name of ["both", "gone", "side"]) at.write(name);
    at.commit();
    at.write("side");
    fs.rmSync(path.join(at.folder, "gone"));
    const side = at.commit("--branch", "side");
    at.fossil("update", "trunk");
    at.write("both");
    at.commit();
    at.fossil("merge", "side");
    const merge = at.commit();
    expect(at.paths(merge)).toEqual(["-gone", "side"]);
    expect(at.paths(side)).toEqual(["both", "-gone", "side"]);
  });

  it("are there when one of their branches has them, and gone when each that changed them deleted them", () => {
    const at = stand();
    at.write("a");
    at.write("b");
    const first = at.commit();
    fs.rmSync(path.join(at.folder, "a"));
    at.write("b");
    const second = at.commit("--branch", "side");
    expect(at.paths(first)).toEqual(["a", "b"]);
    expect(at.paths(second)).toEqual(["-a", "b"]);
    at.fossil("update", "trunk");
    fs.rmSync(path.join(at.folder, "a"));
    at.commit();
    expect(at.paths(first)).toEqual(["-a", "b"]);
  });

  it("end as the last check-in left them, whatever its clock says and whatever date it was given later", () => {
    const at = stand();
    at.write("a");
    at.write("b");
    const first = at.commit();
    const hash = at.checkins(first)[0]?.hash ?? "";
    fs.rmSync(path.join(at.folder, "a"));
    at.commit("--date-override", "2001-02-03 04:05:06");
    expect(at.paths(first)).toEqual(["-a", "b"]);
    at.fossil("amend", hash, "--date", "2040-01-01 00:00:00");
    fs.rmSync(path.join(at.folder, "b"));
    at.commit();
    expect(at.paths(first)).toEqual(["-a", "-b"]);
  });

  it("are the bytes that are stored", () => {
    const at = stand();
    at.write("a");
    at.write("b\n'c");
    const first = at.commit();
    at.db.exec("UPDATE filename SET name = CAST(x'ff2f80' AS TEXT) WHERE name = 'a'");
    expect(at.paths(first)).toEqual(["b\n'c", "\xff/\x80"]);
  });

  it("and branches are none where no check-in came", () => {
    const at = stand();
    const before = at.newest();
    at.fossil("wiki", "create", "Page", "/dev/null");
    expect(at.newest()).toBe(before + 1);
    expect([at.paths(before), at.branches(before), at.checkins(before)]).toEqual([[], [], []]);
  });
});

describe("random histories", () => {
  const NAMES = ["a", "b", "c", "d/e", "d/f"];
  const step = fc.record({
    branch: fc.constantFrom("trunk", "trunk", "one", "two"),
    merge: fc.constantFrom(null, null, null, "trunk", "one", "two"),
    write: fc.subarray(NAMES),
    remove: fc.subarray(NAMES, { maxLength: 2 }),
  });

  /** The files of a check-in as fossil lists them, each with the hash of its content. */
  const filesOf = (folder: string, version: string): Map<string, string> => {
    const manifest = fossil(folder, "artifact", version);
    return new Map([...manifest.matchAll(/^F (\S+) (\S+)/gm)].map(([, name = "", hash = ""]) => [name, hash]));
  };

  it("have the paths and branches that the manifests tell, for any interval", () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    for (const steps of fc.sample(fc.array(step, { minLength: 8, maxLength: 12 }), { numRuns: 3, seed })) {
      const at = stand();
      type Done = { rcvid: number; branch: string; changes: Map<string, boolean> };
      const done: Done[] = [];
      const tips = new Set(["trunk"]);
      for (const { branch, merge, write, remove } of steps) {
        at.fossil("update", tips.has(branch) ? branch : "trunk");
        if (merge !== null && tips.has(merge) && merge !== branch && tips.has(branch))
          spawnSync("fossil", ["merge", merge], { cwd: at.folder, env: environment });
        for (const name of write) at.write(name);
        for (const name of remove) fs.rmSync(path.join(at.folder, name), { force: true });
        at.write("always"); // there is something to commit
        const parent = /^checkout: +(\S+)/m.exec(at.fossil("status"))?.[1] ?? "";
        at.commit("--allow-conflict", ...(tips.has(branch) ? [] : ["--branch", branch]));
        tips.add(branch);
        const [was, is] = [filesOf(at.folder, parent), filesOf(at.folder, "current")];
        const changed = [...new Set([...was.keys(), ...is.keys()])].filter((name) => was.get(name) !== is.get(name));
        done.push({ rcvid: at.newest(), branch, changes: new Map(changed.map((name) => [name, is.has(name)])) });
      }
      for (let from = 0; from < done.length; from++)
        for (let to = from; to < done.length; to++) {
          const range = done.slice(from, to + 1);
          const names = [...new Set(range.flatMap(({ changes }) => [...changes.keys()]))].sort();
          const branches = [...new Set(range.map(({ branch }) => branch))].sort();
          const isThere = (name: string) =>
            branches.some((of) =>
              range.findLast((one) => one.branch === of && one.changes.has(name))?.changes.get(name),
            );
          const interval = [(range[0]?.rcvid ?? 0) - 1, range.at(-1)?.rcvid ?? 0] as const;
          expect({ seed, interval, paths: at.paths(...interval), branches: at.branches(...interval) }).toEqual({
            seed,
            interval,
            paths: names.map((name) => (isThere(name) ? name : `-${name}`)),
            branches,
          });
        }
    }
  });
});

describe("the check-ins of a range", () => {
  it("are told as fossil tells them, with what was amended", () => {
    const at = stand();
    at.write("a");
    const first = at.commit("--user-override", "bob\tö");
    at.write("b");
    at.commit("--branch", "fé x");
    at.fossil("update", "trunk");
    at.write("c");
    at.commit();
    at.fossil("merge", fromTag(at));
    at.commit("-m", "line one\n\nline ü");
    at.fossil("amend", "current", "--comment", "amended", "--author", "carol");
    const facts = at.fossil("timeline", "-t", "ci", "-n", "0", "-F", "%H|%a|%d|%c|%b", "-W", "0").split("\n");
    const told = facts.filter((line) => /^[0-9a-f]{40}/.test(line)).reverse();
    const checkins = at.checkins(first);
    const text = (bytes: string) => Buffer.from(bytes, "latin1").toString();
    expect(
      checkins.map(({ hash, user, at: time, comment, branch }) => {
        const date = new Date(time).toISOString().slice(0, 19).replace("T", " ");
        return [hash, text(user), date, text(comment), text(branch)].join("|");
      }),
    ).toEqual(told.slice(1));
    expect(told).toHaveLength(5);
    for (const { hash, parents } of checkins) {
      const info = at.fossil("info", hash);
      const listed = [...info.matchAll(/^(parent|merged-from): +(\S+)/gm)].map(([, how, parent]) => [how, parent]);
      const shown = parents.map((parent, i) => [i === 0 ? "parent" : "merged-from", parent.slice(0, 40)]);
      expect(shown.sort()).toEqual(listed.sort());
    }
    expect(checkins.map(({ parents }) => parents.length)).toEqual([1, 1, 1, 2]);
    expect(at.branches(first)).toEqual([fromText("fé x"), "trunk"]);
  });

  const fromTag = (at: ReturnType<typeof stand>): string => at.checkins(0)[2]?.hash ?? "";

  it("that lost their branch count as trunk", () => {
    const at = stand();
    at.write("a");
    const before = at.commit("--branch", "side");
    expect(at.branches(before)).toEqual(["side"]);
    at.db.exec(`UPDATE tagxref SET tagtype = 0 WHERE tagid = 8 AND rid = (SELECT max(objid) FROM event)`);
    expect(at.branches(before)).toEqual(["trunk"]);
    expect(at.checkins(before)[0]?.branch).toBe("trunk");
  });
});

describe("the blobs of a range", () => {
  it("are found in their rows, or by number where another hash stands there, each once", () => {
    const at = stand();
    const before = at.newest();
    for (const name of ["a", "b", "c"]) {
      at.write(name);
      at.commit();
    }
    const [low = 0, ...others] = ridsOf(at.db, at.spans(before, before + 1));
    const high = others.at(-1) ?? 0;
    expect(high).toBe(low + 1);
    const mark = at.db.prepare("SELECT uuid FROM blob WHERE rid = ?").pluck().get(high) as string;
    const span = (rows: Span["rows"]): Span => ({ after: before, upto: before + 2, rows });
    const of = (...spans: Span[]) => ridsOf(at.db, { spans });
    expect(of(span({ low, high, more: [], mark }))).toEqual([low, high]);
    expect(of(span({ low: high, high, more: [low], mark }))).toEqual([low, high]);
    expect(of(span({ low: 1, high: 0, more: [high, 999], mark: "" }))).toEqual([high]);
    expect(of(span({ low, high, more: [], mark: "another" }))).toEqual([low, high, low + 2, low + 3]);
    expect(of(span({ low, high, more: [], mark }), span(null))).toEqual([low, high, low + 2, low + 3]);
    expect(of({ after: 0, upto: before, rows: { low, high, more: [], mark } })).toEqual([]);
  });
});
