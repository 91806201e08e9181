import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { layout } from "../../src/core/layout.ts";
import { register } from "../../src/home/init.ts";
import { registerPath } from "../../src/home/register.ts";
import { entryNames } from "../../src/spool/drain.ts";
import { makeWorld } from "../helpers/cli.ts";
import { enter, entry, hearing, leave, type Served, serve, Watched } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

const main = "refs/heads/main";
const copyOf = (r: Served): string => {
  const copy = r.path.replace(/\.git$/, "-copy.git");
  world.run(["cp", "-a", r.path, copy]);
  return copy;
};
const pushTo = (r: Served, path: string): string => {
  const hash = world.commit(r.clone);
  r.git(["push", "-q", path, `HEAD:${main}`]);
  return hash;
};

/** Every file below a folder: kind, mode, and bytes or the text of a link. */
function contents(folder: string): Record<string, string> {
  const all: Record<string, string> = {};
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const file = join(entry.parentPath, entry.name);
    const { mode } = fs.lstatSync(file);
    const text = entry.isSymbolicLink() ? fs.readlinkSync(file) : entry.isFile() ? fs.readFileSync(file, "latin1") : "";
    all[file.slice(folder.length)] = `${mode.toString(8)} ${text}`;
  }
  return all;
}

test("R7: a copied repository moves nothing of the original's and runs nothing, until init makes it a home of its own", async () => {
  const r = await serve(world);
  r.hook(`echo %R >> '${r.file("ran")}'`);
  const copy = copyOf(r);
  pushTo(r, copy);
  const home = layout(join(copy, "gatepost"));
  expect(entryNames(home.spool)).toHaveLength(1);
  const refused = world.gatepost(["backoffice", copy]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("was copied or moved");
  expect(refused.stderr).toContain("gatepost init");
  await r.pass();
  expect(r.receipts()).toEqual([]);
  expect(fs.existsSync(r.file("ran"))).toBe(false);

  const said = world.gatepost(["init", copy]);
  expect(said.stdout).toContain("This is a copy: it has the hooks of the original, and a history of its own.");
  const pushed = pushTo(r, copy);
  expect(world.gatepost(["backoffice", copy])).toEqual({ stdout: "", stderr: "", code: 0 });
  expect(r.read("ran")).toBe(`${copy}\n`);
  const shown = world.gatepost(["runs", "-R", copy]).stdout;
  expect(shown).toContain(pushed.slice(0, 7));
  expect(shown).toMatch(/^b-\d+ /m);
  const own = r.push();
  await r.pass();
  expect(r.receipts()).toMatchObject([{ source: "push", updates: [entry(main, r.start, own)] }]);
});

test("R7: a copy that points to a shared home is set aside there, until init registers it beside the original", async () => {
  const home = world.at("shared-home");
  const r = await serve(world, { home });
  const copy = copyOf(r);
  const foreign = pushTo(r, copy);
  await r.pass();
  expect(r.receipts()).toEqual([]);
  expect(r.aside()).toEqual([`${copy} was copied or moved: gatepost init`]);
  const registered = await register(copy, null);
  expect(registered).toMatchObject({ home, known: false });
  const next = pushTo(r, copy);
  await r.pass();
  expect(r.receipts()).toEqual([]);
  const other = new Watched(world, r.home, registered.repository);
  expect(other.receipts()).toMatchObject([{ source: "push", updates: [entry(main, foreign, next)] }]);
});

test("R7: a repository that was moved with its home runs nothing, until init lets it go on where it was", async () => {
  const r = await serve(world);
  r.hook(`cat >> '${world.at("moved-got")}'`, { stdin: "updates" });
  const before = r.push();
  await r.pass();
  const waiting = r.push({ env: { GL_USER: "bob" } });
  const path = r.path.replace(/\.git$/, "-moved.git");
  fs.renameSync(r.path, path);
  const between = pushTo(r, path);
  const refused = world.gatepost(["backoffice", path]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("was copied or moved");
  expect(world.gatepost(["init", path]).stdout).toContain("The home was moved here and goes on.");
  const after = pushTo(r, path);
  expect(world.gatepost(["backoffice", path])).toEqual({ stdout: "", stderr: "", code: 0 });
  expect(world.gatepost(["runs", "show", "2", "-R", path]).stdout, "what waited has its pusher").toContain("by bob");
  expect(fs.readFileSync(world.at("moved-got"), "utf8").trim().split("\n")).toEqual([
    `${r.start} ${before} ${main}`,
    `${before} ${waiting} ${main}`,
    `${waiting} ${between} ${main}`,
    `${between} ${after} ${main}`,
  ]);
});

test("uninstall puts back the hooks that were there, byte for byte, with their modes and links", async () => {
  const path = world.workTree("with-hooks");
  const hooks = join(path, ".git", "hooks");
  const log = world.at("chained.log");
  const script = (name: string) => `#!/bin/sh\n# caf\xe9\necho ${name} "$@" >> '${log}'; exit 3`;
  fs.writeFileSync(join(hooks, "post-receive"), `${script("post-receive")}\ncat >> '${log}'`, "latin1");
  fs.chmodSync(join(hooks, "post-receive"), 0o750);
  fs.writeFileSync(join(hooks, "post-merge"), script("not executable"), { mode: 0o600 });
  fs.mkdirSync(join(path, "scripts"));
  fs.writeFileSync(join(path, "scripts", "commit"), script("post-commit"), { mode: 0o755, encoding: "latin1" });
  fs.symlinkSync("../../scripts/commit", join(hooks, "post-commit"));
  fs.symlinkSync(join(path, "scripts", "commit"), join(hooks, "post-rewrite"));
  const before = contents(hooks);

  const w = await hearing(world, path);
  expect(fs.lstatSync(join(hooks, "post-commit")).isSymbolicLink()).toBe(false);
  const pushed = world.commit(path, { a: "1" });
  expect(fs.readFileSync(log, "utf8"), "the earlier hook keeps running").toBe("post-commit\n");
  expect(fs.readFileSync(join(path, "scripts", "commit"), "latin1"), "and is not written through").toBe(
    script("post-commit"),
  );
  await w.pass();
  expect(w.receipts()).toMatchObject([{ source: "work", updates: [expect.stringContaining(pushed)] }]);

  const out = world.gatepost(["uninstall", "-R", path]);
  expect(out.stdout).toContain("taken out: post-receive post-commit post-merge post-rewrite post-checkout");
  expect(contents(hooks)).toEqual(before);
  expect(world.gatepost(["uninstall", "-R", path]).stdout, "once more changes nothing").toContain(
    "no shims were there",
  );
  expect(contents(hooks)).toEqual(before);
});

test("init is idempotent: the second call changes no file, and mends a shim that is gone", async () => {
  const r = await serve(world);
  const files = () => ({ ...contents(join(r.path, "hooks")), register: fs.readFileSync(registerPath(), "utf8") });
  const before = files();
  const times = () => fs.statSync(join(r.path, "hooks", "post-receive")).mtimeMs;
  const at = times();
  expect(await register(r.path, null)).toMatchObject({ known: true, how: "there", repository: { id: r.row.id } });
  expect([files(), times()]).toEqual([before, at]);
  fs.rmSync(join(r.path, "hooks", "post-receive"));
  const pushed = r.push();
  await register(r.path, null);
  expect(files()).toEqual(before);
  await r.pass();
  expect(r.receipts(), "what arrived meanwhile did arrive").toMatchObject([
    { source: "reconciled", updates: [expect.stringContaining(pushed)] },
  ]);
});

test("a repository that is taken out and registered again goes on where it was", async () => {
  const r = await serve(world);
  r.push();
  await r.pass();
  expect(world.gatepost(["uninstall", "-R", r.path]).code).toBe(0);
  const meanwhile = r.push();
  expect(r.spool()).toEqual([]);
  await register(r.path, null);
  await r.pass();
  expect(r.receipts().slice(1)).toMatchObject([
    { source: "reconciled", updates: [expect.stringContaining(meanwhile)] },
  ]);
});

test("one home serves many repositories: a hook for one runs for that one, a hook for all for each", async () => {
  const home = world.at("many");
  const one = await serve(world, { home });
  const two = await serve(world, { home });
  one.hook(`echo only "$GATEPOST_REPOSITORY" >> '${one.file("log")}'`);
  one.hook(`echo all "$GATEPOST_REPOSITORY" >> '${one.file("log")}'`, { scope: { scope: "all" } });
  one.push();
  two.push();
  await one.pass();
  const said = one.read("log").trim().split("\n").sort();
  expect(said).toEqual([`all ${one.path}`, `all ${two.path}`, `only ${one.path}`].sort());
  expect(world.gatepost(["uninstall", "-R", one.path]).code).toBe(0);
  expect(fs.existsSync(join(one.path, "gatepost")), "the pointer goes, the other's stays").toBe(false);
  two.push();
  await two.pass();
  expect(two.receipts()).toHaveLength(2);
});

test("R7: a repository that is gone is named, and the others of its home are served", async () => {
  const home = world.at("one-gone");
  const gone = await serve(world, { home });
  const there = await serve(world, { home });
  there.hook(`cat > '${there.file("got")}'`);
  fs.rmSync(gone.path, { recursive: true });
  there.push();
  await there.pass();
  expect(there.complaints).toEqual([expect.stringContaining(`${gone.row.name} cannot be looked at`)]);
  expect(there.read("got")).not.toBe("");
  await there.pass();
  expect(there.complaints, "said once").toHaveLength(1);
});
