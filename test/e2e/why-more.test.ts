/** `gatepost why` where there is no receipt to follow, or more than one; and how it finds the receipt of any commit. */
import * as fs from "node:fs";
import { expect, test } from "vitest";
import { until } from "../helpers/cli.ts";
import { serve, watch } from "../helpers/served.ts";
import { answer, ask, short, whyWorld } from "../helpers/why.ts";

const world = whyWorld();

test("what no receipt knows is told apart: old, unreached, unknown, a file, a deleted ref, a ref that is not followed", async () => {
  const r = await serve(world);
  r.hook("true", { name: "ci" });
  const old = "was there when r1.git was registered, at AT, or its receipt was deleted by retention";
  expect(answer(r, 1, r.start)[0]).toContain(`${short(r.start)} ${old}`);
  expect(answer(r, 1, "main")[0]).toContain(old);
  const tip = r.push();
  expect(answer(r, 1, "main~1")[0], "also while what came after it waits").toContain(old);
  const topic = r.push({ to: "topic" });
  await r.pass();
  expect(answer(r, 1, r.start)[0]).toContain(old);
  r.inside(["update-ref", "-d", "refs/heads/topic"]);
  await r.pass({ stay: true });
  expect(answer(r, 0, "topic")).toEqual([
    "refs/heads/topic was deleted in r1.git at AT, found by looking at the refs, since no shim told of it (receipt 3).",
    "It is in batch 2, cut at AT.",
    "  hook 1 (ci) run a-2: done at AT",
  ]);
  expect(answer(r, 0, topic)[0], "what it was is still known").toContain("reached refs/heads/topic of r1.git");
  const loose = r.inside(["commit-tree", "-p", tip, "-m", "loose", `${tip}^{tree}`]);
  expect(answer(r, 1, loose)).toEqual([
    `${short(loose)} is in r1.git, but no ref reaches it, and none was seen that did.`,
  ]);
  expect(ask(r, "nosuch")).toMatchObject({ code: 3, stdout: "" });
  expect(ask(r, "nosuch").stderr).toContain('r1.git has no commit or ref "nosuch", and no receipt tells of it.');
  expect(ask(r, `${tip}^{tree}`)).toMatchObject({ code: 2 });
  expect(ask(r, "bad\nword").stderr).toContain("bad\\nword");

  const tree = world.workTree("tree");
  world.commit(tree);
  const w = await watch(world, tree);
  w.hook("true");
  const hidden = world.commit(tree);
  world.git(["update-ref", "refs/hidden/x", hidden], { cwd: tree });
  world.git(["reset", "-q", "--hard", "HEAD~1"], { cwd: tree });
  expect(answer(w, 1, hidden).at(-1)).toBe(
    `${short(hidden)} is at refs/hidden/x, and only branches, tags and notes are followed here. Follow all: gatepost settings refs all`,
  );
});

test("a push that was undone before anybody looked is told of by what its shim left", async () => {
  const r = await serve(world);
  r.hook("true", { name: "ci" });
  const undone = r.push();
  r.inside(["update-ref", "refs/heads/main", r.start]);
  await r.pass({ stay: true });
  expect(answer(r, 0, undone)).toEqual([
    `A shim told of ${short(undone)}, but no ref reached it any more when the refs were looked at.`,
    expect.stringContaining(`${short(undone)} reached refs/heads/main of r2.git at AT, pushed by`),
    "It is in batch 1, cut at AT.",
    "  hook 1 (ci) run a-1: done at AT",
  ]);
});

test("a push that a gate refused is told of though nothing of it is in the repository, and one that passed names its gate", async () => {
  const r = await serve(world);
  r.hook("true", { name: "ci" });
  world.gatepost([
    ...["hook", "add", "-R", r.path, "--type", "before-receive", "--name", "wall"],
    ...["--command", "grep -qv refs/heads/bad"],
  ]);
  const good = r.push();
  const bad = world.commit(r.clone);
  expect(world.run(["git", "push", "-q", "origin", "HEAD:refs/heads/bad"], { cwd: r.clone }).code).not.toBe(0);
  await r.pass();
  expect(answer(r, 0, good)[0]).toBe("pre-receive passed at AT: hook 2 (wall) ok.");
  expect(answer(r, 1, bad.slice(0, 10))).toEqual([
    "pre-receive refused at AT: hook 2 (wall) exit 1.",
    `${bad.slice(0, 10)} is not in r3.git: a push was to bring it, and was not let in.`,
  ]);
  const { runs } = JSON.parse(world.gatepost(["runs", "-R", r.path, "--commit", good, "--json"]).stdout);
  expect(runs.map(({ hook }: { hook: { name: string } }) => hook.name).sort()).toEqual(["ci", "wall"]);
  const refused = JSON.parse(world.gatepost(["runs", "-R", r.path, "--commit", bad, "--json"]).stdout);
  expect(refused.runs).toMatchObject([{ hook: { name: "wall" }, gate: { verdict: "refused" } }]);

  expect(world.run(["git", "push", "-q", "origin", "HEAD:main"], { cwd: r.clone }).code).toBe(0);
  await r.pass();
  const later = answer(r, 0, bad); // it came after all, and its hooks are done
  expect(later.slice(0, 2)).toEqual([
    "pre-receive refused at AT: hook 2 (wall) exit 1.",
    "pre-receive passed at AT: hook 2 (wall) ok.",
  ]);
});

test("a commit is found with its first receipt and then at each ref that it came to: by date, against dates, in tags", async () => {
  const r = await serve(world);
  r.hook("true", { name: "ci" });
  const at = (days: number): Record<string, string> => ({
    GIT_COMMITTER_DATE: new Date(Date.now() + days * 86_400_000).toISOString(),
  });
  const commit = (days: number): string => {
    world.git(["commit", "-q", "--allow-empty", "-m", "m"], { cwd: r.clone, env: at(days) });
    return r.git(["rev-parse", "HEAD"]);
  };
  const push = (to: string, from = "HEAD"): void => {
    r.git(["push", "-q", "-f", "origin", `${from}:${to}`]);
  };
  const yesterday = commit(-1);
  push("refs/heads/one");
  const ahead = commit(2); // the clock was ahead
  commit(2);
  push("refs/heads/two");
  for (let more = 0; more < 3; more++) {
    commit(-300); // dates of a rebase that kept them
    push("refs/heads/two");
  }
  const kept = r.git(["rev-parse", "HEAD~1"]);
  const tagged = commit(0);
  const beforeTag = r.git(["rev-parse", "HEAD"]);
  commit(0);
  r.git(["tag", "-a", "v1", "-m", "v1"]);
  r.git(["push", "-q", "origin", "v1"]);
  push("refs/heads/main");
  await r.pass();
  const firstLine = (word: string): string => answer(r, 0, word)[0]?.replace(/ at AT.*\(/, " (") ?? "";
  expect(firstLine(yesterday)).toBe(`${short(yesterday)} reached refs/heads/one of r4.git (receipt 1).`);
  expect(firstLine(ahead)).toBe(`${short(ahead)} reached refs/heads/two of r4.git (receipt 2).`);
  expect(firstLine(kept)).toBe(`${short(kept)} reached refs/heads/two of r4.git (receipt 4).`);
  expect(firstLine(tagged)).toBe(`${short(beforeTag)} reached refs/tags/v1 of r4.git (receipt 6).`);
  expect(firstLine("v1")).toMatch(/ reached refs\/tags\/v1 of r4\.git \(receipt 6\)\.$/);
  expect(firstLine(r.git(["rev-parse", "v1"])), "the tag itself").toContain(
    "reached refs/tags/v1 of r4.git (receipt 6)",
  );
  const lines = answer(r, 0, yesterday).filter((line) => line.startsWith("It reached"));
  expect(lines.map((line) => /reached (\S+) of/.exec(line)?.[1])).toEqual([
    "refs/heads/two",
    "refs/tags/v1",
    "refs/heads/main",
  ]);
  fs.rmSync(r.clone, { recursive: true });
});

test("commits of a work tree name the gates that judged them", async () => {
  const tree = world.workTree("gated");
  world.commit(tree);
  const w = await watch(world, tree);
  w.hook("true", { name: "ci" });
  world.gatepost(["hook", "add", "-R", tree, "--type", "before-commit", "--name", "lint", "--command", "true"]);
  const hash = world.commit(tree);
  await w.pass({ stay: true });
  expect(answer(w, 0, hash)).toEqual([
    "pre-commit passed at AT: hook 2 (lint) ok.",
    expect.stringMatching(/^[0-9a-f]{12} reached refs\/heads\/main of gated at AT, made by \S+ \(receipt 1\)\.$/),
    "It is in batch 1, cut at AT.",
    expect.stringMatching(/^ {2}hook 1 \(ci\) run a-\d: done at AT$/),
  ]);
});

test("of commits of one author and second, each gets the record of its own gate, and one that went round gets none", async () => {
  const tree = world.workTree("quick");
  world.commit(tree);
  const w = await watch(world, tree);
  world.gatepost(["hook", "add", "-R", tree, "--type", "commit-msg", "--name", "lint", "--command", "true"]);
  const date = `@${Math.floor(Date.now() / 1000)} +0000`;
  const env = { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
  const made = [{ more: {} }, { more: { GATEPOST_SKIP: "lint" } }, { more: {}, args: ["--no-verify"] }, { more: {} }];
  const hashes: string[] = [];
  for (const [number, { more, args = [] }] of made.entries()) {
    world.git(["commit", "-q", "--allow-empty", "-m", `${number}`, ...args], { cwd: tree, env: { ...env, ...more } });
    hashes.push(world.git(["rev-parse", "HEAD"], { cwd: tree }));
    const ended = Date.now();
    await until("it is later than clocks may differ", async () => Date.now() > ended + 200);
  }
  await w.pass({ stay: true });
  const said = hashes.map((hash) => answer(w, 1, hash).filter((line) => line.startsWith("commit-msg")));
  expect(said).toEqual([
    ["commit-msg passed at AT: hook 1 (lint) ok."],
    ["commit-msg passed at AT: hook 1 (lint) skipped: GATEPOST_SKIP names it."],
    [],
    ["commit-msg passed at AT: hook 1 (lint) ok."],
  ]);
});
