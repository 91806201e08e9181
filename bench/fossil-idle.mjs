/**
 * What Fossil repositories cost in which nothing happens, against `fossil backoffice` over as many, in CPU time.
 *
 * A pass: both as whole processes, the start of Node included; 1,000 repositories and 10,000, registered in one shared
 * home with one hook for all of them. Fossil starts a process for each. Its lease is taken as it comes: the first run
 * takes one in each repository, a run within the next minute finds it held and does nothing, which is the cheaper one.
 * It writes its lease into the repository, which would be a change to look into: each has repositories of its own.
 *
 * A cycle: the daemon and `fossil backoffice --poll 1` run side by side, and both are looked at over the same seconds.
 * Fossil's first sweep makes a pass over each, which its log tells; later cycles only ask for the times of the files,
 * as those of the daemon do.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpuOf, timed } from "./lib/account.mjs";
import { digits, median, ms, pairedRatio } from "./lib/figures.mjs";
import { enterFossil, makeFossils } from "./lib/fossils.mjs";
import { startDaemon, watchHome } from "./lib/homes.mjs";
import { makePlace, program, until } from "./lib/place.mjs";
import { claim, progress, skipped, table } from "./lib/report.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title = "CPU of a pass and of a cycle over Fossil repositories in which nothing happens, against fossil";

/** How much of fossil's CPU a pass over so many may take. */
const GOALS = { 1000: 1 / 20, 10000: 1 / 50 };
/** So many are polled by fossil, too. */
const COMPARED = 1000;
const POLL = 1000;
const POLLS = 5;

export async function measure({ seed, quick }) {
  const place = makePlace();
  const [small, large] = quick ? [200, COMPARED] : [COMPARED, 10_000];
  const claims = {
    pass: (size) => `idle pass over ${size} of Fossil in one home / fossil backoffice`,
    cycle: `idle cycle over ${COMPARED} of Fossil / a later cycle of fossil backoffice --poll`,
  };
  if (!enterFossil(place)) {
    place.remove();
    const why = "fossil is not installed";
    return [
      ...[small, large].map((size) => skipped(claims.pass(size), GOALS[size] ?? null, why)),
      skipped(claims.cycle, 1, why),
    ];
  }
  const sites = {};
  for (const size of [small, large]) sites[size] = await makeSite(place, size);

  const passes = {};
  for (const [size, count, warm] of [
    [small, quick ? 3 : 7, 1],
    [large, 2, 0],
  ]) {
    const run = (argv) => async () => timed(argv, { env: place.env });
    passes[size] = await rounds(
      `idle passes over ${size}`,
      {
        ours: run([process.execPath, program, "backoffice", "--home", sites[size].home]),
        fossil: run(["fossil", "backoffice", ...sites[size].theirs]),
      },
      { count, warm, seed },
    );
  }
  const options = { count: quick ? 3 : 5, seed };
  const cycles = {};
  for (const size of [small, large]) cycles[size] = await measureCycles(place, sites[size], size === COMPARED, options);
  place.remove();

  const of = (list, what) => list.map((measured) => measured[what]);
  table(
    ["ms", "a pass, CPU", "a pass, wall", "a cycle, CPU"],
    [small, large].flatMap((size) =>
      ["ours", "fossil"].map((who) => [
        `${who}, ${size}`,
        digits(median(of(passes[size][who], "cpu"))),
        digits(median(of(passes[size][who], "wall"))),
        cycles[size][0][who] === null ? "" : digits(median(of(cycles[size], who))),
      ]),
    ),
  );
  const compared = (name, ours, fossil, goal) =>
    claim({
      claim: name,
      figure: pairedRatio(ours, fossil).median,
      goal,
      oursMs: median(ours),
      fossilMs: median(fossil),
      n: ours.length,
      seed,
    });
  return [
    ...[small, large].map((size) =>
      compared(claims.pass(size), of(passes[size].ours, "cpu"), of(passes[size].fossil, "cpu"), GOALS[size] ?? null),
    ),
    compared(claims.cycle, of(cycles[COMPARED], "ours"), of(cycles[COMPARED], "fossil"), 1),
    ...[small, large].map((size) =>
      claim({
        claim: `peak memory in MB of the daemon over ${size} idle of Fossil`,
        figure: sites[size].memory,
        goal: null,
        seed,
      }),
    ),
  ];
}

/** Repositories for us, registered, and as many for fossil. A pass has seen ours when they had been quiet for long
 *  enough, so that the next one finds nothing. */
async function makeSite(place, size) {
  const ours = makeFossils(place, `ours-${size}`, size);
  const theirs = makeFossils(place, `theirs-${size}`, size);
  const home = place.path(`home-${size}`);
  progress(`registering ${size} Fossil repositories`);
  const began = performance.now();
  place.gatepost("init", "--home", home, ...ours);
  const took = performance.now() - began;
  place.gatepost("hook", "add", "--home", home, "--all", "--type", "after-receive", "--command", "cat >/dev/null");
  await new Promise((resolve) => setTimeout(resolve, 1100)); // a fingerprint of younger files counts as unsure
  place.gatepost("backoffice", "--home", home);
  progress("");
  console.log(`  ${size}: registered in ${ms(took)}`);
  return { home, theirs, memory: Number.NaN };
}

/** CPU in ms of a cycle, ours and fossil's over the same seconds; where fossil is left out, null. */
async function measureCycles(place, site, withFossil, { count, seed }) {
  progress("idle cycles: the first look");
  const watched = watchHome(site.home);
  const daemon = await startDaemon(place, ["--poll", `${POLL}ms`, "--min", "86400", "--home", site.home], [watched]);
  const fossil = withFossil ? await startPolling(place, site.theirs) : null;
  const window = async () => {
    const [ours, theirs, at] = [daemon.cpu(), fossil?.cpu(), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, POLL * POLLS));
    const spent = (performance.now() - at) / POLL;
    return {
      ours: (daemon.cpu() - ours) / spent,
      fossil: fossil === null ? null : (fossil.cpu() - theirs) / spent,
    };
  };
  // a process of Node that has just begun is still compiling, and collecting what its start left
  const found = await rounds("idle cycles", { window }, { count, warm: 3, seed });
  site.memory = daemon.memory();
  await daemon.stop();
  await fossil?.stop();
  watched.close();
  return found.window;
}

const pollers = new Set();
process.on("exit", () => {
  for (const child of pollers) child.kill("SIGKILL");
});

/** Starts `fossil backoffice --poll`, and waits until its first sweep is over. */
async function startPolling(place, repositories) {
  progress("idle cycles: the first sweep of fossil");
  const log = place.path("polled.log");
  const args = ["backoffice", "--poll", `${POLL / 1000}`, "--debug", "--logfile", log, ...repositories];
  const child = spawn("fossil", args, { env: place.env, stdio: "ignore" });
  pollers.add(child);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  // --debug: a line for each pass, also of one that found nothing to do
  await until("fossil made its first sweep", () => linesOf(log) >= repositories.length);
  return {
    /** Of its own and of the passes that it started and that are over. */
    cpu: () => cpuOf(child.pid) + cpuOfEnded(child.pid),
    async stop() {
      child.kill("SIGTERM");
      await ended;
      pollers.delete(child);
    },
  };
}

function linesOf(file) {
  try {
    return readFileSync(file, "utf8").split("\n").length - 1;
  } catch {
    return 0; // not there before the first pass
  }
}

/** CPU time in ms of a process's children that have ended, in steps of 10 ms. */
function cpuOfEnded(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from the third on
  return (Number(fields[13]) + Number(fields[14])) * 10;
}
