/** More of fossil-defects.test.ts: what hooks are told, what they can ask for, and what becomes of what failed. */
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { readArrivals } from "../../src/vcs/fossil/arrivals.ts";
import { listArtifacts } from "../../src/vcs/fossil/listing.ts";
import { readFossil } from "../../src/vcs/fossil/open.ts";
import { openFossil } from "../../src/vcs/fossil.ts";
import type { Span } from "../../src/vcs/repository.ts";
import { until } from "../helpers/cli.ts";
import { checkIns, enterFossil, hashes, incompletePush, makeFossilWorld } from "../helpers/fossil.ts";
import { both } from "../helpers/fossil-both.ts";
import { leave } from "../helpers/served.ts";

const world = makeFossilWorld();
enterFossil(world);
afterAll(() => leave(world));

test("Fossil's D16: a hook is told who pushed, from where, when and as which receipt; Fossil's is not", async () => {
  const b = await both(world);
  world.fossil(["user", "new", "robert", "contact", "pw", "-R", b.path]);
  world.fossil(["user", "capabilities", "robert", "s", "-R", b.path]);
  b.add(
    `cat - > '${b.file("told.new")}'; env >> '${b.file("told.new")}'; mv '${b.file("told.new")}' '${b.file("told")}'`,
  );
  b.r.hook(`cat %A > '${b.file("aux")}'; echo "$GATEPOST_USER" > '${b.file("user")}'`);
  const c = world.apart(b.path);
  world.checkIn(c);
  const server = await world.server(b.path);
  world.push(c, server.url.replace("alice", "robert"));
  await server.stop();
  b.fossilPass(); // that of the push may have done it before
  const told = await until("it ran", () => fs.existsSync(b.file("told")) && fs.readFileSync(b.file("told"), "utf8"));
  expect(told).toContain(" check-in to trunk by alice ");
  expect(told).not.toMatch(/robert|127\.0\.0\.1|rcvid/i);

  await b.r.pass();
  expect(fs.readFileSync(b.file("user"), "utf8")).toBe("robert\n");
  const [receipt] = JSON.parse(fs.readFileSync(b.file("aux"), "utf8")).receipts;
  expect(receipt).toMatchObject({ rcvid: 2, user: "robert", address: "127.0.0.1" });
  expect(Math.abs(Date.parse(receipt.at) - Date.now())).toBeLessThan(60_000);
});

test("Fossil's D17: paths come ended by NUL, deletions count, and a user's name cannot be mistaken, as it can in the line", async () => {
  const b = await both(world);
  const w = world.open(b.path);
  world.checkIn(w, { gone: "1\n" });
  await b.r.pass();
  b.fossilPass();
  await b.fossilGot();
  fs.rmSync(b.file("fossil"));
  world.sql(b.path, "INSERT INTO user(uid, login, cap) VALUES(70, 'Jane by bob on trunk', 's')");
  b.r.hook(`cat > '${b.file("paths")}'`, { stdin: "paths" });
  b.r.hook(`cat %A > '${b.file("aux")}'`, { paths: ["gone"] });
  fs.rmSync(`${w.root}/gone`);
  const name = "x by y on 2020-01-01 file z";
  world.checkIn(w, { [name]: "2\n" }, ["--user-override", "Jane by bob on trunk"]);
  world.sql(b.path, "UPDATE rcvfrom SET uid = 70 WHERE rcvid = 3");
  b.fossilPass();
  const list = await b.fossilGot();
  expect(list).toContain(` file ${name}\n`);
  expect(list).toContain(" check-in to trunk by Jane by bob on trunk on ");
  expect(list).not.toContain("gone\n");
  await b.r.pass();
  expect(b.got("gatepost"), "the line is the same").toBe(world.lines(b.path, 2));
  expect(fs.readFileSync(b.file("paths"), "utf8")).toBe(`${name}\0`);
  expect(JSON.parse(fs.readFileSync(b.file("aux"), "utf8")).receipts).toMatchObject([{ user: "Jane by bob on trunk" }]);
});

test("Fossil's D17: names of tags, deletions and what is private stand in %A; Fossil's hook cannot know them", async () => {
  const b = await both(world);
  const w = world.open(b.path);
  const first = world.checkIn(w, { gone: "1\n", old: "2\n" });
  await b.r.pass();
  b.fossilPass();
  await b.fossilGot();
  fs.rmSync(b.file("fossil"));
  b.r.hook(`cat %A > '${b.file("aux")}'`);
  fs.rmSync(`${w.root}/gone`);
  world.fossil(["mv", "--hard", "old", "new"], { cwd: w.root });
  const second = world.checkIn(w, {}, ["--user-override", "Jane Doe on trunk"]);
  world.fossil(["tag", "add", "release", first, "-R", b.path]);
  world.fossil(["tag", "add", "mistake", first, "-R", b.path]);
  world.fossil(["tag", "cancel", "mistake", first, "-R", b.path]);
  const hidden = world.checkIn(w, { secret: "3\n" }, ["--private"]);
  b.fossilPass();
  const list = await b.fossilGot();
  expect(list).toMatch(/ check-in to trunk by Jane Doe on trunk on \d/);
  expect(list).toContain(` tag ${first.slice(0, 16)}\n`);
  expect(list).toMatch(/ unknown\n/);
  expect(list).toMatch(new RegExp(`^${hidden} check-in to private by alice on `, "m"));
  expect(list).not.toMatch(/release|mistake|gone|old|new/);

  await b.r.pass();
  expect(b.got("gatepost"), "the list is the same").toBe(list);
  const told = JSON.parse(fs.readFileSync(b.file("aux"), "utf8"));
  const byJane = { user: "Jane Doe on trunk", branch: "trunk", comment: "m", parents: [first], private: false };
  expect(told.checkins).toMatchObject([
    { hash: second, ...byJane },
    { hash: hidden, user: "alice", branch: "private", private: true },
  ]);
  expect(told.checkins[0].files).toEqual([
    { path: "gone", change: "deleted" },
    { path: "new", change: "renamed", from: "old" },
    { path: "old", change: "deleted" },
  ]);
  const tags = told.tags.map((tag: Record<string, string>) => [tag["name"], tag["change"], tag["target"]]);
  expect(tags).toEqual([
    ["sym-release", "added", first],
    ["sym-mistake", "added", first],
    ["sym-mistake", "cancelled", first],
  ]);
  for (const { artifact } of told.tags) expect(list).toContain(`${artifact} `);
  expect(told.private).toHaveLength(2);
  expect(told.private).toContain(hidden);
  expect(told.more).toEqual({ checkins: 0, tags: 0, private: 0 });
});

test("Fossil's D18: a hook can ask for branches, paths and kinds of artifact; Fossil knows no such thing", async () => {
  const b = await both(world);
  for (const option of ["--ref", "--path", "--artifact"]) {
    const refused = world.tryFossil([
      "hook",
      "add",
      "--type",
      "after-receive",
      "--command",
      "x",
      option,
      "y",
      "-R",
      b.path,
    ]);
    expect(refused.stderr).toContain("unrecognized command-line option");
  }
  for (const option of ["--ref=refs/heads/rel-*", "--path=src/**", "--artifact=wiki", "--artifact=ticket"]) {
    const args = ["hook", "add", "-R", b.path, "--type", "after-receive", "--command", "true", option];
    expect(world.gatepost(args).code).toBe(0);
  }
  const w = world.open(b.path);
  const ran = async (): Promise<string[]> => {
    const before = b.r.runs().length;
    await b.r.pass();
    return b.r
      .runs()
      .slice(before + 1) // the first hook takes all
      .map(({ state }) => state);
  };
  world.checkIn(w, { "src/a": "1\n" });
  expect(await ran()).toEqual(["skipped", "done", "skipped", "skipped"]);
  world.checkIn(w, { b: "1\n" }, ["--branch", "rel-1"]);
  expect(await ran()).toEqual(["done", "skipped", "skipped", "skipped"]);
  world.wiki(b.path);
  expect(await ran()).toEqual(["skipped", "skipped", "done", "skipped"]);
});

test("Fossil's D19: a stranger's clone lifts no embargo, and what waits comes by itself; with Fossil neither holds", async () => {
  const b = await both(world);
  world.sql(b.path, "UPDATE user SET cap = 'gjorz' WHERE login = 'nobody'");
  b.fossilPass();
  fs.rmSync(b.file("fossil"), { force: true });
  const push = incompletePush(world, b.path);
  b.fossilPass();
  expect([b.got("fossil"), Number(b.config("hook-embargo")) > Date.now() / 1000]).toEqual([null, true]);
  const server = await world.server(b.path);
  world.fossil(["clone", server.anyone, world.at("stranger.fossil")]);
  await server.stop();
  expect(b.config("hook-embargo")).toBe("");
  b.fossilPass();
  const early = await b.fossilGot();
  expect(checkIns(early)).toEqual([push.checkIn]);
  expect(early, "Fossil hands out a check-in whose file nobody has").not.toContain(push.missing);

  await b.r.pass();
  expect(b.got("gatepost")).toBeNull();

  // And the other way: as long as a name has no content, each push renews Fossil's embargo, and no pass comes back.
  fs.rmSync(b.file("fossil"));
  const file = world.clone(b.path, "other.fossil");
  world.wiki(file, "complete");
  world.push({ file }, b.path);
  b.fossilPass();
  expect([b.got("fossil"), Number(b.config("hook-embargo")) > Date.now() / 1000]).toEqual([null, true]);
  b.r.home.db.sqlite.prepare("UPDATE receipt SET at = at - 58500").run();
  world.age(b.path, 58_500, world.newest(b.path));
  await b.r.pass({ stay: true, automatic: true });
  expect(b.got("gatepost")).toContain(' wiki "complete"\n');
  expect(checkIns(b.got("gatepost") ?? "")).toEqual([push.checkIn]);
});

test("Fossil's D23: what comes while hooks are switched off waits; Fossil skips it, and trips over its own list", async () => {
  const b = await both(world);
  b.fossilPass();
  await b.fossilGot();
  fs.rmSync(b.file("fossil"));
  world.fossil(["hook", "edit", "--type", "disabled", "0", "-R", b.path]);
  expect(world.gatepost(["hook", "disable", "all", "-R", b.path]).code).toBe(0);
  world.wiki(b.path, "meanwhile");
  b.fossilPass();
  await b.r.pass();
  world.fossil(["hook", "edit", "--type", "after-receive", "0", "-R", b.path]);
  expect(world.gatepost(["hook", "enable", "all", "-R", b.path]).code).toBe(0);
  b.fossilPass();
  await b.r.pass();
  expect(b.config("hook-last-rcvid"), "it counts as handed out").toBe("2");
  expect(b.got("fossil")).toBeNull();
  expect(b.got("gatepost")).toMatch(/^\w{64} wiki "meanwhile"\n$/);

  const w = world.open(b.path);
  world.sql(b.path, `UPDATE config SET value = '["x"]' WHERE name = 'hooks'`);
  fs.writeFileSync(`${w.root}/own`, "own\n");
  world.fossil(["add", "own"], { cwd: w.root });
  const commit = world.tryFossil(["commit", "-m", "own", "--no-warnings"], { cwd: w.root });
  expect(commit.code).not.toBe(0);
  expect(commit.stderr).toContain("malformed JSON");
  world.sql(b.path, "UPDATE config SET value = 'oops' WHERE name = 'hooks'");
  b.add("true");
  expect(b.config("hooks"), "and what is no list is wiped").toBe('[{"cmd":"true","type":"after-receive","seq":10}]');
  world.sql(b.path, `UPDATE config SET value = '["x"]' WHERE name = 'hooks'`);
  world.wiki(b.path, "on");
  await b.r.pass();
  expect(b.got("gatepost")).toMatch(/^\w{64} wiki "on"\n$/);
});

test("Fossil's D24: a receipt is found and listed by its rows, whatever the size; Fossil has no index to find it by", async () => {
  const file = world.repository();
  const w = world.open(file);
  world.checkIn(w);
  incompletePush(world, file); // so that it is asked what waits for the missing, too
  const since = (await openFossil(file).arrivals(null, [])).watermark;
  world.checkIn(w, { a: "1\n" });
  world.fossil(["tag", "add", "t", "trunk", "-R", file]);
  world.wiki(file);
  const scans = (plan: string): string[] => plan.split("\n").filter((line) => /SCAN (?:blob|b|rcvfrom)\b/.test(line));
  expect(scans(world.sql(file, "EXPLAIN QUERY PLAN SELECT rid FROM blob WHERE rcvid > 4"))).toHaveLength(1);

  const found = await readFossil(file, (db) => {
    const asked = new Set<string>();
    const prepare = db.prepare.bind(db);
    db.prepare = ((sql: string) => {
      asked.add(sql);
      return prepare(sql);
    }) as typeof db.prepare;
    const { arrivals } = readArrivals(db, file, since, []);
    const spans = arrivals.map(({ rcvid, rows }): Span => ({ after: rcvid - 1, upto: rcvid, rows }));
    const list = Buffer.concat([...listArtifacts(db, { spans })]).toString();
    const explain = (sql: string) => {
      const parameters = Object.fromEntries([...sql.matchAll(/:(\w+)/g)].map(([, name]) => [name, 1]));
      const count = sql.split("?").length - 1;
      const rows = prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...(count > 0 ? Array(count).fill(1) : [parameters]));
      return (rows as { detail: string }[]).map(({ detail }) => detail).join("\n");
    };
    const walked = [...asked].filter((sql) => !/ORDER BY r(?:cv)?id(?: DESC)? LIMIT 1$/.test(sql)); // one step, no walk
    return { list, asked: walked.length, scans: walked.flatMap((sql) => scans(explain(sql))) };
  });
  expect(hashes(found.list)).toHaveLength(4);
  expect(found.asked).toBeGreaterThan(5);
  expect(found.scans).toEqual([]);
});

test("Fossil's D25: what failed is listed and tried again, and hooks can be carried to a clone; with Fossil they are gone", async () => {
  const b = await both(world);
  b.add(`echo . >> '${b.file("tries")}'; [ -e '${b.file("mended")}' ]`);
  b.r.set("retry-base", "10ms");
  const command = `[ "$GATEPOST_ATTEMPT" = 2 ]`;
  const add = [
    "hook",
    "add",
    "-R",
    b.path,
    "--type",
    "after-receive",
    "--retries",
    "3",
    "--name",
    "flaky",
    "--command",
    command,
  ];
  expect(world.gatepost(add).code).toBe(0);
  world.wiki(b.path);
  b.fossilPass();
  await until("it ran", () => fs.existsSync(b.file("tries")));
  fs.writeFileSync(b.file("mended"), "");
  b.fossilPass();
  expect(fs.readFileSync(b.file("tries"), "utf8"), "Fossil does not come back to it").toBe(".\n");
  await b.r.pass({ stay: true });
  expect(b.r.runs().find(({ hookName }) => hookName === "flaky")).toMatchObject({ state: "done", attempts: 2 });

  const clone = world.at("d25.fossil");
  const server = await world.server(b.path); // by path it would be a copy
  world.fossil(["clone", server.url, clone]);
  await server.stop();
  expect(world.fossil(["hook", "list", "-R", clone])).toBe("");
  expect(world.gatepost(["init", clone]).code).toBe(0);
  const exported = world.gatepost(["hook", "export", "-R", b.path, "flaky"]).stdout;
  expect(world.gatepost(["hook", "import", "-R", clone, "-"], { input: exported }).code).toBe(0);
  expect(world.gatepost(["hook", "list", "-R", clone]).stdout).toContain(command);
});
