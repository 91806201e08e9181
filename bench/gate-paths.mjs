/** What handing 5,000 staged paths to a hook costs, against a raw hook that pipes `git diff --cached -z` to the same. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { committing, makeTree, ourHooks, rawHook } from "./lib/committing.mjs";
import { makePlace } from "./lib/place.mjs";
import { compare } from "./lib/pushing.mjs";
import { claim, table } from "./lib/report.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title = "--stdin paths over 5,000 staged files, against git diff --cached -z piped to the same reader";

const reader = "tr -d -c '\\0' | wc -c >/dev/null";

export async function measure({ seed, quick }) {
  const place = makePlace();
  const count = quick ? 5 : 40;
  const variant = (name, prepare) => {
    const tree = makeTree(place, name, prepare);
    mkdirSync(join(tree, "many"));
    for (let i = 0; i < 5000; i++) writeFileSync(join(tree, "many", `file-${i}.txt`), `${i}\n`);
    place.git(tree, ["add", "-A"]);
    const tip = place.git(tree, ["rev-parse", "HEAD"]);
    const index = place.git(tree, ["write-tree"]);
    const before = () => {
      place.git(tree, ["update-ref", "HEAD", tip]);
      place.git(tree, ["read-tree", index]);
      place.git(tree, ["update-index", "-q", "--refresh"]);
    };
    return committing(place, tree, { before, args: [] });
  };
  const diff = "git diff --cached --name-only -z --diff-filter=d";
  const found = await rounds(
    "gate-paths",
    {
      "raw: git diff | reader": variant("raw", (tree) => rawHook(tree, "pre-commit", `${diff} | ${reader}`)),
      "ours: --stdin paths": variant("ours", (tree) =>
        ourHooks(place, tree, ["--type", "before-commit", "--stdin", "paths", "--command", reader]),
      ),
    },
    { count, warm: 2, seed },
  );
  place.remove();
  const { rows, ratios, head } = compare(found);
  table(["commit of 5,000 files", ...head.slice(1)], rows);
  const { wall, cpu } = ratios["ours: --stdin paths"];
  return [
    claim({
      claim: "--stdin paths, 5,000 files / git diff | reader",
      figure: wall.median,
      cpu: cpu.median,
      goal: 1.1,
      n: count,
      seed,
    }),
  ];
}
