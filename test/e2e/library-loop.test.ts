/** The event loop of a program that embeds Gatepost goes on turning while a home works, whatever it does. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Home, openHome } from "../../src/index.ts";
import { formatEntry } from "../../src/spool/entry.ts";
import { makeWorld, until, type World } from "../helpers/cli.ts";

let world: World;
let home: Home;
const zero = "0".repeat(40);

beforeEach(async () => {
  world = makeWorld();
  home = await openHome(world.at("home"), { create: true, env: world.env });
  await home.set("automatic-backoffice", "off");
});

afterEach(async () => {
  await home.close();
  world.remove();
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  expect(loaded.filter((file) => file.includes("better-sqlite3"))).toEqual([]);
});

/** How often the loop turned until the call settled; fails with it. Of a call that blocks the loop, not even once. */
async function turnsDuring(call: Promise<unknown>): Promise<number> {
  let isPending = true;
  let turns = 0;
  const turn = (): void => {
    if (!isPending) return;
    turns += 1;
    setImmediate(turn);
  };
  setImmediate(turn);
  try {
    await call;
  } finally {
    isPending = false;
  }
  return turns;
}

it("turns while another process holds the write lock, and the call is done once that lets go", async () => {
  await home.registerRepository(world.bare());
  const script = `
    const db = new (require("better-sqlite3"))(process.argv[1]);
    db.exec("BEGIN IMMEDIATE");
    console.log("held");
    process.stdin.once("data", () => { db.exec("COMMIT"); db.close(); process.exit(); });`;
  const holder = spawn(process.execPath, ["-e", script, join(home.dir, "gatepost.db")], {
    cwd: fs.realpathSync(new URL("../..", import.meta.url)),
    env: world.env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => holder.once("close", resolve));
  let said = "";
  holder.stdout.on("data", (data) => {
    said += data;
  });
  await until("the lock is held", () => said.includes("held"));
  let turns = 0;
  const adding = home.addHook({ name: "ci", type: "after-receive", command: "true", scope: { scope: "all" } });
  const counting = turnsDuring(adding);
  while (turns < 200) {
    await new Promise((resolve) => setImmediate(resolve));
    turns += 1;
  }
  holder.stdin.end("go");
  expect(await counting).toBeGreaterThanOrEqual(200);
  await ended;
  expect(await home.hooks()).toMatchObject([{ name: "ci" }]);
});

it("turns while hundreds of entries are drained, and hands the function every receipt of them", async () => {
  const app = world.bare();
  const hash = world.commit(world.workTree("work"), { a: "a" });
  world.git(["fetch", "-q", world.at("work"), "main:refs/heads/main"], { cwd: app });
  await home.registerRepository(app);
  const seen: string[][] = [];
  await home.hook({
    name: "index",
    type: "after-receive",
    run: ({ receipts, updates }) => {
      expect(receipts.every((receipt) => receipt.updates.length === 1)).toBe(true);
      seen.push(updates.map(({ ref }) => ref));
    },
  });
  const refs = Array.from({ length: 600 }, (_, number) => `refs/heads/topic${number}`);
  world.git(["update-ref", "--stdin"], { cwd: app, input: refs.map((ref) => `create ${ref} ${hash}\n`).join("") });
  const facts = { namespace: null, glUser: null, glRepo: null, remoteUser: null, address: null, options: [] };
  for (const ref of refs) {
    const updates = [{ ref, old: zero, new: hash }] as never;
    const entry = formatEntry({ kind: "push", hook: "post-receive", dir: app, ...facts, updates } as never);
    fs.writeFileSync(join(home.dir, "spool", `${randomUUID()}.entry`), entry);
  }
  expect(await turnsDuring(home.pass())).toBeGreaterThan(100);
  expect(seen.flat().sort()).toEqual([...refs].sort());
});

it("turns while the gates of many repositories are compiled", async () => {
  const paths = Array.from({ length: 40 }, (_, number) => world.bare(`r${number}.git`));
  expect(world.gatepost(["init", "--home", home.dir, ...paths]).code).toBe(0);
  const adding = home.addHook({ type: "before-receive", command: "true", scope: { scope: "all" } });
  expect(await turnsDuring(adding)).toBeGreaterThan(20);
  expect(await home.repositories()).toHaveLength(40);
});

it("turns while a function reads a very long list, of which no more is on its way than it has asked for", async () => {
  const app = world.bare();
  await home.registerRepository(app);
  const files = 30_000;
  const blobs = Array.from(
    { length: files },
    (_, n) => `M 100644 inline d${n % 100}/f${n}\ndata ${String(n).length}\n${n}\n`,
  );
  const commit = `commit refs/heads/main\ncommitter a <a@example.org> 1700000000 +0000\ndata 1\nm\n${blobs.join("")}`;
  await home.set("reconcile-age", "1ms");
  const lines: number[] = [];
  let turns = 0;
  await home.hook({
    name: "index",
    type: "after-receive",
    run: async (batch) => {
      const reading = (async () => {
        let count = 0;
        for await (const line of batch.artifacts()) if (line.includes(" file ")) count += 1;
        return count;
      })();
      turns = await turnsDuring(reading);
      lines.push(await reading);
      // A list may be left, and read once more.
      for await (const line of batch.artifacts()) {
        expect(line).toMatch(/ check-in to main by a on /);
        break;
      }
    },
  });
  world.git(["fast-import", "--quiet"], { cwd: app, input: commit });
  while (lines.length === 0) await home.pass();
  expect(lines).toEqual([files]);
  expect(turns).toBeGreaterThan(20);
});
