/**
 * What a commit costs whose hooks come from the work tree's gatepost.json, against the same commands in a raw hook file.
 * The comparison of the file with the copy it was compiled from is in it. All of it is the whole `git commit --allow-empty`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { committing, makeTree, rawHook } from "./lib/committing.mjs";
import { makePlace } from "./lib/place.mjs";
import { compare } from "./lib/pushing.mjs";
import { claim, table } from "./lib/report.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title = "git commit with a team file of three hooks, against a raw pre-commit that does the same";

export async function measure({ seed, quick }) {
  const place = makePlace();
  const count = quick ? 10 : 100;
  const hooks = ["one", "two", "three"].map((name) => ({ name, type: "before-commit", command: "true" }));
  const agreed = (path) => {
    place.gatepost("init", "--yes", path);
    place.gatepost("settings", "-R", path, "automatic-backoffice", "off");
  };
  const withFile = (path, words) => {
    writeFileSync(join(path, "gatepost.json"), `${JSON.stringify({ gatepost: 1, hooks: words }, null, 2)}\n`);
    place.git(path, ["add", "gatepost.json"]);
    place.git(path, ["commit", "-q", "-m", "hooks"]);
    agreed(path);
  };
  const trees = {
    "raw pre-commit": makeTree(place, "raw", (path) => rawHook(path, "pre-commit", "true\ntrue\ntrue")),
    "team file": makeTree(place, "team", (path) => withFile(path, hooks)),
    "agreed, a branch without the file": makeTree(place, "without", (path) => {
      withFile(path, hooks);
      place.git(path, ["rm", "-q", "gatepost.json"]);
      place.git(path, ["commit", "-q", "-m", "none"]);
    }),
    "no hooks": makeTree(place, "none"),
  };
  const variants = Object.fromEntries(Object.entries(trees).map(([name, path]) => [name, committing(place, path)]));
  const { rows, ratios, head } = compare(await rounds("three hooks: true", variants, { count, warm: 3, seed }));
  table(["three hooks: true", ...head.slice(1)], rows);
  const figure = (name, text, goal) =>
    claim({ claim: text, figure: ratios[name].wall.median, cpu: ratios[name].cpu.median, goal, n: count, seed });
  const results = [
    figure("team file", "commit with a team file of three true hooks / raw hook", 1.25),
    figure("agreed, a branch without the file", "commit on a branch without the team file / raw hook", null),
  ];
  place.remove();
  return results;
}
