/** The forge of examples/forge, as its README shows it: beside the command line, and beside a daemon. */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeWorld, until, type World } from "../helpers/cli.ts";

const main = fileURLToPath(new URL("../../examples/forge/main.mjs", import.meta.url));

let world: World;
let dir: string;
const children = new Set<ChildProcess>();

beforeEach(() => {
  world = makeWorld();
  dir = world.at("forge");
});

afterEach(async () => {
  for (const child of children) await ended(child);
  world.remove();
});

async function ended(child: ChildProcess): Promise<number | null> {
  const over = new Promise<void>((resolve) => child.once("close", () => resolve()));
  if (child.exitCode === null && child.kill("SIGTERM")) await over;
  children.delete(child);
  return child.exitCode;
}

/** Starts the forge and returns its address. */
async function forge(): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [main, dir, "--port", "0"], { cwd: world.dir, env: world.env });
  children.add(child);
  let said = "";
  const listen = (data: Buffer): void => {
    said += data;
  };
  child.stdout.on("data", listen);
  child.stderr.on("data", listen);
  const url = await until("the forge listens", () => {
    if (child.exitCode !== null) throw new Error(`the forge ended: ${said}`);
    return /^(http:\S+)\/ serves/m.exec(said)?.[1];
  });
  return { url, child };
}

type Entry = { repository: string; by: string[]; refs: string[]; checkIns: string[]; files: number };
type RunLine = { hook: string; repository: string; state: string };

const get = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T;

/** What `gatepost runs` says of the forge's home, oldest first: "index done". */
function runs(): string[] {
  const { stdout } = world.gatepost(["runs", "--json", "--home", `${dir}/.gatepost`]);
  const lines = (JSON.parse(stdout) as { runs: { hook: { name: string }; state: string }[] }).runs;
  return lines.map(({ hook, state }) => `${hook.name} ${state}`).reverse();
}

function hook(...words: string[]): void {
  expect(world.gatepost(["hook", ...words, "--home", `${dir}/.gatepost`])).toMatchObject({ code: 0 });
}

it("makes repositories, takes pushes, and tells its page of each; the command line sees and rules the same home", async () => {
  const { url, child } = await forge();
  const made = await fetch(`${url}/repositories/app`, { method: "POST" });
  expect([made.status, await made.json()]).toEqual([201, { repository: "app.git" }]);
  expect((await fetch(`${url}/repositories/..%2Fx`, { method: "POST" })).status).toBe(400);

  const pushes = (await fetch(`${url}/pushes`)).body?.getReader();
  await pushes?.read(); // it is connected
  const clone = world.clone(`${url.replace("//", "//alice:any@")}/app.git`);
  world.commit(clone, { "a.txt": "a", "b.txt": "b" }, "first");
  const pushed = await world.git(["push", "-q", "origin", "HEAD:main"], { cwd: clone });
  expect(pushed).toBe("");
  const told = Buffer.from((await pushes?.read())?.value ?? []).toString();
  const entry = JSON.parse(told.replace(/^data: /, "")) as Entry;
  expect(entry).toMatchObject({ repository: "app.git", by: ["alice"], refs: ["refs/heads/main"], files: 2 });
  expect(entry.checkIns).toEqual([expect.stringMatching(/ check-in to main by alice on /)]);
  expect(await get<Entry[]>(`${url}/index`)).toEqual([entry]);
  await pushes?.cancel();
  await until("the run is over", () => runs()[0] === "index done");
  expect(await get<RunLine[]>(`${url}/runs`)).toMatchObject([{ hook: "index", repository: "app.git", state: "done" }]);
  expect(await (await fetch(`${url}/`)).text()).toContain("<td>app.git</td><td>alice</td>");

  hook("add", "--all", "--type", "before-receive", "--name", "freeze", "--command", "echo no pushes today; exit 1");
  world.commit(clone, { "c.txt": "c" });
  const refused = world.run(["git", "push", "-q", "origin", "HEAD:main"], { cwd: clone });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("no pushes today");
  hook("delete", "freeze");
  world.git(["push", "-q", "origin", "HEAD:main"], { cwd: clone });
  await until(
    "the second push is indexed",
    () => fs.readFileSync(`${dir}/index.jsonl`, "utf8").split("\n").length === 3,
  );
  expect(await ended(child)).toBe(0);
});

it("leaves commands to whoever comes first, and a daemon leaves its function to it", async () => {
  const first = await forge();
  await fetch(`${first.url}/repositories/app`, { method: "POST" });
  expect(await ended(first.child)).toBe(0);
  hook("add", "--all", "--type", "after-receive", "--name", "ci", "--command", "cat >/dev/null");
  const clone = world.clone(`${dir}/app.git`);
  const push = (): void => {
    world.commit(clone, {});
    world.git(["push", "-q", "origin", "HEAD:main"], { cwd: clone });
  };
  const daemon = world.start(["serve", `${dir}/.gatepost`]);
  children.add(daemon);
  push();
  await until("the daemon has run the command", () => runs().includes("ci done"));
  expect(runs().sort()).toEqual(["ci done", "index waiting"]);

  const second = await forge();
  await until("the forge has run the function", () => !runs().includes("index waiting"));
  push();
  const both = ["ci done", "ci done", "index done", "index done"];
  await until("both have run", () => runs().sort().join() === both.join());
  expect(await get<Entry[]>(`${second.url}/index`)).toHaveLength(2);
});
