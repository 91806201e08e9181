/**
 * How long an idle daemon takes from a receipt on disk to the first byte of stdin in the hook.
 *
 * The clock starts right before this program writes the entry, as the shim does (one write, no sync), and stops when it
 * reads a byte from a FIFO into which the hook, a real `sh`, writes once it has read its first line. Both ends are the
 * same clock of the same process, so nothing has to be subtracted; the way back through the FIFO is in the figure.
 *
 * The part of the syncs is not estimated but taken out: two homes are served side by side, one on this disk and one in
 * memory (/dev/shm), where a sync costs nothing. The second is the figure. Between two entries the daemons come to
 * rest, and stay so for a moment.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, constants, fdatasyncSync, openSync, statfsSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { formatEntry } from "../dist/spool/entry.js";
import { listen } from "./lib/answers.mjs";
import { digits, ms, quantile } from "./lib/figures.mjs";
import { startDaemon, watchHome } from "./lib/homes.mjs";
import { makePlace } from "./lib/place.mjs";
import { claim, skipped, table } from "./lib/report.mjs";
import { makeChain } from "./lib/repositories.mjs";
import { randomFrom, rounds } from "./lib/rounds.mjs";

export const title = "from a receipt on disk to the first byte of stdin in the hook, daemon idle";

const MEMORY = "/dev/shm";
const TMPFS = 0x01021994;
const REF = "refs/heads/main";

export async function measure({ seed, quick }) {
  const count = quick ? 30 : 300;
  const warm = 5;
  const random = randomFrom(seed + 1);
  const disk = await server(makePlace(), warm + count, random);
  const memory = isMemory() ? await server(makePlace(MEMORY), warm + count, random) : null;
  const variants = {
    "home on this disk": disk.once,
    ...(memory === null ? {} : { "home in memory": memory.once }),
    "bare spawn of sh from Node": disk.spawn,
    "one fdatasync of 4 KiB": disk.sync,
  };
  const found = await rounds("latency", variants, { count, warm, seed });
  for (const one of [disk, memory]) await one?.stop();

  table(
    ["ms", "p50", "p90", "p99", "max"],
    Object.entries(found).map(([name, list]) => [
      name,
      ...[0.5, 0.9, 0.99, 1].map((share) => digits(quantile(list, share))),
    ]),
  );
  const facts = {
    n: count,
    seed,
    diskP50: quantile(found["home on this disk"], 0.5),
    diskP99: quantile(found["home on this disk"], 0.99),
    syncP50: quantile(found["one fdatasync of 4 KiB"], 0.5),
    spawnP50: quantile(found["bare spawn of sh from Node"], 0.5),
    spawnP99: quantile(found["bare spawn of sh from Node"], 0.99),
  };
  const names = ["latency p50 in ms, net of syncs", "latency p99 in ms, net of syncs"];
  const net = found["home in memory"];
  if (net === undefined)
    return [skipped(names[0], 20, `${MEMORY} is not in memory`), skipped(names[1], 100, `${MEMORY} is not in memory`)];
  console.log(`  syncs: ${ms(facts.diskP50 - quantile(net, 0.5))} of the median on this disk`);
  return [
    claim({ claim: names[0], figure: quantile(net, 0.5), goal: 20, ...facts }),
    claim({ claim: names[1], figure: quantile(net, 0.99), goal: 100, ...facts }),
  ];
}

function isMemory() {
  try {
    return statfsSync(MEMORY).type === TMPFS;
  } catch {
    return false;
  }
}

/** A repository with a daemon, and the measurements that are taken of it. */
async function server(place, moves, random) {
  const repository = place.path("served.git");
  const commits = makeChain(place, repository, moves + 1);
  place.git(repository, ["update-ref", REF, commits[0]]);
  place.git(repository, ["update-ref", "-d", "refs/heads/chain"]);
  place.gatepost("init", repository);
  const fifo = place.path("fifo");
  const answer = listen(place, fifo);
  const said = `read -r line; printf x >'${fifo}'`;
  place.gatepost("hook", "add", "-R", repository, "--type", "after-receive", "--command", said);
  const home = watchHome(join(repository, "gatepost"));
  const daemon = await startDaemon(place, ["--poll", "3600", repository], [home]);
  const scratch = openSync(place.path("scratch"), constants.O_WRONLY | constants.O_CREAT);
  let at = 0;
  return {
    async once() {
      await home.idle();
      await new Promise((resolve) => setTimeout(resolve, 20 + 30 * random()));
      const update = { ref: REF, old: commits[at], new: commits[++at] };
      place.git(repository, ["update-ref", REF, update.new, update.old]);
      const text = formatEntry(entryOf(repository, update));
      const file = join(home.dir, "spool", `${randomUUID()}.entry`);
      const heard = answer.next();
      const began = performance.now();
      writeFileSync(file, text, { flag: "wx" });
      return (await heard) - began;
    },
    async spawn() {
      const heard = answer.next();
      const began = performance.now();
      const child = spawn("sh", ["-c", said], { stdio: ["pipe", "ignore", "ignore"] });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.stdin.end("a line\n");
      const took = (await heard) - began;
      await ended;
      return took;
    },
    async sync() {
      writeSync(scratch, Buffer.alloc(4096, 1));
      const began = performance.now();
      fdatasyncSync(scratch);
      return performance.now() - began;
    },
    async stop() {
      await daemon.stop();
      home.close();
      closeSync(scratch);
      answer.close();
      place.remove();
    },
  };
}

const entryOf = (repository, update) => ({
  kind: "push",
  hook: "post-receive",
  dir: repository,
  namespace: null,
  glUser: null,
  glRepo: null,
  remoteUser: null,
  address: null,
  options: [],
  updates: [update],
});
