/** `why` names the receipt with which a commit first became reachable, whatever was done to the refs: judged by walking
 *  all of history for every receipt. */
import { expect, test } from "vitest";
import { why } from "../../src/home/why.ts";
import { receiptsBetween } from "../../src/store/receipt.ts";
import { updatesOfReceipt } from "../../src/store/ref.ts";
import { randomFrom } from "../helpers/random.ts";
import { type Served, serve } from "../helpers/served.ts";
import { whyWorld } from "../helpers/why.ts";

const world = whyWorld();

/** Pushes at random to three branches and to tags: on, back, aside, merged, away. Returns the commits that were made. The
 *  clock of whoever commits is some seconds off, one of `skews`. */
async function live(r: Served, seed: number, skews: readonly number[]): Promise<string[]> {
  const random = randomFrom(seed);
  const made: string[] = [];
  const tips = new Map([["main", r.start]]);
  const tree = r.git(["rev-parse", `${r.start}^{tree}`]);
  const commit = (...parents: string[]): string => {
    const date = `@${Math.floor(Date.now() / 1000) + random.pick(skews)} +0000`;
    const env = { GIT_COMMITTER_DATE: date, GIT_AUTHOR_DATE: date };
    const args = parents.flatMap((parent) => ["-p", parent]);
    made.push(r.git(["commit-tree", tree, ...args, "-m", String(made.length)], { env }));
    return made.at(-1) ?? "";
  };
  for (let step = 0; step < 20; step++) {
    const specs = new Map<string, string>();
    for (let count = 1 + random.below(2); count > 0; count--) {
      const name = random.pick(["main", "a", "b/c"]);
      const any = random.pick([...tips.values()]);
      const own = tips.get(name) ?? any;
      const move = (to: string): void => {
        specs.set(`refs/heads/${name}`, `+${to}`);
        tips.set(name, to);
      };
      const what = random.below(10);
      if (specs.has(`refs/heads/${name}`)) continue;
      if (what < 5) move(random.chance(0.5) ? commit(commit(own)) : commit(own));
      else if (what === 5) move(commit(own, any));
      else if (what === 6) move(commit(r.start));
      else if (what === 7) move(any);
      else if (what === 8 && tips.size > 1 && tips.delete(name)) specs.set(`refs/heads/${name}`, "");
      else {
        r.git(["tag", "-a", "-m", "t", `t${step}${count}`, commit(any)]);
        specs.set(`refs/${random.pick(["tags", "other"])}/t${step}${count}`, `refs/tags/t${step}${count}`);
      }
    }
    if (specs.size > 0) r.git(["push", "-q", "origin", ...[...specs].map(([ref, from]) => `${from}:${ref}`)]);
    await r.pass();
  }
  return made;
}

/** Which receipt first brought each commit to a ref, by listing all that each value reaches. */
function firsts(r: Served): Map<string, number> {
  const first = new Map<string, number>();
  for (const { id } of receiptsBetween(r.home.db, r.row.id, 0, Number.MAX_SAFE_INTEGER))
    for (const { how, new: value } of updatesOfReceipt(r.home.db, id))
      if (how !== "claimed" && !/^0+$/.test(value))
        for (const hash of r.inside(["rev-list", value]).split("\n")) if (!first.has(hash)) first.set(hash, id);
  return first;
}

for (const [seed, skews, format] of [
  [1, [0], "sha1"],
  [2, [0, 300, -300, -100_000, 4000], "sha256"],
] as const)
  test(`each commit came with the receipt that first made it reachable (seed ${seed}, ${format}, clocks off by ${skews} s)`, async () => {
    const r = await serve(world, { format });
    r.hook("true");
    const made = await live(r, seed, skews);
    const first = firsts(r);
    const told: Record<string, string> = {};
    const truth: Record<string, string> = {};
    for (const word of made.filter((hash) => first.has(hash))) {
      const { steps } = await why(r.home, { repository: r.repository(), word, hook: null, where: "", from: r.path });
      told[word] = /\(receipt \d+\)/.exec(steps.find(({ step }) => step === "receipt")?.says ?? "")?.[0] ?? "none";
      truth[word] = `(receipt ${first.get(word)})`;
    }
    expect(Object.keys(truth).length).toBeGreaterThan(15);
    expect(told).toEqual(truth);
  });
