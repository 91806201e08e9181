/** The library, as a program that embeds Gatepost uses it, on real repositories and real pushes. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Home, type HookBatch, openHome, registerRepository } from "../../src/index.ts";
import { makeWorld, until, type World } from "../helpers/cli.ts";

let world: World;
let clone: string;
let home: Home;
let state: string | undefined;
const zero = "0".repeat(40);

beforeEach(async () => {
  world = makeWorld();
  state = process.env["XDG_STATE_HOME"];
  process.env["XDG_STATE_HOME"] = world.env["XDG_STATE_HOME"];
  const { home: dir } = await registerRepository(world.bare());
  world.gatepost(["settings", "automatic-backoffice", "off", "--home", dir]);
  clone = world.clone(world.at("app.git"));
  home = await openHome(world.at("app.git"));
});

afterEach(async () => {
  await home.close();
  process.env["XDG_STATE_HOME"] = state;
  if (state === undefined) delete process.env["XDG_STATE_HOME"];
  world.remove();
});

function push(file: string): string {
  const hash = world.commit(clone, { [file]: file }, `add ${file}`);
  world.git(["push", "-q", "origin", "HEAD:main"], { cwd: clone });
  return hash;
}

async function linesOf(batch: HookBatch): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of batch.artifacts()) lines.push(line);
  return lines;
}

describe("a function hook", () => {
  it("is called with the batch that a push made", async () => {
    const seen: { batch: HookBatch; lines: string[] }[] = [];
    await home.hook({
      name: "index",
      type: "after-receive",
      run: async (batch) => void seen.push({ batch, lines: await linesOf(batch) }),
    });
    const hash = push("a.txt");
    await home.pass();
    expect(seen).toHaveLength(1);
    expect(seen[0]?.batch.updates).toEqual([{ ref: "refs/heads/main", old: zero, new: hash, how: "entry" }]);
    expect(seen[0]?.batch.receipts[0]).toMatchObject({ source: "push", user: expect.any(String) });
    expect(seen[0]?.lines[0]).toMatch(new RegExp(`^${hash} check-in to main by alice on \\d{4}-`));
    expect(seen[0]?.lines[1]).toMatch(/ file a\.txt$/);
    expect(await home.runs()).toMatchObject([{ hook: "index", run: { state: "done" } }]);
  });

  it("that throws is a failed attempt, tried again under the same run id", async () => {
    const calls: [string, number][] = [];
    world.gatepost(["settings", "retry-base", "1ms", "-R", world.at("app.git")]);
    await home.hook({
      name: "flaky",
      type: "after-receive",
      retries: 2,
      run: (batch) => {
        calls.push([batch.run, batch.attempt]);
        if (batch.attempt < 3) throw new Error(`no luck ${batch.attempt}`);
      },
    });
    push("a.txt");
    for (let pass = 0; pass < 3; pass++) await home.pass();
    expect(calls).toEqual([
      ["a-1", 1],
      ["a-1", 2],
      ["a-1", 3],
    ]);
    const { run, attempts } = await home.run(1);
    expect(run.state).toBe("done");
    expect(attempts.map(({ outcome, detail }) => [outcome, detail])).toEqual([
      ["threw", "Error: no luck 1"],
      ["threw", "Error: no luck 2"],
      ["exit", null],
    ]);
  });

  it("gets what arrived while its program was down, before anything newer, when it serves again", async () => {
    await home.hook({ name: "index", type: "after-receive", run: () => {} });
    const first = push("a.txt");
    const other = world.gatepost(["backoffice", world.at("app.git")]); // has not got the function: leaves the run alone
    expect(other).toEqual({ stdout: "", stderr: "", code: 0 });
    expect(await home.runs()).toMatchObject([{ run: { state: "waiting", attempts: 0 } }]);

    const stop = new AbortController();
    const tips: string[] = [];
    await home.hook({
      name: "index",
      type: "after-receive",
      run: (batch) => void tips.push(batch.updates.at(-1)?.new ?? ""),
    });
    const served = home.serve({ signal: stop.signal });
    await until("the first batch is handed out", () => tips.length === 1);
    const second = push("b.txt");
    await until("the second batch is handed out", () => tips.length === 2);
    stop.abort();
    await served;
    expect(tips).toEqual([first, second]);
    expect((await home.runs()).map(({ run }) => run.state)).toEqual(["done", "done"]);
  });

  it("is told by its signal when its time is over, and counted as ended by that", async () => {
    await home.hook({
      name: "slow",
      type: "after-receive",
      timeout: 20,
      run: (_, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    });
    push("a.txt");
    await home.pass();
    expect(await home.run(1)).toMatchObject({ run: { state: "failed", reason: "ended at its timeout" } });
  });

  it("cannot take the name of a command hook", async () => {
    await home.addHook({ name: "ci", type: "after-receive", command: "true", scope: { scope: "all" } });
    await expect(home.hook({ name: "ci", type: "after-receive", run: () => {} })).rejects.toThrow(
      expect.objectContaining({ code: "GP_NAME", exitCode: 2 }),
    );
  });

  it("keeps its id when the program that supplies it starts again", async () => {
    const { id } = await home.hook({ name: "index", type: "after-receive", run: () => {} });
    expect((await home.hook({ name: "index", type: "after-receive", run: () => {} })).id).toBe(id);
    expect(await home.hook({ name: "index", type: "after-receive", run: () => {}, retries: 4 })).toMatchObject({
      id,
      retries: 4,
    });
  });
});

describe("an open home", () => {
  it("adds, changes and deletes command hooks as the command line does", async () => {
    const added = await home.addHook({ name: "ci", type: "after-receive", command: "cat", scope: { scope: "all" } });
    expect(await home.editHook("ci", { sequence: -3 })).toMatchObject({ id: added.id, sequence: -3 });
    expect(world.gatepost(["hook", "list", "-R", world.at("app.git")]).stdout).toContain("sequence = -3");
    await home.deleteHook(added.id);
    expect(await home.hooks()).toEqual([]);
    await expect(home.deleteHook("ci")).rejects.toThrow(expect.objectContaining({ code: "GP_NO_HOOK" }));
  });

  it("runs a batch again as a new run on the same batch", async () => {
    const runs: string[] = [];
    await home.hook({ name: "index", type: "after-receive", run: ({ run }) => void runs.push(run) });
    push("a.txt");
    await home.pass();
    expect(await home.replay(1)).toBe("a-2");
    await home.pass();
    expect(runs).toEqual(["a-1", "a-2"]);
    expect(await home.run(2)).toMatchObject({ run: { state: "done", replayOf: 1 } });
  });

  it("holds a repository back and lets it go on, and says how it is and how far a commit came", async () => {
    await home.hook({ name: "index", type: "after-receive", run: () => {} });
    await home.pause({ repository: "app.git", reason: "moving" });
    const hash = push("a.txt");
    await home.pass();
    expect(await home.runs()).toEqual([]);
    expect((await home.status()).paused.repositories).toMatchObject([{ name: "app.git", pause: { why: "moving" } }]);
    expect(await home.why(hash, "app.git")).toMatchObject({ repository: "app.git", done: false });
    await home.resume({ repository: "app.git" });
    await home.pass();
    expect(await home.runs()).toMatchObject([{ hook: "index", run: { state: "done" } }]);
    expect(await home.why(hash, "app.git", "index")).toMatchObject({ done: true });
    expect((await home.status("app.git")).paused.repositories).toEqual([]);
  });

  it("names its repositories", async () => {
    expect(await home.repositories()).toMatchObject([{ name: "app.git", path: world.at("app.git"), kind: "git" }]);
  });
});
