/** What a program's calls mean where it is careless: two at once, nulls, paths, reading too late. */
import * as fs from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { GatepostError, openHome, registerRepository } from "../../src/index.ts";
import { type TestHome, testHome } from "../../src/testing.ts";

let place: TestHome;
const cwd = process.cwd();
beforeEach(async () => {
  place = await testHome();
});
afterEach(async () => {
  process.chdir(cwd);
  await place.dispose();
});

it("a function is called though another one of its name was refused while it was being stored", async () => {
  const called: string[] = [];
  const type = "after-receive";
  const [refused, stored] = await Promise.allSettled([
    place.home.hook({ name: "index", type, retries: -1, run: () => void called.push("refused") }),
    place.home.hook({ name: "index", type, run: () => void called.push("stored") }),
  ]);
  expect([refused.status, stored.status]).toEqual(["rejected", "fulfilled"]);
  await place.push({ a: "a" });
  await place.pass();
  expect(called).toEqual(["stored"]);
  // And one that was refused leaves the one before it in its place.
  await expect(place.home.hook({ name: "index", type, retries: -1, run: () => {} })).rejects.toThrow("retries");
  await place.push({ b: "b" });
  await place.pass();
  expect(called).toEqual(["stored", "stored"]);
});

it("a list that nobody read says that it is over, however late somebody begins", async () => {
  let before: AsyncIterable<string> | undefined;
  let again: (() => AsyncIterable<string>) | undefined;
  await place.home.hook({
    name: "index",
    type: "after-receive",
    run: (batch) => {
      before = batch.artifacts();
      again = batch.artifacts;
    },
  });
  await place.push({ a: "a" });
  await place.pass();
  const after = again?.();
  for (let turns = 0; turns < 50; turns++) await turn(); // the ports have said by now that they closed
  for (const list of [before, after])
    await expect((async () => await list?.[Symbol.asyncIterator]().next())()).rejects.toMatchObject({
      code: "GP_CLOSED",
    });
});

it("a path means what it meant when the call was made", async () => {
  process.chdir(place.dir);
  const calls = [
    place.home.registerRepository("app.git").then(({ repository }) => repository.path),
    registerRepository("app.git", { env: place.env }).then(({ repository }) => repository.path),
    openHome("home", { env: place.env }).then(async (home) => {
      await home.close();
      return home.dir;
    }),
  ];
  process.chdir(cwd);
  expect(await Promise.all(calls)).toEqual([place.repository, place.repository, place.home.dir]);
});

it("whatever a call rejects with has a code", async () => {
  const none = null as unknown as Record<string, never>;
  const gone = fs.mkdtempSync(`${place.dir}/gone`);
  process.chdir(gone);
  fs.rmdirSync(gone);
  const calls = [openHome("home"), registerRepository("app.git"), place.home.registerRepository("app.git")];
  const results = await Promise.allSettled(calls);
  process.chdir(cwd);
  results.push(...(await Promise.allSettled([openHome("a\0b", none), registerRepository("a\0b", none)])));
  expect(results.map((one) => one.status === "rejected" && (one.reason as GatepostError).code)).toEqual([
    ...["GP_NO_FILE", "GP_NO_FILE", "GP_NO_FILE"],
    ...["GP_USAGE", "GP_USAGE"],
  ]);
  for (const one of results) expect(one.status === "rejected" && one.reason).toBeInstanceOf(GatepostError);
});
