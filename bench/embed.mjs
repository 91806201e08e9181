/**
 * For how long the event loop of a program that embeds Gatepost stands still while its home works: the longest delay that
 * `monitorEventLoopDelay` sees in the caller's thread. On a machine that does other things besides, most of that is waiting
 * for a processor, or for a thread that waits for one; a loop with nothing to do says how much. What the caller's thread
 * computes in one turn (/proc/self/task/TID/schedstat) is ours on any machine, and is a claim of its own; so is the longest
 * stand without the time in which the thread was ready and the kernel had no processor for it, which is said there, too.
 * What remains in that one is computed, or waited for: a lock, or the garbage collector's other threads.
 *
 * Measured while another process holds the write lock for three seconds; while ten thousand entries are drained and handed
 * to a function; while a gate is compiled for 300 repositories; and while a function reads a list of 200,000 artifacts, and
 * one of a million, whose memory in the caller's thread is stated, too.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { openHome } from "../dist/index.js";
import { formatEntry } from "../dist/spool/entry.js";
import { digits } from "./lib/figures.mjs";
import { makePlace, until } from "./lib/place.mjs";
import { claim, table } from "./lib/report.mjs";

export const title = "the event loop of a program that embeds Gatepost";

const ZERO = "0".repeat(40);
const ALL = { scope: "all" };

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

export async function measure({ quick }) {
  const scale = quick ? 0.1 : 1;
  const cases = {
    "(nothing, 3 s)": () => [0, () => pause(3000)],
    "write lock held by another process": lockHeld,
    "entries drained": (place, home) => entriesDrained(place, home, 10_000 * scale),
    "gates of repositories compiled": (place, home) => gatesCompiled(place, home, 300 * scale),
    "artifacts read": (place, home) => artifactsRead(place, home, 200_000 * scale),
    "more artifacts read": (place, home) => artifactsRead(place, home, 1_000_000 * scale),
  };
  const rows = [];
  for (const [name, prepare] of Object.entries(cases)) {
    const place = makePlace();
    const home = await openHome(place.path("home"), { create: true, env: place.env });
    await home.set("automatic-backoffice", "off");
    await home.set("reconcile-age", "1ms");
    const [count, work] = await prepare(place, home);
    rows.push({ name, count, ...(await delayDuring(work)) });
    await home.close();
    place.remove();
  }
  table(
    ["while", "how many", "took s", "longest ms", "unhindered ms", "most CPU ms", "p99 ms", "heap MB"],
    rows.map(({ name, count, took, longest, unhindered, computed, p99, heap }) => [
      name,
      count === 0 ? "" : digits(count),
      digits(took / 1000),
      digits(longest),
      digits(unhindered),
      digits(computed),
      digits(p99),
      digits(heap),
    ]),
  );
  const [idle, ...others] = rows;
  const claims = others.map(({ name, count, longest, unhindered, computed, took, heap }) =>
    claim({
      claim: `longest stand of the caller's event loop in ms, ${name}`,
      figure: longest,
      goal: 10,
      idle: idle.longest,
      unhindered,
      computed,
      n: count,
      took,
      heap,
    }),
  );
  const most = Math.max(...others.map(({ computed }) => computed));
  const stood = Math.max(...others.map(({ unhindered }) => unhindered));
  return [
    ...claims,
    claim({ claim: "longest stand without the waits for a processor, ms", figure: stood, goal: 10 }),
    claim({ claim: "most that the caller's thread computes in one turn, ms", figure: most, goal: 10 }),
  ];
}

async function delayDuring(work) {
  collectGarbage(); // what the preparations left would be collected in the middle of what is measured
  const before = getHeapStatistics().used_heap_size;
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, getHeapStatistics().used_heap_size);
  }, 20);
  const turns = watchTurns();
  const delays = monitorEventLoopDelay({ resolution: 1 });
  const began = performance.now();
  delays.enable();
  await work();
  delays.disable();
  clearInterval(watch);
  return {
    ...turns(),
    took: performance.now() - began,
    longest: delays.max / 1e6 - 1, // the timer's own period is part of what it measures
    p99: delays.percentile(99) / 1e6 - 1,
    heap: (peak - before) / 1e6,
  };
}

/**
 * Watches how much this thread computes between two turns of its loop, and how long one lasts without the waits for a
 * processor, in ms; exact to a tick of the kernel.
 */
function watchTurns() {
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`);
  const bytes = Buffer.alloc(100);
  const look = () => {
    const [used, waited] = bytes.toString("latin1", 0, readSync(file, bytes, 0, 100, 0)).split(" ");
    return { at: performance.now(), used: Number(used) / 1e6, waited: Number(waited) / 1e6 };
  };
  let [before, computed, unhindered] = [look(), 0, 0];
  const timer = setInterval(() => {
    const now = look();
    computed = Math.max(computed, now.used - before.used);
    unhindered = Math.max(unhindered, now.at - before.at - 1 - (now.waited - before.waited)); // 1: the timer's own period
    before = now;
  }, 1);
  return () => {
    clearInterval(timer);
    closeSync(file);
    return { computed, unhindered };
  };
}

async function lockHeld(place, home) {
  await home.registerRepository(bare(place, "app.git"));
  const script = `
    const db = new (require("better-sqlite3"))(process.argv[1]);
    db.exec("BEGIN IMMEDIATE");
    console.log("held");
    setTimeout(() => db.exec("COMMIT"), 3000);`;
  const work = async () => {
    const holder = spawn(process.execPath, ["-e", script, join(home.dir, "gatepost.db")], {
      cwd: join(import.meta.dirname, ".."),
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    holder.stdout.on("data", (data) => {
      said += data;
    });
    await until("the lock is held", () => said.includes("held"));
    await Promise.all([home.addHook({ type: "after-receive", command: "true", scope: ALL }), home.runs()]);
  };
  return [0, work];
}

async function entriesDrained(place, home, count) {
  const app = bare(place, "app.git");
  const hash = place.git(app, ["commit-tree", "-m", "m", place.git(app, ["mktree"], "")]);
  await home.registerRepository(app);
  let received = 0;
  await home.hook({
    name: "index",
    type: "after-receive",
    run: ({ receipts }) => {
      received += receipts.length;
    },
  });
  const refs = Array.from({ length: count }, (_, number) => `refs/heads/topic${number}`);
  place.git(app, ["update-ref", "--stdin"], refs.map((ref) => `create ${ref} ${hash}\n`).join(""));
  const facts = { namespace: null, glUser: null, glRepo: null, remoteUser: null, address: null, options: [] };
  for (const ref of refs) {
    const entry = { kind: "push", hook: "post-receive", dir: app, ...facts, updates: [{ ref, old: ZERO, new: hash }] };
    writeFileSync(join(home.dir, "spool", `${randomUUID()}.entry`), formatEntry(entry));
  }
  const work = async () => {
    await home.pass();
    if (received !== count) throw new Error(`of ${count} receipts came ${received}`);
  };
  return [count, work];
}

async function gatesCompiled(place, home, count) {
  const paths = Array.from({ length: count }, (_, number) => bare(place, `r${number}.git`));
  place.gatepost("init", "--home", home.dir, ...paths);
  return [count, () => home.addHook({ type: "before-receive", command: "true", scope: ALL })];
}

async function artifactsRead(place, home, count) {
  const app = bare(place, "app.git");
  await home.registerRepository(app);
  let read = 0;
  await home.hook({
    name: "index",
    type: "after-receive",
    run: async (batch) => {
      for await (const line of batch.artifacts()) if (line.includes(" file ")) read += 1;
    },
  });
  const blobs = Array.from(
    { length: count },
    (_, n) => `M 100644 inline d${n % 1000}/f${n}\ndata ${String(n).length}\n${n}\n`,
  );
  const head = "commit refs/heads/main\ncommitter a <a@example.org> 1700000000 +0000\ndata 1\nm\n";
  place.git(app, ["fast-import", "--quiet"], `${head}${blobs.join("")}`);
  const work = async () => {
    while (read === 0) await home.pass();
    if (read !== count) throw new Error(`of ${count} artifacts came ${read}`);
  };
  return [count, work];
}

function bare(place, name) {
  place.run("git", ["init", "--quiet", "--bare", place.path(name)]);
  return place.path(name);
}
