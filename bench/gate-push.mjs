/** What a push of one commit costs with a before-receive hook and the receive shim, against raw pre- and post-receive. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makePlace } from "./lib/place.mjs";
import { compare, ourServer, pushing } from "./lib/pushing.mjs";
import { claim, table } from "./lib/report.mjs";
import { makeChain } from "./lib/repositories.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title =
  "git push with a before-receive hook and the receive shim, against raw pre-receive and post-receive";

const command = "cat >/dev/null";

export async function measure({ seed, quick }) {
  const place = makePlace();
  const count = quick ? 8 : 60;
  const warm = 3;
  const client = place.path("client.git");
  const commits = makeChain(place, client, warm + count);
  const servers = {
    "raw pair": rawPair(place, place.path("raw.git")),
    "ours, daemon alive": await ourServer(place, place.path("daemon.git"), "daemon"),
    "ours, nobody to start": await ourServer(place, place.path("nobody.git"), "nobody"),
  };
  for (const [name, { repository }] of Object.entries(servers))
    if (name !== "raw pair")
      place.gatepost("hook", "add", "-R", repository, "--type", "before-receive", "--command", command);
  const refspec = (round) => `${commits[round]}:refs/heads/main`;
  const variants = Object.entries(servers).map(([name, server]) => [name, pushing(place, client, server, refspec)]);
  const found = await rounds("gate-push", Object.fromEntries(variants), { count, warm, seed });
  for (const server of Object.values(servers)) await server.stop();
  place.remove();
  const { rows, ratios, head } = compare(found);
  table(head, rows);
  const fact = (name) => ({ figure: ratios[name].wall.median, cpu: ratios[name].cpu.median, n: count, seed });
  const what = "push, before-receive and receive shim";
  return [
    claim({ claim: `${what}, daemon alive / raw pair`, goal: 1.05, ...fact("ours, daemon alive") }),
    claim({ claim: `${what}, nobody to start / raw pair`, goal: null, ...fact("ours, nobody to start") }),
  ];
}

function rawPair(place, repository) {
  place.run("git", ["init", "-q", "--bare", repository]);
  for (const name of ["pre-receive", "post-receive"]) {
    const hook = join(repository, "hooks", name);
    writeFileSync(hook, `#!/bin/sh\n${command}\n`);
    chmodSync(hook, 0o755);
  }
  return { repository, settle: async () => {}, stop: async () => {} };
}
