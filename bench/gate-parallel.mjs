/** How long three hooks of one second take that may run side by side. */
import { committing, makeTree, ourHooks } from "./lib/committing.mjs";
import { digits, median } from "./lib/figures.mjs";
import { makePlace } from "./lib/place.mjs";
import { claim, table } from "./lib/report.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title = "three --parallel hooks of 1 s";

export async function measure({ seed, quick }) {
  const place = makePlace();
  const count = quick ? 2 : 5;
  const hook = ["--type", "before-commit", "--parallel", "--command", "sleep 1"];
  const tree = makeTree(place, "tree", (path) => ourHooks(place, path, hook, hook, hook));
  const { ours } = await rounds("gate-parallel", { ours: committing(place, tree) }, { count, warm: 0, seed });
  place.remove();
  const seconds = median(ours.map(({ wall }) => wall)) / 1000;
  table(["three hooks of 1 s", "s"], [["git commit", digits(seconds)]]);
  return [claim({ claim: "three --parallel hooks of 1 s, seconds", figure: seconds, goal: 1.1, n: count, seed })];
}
