/**
 * docs/fossil.md, done as it says. The tour: a server runs, people push before, between and after its steps, and each
 * artifact must have been handed out once, by Fossil or by Gatepost. The recipes: each hook is added as it stands, and
 * must do what it is for. Fossil's own passes are `--nolease`, as `--poll` starts them, so that none sleeps for a minute.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { program, silent, until } from "../helpers/cli.ts";
import { type Checkout, type FossilWorld, makeFossilWorld } from "../helpers/fossil.ts";
import { expectSeen, type Section, type Step, sectionsOf } from "../helpers/manual.ts";

const pages = sectionsOf("docs/fossil.md");
const section = (title: string): Section => {
  const found = pages.find((one) => one.title === title);
  if (found === undefined) throw new Error(`docs/fossil.md has no section "${title}"`);
  return found;
};
/** The command lines of a section, a crontab's without its times; what shell quotes hold together is one. */
const commandsOf = ({ commands }: Section): string[] =>
  commands.flatMap((block) => block.split(/\n(?=\S)/)).map((line) => line.replace(/^[*/\d]+ \* .*? {2}/, "").trimEnd());

let world: FossilWorld;
let file: string;

/** Where the paths of the page are in this world. */
const placed = (line: string): string =>
  line.replaceAll("/srv/", `${world.at("srv")}/`).replaceAll("/var/log/", `${world.at("log")}/`);
const inWorld = (): Record<string, string> => ({ PATH: `${world.at("bin")}:${world.env["PATH"]}` });

function makePlaces(): void {
  world = makeFossilWorld();
  for (const folder of ["bin", "log", "srv/ci", "srv/mirror"]) fs.mkdirSync(world.at(folder), { recursive: true });
  fs.symlinkSync(program, world.at("bin/gatepost"));
  file = world.repository("srv/fossil/app.fossil");
}

function type(line: string, cwd = world.dir) {
  return world.run(["sh", "-c", `exec 2>&1\n${placed(line)}`], { cwd, env: inWorld() });
}
/** Types a line of the page and compares what is seen. */
const follow = (step: Step, cwd?: string): void =>
  expectSeen(type(step.typed, cwd).stdout.replaceAll(world.dir, ""), step);

describe("the tour", () => {
  const tour = section("From fossil backoffice to gatepost backoffice");
  const steps = tour.transcripts.flat();
  const step = (typed: RegExp, nth = 0): Step => {
    const found = steps.filter((one) => typed.test(one.typed))[nth];
    if (found === undefined) throw new Error(`the tour types no ${typed}`);
    return found;
  };
  const command = (wanted: RegExp): string => {
    const [found] = commandsOf(tour).filter((line) => wanted.test(line));
    if (found === undefined) throw new Error(`the tour has no ${wanted}`);
    return found;
  };
  const arrived = (log: string): string[] =>
    fs.existsSync(world.at("srv", log, "arrived"))
      ? fs
          .readFileSync(world.at("srv", log, "arrived"), "utf8")
          .split("\n")
          .filter(Boolean)
      : [];

  let daemon: ChildProcess | null = null;
  beforeAll(makePlaces);
  afterAll(() => {
    daemon?.kill("SIGKILL");
    world.remove();
  });

  it("takes a running server's hooks to Gatepost and back; each artifact is handed out once", async () => {
    expect(command(/^fossil server/)).toBe("fossil server --nojail /srv/fossil/app.fossil");
    const server = await world.server(file);
    const clone: Checkout = world.apart(file, "clone");
    const push = (to = server.url): void => {
      world.checkIn(clone);
      world.push(clone, to);
    };
    const isHandedOut = (receipt: number) => (): boolean =>
      ["ci", "mirror"].every((log) => arrived(log).length === 2 * (receipt - 1));
    const fossilPass = (): string => world.fossil(["backoffice", "--nolease", file]);
    const typed = step(/^fossil hook list/);
    for (const { name, sequence } of [
      { name: "ci", sequence: "10" },
      { name: "mirror", sequence: "20" },
    ]) {
      const hook = placed(`cat >> /srv/${name}/arrived`);
      world.fossil(["hook", "add", "--type", "after-receive", "--command", hook, "--sequence", sequence, "-R", file]);
    }
    follow(typed);

    push(); // handed out by the server itself, which then is busy for a minute
    await until("the server runs the hooks", isHandedOut(2));
    push();
    fossilPass();
    await until("Fossil runs the hooks", isHandedOut(3));

    push(); // what counts as seen when it is registered, Fossil has still to hand out
    follow(step(/^gatepost init/));
    push();
    follow(step(/^gatepost hook import .*--dry-run/));
    push();
    expect(isHandedOut(3)()).toBe(true);
    follow(step(/^gatepost hook import (?!.*--dry-run)/));
    push();
    fossilPass();
    expect(isHandedOut(3)()).toBe(true);

    expect(type(command(/^gatepost backoffice --nodelay/))).toEqual(silent);
    expect(isHandedOut(7)()).toBe(true);
    follow(step(/^gatepost runs/));
    follow(step(/^fossil hook list/, 1));

    const [, , ...args] = placed(command(/^gatepost backoffice --poll/))
      .replace(/\S+\*\.fossil/, file)
      .split(" ");
    daemon = world.start(["backoffice", ...args]);
    const ended = once(daemon, "exit");
    push(file);
    await until("the daemon hands out what was pushed by path", isHandedOut(8));
    push();
    await until("the daemon hands out what was pushed to the server", isHandedOut(9));
    expect(fs.readFileSync(world.at("log/fossil-hooks"), "utf8")).toMatch(/ app\.fossil 2 hooks elapse-time \d+ us\n$/);

    follow(step(/^gatepost hook export --to fossil/));
    push();
    fossilPass();
    await until("Fossil runs the hooks again", isHandedOut(10));
    daemon.kill("SIGTERM");
    await ended;

    push();
    expect(type(step(/^gatepost hook import (?!.*--dry-run)/).typed).stdout).toContain(
      "2 hooks taken over after receipt 10.",
    );
    expect(type(command(/^gatepost backoffice --nodelay/))).toEqual(silent);
    await server.stop();

    const all = world.lines(file, 1).split("\n").filter(Boolean);
    expect(all).toHaveLength(20);
    for (const log of ["ci", "mirror"]) expect(arrived(log)).toEqual(all);
  });
});

describe("the recipes", () => {
  const recipes = section("Recipes");
  let checkout: Checkout;

  beforeAll(() => {
    makePlaces();
    expect(type("gatepost init /srv/fossil/app.fossil").code).toBe(0);
    for (const line of commandsOf(recipes))
      expect(type(line).stdout).toMatch(
        /^hook \d+ \(\w+\) added: [-a-z]+, sequence 10\n(?:Mind: nothing starts by itself.*\n)?$/,
      );
    fs.writeFileSync(world.at("bin/curl"), `#!/bin/sh\ncat >>'${world.at("told")}'\n`, { mode: 0o755 });
    checkout = world.open(file);
  });
  afterAll(() => world.remove());

  const hand = (): void => expect(type("gatepost backoffice /srv/fossil/app.fossil")).toEqual(silent);
  /** How the newest runs of a hook ended, the newest first. */
  const ends = (name: string): string[] =>
    type(`gatepost runs --hook ${name} -R /srv/fossil/app.fossil`)
      .stdout.split("\n")
      .slice(1, -1)
      .map((line) => line.replace(/^.* {2}(?=\S)/, ""));

  it("are all tried here", () => {
    const names = commandsOf(recipes).flatMap((line) => / --name (\S+) /.exec(line)?.[1] ?? []);
    expect(names).toEqual(["ci", "tickets", "mirror", "sh"]);
  });

  it("ci builds what came to trunk, and nothing else", () => {
    world.checkIn(checkout, { Makefile: "test:\n\ttest -e whole\n", whole: "" });
    hand();
    world.checkIn(checkout, {}, ["--branch", "side"]);
    hand();
    world.fossil(["update", "trunk"], { cwd: checkout.root });
    world.checkIn(checkout, { Makefile: "test:\n\ttest ! -e whole\n" });
    hand();
    expect(ends("ci")).toEqual(["exit 2", expect.stringMatching(/^skipped: --ref trunk did not match /), "ok"]);
  });

  it("tickets tells what was written, and only then", () => {
    expect(fs.existsSync(world.at("told"))).toBe(false);
    world.fossil(["ticket", "add", "title", "it is broken", "-R", file]);
    hand();
    expect(fs.readFileSync(world.at("told"), "utf8")).toMatch(/^ticket [0-9a-f]{21}\ntitle it is broken\nalice\n$/);
  });

  it("mirror has each check-in and tag in Git", () => {
    world.checkIn(checkout);
    world.fossil(["tag", "add", "v1", "tip", "-R", file]);
    hand();
    const git = (...args: string[]): string => world.git(["-C", world.at("srv/mirror/app"), ...args]);
    const count = world.sql(file, "SELECT count(*) FROM event WHERE type='ci'");
    expect(git("rev-list", "--count", "--all")).toBe(count);
    expect(git("tag")).toBe("v1");
  });

  it("sh refuses a script that sh cannot read", () => {
    const [refused] = recipes.transcripts.flat();
    if (refused === undefined) throw new Error("the recipes show no commit that is refused");
    const before = world.newest(file);
    fs.writeFileSync(`${checkout.root}/deploy.sh`, "if\n");
    world.fossil(["add", "deploy.sh"], { cwd: checkout.root });
    follow(refused, checkout.root);
    expect(world.newest(file)).toBe(before);
    fs.writeFileSync(`${checkout.root}/deploy.sh`, "if true; then true; fi\n");
    expect(type(refused.typed, checkout.root).code).toBe(0);
    expect(world.newest(file)).toBe(before + 1);
  });
});
