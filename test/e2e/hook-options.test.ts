import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import type { Run } from "../../src/store/run.ts";
import { makeWorld, until } from "../helpers/cli.ts";
import { enter, leave, runs, type Served, serve, zero } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

const only = (all: readonly Run[]): Run => {
  expect(all).toHaveLength(1);
  return all[0] as Run;
};

/** The run has this id and name on the command line. */
const call = (r: Served, verb: string, run: Run) => world.gatepost(["runs", verb, `a-${run.id}`, "-R", r.path]);

test("the auxiliary file tells the receipts of the batch as JSON: who, when, from where, which refs, which options", async () => {
  const r = await serve(world);
  r.hook(`cp %A '${r.file("told")}'; stat -c %%a %A > '${r.file("mode")}'; echo %A > '${r.file("path")}'`, {
    name: "ci",
  });
  const env = { GL_USER: "bob", GL_REPO: "team/app", SSH_CONNECTION: "192.0.2.7 4321 192.0.2.1 22" };
  const pushed = r.push({ env, args: ["-o", "ci.skip", "-o", 'say="hi"'] });
  r.git(["push", "-q", "origin", "HEAD:refs/heads/topic", ":refs/heads/main"], { env: { REMOTE_USER: "carol" } });
  await r.pass();
  const told = JSON.parse(r.read("told"));
  expect(told).toEqual({
    run: "a-1",
    attempt: 1,
    hook: { id: 1, name: "ci", type: "after-receive" },
    repository: { name: r.row.name, path: r.path, kind: "git" },
    batch: { id: 1, base: 0, upto: 2, cutAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) },
    leftOut: { count: 0, reason: "older than the window", receipts: [] },
    receipts: [
      {
        rcvid: 1,
        at: expect.any(String),
        source: "push",
        user: "bob",
        claimedUser: null,
        address: "192.0.2.7",
        options: ["ci.skip", 'say="hi"'],
        updates: [{ ref: "refs/heads/main", old: r.start, new: pushed, how: "entry" }],
      },
      {
        rcvid: 2,
        at: expect.any(String),
        source: "push",
        user: "carol",
        claimedUser: null,
        address: null,
        options: [],
        updates: expect.arrayContaining([
          { ref: "refs/heads/topic", old: zero, new: pushed, how: "entry" },
          { ref: "refs/heads/main", old: pushed, new: zero, how: "entry" },
        ]),
      },
    ],
  });
  expect(r.read("mode")).toBe("600\n");
  expect(fs.existsSync(r.read("path").trim()), "it goes when the run ends").toBe(false);
});

test("--stdin updates hands out the lines of post-receive, --stdin paths the changed paths that are still there", async () => {
  const r = await serve(world);
  r.hook(`cat > '${r.file("updates")}'`, { stdin: "updates" });
  r.hook(`cat > '${r.file("paths")}'`, { stdin: "paths" });
  r.hook(`cat > '${r.file("some")}'`, { stdin: "paths", paths: ["*.c"] });
  const first = r.push({ files: { "a.c": "1", "b c.c": "1", "gone.c": "1", d: "1" } });
  fs.rmSync(`${r.clone}/gone.c`);
  const second = r.push();
  await r.pass();
  expect(r.read("updates")).toBe(`${r.start} ${first} refs/heads/main\n${first} ${second} refs/heads/main\n`);
  expect(r.read("paths").split("\0").sort()).toEqual(["", "a.c", "b c.c", "d"]);
  expect(r.read("some").split("\0").sort()).toEqual(["", "a.c", "b c.c"]);
});

test("with --ref and --path a hook runs only when such a ref or path moved; otherwise its run says why it was skipped", async () => {
  const r = await serve(world);
  r.hook("true", { name: "release", refs: ["refs/heads/release/*"] });
  r.hook("true", { name: "docs", paths: ["docs"] });
  r.hook("true", { name: "both", refs: ["refs/heads/main"], paths: ["*.c"] });
  r.push({ files: { "a.c": "1" } });
  await r.pass();
  r.push({ files: { "docs/a": "1" }, to: "release/1" });
  await r.pass();
  const told = r.runs().map(({ hookName, state, reason }) => [hookName, state, reason]);
  expect(told).toEqual([
    ["release", "skipped", "--ref refs/heads/release/* did not match refs/heads/main"],
    ["docs", "skipped", "--path docs did not match"],
    ["both", "done", null],
    ["release", "done", null],
    ["docs", "done", null],
    ["both", "skipped", "--ref refs/heads/main did not match refs/heads/release/1"],
  ]);
  expect(r.runs().map((run) => r.attempts(run).length)).toEqual([0, 0, 1, 1, 1, 0]);
});

test("--each receipt runs a post-receive script once for each push, in order, as that push would have", async () => {
  const r = await serve(world);
  const script = `
    read old new ref
    echo "$old $new $ref GL_USER=$GL_USER GL_REPO=$GL_REPO REMOTE_USER=$REMOTE_USER GIT_DIR=$GIT_DIR"
    i=0; while [ "$i" -lt "\${GIT_PUSH_OPTION_COUNT-0}" ]; do eval "echo \\"$i \\$GIT_PUSH_OPTION_$i\\""; i=$((i + 1)); done
    git rev-parse --verify -q "$new" > /dev/null || echo "not in $PWD"`;
  r.hook(`{ ${script.trim()}\n} >> '${r.file("log")}'`, { each: "receipt", stdin: "updates" });
  const first = r.push({ env: { GL_USER: "bob", GL_REPO: "app" }, args: ["-o", "one", "-o", "two words"] });
  const second = r.push({ env: { REMOTE_USER: "carol" } });
  await r.pass();
  expect(r.read("log").split("\n")).toEqual([
    `${r.start} ${first} refs/heads/main GL_USER=bob GL_REPO=app REMOTE_USER= GIT_DIR=.`,
    "0 one",
    "1 two words",
    `${first} ${second} refs/heads/main GL_USER= GL_REPO= REMOTE_USER=carol GIT_DIR=.`,
    "",
  ]);
  expect(r.runs()).toMatchObject([
    { receipt: 1, batch: 1, state: "done" },
    { receipt: 2, batch: 1, state: "done" },
  ]);
});

test("E1: at its timeout a hook is ended with all that it started", async () => {
  const r = await serve(world);
  const pid = r.file("pid");
  r.hook(`sleep 300 & echo $! > '${pid}.new'; mv '${pid}.new' '${pid}'; echo waiting; wait`, {
    timeout: 400 as never,
  });
  r.push();
  await r.pass();
  const run = only(r.runs());
  expect(run).toMatchObject({ state: "failed", reason: "ended at its timeout" });
  expect(r.attempts(run)).toMatchObject([{ outcome: "timeout", exitCode: null }]);
  expect(r.attempts(run)[0]?.outputHead?.toString()).toBe("waiting\n");
  expect(runs(Number(r.read("pid")))).toBe(false);
});

test("a hook that fails is tried again with growing waits, then parked until a person releases, replays or drops it", async () => {
  const r = await serve(world);
  r.set("retry-base", "1s");
  const ready = r.file("ready");
  r.hook(
    `echo "attempt $GATEPOST_ATTEMPT of $GATEPOST_RUN" >> '${r.file("log")}'; cat > /dev/null; test -e '${ready}'`,
    {
      retries: 1,
    },
  );
  r.push();
  await r.pass({ stay: true });
  const parked = only(r.runs());
  expect(parked).toMatchObject({ state: "parked", reason: "exit 1, after 2 attempts", attempts: 2 });
  expect(r.read("log")).toBe("attempt 1 of a-1\nattempt 2 of a-1\n");
  const [first, second] = r.attempts(parked);
  expect((second?.startedAt ?? 0) - (first?.endedAt ?? 0)).toBeGreaterThanOrEqual(600);
  await r.pass({ stay: true });
  expect(r.attempts(parked), "nothing tries a parked run by itself").toHaveLength(2);

  fs.writeFileSync(ready, "");
  expect(call(r, "release", parked).code).toBe(0);
  await r.pass();
  expect(only(r.runs())).toMatchObject({ state: "done", attempts: 3 });

  const replayed = call(r, "replay", parked);
  expect(replayed.stderr).toContain("run a-2 will start");
  await r.pass();
  expect(r.runs()).toMatchObject([{ id: 1 }, { id: 2, state: "done", replayOf: 1, batch: 1, attempts: 1 }]);

  fs.rmSync(ready);
  r.push();
  await r.pass();
  const waiting = r.runs()[2] as Run;
  expect(waiting).toMatchObject({ state: "waiting", attempts: 1, reason: "exit 1" });
  expect(call(r, "drop", waiting).code).toBe(0);
  await r.pass({ stay: true });
  expect(r.runs()[2]).toMatchObject({ attempts: 1, reason: expect.stringMatching(/^dropped by /) });
  expect(call(r, "drop", waiting)).toMatchObject({ code: 2 });
});

test("a run that waits for its retry holds back no other batch, but with --in-order it holds back its own hook's", async () => {
  const r = await serve(world);
  r.set("retry-base", "1h");
  r.hook(`echo "$GATEPOST_BATCH" >> '${r.file("loose")}'; test "$GATEPOST_BATCH" != 1`, { name: "loose", retries: 3 });
  r.hook("test $GATEPOST_BATCH != 1", { name: "ordered", retries: 3, inOrder: true });
  for (const _ of [1, 2]) {
    r.push();
    await r.pass();
  }
  expect(r.runs().map(({ batch, hookName, state }) => [batch, hookName, state])).toEqual([
    [1, "loose", "waiting"],
    [1, "ordered", "waiting"],
    [2, "loose", "done"],
    [2, "ordered", "waiting"],
  ]);
  expect(r.read("loose")).toBe("1\n2\n");
  expect(r.runs()[3]).toMatchObject({ attempts: 0 });
});

test("a pass that is told to stop ends the running hook with its grace and leaves the run to the next pass", async () => {
  const r = await serve(world);
  const started = r.file("started");
  r.hook(
    `[ "$GATEPOST_ATTEMPT" = 1 ] || exit 0; trap 'echo asked to end; exit 9' TERM; : > '${started}'; while :; do sleep 0.05; done`,
  );
  r.push();
  const stop = new AbortController();
  const passing = r.pass({ signal: stop.signal });
  await until("the hook runs", () => fs.existsSync(started));
  stop.abort();
  await passing;
  const run = only(r.runs());
  expect(run).toMatchObject({ state: "waiting", attempts: 1, failures: 0, reason: "ended by shutdown" });
  expect(r.attempts(run)[0]?.outputHead?.toString()).toContain("asked to end");
  await r.pass();
  expect(only(r.runs())).toMatchObject({ id: run.id, state: "done", attempts: 2 });
});

test("with --stdin paths a batch that leaves no path to read is skipped", async () => {
  const r = await serve(world);
  r.hook("cat", { stdin: "paths" });
  r.hook("cat", { stdin: "paths", paths: ["*.c"] });
  fs.rmSync(`${r.clone}/README`);
  r.push();
  await r.pass();
  expect(r.runs()).toMatchObject([
    { state: "skipped", reason: "no path is left" },
    { state: "skipped", reason: "--path *.c leaves no path" },
  ]);
});
