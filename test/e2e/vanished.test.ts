/** Shims that vanish: found by the next pass, told of once, and put back. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { uninstall } from "../../src/home/uninstall.ts";
import { textSum } from "../../src/shim/text-sum.ts";
import { makeWorld, silent, until } from "../helpers/cli.ts";
import { fossilGated } from "../helpers/fossil-gated.ts";
import { enter, leave, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

const hook = (r: Served, name: string): string => join(r.path, "hooks", name);
const isShim = (file: string): boolean => fs.readFileSync(file, "latin1").includes("gatepost shim");
const causes = (r: Served): { cause: string; over: number }[] =>
  r.home.db.sqlite
    .prepare("SELECT cause, over_at IS NOT NULL AS over FROM event WHERE name = 'gate-missing' ORDER BY id")
    .all() as never;
/** Makes the home forget that its gates were put in place a moment ago. */
const settled = (r: Served) =>
  until("a pass has nothing left to look behind", async () => {
    await r.pass();
    const seen = r.repository().hooksSeen;
    return seen !== null && JSON.parse(seen).young === undefined;
  });

async function gated(): Promise<Served> {
  const r = await serve(world);
  r.hook("exit 1", { type: "before-receive", name: "gate" });
  r.hook(`cat %A >> '${r.file("told")}'`, { type: "on:gate-missing" });
  await r.pass();
  return r;
}

test("a gate whose shim was deleted is put back by the next pass, which says so once and tells the alarm", async () => {
  const r = await gated();
  fs.rmSync(hook(r, "pre-receive"));
  const passed = world.gatepost(["backoffice", r.path]);
  const line = `${r.row.name}: the shim pre-receive is gone from ${r.path}/hooks. It is put back.`;
  expect(passed).toEqual({ code: 0, stdout: "", stderr: `gatepost: ${line}\n` });
  expect(isShim(hook(r, "pre-receive"))).toBe(true);
  const facts = JSON.parse(r.read("told"));
  expect(facts).toMatchObject({ event: { name: "gate-missing" }, missing: { hook: "pre-receive", how: "is gone" } });
  expect(causes(r)).toEqual([{ cause: `pre-receive in ${r.path}/hooks`, over: 1 }]);
  expect(world.gatepost(["backoffice", r.path])).toEqual(silent);

  fs.rmSync(hook(r, "pre-receive"));
  await r.pass();
  expect(causes(r), "a second vanishing is news").toHaveLength(2);
  expect(r.complaints).toEqual([line]);
});

test("a shim that another hook replaced is put before it, and one that lost its mode gets it back", async () => {
  const r = await gated();
  r.replaceHook("pre-receive", "exit 0");
  fs.chmodSync(hook(r, "post-receive"), 0o644);
  await r.pass();
  expect(r.complaints).toEqual([
    expect.stringMatching(/the shim post-receive cannot be executed in .*\. It is put back\.$/),
    expect.stringMatching(/the shim pre-receive was replaced by another hook in .*\. It is put back\.$/),
  ]);
  expect(isShim(hook(r, "pre-receive"))).toBe(true);
  expect(fs.readFileSync(join(r.path, "hooks/gatepost/chained/pre-receive"), "utf8")).toContain("exit 0");
  expect(fs.statSync(hook(r, "post-receive")).mode & 0o100).not.toBe(0);
});

test("one that cannot be put back is told of once, is seen by status, and its event ends when it stands again", async () => {
  const r = await gated();
  const hooks = join(r.path, "hooks");
  fs.rmSync(hook(r, "pre-receive"));
  fs.mkdirSync(hook(r, "pre-receive")); // a folder in its place: nothing can be put over it
  fs.writeFileSync(join(hook(r, "pre-receive"), "x"), "");
  await r.pass();
  fs.rmSync(hook(r, "pre-receive"), { recursive: true });
  fs.renameSync(hooks, `${hooks}.away`);
  fs.writeFileSync(hooks, ""); // no folder at all: all hooks are switched off, which is for doctor to say
  await r.pass();
  fs.rmSync(hooks);
  fs.renameSync(`${hooks}.away`, hooks);
  fs.rmSync(join(hooks, "gatepost", "gate.sh"));
  await r.pass();
  expect(fs.existsSync(join(hooks, "gatepost", "gate.sh"))).toBe(true);
  expect(isShim(hook(r, "pre-receive"))).toBe(true);
  expect(causes(r).every(({ over }) => over === 1)).toBe(true);
});

test("each full look, too, tells of what it puts back", async () => {
  const r = await gated();
  await settled(r);
  const before = fs.statSync(join(r.path, "hooks"));
  fs.rmSync(hook(r, "pre-receive"));
  fs.utimesSync(join(r.path, "hooks"), before.atime, before.mtime); // as if nothing had changed
  r.home.db.sqlite.exec("DELETE FROM setting WHERE name = 'looked.at'");
  await r.pass();
  expect(r.complaints).toHaveLength(1);
  expect(isShim(hook(r, "pre-receive"))).toBe(true);
});

test("shims that another version of Gatepost put there are renewed without a word, and are no alarm", async () => {
  const r = await gated();
  const now = fs.readFileSync(hook(r, "gatepost/gate.sh"), "latin1");
  fs.writeFileSync(hook(r, "gatepost/gate.sh"), `${now}# of an older version\n`, "latin1");
  const shim = fs.readFileSync(hook(r, "pre-receive"), "latin1").split("\n");
  const older = [shim[0], "# gatepost shim 1 gate @SUM@", ...shim.slice(2), "# of an older version"].join("\n");
  fs.writeFileSync(hook(r, "pre-receive"), older.replace("@SUM@", textSum(older)), "latin1");
  expect(world.gatepost(["status", "--check", "--home", r.home.dir]).code).toBe(0);
  r.home.db.sqlite.exec("DELETE FROM setting WHERE name = 'looked.at'");
  expect(world.gatepost(["backoffice", r.path])).toEqual(silent);
  expect(fs.readFileSync(hook(r, "gatepost/gate.sh"), "latin1")).toBe(now);
  expect(fs.readFileSync(hook(r, "pre-receive"), "latin1")).toBe(shim.join("\n"));
  expect(causes(r)).toEqual([]);
});

test("status --check sees it before any pass does", async () => {
  const r = await gated();
  await settled(r);
  expect(world.gatepost(["status", "--check", "-R", r.path]).code).toBe(0);
  fs.rmSync(hook(r, "pre-receive"));
  const checked = world.gatepost(["status", "--check", "-R", r.path]);
  expect(checked).toMatchObject({ code: 1, stdout: expect.stringContaining("the shim pre-receive of ") });
  expect(fs.existsSync(hook(r, "pre-receive")), "and only looks").toBe(false);
});

test("nothing is missed where hooks were deleted, nor in a repository that was taken out of its home", async () => {
  const home = world.at("home");
  const [stays, goes] = [await serve(world, { home }), await serve(world, { home })];
  const gate = stays.hook("exit 1", { type: "before-receive", scope: { scope: "all" } });
  await stays.pass();
  await uninstall(goes.home, goes.row, false);
  await stays.pass();
  expect(world.gatepost(["hook", "delete", String(gate.id), "--home", home]).code).toBe(0);
  await stays.pass();
  expect(stays.complaints).toEqual([]);
  expect(fs.existsSync(hook(goes, "pre-receive"))).toBe(false);
});

test("a daemon finds it at its next pass", async () => {
  const r = await serve(world);
  r.hook("true", { type: "before-receive" });
  await r.pass();
  await settled(r);
  const daemon = world.start(["serve", "--home", r.home.dir, "--poll", "60"]);
  try {
    await until("it serves", () => fs.existsSync(r.home.layout.daemonPid));
    fs.rmSync(hook(r, "pre-receive"));
    r.push({ to: "other" });
    await until("the shim is back", () => fs.existsSync(hook(r, "pre-receive")));
  } finally {
    daemon.kill("SIGTERM");
    await until("it has ended", () => daemon.exitCode !== null || daemon.signalCode !== null);
  }
});

test("the entry in a Fossil repository's hook list is missed as a shim is, and put back", () => {
  const r = fossilGated();
  try {
    r.hook("true");
    r.hook(`cat %A > '${r.world.at("told")}'`, "--type", "on:gate-missing");
    const pass = () => r.gatepost(["backoffice", r.file]);
    expect(pass()).toEqual(silent);
    const [entry] = r.list();
    r.fossil(["sql", "-R", r.file, "DELETE FROM config WHERE name='hooks'"]);
    expect(pass().stderr).toMatch(/: the shim before-commit is gone from .*r\.fossil\. It is put back\.\n$/);
    expect(r.list()).toEqual([entry]);
    expect(JSON.parse(fs.readFileSync(r.world.at("told"), "utf8"))).toMatchObject({ repository: { kind: "fossil" } });
    expect(pass()).toEqual(silent);
  } finally {
    r.world.remove();
  }
});
