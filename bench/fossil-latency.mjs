/**
 * How long it takes from the end of a push to Fossil, or of a commit, to the start of the hook; a daemon watching.
 *
 * The clock starts when the client's process has ended, as this program is told of it, and stops at a byte that the
 * hook, a real `sh`, writes into a FIFO before anything else. A hook that has started before the client ended counts as
 * 0. At the end each check-in must have come to the hook once, or a figure could be that of another's receipt.
 *
 * Pushes are of one check-in, from a clone: over `fossil server` on the loopback, by the path of the file, and by ssh://.
 * There is no ssh server here: the setting ssh-command names a script that runs the remote command with sh, so that
 * all of Fossil's is real, its transport and `fossil test-http` at the other end, and only the tunnel is missing.
 * Commits are made in a check-out of the served file itself, once more in WAL mode. The pauses between are drawn from 50
 * to 1,050 ms, since a file that was written to within the last second is looked at differently.
 *
 * For comparison Fossil's own runner: a push to its server while nobody has the backoffice's lease; and a commit with
 * autosync, measured once (not with --quick: it takes a minute): the pull before the commit takes the lease, and what
 * is pushed after it waits for its end. A push by path and a commit into the file itself start nothing in Fossil.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { listen } from "./lib/answers.mjs";
import { digits, quantile } from "./lib/figures.mjs";
import { checkOut, enterFossil, serveFossil } from "./lib/fossils.mjs";
import { startDaemon, watchHome } from "./lib/homes.mjs";
import { makePlace, until } from "./lib/place.mjs";
import { claim, progress, skipped, table } from "./lib/report.mjs";
import { randomFrom, rounds } from "./lib/rounds.mjs";

export const title = "from the end of a push to Fossil, or of a commit, to the start of the hook";

const OURS = {
  http: "push by HTTP",
  ssh: "push by ssh",
  path: "push by path",
  local: "local commit",
  wal: "local commit, WAL",
};
const PLAIN = "fossil: push by HTTP, no lease";
const AUTOSYNC = "fossil: commit with autosync";

export async function measure({ seed, quick }) {
  const place = makePlace();
  if (!enterFossil(place)) {
    place.remove();
    return Object.values(OURS).map((name) => skipped(`${name} to hook`, 1000, "fossil is not installed"));
  }
  const random = randomFrom(seed + 1);
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50 + 1000 * random()));
  const autosync = quick ? null : await commitWithAutosync(place); // it goes on while the rest is measured
  const ours = await ourSite(place, pause);
  const fossil = await fossilSite(place, pause);
  const found = await rounds(
    "fossil-latency",
    { ...ours.variants, [PLAIN]: fossil.once },
    { count: quick ? 10 : 40, warm: 2, seed },
  );
  await ours.allCame();
  if (autosync !== null) {
    progress("waiting for the hook of fossil after a commit with autosync");
    found[AUTOSYNC] = [await autosync.took];
  }
  for (const one of [ours, fossil, autosync]) await one?.stop();
  place.remove();

  const shares = [0.5, 0.9, 0.99, 1];
  table(
    ["ms", "n", "p50", "p90", "p99", "max"],
    [
      ...Object.entries(found).map(([name, list]) => [
        name,
        list.length,
        ...shares.map((share) => digits(quantile(list, share))),
      ]),
      ["fossil: push by path, local commit", "", "never", "", "", ""],
    ],
  );
  const facts = { n: found[OURS.http].length, extraRuns: ours.extraRuns(), seed };
  const stated = Object.keys(found).filter((name) => name === PLAIN || name === AUTOSYNC);
  return [
    ...Object.values(OURS).flatMap((name) => {
      const [p50, p99, max] = [0.5, 0.99, 1].map((share) => quantile(found[name], share));
      return [
        claim({ claim: `${name} to hook, p50 in ms`, figure: p50, goal: 100, p99, max, ...facts }),
        claim({ claim: `${name} to hook, at most, in ms`, figure: max, goal: 1000, ...facts }),
      ];
    }),
    ...stated.map((name) =>
      claim({
        claim: `${name} to hook, p50 in ms`,
        figure: quantile(found[name], 0.5),
        goal: null,
        n: found[name].length,
        seed,
      }),
    ),
  ];
}

/** A repository for pushes and two for commits, one of them in WAL mode, in one home; and the daemon that watches. */
async function ourSite(place, pause) {
  const served = makeRepository(place, "served");
  const local = makeRepository(place, "local");
  const wal = makeRepository(place, "wal");
  place.run("fossil", ["rebuild", "--wal", wal]);
  place.run("fossil", ["settings", "backoffice-nodelay", "on", "-R", served]); // or a process of its waits on for a minute
  const server = await serveFossil(place, served);
  const home = place.path("home");
  place.gatepost("init", "--home", home, served, local, wal);
  const answer = listen(place, place.path("fifo"));
  const got = place.path("got");
  writeFileSync(got, "");
  const command = `printf x >'${place.path("fifo")}'; cat >>'${got}'`;
  place.gatepost("hook", "add", "--home", home, "--all", "--type", "after-receive", "--command", command);
  const watched = watchHome(home);
  const daemon = await startDaemon(place, ["--poll", "3600", "--home", home], [watched]);

  const commitApart = apart(place, served, "clone");
  const clone = place.path("clone.fossil");
  place.run("fossil", ["settings", "ssh-command", tunnel(place), "-R", clone]);
  const commitHere = checkOut(place, local, "here");
  const commitWal = checkOut(place, wal, "here-wal");
  let count = 0;
  const once = (prepare) => async () => {
    const args = prepare();
    await watched.idle();
    await pause();
    count += 1;
    return delay(place, answer, args);
  };
  const pushing = (to) =>
    once(() => {
      place.run("fossil", commitApart());
      return ["push", to, "-R", clone, "--once"];
    });
  const arrived = () => readFileSync(got, "latin1").split(" check-in to ").length - 1;
  return {
    variants: {
      [OURS.http]: pushing(server.url),
      [OURS.ssh]: pushing(`ssh://bench@localhost/${served}`),
      [OURS.path]: pushing(served),
      [OURS.local]: once(commitHere),
      [OURS.wal]: once(commitWal),
    },
    /** How often the hook ran without need: on a push in two parts, say. */
    extraRuns: () => answer.count() - count,
    async allCame() {
      await until("each check-in came to the hook", () => arrived() >= count && watched.isIdle());
      if (arrived() > count) throw new Error(`${count} check-ins were made, and ${arrived()} came to the hook`);
    },
    async stop() {
      await daemon.stop();
      await server.stop();
      watched.close();
      answer.close();
    },
  };
}

/** A repository whose hook is run by Fossil's own backoffice, pushed to while nobody has its lease. */
async function fossilSite(place, pause) {
  const { file, server, answer } = await ownRunner(place, "own");
  const commit = apart(place, file, "own-clone");
  return {
    async once() {
      place.run("fossil", commit());
      await pause();
      place.run("fossil", ["test-backoffice-lease", "--reset", "-R", file]);
      return delay(place, answer, ["push", server.url, "-R", place.path("own-clone.fossil"), "--once"]);
    },
    async stop() {
      await server.stop();
      answer.close();
    },
  };
}

/** Begins one commit with autosync against an idle server of Fossil. */
async function commitWithAutosync(place) {
  const { file, server, answer } = await ownRunner(place, "synced");
  // fossil keeps no password where there is no terminal
  place.run("fossil", ["user", "capabilities", "nobody", "gio", "-R", file]);
  const clone = place.path("autosync.fossil");
  place.run("fossil", ["clone", file, clone]); // by path: the server is left idle
  place.run("fossil", ["remote", server.anyone, "-R", clone]);
  const commit = checkOut(place, clone, "autosync");
  const took = delay(place, answer, commit());
  took.catch(() => {}); // told where it is awaited
  return {
    took,
    async stop() {
      await server.stop();
      answer.close();
    },
  };
}

/** A repository that fossil serves, with a hook of Fossil's own that answers. What is there is behind it: the first pass
 *  would else call it for that. */
async function ownRunner(place, name) {
  const file = makeRepository(place, name);
  const fifo = place.path(`${name}.fifo`);
  const answer = listen(place, fifo, 180_000);
  const hook = ["--type", "after-receive", "--command", `printf x >'${fifo}'; cat >/dev/null`];
  place.run("fossil", ["hook", "add", ...hook, "-R", file]);
  const first = answer.next();
  place.run("fossil", ["backoffice", "--nolease", file]);
  await first;
  return { file, answer, server: await serveFossil(place, file) };
}

function makeRepository(place, name) {
  const file = place.path(`${name}.fossil`);
  place.run("fossil", ["init", file]);
  place.run("fossil", ["user", "password", "bench", "pw", "-R", file]);
  return file;
}

/** A clone NAME.fossil that syncs only when told to, checked out. */
function apart(place, file, name) {
  const clone = place.path(`${name}.fossil`);
  place.run("fossil", ["clone", file, clone]);
  place.run("fossil", ["settings", "autosync", "off", "-R", clone]);
  return checkOut(place, clone, name);
}

/** Stands in for ssh, called as fossil does: options, `--`, the host, and the command line for the other side. */
function tunnel(place) {
  const file = place.path("tunnel");
  writeFileSync(file, '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nexec sh -c "$*"\n', { mode: 0o755 });
  return file;
}

/** Runs fossil; gives the ms from its end to the next answer, 0 where that came before. */
async function delay(place, answer, args) {
  const heard = answer.next();
  const child = spawn("fossil", args, { cwd: place.dir, env: place.env, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const ended = once(child, "exit").then(([code]) => {
    if (code !== 0) throw new Error(`fossil ${args.join(" ")}: exit ${code}: ${said}`);
    return performance.now();
  });
  const [at, end] = await Promise.all([heard, ended]);
  return Math.max(0, at - end);
}
