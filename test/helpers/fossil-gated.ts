/** What the tests of Fossil's gates share: a registered repository with a check-out, and the real fossil. */
import * as fs from "node:fs";
import { join } from "node:path";
import type { CallOptions, Outcome, World } from "./cli.ts";
import { makeFossilWorld } from "./fossil.ts";

export type FossilGated = {
  readonly world: World;
  /** The repository's file, its home and the root of its check-out. */
  readonly file: string;
  readonly home: string;
  readonly checkout: string;
  /** Runs fossil in the check-out. */
  fossil(args: readonly string[], options?: CallOptions): Outcome;
  /** Runs gatepost in the check-out. */
  gatepost(args: readonly string[], options?: CallOptions): Outcome;
  /** Adds a hook with these options; without --type a before-commit hook. */
  hook(command: string, ...options: readonly string[]): void;
  /** Makes a file differ, whatever the time, and has it in the check-out. */
  change(name?: string): void;
  /** Changes a file and commits it. */
  commit(args?: readonly string[], options?: CallOptions): Outcome;
  /** How many check-ins there are. */
  count(): number;
  /** The newest check-in: its comment. */
  comment(): string;
  /** Files in the root that are not in the repository. */
  extras(): string[];
  /** The repository's own hook list. */
  list(): { cmd: string; type: string; seq: number }[];
};

export function fossilGated(given: { checkout?: string; args?: (world: World) => string[] } = {}): FossilGated {
  const world = makeFossilWorld();
  const file = world.at("r.fossil");
  const checkout = world.at(given.checkout ?? "w");
  const must = (outcome: Outcome): Outcome => {
    if (outcome.code !== 0) throw new Error(outcome.stderr + outcome.stdout);
    return outcome;
  };
  const fossil: FossilGated["fossil"] = (args, options = {}) => world.tryFossil(args, { cwd: checkout, ...options });
  const gatepost: FossilGated["gatepost"] = (args, options = {}) =>
    world.gatepost(args, { cwd: checkout, ...options, env: { ...world.env, ...options.env } });
  fs.mkdirSync(checkout);
  world.fossil(["init", file]);
  world.fossil(["open", file], { cwd: checkout });
  const extra = given.args?.(world) ?? [];
  must(gatepost(["init", file, ...extra], { cwd: world.dir }));
  must(gatepost(["settings", "automatic-backoffice", "off"]));
  let changes = 0;
  const change = (name = "a"): void => {
    changes += 1;
    fs.writeFileSync(join(checkout, name), "x".repeat(changes));
    fossil(["add", name]);
  };
  return {
    world,
    file,
    home: extra.length > 0 ? (extra[1] ?? "") : `${file}.gatepost`,
    checkout,
    fossil,
    gatepost,
    hook: (command, ...options) => {
      const type = options.includes("--type") ? [] : ["--type", "before-commit"];
      must(gatepost(["hook", "add", ...type, ...options, "--command", command]));
    },
    change,
    commit: (args = ["-m", "work"], options = {}) => {
      change();
      return fossil(["commit", ...args], options);
    },
    count: () => Number(/check-ins: +(\d+)/.exec(fossil(["info"]).stdout)?.[1]),
    comment: () => {
      // To the byte, so that blanks at its end are seen.
      const sql = "SELECT comment FROM event WHERE type='ci' ORDER BY objid DESC LIMIT 1";
      return world.fossil(["sql", "-R", file, ".mode list", sql]).replace(/\n$/, "");
    },
    extras: () => fossil(["extras"]).stdout.split("\n").slice(0, -1),
    list: () => JSON.parse(world.sql(file, "SELECT value FROM config WHERE name='hooks'") || "[]"),
  };
}
