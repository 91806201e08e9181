/**
 * What a push of one commit costs with our receive shim, against a post-receive hook that is `cat >/dev/null`.
 *
 * Pushes go to a folder of the same machine, with git's default settings: nothing of a network is in them, so that the
 * shim's share is as large as it can be. CPU is that of the push and all it waits for; a backoffice that it starts is
 * not among that, and runs while the push ends. Before the next push everything has come to rest.
 */
import { makePlace } from "./lib/place.mjs";
import { compare, ourServer, pushing, rawServer } from "./lib/pushing.mjs";
import { claim, table } from "./lib/report.mjs";
import { makeChain } from "./lib/repositories.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title = "git push of one commit, against a post-receive hook that is cat >/dev/null";

export async function measure({ seed, quick }) {
  const place = makePlace();
  const count = quick ? 8 : 60;
  const warm = 3;
  const client = place.path("client.git");
  const commits = makeChain(place, client, warm + count);
  const servers = {
    "cat >/dev/null": rawServer(place, place.path("raw.git")),
    "ours, daemon alive": await ourServer(place, place.path("daemon.git"), "daemon"),
    "ours, starts a backoffice": await ourServer(place, place.path("automatic.git"), "automatic"),
    "ours, nobody to start": await ourServer(place, place.path("nobody.git"), "nobody"),
  };
  const refspec = (round) => `${commits[round]}:refs/heads/main`;
  const variants = Object.entries(servers).map(([name, server]) => [name, pushing(place, client, server, refspec)]);
  const found = await rounds("push-one", Object.fromEntries(variants), { count, warm, seed });
  for (const server of Object.values(servers)) await server.stop();
  place.remove();

  const { head, rows, ratios } = compare(found);
  table(head, rows);
  const fact = (name) => ({ figure: ratios[name].wall.median, cpu: ratios[name].cpu.median, n: count, seed });
  return [
    claim({ claim: "push of one commit, daemon alive / cat", goal: 1.05, ...fact("ours, daemon alive") }),
    claim({ claim: "push of one commit, starts a backoffice / cat", goal: null, ...fact("ours, starts a backoffice") }),
    claim({ claim: "push of one commit, nobody to start / cat", goal: null, ...fact("ours, nobody to start") }),
  ];
}
