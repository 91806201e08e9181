/** How long `hook apply` takes for 200 hooks, with --all and pattern, in a home of 1,000 repositories. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { timed } from "./lib/account.mjs";
import { digits, median } from "./lib/figures.mjs";
import { makePlace, program } from "./lib/place.mjs";
import { claim, progress, table } from "./lib/report.mjs";
import { makeMany } from "./lib/repositories.mjs";

export const title = "hook apply of 200 hooks to compiled gates in place, 1,000 repositories in a home";

const TYPES = ["after-receive", "before-receive", "before-ref", "git:post-update"];

/** Half of the hooks are for all repositories, half for those whose names match: r00*.git, r01*.git, … */
const hooksOf = (count, version) =>
  Array.from({ length: count }, (_, n) => ({
    name: `hook-${n}`,
    ...(n % 2 === 0
      ? { all: true }
      : { pattern: n % 4 === 1 ? `r${String(n % 10).padStart(3, "0")}*` : ["r000*", "r009*"] }),
    type: TYPES[Math.floor(n / 2) % TYPES.length],
    sequence: n % 7,
    command: `[ -n "$GATEPOST_HOOK" ] && test ${n} -ge ${version}`,
  }));

const ROUNDS = 3;
const REST = 7000;

export async function measure({ quick }) {
  const size = quick ? 100 : 1000;
  const count = quick ? 20 : 200;
  const times = {
    "all of them new": [],
    "nothing new": [],
    "one changed": [],
    "all deleted": [],
    "all of them again": [],
  };
  // Each round has repositories of its own, and begins when ext4 has come to rest: it gives out no inode of a file that was
  // deleted in the last five seconds, and searches past each of them. The last row shows what that costs.
  for (let round = 0; round < (quick ? 1 : ROUNDS); round++) {
    const place = makePlace();
    const paths = makeMany(place, place.path("many"), size);
    const home = place.path("home");
    mkdirSync(home);
    progress(`registering ${size} repositories`);
    place.gatepost("init", "--home", home, ...paths);
    const file = place.path("hooks.json");
    const apply = (hooks) => {
      writeFileSync(file, JSON.stringify({ gatepost: 1, hooks }, null, 2));
      const argv = [process.execPath, program, "hook", "apply", "--home", home, file];
      return timed(argv, { env: place.env }).wall / 1000;
    };
    const hooks = hooksOf(count, round);
    await new Promise((resolve) => setTimeout(resolve, REST));
    times["all of them new"].push(apply(hooks));
    const missing = paths.filter((path) => !existsSync(join(path, "hooks", "pre-receive")));
    const compiled = readdirSync(join(home, "gates")).length;
    if (missing.length > 0 || compiled !== 3 * size) throw new Error("not all gates stand");
    times["nothing new"].push(apply(hooks));
    times["one changed"].push(apply([{ ...hooks[2], command: "exit 0" }, ...hooks.toSpliced(2, 1)]));
    times["all deleted"].push(apply([]));
    times["all of them again"].push(apply(hooks));
    place.remove();
  }
  table(
    [`${count} hooks, ${size} repositories`, "s"],
    Object.entries(times).map(([name, found]) => [name, digits(median(found))]),
  );
  const of = `hook apply of ${count} hooks, ${size} repositories, seconds`;
  return [
    claim({ claim: of, figure: median(times["all of them new"]), goal: 3, n: ROUNDS }),
    claim({
      claim: `${of}, right after all were deleted`,
      figure: median(times["all of them again"]),
      goal: null,
      n: ROUNDS,
    }),
  ];
}
