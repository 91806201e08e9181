/** Homes as a benchmark sees them: a daemon that serves one, and whether anything is going on in it. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { entryNames } from "../../dist/spool/drain.js";
import { closeDatabase, openDatabase } from "../../dist/store/database.js";
import { readLease } from "../../dist/store/lease.js";
import { cpuOf, peakMemoryOf } from "./account.mjs";
import { program, until } from "./place.mjs";

/** Looks at a home through a connection of its own. */
export function watchHome(dir) {
  const db = openDatabase(join(dir, "gatepost.db"));
  const lease = () => readLease(db);
  const isIdle = () =>
    lease().holder === null && entryNames(join(dir, "spool")).length === 0 && lease().holder === null;
  return {
    db,
    dir,
    isIdle,
    /** Waits until every entry is on a receipt and no pass is under way. */
    idle: (limit) => until(`${dir} is idle`, isIdle, limit),
    close: () => closeDatabase(db),
  };
}

const daemons = new Set();
let served = 0;
const linesOf = (file) => (existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0);
process.on("exit", () => {
  for (const child of daemons) child.kill("SIGKILL");
});

/** Starts `gatepost serve` in a place and waits until the first look of the homes that are watched is over. */
export async function startDaemon(place, args, watched, limit = 600_000) {
  const began = performance.now();
  const log = join(place.dir, `served-${++served}.log`);
  const child = spawn(process.execPath, [program, "serve", "--debug", "--logfile", log, ...args], {
    cwd: "/",
    env: place.env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  daemons.add(child);
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await until(
    "the daemon is up",
    () => {
      if (child.exitCode !== null) throw new Error(`the daemon ended: ${said}`);
      // Each home's first look is a line in the log, also where there was nothing to do.
      return linesOf(log) >= watched.length && watched.every((home) => home.isIdle());
    },
    limit,
  );
  return {
    pid: child.pid,
    /** How long it took until the first look was over, in ms. */
    firstLook: performance.now() - began,
    cpu: () => cpuOf(child.pid),
    memory: () => peakMemoryOf(child.pid),
    async stop() {
      child.kill("SIGTERM");
      await ended;
      daemons.delete(child);
    },
  };
}
