/** `gatepost why`: each place where a push can stop on its way to a hook, made to stop there by a real push. */
import * as fs from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Instant } from "../../src/core/units.ts";
import { write } from "../../src/store/database.ts";
import { pauseHook, pauseRepository, resumeRepository } from "../../src/store/pause.ts";
import { backdate, serve } from "../helpers/served.ts";
import { answer, ask, linesOf, short, whyWorld } from "../helpers/why.ts";

const world = whyWorld();
const user = () => world.run(["id", "-un"]).stdout.trim();

test("a commit in the middle of a push is followed to the run that failed, and the command that is named mends it", async () => {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  r.hook(`test -e '${r.file("ready")}' || exit 22`, { name: "ci", retries: 1 });
  r.hook("true", { name: "docs", refs: ["refs/heads/docs/*"] });
  r.hook("true", { name: "assets", paths: ["*.png"] });
  r.hook("true", { name: "mail" });
  const first = world.commit(r.clone);
  const middle = world.commit(r.clone);
  const tip = r.push();
  await r.pass({ stay: true });
  const about = (hash: string): string[] => [
    `${short(hash)} reached refs/heads/main of r1.git at AT, pushed by ${user()} (receipt 1).`,
    "It is in batch 1, cut at AT.",
    "  hook 1 (ci) run a-1: parked at AT: exit 22, after 2 attempts. Again: gatepost runs replay a-1",
    "  hook 2 (docs) skipped: --ref refs/heads/docs/* did not match refs/heads/main",
    "  hook 3 (assets) skipped: --path *.png did not match",
    "  hook 4 (mail) run a-4: done at AT",
  ];
  expect(answer(r, 1, middle.slice(0, 8))).toEqual(about(middle));
  expect(answer(r, 1, first)).toEqual(about(first));
  expect(answer(r, 1, tip)).toEqual(about(tip));
  expect(answer(r, 1, "main~1")).toEqual(about(middle));
  expect(answer(r, 1, "main")).toEqual(about(tip));
  expect(answer(r, 0, tip, "--hook", "mail").slice(2), "one hook alone").toEqual([
    "  hook 4 (mail) run a-4: done at AT",
  ]);

  fs.writeFileSync(r.file("ready"), "");
  world.gatepost(["runs", "replay", "a-1", "-R", r.path]);
  await r.pass();
  expect(answer(r, 0, middle)[2]).toBe("  hook 1 (ci) run a-1: done at AT, at attempt 3");
  const json = JSON.parse(ask(r, "main", "--json").stdout);
  expect(json).toMatchObject({ repository: "r1.git", hash: tip, ref: "refs/heads/main", done: true });
  expect(json.steps[2]).toMatchObject({
    step: "hook",
    state: "ok",
    run: "a-1",
    hook: { id: 1, name: "ci" },
    mend: null,
  });
});

test("where the shim is gone, it says so, and that the next pass finds the push; afterwards, that it was found late", async () => {
  const r = await serve(world);
  r.hook("true", { name: "ci" });
  const shim = join(r.path, "hooks", "post-receive");
  fs.rmSync(shim);
  const tip = r.push();
  const gone = "No post-receive in PATH/hooks: what arrives is found a little later. Mend it: gatepost doctor --fix";
  expect(answer(r, 1, tip)).toEqual([
    gone,
    `${short(tip)} is at refs/heads/main of r2.git, no shim has told of it, and no pass has seen it yet: the next one finds it; none is running. Start one: gatepost backoffice`,
  ]);
  await r.pass({ stay: true });
  expect(linesOf(ask(r, tip), r).slice(-3)).toEqual([
    `${short(tip)} reached refs/heads/main of r2.git at AT, found by looking at the refs, since no shim told of it (receipt 1).`,
    "It is in batch 1, cut at AT.",
    "  hook 1 (ci) run a-1: done at AT",
  ]);
  world.gatepost(["doctor", "--fix", "-R", r.path]);
  expect(fs.existsSync(shim)).toBe(true);
  expect(answer(r, 0, tip)).toHaveLength(3);
});

test("what waits in the spool waits for a backoffice, whose start is named, and why the last one could not work", async () => {
  const r = await serve(world);
  r.hook("true", { name: "ci" });
  const inside = world.commit(r.clone);
  const tip = r.push();
  const says = `${short(tip)} reached refs/heads/main of r3.git at AT; what the shim left waits in the spool for the backoffice`;
  expect(answer(r, 1, "main")).toEqual([`${says}; none is running. Start one: gatepost backoffice`]);
  expect(answer(r, 1, inside), "a commit below the tip").toEqual([
    `${says.replace(short(tip), short(inside))}; none is running. Start one: gatepost backoffice`,
  ]);
  fs.writeFileSync(r.home.layout.failed, "no space left\n");
  expect(answer(r, 1, "main")[0]).toContain("; the last one that a push started could not work: no space left. Start");
});

test("an embargo is named with its end, and what the window left out with the call that hands it out", async () => {
  const r = await serve(world);
  r.hook("true", { name: "ci" });
  const early = r.push({ args: ["-o", "gatepost.more"] });
  await r.pass();
  expect(answer(r, 1, early)).toEqual([
    `${short(early)} reached refs/heads/main of r4.git at AT, pushed by ${user()} (receipt 1).`,
    "It waits until AT at the latest, since its sender said that more is coming (embargo).",
  ]);
  r.set("window", "1h");
  write(r.home.db, () => r.home.db.sqlite.prepare("UPDATE receipt SET at = at - 8000000").run());
  r.push();
  await r.pass();
  const [, left] = answer(r, 1, early);
  expect(left).toBe(
    "It was left out of batch 1, cut at AT: it was 2.2 h older than the newest there, beyond the window. Hand it out: gatepost runs replay --left-out --since THEN",
  );
  const call = /Hand it out: gatepost (.*)$/m.exec(ask(r, early).stdout)?.[1] ?? "";
  r.hook("true", { name: "late" });
  expect(world.gatepost(call.split(" ")).stderr).toContain("1 run will start.");
  await r.pass();
  expect(answer(r, 0, early).slice(1)).toEqual([
    "It was left out of batch 1, cut at AT: it was 2.2 h older than the newest there, beyond the window, and was handed out since.",
    "  hook 1 (ci) run a-2: done at AT",
  ]);
});

test("pauses of the repository and of a hook are named with who and why, and so is what --in-order waits for", async () => {
  const r = await serve(world);
  r.set("retry-base", "1ms");
  const ci = r.hook("exit 1", { name: "ci", retries: 1, inOrder: true });
  const pause = JSON.stringify({ at: Date.now(), by: "carol", why: "the disk is moved" });
  pauseRepository(r.home.db, r.row.id, pause, Date.now() as Instant);
  const first = r.push();
  await r.pass();
  expect(answer(r, 1, first)[1]).toBe(
    "It waits: r5.git is paused by carol at AT: the disk is moved. Go on: gatepost resume",
  );
  resumeRepository(r.home.db, r.row.id);
  await r.pass({ stay: true });
  const second = r.push();
  await r.pass();
  expect(answer(r, 1, second)[2]).toBe(
    "  hook 1 (ci) run a-2: waits for a-1, which is parked, as --in-order asks. About that: gatepost runs show a-1",
  );
  pauseHook(r.home.db, ci.id, JSON.stringify({ at: Date.now(), by: "carol" }));
  expect(answer(r, 1, second)[2]).toBe(
    "  hook 1 (ci) run a-2: waits, the hook is paused by carol at AT. Go on: gatepost resume --hook ci",
  );
});

test("where no hook gets the batch, each is named with why it does not", async () => {
  const r = await serve(world);
  const tip = r.push();
  await r.pass();
  expect(answer(r, 1, tip)[1]).toBe(
    "No after-receive hook gets what arrives here, so it waits. Add one: gatepost hook add --type after-receive --command '…'",
  );
  world.gatepost(["hook", "add", "-R", r.path, "--type", "after-receive", "--command", "true", "--name", "ci"]);
  expect(answer(r, 1, tip)[1]).toMatch(
    /^It came before the repository had an after-receive hook; the first was added at AT/,
  );
  world.gatepost(["hook", "disable", "ci", "-R", r.path]);
  const next = r.push();
  await r.pass();
  expect(answer(r, 1, next).slice(1)).toEqual([
    "No after-receive hook gets what arrives here, so it waits.",
    `  hook 1 (ci) is disabled, since AT by ${user()}. Enable it: gatepost hook enable ci`,
  ]);
  world.gatepost(["hook", "enable", "ci", "-R", r.path]);
  await r.pass();
  world.gatepost(["hook", "add", "-R", r.path, "--type", "after-receive", "--command", "true", "--name", "late"]);
  expect(answer(r, 0, next).slice(2)).toEqual([
    "  hook 1 (ci) run a-1: done at AT",
    `  hook 2 (late) was added later, at AT by ${user()}`,
  ]);
  world.gatepost(["hook", "disable", "ci", "-R", r.path]);
  r.push();
  await r.pass();
  world.gatepost(["hook", "enable", "ci", "-R", r.path]);
  expect(answer(r, 0, "main", "--hook", "ci").at(-1)).toBe(
    `  hook 1 (ci) was disabled then, at AT by ${user()}; it was enabled at AT by ${user()}`,
  );
});

test("without a home it names init, and a home that was moved or that nobody registered is said to run nothing", async () => {
  const bare = world.bare("alone.git");
  expect(world.gatepost(["why", "main", "-R", bare])).toMatchObject({
    code: 3,
    stderr: `gatepost: ${bare} is not registered.\nRegister it: gatepost init ${bare}\n`,
  });
  const r = await serve(world);
  r.hook("true");
  r.push();
  const aside = world.at("user", "state", "aside");
  fs.renameSync(world.at("user", "state", "gatepost"), aside);
  try {
    expect(answer(r, 1, "main")[0]).toBe(
      "The home PATH/gatepost is not in your register, so no push starts its backoffice. To run its hooks here: gatepost init PATH",
    );
  } finally {
    fs.rmSync(world.at("user", "state", "gatepost"), { recursive: true, force: true });
    fs.renameSync(aside, world.at("user", "state", "gatepost"));
  }
  fs.cpSync(r.path, world.at("copy.git"), { recursive: true });
  const copied = world.gatepost(["why", "main", "-R", world.at("copy.git")]);
  expect(copied).toMatchObject({ code: 3 });
  expect(copied.stderr).toContain(`If it was moved: gatepost init ${world.at("copy.git")}`);
});

test("an entry that is old does not hide what waits, and a daemon at work is named", async () => {
  const r = await serve(world);
  r.hook("true");
  r.push();
  for (const entry of r.spool()) backdate(entry, 5000);
  const { pid } = process;
  const start = fs
    .readFileSync("/proc/self/stat", "latin1")
    .replace(/^.*\) /, "")
    .split(" ")[19];
  fs.writeFileSync(r.home.layout.daemonPid, `${pid} ${start}\n`);
  expect(answer(r, 1, "main")[0]).toMatch(
    new RegExp(`waits in the spool for the backoffice, which is at work \\(process ${pid}\\)\\.$`),
  );
  fs.rmSync(r.home.layout.daemonPid);
});
