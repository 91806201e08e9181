/**
 * The wall clock jumps while daemons work. Real daemons under libfaketime, whose clock is a file that the test rewrites;
 * the boot's own clock and the times of files stay what they are, as on a machine whose clock somebody sets.
 */
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { readSetting } from "../../src/store/setting.ts";
import { makeWorld, until } from "../helpers/cli.ts";
import { type Daemon, endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";
import { enter, isDone, leave, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
endDaemonsAfterEach();
afterAll(() => leave(world));

const library = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
  .map((machine) => `/usr/lib/${machine}/faketime/libfaketimeMT.so.1`)
  .find((file) => fs.existsSync(file));

const YEARS = 10 * 365 * 86_400;

/** A clock that daemons follow: seconds away from the real one. */
class Clock {
  readonly #file: string;
  constructor(name: string) {
    this.#file = world.at(name);
    this.set(0);
  }

  set(seconds: number): void {
    fs.writeFileSync(`${this.#file}.new`, `${seconds < 0 ? "" : "+"}${seconds}\n`);
    fs.renameSync(`${this.#file}.new`, this.#file);
  }

  daemon(r: Served): Daemon {
    return startDaemon(world, ["backoffice", "--poll", "1", "--home", r.home.dir], {
      LD_PRELOAD: library ?? "",
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      NO_FAKE_STAT: "1",
    });
  }
}

const states = (r: Served) => r.runs().map(({ state }) => state);

test.skipIf(library === undefined)(
  "C1: ten years ahead and back, no daemon takes the lease from one that works, and each push is handed out once",
  async () => {
    const r = await serve(world);
    const clock = new Clock("c1");
    const go = r.file("go");
    r.hook(`cat > /dev/null; echo "$GATEPOST_RUN" >> '${r.file("ran")}'; until [ -e '${go}' ]; do sleep 0.1; done`);
    const both = [clock.daemon(r), clock.daemon(r)];
    let pushed = 0;
    for (const jump of [YEARS, -YEARS, 3600, -3600, 0]) {
      fs.rmSync(go, { force: true });
      r.push();
      pushed += 1;
      await until(
        "the hook runs",
        () => fs.existsSync(r.file("ran")) && r.read("ran").split("\n").length === pushed + 1,
      );
      clock.set(jump);
      // The one that stands by has looked again by the new clock when it has made a few polls more.
      const [standing] = both.filter(({ pid }) => pid !== holder(r));
      const polls = reads(standing?.pid ?? 0);
      await until("it has looked again", () => reads(standing?.pid ?? 0) > polls + 50);
      fs.writeFileSync(go, "");
      await isDone(r, pushed);
    }
    expect(new Set(r.read("ran").trim().split("\n")).size).toBe(pushed);
    expect(
      r
        .runs()
        .flatMap((run) => r.attempts(run))
        .map(({ outcome }) => outcome),
    ).toEqual(Array(pushed).fill("exit"));
    for (const receipt of r.home.db.sqlite.prepare("SELECT at FROM receipt").pluck().all() as number[])
      expect(receipt).toBeGreaterThan(0);
    for (const { child } of both) expect(child.exitCode).toBeNull();
  },
);

const holder = (r: Served): number | null =>
  r.home.db.sqlite.prepare("SELECT pid FROM lease").pluck().get() as number | null;

/** How many reads a process has made. */
const reads = (pid: number): number =>
  Number(/syscr: (\d+)/.exec(fs.readFileSync(`/proc/${pid}/io`, "latin1"))?.[1] ?? 0);

test.skipIf(library === undefined)(
  "C2: a retry that waits when the clock is put back ten years comes at its time, and so does one that it finds waiting",
  async () => {
    const r = await serve(world);
    const clock = new Clock("c2");
    r.set("retry-base", "2s");
    r.hook(`cat > /dev/null; [ "$GATEPOST_ATTEMPT" -gt 2 ]`, { retries: 5 });
    const first = clock.daemon(r);
    r.push();
    await until("it waits for its retry", () => r.runs()[0]?.failures === 1 && states(r)[0] === "waiting");
    clock.set(-YEARS);
    await until("the second attempt has failed as well", () => r.runs()[0]?.failures === 2);
    first.child.kill("SIGTERM");
    await first.ended;
    // Set by a clock that was right, found by one that is not, and by a daemon that knows nothing of either.
    r.home.db.sqlite.prepare("UPDATE run SET due_at = ? WHERE state = 'waiting'").run(Date.now() + 2000);
    clock.daemon(r);
    await isDone(r, 1);
  },
);

test.skipIf(library === undefined)("C1: a clock that leaps ahead makes no history old on the spot", async () => {
  const r = await serve(world);
  const clock = new Clock("c3");
  r.set("retention-runs", "0");
  r.hook(":");
  const daemon = clock.daemon(r);
  r.push();
  await isDone(r, 1);
  await until("history was looked through", () => readSetting(r.home.db, "pruned.at"));
  clock.set(YEARS);
  await until("it was looked through by the new clock", () => readSetting(r.home.db, "pruned.doubt"));
  r.push();
  await isDone(r, 2);
  expect(r.runs()).toHaveLength(2);
  clock.set(YEARS + 2 * 86_400);
  await until("a day later it goes", () => r.runs().length < 2);
  expect(daemon.child.exitCode).toBeNull();
});
