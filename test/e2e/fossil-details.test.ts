/** What the auxiliary file of a Fossil repository's hooks tells besides the receipts, and to whom. */
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { enterFossil, makeFossilWorld, watchFossil } from "../helpers/fossil.ts";
import { leave } from "../helpers/served.ts";

const world = makeFossilWorld();
enterFossil(world);
afterAll(() => leave(world));

test("check-ins and tags are told to hooks that name the auxiliary file, by %A or by its variable, and to no others", async () => {
  const r = await watchFossil(world);
  const script = r.file("script");
  fs.writeFileSync(script, `cat "$GATEPOST_AUX" > '${r.file("script.json")}'\n`);
  r.hook(`cat %A > '${r.file("place.json")}'`);
  r.hook(`cat "$GATEPOST_AUX" > '${r.file("variable.json")}'`);
  r.hook(`echo %%A; sh '${script}'`);
  const hash = world.checkIn(world.open(r.path));
  await r.pass();
  const [byPlace, byVariable, byScript] = ["place", "variable", "script"].map((name) =>
    JSON.parse(r.read(`${name}.json`)),
  );
  expect(byPlace.checkins).toMatchObject([{ hash, user: "alice", comment: "m" }]);
  expect(Date.parse(byPlace.checkins[0].at)).toBeGreaterThan(Date.now() - 60_000);
  expect(byVariable.checkins).toEqual(byPlace.checkins);
  expect(Object.keys(byPlace)).toEqual([
    ...["run", "attempt", "hook", "repository", "batch", "leftOut"],
    ...["checkins", "tags", "private", "more", "receipts"],
  ]);
  expect(Object.keys(byScript)).toEqual(["run", "attempt", "hook", "repository", "batch", "leftOut", "receipts"]);
});

test("bytes that are no UTF-8 are escaped, and stand in base64 beside it", async () => {
  const r = await watchFossil(world);
  r.hook(`cat %A > '${r.file("aux.json")}'`);
  world.checkIn(world.open(r.path), { a: "1\n", "é\n'": "2\n" });
  world.sql(r.path, "UPDATE filename SET name = CAST(x'ff1b' AS TEXT) WHERE name = 'a'");
  await r.pass();
  expect(JSON.parse(r.read("aux.json")).checkins[0].files).toEqual([
    { path: "é\n'", change: "added" },
    { path: "\\xff\\x1b", pathBase64: Buffer.from([0xff, 0x1b]).toString("base64"), change: "added" },
  ]);
});

test("hook test tells the same", async () => {
  const r = await watchFossil(world);
  const { id } = r.hook(`cat %A > '${r.file("aux.json")}'`);
  const hash = world.checkIn(world.open(r.path), { a: "1\n" });
  world.fossil(["tag", "add", "v1", hash, "-R", r.path]);
  const tried = world.gatepost(["hook", "test", `${id}`, "--base-rcvid", "1", "-R", r.path]);
  expect(tried).toMatchObject({ code: 0 });
  const told = JSON.parse(r.read("aux.json"));
  expect(told.checkins).toMatchObject([{ hash, files: [{ path: "a", change: "added" }] }]);
  expect(told.tags).toMatchObject([{ name: "sym-v1", target: hash }]);
});

test("where the repository cannot be read for them, the hook is not started, waits, and is not blamed", async () => {
  const r = await watchFossil(world);
  const away = r.file("away");
  r.hook(`cat > /dev/null; mv %R '${away}'`); // its own list is made while it runs
  r.hook(`echo "$GATEPOST_ATTEMPT" >> '${r.file("started")}'; cat %A > '${r.file("aux.json")}'`);
  const hash = world.checkIn(world.open(r.path));
  await r.pass();
  fs.renameSync(away, r.path);
  const run = r.runs()[1];
  expect(run).toMatchObject({ state: "waiting", attempts: 1 });
  expect(run && r.attempts(run)).toMatchObject([{ outcome: "stdin-failed", detail: expect.stringContaining(r.path) }]);
  r.home.db.sqlite.prepare("UPDATE run SET due_at = 0 WHERE state = 'waiting'").run();
  await r.pass();
  expect(r.runs()[1]).toMatchObject({ state: "done", attempts: 2, reason: null });
  expect(r.read("started")).toBe("2\n");
  expect(JSON.parse(r.read("aux.json")).checkins).toMatchObject([{ hash }]);
});

test("a tag that a check-in is given at its commit is told with its name", async () => {
  const r = await watchFossil(world);
  r.hook(`cat %A > '${r.file("aux.json")}'`);
  const w = world.open(r.path);
  fs.writeFileSync(`${w.root}/a`, "1\n");
  world.fossil(["add", "a"], { cwd: w.root });
  world.fossil(["commit", "-m", "m", "--tag", "v5.0", "--no-warnings"], { cwd: w.root });
  await r.pass();
  const { checkins, tags } = JSON.parse(r.read("aux.json"));
  const [{ hash }] = checkins;
  expect(tags).toEqual([{ artifact: hash, name: "sym-v5.0", target: hash, change: "added" }]);
});

test("a hook that writes to its own repository each time does not make a pass endless", async () => {
  const r = await watchFossil(world);
  r.hook(`cat > '${r.file("got")}'; echo x | %F wiki create "P$GATEPOST_BATCH" -R %R`);
  world.checkIn(world.open(r.path));
  await r.pass();
  expect(r.runs().map(({ state }) => state)).toEqual(["done", "done"]);
  await r.pass();
  expect(r.runs()).toHaveLength(4);
});

test("uninstall --purge deletes no hooks that fossil would not get back", async () => {
  const r = await watchFossil(world);
  r.hook("true");
  const purged = world.gatepost(["uninstall", "--purge", "-R", r.path]);
  expect(purged.code).toBe(2);
  expect(purged.stderr).toMatch(
    /would be gone for good\. Nothing was changed\.\nGive them to fossil first: gatepost hook export/,
  );
  expect(r.runs()).toEqual([]);
});

test("long options may have one dash, as in Fossil, and values stay as they are", async () => {
  const r = await watchFossil(world);
  const added = world.gatepost([
    "hook",
    "add",
    "-repository",
    r.path,
    "-type",
    "after-receive",
    "-command",
    "echo -poll",
  ]);
  expect(added.code).toBe(0);
  expect(world.gatepost(["hook", "list", "-R", r.path]).stdout).toContain("command = echo -poll\n");
  expect(world.gatepost(["backoffice", "-nodelay", "-min", "60", r.path])).toMatchObject({ code: 0, stderr: "" });
});
