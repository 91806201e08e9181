/**
 * Where Fossil's own backoffice fails people and Gatepost does not, one test for each defect (numbered as in our notes on
 * Fossil): first the real fossil, then Gatepost, as a rule on the same repository and the same arrivals. What Gatepost
 * does in detail is shown by fossil-batches.test.ts and fossil-daemon.test.ts; D7 and D12 to D15 by fossil-gates.test.ts,
 * D8 to D11 by hook-fossil.test.ts.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { readArrivals } from "../../src/vcs/fossil/arrivals.ts";
import { listArtifacts } from "../../src/vcs/fossil/listing.ts";
import { readFossil } from "../../src/vcs/fossil/open.ts";
import { openFossil } from "../../src/vcs/fossil.ts";
import type { Span } from "../../src/vcs/repository.ts";
import { until } from "../helpers/cli.ts";
import {
  checkIns,
  enterFossil,
  hashes,
  incompletePush,
  makeFossilWorld,
  manyFiles,
  watchFossil,
} from "../helpers/fossil.ts";
import { leave, type Watched } from "../helpers/served.ts";
import { another } from "../vcs/fossil-stand.ts";

const world = makeFossilWorld();
enterFossil(world);
afterAll(() => leave(world));

const HOUR = 3_600_000;

/** A repository with a hook of Fossil's and one of Gatepost's, each of which leaves its list in a file. */
class Both {
  readonly r: Watched;

  constructor(r: Watched) {
    this.r = r;
    this.add(`cat > '${this.file("fossil")}.new'; mv '${this.file("fossil")}.new' '${this.file("fossil")}'`);
    r.hook(`cat > '${this.file("gatepost")}'`);
  }

  get path(): string {
    return this.r.path;
  }

  file(name: string): string {
    return `${this.path}-${name}`;
  }

  add(command: string, sequence = 10): void {
    const args = ["--type", "after-receive", "--sequence", `${sequence}`, "--command", command, "-R", this.path];
    world.fossil(["hook", "add", ...args]);
  }

  /** A pass of Fossil's, without a lease. */
  fossilPass(): void {
    world.fossil(["backoffice", "--nolease", this.path]);
  }

  /** What the hook of either got; null where it did not run. */
  got(whose: "fossil" | "gatepost"): string | null {
    return fs.existsSync(this.file(whose)) ? fs.readFileSync(this.file(whose), "utf8") : null;
  }

  /** The same, once Fossil's hook has ended, for which Fossil does not wait. */
  fossilGot(): Promise<string> {
    return until("fossil's hook ran", () =>
      this.got("fossil") === null ? null : { text: this.got("fossil") ?? "" },
    ).then(({ text }) => text);
  }

  /** A row of Fossil's configuration. */
  config(name: string): string {
    return world.sql(this.path, `SELECT value FROM config WHERE name = '${name}'`);
  }
}

const both = async (file = world.repository()): Promise<Both> => new Both(await watchFossil(world, { file }));

test("D1: a lone push after a quiet day reaches the hook; with Fossil it gets an empty list", async () => {
  const file = world.repository();
  world.sql(file, "INSERT INTO config(name, value, mtime) VALUES('hook-last-rcvid', 1, 0)");
  world.age(file, 25 * HOUR);
  const b = await both(file);
  const pushed = world.checkIn(world.open(file));
  b.fossilPass();
  expect(await b.fossilGot()).toBe("");
  expect(b.config("hook-last-rcvid"), "and it is lost").toBe("2");
  await b.r.pass();
  expect(checkIns(b.got("gatepost") ?? "")).toEqual([pushed]);
});

test("D2: what is older than a day is left out by name, or not at all; Fossil drops it without a word", async () => {
  const file = world.repository();
  world.sql(file, "INSERT INTO config(name, value, mtime) VALUES('hook-last-rcvid', 1, 0)");
  world.age(file, 60 * HOUR);
  const b = await both(file);
  b.r.home.db.sqlite.prepare("UPDATE receipt SET at = 0").run();
  const w = world.open(file);
  const pushed = [world.checkIn(w), world.checkIn(w), world.checkIn(w)];
  world.age(file, 48 * HOUR, 2);
  world.age(file, 47 * HOUR, 3);
  b.fossilPass();
  expect(checkIns(await b.fossilGot())).toEqual([]);
  b.r.set("window", "all");
  await b.r.pass();
  expect(checkIns(b.got("gatepost") ?? "")).toEqual(pushed);

  world.checkIn(w);
  world.checkIn(w);
  b.r.set("window", "24h");
  world.age(file, 30 * HOUR, 5);
  b.r.home.db.sqlite.prepare("UPDATE receipt SET at = at - ?").run(40 * HOUR);
  await b.r.pass();
  const run = `${b.r.runs().at(-1)?.id}`;
  expect(world.gatepost(["runs", "show", run, "-R", file]).stdout).toContain(
    "1 receipt older than the window left out",
  );
});

test("D3: a second pass right behind the first works at once; Fossil's does nothing for a minute", async () => {
  const b = await both();
  world.fossil(["backoffice", b.path]);
  world.wiki(b.path);
  fs.rmSync(b.file("fossil"), { force: true });
  const last = b.config("hook-last-rcvid");
  expect(world.tryFossil(["backoffice", "--nodelay", b.path])).toEqual({ stdout: "", stderr: "", code: 0 });
  expect([b.got("fossil"), b.config("hook-last-rcvid")]).toEqual([null, last]);
  const [, expires] = b.config("backoffice").split(" ").map(Number);
  expect((expires ?? 0) - Date.now() / 1000, "the lease, for which it would have slept").toBeGreaterThan(40);

  expect(world.gatepost(["backoffice", b.path]).code).toBe(0);
  world.wiki(b.path, "second");
  expect(world.gatepost(["backoffice", "--nodelay", b.path]).code).toBe(0);
  expect(b.got("gatepost")).toContain(' wiki "second"\n');
});

test("D4: how a hook ended and what it said is kept; Fossil throws away both", async () => {
  const b = await both();
  b.add(`echo said; echo x >&2; : > '${b.file("ran")}'; exit 3`);
  b.r.hook("echo said; echo x >&2; exit 3", { name: "fails", sequence: 1 });
  world.wiki(b.path);
  const passed = world.tryFossil(["backoffice", "--nolease", b.path]);
  await until("it ran", () => fs.existsSync(b.file("ran")));
  expect(passed.code).toBe(0);
  expect(b.config("hook-last-rcvid"), "it counts as done").toBe("2");
  expect(world.fossil(["hook", "status", "-R", b.path]).replace(/'\[.*\n/, "")).not.toMatch(/said|3\b/);
  await b.r.pass();
  const [failed, after] = b.r.runs();
  expect(failed).toMatchObject({ state: "failed", reason: "exit 3" });
  expect(after).toMatchObject({ state: "done" });
  const shown = world.gatepost(["runs", "show", `${failed?.id}`, "-R", b.path]).stdout;
  for (const part of ["exit 3", "said\n", "x\n"]) expect(shown).toContain(part);
});

test("D5: a hook that does not read holds up nobody; with Fossil a commit fails", async () => {
  const r = await watchFossil(world);
  const w = world.open(r.path);
  world.fossil(["settings", "autosync", "off", "-R", r.path]);
  manyFiles(world, r.path);
  const sits = (whose: string): string =>
    `: > '${r.file(whose)}'; while [ ! -e '${r.file("go")}' ]; do sleep 0.02; done; cat > '${r.file(`${whose}-got`)}'`;
  const add = ["hook", "add", "--type", "after-receive", "--command", sits("fossil"), "-R", r.path];
  world.fossil(add);
  world.sql(r.path, "INSERT INTO config(name, value, mtime) VALUES('hook-last-rcvid', 1, 0)");
  fs.writeFileSync(`${w.root}/own`, "own\n");
  world.fossil(["add", "own"], { cwd: w.root });
  const commit = () => world.tryFossil(["commit", "-m", "own", "--no-warnings"], { cwd: w.root });

  const fossil = world.startFossil(["backoffice", "--nolease", r.path]);
  await until("Fossil's hook sits", () => fs.existsSync(r.file("fossil")));
  const refused = commit();
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("database is locked");
  fs.writeFileSync(r.file("go"), "");
  await fossil;

  fs.rmSync(r.file("go"));
  r.hook(sits("gatepost"));
  const gatepost = world.start(["backoffice", r.path]);
  const ended = once(gatepost, "exit");
  await until("Gatepost's hook sits", () => fs.existsSync(r.file("gatepost")));
  expect(commit()).toMatchObject({ code: 0 });
  fs.writeFileSync(r.file("go"), "");
  await ended;
});

test("D6: hooks run one after the other in their sequence; Fossil starts them side by side", async () => {
  const b = await both();
  // The first waits for what the second does, which can only end well where they overlap.
  b.add(`while [ ! -e '${b.file("go")}' ]; do sleep 0.02; done; echo first >> '${b.file("log")}'`, 1);
  b.add(`echo second >> '${b.file("log")}'; : > '${b.file("go")}'`, 2);
  world.wiki(b.path);
  b.fossilPass();
  await until(
    "both ran",
    () => fs.existsSync(b.file("log")) && fs.readFileSync(b.file("log"), "utf8").includes("first"),
  );
  expect(fs.readFileSync(b.file("log"), "utf8")).toBe("second\nfirst\n");

  const log = b.file("log2");
  b.r.hook(`echo 10 begins >> '${log}'`, { sequence: 10 });
  b.r.hook(`echo 9 begins >> '${log}'; cat > /dev/null; sleep 0.1; echo 9 ends >> '${log}'`, { sequence: 9 });
  await b.r.pass();
  expect(fs.readFileSync(log, "utf8")).toBe("9 begins\n9 ends\n10 begins\n");
});

test("D16: a hook is told who pushed, from where, when and as which receipt; Fossil's is not", async () => {
  const b = await both();
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

test("D17: paths come ended by NUL, deletions count, and a user's name cannot be mistaken, as it can in the line", async () => {
  const b = await both();
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

test("D18: a hook can ask for branches, paths and kinds of artifact; Fossil knows no such thing", async () => {
  const b = await both();
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

test("D19: a stranger's clone lifts no embargo, and what waits comes by itself; with Fossil neither holds", async () => {
  const b = await both();
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

test("D20: called twice, and with several repositories, a pass does all of it; Fossil passes over them in silence", async () => {
  const [a, b] = [await both(), await both()];
  world.fossil(["backoffice", a.path, b.path]);
  for (const one of [a, b]) {
    world.wiki(one.path, "later");
    fs.rmSync(one.file("fossil"), { force: true });
  }
  expect(world.tryFossil(["backoffice", a.path, b.path, world.at("none.fossil")])).toMatchObject({
    stderr: "",
    code: 0,
  });
  expect([a.got("fossil"), b.got("fossil")]).toEqual([null, null]);

  world.gatepost(["backoffice", a.path, b.path]);
  for (const one of [a, b]) fs.rmSync(one.file("gatepost"));
  for (const one of [a, b]) world.wiki(one.path, "again");
  const outcome = world.gatepost(["backoffice", a.path, b.path, world.at("none.fossil")]);
  for (const one of [a, b]) expect(one.got("gatepost")).toContain(' wiki "again"\n');
  expect(outcome.code).not.toBe(0);
  expect(outcome.stderr).toContain("none.fossil");
});

test("D21: a commit in WAL mode is seen while somebody reads; Fossil's poll looks at the main file's time alone", async () => {
  const [a, marker] = [await both(), await both()];
  world.fossil(["rebuild", "--wal", a.path]);
  const w = world.open(a.path);
  const poll = spawn("fossil", ["backoffice", "--poll", "1", "--nolease", a.path, marker.path], {
    cwd: world.dir,
    env: world.env,
    stdio: "ignore",
  });
  const ended = once(poll, "exit");
  try {
    // A page in the second repository, once it is handed out, says that a cycle has passed by the first.
    const cycle = async (page: string): Promise<void> => {
      world.wiki(marker.path, page);
      await until("a cycle has passed", () => marker.got("fossil")?.includes(`"${page}"`));
    };
    for (const page of ["1", "2", "3"]) await cycle(page);
    const reader = await another(a.path, 'db.exec("BEGIN"); db.prepare("SELECT count(*) FROM blob").get()');
    const hash = world.checkIn(w);
    for (const page of ["4", "5"]) await cycle(page);
    expect(a.got("fossil") ?? "").not.toContain(hash);
    await a.r.pass();
    expect(a.got("gatepost")).toContain(hash);
    await reader.kill();
  } finally {
    poll.kill("SIGTERM");
    await ended;
  }
});

test("D22: a push by path and a local commit reach the hook; with Fossil not before somebody fetches a page", async () => {
  const b = await both();
  b.fossilPass();
  await b.fossilGot();
  fs.rmSync(b.file("fossil"));
  const daemon = world.start(["serve", "--poll", "3600", b.path]);
  const ended = once(daemon, "exit");
  let said = "";
  daemon.stderr?.on("data", (chunk) => {
    said += chunk;
  });
  await until("the daemon serves", () => said.includes("serving"));
  const c = world.apart(b.path);
  const pushed = world.checkIn(c);
  world.push(c, b.path);
  await until("the push is there", () => b.got("gatepost")?.includes(pushed));
  const local = world.checkIn(world.open(b.path));
  await until("the commit is there", () => b.got("gatepost")?.includes(local));
  daemon.kill("SIGTERM");
  await ended;
  expect(b.got("fossil"), "Fossil has started nothing").toBeNull();
  expect(b.config("hook-last-rcvid")).toBe("1");

  const server = await world.server(b.path);
  expect((await fetch(server.anyone)).status).toBe(200);
  expect(checkIns(await b.fossilGot())).toEqual([pushed, local]);
  await server.stop();
});

test("D23: what comes while hooks are switched off waits; Fossil skips it, and trips over its own list", async () => {
  const b = await both();
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

test("D24: a receipt is found and listed by its rows, whatever the size; Fossil has no index to find it by", async () => {
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

test("D25: what failed is listed and tried again, and hooks can be carried to a clone; with Fossil they are gone", async () => {
  const b = await both();
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
