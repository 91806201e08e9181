/** Hooks that change hands between Fossil and Gatepost, with the real fossil on both sides. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { fails, until } from "../helpers/cli.ts";
import { makeFossilWorld } from "../helpers/fossil.ts";
import { type FossilSite, fossilSite } from "../helpers/fossil-site.ts";

const world = makeFossilWorld("gatepost-import-fossil-");
afterAll(() => world.remove());
let site: FossilSite;
let sites = 0;

/** A registered repository with one commit, in which nothing starts a backoffice by itself. */
function registered(): FossilSite {
  sites += 1;
  const made = fossilSite(world, `site-${sites}`);
  made.commit();
  made.gatepost("init", made.file);
  made.gatepost("settings", "automatic-backoffice", "off", "-R", made.file);
  return made;
}
beforeEach(() => {
  site = registered();
});

const take = (...more: string[]) => site.gatepost("hook", "import", "--from", "fossil", "-R", site.file, ...more);
const give = (...more: string[]) => site.gatepost("hook", "export", "--to", "fossil", "-R", site.file, ...more);
const pass = () => site.gatepost("backoffice", site.file);
const here = (): { id: number; type: string; command: string; wasType?: string }[] =>
  JSON.parse(site.gatepost("hook", "list", "--json", "-R", site.file).stdout).hooks;
const add = (type: string, command: string, sequence = "10") =>
  site.fossil("hook", "add", "--type", type, "--command", command, "--sequence", sequence, "-R", site.file);
const once = (hashes: string[]) => [...hashes].sort();

describe("hook import --from fossil", () => {
  it("takes over behind the last receipt that Fossil handed out", () => {
    add("after-receive", site.keep);
    add("disabled", "date +%s", "-3");
    site.fossilPass();
    const had = site.got();
    expect(had.length).toBeGreaterThan(0);
    site.commit();
    expect(take()).toEqual(
      fails(
        0,
        `2 hooks taken over after receipt 2. Fossil no longer runs them; back again: gatepost hook export --to fossil -R ${site.file}\nMind: nothing starts by itself when r.fossil receives something. Keep a daemon running (gatepost serve), or have cron call gatepost backoffice.\n`,
      ),
    );
    expect(site.list()).toBeNull();
    expect(site.row("gatepost-take-over")).toBeNull();
    expect(here()).toMatchObject([
      { id: 1, type: "after-receive", command: site.keep },
      { id: 2, type: "disabled", command: "date +%%s", sequence: -3 },
    ]);
    site.commit();
    site.fossilPass();
    expect(pass().code).toBe(0);
    expect(once(site.got())).toEqual(once([...had, ...site.receivedAfter(2)]));
  });

  it("moves a gate without a commit in between that is asked by nobody", () => {
    add("before-commit", "test ! -e refuse && cp %A last");
    expect(take().code).toBe(0);
    expect(site.list()).toMatchObject([{ type: "before-commit" }]);
    expect(site.list()?.[0]?.cmd).not.toContain("refuse");
    site.commit();
    expect(fs.readFileSync(join(site.checkout, "last"), "utf8")).toMatch(/^checkout /);
    fs.writeFileSync(join(site.checkout, "refuse"), "");
    expect(() => site.commit()).toThrow();
  });

  it("shows with --dry-run what would be taken, and changes nothing", () => {
    add("after-receive", "echo 100%");
    add("before-commit", "true");
    const before = site.row("hooks");
    expect(take("--dry-run")).toMatchObject({
      stdout:
        "would add a hook: after-receive, sequence 10\n    echo 100%%\nwould add a hook: before-commit, sequence 10\n    true\n",
      stderr: "",
      code: 0,
    });
    expect(JSON.parse(take("--dry-run", "--json").stdout).hooks).toHaveLength(2);
    expect([site.row("hooks"), here(), site.row("gatepost-take-over")]).toEqual([before, [], null]);
  });

  it("leaves in Fossil's list what cannot mean the same, to the byte, and says why", () => {
    const theirs = [
      '{"cmd":"x","type":"commit-msg","seq":12345678901234567890}',
      '{ "cmd":"cat <<E\\n%R\\nE","type":"after-receive","seq":1 }',
      '{"cmd":"if","type":"after-receive","seq":2,"more":[1.0]}',
    ];
    const good = '{"cmd":"true","type":"after-receive","seq":3}';
    storeList(`[${theirs[0]}, ${good} ,${theirs[1]},${theirs[2]}]`);
    const { stderr, code } = take();
    expect(stderr).toMatch(
      /^1 hook taken over.*\nfossil has never run them: .*\nMind: .*\nNot carried over:\n {2}Fossil's hook 0 .* – its seq is no whole number\n/,
    );
    expect(stderr).toMatch(/Fossil's hook 2 .* – %R at line 2, column 1 stands in or behind a here-document/);
    expect(stderr).toMatch(/Fossil's hook 3 .* – sh cannot read this command/);
    expect(code).toBe(0);
    expect(site.row("hooks")).toBe(`[${theirs.join(",")}]`);
  });

  it("says so where there is nothing to take, and finds no hook twice", () => {
    const nothing = `fossil has no hooks in ${site.file}. Nothing was added.\n`;
    expect(take()).toEqual(fails(0, nothing));
    add("after-receive", "true");
    take();
    expect(take()).toEqual(fails(0, nothing));
    add("after-receive", "true");
    expect(take().stderr).toContain("– hook 1 here does the same already");
    expect(site.list()).toHaveLength(1);
  });

  it("changes nothing where the list is none, or the repository is not of Fossil", () => {
    storeList('{"cmd":"x"}');
    expect(take()).toMatchObject({ stdout: "", code: 2 });
    expect(take().stderr).toMatch(/is no JSON array\. Nothing was changed\.\n.*fossil hook delete all/);
    expect([site.row("hooks"), here()]).toEqual(['{"cmd":"x"}', []]);
    const git = world.bare(`other-${sites}.git`);
    site.gatepost("init", git);
    expect(site.gatepost("hook", "import", "--from", "fossil", "-R", git).stderr).toMatch(/is a git repository/);
    expect(site.gatepost("hook", "import", "--from", "husky", "-R", site.file).stderr).toMatch(
      /is a Fossil repository/,
    );
  });

  it("waits until Fossil has handed out what hooks here were given already", () => {
    site.gatepost("hook", "add", "--type", "after-receive", "--command", "true", "-R", site.file);
    site.commit();
    pass();
    add("after-receive", site.keep);
    expect(take()).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/given receipt 3 of .* Fossil's only none\./),
    });
    expect([here().length, site.list()?.length]).toEqual([1, 1]);
    site.fossilPass();
    expect(take().code).toBe(0);
    site.commit();
    expect(take().code).toBe(0);
  });

  it("waits until hooks here were given what Fossil has handed out already", () => {
    add("after-receive", site.keep);
    site.gatepost("hook", "add", "--type", "after-receive", "--command", "true", "-R", site.file);
    site.commit();
    site.fossilPass();
    expect(take()).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/^gatepost: Receipt 3 of .* still waits for hook 1/),
    });
    pass();
    expect(take().code).toBe(0);
  });

  function storeList(text: string): void {
    const hex = Buffer.from(text).toString("hex");
    world.run(["fossil", "sql", "-R", site.file], {
      env: { FOSSIL_HOME: world.at("user") },
      input: `REPLACE INTO config(name,value,mtime) VALUES('hooks',CAST(x'${hex}' AS TEXT),now());\n`,
    });
  }
});

describe("hook export --to fossil", () => {
  const make = (type: string, command: string, ...more: string[]) =>
    site.gatepost("hook", "add", "--type", type, "--command", command, "-R", site.file, ...more);

  it("gives hooks to Fossil with the position, and import takes the same ones back", () => {
    make("after-receive", site.keep, "--name", "keep");
    make("before-commit", "cat %A | grep -q commit", "--name", "gate");
    site.commit();
    pass();
    const had = site.got();
    expect(once(had)).toEqual(once(site.receivedAfter(2)));
    site.commit();
    expect(give()).toEqual(
      fails(
        0,
        "2 hooks given to Fossil, which goes on after receipt 3. Here they are switched off; to forget them: gatepost hook delete 1 2\n",
      ),
    );
    expect(site.list()).toEqual([
      { cmd: site.keep, type: "after-receive", seq: 10 },
      { cmd: "sh -c 'cat %A | grep -q commit'", type: "before-commit", seq: 10 },
    ]);
    expect([site.row("hook-last-rcvid"), site.row("gatepost-take-over")]).toEqual(["3", null]);
    expect(pass().code).toBe(0);
    expect(site.got()).toHaveLength(had.length);
    site.commit();
    site.fossilPass();
    expect(once(site.got())).toEqual(once(site.receivedAfter(2)));
    expect(take().stderr).toMatch(/^2 hooks taken over after receipt 5\./);
    expect(here()).toMatchObject([
      { id: 1, name: "keep", type: "after-receive" },
      { id: 2, name: "gate", type: "before-commit", command: "cat %A | grep -q commit" },
    ]);
    site.commit();
    pass();
    expect(once(site.got())).toEqual(once(site.receivedAfter(2)));
  });

  it("is refused as a whole where Fossil cannot express one, with each reason", () => {
    make("after-receive", "date +%%F", "--name", "dated");
    make("after-receive", "true", "--retries", "3");
    make("after-receive", "false");
    expect(give()).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /^gatepost: Fossil cannot run hook 1 \(dated\): Fossil cannot write %%F: .*; hook 2: Fossil has no --retries\. Nothing/,
      ),
    });
    expect([here().map(({ type }) => type), site.list()]).toEqual([Array(3).fill("after-receive"), null]);
    expect(give("3").stderr).toMatch(/^1 hook given to Fossil/);
    expect(site.list()).toEqual([{ cmd: "false", type: "after-receive", seq: 10 }]);
  });

  it("names what stays, and refuses it when it is named", () => {
    make("commit-msg", "true");
    make("disabled", "x");
    expect(give().stderr).toMatch(/^1 hook given to Fossil\. .*\nhook 1 stays here: Fossil has no commit-msg hooks\n$/);
    expect(site.list()).toEqual([{ cmd: "x", type: "disabled", seq: 10 }]);
    expect(give("1")).toMatchObject({ code: 2, stderr: expect.stringContaining("Fossil has no commit-msg hooks") });
    expect(give()).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^There is no hook that could go to Fossil/),
    });
  });

  it("says when Fossil will run gates in another order", () => {
    make("before-commit", "true", "--sequence", "9");
    make("before-commit", "echo", "--sequence", "10");
    expect(give().stderr).toContain("Mind: Fossil runs before-commit hooks in the order of their number's text");
  });

  it("waits for runs that are not at their end", async () => {
    const fifo = join(site.checkout, "fifo");
    world.run(["mkfifo", fifo]);
    make("after-receive", `echo >>${fifo}.begun; cat ${fifo}`);
    site.commit();
    const running = world.call(["backoffice", site.file]);
    await until("the hook has begun", () => fs.existsSync(`${fifo}.begun`));
    expect(give()).toMatchObject({ code: 4, stderr: expect.stringMatching(/^gatepost: 1 runs? of hook 1 wait/) });
    expect([here()[0]?.type, site.list()]).toEqual(["after-receive", null]);
    fs.writeFileSync(fifo, "");
    await running;
    expect(give().code).toBe(0);
  });
});
