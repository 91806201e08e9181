/** `hook apply`: the hooks of a home as a file says, by the built program on real repositories. */
import * as fs from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeWorld, type Outcome, type World } from "../helpers/cli.ts";

type Spec = Record<string, unknown>;

let world: World;
let home: string;

beforeEach(() => {
  world = makeWorld();
  home = world.at("home");
  const paths = ["a.git", "b.git"].map((name) => world.bare(name));
  expect(world.gatepost(["init", "--home", home, ...paths]).code).toBe(0);
});
afterEach(() => world.remove());

const apply = (hooks: readonly Spec[], ...args: string[]): Outcome =>
  world.gatepost(["hook", "apply", "--home", home, "-", ...args], { input: JSON.stringify({ gatepost: 1, hooks }) });
const hook = (...args: string[]): Outcome => world.gatepost(["hook", ...args, "--home", home]);
const exported = (): Spec[] => (JSON.parse(hook("export").stdout) as { hooks: Spec[] }).hooks;

function rows<T>(sql: string): T[] {
  const db = new SQLite(join(home, "gatepost.db"), { readonly: true });
  try {
    return db.prepare(sql).all() as T[];
  } finally {
    db.close();
  }
}

/** Everything that an apply could write: by content, and by times and inodes. */
function picture(): string[] {
  const files = [join(home, "hooks.json"), ...["gates", "a.git/hooks"].flatMap((folder) => below(folder))];
  return files.map((file) => {
    const { mtimeNs, ino } = fs.statSync(file, { bigint: true });
    return `${file} ${mtimeNs} ${ino}`;
  });
}
function below(folder: string): string[] {
  const path = folder === "gates" ? join(home, "gates") : world.at(folder);
  return (fs.readdirSync(path, { recursive: true }) as string[]).map((name) => join(path, name));
}

const gate = { name: "gate", all: true, type: "before-receive", command: "exit 1" };
const ci = { name: "ci", repository: "a.git", type: "after-receive", command: "make", retries: 3 };

describe("hook apply", () => {
  it("adds, changes and deletes until the home is as the file says, and then writes nothing", () => {
    hook("add", "--all", "--name", "own", "--type", "before-ref", "--command", "true");
    const first = apply([gate, ci]);
    expect(first).toEqual({
      stdout:
        "hook 2 (gate) added: before-receive, sequence 10, for every repository of the home\n" +
        "hook 3 (ci) added: after-receive, sequence 10, for a.git\n" +
        "left alone, not being in the file nor made by apply: hook 1 (own)\n" +
        "2 added, 0 changed, 0 deleted, 0 unchanged\n",
      stderr: "",
      code: 0,
    });
    const work = world.clone(world.at("a.git"));
    world.commit(work);
    expect(world.run(["git", "push", "-q", "origin", "main"], { cwd: work }).code).toBe(1); // the gate stands

    const before = picture();
    const audit = rows("SELECT * FROM hook_audit");
    expect(apply([gate, ci]).stdout).toContain("0 added, 0 changed, 0 deleted, 2 unchanged\n");
    expect(picture()).toEqual(before);
    expect(rows("SELECT * FROM hook_audit")).toEqual(audit);

    const second = apply([{ ...gate, command: "true", sequence: -2 }]);
    expect(second.stdout).toBe(
      "hook 2 (gate) changed:\n    sequence: 10 → -2\n    command: exit 1 → true\n" +
        "hook 3 (ci) deleted: after-receive\n" +
        "left alone, not being in the file nor made by apply: hook 1 (own)\n" +
        "0 added, 1 changed, 1 deleted, 0 unchanged\n",
    );
    expect(world.run(["git", "push", "-q", "origin", "main"], { cwd: work }).code).toBe(0);
    expect(rows("SELECT action, hook FROM hook_audit WHERE id > 3")).toEqual([
      { action: "delete", hook: 3 },
      { action: "edit", hook: 2 },
    ]);
    expect(exported().map(({ name }) => name)).toEqual(["own", "gate"]);
  });

  it("only prints with --dry-run, and exits 0", () => {
    apply([gate]);
    const before = [...picture(), JSON.stringify(exported())];
    const dry = apply([{ ...gate, command: "true" }, ci], "--dry-run");
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(dry.stdout).toContain("hook ci would be added: after-receive");
    expect(dry.stdout).toContain("hook 1 (gate) would be changed:\n    command: exit 1 → true\n");
    expect(dry.stdout).toContain("1 added, 1 changed, 0 deleted, 0 unchanged (nothing was done)\n");
    expect(JSON.parse(apply([ci], "--dry-run", "--json").stdout)).toMatchObject({
      dryRun: true,
      added: [{ name: "ci" }],
      deleted: [{ id: 1, name: "gate" }],
      unchanged: 0,
    });
    expect([...picture(), JSON.stringify(exported())]).toEqual(before);
  });

  it("takes over by name what was made by hand, and deletes that from then on when the file has it no more", () => {
    hook("add", "-R", "a.git", "--name", "ci", "--type", "after-receive", "--command", "make", "--retries", "3");
    const audit = rows("SELECT * FROM hook_audit");
    expect(apply([ci]).stdout).toContain("hook 1 (ci) taken over: as the file says already\n");
    expect(rows("SELECT * FROM hook_audit")).toEqual(audit);
    expect(apply([ci]).stdout).toBe("0 added, 0 changed, 0 deleted, 1 unchanged\n");
    expect(apply([]).stdout).toContain("hook 1 (ci) deleted");
    expect(exported()).toEqual([]);
  });

  it("deletes with --prune what it did not make, nameless hooks too", () => {
    hook("add", "--all", "--type", "before-ref", "--command", "true");
    hook("add", "--all", "--name", "own", "--type", "before-ref", "--command", "true");
    expect(apply([gate]).stdout).toContain(
      "left alone, not being in the file nor made by apply: hook 1, hook 2 (own)\n",
    );
    expect(apply([gate], "--prune").stdout).toBe(
      "hook 1 deleted: before-ref\nhook 2 (own) deleted: before-ref\n0 added, 0 changed, 2 deleted, 1 unchanged\n",
    );
    expect(exported().map(({ name }) => name)).toEqual(["gate"]);
  });

  it("speaks with -R only of the hooks of that repository's own scope", () => {
    apply([gate, ci]);
    const own = (hooks: readonly Spec[], ...args: string[]) => apply(hooks, "-R", "b.git", ...args);
    const { repository: _, ...anywhere } = ci;
    expect(own([{ ...anywhere, name: "mine" }]).stdout).toBe(
      "hook 3 (mine) added: after-receive, sequence 10, for b.git\n1 added, 0 changed, 0 deleted, 0 unchanged\n",
    );
    expect(own([{ ...ci, name: "mine" }]).stdout).toBe("0 added, 0 changed, 0 deleted, 1 unchanged\n");
    expect(own([gate]).stderr).toContain("hooks[0].all: is for more than b.git. Nothing was changed.");
    expect(own([ci]).stderr).toContain("hooks[0].name: hook 2 has that name and is not only for b.git.");
    expect(own([], "--prune").stdout).toBe(
      "hook 3 (mine) deleted: after-receive\n0 added, 0 changed, 1 deleted, 0 unchanged\n",
    );
    expect(exported().map(({ name }) => name)).toEqual(["gate", "ci"]);
  });

  it("keeps what export printed as it is: scopes, lists of patterns, disabled hooks with their type", () => {
    apply([
      gate,
      { name: "several", pattern: ["a*", "b.git"], type: "before-ref", command: "true", advisory: true },
      { name: "off", repository: "b.git", type: "disabled", wasType: "before-receive", command: "false" },
      { name: "one", pattern: "b*", type: "update", command: "true" },
    ]);
    const hooks = exported();
    expect(hooks.map(({ all, pattern, repository }) => all ?? pattern ?? repository)).toEqual([
      ...[true, ["a*", "b.git"], "b.git", "b*"],
    ]);
    expect(apply(hooks).stdout).toBe("0 added, 0 changed, 0 deleted, 4 unchanged\n");
    hook("enable", "off");
    expect(apply(hooks).stdout).toContain(
      "hook 3 (off) changed:\n    type: before-receive → disabled\n    wasType: (none) → before-receive\n",
    );
    expect(exported()).toEqual(hooks);
    expect(fs.readdirSync(join(home, "gates")).filter((name) => name.endsWith("before-ref"))).toHaveLength(2);
  });
});

describe("a file that cannot be applied", () => {
  const refused = (hooks: readonly Spec[]): string[] => {
    const before = [...picture(), JSON.stringify(exported())];
    const { stderr, stdout, code } = apply(hooks);
    expect([stdout, code, ...picture(), JSON.stringify(exported())]).toEqual(["", 2, ...before]);
    return stderr.split("\n");
  };

  it("has every mistake named, and nothing changes", () => {
    apply([gate]);
    const { name: _, ...nameless } = ci;
    expect(
      refused([nameless, gate, gate, { ...ci, repository: "c.git" }, { ...ci, name: "d", command: "if" }]),
    ).toEqual([
      "gatepost: 4 mistakes. Nothing was changed.",
      '  hooks[0]: has no "name"',
      "  hooks[2].name: there is another hook gate in this file",
      '  hooks[3].repository: "c.git" is not registered here',
      expect.stringMatching(/^ {2}hooks\[4\]\.command: sh cannot read this command: /),
      "The format is the one that gatepost hook export prints.",
      "",
    ]);
  });

  it("is told what a hook could not be stored for", () => {
    const before = exported();
    for (const [spec, message] of [
      [{ ...ci, advisory: true }, "hooks[0]: --advisory is not for after-receive hooks"],
      [{ ...ci, command: " " }, "hooks[0].command: The command is empty"],
      [{ ...ci, command: "echo \ud83d" }, "hooks[0].command: has half of a character"],
      [{ ...ci, command: "echo $((%R))" }, "hooks[0].command: "],
      [{ ...ci, type: "start-commit" }, "hooks[0].type: A Git repository cannot fire start-commit hooks"],
      [{ name: "x", type: "before-ref", command: "true" }, "hooks[0]: names no repository"],
    ] as const)
      expect(apply([spec])).toMatchObject({ stdout: "", stderr: expect.stringContaining(message), code: 2 });
    expect(exported()).toEqual(before);
  });

  it("is told the line, from a file, and that there is none", () => {
    const file = world.at("hooks.json");
    fs.writeFileSync(
      file,
      '{\n "gatepost": 1,\n "hooks": [\n  {"name": "x", "typ": "before-ref", "all": true, "command": ""},\n ]\n}\n',
    );
    const call = () => world.gatepost(["hook", "apply", "--home", home, file]);
    expect(call()).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('line 5, column 2: there is a comma before this "]"'),
    });
    fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("},", "}"));
    expect(call().stderr).toContain("hooks[0].typ (line 4): is not known; did you mean type");
    fs.rmSync(file);
    expect(call()).toMatchObject({ code: 3, stderr: expect.stringContaining(`There is no file ${file}.`) });
  });
});

describe("an after-receive hook that a file brings", () => {
  const arrived = () => world.gatepost(["backoffice", "--home", home]);
  const logged = (): string => (fs.existsSync(world.at("log")) ? fs.readFileSync(world.at("log"), "utf8") : "");
  const push = (work: string, message: string): void => {
    world.commit(work, {}, message);
    world.git(["push", "-q", "origin", "main"], { cwd: work });
  };

  it("starts with what arrives from then on; the one that takes its place goes on where it was", () => {
    world.gatepost(["settings", "--home", home, "automatic-backoffice", "off"]);
    const work = world.clone(world.at("a.git"));
    push(work, "before");
    const spec = (name: string) => ({
      name,
      all: true,
      type: "after-receive",
      command: `sed 's/^/${name} /' >> ${world.at("log")}`,
    });
    expect(apply([spec("first")]).code).toBe(0);
    arrived();
    expect(logged()).toBe("");
    push(work, "between");
    expect(apply([spec("second")]).stdout).toContain("1 added, 0 changed, 1 deleted");
    arrived();
    expect(logged()).toMatch(/^second [0-9a-f]{40} check-in/);
    expect(logged().match(/check-in/g)).toHaveLength(1);
  });
});
