/**
 * Everything is killed: clients push and commit with the real git, hooks run, a daemon serves, commands are called, and
 * at random instants one of their processes gets SIGKILL. What died is started again; when all has come to rest, what
 * git, the clients and the hooks know is compared with what the database says.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { brokenPromises } from "../helpers/promises.ts";
import { randomFrom } from "../helpers/random.ts";
import { type Account, account } from "./lib/kill-account.ts";
import { type Clients, makeClients } from "./lib/kill-clients.ts";
import { KillStand } from "./lib/kill-stand.ts";
import { type Killed, killAtRandom } from "./lib/killer.ts";
import { report, torture } from "./lib/torture.ts";

const it = torture(300);
const world = makeWorld("gatepost-kill-");
afterAll(() => (process.env["TORTURE_KEEP"] === undefined ? world.remove() : console.log(world.dir)));

const CLIENTS = 3;

let killed: Killed;
let done: Account;
let clients: Clients;
let stand: KillStand;
let exitCode: number | null;
let orphans: string[];

beforeAll(async () => {
  stand = new KillStand(world);
  clients = makeClients(stand);
  stand.serve();
  let goesOn = true;
  const working = Array.from({ length: CLIENTS }, (_, index) =>
    clients.work(index, randomFrom(it.seed + 1 + index), () => goesOn),
  );
  const began = performance.now();
  killed = await killAtRandom(stand, it.random, it.count);
  goesOn = false;
  const over = performance.now();
  await Promise.all(working);
  for (const path of stand.repositories()) stand.sweep(path);
  await comeToRest();
  exitCode = await stand.stop();
  await settle("its processes end", () => stand.processes.all().length === 0, 20_000).catch(() => {});
  const seconds = { killing: Math.round((over - began) / 1000), rest: Math.round((performance.now() - over) / 1000) };
  orphans = stand.processes.all().map(({ pid, command }) => `${pid} ${command}`);
  done = account(stand, clients, killed);
  const promises = await brokenPromises(stand.home, { complete: true, settled: true });
  const broken = promises.filter(({ level }) => level === "fail").map(({ promise, says }) => `${promise}: ${says}`);
  done.broken.push(...broken);
  done.figures["promises broken"] = broken.length;
  const kinds = [...killed.kills].sort(([, a], [, b]) => b - a).map(([kind, times]) => `${times} ${kind}`);
  report(
    "kill",
    {
      kills: it.count,
      "of which": kinds.join(" "),
      ...done.figures,
      orphans: orphans.length,
      "s of kills": seconds.killing,
      "s to rest": seconds.rest,
    },
    it,
  );
  for (const sentence of done.broken.slice(0, 40)) console.log(`  ${sentence}`);
}, 3_600_000);

/** Waits for a fact; fails with the seed. */
async function settle(what: string, holds: () => boolean, within: number): Promise<void> {
  for (const end = performance.now() + within; performance.now() < end; ) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`this did not happen within ${within / 1000} s: ${what} (seed ${it.seed})`);
}

/** Waits until nothing waits or runs. Entries that a killed shim began are made old enough to be set aside. */
async function comeToRest(): Promise<void> {
  const db = new BetterSqlite3(join(stand.home, "gatepost.db"), { readonly: true });
  const spool = join(stand.home, "spool");
  const open = db.prepare<[], { n: number }>("SELECT count(*) AS n FROM run WHERE state IN ('waiting', 'running')");
  const uncut = db.prepare<[], { n: number }>(
    "SELECT count(*) AS n FROM receipt JOIN repository ON repository.id = receipt.repository WHERE receipt.id > cursor",
  );
  const explained = db.prepare<[], { n: number }>("SELECT count(*) AS n FROM repository WHERE fingerprint IS NULL");
  try {
    const isAtRest = (): boolean => {
      const entries = fs.readdirSync(spool).filter((name) => name.endsWith(".entry"));
      for (const name of entries) {
        try {
          const text = fs.readFileSync(join(spool, name), { encoding: "latin1", flag: "r" });
          if (!/\nend \d+\+?\n$/.test(text)) fs.utimesSync(join(spool, name), 0, 0);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error; // drained meanwhile
        }
      }
      return entries.length === 0 && open.get()?.n === 0 && uncut.get()?.n === 0 && explained.get()?.n === 0;
    };
    await settle("all runs end", isAtRest, 300_000);
  } finally {
    db.close();
  }
}

test("A1: whatever dies, each change of a ref is on one receipt, each receipt in one batch, each run comes to its end", () => {
  expect(done.broken, `seed ${it.seed}`).toEqual([]);
  expect(stand.complaints, `seed ${it.seed}`).toEqual([]);
  expect(killed.backoffices).toBeGreaterThan(0);
  expect(exitCode).toBe(0);
  expect(orphans, `seed ${it.seed}`).toEqual([]);
});

test("A3: a push whose shim is killed goes well", () => {
  const pushes = clients.pushes.filter(({ name }) => killed.shimless.has(name));
  expect(pushes.length).toBeGreaterThan(0);
  // One may have been refused for a reason of git's own: a ref that another push had locked.
  const failed = pushes.filter(({ code }) => code !== 0);
  expect(failed.length, `seed ${it.seed}`).toBeLessThan(Math.max(2, pushes.length / 4));
});

test("A5: a hook that is killed has failed by its signal, or was lost when its backoffice died as well", () => {
  const ends = [...killed.leaders].map((attempt) => done.outcomes.get(attempt) ?? "unknown");
  expect(ends.length).toBeGreaterThan(0);
  expect(ends.filter((outcome) => outcome === "signal").length).toBeGreaterThan(0);
  // "exit": it was on its way out when the signal came.
  expect(
    ends.filter((outcome) => !["signal", "lost", "exit"].includes(outcome)),
    `seed ${it.seed}`,
  ).toEqual([]);
});

test("A12: the largest process can be killed as the kernel does for want of memory", () => {
  const sizes = [...killed.largest.values()].reduce((sum, times) => sum + times, 0);
  expect(sizes).toBe(killed.kills.get("largest") ?? 0);
  expect(sizes).toBeGreaterThan(0);
});
