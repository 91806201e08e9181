import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { backdate, enter, entry, leave, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

const HOUR = 3_600_000;

/** The entry that the last push left, by what was there before. */
function entryOf(served: Served, push: () => void): string {
  const before = new Set(served.spool());
  push();
  return served.spool().find((file) => !before.has(file)) ?? "";
}

const checkIns = (list: string): string[] =>
  list.split("\n").flatMap((line) => /^(\w+) check-in/.exec(line)?.[1] ?? []);

test("three pushes that are made while no pass runs are one batch", async () => {
  const r = await serve(world);
  r.hook(`cat >> '${r.file("got")}'; echo . >> '${r.file("calls")}'`);
  const pushed = [1, 2, 3].map((n) => r.push({ files: { a: `${n}` } }));
  await r.pass();
  expect(r.batches()).toMatchObject([{ receipts: 3, leftOut: 0 }]);
  expect(r.read("calls")).toBe(".\n");
  expect(checkIns(r.read("got"))).toEqual(pushed);
  expect(r.receipts().map(({ updates }) => updates)).toEqual(
    pushed.map((hash, n) => [entry("refs/heads/main", [r.start, ...pushed][n] ?? "", hash)]),
  );
  expect(r.spool()).toEqual([]);
  await r.pass();
  expect(r.batches(), "a pass without news cuts nothing").toHaveLength(1);
});

test("hooks run in the order of their sequence as a number, one after the other", async () => {
  const r = await serve(world);
  const log = r.file("log");
  for (const sequence of [10, 9, -1, 2])
    r.hook(`echo "${sequence} begins" >> '${log}'; cat > /dev/null; echo "${sequence} ends" >> '${log}'`, { sequence });
  r.push();
  await r.pass();
  expect(r.read("log").trim().split("\n")).toEqual([-1, 2, 9, 10].flatMap((n) => [`${n} begins`, `${n} ends`]));
});

test("a hook that fails is recorded with its exit code, and the ones after it run all the same", async () => {
  const r = await serve(world);
  r.hook("echo to stdout; echo to stderr >&2; exit 22", { sequence: 1 });
  r.hook("kill -SEGV $$", { sequence: 2 });
  r.hook("true", { sequence: 3 });
  r.push();
  await r.pass();
  const runs = r.runs();
  expect(runs).toMatchObject([
    { state: "failed", reason: "exit 22", attempts: 1 },
    { state: "failed", reason: "killed by SIGSEGV", attempts: 1 },
    { state: "done", reason: null, attempts: 1 },
  ]);
  const [attempt] = runs.flatMap((run) => r.attempts(run));
  expect(attempt).toMatchObject({ outcome: "exit", exitCode: 22, survivors: 0 });
  expect(attempt?.outputHead?.toString()).toBe("to stdout\nto stderr\n");
});

test("of a flood of output the first and the last 32 KiB are kept, and all of it is counted", async () => {
  const r = await serve(world);
  r.hook("seq -f %09.0f 100000");
  r.push();
  await r.pass();
  const [attempt] = r.runs().flatMap((run) => r.attempts(run));
  expect(attempt?.outputBytes).toBe(1_000_000);
  expect(attempt?.outputHead).toHaveLength(32 * 1024);
  expect(attempt?.outputTail).toHaveLength(32 * 1024);
  expect(attempt?.outputHead?.toString("latin1", 0, 10)).toBe("000000001\n");
  expect(attempt?.outputTail?.toString("latin1").endsWith("000099999\n000100000\n")).toBe(true);
});

test("R10: what is more than 24 hours older than the newest receipt is left out and counted, the rest is complete", async () => {
  const r = await serve(world);
  r.hook(`cat > '${r.file("got")}'; cat %A > '${r.file("aux.json")}'`, { name: "mail" });
  const ages = [30 * HOUR, 25 * HOUR, 24 * HOUR - 60_000, HOUR, 0];
  const pushed: string[] = [];
  for (const age of ages)
    backdate(
      entryOf(r, () => pushed.push(r.push())),
      age,
    );
  await r.pass();
  expect(r.batches()).toMatchObject([{ receipts: 3, leftOut: 2 }]);
  expect(checkIns(r.read("got")), "from the first receipt inside the window on").toEqual(pushed.slice(2));
  const aux = JSON.parse(r.read("aux.json"));
  const ids = r.receipts().map(({ id }) => id);
  expect(aux.receipts.map(({ rcvid }: { rcvid: number }) => rcvid)).toEqual(ids.slice(2));
  expect(aux.leftOut).toMatchObject({ count: 2, reason: "older than the window", receipts: [{ rcvid: ids[0] }, {}] });
  const shown = world.gatepost(["runs", "show", `${r.runs()[0]?.id}`, "-R", r.path]).stdout;
  expect(shown).toContain("2 receipts older than the window left out");

  fs.rmSync(r.file("got"));
  const again = world.gatepost(["hook", "test", "mail", "--base-rcvid", "0", "-R", r.path]);
  expect(again).toEqual({ stdout: "", stderr: "", code: 0 });
  expect(checkIns(r.read("got")), "by hand, what was left out can be handed out").toEqual(pushed);
});

test("R10: with the setting window on all, nothing is too old", async () => {
  const r = await serve(world);
  r.set("window", "all");
  r.hook(`cat > '${r.file("got")}'`);
  const pushed: string[] = [];
  for (const age of [9000 * HOUR, 25 * HOUR, 0])
    backdate(
      entryOf(r, () => pushed.push(r.push())),
      age,
    );
  await r.pass();
  expect(r.batches()).toMatchObject([{ receipts: 3, leftOut: 0 }]);
  expect(checkIns(r.read("got"))).toEqual(pushed);
});

test("C1: entries from years ahead or ago are dated between the receipt before them and now", async () => {
  const r = await serve(world);
  r.hook("true");
  const years = 10 * 365 * 24 * HOUR;
  for (const age of [0, -years, years])
    backdate(
      entryOf(r, () => r.push()),
      age,
    );
  const before = Date.now();
  await r.pass();
  const times = r.home.db.sqlite.prepare("SELECT at FROM receipt ORDER BY id").pluck().all() as number[];
  expect(times.every((at, n) => at <= Date.now() && at >= (times[n - 1] ?? 0))).toBe(true);
  expect(r.batches()[0]?.cutAt).toBeGreaterThanOrEqual(before);
  expect(r.receipts()).toHaveLength(3);
});

test("the push option gatepost.more holds receipts back, and a later complete push lifts that at once", async () => {
  const r = await serve(world);
  r.hook("cat > /dev/null");
  r.push({ args: ["-o", "gatepost.more"] });
  await r.pass();
  expect(r.receipts()).toHaveLength(1);
  expect(r.runs()).toEqual([]);
  r.push();
  await r.pass();
  expect(r.batches()).toMatchObject([{ receipts: 2 }]);
  expect(r.runs()).toMatchObject([{ state: "done" }]);
});

test("a pass that stays waits until the embargo is over, 60 s from the newest receipt", async () => {
  const r = await serve(world);
  r.hook("cat > /dev/null");
  const pushed = entryOf(r, () => r.push({ args: ["-o", "gatepost.more"] }));
  backdate(pushed, 59_000);
  const until = fs.statSync(pushed).mtimeMs + 60_000;
  await r.pass({ stay: true, automatic: true });
  expect(r.runs()).toMatchObject([{ state: "done" }]);
  expect(r.batches()[0]?.cutAt).toBeGreaterThanOrEqual(Math.floor(until));
});

test("embargoes that are renewed hold nothing back for more than five minutes", async () => {
  const r = await serve(world);
  r.hook("cat > /dev/null");
  backdate(
    entryOf(r, () => r.push({ args: ["-o", "gatepost.more"] })),
    301_000,
  );
  r.push({ args: ["-o", "gatepost.more"] });
  await r.pass();
  expect(r.batches()).toMatchObject([{ receipts: 2 }]);
});

test("E6: a hook may commit and push to the same repository and call gatepost; what it pushed is the next batch", async () => {
  const r = await serve(world);
  const script = r.file("hook.sh");
  fs.writeFileSync(
    script,
    `set -e
cat > "$1/got-$GATEPOST_BATCH"
[ "$GATEPOST_BATCH" = 1 ] || exit 0
"$2" runs -R "$3"
"$2" hook add -R "$3" --type after-receive --command 'cat > /dev/null' --name added
git clone -q . "$1/copy"
cd "$1/copy"
git -c user.name=bot -c user.email=bot@example.org commit -q --allow-empty -m 'by the hook'
git push -q origin HEAD:main
git rev-parse HEAD > "$1/own"
`,
  );
  r.hook(`sh '${script}' '${r.home.dir}' %F %R`);
  const first = r.push();
  await r.pass();
  const [run, ...more] = r.runs();
  const output = r.attempts(run as NonNullable<typeof run>)[0]?.outputHead?.toString() ?? "";
  expect(run, output).toMatchObject({ state: "done", attempts: 1 });
  expect(output).toContain("running, attempt 1");
  expect(output).toContain("hook 2 (added) added");
  expect(checkIns(r.read("got-1"))).toEqual([first]);
  expect(checkIns(r.read("got-2"))).toEqual([r.read("own").trim()]);
  expect(more).toMatchObject([{ state: "done" }, { state: "done", hookName: "added" }]);
  expect(r.batches()).toMatchObject([{ receipts: 1 }, { receipts: 1 }]);
});

test("without an after-receive hook nothing is cut; the first one starts with what arrives after it", async () => {
  const r = await serve(world);
  r.push();
  await r.pass();
  expect(r.receipts()).toHaveLength(1);
  r.hook(`cat > '${r.file("got")}'`);
  await r.pass();
  expect(r.runs()).toEqual([]);
  const pushed = r.push();
  await r.pass();
  expect(checkIns(r.read("got"))).toEqual([pushed]);
});
