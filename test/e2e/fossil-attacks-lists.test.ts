/** What is done to the hook lists, gates and check-outs of Fossil repositories, and calls that are wrong. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type FossilGated, fossilGated } from "../helpers/fossil-gated.ts";

let open: FossilGated[] = [];
const make = (): FossilGated => {
  const made = fossilGated();
  open.push(made);
  return made;
};
afterEach(() => {
  for (const { world } of open) world.remove();
  open = [];
});

/** SQL in the repository; what it printed. */
const sql = (x: FossilGated, text: string): string =>
  x.fossil(["sql", "-R", x.file, ".mode list", text], { cwd: x.world.dir }).stdout.trimEnd();
const NOTE = "SELECT value FROM config WHERE name = 'gatepost-take-over'";
const LIST = "SELECT typeof(value) || ' ' || hex(value) FROM config WHERE name = 'hooks'";
const putList = (x: FossilGated, value: string): string =>
  sql(x, `REPLACE INTO config(name, value, mtime) VALUES('hooks', ${value}, 0); ${LIST}`);
const IMPORT = ["hook", "import", "--from", "fossil"];

describe("gatepost commit", () => {
  it("takes no words out of a file while commit-msg hooks are to be asked", () => {
    const x = make();
    x.hook("grep -q good %A", "--type", "commit-msg");
    x.change();
    fs.writeFileSync(x.world.at("words"), "-m\nbad\n--no-warnings\n");
    for (const words of [
      ["--args", "../words"],
      ["-args", "../words"],
      ["-m", "--args", "../words"],
      ["-m", "good", "--", "--args", "../words"],
    ])
      expect(x.gatepost(["commit", ...words])).toMatchObject({
        code: 2,
        stderr:
          "gatepost: The message may be in the file of --args, where no hook is asked for it. Nothing was done.\n" +
          "Write the options out: gatepost commit -m MESSAGE, or -M FILE.\n",
      });
    expect(x.count()).toBe(1);
    expect(x.gatepost(["commit", "--no-verify", "--args", "../words"]).code).toBe(0);
    x.gatepost(["hook", "delete", "all"]);
    x.change();
    expect(x.gatepost(["commit", "--args", "../words"]).code).toBe(0);
    expect(x.count()).toBe(3);
  });
});

describe("the entry in a hook list", () => {
  it("takes nothing from the environment, and one of before is replaced", () => {
    const x = make();
    x.hook("exit 1");
    const now = x.list();
    const past = (): void =>
      expect(x.commit(["-m", "m"], { env: { _gatepost_hook: "commit-msg", _gatepost_key: "99" } }).code).toBe(1);
    past();
    const older = now[0]?.cmd.replace(/ _gatepost_key=.* eval /, " eval ") ?? "";
    for (const mend of [["doctor", "--fix"], ["init"]]) {
      putList(
        x,
        `json_array(json_object('cmd', '${older.replaceAll("'", "''")}', 'type', 'before-commit', 'seq', 10))`,
      );
      expect(x.list()[0]?.cmd).toBe(older);
      x.gatepost(mend);
      expect(x.list()).toEqual(now);
    }
    past();
    expect(x.count()).toBe(1);
  });

  it("of a copied repository is taken out by the init that it tells people to call", () => {
    const x = make();
    x.hook("exit 1");
    const copy = x.world.at("copy.fossil");
    const cwd = x.world.at("of copy");
    fs.copyFileSync(x.file, copy);
    fs.mkdirSync(cwd);
    x.fossil(["open", copy], { cwd });
    fs.renameSync(x.home, x.world.at("gone"));
    const commit = () => x.fossil(["commit", "-m", "m", "--allow-empty"], { cwd });
    expect(commit()).toMatchObject({ code: 1, stderr: expect.stringContaining("Mend it: gatepost init FILE.") });
    expect(x.gatepost(["init", copy]).code).toBe(0);
    expect(commit()).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("hook import --from fossil", () => {
  it("of what is no list changes nothing, and leaves no note in the repository", () => {
    const x = make();
    const before = putList(x, `'{"cmd":"x"}'`);
    expect(x.gatepost(IMPORT)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/is no JSON array\. Nothing was changed\./),
    });
    expect([sql(x, LIST), sql(x, NOTE)]).toEqual([before, ""]);
  });

  it("leaves a list alone whose bytes would not be the same as text, and says why; so does adding a gate", () => {
    const x = make();
    const json = '[{"cmd":"echo \xff","type":"after-receive","seq":1}]';
    const bytes = `x'${Buffer.from(json, "latin1").toString("hex")}'`;
    for (const value of [bytes, `CAST(${bytes} AS TEXT)`, "CAST('[]' AS BLOB)"]) {
      const before = putList(x, value);
      const refused = "is a BLOB or not UTF-8.";
      for (const more of [[], ["--dry-run"]])
        expect(x.gatepost([...IMPORT, ...more])).toMatchObject({ code: 2, stderr: expect.stringContaining(refused) });
      const adding = x.gatepost(["hook", "add", "--type", "before-commit", "--command", "true"]);
      expect(adding).toMatchObject({ code: 2, stderr: expect.stringContaining(refused) });
      expect([sql(x, LIST), sql(x, NOTE)]).toEqual([before, ""]);
      x.gatepost(["hook", "delete", "all"]);
    }
  });

  it("shows of an entry that is not carried over as much as a person reads", () => {
    const x = make();
    const long = '\'[{"cmd":"\' || hex(zeroblob(300000)) || \'","type":"\' || hex(zeroblob(300000)) || \'","seq":1}]\'';
    putList(x, long);
    const { code, stderr } = x.gatepost(IMPORT);
    expect(code).toBe(0);
    expect(stderr).toMatch(/Not carried over:\n {2}Fossil's hook 0 \(0+… – Fossil has no type "0+…\n$/);
    expect(stderr.length).toBeLessThan(1000);
  });

  it("says in a sentence that the list is too long, or that the fossil program is none", () => {
    const x = make();
    putList(x, "'[\"' || hex(zeroblob(9000000)) || '\"]'");
    expect(x.gatepost(IMPORT)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        `gatepost: The setting hooks of ${x.file} is longer than 16 MiB. Nothing was changed.\n`,
      ),
    });
    const bin = x.world.at("bin");
    fs.mkdirSync(bin);
    fs.writeFileSync(join(bin, "fossil"), "#!/bin/sh\nexit 0\n", { mode: 0o755 });
    expect(x.gatepost(IMPORT, { env: { PATH: `${bin}:${x.world.env["PATH"]}` } })).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(
        `gatepost: fossil sql on ${x.file} ended (exit 0) before its script did, and said nothing.\n`,
      ),
    });
  });
});

describe("an empty path", () => {
  it("is refused, and does not stand for the current folder", () => {
    const x = make();
    for (const words of [
      ["init", ""],
      ["init", "--home", "", x.file],
      ["hook", "list", "-R", ""],
      ["hook", "list", "--home", ""],
    ])
      expect(x.gatepost(words)).toMatchObject({
        code: 2,
        stdout: "",
        stderr: expect.stringContaining("A path is empty and names nothing. Nothing was done."),
      });
  });
});

describe("the description of an earlier commit that stands in a check-out", () => {
  it("is not taken for this one's, whatever its time says", () => {
    const x = make();
    const stale = join(x.checkout, "commit-description-0123456789abcdef.txt");
    x.hook("cp %A ../description", "--name", "keep");
    x.commit();
    x.gatepost(["hook", "delete", "keep"]);
    x.hook("tr '\\0' '\\n'", "--stdin", "paths");
    fs.copyFileSync(x.world.at("description"), stale);
    fs.utimesSync(stale, 2e9, 2e9);
    x.change("new");
    const { code, stdout, stderr } = x.fossil(["commit", "-m", "m"]);
    expect({ code, first: stdout.split("\n")[0] }).toEqual({ code: 0, first: "new" });
    expect(stderr).toBe(`gatepost: ${stale} is of another commit; remove it, if none is going on\n`);
  });
});
