/** Beside the real husky and the real lefthook, in each order: what runs, what doctor says, and what is left after. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deleteHooks } from "../../src/home/hooks.ts";
import { register } from "../../src/home/init.ts";
import { makeWorld, type Outcome } from "../helpers/cli.ts";
import { enter } from "../helpers/served.ts";
import { add, contents, everyHook, logIn, natives, put, registered, takeOut } from "../helpers/standing.ts";
import { type Peers, peers } from "./import-fixture.ts";

const world = makeWorld();
enter(world);
let found: Peers | null = null;
beforeAll(async () => {
  found = await peers();
}, 130_000);
afterAll(() => world.remove());
const { notes, noted, committing } = logIn(world);

/** Where npm cannot be reached there is nothing to test beside. */
const beside = (name: string, work: (peers: Peers) => Promise<void>) =>
  it(name, async (context) => {
    if (found === null) return context.skip();
    await work(found);
  });

const must = ({ code, stdout, stderr }: Outcome): string => {
  expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
  return stdout;
};

/** What doctor finds wrong, without the folder that is always the same. */
function doctor(tree: string, ...args: string[]): { code: number | null; says: string[] } {
  const { code, stdout } = world.gatepost(["doctor", ...args], { cwd: tree });
  const says = stdout.split("\n").filter((line) => /^ {2}(WARN|FAIL|fixed)/.test(line));
  return { code, says: says.map((line) => line.trim().replaceAll(tree, "TREE")) };
}

describe("husky", () => {
  const install = ({ husky }: Peers, tree: string) => must(world.run([process.execPath, husky], { cwd: tree }));
  const script = (tree: string) => put(join(tree, ".husky", "pre-commit"), `${notes("husky")}\n`, 0o644);
  const SHADOW =
    "FAIL  The hooks folder is TREE/.husky/_, and it belongs to husky: 1 hook of ours does not run. Mend: gatepost hook import --from husky; git config --unset core.hooksPath; gatepost init";

  beside(
    "that was there is left alone; init says so, doctor says what does not run, and --fix leaves it",
    async (peers) => {
      const tree = world.workTree("husky before");
      install(peers, tree);
      script(tree);
      const before = contents(join(tree, ".husky"));
      const { noShim } = await register(tree, null);
      expect(noShim).toBe(`the hooks folder is ${tree}/.husky/_, and it belongs to husky`);
      const at = await registered(tree);
      expect(doctor(tree)).toEqual({
        code: 1,
        says: [
          "WARN  The hooks folder is TREE/.husky/_, and it belongs to husky; what arrives is found by looking at the refs, a little later. Mend: gatepost hook import --from husky; git config --unset core.hooksPath; gatepost init",
        ],
      });
      add(at, notes("ours"));
      expect(committing(tree)).toEqual(["husky"]);
      expect(doctor(tree)).toEqual({ code: 1, says: [SHADOW] });
      expect(doctor(tree, "--fix")).toEqual({ code: 1, says: [SHADOW] });
      expect(contents(join(tree, ".husky"))).toEqual(before);
      expect(world.git(["config", "core.hooksPath"], { cwd: tree })).toBe(".husky/_");
      await takeOut(at);
      expect(contents(join(tree, ".husky"))).toEqual(before);
    },
  );

  beside("that comes later switches our gates off: doctor finds it, and what it says mends it", async (peers) => {
    const tree = world.workTree("husky after");
    const at = await registered(tree);
    add(at, notes("ours"));
    install(peers, tree);
    script(tree);
    expect(committing(tree)).toEqual(["husky"]);
    expect(doctor(tree)).toEqual({ code: 1, says: [SHADOW] });
    must(world.gatepost(["hook", "import", "--from", "husky"], { cwd: tree }));
    world.git(["config", "--unset", "core.hooksPath"], { cwd: tree });
    must(world.gatepost(["init"], { cwd: tree }));
    expect(committing(tree).sort()).toEqual(["husky", "ours"]);
    expect(doctor(tree)).toEqual({ code: 0, says: [] });
  });
});

describe("lefthook", () => {
  let written = Date.now() / 1000;
  /** Lefthook looks at its file again only when that is from another second. */
  const configure = (tree: string, word: string) => {
    const file = put(
      join(tree, "lefthook.yml"),
      `pre-commit:\n  jobs:\n    - name: it\n      run: ${notes(word)}\n`,
      0o644,
    );
    written += 10;
    fs.utimesSync(file, written, written);
  };
  const lefthook = ({ lefthook: program }: Peers, tree: string, verb: string) =>
    void must(world.run([program, verb], { cwd: tree }));
  /** Lefthook skips its jobs where nothing is staged. */
  const change = (tree: string): string[] => {
    fs.appendFileSync(join(tree, "changed"), "x");
    world.git(["add", "-A"], { cwd: tree });
    noted();
    world.git(["commit", "-q", "-m", "m"], { cwd: tree });
    return noted();
  };
  const SHADOW = [
    "FAIL  pre-commit is lefthook's: 1 hook of ours does not run. Mend: gatepost doctor --fix; so that it does not come back: gatepost hook import --from lefthook --take",
    "WARN  Another program renamed shims of ours: pre-commit.old. Mend: gatepost doctor --fix",
  ];
  const FIXED = [
    "fixed pre-commit is lefthook's: 1 hook of ours does not run.",
    "fixed Another program renamed shims of ours: pre-commit.old.",
  ];

  beside(
    "that was there runs first, until it installs itself again over our shim, which doctor mends",
    async (peers) => {
      const tree = world.workTree("lefthook before");
      configure(tree, "first");
      lefthook(peers, tree, "install");
      const hooks = join(tree, ".git", "hooks");
      const before = contents(hooks);
      const at = await registered(tree);
      add(at, notes("ours"));
      expect(change(tree)).toEqual(["first", "ours"]);
      everyHook(at, deleteHooks);
      expect(contents(hooks)["pre-commit"]).toBe(before["pre-commit"]);
      add(at, notes("ours"));
      configure(tree, "second"); // which lefthook notices when it runs, and installs itself
      expect(change(tree)).toEqual(["second", "ours"]);
      expect(change(tree)).toEqual(["second"]);
      expect(doctor(tree)).toEqual({ code: 1, says: SHADOW });
      expect(doctor(tree, "--fix")).toEqual({ code: 0, says: FIXED });
      expect(doctor(tree, "--fix")).toEqual({ code: 0, says: [] });
      expect(change(tree)).toEqual(["second", "ours"]);
      await takeOut(at);
      expect(contents(hooks)).toEqual(before);
      expect(change(tree)).toEqual(["second"]);
    },
  );

  beside(
    "that comes later renames our shim: doctor finds and mends it, again and again, and nothing piles up",
    async (peers) => {
      const tree = world.workTree("lefthook after");
      const hooks = join(tree, ".git", "hooks");
      const at = await registered(tree);
      add(at, notes("ours"));
      configure(tree, "theirs");
      for (let round = 0; round < 3; round += 1) {
        lefthook(peers, tree, "install");
        expect(change(tree)).toEqual(["theirs"]);
        expect(doctor(tree)).toEqual({ code: 1, says: SHADOW });
        expect(doctor(tree, "--fix")).toEqual({ code: 0, says: FIXED });
        expect(change(tree)).toEqual(["theirs", "ours"]);
      }
      expect(fs.readdirSync(join(hooks, "gatepost", "chained"))).toEqual(["pre-commit"]);
      lefthook(peers, tree, "install");
      await takeOut(at);
      expect(natives(hooks)).toEqual(["pre-commit"]);
      expect(fs.existsSync(join(hooks, "gatepost"))).toBe(false);
      expect(change(tree)).toEqual(["theirs"]);
    },
  );

  beside("that goes gives our shim its place back", async (peers) => {
    const tree = world.workTree("lefthook gone");
    const at = await registered(tree);
    add(at, notes("ours"));
    configure(tree, "theirs");
    lefthook(peers, tree, "install");
    lefthook(peers, tree, "uninstall");
    expect(committing(tree)).toEqual(["ours"]);
    expect(doctor(tree)).toEqual({ code: 0, says: [] });
  });
});
