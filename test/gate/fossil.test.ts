/** The gate of Fossil repositories in the shells that may be /bin/sh, without fossil: a check-out with a description. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileGate } from "../../src/gate/compile.ts";
import { fossilEntry, putFossilShims } from "../../src/shim/fossil-entry.ts";
import { parseGateEntry } from "../../src/spool/gate-entry.ts";
import { type Answer, hookOf, STAND_SHELLS } from "./stand.ts";

type Hooks = readonly Parameters<typeof hookOf>[2][];

describe.each(STAND_SHELLS)("asked by %s", (shell) => {
  let dir: string;
  let root: string;
  let home: string;
  let sh: string;
  beforeAll(() => {
    dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "gatepost-fossil-")));
    root = join(dir, "it's $HOME");
    home = join(dir, "r.fossil.gatepost");
    for (const folder of [join(root, "sub"), join(home, "gates"), join(home, "spool"), join(home, "aux")])
      fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(join(root, ".fslckout"), "");
    putFossilShims(home);
    sh = join(dir, "sh");
    fs.symlinkSync(spawnSync("sh", ["-c", `command -v ${shell}`], { encoding: "utf8" }).stdout.trim(), sh);
  });
  afterAll(() => fs.rmSync(dir, { recursive: true, force: true }));

  const describeCommit = (lines: readonly string[], name = "0123456789abcdef", age = 0): void => {
    const file = join(root, `commit-description-${name}.txt`);
    const head = [
      `checkout ${root}/`,
      `repository ${join(dir, "r.fossil")}`,
      "user al ice",
      "branch trunk",
      "tags trunk",
    ];
    fs.writeFileSync(file, [...head, ...lines, "checkin-comment", "EDITED     comment", ""].join("\n"));
    const at = Date.now() / 1000 - age;
    fs.utimesSync(file, at, at);
  };
  const compile = (hooks: Hooks): void => {
    const all = hooks.map((given, n) => hookOf("before-commit", n + 1, given));
    const text = compileGate("before-commit", all, { path: "", auxiliary: null, kind: "fossil" });
    fs.writeFileSync(join(home, "gates", "before-commit"), text);
  };
  const ask = (env: Record<string, string> = {}, cwd = join(root, "sub")): Answer => {
    const entry = fossilEntry({ home, repository: join(dir, "r.fossil"), id: null });
    const { status, stdout, stderr } = spawnSync(sh, ["-c", entry], {
      cwd,
      env: { PATH: process.env["PATH"] ?? "", HOME: dir, ...env },
      encoding: "utf8",
    });
    return { code: status ?? -1, stdout, stderr };
  };
  const records = () => {
    const text = fs.readFileSync(join(home, "spool", "gates"), "latin1");
    fs.rmSync(join(home, "spool", "gates"));
    return text.split(/^\n(?=gatepost 1\n)/m).flatMap((part) => {
      const parsed = parseGateEntry(Buffer.from(part, "latin1"));
      return part === "" ? [] : [parsed.state === "whole" ? parsed.entry : parsed];
    });
  };

  it("judges, in the root, and leaves a record", () => {
    describeCommit(["EDITED     a"]);
    compile([{ command: 'pwd; echo "$GATEPOST_USER|$GATEPOST_BRANCH|$0|$#"; ! env | grep _gatepost' }]);
    expect(ask()).toEqual({ code: 0, stdout: `${root}\nal ice|trunk|sh|0\n`, stderr: "" });
    compile([{ command: "exit 6", name: "lint" }]);
    expect(ask()).toMatchObject({ code: 6, stderr: expect.stringContaining("GATEPOST_SKIP=lint fossil commit …\n") });
    expect(ask({ GATEPOST_SKIP: "lint" })).toEqual({ code: 0, stdout: "", stderr: "" });
    const common = {
      kind: "gate",
      hook: "before-commit",
      dir: join(dir, "r.fossil"),
      branch: "trunk",
      authorName: "al ice",
    };
    expect(records()).toMatchObject([
      { ...common, verdict: "pass", hooks: [{ line: "ran", word: "pass" }] },
      { ...common, verdict: "refused", hooks: [{ line: "ran", word: "refused", status: 6 }] },
      { ...common, verdict: "pass", hooks: [{ line: "skipped", why: "asked" }] },
    ]);
  });

  it("takes the newest description, and refuses one of another check-out, or none", () => {
    describeCommit(["EDITED     older"], "ffffffffffffffff", 2000);
    describeCommit(["EDITED     old"], "00000000000000aa", -1000); // says that it is newer, and is not
    const changed = (name: string): number => fs.statSync(join(root, `commit-description-${name}.txt`)).ctimeMs;
    do describeCommit(["EDITED     new"]);
    while (changed("0123456789abcdef") === changed("00000000000000aa")); // the system's clock for files has a coarse tick
    compile([{ command: "cat %A" }]);
    expect(ask().stdout).toBe(fs.readFileSync(join(root, "commit-description-0123456789abcdef.txt"), "utf8"));
    fs.writeFileSync(join(root, "commit-description-00000000000000bb.txt"), "checkout /other/\n");
    const later = Date.now() / 1000 + 100;
    fs.utimesSync(join(root, "commit-description-00000000000000bb.txt"), later, later);
    expect(ask()).toMatchObject({ code: 1, stderr: expect.stringContaining("is of another checkout") });
    for (const name of fs.readdirSync(root)) if (name.startsWith("commit-")) fs.rmSync(join(root, name));
    expect(ask()).toMatchObject({ code: 1, stderr: expect.stringContaining("has left no description") });
    expect(ask({}, dir)).toMatchObject({ code: 1, stderr: expect.stringContaining("is in no checkout") });
  });

  it("reads the paths of every kind of line, and nothing of the comment", () => {
    describeCommit([
      "ADDED      a b.c",
      "ADDED_BY_INTEGRATE int.c",
      "DELETED    gone.c",
      "EDITED      begins.c",
      "RENAMED    old.c  ->  new.c",
      "EDITED     is  ->  itself.c",
      "UPDATED_BY_MERGE é*?[.c",
      "CONFLICT   x\\y$z.c",
      "CHERRYPICK 0123456789.c",
      "MERGED_WITH 0123456789.c",
      "integrate",
    ]);
    fs.writeFileSync(join(root, "is  ->  itself.c"), "");
    compile([
      { command: "tr '\\0' '\\n'", stdin: "paths", paths: ["*.c"] },
      { command: "echo gone", paths: ["gone.c"] },
      { command: "echo old", paths: ["old.c"] },
      { command: "echo comment", paths: ["comment"] },
      { command: "echo number", paths: ["0123*"] },
    ]);
    expect(ask()).toEqual({
      code: 0,
      stdout: "a b.c\nint.c\n begins.c\nnew.c\nis  ->  itself.c\né*?[.c\nx\\y$z.c\ngone\nold\n",
      stderr: "",
    });
  });

  it("knows folders, excludes and the top", () => {
    describeCommit(["EDITED     web/src/a.ts", "EDITED     web/gen/b.ts", "EDITED     webs/c.ts", "ADDED      bare/d"]);
    fs.mkdirSync(join(root, "web"), { recursive: true });
    const print = "tr '\\0' ' '";
    compile([
      { command: print, stdin: "paths", dir: "web/" },
      { command: print, stdin: "paths", dir: "web", paths: ["*.ts", ":!gen"] },
      { command: print, stdin: "paths", dir: "./web", paths: [":(top)web/gen"] },
      { command: print, stdin: "paths", paths: [":(exclude)web*"] },
      { command: "echo never", dir: "webs/none" },
      { command: "echo never", dir: "web", paths: ["webs"] },
    ]);
    expect(ask()).toEqual({
      code: 0,
      stdout: "src/a.ts gen/b.ts src/a.ts gen/b.ts bare/d ",
      stderr: "",
    });
    compile([{ command: "echo never", dir: "bare" }]);
    expect(ask()).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("the folder bare of --dir is not there"),
    });
  });

  it("refuses whatever is cut off", () => {
    describeCommit(["EDITED     a"]);
    compile([{ command: "exit 1", paths: ["a"] }, { command: "cat %A" }]);
    for (const file of [
      join(home, "gates", "before-commit"),
      join(home, "shim", "fossil"),
      join(home, "shim", "gate.sh"),
    ]) {
      const whole = fs.readFileSync(file);
      for (let size = 0; size < whole.length; size += 1 + Math.floor(whole.length / 40)) {
        fs.writeFileSync(file, whole.subarray(0, size));
        expect(`${file} ${size} ${ask().code === 0}`).toBe(`${file} ${size} false`);
      }
      fs.writeFileSync(file, whole);
    }
  });
});
