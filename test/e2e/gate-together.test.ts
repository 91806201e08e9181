/**
 * Many gates at the same time: each judges for itself, each leaves its record, none meets another's files; and edits of
 * the hooks meanwhile are seen as a whole or not at all.
 */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { makeWorld, type World } from "../helpers/cli.ts";
import { type Gated, gated } from "../helpers/gates.ts";

vi.setConfig({ testTimeout: 90_000 }); // hundreds of processes each, on whatever machine

let world: World;
beforeEach(() => {
  world = makeWorld("gatepost-together-");
});
afterEach(() => world.remove());

type Run = { hook: { id: number }; gate: { verdict: string; updates: { ref: string }[] } };
type Ended = { code: number | null; stderr: string };

/** Runs a program without waiting for it. */
function start(argv: readonly string[], cwd: string, env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(argv[0] ?? "", argv.slice(1), {
    cwd,
    env: { ...world.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("close", (code) => resolve({ code, stderr: Buffer.concat(said).toString() }));
  });
}

/** Does it for each number below `count`, `width` at a time. */
async function each<T>(count: number, width: number, work: (n: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) results[n] = await work(n);
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}

const auxOf = (repository: Gated): string[] => fs.readdirSync(join(repository.home, "aux"));

it("200 pushes, 25 at a time, each have one record for the push and one for the ref, and leave no file", async () => {
  const bare = world.bare();
  world.git(["config", "gc.auto", "0"], { cwd: bare });
  const server = gated(world, bare);
  const check = 'read -r _ new ref && [ "$(cat %A)" = "update 0000000000000000000000000000000000000000 $new $ref" ]';
  const [first, , , last] = server.hooks(
    { type: "before-receive", command: check },
    { type: "before-receive", command: "cat >/dev/null", stdin: "paths" },
    { type: "before-receive", command: "exit 7", ref: ["odd-*"] },
    { type: "before-ref", command: 'grep -q "^update .* $1$" %A' },
  );
  const from = world.workTree("from");
  world.commit(from, { "a.txt": "a\n" });
  const branch = (n: number) => `${n % 10 === 9 ? "odd" : "even"}-${n}`;
  const pushing = each(200, 25, (n) => start(["git", "push", "-q", bare, `HEAD:refs/heads/${branch(n)}`], from));
  // Records are taken into the database meanwhile, by several at once.
  const taking = each(6, 2, () => world.call(["runs"], { cwd: bare }));
  const [ended] = await Promise.all([pushing, taking]);
  const all = Array.from({ length: 200 }, (_, n) => branch(n));
  const odd = all.filter((name) => name.startsWith("odd"));
  expect(ended.flatMap(({ code, stderr }, n) => ((code === 0) === odd.includes(branch(n)) ? [stderr] : []))).toEqual(
    [],
  );
  const { stdout } = await world.call(["runs", "--json", "--limit", "2000"], { cwd: bare });
  const { runs } = JSON.parse(stdout) as { runs: Run[] };
  const of = (hook: number | undefined, verdict?: string) =>
    runs
      .filter((run) => run.hook.id === hook && (verdict ?? run.gate.verdict) === run.gate.verdict)
      .map(({ gate }) => gate.updates[0]?.ref.replace("refs/heads/", ""))
      .sort();
  expect(of(first)).toEqual([...all].sort());
  expect(of(last)).toEqual(all.filter((name) => !odd.includes(name)).sort());
  expect(of(first, "refused")).toEqual([...odd].sort());
  expect(world.git(["for-each-ref", "--format=%(refname:short)"], { cwd: bare }).split("\n")).toHaveLength(
    200 - odd.length,
  );
  expect(auxOf(server)).toEqual([]);
});

it("F5: 20 work trees that commit at once each read their own files, and leave a record for each commit", async () => {
  const path = world.workTree();
  world.commit(path, { "a.txt": "a\n" });
  const app = gated(world, path);
  app.hooks(
    { command: 'grep -q "^ADDED      only-$(basename "$PWD")-" %A && grep -q "^branch $(basename "$PWD")$" %A' },
    { command: '[ "$(tr "\\\\0" "\\\\n" | grep -vc "only-$(basename "$PWD")-")" = 0 ]', stdin: "paths" },
    { command: "test ! -e refuse", parallel: true },
    { command: 'test -s "%A"', parallel: true, timeout: 30 },
  );
  const trees = Array.from({ length: 20 }, (_, n) => `tree-${n}`);
  for (const tree of trees) world.git(["worktree", "add", "-q", "-b", tree, world.at(tree)], { cwd: path });
  app.records();
  const rounds = 3;
  const ended = await each(trees.length, trees.length, async (n) => {
    const tree = world.at(trees[n] ?? "");
    const results: Ended[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const file = `only-${trees[n]}-${round}`;
      fs.writeFileSync(join(tree, file), "x\n");
      results.push(await start(["sh", "-c", 'git add "$1" && git commit -q -m "$1"', "sh", file], tree));
    }
    return results;
  });
  expect(ended.flat().filter(({ code }) => code !== 0)).toEqual([]);
  const branches = app
    .records()
    .filter(({ type }) => type === "before-commit")
    .map(({ branch, verdict }) => `${verdict} ${branch}`);
  expect(branches.sort()).toEqual(
    trees.flatMap((tree) => Array.from({ length: rounds }, () => `pass refs/heads/${tree}`)).sort(),
  );
  expect(auxOf(app)).toEqual([]);
});

it("commits while hooks are edited are judged by a whole gate, the old one or the new", async () => {
  const path = world.workTree();
  world.commit(path, { "a.txt": "a\n" });
  const app = gated(world, path);
  // Both hooks write the number of their generation; a gate made of two generations would write two numbers.
  const command = (n: number) => `echo ${n} >>"$OUT"`;
  const ids = app.hooks(command(0), command(0)).map(String);
  let commits = 0;
  let done = false;
  const lane = async (): Promise<Ended[]> => {
    const ended: Ended[] = [];
    while (!done) {
      commits += 1;
      const env = { OUT: world.at(`out-${commits}`) };
      ended.push(await start(["git", "commit", "-q", "--allow-empty", "-m", "m"], path, env));
    }
    return ended;
  };
  const committing = lane();
  const edits = 8;
  for (let n = 1; n <= edits; n += 1) {
    const change = n % 2 === 0 ? ["edit", ...ids, "--command", command(n)] : ["edit", ...ids, "--sequence", String(n)];
    expect(await world.call(["hook", ...change], { cwd: path })).toMatchObject({ code: 0 });
    expect(
      await world.call(["hook", "add", "--type", "before-commit", "--name", "more", "--command", "true"], {
        cwd: path,
      }),
    ).toMatchObject({ code: 0 });
    expect(await world.call(["hook", "delete", "more"], { cwd: path })).toMatchObject({ code: 0 });
  }
  done = true;
  expect((await committing).filter(({ code, stderr }) => code !== 0 || stderr !== "")).toEqual([]);
  const numbers = (n: number) =>
    fs
      .readFileSync(world.at(`out-${n}`), "utf8")
      .trim()
      .split("\n");
  const seen = Array.from({ length: commits }, (_, n) => numbers(n + 1));
  expect(seen.filter(([first, second, ...rest]) => first !== second || rest.length > 0)).toEqual([]);
  expect(new Set(seen.map(([first]) => first)).size).toBeGreaterThan(1);
  const records = app.records().filter(({ type }) => type === "before-commit");
  expect(
    records.filter(({ verdict, hooks }) => verdict !== "pass" || (hooks.length !== 2 && hooks.length !== 3)),
  ).toEqual([]);
  expect(records).toHaveLength(commits);
});
