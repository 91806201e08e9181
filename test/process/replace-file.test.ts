/** Writing a file whole: what stands in its place, or under the name it has until then, leads nowhere. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFile, makeRealFolder, ownMark, putMark, replaceFile } from "../../src/process/replace-file.ts";

let dir: string;
let victim: string;
const at = (name: string): string => join(dir, name);
const mode = (path: string): number => fs.statSync(path).mode & 0o777;

beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), "gatepost-replace-"));
  victim = at("victim");
  fs.writeFileSync(victim, "precious\n", { mode: 0o600 });
});
afterEach(() => {
  expect([fs.readFileSync(victim, "utf8"), mode(victim)]).toEqual(["precious\n", 0o600]);
  fs.rmSync(dir, { recursive: true });
});

describe("a file that is replaced", () => {
  it("has the text and exactly the mode, whatever the umask and what stood there, and nothing is left beside it", () => {
    const umask = process.umask(0o077);
    try {
      replaceFile(at("file"), "é\n", { mode: 0o755 });
      replaceFile(at("file"), "é\n", { mode: 0o644, encoding: "latin1", sync: true });
    } finally {
      process.umask(umask);
    }
    expect([fs.readFileSync(at("file"), "latin1"), mode(at("file"))]).toEqual(["é\n", 0o644]);
    expect(fs.readdirSync(dir).sort()).toEqual(["file", "victim"]);
  });

  it("takes the place of a link, which is not followed", () => {
    fs.symlinkSync(victim, at("file"));
    replaceFile(at("file"), "new\n", { mode: 0o644 });
    expect(fs.lstatSync(at("file")).isFile()).toBe(true);
  });

  it("leaves nothing beside a folder that stands in its place", () => {
    fs.mkdirSync(at("file"));
    expect(() => replaceFile(at("file"), "", { mode: 0o644 })).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(fs.readdirSync(dir).sort()).toEqual(["file", "victim"]);
  });

  it("is written under another name each time", () => {
    expect(new Set([ownMark(), ownMark(), ownMark()]).size).toBe(3);
  });
});

it("a file that is made is refused where a link stands, even one that leads nowhere", () => {
  for (const [name, target] of Object.entries({ one: victim, other: at("nothing") })) {
    fs.symlinkSync(target, at(name));
    expect(() => makeFile(at(name), "new\n", { mode: 0o755 })).toThrow(/EEXIST/);
  }
  expect(fs.existsSync(at("nothing"))).toBe(false);
});

it("a mark stays as it is where it is a file, and replaces a link", () => {
  fs.writeFileSync(at("mark"), "since then\n");
  fs.symlinkSync(at("nothing"), at("link"));
  for (const name of ["mark", "link", "fresh"]) putMark(at(name));
  expect(fs.readFileSync(at("mark"), "utf8")).toBe("since then\n");
  expect(["link", "fresh"].map((name) => fs.lstatSync(at(name)).isFile())).toEqual([true, true]);
  expect(fs.existsSync(at("nothing"))).toBe(false);
});

it("a folder of ours is made, or found, and refused where a link to one stands", () => {
  fs.mkdirSync(at("elsewhere"));
  fs.symlinkSync(at("elsewhere"), at("link"));
  for (let round = 0; round < 2; round++) makeRealFolder(at("folder"));
  expect(fs.statSync(at("folder")).isDirectory()).toBe(true);
  expect(() => makeRealFolder(at("link"))).toThrow(/ENOTDIR|ELOOP/);
});
