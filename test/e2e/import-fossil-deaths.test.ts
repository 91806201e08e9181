/** kill -9 at each step of hooks that change hands, and everybody at work at once: no receipt is lost, none comes twice. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { finishHandover } from "../../src/home/handover.ts";
import { closeHome, openHome } from "../../src/home/open.ts";
import { listHooks } from "../../src/store/hook.ts";
import { repositoryByPath } from "../../src/store/repository.ts";
import { type Outcome, until } from "../helpers/cli.ts";
import { makeFossilWorld } from "../helpers/fossil.ts";
import { type FossilSite, fossilSite } from "../helpers/fossil-site.ts";

const world = makeFossilWorld("gatepost-fossil-deaths-");
afterAll(() => world.remove());
const real = world.run(["sh", "-c", "command -v fossil"]).stdout.trim();
const bin = world.at("bin");
fs.mkdirSync(bin);
fs.symlinkSync(fileURLToPath(new URL("../fixtures/dying-fossil", import.meta.url)), join(bin, "fossil"));
fs.writeFileSync(join(bin, "real"), `${real}\n`);

const ways = { in: ["import", "--from", "fossil"], out: ["export", "--to", "fossil"] } as const;
type Way = keyof typeof ways;
const move = (site: FossilSite, way: Way): Outcome => world.gatepost(["hook", ...ways[way], "-R", site.file]);

/** The same, killed at a call of fossil. */
function moveAndDie(site: FossilSite, way: Way, at: string): Outcome {
  for (const name of ["count", "go", "made", "late"]) fs.rmSync(join(bin, name), { force: true, recursive: true });
  fs.writeFileSync(join(bin, "at"), `${at}\n`);
  return world.gatepost(["hook", ...ways[way], "-R", site.file], {
    env: { PATH: `${bin}:${world.env["PATH"]}`, TMPDIR: world.at("user") },
  });
}

/** A repository whose hooks Fossil runs, and has run once: one of arrivals, and a gate that counts how often it is asked. */
function served(name: string): FossilSite {
  const site = fossilSite(world, name);
  site.gatepost("init", site.file);
  site.gatepost("settings", "automatic-backoffice", "off", "-R", site.file);
  site.fossil("hook", "add", "--type", "after-receive", "--command", site.keep, "-R", site.file);
  site.fossil(
    "hook",
    "add",
    "--type",
    "before-commit",
    "--command",
    `echo asked >>${site.checkout}.asked`,
    "-R",
    site.file,
  );
  site.fossilPass();
  return site;
}

const everything = (site: FossilSite): string[] => site.receivedAfter(1).sort();
const passes = (site: FossilSite): void => {
  site.fossilPass();
  expect(site.gatepost("backoffice", site.file).code).toBe(0);
};
/** Makes a commit, of which some gate must be asked. */
function gatedCommit(site: FossilSite): void {
  fs.rmSync(`${site.checkout}.asked`, { force: true });
  site.commit();
  expect(fs.existsSync(`${site.checkout}.asked`)).toBe(true);
}

describe("a death while hooks change hands", () => {
  // In between lie calls that only read, and steps of ours before and after them.
  const points = {
    in: "after 2, before 3, before 4, after 4, before 5, before 6, after 6, before 8, after 8".split(", "),
    out: "after 1, before 2, after 3, before 5, after 5, before 6, after 7, before 9, after 9".split(", "),
  };

  it.each(["in", "out"] as const)(
    "on the way %s, whenever, loses no receipt, repeats none and leaves no gate out",
    (way) => {
      const site = served(`deaths-${way}`);
      const back = way === "in" ? "out" : "in";
      if (way === "out") expect(move(site, "in").code).toBe(0);
      let died = 0;
      for (const death of points[way]) {
        site.commit();
        if (moveAndDie(site, way, death).code === null) died += 1;
        gatedCommit(site);
        passes(site);
        const again = move(site, way);
        expect([death, again.code, again.stderr]).toEqual([death, 0, expect.anything()]);
        passes(site);
        expect([death, site.got().sort()]).toEqual([death, everything(site)]);
        expect([death, site.row("gatepost-take-over")]).toEqual([death, null]);
        const here = JSON.parse(site.gatepost("hook", "list", "--json", "-R", site.file).stdout).hooks;
        const types = here.map(({ type }: { type: string }) => type);
        const there = site.list()?.map(({ type }) => type);
        if (way === "in") expect([death, types, there?.length]).toEqual([death, ["after-receive", "before-commit"], 1]);
        else
          expect([death, types, there]).toEqual([death, ["disabled", "disabled"], ["after-receive", "before-commit"]]);
        expect([death, move(site, back).code]).toEqual([death, 0]);
      }
      expect(died).toBe(points[way].length);
    },
  );

  it("is finished by the next backoffice, without anybody's help", () => {
    const site = served("finished");
    site.commit();
    expect(moveAndDie(site, "in", "after 4").code).toBeNull();
    expect(site.gatepost("backoffice", site.file).code).toBe(0);
    expect(site.got().sort()).toEqual(everything(site));
    expect(site.row("gatepost-take-over")).toBeNull();
    const { hooks } = JSON.parse(site.gatepost("hook", "list", "--json", "-R", site.file).stdout);
    expect(hooks.map(({ type }: { type: string }) => type)).toEqual(["after-receive", "before-commit"]);
  });

  it.each(["in", "out"] as const)("on the way %s leaves a fossil that wakes up late without a say", async (way) => {
    const site = served(`late-${way}`);
    if (way === "out") move(site, "in");
    for (let number = 1; number <= (way === "in" ? 6 : 5); number += 1) {
      site.commit();
      expect(moveAndDie(site, way, `late ${number}`).code).toBeNull();
      const again = move(site, way);
      expect([number, again.code, again.stderr]).toEqual([number, 0, expect.stringContaining("2 hooks")]);
      const settled = site.row("hooks");
      fs.writeFileSync(join(bin, "go"), "");
      await until("the late call was made", () => fs.existsSync(join(bin, "made")));
      expect([number, site.row("hooks")]).toEqual([number, settled]);
      passes(site);
      expect([number, site.got().sort()]).toEqual([number, everything(site)]);
      expect(move(site, way === "in" ? "out" : "in").code).toBe(0);
    }
  });

  it("taken back by another call than import leaves the hooks with Fossil, however late the dead one's fossil is", async () => {
    const site = served("taken-back");
    const list = site.row("hooks");
    expect(moveAndDie(site, "in", "late 4").code).toBeNull();
    const home = openHome(`${site.file}.gatepost`);
    try {
      const row = repositoryByPath(home.db, site.file);
      if (row === null) throw new Error("not registered");
      expect(await finishHandover(home, row)).toMatchObject({ way: "taken back" });
      expect(await finishHandover(home, row)).toBeNull();
      expect(listHooks(home.db)).toEqual([]);
    } finally {
      closeHome(home);
    }
    fs.writeFileSync(join(bin, "go"), "");
    await until("the late call was made", () => fs.existsSync(join(bin, "made")));
    expect([site.row("hooks"), site.row("gatepost-take-over")]).toEqual([list, null]);
  });
});

describe("everybody at once", () => {
  it("each artifact reaches a hook once, while hooks go there and back and all commit and hand out", async () => {
    const site = served("at-once");
    const stop = world.at("stop");
    const loop = (text: string) =>
      spawn("sh", ["-c", `while ! [ -e '${stop}' ]; do ${text}; done`], {
        cwd: site.checkout,
        env: { ...world.env, FOSSIL_HOME: world.at("user"), F: site.file },
        stdio: "ignore",
      });
    const loops = [
      loop('fossil backoffice --nolease "$F"; sleep 0.05'),
      loop('n=$((n+1)); echo $n >n; fossil addremove; fossil commit -m "n $n" --no-warnings --no-verify; sleep 0.1'),
    ];
    const ended = loops.map((child) => new Promise((resolve) => child.on("close", resolve)));
    const backoffice = (async () => {
      while (!fs.existsSync(stop)) await world.call(["backoffice", site.file]);
    })();
    const moved = { in: 0, out: 0 };
    for (let round = 0; round < 24; round += 1) {
      const way = round % 2 === 0 ? "in" : "out";
      const { code, stderr } = await world.call(["hook", ...ways[way], "-R", site.file]);
      if (code === 0) moved[way] += 1;
      else expect([code, stderr]).toEqual([4, expect.stringMatching(/Nothing was changed/)]);
    }
    fs.writeFileSync(stop, "");
    await Promise.all([...ended, backoffice]);
    passes(site);
    passes(site);
    expect(moved.in).toBeGreaterThan(3);
    expect(moved.out).toBeGreaterThan(3);
    expect(site.got().length).toBeGreaterThan(20);
    expect(site.got().sort()).toEqual(everything(site));
  });
});
