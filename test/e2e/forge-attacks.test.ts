/** The forge of examples/forge under clients that mean no good, or die. */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeWorld, until, type World } from "../helpers/cli.ts";

const main = fileURLToPath(new URL("../../examples/forge/main.mjs", import.meta.url));

let world: World;
let dir: string;
let child: ChildProcess;
let url: string;

async function start(): Promise<void> {
  child = spawn(process.execPath, [main, dir, "--port", "0"], { cwd: world.dir, env: world.env });
  let said = "";
  const listen = (data: Buffer): void => {
    said += data;
  };
  child.stdout?.on("data", listen);
  child.stderr?.on("data", listen);
  url = await until("the forge listens", () => {
    if (child.exitCode !== null) throw new Error(`the forge ended: ${said}`);
    return /^(http:\S+)\/ serves/m.exec(said)?.[1];
  });
}

async function stop(signal: NodeJS.Signals): Promise<void> {
  const over = new Promise<void>((resolve) => child.once("close", () => resolve()));
  if (child.exitCode === null && child.signalCode === null && child.kill(signal)) await over;
}

const make = async (name: string): Promise<number> =>
  (await fetch(`${url}/repositories/${name}`, { method: "POST" })).status;
const index = async (): Promise<{ repository: string }[]> => (await (await fetch(`${url}/index`)).json()) as never;
const push = (clone: string): void => {
  world.commit(clone);
  world.git(["push", "-q", url.replace("//", "//alice:x@").concat("/app.git"), "HEAD:main"], { cwd: clone });
};

beforeEach(async () => {
  world = makeWorld();
  dir = world.at("forge");
  await start();
});
afterEach(async () => {
  await stop("SIGKILL");
  world.remove();
});

it("goes on when git cannot make a repository, and when a name holds what no environment can", async () => {
  fs.writeFileSync(`${dir}/taken.git`, "no folder");
  expect(await make("taken")).toBe(500);
  expect(await make("app")).toBe(201);
  const authorization = `Basic ${Buffer.from("a\0b:x").toString("base64")}`;
  const asked = await fetch(`${url}/app.git/info/refs?service=git-receive-pack`, { headers: { authorization } });
  expect(asked.status).toBe(500);
  push(world.workTree("work"));
  await until("it is indexed", async () => (await index()).length === 1);
});

it("leaves no git behind when a client goes away in the middle of a push", async () => {
  await make("app");
  const { hostname, port } = new URL(url);
  const client = connect(Number(port), hostname);
  client.write(
    [
      "POST /app.git/git-receive-pack HTTP/1.1",
      "Host: forge",
      `Authorization: Basic ${Buffer.from("a:b").toString("base64")}`,
      "Content-Type: application/x-git-receive-pack-request",
      "Content-Length: 1000000",
      "",
      "0000aaa",
    ].join("\r\n"),
  );
  const gits = (): string => fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
  await until("git reads the push", () => gits() !== "");
  client.destroy();
  await until("git has ended", () => gits() === "");
});

it("opens again after it died in the middle of a line of its index", async () => {
  await make("app");
  const clone = world.workTree("work");
  push(clone);
  await until("it is indexed", async () => (await index()).length === 1);
  await stop("SIGKILL");
  fs.appendFileSync(`${dir}/index.jsonl`, '{"run":"a-9","repos');
  for (const count of [2, 3]) {
    await start();
    push(clone);
    await until("it is indexed", async () => (await index()).length === count);
    await stop("SIGTERM");
  }
});
