/**
 * What repositories cost in which nothing happens.
 *
 * A cycle of the daemon: CPU that `gatepost serve --poll` has used over many polls, by the number of polls. A pass: CPU of
 * `gatepost backoffice` as a whole process, the start of Node included. Both against `fossil backoffice` over as many
 * idle Fossil repositories, in whole too, and both for 1,000 repositories and for 10,000 in one shared home; for 1,000
 * homes that are each inside their repository the figures are stated. All in CPU time.
 */

import { timed } from "./lib/account.mjs";
import { digits, median, ms } from "./lib/figures.mjs";
import { enterFossil, makeFossils } from "./lib/fossils.mjs";
import { startDaemon, watchHome } from "./lib/homes.mjs";
import { makePlace, program } from "./lib/place.mjs";
import { claim, progress, skipped, table } from "./lib/report.mjs";
import { makeMany, registerAll } from "./lib/repositories.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title = "CPU of a cycle and of a pass over repositories in which nothing happens";

export async function measure({ seed, quick }) {
  const place = makePlace();
  const [small, large] = quick ? [100, 1000] : [1000, 10_000];
  const fossils = enterFossil(place) ? makeFossils(place, "fossils", small) : null;
  const shared = makeMany(place, place.path("shared"), large);
  const inside = makeMany(place, place.path("inside"), small);
  await new Promise((resolve) => setTimeout(resolve, 1100)); // a fingerprint of younger refs counts as unsure
  await registerAll(place.path("home-small"), shared.slice(0, small));
  await registerAll(place.path("home-large"), shared);
  for (let i = 0; i < inside.length; i += 100) {
    progress(`registering ${i} of ${small} homes inside their repositories`);
    place.gatepost("init", ...inside.slice(i, i + 100));
  }
  progress("");

  const names = {
    small: `${small} in one home`,
    large: `${large} in one home`,
    inside: `${small} homes inside`,
    fossil: `fossil, ${small}`,
  };
  const targets = {
    [names.small]: ["--home", place.path("home-small")],
    [names.large]: ["--home", place.path("home-large")],
    [names.inside]: inside,
  };
  const passes = await measurePasses(place, names, targets, fossils, { count: quick ? 3 : 7, seed });
  const cycles = await measureCycles(place, names, targets, inside, { count: quick ? 3 : 5, seed });
  place.remove();

  const cpu = Object.fromEntries(Object.entries(passes).map(([name, list]) => [name, median(list)]));
  const cycle = Object.fromEntries(Object.entries(cycles).map(([name, list]) => [name, median(list)]));
  table(
    ["CPU", "a pass, ms", "a cycle, ms"],
    Object.keys(cpu).map((name) => [name, digits(cpu[name]), cycle[name] === undefined ? "" : digits(cycle[name])]),
  );
  const facts = { passes: passes[names.small].length, cycles: cycles[names.small].length * POLLS, seed };
  const against = (what, list, goal) => {
    const name = `idle ${what} over ${small} in one home / fossil backoffice`;
    const ours = list[names.small];
    if (fossils === null) return skipped(name, goal, "fossil is not installed");
    return claim({
      claim: name,
      figure: ours / cpu[names.fossil],
      goal,
      oursMs: ours,
      fossilMs: cpu[names.fossil],
      ...facts,
    });
  };
  const growth = (what, list) =>
    claim({
      claim: `idle ${what}, ${large} / ${small} repositories`,
      figure: list[names.large] / list[names.small],
      goal: 12,
      ...facts,
    });
  return [
    against("cycle", cycle, 1 / 100),
    against("pass", cpu, 1 / 15),
    growth("cycle", cycle),
    growth("pass", cpu),
    claim({
      claim: `idle cycle over ${small} homes inside, CPU ms`,
      figure: cycle[names.inside],
      goal: null,
      ...facts,
    }),
    claim({ claim: `idle pass over ${small} homes inside, CPU ms`, figure: cpu[names.inside], goal: null, ...facts }),
  ];
}

async function measurePasses(place, names, targets, fossils, options) {
  const run = (argv) => async () => timed(argv, { env: place.env }).cpu;
  const variants = Object.entries(targets).map(([name, args]) => [
    name,
    run([process.execPath, program, "backoffice", ...args]),
  ]);
  if (fossils !== null) variants.push([names.fossil, run(["fossil", "backoffice", ...fossils])]);
  return rounds("idle passes", Object.fromEntries(variants), options);
}

const POLL = 1000;
const POLLS = 5;

/** Each daemon serves alone, so that the polls of one do not fall into the measurement of another's. */
async function measureCycles(place, names, targets, inside, { count, seed }) {
  const homes = {
    [names.small]: [place.path("home-small")],
    [names.large]: [place.path("home-large")],
    [names.inside]: inside.map((repository) => `${repository}/gatepost`),
  };
  const found = {};
  for (const [name, args] of Object.entries(targets)) {
    progress(`idle cycles: the first look of ${name}`);
    const watched = homes[name].slice(-20).map(watchHome);
    const daemon = await startDaemon(place, ["--poll", `${POLL}ms`, "--min", "86400", ...args], watched);
    const spent = async () => {
      const [cpu, at] = [daemon.cpu(), performance.now()];
      await new Promise((resolve) => setTimeout(resolve, POLL * POLLS));
      return (daemon.cpu() - cpu) / ((performance.now() - at) / POLL);
    };
    found[name] = (await rounds("idle cycles", { [name]: spent }, { count, warm: 1, seed }))[name];
    progress("");
    console.log(
      `  ${name}: the daemon's first look took ${ms(daemon.firstLook)}, peak memory ${digits(daemon.memory())} MB`,
    );
    await daemon.stop();
    for (const home of watched) home.close();
  }
  return found;
}
