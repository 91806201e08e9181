/** How long `init --root` takes over many bare repositories, and once more where there is nothing new. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { timed } from "./lib/account.mjs";
import { digits, median } from "./lib/figures.mjs";
import { makePlace, program } from "./lib/place.mjs";
import { claim, table } from "./lib/report.mjs";
import { makeMany } from "./lib/repositories.mjs";

export const title = "init --root over bare repositories with a branch and a tag, and again with nothing new";

export async function measure({ quick }) {
  const rows = [];
  const claims = [];
  for (const size of quick ? [100] : [1000, 10_000]) {
    const place = makePlace();
    const root = place.path("git");
    const paths = makeMany(place, root, size);
    const call = () => timed([process.execPath, program, "init", "--root", root], { env: place.env });
    const first = call();
    const missing = paths.filter((path) => !existsSync(join(path, "hooks", "post-receive")));
    if (missing.length > 0) throw new Error(`${missing.length} repositories have no shim`);
    const again = [call(), call(), call()];
    for (const { stdout } of again)
      if (!stdout.includes(": 0 repositories registered,")) throw new Error(`something was new: ${stdout}`);
    const figures = { first: first.wall / 1000, again: median(again.map(({ wall }) => wall / 1000)) };
    rows.push([size.toLocaleString("en"), ...Object.values(figures).map((seconds) => digits(seconds))]);
    const goals = size === 1000 ? [10, 1] : [null, null];
    const named = `init --root, ${size.toLocaleString("en")} repositories`;
    claims.push(
      claim({ claim: `${named}, seconds`, figure: figures.first, goal: goals[0], n: 1, cpu: first.cpu / 1000 }),
      claim({ claim: `${named}, nothing new, seconds`, figure: figures.again, goal: goals[1], n: again.length }),
    );
    place.remove();
  }
  table(["repositories", "first s", "again s"], rows);
  return claims;
}
