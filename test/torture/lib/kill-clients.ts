/**
 * Clients that push, as people do, and never wait for Gatepost. Each push has a name that goes with it to the shim, as
 * GL_USER, and from there onto its receipt; each value that it pushes is pushed to that ref once and never again.
 */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import type { Random } from "../../helpers/random.ts";
import type { KillStand } from "./kill-stand.ts";

const ZERO = "0".repeat(40);

export type Push = {
  readonly name: string;
  readonly repository: string;
  /** The value each ref was to get. */
  readonly moves: ReadonlyMap<string, string>;
  /** Null: git push itself was killed. */
  readonly code: number | null;
};

export type Clients = {
  readonly pushes: Push[];
  /** Values that commits in the work tree may have given its refs. */
  readonly committed: { count: number };
  /** Commits and pushes until it is to end. */
  work(index: number, random: Random, goesOn: () => boolean): Promise<void>;
};

/** Clients of a stand. */
export function makeClients(stand: KillStand): Clients {
  const pushes: Push[] = [];
  const committed = { count: 0 };
  async function work(index: number, random: Random, goesOn: () => boolean): Promise<void> {
    const { world } = stand;
    const clone = world.clone(stand.bares[0] ?? "", `clone-${index}`);
    const own = new Set<string>();
    for (let number = 1; goesOn(); number++) {
      while (stand.isFull() && goesOn()) await new Promise((resolve) => setTimeout(resolve, 20));
      if (index === 0 && random.chance(0.3)) {
        await commitInWorkTree(stand, random, number);
        committed.count += 1;
      } else await push(clone, `c${index}-${number}`, own, random);
    }
  }

  async function push(clone: string, name: string, own: Set<string>, random: Random): Promise<void> {
    const { bares } = stand;
    const repository = random.pick(bares);
    const index = name.slice(0, name.indexOf("-"));
    fs.writeFileSync(join(clone, "file"), `${name}\n`);
    const rewrite = random.chance(0.15) ? "git reset -q --soft HEAD~1;" : "";
    const made = await run(stand, clone, `${rewrite} git commit -q --allow-empty -a -m "$1"`, [name]);
    if (made !== 0) return stand.sweep(clone);
    const hash = fs.readFileSync(join(clone, ".git", "refs", "heads", "main"), "latin1").trim();
    const [refs, deleted] = choose(
      random,
      index,
      name,
      [...own].filter((ref) => ref.startsWith(repository)),
      repository,
    );
    const moves = new Map(refs.map((ref) => [ref, deleted.has(ref) ? ZERO : hash]));
    const words = refs.map((ref) => `${deleted.has(ref) ? "" : "HEAD"}:${ref}`);
    const env = { GL_USER: name };
    const code = await run(stand, clone, 'exec git push -q --force "$@"', [repository, ...words], env);
    pushes.push({ name, repository, moves, code });
    for (const [ref, value] of moves) {
      if (value === ZERO && code === 0) own.delete(`${repository}:${ref}`);
      if (value !== ZERO && !/tags/.test(ref)) own.add(`${repository}:${ref}`);
    }
    if (code !== 0) stand.sweep(repository);
  }
  return { pushes, committed, work };
}

/** What a push is to move, and which of that it deletes. */
function choose(random: Random, index: string, name: string, own: readonly string[], repository: string) {
  const branch = (): string => `refs/heads/${index}/${random.below(4)}`;
  const dice = random.below(100);
  const deleted = new Set<string>();
  if (dice < 12) return [["refs/heads/main"], deleted] as const;
  if (dice < 24) return [[`refs/tags/${name}`], deleted] as const;
  if (dice < 36 && own.length > 0) {
    const ref = random.pick(own).slice(repository.length + 1);
    return [[ref], deleted.add(ref)] as const;
  }
  if (dice < 50)
    return [[...new Set([branch(), branch(), `refs/tags/${name}`, `refs/notes/${index}`])], deleted] as const;
  if (dice < 53) return [Array.from({ length: 30 }, (_, at) => `refs/tags/${name}-${at}`), deleted] as const;
  return [[branch()], deleted] as const;
}

/** Commits in the registered work tree, on one of its branches or a new one. */
async function commitInWorkTree(stand: KillStand, random: Random, number: number): Promise<void> {
  fs.writeFileSync(join(stand.work, "file"), `${number}\n`);
  const steps = random.pick([
    'git commit -q -a -m "$1"',
    'git commit -q -a --amend -m "$1"',
    'git checkout -q -b "b-$1" && git commit -q -a -m "$1"',
    'git commit -q -a -m "$1" && git tag "t-$1"',
    'git commit -q -a -m "$1" && git checkout -q main && git merge -q -m "m-$1" --no-ff -X theirs -',
  ]);
  const code = await run(stand, stand.work, steps, [String(number)]);
  if (code !== 0) {
    stand.sweep(stand.work);
    await run(stand, stand.work, "git reset -q --hard; git checkout -q main", []);
  }
}

function run(
  stand: KillStand,
  cwd: string,
  script: string,
  words: readonly string[],
  env = {},
): Promise<number | null> {
  const child = spawn("/bin/sh", ["-c", script, "sh", ...words], {
    cwd,
    env: { ...stand.world.env, ...env },
    stdio: "ignore",
  });
  return new Promise((resolve, reject) => child.once("error", reject).once("exit", resolve));
}
