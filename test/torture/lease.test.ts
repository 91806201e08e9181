/**
 * Fifty daemons on one home, which are stopped, sent on and killed at random while pushes arrive: at any time one works,
 * no two attempts of a hook overlap, and nothing is stored under a token that is not the lease's. `count` is in seconds.
 */
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { makeWorld, until } from "../helpers/cli.ts";
import { type Daemon, endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";
import { enter, leave, type Served, serve } from "../helpers/served.ts";
import { report, torture } from "./lib/torture.ts";

const world = makeWorld();
enter(world);
endDaemonsAfterEach();
afterAll(() => leave(world));

const DAEMONS = 50;

/** What the database itself sees of writes that no holder may make: under another token than the lease's. */
const WITNESS = `
  CREATE TABLE witness (what TEXT);
  CREATE TRIGGER late_begin AFTER INSERT ON attempt WHEN new.token <> (SELECT token FROM lease)
    BEGIN INSERT INTO witness VALUES ('began ' || new.id || ' by ' || new.token); END;
  CREATE TRIGGER late_end AFTER UPDATE OF ended_at ON attempt
    WHEN new.outcome <> 'lost' AND new.token <> (SELECT token FROM lease)
    BEGIN INSERT INTO witness VALUES ('ended ' || new.id || ' by ' || new.token); END;
  CREATE TRIGGER token_falls BEFORE UPDATE OF token ON lease WHEN new.token < old.token
    BEGIN INSERT INTO witness VALUES ('token fell to ' || new.token); END;`;

type Line = { what: string; run: string; attempt: string; at: number };

/** The journal of the hook: "begin RUN ATTEMPT UPTIME" and "end …", each written at once. */
const journal = (r: Served): Line[] =>
  (fs.existsSync(r.file("journal")) ? r.read("journal").trim().split("\n") : []).map((line) => {
    const [what = "", run = "", attempt = "", at = ""] = line.split(" ");
    return { what, run, attempt, at: Number(at) };
  });

/** Attempts that began while another one of the same hook had neither ended nor been ended. */
function overlaps(lines: readonly Line[]): string[] {
  const wrong: string[] = [];
  let open: Line | null = null;
  for (const line of lines) {
    if (line.what === "begin") {
      if (open !== null && open.run !== line.run) wrong.push(`${line.run} began within ${open.run}`);
      open = line;
    } else if (open !== null && `${open.run} ${open.attempt}` !== `${line.run} ${line.attempt}`)
      wrong.push(`${line.run} attempt ${line.attempt} ended after ${open.run} attempt ${open.attempt} had begun`);
    else open = null;
  }
  return wrong;
}

test("D1: of fifty daemons that are stopped, sent on and killed at random, one at a time works, by the newest token", async () => {
  const asked = torture(120);
  const { random, count, seed } = asked;
  const r = await serve(world);
  r.home.db.sqlite.exec(WITNESS);
  const note = (what: string): string =>
    `read up _ < /proc/uptime; echo "${what} $GATEPOST_RUN $GATEPOST_ATTEMPT $up" >> '${r.file("journal")}'`;
  r.hook(`cat > /dev/null; ${note("begin")}; sleep 0.2; ${note("end")}`);

  const start = (): Daemon => startDaemon(world, ["backoffice", "--poll", "1", "--jobs", "1", "--home", r.home.dir]);
  const daemons = Array.from({ length: DAEMONS }, start);
  const stopped = new Map<number, number>();
  const figures = { killed: 0, stopped: 0, pushes: 0 };
  const holder = (): number => Number(r.home.db.sqlite.prepare("SELECT ifnull(pid, 0) FROM lease").pluck().get());
  r.push();
  await until("somebody works", () => journal(r).length > 0);

  for (const end = performance.now() + count * 1000; performance.now() < end; ) {
    // Every other time whoever works is hit, or in a crowd of fifty that would be rare.
    const hit = random.chance(0.5) ? daemons.findIndex(({ pid }) => pid === holder()) : random.below(DAEMONS);
    const at = hit < 0 ? random.below(DAEMONS) : hit;
    const daemon = daemons[at] as Daemon;
    if (random.chance(0.3)) {
      daemon.child.kill("SIGKILL");
      stopped.delete(daemon.pid);
      await daemon.ended;
      daemons[at] = start();
      figures.killed += 1;
    } else if (!stopped.has(daemon.pid)) {
      daemon.child.kill("SIGSTOP");
      // Long enough, now and then, that its lease ends meanwhile.
      stopped.set(daemon.pid, performance.now() + random.below(random.chance(0.2) ? 45_000 : 3000));
      figures.stopped += 1;
    }
    for (const { child, pid } of daemons)
      if ((stopped.get(pid) ?? Number.POSITIVE_INFINITY) < performance.now()) {
        stopped.delete(pid);
        child.kill("SIGCONT");
      }
    if (random.chance(0.5)) {
      r.push();
      figures.pushes += 1;
    } else await new Promise((resolve) => setTimeout(resolve, random.below(400)));
  }

  for (const { child } of daemons) child.kill("SIGCONT");
  await until("everything is delivered", () => {
    const open = r.home.db.sqlite
      .prepare("SELECT count(*) FROM run WHERE state IN ('waiting', 'running')")
      .pluck()
      .get();
    return r.spool().length === 0 && open === 0;
  });
  const codes = await Promise.all(
    daemons.map(async ({ child, ended }) => {
      child.kill("SIGTERM");
      return await ended;
    }),
  );
  const read = (sql: string): number => Number(r.home.db.sqlite.prepare(sql).pluck().get());
  const lines = journal(r);
  report(
    "lease",
    {
      daemons: DAEMONS,
      seconds: count,
      ...figures,
      takeovers: read("SELECT token FROM lease") - 1,
      runs: read("SELECT count(*) FROM run"),
      repeats: read("SELECT count(*) FROM attempt WHERE number > 1"),
      overlaps: overlaps(lines).length,
      "writes with an old token": read("SELECT count(*) FROM witness"),
    },
    asked,
  );
  const why = `seed ${seed}`;
  expect(overlaps(lines), why).toEqual([]);
  expect(r.home.db.sqlite.prepare("SELECT what FROM witness").pluck().all(), why).toEqual([]);
  expect(read("SELECT count(*) FROM run WHERE state <> 'done'"), why).toBe(0);
  expect(read("SELECT count(*) FROM attempt WHERE number > 1"), why).toBe(
    read("SELECT count(*) FROM attempt WHERE outcome IN ('lost', 'aborted')"),
  );
  expect(new Set(lines.map(({ run }) => run)).size, why).toBe(read("SELECT count(*) FROM run"));
  expect(codes, why).toEqual(daemons.map(() => 0));
  expect(r.inside(["rev-parse", "refs/heads/main"]), why).toBe(
    r.home.db.sqlite.prepare("SELECT new FROM ref_update ORDER BY id DESC LIMIT 1").pluck().get(),
  );
});
