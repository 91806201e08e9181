import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { readLease } from "../../src/store/lease.ts";
import { makeWorld, until } from "../helpers/cli.ts";
import { endDaemonsAfterEach, startServer } from "../helpers/daemon.ts";
import { enter, fileOf, isDone, leave, runs, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

endDaemonsAfterEach();

/** Shell text that says whether the process runs whose id the file holds; a zombie, which nobody reaped, does not. */
const stillRuns = (r: Served): string =>
  `grep -q '^State:[^Z]*$' "/proc/$(cat '${r.file("pid")}')/status" 2> /dev/null`;

test("a daemon wakes when something is pushed, and each push is handed out", async () => {
  const r = await serve(world);
  r.hook(`cat >> '${r.file("got")}'`, { stdin: "updates" });
  await startServer(r);
  let before = r.start;
  let lines = "";
  for (let n = 1; n <= 3; n++) {
    const pushed = r.push();
    await isDone(r, n);
    lines += `${before} ${pushed} refs/heads/main\n`;
    before = pushed;
  }
  expect(r.read("got")).toBe(lines);
  expect(r.spool()).toEqual([]);
});

test("a daemon is told of changes that no push brings: a hook that is added, a run to be replayed", async () => {
  const r = await serve(world);
  await startServer(r);
  expect(world.gatepost(["hook", "add", "-R", r.path, "--type", "after-receive", "--command", "true"]).code).toBe(0);
  r.push();
  await isDone(r, 1);
  expect(world.gatepost(["runs", "replay", "a-1", "-R", r.path]).stderr).toBe("run a-2 will start\n");
  await isDone(r, 2);
});

test("I13: on SIGTERM a daemon ends well: the running hook is ended, the lease given back, daemon.pid removed", async () => {
  const r = await serve(world);
  r.hook(
    `[ "$GATEPOST_ATTEMPT" = 1 ] || exit 0; trap ': > "${r.file("asked")}"; exit 9' TERM; echo $$ > '${r.file("pid")}'; while :; do sleep 0.05; done`,
  );
  const served = await startServer(r);
  expect(fs.readFileSync(r.home.layout.daemonPid, "utf8")).toMatch(new RegExp(`^${served.pid} \\d+\n$`));
  r.push();
  const pid = Number(await fileOf(r, "pid"));
  served.child.kill("SIGTERM");
  expect(await served.ended).toBe(0);
  expect(fs.existsSync(r.file("asked"))).toBe(true);
  expect(runs(pid)).toBe(false);
  expect(fs.existsSync(r.home.layout.daemonPid)).toBe(false);
  expect(readLease(r.home.db)).toMatchObject({ holder: null, pid: null });
  expect(r.runs()).toMatchObject([{ state: "waiting", attempts: 1, failures: 0 }]);
  await startServer(r);
  await isDone(r, 1);
  expect(r.runs()).toMatchObject([{ id: 1, attempts: 2 }]);
});

test("I5: after kill -9 the next daemon takes over at once, ends what is left, and repeats the run under its id", async () => {
  const r = await serve(world);
  const log = r.file("log");
  r.hook(
    `echo "$GATEPOST_RUN $GATEPOST_ATTEMPT" >> '${log}'; [ "$GATEPOST_ATTEMPT" = 1 ] || { ${stillRuns(r)} && echo overlap >> '${log}'; exit 0; }
     sleep 300 & echo $! > '${r.file("pid")}'; wait`,
  );
  const first = await startServer(r);
  r.push();
  const pid = Number(await fileOf(r, "pid"));
  await until("the process is noted", () => r.runs().flatMap((run) => r.attempts(run))[0]?.pid);
  first.child.kill("SIGKILL");
  await first.ended;
  expect(runs(pid), "the hook has outlived its daemon").toBe(true);
  expect(readLease(r.home.db), "the lease has long to go").toMatchObject({ pid: first.pid });
  const second = await startServer(r);
  await isDone(r, 1);
  expect(runs(pid)).toBe(false);
  expect(r.read("log")).toBe("a-1 1\na-1 2\n");
  const [run] = r.runs();
  expect(run).toMatchObject({ id: 1, attempts: 2, failures: 0 });
  expect(run && r.attempts(run).map(({ outcome }) => outcome)).toEqual(["lost", "exit"]);
  expect(second.said()).toContain("attempt 1 was lost with its backoffice; it runs again");
});

test("I6: a hook whose daemon was killed before it could note the process is ended before the run is repeated", async () => {
  const r = await serve(world);
  r.hook(
    `[ "$GATEPOST_ATTEMPT" = 1 ] || { ${stillRuns(r)} && : > '${r.file("overlap")}'; exit 0; }
     kill -KILL "$PPID"; echo $$ > '${r.file("pid")}'; while :; do sleep 0.05; done`,
  );
  const first = await startServer(r);
  r.push();
  expect(await first.ended).toBe("SIGKILL");
  const pid = Number(await fileOf(r, "pid"));
  expect(r.runs().flatMap((run) => r.attempts(run))).toMatchObject([{ pid: null, outcome: null }]);
  await startServer(r);
  await isDone(r, 1);
  expect(runs(pid)).toBe(false);
  expect(fs.existsSync(r.file("overlap"))).toBe(false);
});

test("a hook that kills its backoffice each time is parked in the end, with that reason", async () => {
  const r = await serve(world);
  r.hook('kill -KILL "$PPID"');
  r.push();
  const pass = () => world.gatepost(["backoffice", r.path]).code;
  for (let n = 1; n <= 10; n++) expect(pass(), `pass ${n}`).toBeNull();
  expect(pass(), "the eleventh has nothing left that could kill it").toBe(0);
  expect(r.runs()).toMatchObject([
    { state: "parked", reason: "its backoffice died 10 times while it ran", attempts: 10 },
  ]);
});

test("two daemons on one home run nothing twice", async () => {
  const r = await serve(world);
  r.hook(`cat >> '${r.file("got")}'`, { stdin: "updates" });
  await Promise.all([startServer(r), startServer(r)]);
  const pushed = Array.from({ length: 6 }, () => r.push());
  const lines = pushed.map((hash, n) => `${[r.start, ...pushed][n]} ${hash} refs/heads/main\n`).join("");
  await until("all is handed out", () => fs.existsSync(r.file("got")) && r.read("got").length >= lines.length);
  await until("the runs are over", () => r.runs().every(({ state }) => state === "done"));
  expect(r.read("got")).toBe(lines);
  expect(r.runs().every(({ attempts }) => attempts === 1)).toBe(true);
});

test("a daemon finds by its poll what no shim tells of", async () => {
  const r = await serve(world);
  r.hook(`cat >> '${r.file("got")}'`, { stdin: "updates" });
  await startServer(r, "--poll", "1");
  const made = r.inside(["commit-tree", "-m", "by hand", r.inside(["rev-parse", "HEAD^{tree}"])]);
  r.inside(["update-ref", "refs/heads/side", made]);
  await isDone(r, 1);
  expect(r.read("got")).toContain(`${made} refs/heads/side\n`);
});

test("a daemon serves several homes, and one that is damaged does not stop the others", async () => {
  const [bad, good] = [await serve(world), await serve(world)];
  good.hook("true");
  const served = await startServer(good, bad.path);
  fs.renameSync(bad.home.layout.database, `${bad.home.layout.database}-away`);
  bad.push();
  await until("it is named", () => served.said().includes(bad.home.dir));
  good.push();
  await isDone(good, 1);
});
