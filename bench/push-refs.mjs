/**
 * What a push that moves 10,000 refs costs with our receive shim, against `cat >/dev/null`. Every push moves all of
 * them, to and fro between two commits, so that each round does the same.
 */
import { makePlace } from "./lib/place.mjs";
import { compare, ourServer, pushing, rawServer } from "./lib/pushing.mjs";
import { claim, table } from "./lib/report.mjs";
import { makeChain } from "./lib/repositories.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title = "git push of 10,000 refs, against a post-receive hook that is cat >/dev/null";

export async function measure({ seed, quick }) {
  const place = makePlace();
  const refs = quick ? 1000 : 10_000;
  const count = quick ? 3 : 9;
  const client = place.path("client.git");
  const [first, second] = makeChain(place, client, 2);
  const names = Array.from({ length: refs }, (_, i) => `team${i % 100}/topic${i}`);
  const created = names.map((name) => `create refs/a/${name} ${first}\ncreate refs/b/${name} ${second}\n`).join("");
  place.git(client, ["update-ref", "--stdin"], created);
  place.git(client, ["pack-refs", "--all"]);

  const servers = {
    "cat >/dev/null": rawServer(place, place.path("raw.git")),
    "ours, daemon alive": await ourServer(place, place.path("daemon.git"), "daemon"),
  };
  const refspec = (round) => `+refs/${round % 2 === 0 ? "a" : "b"}/*:refs/heads/*`;
  const variants = Object.entries(servers).map(([name, server]) => [name, pushing(place, client, server, refspec)]);
  const found = await rounds("push-refs", Object.fromEntries(variants), { count, warm: 2, seed });
  for (const server of Object.values(servers)) await server.stop();
  place.remove();

  const { head, rows, ratios } = compare(found);
  table(head, rows);
  const { wall, cpu } = ratios["ours, daemon alive"];
  const name = `push of ${refs.toLocaleString("en")} refs, daemon alive / cat`;
  return [claim({ claim: name, figure: wall.median, goal: 1.1, cpu: cpu.median, n: count, seed })];
}
