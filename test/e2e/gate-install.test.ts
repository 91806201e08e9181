/** Shims among the hooks of others: which files appear and go, what runs in which order, and that all of it comes back. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { HookSpec } from "../../src/core/hook.ts";
import { refreshGates } from "../../src/home/gates.ts";
import { deleteHooks, disableHooks, editHooks, enableHooks } from "../../src/home/hooks.ts";
import { listHooks } from "../../src/store/hook.ts";
import { makeWorld } from "../helpers/cli.ts";
import { enter } from "../helpers/served.ts";
import { add, contents, everyHook, logIn, natives, put, registered, takeOut, withHome } from "../helpers/standing.ts";

const world = makeWorld();
enter(world);
afterAll(() => world.remove());

const { notes, noted, committing, commit: refusing } = logIn(world);
const log = world.at("log");

describe("the files in the hooks folder", () => {
  it("appear for types with enabled hooks only, and go with the last one", async () => {
    const tree = world.workTree("types");
    const hooks = join(tree, ".git", "hooks");
    const at = await registered(tree);
    const bare = contents(hooks);
    expect(natives(hooks)).toEqual(["post-receive"]);
    const id = add(at, "true");
    const gates = ["post-receive", "pre-commit", "pre-merge-commit"];
    expect(natives(hooks)).toEqual(gates);
    everyHook(at, disableHooks);
    expect(contents(hooks)).toEqual(bare);
    everyHook(at, enableHooks);
    expect(natives(hooks)).toEqual(gates);
    withHome(at, (home) =>
      editHooks(
        home,
        listHooks(home.db).filter((hook) => hook.id === id),
        { type: "commit-msg" },
      ),
    );
    expect(natives(hooks)).toEqual(["commit-msg", "post-receive"]);
    add(at, "true", "git:post-checkout");
    expect(natives(hooks)).toEqual(["commit-msg", "post-checkout", "post-receive"]);
    everyHook(at, deleteHooks);
    expect(contents(hooks)).toEqual(bare);
  });

  it("follow the scope of a hook from repository to repository", async () => {
    const home = world.at("scopes", "home");
    const [a, b] = [await registered(world.bare("a.git"), home), await registered(world.bare("b.git"), home)];
    const standing = () => [a, b].map(({ path }) => fs.existsSync(join(path, "hooks", "pre-receive")));
    add(a, "true", "before-receive");
    expect(standing()).toEqual([true, false]);
    const scope = (change: Partial<HookSpec>) => withHome(a, (open) => editHooks(open, listHooks(open.db), change));
    scope({ scope: { scope: "pattern", pattern: "b*" } });
    expect(standing()).toEqual([false, true]);
    scope({ scope: { scope: "all" } });
    expect(standing()).toEqual([true, true]);
    everyHook(a, deleteHooks);
    expect(standing()).toEqual([false, false]);
  });

  it("are right after init and hook add at the same time, many times over", async () => {
    const tree = world.workTree("together");
    const hooks = join(tree, ".git", "hooks");
    put(join(hooks, "pre-commit"), `#!/bin/sh\n${notes("earlier")}\n`);
    put(join(hooks, "post-receive"), `#!/bin/sh\n:\n`);
    const before = contents(hooks);
    const at = await registered(tree);
    const calls = [
      ["init"],
      ["init"],
      ["hook", "add", "--type", "before-commit", "--command", notes("ours")],
      ["init"],
    ];
    for (const { code, stderr } of await Promise.all(calls.map((args) => world.call(args, { cwd: tree }))))
      expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    expect(committing(tree)).toEqual(["earlier", "ours"]);
    await registered(tree);
    expect(committing(tree)).toEqual(["earlier", "ours"]);
    await takeOut(at);
    expect(contents(hooks)).toEqual(before);
  });
});

describe("a hook that was there", () => {
  type Kind = [name: string, runs: boolean, make: (file: string, tree: string) => void];
  const script = `#!/bin/sh\n${notes("earlier")}\n`;
  const kinds: Kind[] = [
    ["executable", true, (file) => put(file, script)],
    ["of its owner alone", true, (file) => put(file, script, 0o700)],
    ["without a first line for the kernel", true, (file) => put(file, `${notes("earlier")}\n`)],
    ["not executable", false, (file) => put(file, script, 0o644)],
    [
      "a relative link",
      true,
      (file, tree) => {
        put(join(tree, "scripts", "check"), script);
        fs.symlinkSync("../../scripts/check", file);
      },
    ],
    [
      "an absolute link",
      true,
      (file, tree) => {
        put(join(tree, "scripts", "check"), script);
        fs.symlinkSync(join(tree, "scripts", "check"), file);
      },
    ],
    ["a link to nothing", false, (file) => fs.symlinkSync("../nowhere", file)],
  ];

  it.for(kinds)("%s runs first as it did, and comes back as it was", async ([name, runs, make]) => {
    const tree = world.workTree(`kind ${name}`);
    const hooks = join(tree, ".git", "hooks");
    const file = join(hooks, "pre-commit");
    make(file, tree);
    const linked = join(tree, "scripts", "check");
    const target = fs.existsSync(linked) ? fs.readFileSync(linked) : null;
    const before = contents(hooks);
    const earlier = runs ? ["earlier"] : [];
    expect(committing(tree)).toEqual(earlier);
    const at = await registered(tree);
    const registeredOnly = contents(hooks);
    expect(registeredOnly["pre-commit"]).toBe(before["pre-commit"]);
    add(at, notes("ours"));
    expect(committing(tree)).toEqual([...earlier, "ours"]);
    everyHook(at, deleteHooks);
    expect(contents(hooks)).toEqual(registeredOnly);
    expect(committing(tree)).toEqual(earlier);
    add(at, notes("ours"));
    if (target !== null) expect(fs.readFileSync(linked)).toEqual(target);
    await takeOut(at);
    expect(contents(hooks)).toEqual(before);
    expect(committing(tree)).toEqual(earlier);
  });

  it("of carriage returns fails as it did, and comes back as it was", async () => {
    const tree = world.workTree("returns");
    const hooks = join(tree, ".git", "hooks");
    put(join(hooks, "pre-commit"), "#!/bin/sh\r\nexit 0\r\n");
    const before = contents(hooks);
    expect(refusing(tree).code).toBe(1);
    const at = await registered(tree);
    add(at, notes("ours"));
    expect(refusing(tree).code).toBe(1);
    expect(noted()).toEqual([]);
    await takeOut(at);
    expect(contents(hooks)).toEqual(before);
  });

  it("gets the arguments and the input that git gave, and so do ours after it", async () => {
    const remote = world.bare("remote.git");
    const tree = world.clone(remote, "pushing");
    const tell = (who: string) => `{ echo "${who} $*"; sed 's/^/${who} /'; } >>'${log}'`;
    const folder = (repository: string) => join(repository, "hooks");
    put(join(folder(join(tree, ".git")), "pre-push"), `#!/bin/sh\n${tell("earlier")}\n`);
    put(join(folder(join(tree, ".git")), "prepare-commit-msg"), `#!/bin/sh\n${tell("earlier")}\n`);
    put(join(folder(remote), "pre-receive"), `#!/bin/sh\n${tell("earlier")}\n`);
    put(join(folder(remote), "update"), `#!/bin/sh\n${tell("earlier")}\n`);
    const [at, server] = [await registered(tree), await registered(remote)];
    for (const type of ["before-push", "git:prepare-commit-msg"]) add(at, tell("ours"), type);
    for (const type of ["before-receive", "before-ref"]) add(server, tell("ours"), type);
    const twice = (lines: readonly string[]) => {
      const of = (who: string) => lines.flatMap((line) => (line.startsWith(`${who} `) ? [line.slice(who.length)] : []));
      expect(of("earlier").length).toBeGreaterThan(0);
      expect(of("ours")).toEqual(of("earlier"));
      return lines.length;
    };
    twice(committing(tree));
    for (let number = 0; number < 30; number += 1) world.git(["branch", `b${number}`], { cwd: tree });
    noted();
    world.git(["push", "-q", "--all"], { cwd: tree });
    expect(twice(noted())).toBeGreaterThan(4 * 31);
  });

  it("that refuses is the verdict; ours do not run and are named", async () => {
    const tree = world.workTree("refused");
    put(join(tree, ".git", "hooks", "pre-commit"), "#!/bin/sh\nexit 3\n");
    const at = await registered(tree);
    add(at, notes("ours"));
    const { code, stderr } = refusing(tree);
    expect(code).toBe(1);
    expect(stderr).toContain("the pre-commit hook that was there before refused this commit. Not run: ");
    expect(noted()).toEqual([]);
  });

  it("that is a folder stays; git fails at it, and uninstall leaves it", async () => {
    const tree = world.workTree("folder");
    const hooks = join(tree, ".git", "hooks");
    fs.mkdirSync(join(hooks, "pre-commit"));
    const before = contents(hooks);
    const at = await registered(tree);
    add(at, notes("ours"));
    expect(refusing(tree).code).not.toBe(0);
    await takeOut(at);
    expect(contents(hooks)).toEqual(before);
  });

  it("comes back where somebody removed the shim before", async () => {
    const tree = world.workTree("removed");
    const hooks = join(tree, ".git", "hooks");
    put(join(hooks, "pre-commit"), script);
    const before = contents(hooks);
    const at = await registered(tree);
    add(at, notes("ours"));
    fs.rmSync(join(hooks, "pre-commit"));
    await takeOut(at);
    expect(contents(hooks)).toEqual(before);
  });
});

describe("the setting path", () => {
  it("is that of the gates of pushes as soon as it is set, and as soon as it is unset", async () => {
    const remote = world.bare("path.git");
    const at = await registered(remote);
    const tree = world.clone(remote, "path");
    add(at, `echo "$PATH" >>'${log}'`, "before-receive");
    const pushing = () => {
      world.commit(tree);
      world.git(["push", "-q", "origin", "HEAD"], { cwd: tree });
      return noted();
    };
    const [first = ""] = pushing();
    const set = (...args: string[]) => expect(world.gatepost(["settings", ...args], { cwd: remote }).code).toBe(0);
    set("path", "/opt/own/bin:/usr/bin:/bin");
    expect(first).not.toContain("/opt/own/bin");
    expect(pushing()).toEqual([expect.stringContaining("/opt/own/bin:/usr/bin:/bin")]);
    set("path", "--unset");
    expect(pushing()).toEqual([first]);
    expect(fs.existsSync(join(at.home, "gates", "stale"))).toBe(false);
  });
});

describe("a hooks folder that cannot be written", () => {
  it("is named, and keeps no other repository from its gates", async () => {
    const home = world.at("blocked", "home");
    const [a, b] = [await registered(world.bare("blocked.git"), home), await registered(world.bare("free.git"), home)];
    fs.writeFileSync(join(a.path, "hooks", "gatepost"), "in the way");
    const added = () => add(a, "true", "before-receive", { scope: "all" });
    expect(added).toThrow(`The hooks folder ${join(a.path, "hooks")} cannot be written`);
    expect(fs.existsSync(join(b.path, "hooks", "pre-receive"))).toBe(true);
    fs.rmSync(join(a.path, "hooks", "gatepost"));
    withHome(a, refreshGates);
    expect(fs.existsSync(join(a.path, "hooks", "pre-receive"))).toBe(true);
  });
});
