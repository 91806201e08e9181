/**
 * Shims that never tell: receive-pack is killed when the refs have moved, or the shim before it has written anything.
 * Among them are pushes that went well and passes at any moment. What they moved is found, once, and handed out, once.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { enter, leave, type Served, serve, zero } from "../helpers/served.ts";
import { report, torture } from "./lib/torture.ts";

const it = torture(100);
const world = makeWorld("gatepost-lost-");
enter(world);
afterAll(() => leave(world));

/** What a push moved, as "OLD NEW REF", and what was killed. */
type Pushed = { moves: string[]; killed: "receive-pack" | "shim" | null };

let r: Served;
const pushes: Pushed[] = [];

/** Kills receive-pack in the state in which nothing can take the refs back, or the shim at its start, where the
 *  pusher's environment says so. */
function plant(): void {
  const { path } = r;
  r.replaceHook("reference-transaction", '[ "$1 $KILLS" != "committed receive-pack" ] || kill -KILL "$PPID"');
  fs.renameSync(join(path, "hooks", "post-receive"), join(path, "hooks", "shim"));
  const shim = fs.readFileSync(join(path, "hooks", "shim"), "utf8").replace(/^#!.*\n/, "");
  r.replaceHook("post-receive", `[ "$KILLS" != shim ] || kill -KILL $$\n${shim}`);
}

/** Values by ref: as git has them when every push so far has ended. */
const values = new Map<string, string>();

/** Pushes to refs that no push since the last pass has moved, so that no difference hides another. */
function push(number: number, untouched: Set<string>): void {
  const killed = it.random.pick(["receive-pack", "receive-pack", "shim", "shim", null] as const);
  const hash = world.git(["commit-tree", "-p", r.start, "-m", `${number}`, `${r.start}^{tree}`], { cwd: r.clone });
  const names = [`refs/heads/${it.random.below(20)}`, `refs/tags/${number}`, `refs/notes/${it.random.below(5)}`];
  const chosen = names.filter((ref, at) => untouched.has(ref) || (at === 1 && it.random.chance(0.5)));
  if (chosen.length === 0) chosen.push(`refs/tags/${number}`);
  const moves = chosen.map((ref) => {
    untouched.delete(ref);
    const old = values.get(ref) ?? zero;
    const value = old !== zero && it.random.chance(0.2) ? zero : hash;
    values.set(ref, value);
    return { ref, old, value };
  });
  const words = moves.map(({ ref, value }) => `${value === zero ? "" : value}:${ref}`);
  const env = { KILLS: killed ?? "" };
  // Atomic: one transaction, after which nothing is left to be moved by a receive-pack that lives on.
  const { code } = world.run(["git", "push", "-q", "--force", "--atomic", r.path, ...words], { cwd: r.clone, env });
  expect(code === 0, `the push whose ${killed} is killed`).toBe(killed !== "receive-pack");
  pushes.push({ moves: moves.map(({ ref, old, value }) => `${old} ${value} ${ref}`), killed });
}

beforeAll(async () => {
  r = await serve(world);
  r.hook(`cat >>'${r.file("got")}'`, { stdin: "updates" });
  plant();
  values.set("refs/heads/main", r.start);
  const lost = (): number => pushes.filter(({ killed }) => killed !== null).length;
  const fresh = () =>
    new Set(Array.from({ length: 25 }, (_, at) => (at < 20 ? `refs/heads/${at}` : `refs/notes/${at - 20}`)));
  let untouched = fresh();
  for (let number = 1; lost() < it.count; number++) {
    push(number, untouched);
    if (!it.random.chance(0.15)) continue;
    await r.pass();
    untouched = fresh();
  }
  await r.pass();
  await r.pass();
}, 3_600_000);

test("A4: what moved when receive-pack was killed, or A3: its shim, is found once, marked so, and handed out once", () => {
  const updates = r
    .receipts()
    .flatMap(({ source, user, updates }) => updates.map((update) => ({ source, user, update })));
  const told = r.read("got").split("\n").slice(0, -1);
  const times = (list: readonly string[], line: string): number => list.filter((one) => one === line).length;
  const broken: string[] = [];
  for (const { moves, killed } of pushes)
    for (const move of moves) {
      const [old, value, ref] = move.split(" ");
      const on = updates.filter(({ update }) => update.endsWith(` ${ref} ${old} ${value}`));
      const [first] = on;
      const how = killed === null ? "entry" : "reconciled";
      const source = killed === null ? "push" : "reconciled";
      const fits = on.length === 1 && first?.source === source && first.update.startsWith(`${how} `);
      if (!fits)
        broken.push(`${killed ?? "no"} kill: ${move} is ${on.map(({ update }) => update).join(", ") || "nowhere"}`);
      if (killed !== null && first !== undefined && first.user !== null)
        broken.push(`${move} names a pusher, ${first.user}`);
      if (times(told, move) !== 1)
        broken.push(`${killed ?? "no"} kill: ${move} was handed out ${times(told, move)} times`);
    }
  const moved = pushes.reduce((sum, { moves }) => sum + moves.length, 0);
  if (updates.length !== moved) broken.push(`${moved} refs moved, and receipts tell of ${updates.length}`);
  if (told.length !== moved) broken.push(`${moved} refs moved, and the hook was told of ${told.length}`);
  const ofKind = (kind: Pushed["killed"]): number => pushes.filter(({ killed }) => killed === kind).length;
  report(
    "lost",
    {
      pushes: pushes.length,
      "receive-packs killed": ofKind("receive-pack"),
      "shims killed": ofKind("shim"),
      "refs moved": moved,
      reconciled: updates.filter(({ source }) => source === "reconciled").length,
      "not found once": broken.length,
    },
    it,
  );
  expect(broken, `seed ${it.seed}`).toEqual([]);
  expect(r.spool()).toEqual([]);
  expect(r.aside()).toEqual([]);
  expect(r.complaints).toEqual([]);
});
