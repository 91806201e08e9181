/** Shims that somebody edited: what people wrote is kept, said, and no longer in the way; and no other file is taken for one. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { takeEdited } from "../../src/home/edited.ts";
import { deleteHooks } from "../../src/home/hooks.ts";
import { shimText } from "../../src/shim/put.ts";
import { makeWorld } from "../helpers/cli.ts";
import { rewriteSealed, unseal } from "../helpers/sealed.ts";
import { enter } from "../helpers/served.ts";
import { add, contents, everyHook, logIn, natives, put, registered, takeOut } from "../helpers/standing.ts";

const world = makeWorld();
enter(world);
afterAll(() => world.remove());

const { notes, committing } = logIn(world);

let number = 0;
async function gated(type = "before-commit") {
  number += 1;
  const tree = world.workTree(`tree ${number}`);
  const hooks = join(tree, ".git", "hooks");
  const at = await registered(tree);
  add(at, notes("ours"), type);
  return { ...at, tree, hooks };
}

type Edit = [what: string, edit: (text: string) => string];
const insert =
  (line: number, ...lines: string[]) =>
  (text: string) => {
    const all = text.split("\n");
    all.splice(line, 0, ...lines);
    return all.join("\n");
  };
const edits: Edit[] = [
  ["a line below the mark", insert(2, "echo mine")],
  ["lines above the mark", insert(1, "echo mine", "echo more")],
  ["a line at the end", (text) => `${text}echo mine\n`],
  ["a line taken out", (text) => text.split("\n").toSpliced(10, 1).join("\n")],
  ["a line with a carriage return", insert(3, "# mine\r")],
];
function edit(file: string, change = insert(2, "echo mine")): Buffer {
  const before = fs.readFileSync(file, "latin1");
  const text = change(before);
  expect(text).not.toBe(before);
  fs.writeFileSync(file, text, "latin1");
  return fs.readFileSync(file);
}

describe("a shim that somebody edited", () => {
  it.for(edits)("by %s is kept beside its place, and ours stands there again", async ([, change]) => {
    const at = await gated();
    const file = join(at.hooks, "pre-commit");
    const written = edit(file, change);
    add(at, notes("second"));
    expect(takeEdited()).toEqual([`${file}.edited-1`]);
    expect(fs.readFileSync(`${file}.edited-1`)).toEqual(written);
    expect(fs.readFileSync(file, "latin1")).toBe(shimText("gate"));
    expect(committing(at.tree)).toEqual(["ours", "second"]);
  });

  const kept = (file: string) =>
    `Mind: a shim of ours was edited by hand; it no longer runs, and is kept as ${file}.edited-1.\n`;
  const adding = ["hook", "add", "--type", "before-commit", "--command", "true"];
  const calls: [call: string, args: string[], name: string][] = [
    ["init", ["init"], "post-receive"],
    ["init", ["init"], "pre-commit"],
    ["an edit of hooks", adding, "pre-commit"],
    ["the end of a hook", ["hook", "delete", "1"], "pre-commit"],
    ["doctor --fix", ["doctor", "--fix"], "pre-commit"],
    ["uninstall", ["uninstall"], "pre-commit"],
    ["uninstall", ["uninstall"], "post-receive"],
  ];
  it.for(calls)("is named by %s (%s: %s)", async ([, args, name]) => {
    const at = await gated();
    const file = join(at.hooks, name);
    const written = edit(file);
    const { code, stderr } = world.gatepost(args, { cwd: at.tree });
    expect(code).toBe(0);
    expect(stderr).toContain(kept(file));
    expect(stderr.split("edited by hand")).toHaveLength(2);
    expect(fs.readFileSync(`${file}.edited-1`)).toEqual(written);
    expect(world.gatepost(["init"], { cwd: at.tree }).stderr).not.toContain("edited by hand");
  });

  it("is in what init and doctor print as JSON", async () => {
    const at = await gated();
    const file = join(at.hooks, "pre-commit");
    edit(file);
    const fixed = JSON.parse(world.gatepost(["doctor", "--fix", "--json"], { cwd: at.tree }).stdout);
    expect(fixed.edited).toEqual([`${file}.edited-1`]);
    edit(file);
    const done = JSON.parse(world.gatepost(["init", "--json"], { cwd: at.tree }).stdout);
    expect(done.registered[0].edited).toEqual([`${file}.edited-2`]);
  });

  it("is kept each time, and not twice where a call died after it kept it", async () => {
    const at = await gated();
    const file = join(at.hooks, "pre-commit");
    const first = edit(file, insert(2, "echo 1"));
    add(at, "true");
    const again = edit(file, insert(2, "echo 2"));
    fs.linkSync(file, `${file}.edited-2`);
    add(at, "true");
    expect(natives(at.hooks).filter((name) => name.includes("edited"))).toEqual([
      "pre-commit.edited-1",
      "pre-commit.edited-2",
    ]);
    expect(fs.readFileSync(`${file}.edited-1`)).toEqual(first);
    expect(fs.readFileSync(`${file}.edited-2`)).toEqual(again);
  });

  it("does not keep the hook that was there before from coming back", async () => {
    const tree = world.workTree("before");
    const hooks = join(tree, ".git", "hooks");
    put(join(hooks, "pre-commit"), `#!/bin/sh\n${notes("earlier")}\n`);
    const before = contents(hooks);
    const at = await registered(tree);
    add(at, notes("ours"));
    const written = edit(join(hooks, "pre-commit"));
    await takeOut(at);
    const { "pre-commit.edited-1": copy, ...rest } = contents(hooks);
    expect(rest).toEqual(before);
    expect(copy).toBe(`755 ${written.toString("hex")}`);
    expect(committing(tree)).toEqual(["earlier"]);
  });

  it("is kept where it stands behind the receive shim, too", async () => {
    for (const replace of [
      (at: Awaited<ReturnType<typeof gated>>) => void add(at, "true"),
      (at: Awaited<ReturnType<typeof gated>>) => everyHook(at, deleteHooks),
      takeOut,
    ]) {
      const at = await gated("git:post-checkout");
      const file = join(at.hooks, "gatepost", "after", "post-checkout");
      const written = edit(file);
      await replace(at);
      expect(fs.readFileSync(`${file}.edited-1`)).toEqual(written);
    }
  });

  it("is kept where another program renamed it to NAME.old", async () => {
    const at = await gated();
    const old = join(at.hooks, "pre-commit.old");
    fs.renameSync(join(at.hooks, "pre-commit"), old);
    const written = edit(old);
    await takeOut(at);
    expect(fs.readFileSync(`${old}.edited-1`)).toEqual(written);
    expect(fs.existsSync(old)).toBe(false);
  });
});

describe("a shim that nobody edited", () => {
  type Make = [what: string, make: (file: string) => void];
  const versions: Make[] = [
    ["of another version", (file) => rewriteSealed(file, (text) => `${text}# newer\n`)],
    ["of the version before, which had no sum", unseal],
    [
      "whose line ends Git changed",
      (file) => fs.writeFileSync(file, fs.readFileSync(file, "latin1").replaceAll("\n", "\r\n"), "latin1"),
    ],
  ];
  it.for(versions)("%s is replaced and leaves no copy, nor does it stay after uninstall", async ([, make]) => {
    const at = await gated();
    const files = contents(at.hooks);
    const change = () => {
      for (const name of ["pre-commit", "post-receive"]) make(join(at.hooks, name));
    };
    change();
    expect(contents(at.hooks)).not.toEqual(files);
    add(at, "true");
    expect(contents(at.hooks)).toEqual(files);
    change();
    await takeOut(at);
    expect(contents(at.hooks)).toEqual({});
    expect(takeEdited()).toEqual([]);
  });

  it("holds the sum of its text, and the version that the rest of the runtime holds", () => {
    for (const kind of ["receive", "gate", "rest"] as const) expect(shimText(kind)).not.toMatch(/@[A-Z]+@/);
    const version = (text: string, name: string) => new RegExp(`${name}=([0-9a-f]{16})\\b`).exec(text)?.[1];
    const wanted = version(shimText("gate"), "_gatepost_version");
    expect(wanted).toBeDefined();
    expect(version(shimText("rest"), "_gatepost_rest")).toBe(wanted);
  });
});

describe("another's hook that looks like a shim", () => {
  const marks = [
    "# gatepost shim of my own",
    "# gatepost shim 1",
    "# gatepost shim 1 gate",
    "# gatepost shim 1 0123abc",
  ];
  it.for(marks)("by its second line (%s) runs first, and comes back", async (mark) => {
    number += 1;
    const tree = world.workTree(`another ${number}`);
    const hooks = join(tree, ".git", "hooks");
    put(join(hooks, "pre-commit"), `#!/bin/sh\n${mark}\n${notes("earlier")}\n`);
    const before = contents(hooks);
    const at = await registered(tree);
    add(at, notes("ours"));
    expect(committing(tree)).toEqual(["earlier", "ours"]);
    await takeOut(at);
    expect(contents(hooks)).toEqual(before);
  });
});
