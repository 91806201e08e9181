/** Servers to push to: one with the simplest post-receive there is, and ours in each state it can be in. */
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { timed } from "./account.mjs";
import { digits, median, pairedRatio } from "./figures.mjs";
import { startDaemon, watchHome } from "./homes.mjs";
import { until } from "./place.mjs";

/** The yardstick: reads what git tells, and nothing else. */
export function rawServer(place, repository) {
  place.run("git", ["init", "-q", "--bare", repository]);
  const hook = join(repository, "hooks", "post-receive");
  writeFileSync(hook, "#!/bin/sh\ncat >/dev/null\n");
  chmodSync(hook, 0o755);
  return { repository, settle: async () => {}, stop: async () => {} };
}

/** Ours: with a daemon alive, without one (a push starts a backoffice), or with nobody to start. */
export async function ourServer(place, repository, mode) {
  place.run("git", ["init", "-q", "--bare", repository]);
  place.gatepost("init", repository);
  place.gatepost("hook", "add", "-R", repository, "--type", "after-receive", "--command", "cat >/dev/null");
  if (mode !== "automatic") place.gatepost("settings", "-R", repository, "automatic-backoffice", "off");
  const home = watchHome(join(repository, "gatepost"));
  const daemon = mode === "daemon" ? await startDaemon(place, ["--poll", "60", repository], [home]) : null;
  const gone = () => !existsSync(join(home.dir, "daemon.pid"));
  return {
    repository,
    /** Waits until nothing that the push set off is under way any more. */
    settle: async () => {
      if (mode === "nobody") return;
      await home.idle();
      if (mode === "automatic") await until("the automatic backoffice has ended", () => gone() && home.isIdle());
    },
    stop: async () => {
      await daemon?.stop();
      home.close();
    },
  };
}

/** One variant of a round: a push that is measured, then the wait until all is quiet. `refspec` by the round. */
export const pushing = (place, client, server, refspec) => async (round) => {
  const argv = ["git", "-C", client, "push", "-q", server.repository, refspec(round)];
  const { wall, cpu } = timed(argv, { env: place.env });
  await server.settle();
  return { wall, cpu };
};

/** Rows of a table and the ratios, ours to the first variant. */
export function compare(found) {
  const [base] = Object.values(found);
  const of = (list, what) => list.map((measured) => measured[what]);
  const ratios = Object.fromEntries(
    Object.entries(found).map(([name, list]) => [
      name,
      { wall: pairedRatio(of(list, "wall"), of(base, "wall")), cpu: pairedRatio(of(list, "cpu"), of(base, "cpu")) },
    ]),
  );
  const rows = Object.entries(found).map(([name, list]) => [
    name,
    digits(median(of(list, "wall"))),
    digits(median(of(list, "cpu"))),
    `${digits(ratios[name].wall.median)} (${digits(ratios[name].wall.low)}–${digits(ratios[name].wall.high)})`,
    `${digits(ratios[name].cpu.median)} (${digits(ratios[name].cpu.low)}–${digits(ratios[name].cpu.high)})`,
  ]);
  return {
    rows,
    ratios,
    head: ["git push to", "wall ms", "CPU ms", "wall ratio (quartiles)", "CPU ratio (quartiles)"],
  };
}
