/**
 * Kills processes of a stand at random instants. What is to die next and how long to wait is chosen by the seed; which
 * process of that kind then lives, and how far it has come, is not. A kill counts only when the process that was found
 * was still running when the signal was sent.
 */
import { spawn } from "node:child_process";
import { program } from "../../helpers/cli.ts";
import type { Random } from "../../helpers/random.ts";
import type { KillStand } from "./kill-stand.ts";
import { type Found, type Kind, sizeOf } from "./processes.ts";

/** What can be chosen, how often, and for how long (ms) the process that was found goes on before it dies. */
const KINDS = {
  daemon: { weight: 16, lives: 0 },
  backoffice: { weight: 8, lives: 300 },
  cli: { weight: 7, lives: 250 },
  shim: { weight: 16, lives: 4 },
  hook: { weight: 16, lives: 60 },
  child: { weight: 10, lives: 30 },
  push: { weight: 10, lives: 25 },
  "receive-pack": { weight: 12, lives: 12 },
  largest: { weight: 5, lives: 0 },
} as const satisfies Partial<Record<Kind | "largest", { weight: number; lives: number }>>;

export type Choice = keyof typeof KINDS;

export type Killed = {
  kills: Map<Choice, number>;
  /** What else died: what the largest process was. */
  largest: Map<Kind, number>;
  /** Names of pushes of which something was killed: their shim, or what was to run it. */
  disturbed: Set<string>;
  /** Of these, in which nothing but the shim was killed. */
  shimless: Set<string>;
  /** Attempts whose hook, or a child of it, was killed, as "RUN ATTEMPT". */
  hooks: Set<string>;
  /** Of these, those whose shell was killed. */
  leaders: Set<string>;
  backoffices: number;
};

/** How long a process of the kind is waited for before another kind is chosen. */
const PATIENCE = 5000;

export async function killAtRandom(stand: KillStand, random: Random, count: number): Promise<Killed> {
  const killed: Killed = {
    kills: new Map(),
    largest: new Map(),
    disturbed: new Set(),
    shimless: new Set(),
    hooks: new Set(),
    leaders: new Set(),
    backoffices: 0,
  };
  const unseen = Object.keys(KINDS) as Choice[]; // each comes at least once, however few they shall be
  for (let done = 0; done < count; ) {
    const choice = unseen.length > 0 ? random.pick(unseen) : choose(random);
    const pause = random.below(200);
    const share = random.below(1000) / 1000;
    call(stand, choice, random);
    await after(pause);
    const found = await killOne(stand, choice, random, KINDS[choice].lives * share);
    if (found === null) continue;
    done += 1;
    if (unseen.includes(choice)) unseen.splice(unseen.indexOf(choice), 1);
    killed.kills.set(choice, (killed.kills.get(choice) ?? 0) + 1);
    if (choice === "largest") killed.largest.set(found.kind, (killed.largest.get(found.kind) ?? 0) + 1);
    const { kind, variables } = found;
    const push = variables.get("GL_USER");
    if (push !== undefined) {
      if (kind === "shim" && !killed.disturbed.has(push)) killed.shimless.add(push);
      else killed.shimless.delete(push);
      killed.disturbed.add(push);
    }
    if (kind === "daemon" || kind === "backoffice") killed.backoffices += 1;
    const run = variables.get("GATEPOST_RUN");
    const attempt = `${run} ${variables.get("GATEPOST_ATTEMPT")}`;
    if (run !== undefined) killed.hooks.add(attempt);
    if (kind === "hook") killed.leaders.add(attempt);
  }
  return killed;
}

function choose(random: Random): Choice {
  const names = Object.keys(KINDS) as Choice[];
  let at = random.below(names.reduce((sum, name) => sum + KINDS[name].weight, 0));
  for (const name of names) {
    at -= KINDS[name].weight;
    if (at < 0) return name;
  }
  throw new Error("the weights do not add up");
}

/** Finds one and kills it; null when none was found for long. */
async function killOne(stand: KillStand, choice: Choice, random: Random, lives: number): Promise<Found | null> {
  const { processes } = stand;
  for (const end = performance.now() + PATIENCE; performance.now() < end; ) {
    const all = processes.all();
    if (choice === "shim") for (const push of all) processes.awaitShim(push, all);
    const fit = choice === "largest" ? largestOf(all) : all.filter(({ kind }) => kind === choice);
    if (fit.length === 0) {
      await after(choice === "shim" || choice === "receive-pack" ? 0 : 4);
      continue;
    }
    const found = random.pick(fit);
    if (choice === "shim") wait(lives);
    else await after(lives);
    if (processes.kill(found)) return found;
  }
  return null;
}

const largestOf = (all: readonly Found[]): Found[] =>
  all
    .map((found) => ({ found, size: sizeOf(found) }))
    .sort((a, b) => b.size - a.size)
    .slice(0, 1)
    .map(({ found }) => found);

/** Commands are only there when somebody calls them: calls one that is to be killed. Another one may die in its place;
 *  then it goes on, and may wait a minute for a backoffice that works. */
function call(stand: KillStand, choice: Choice, random: Random): void {
  if (choice !== "cli" && choice !== "backoffice") return;
  const home = ["--home", stand.home];
  const words =
    choice === "backoffice"
      ? random.pick([
          ["backoffice", ...home],
          ["backoffice", "--nodelay", ...home],
        ])
      : random.pick([
          ["runs", ...home],
          [
            "hook",
            "edit",
            ...home,
            random.pick(["plain", "slow", "flaky"]),
            "--timeout",
            String(60 + random.below(60)),
          ],
          ["hook", "edit", ...home, random.pick(["plain", "slow", "flaky"]), "--sequence", String(random.below(20))],
          ["doctor", ...home],
        ]);
  spawn(process.execPath, [program, ...words], { cwd: stand.world.dir, env: stand.world.env, stdio: "ignore" });
}

/** Waits; the last two milliseconds busily, since timers are too coarse for a process that lives for three. */
async function after(length: number): Promise<void> {
  const end = performance.now() + length;
  if (length > 2) await new Promise((resolve) => setTimeout(resolve, length - 2));
  else await new Promise((resolve) => setImmediate(resolve));
  wait(end - performance.now());
}

function wait(length: number): void {
  for (const end = performance.now() + length; performance.now() < end; );
}
