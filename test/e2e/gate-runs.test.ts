/**
 * From the record a gate leaves in the spool to what `gatepost runs` shows. The records are written here as a gate writes
 * them; the repository, its home, the backoffice and the program that lists are real.
 */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ByteString, fromText } from "../../src/core/bytes.ts";
import type { Instant } from "../../src/core/units.ts";
import { formatGateEntry, type GateEntry, type GateHook } from "../../src/spool/gate-entry.ts";
import { closeDatabase, type Database, openDatabase, write } from "../../src/store/database.ts";
import { pruneRuns } from "../../src/store/prune.ts";
import { makeWorld, until, type World } from "../helpers/cli.ts";

const bytes = (text: string) => text as ByteString;
const zero = "0".repeat(40);
const one = "1".repeat(40);
const two = "2".repeat(40);

let world: World;
let repository: string;
let home: string;
let names = 0;

beforeAll(() => {
  world = makeWorld();
  repository = world.workTree("app");
  world.commit(repository, { a: "a\n" });
  expect(world.gatepost(["init", repository])).toMatchObject({ code: 0 });
  home = join(repository, ".git", "gatepost");
  expect(gatepost("settings", "automatic-backoffice", "off").code).toBe(0);
  expect(gatepost("hook", "add", "--type", "before-commit", "--name", "lint", "--command", "true").code).toBe(0);
  expect(gatepost("hook", "add", "--type", "before-commit", "--timeout", "5", "--command", "true").code).toBe(0);
});
afterAll(() => world.remove());

const gatepost = (...args: string[]) => world.gatepost(args, { cwd: repository });

type Listed = {
  id: string;
  hook: { id: number; name: string | null };
  batch: number | null;
  what: string;
  state: string;
  reason: string | null;
  attempts: number;
  took: number | null;
  madeAt: string;
  gate: Record<string, unknown> | null;
};

/** What `runs --json` says, oldest first. */
function runs(...args: string[]): Listed[] {
  const { stdout, stderr, code } = gatepost("runs", "--json", ...args);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  return (JSON.parse(stdout) as { runs: Listed[] }).runs.reverse();
}

/** The column END of each line of the table, newest first. */
function ends(...args: string[]): string[] {
  const [head = "", ...lines] = gatepost("runs", ...args)
    .stdout.trimEnd()
    .split("\n");
  return lines.map((line) => line.slice(head.indexOf("END")));
}

const ran = (hook: number, word: (GateHook & { line: "ran" })["word"], status = 0, took = 40): GateHook => ({
  line: "ran",
  ...{ hook, word, status, took },
});

const commit = (change: Partial<GateEntry> = {}): GateEntry => ({
  kind: "gate",
  hook: "pre-commit",
  dir: fromText(join(repository, ".git")),
  ...{ namespace: null, glUser: null, glRepo: null, remoteUser: null, address: null, run: null, clock: null },
  ...{ type: "before-commit", verdict: "pass", took: 120, branch: bytes("refs/heads/main") },
  ...{ authorName: bytes("alice"), authorEmail: bytes("alice@example.org"), authorDate: bytes("@1700000000 +0100") },
  ...{ reason: null, hooks: [ran(1, "pass")], updates: [], more: false },
  ...change,
});
const nobody = { authorName: null, authorEmail: null, authorDate: null, branch: null } as const;
const push = (change: Partial<GateEntry> = {}): GateEntry =>
  commit({
    ...nobody,
    hook: "pre-receive",
    type: "before-receive",
    remoteUser: bytes("bob"),
    updates: [{ old: one, new: two, ref: bytes("refs/heads/main") }],
    ...change,
  });

const spool = (): string => join(home, "spool");
const waiting = (): string[] => fs.readdirSync(spool()).filter((name) => name.endsWith(".entry"));

/** Leaves a record in the spool, as a gate does. Of two with the same time, the one that was left first is read first. */
function leave(entry: GateEntry | Buffer, name = `${String(++names).padStart(6, "0")}.entry`): string {
  fs.writeFileSync(join(spool(), name), Buffer.isBuffer(entry) ? entry : formatGateEntry(entry));
  return name;
}

function withDatabase<T>(work: (db: Database) => T): T {
  const db = openDatabase(join(home, "gatepost.db"));
  try {
    return work(db);
  } finally {
    closeDatabase(db);
  }
}

beforeEach(() => {
  for (const name of waiting()) fs.rmSync(join(spool(), name));
  fs.rmSync(join(spool(), "bad"), { recursive: true, force: true });
  withDatabase((db) => db.sqlite.exec("DELETE FROM run; DELETE FROM gate; DELETE FROM batch"));
});

describe("a gate record", () => {
  it("is in the list as soon as somebody asks, though no backoffice ran, and its file is gone", () => {
    leave(commit({ verdict: "refused", hooks: [ran(1, "pass", 0, 10), ran(2, "refused", 3, 40)] }));
    const { stdout, stderr } = gatepost("runs");
    expect(stderr).toBe("");
    const cells = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/).slice(2));
    expect(cells).toEqual([
      ["REPOSITORY", "HOOK", "WHAT", "TOOK", "END"],
      ["app", "2", "commit on main by alice", "40 ms", "refused (exit 3)"],
      ["app", "lint", "commit on main by alice", "10 ms", "ok"],
    ]);
    expect(waiting()).toEqual([]);
    expect(runs()).toHaveLength(2);
  });

  it("says of each hook what became of it, in the order of the hooks", () => {
    leave(
      commit({
        verdict: "broken",
        hooks: [
          ran(0, "pass"),
          { line: "skipped", hook: 1, why: "path" },
          { line: "skipped", hook: 2, why: "ref" },
          { line: "skipped", hook: 3, why: "asked" },
          { line: "skipped", hook: 4, why: "none" },
          ran(5, "advisory", 1),
          ran(2, "timeout", 143, 7000),
          ran(6, "timeout", 143, 3000),
          ran(7, "signal", 137),
          ran(8, "broken", 127),
          { line: "unrun", hook: 9 },
        ],
      }),
    );
    expect(runs().map(({ hook, state, reason }) => [hook.id, hook.name, state, reason])).toEqual([
      [0, "(chained)", "done", null],
      [1, "lint", "skipped", "no staged path matches --path"],
      [2, null, "skipped", "--ref did not match"],
      [3, null, "skipped", "GATEPOST_SKIP names it"],
      [4, null, "skipped", "no path left for --stdin paths"],
      [5, null, "failed", "exit 1, advisory"],
      [2, null, "failed", "timed out after 5 s"],
      [6, null, "failed", "timed out after 3 s"],
      [7, null, "failed", "killed by signal 9"],
      [8, null, "failed", "could not be run (127)"],
      [9, null, "skipped", "not run: a hook before it refused"],
    ]);
    expect(ends().reverse()).toEqual([
      "ok",
      "skipped: no staged path matches --path",
      "skipped: --ref did not match",
      "skipped: GATEPOST_SKIP names it",
      "skipped: no path left for --stdin paths",
      "exit 1, advisory",
      "broken: timed out after 5 s",
      "broken: timed out after 3 s",
      "broken: killed by signal 9",
      "broken: could not be run (127)",
      "skipped: not run: a hook before it refused",
    ]);
  });

  it("of a gate that did not pass, without a hook that is to blame, shows the gate itself", () => {
    leave(commit({ verdict: "broken", hooks: [], reason: bytes("its compiled file is missing") }));
    leave(commit({ verdict: "broken", hooks: [ran(1, "pass")], reason: bytes("its compiled file is not complete") }));
    leave(commit({ verdict: "broken", hooks: [ran(1, "broken", 1, 0)], reason: bytes("no room for %A") }));
    leave(commit({ verdict: "interrupted", hooks: [], reason: bytes("SIGINT") }));
    leave(commit({ verdict: "interrupted", hooks: [] }));
    leave(commit({ verdict: "pass", hooks: [] }));
    expect(runs().map(({ hook, state, attempts }) => [hook.name, state, attempts])).toEqual([
      ["(gate)", "failed", 0],
      ["lint", "done", 1],
      ["(gate)", "failed", 0],
      ["lint", "failed", 1],
      ["(gate)", "failed", 0],
      ["(gate)", "failed", 0],
      ["(gate)", "done", 0],
    ]);
    expect(ends().reverse()).toEqual([
      "broken: its compiled file is missing",
      "ok",
      "broken: its compiled file is not complete",
      "broken: no room for %A",
      "interrupted: SIGINT",
      "interrupted",
      "ok",
    ]);
  });

  it("is named by what was judged", () => {
    const refs = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ old: one, new: two, ref: bytes(`refs/heads/b${i}`) }));
    for (const entry of [
      commit(),
      commit({ ...nobody }),
      commit({ ...nobody, hook: "pre-merge-commit", branch: bytes("refs/heads/dev") }),
      commit({ hook: "commit-msg", type: "commit-msg" }),
      push(),
      push({ updates: [{ old: zero, new: two, ref: bytes("refs/tags/v1") }] }),
      push({ updates: [{ old: one, new: zero, ref: bytes("refs/heads/main") }] }),
      push({ updates: refs(3) }),
      push({ updates: refs(25), more: true }),
      push({ updates: [] }),
      push({ namespace: bytes("team"), hook: "update", type: "before-ref" }),
      commit({ ...nobody, hook: "pre-push", type: "before-push" }),
      commit({ ...nobody, hook: "pre-rebase", type: "git:pre-rebase" }),
    ])
      leave(entry);
    expect(runs().map(({ what }) => what)).toEqual([
      "commit on main by alice",
      "commit",
      "merge on dev",
      "commit on main by alice",
      "main 1111111..2222222 by bob",
      "v1 2222222 by bob",
      "main deleted by bob",
      "3 refs by bob",
      "25 or more refs by bob",
      "push by bob",
      "refs/namespaces/team/refs/heads/main 1111111..2222222 by bob",
      "push",
      "pre-rebase",
    ]);
  });

  it("has its facts in the JSON", () => {
    leave(push({ verdict: "refused", hooks: [ran(1, "refused", 1, 30)] }));
    const at = expect.stringMatching(/^\d{4}-.*Z$/);
    const user = { user: "bob", claimedUser: null };
    const common = { verdict: "refused", reason: null, branch: null, author: null, took: 120, at, ...user };
    expect(runs()).toMatchObject([{ batch: null, took: 30, attempts: 1, state: "failed", reason: "exit 1" }]);
    expect(runs()[0]?.gate).toEqual({
      ...common,
      type: "before-receive",
      native: "pre-receive",
      updates: [{ ref: "refs/heads/main", old: one, new: two }],
    });
    leave(commit());
    expect(runs()[1]?.gate).toMatchObject({
      branch: "refs/heads/main",
      author: { name: "alice", email: "alice@example.org", date: "@1700000000 +0100" },
    });
  });

  it.skipIf(process.getuid?.() !== 0)("of another user is by that user, whoever the environment claims", () => {
    const name = leave(push());
    fs.chownSync(join(spool(), name), 54321, 54321);
    expect(runs()[0]).toMatchObject({
      what: "main 1111111..2222222 by uid 54321",
      gate: { user: "uid 54321", claimedUser: "bob" },
    });
  });

  it("shows nothing of a stranger's bytes raw", () => {
    const wild = bytes("\x1b[2J\u00e2\u0080\u00ae\xff\nx");
    leave(
      commit({ authorName: wild, branch: wild, authorEmail: wild, authorDate: wild, reason: wild, verdict: "broken" }),
    );
    leave(push({ remoteUser: wild, updates: [{ old: one, new: two, ref: bytes("refs/heads/\x1b[2J\xff") }] }));
    const [first] = runs();
    const ids = runs().map(({ id }) => id);
    expect(first?.what).toContain("\\x1b[2J");
    for (const args of [["runs"], ["runs", "--json"], ...ids.map((id) => ["runs", "show", id])])
      expect(gatepost(...args).stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  });

  it("is as old as its file, but not of the future", () => {
    const [past, future] = [leave(commit()), leave(commit())];
    const day = Math.trunc(Date.now() / 1000) - 86_400;
    fs.utimesSync(join(spool(), past), day, day);
    fs.utimesSync(join(spool(), future), day + 1e6, day + 1e6);
    const [first, second] = runs();
    expect(Date.parse(first?.madeAt ?? "")).toBe(day * 1000);
    expect(Date.parse(second?.madeAt ?? "")).toBeLessThanOrEqual(Date.now());
    expect(runs("--since", "1h").map(({ id }) => id)).toEqual([second?.id]);
  });
});

describe("the filters of the list", () => {
  it("find refusals with --failed, and only gates that did not pass with --refused", () => {
    leave(commit());
    leave(commit({ hooks: [ran(1, "advisory", 1)] }));
    leave(commit({ verdict: "refused", hooks: [ran(1, "pass"), ran(2, "refused", 1), { line: "unrun", hook: 3 }] }));
    leave(commit({ verdict: "broken", hooks: [], reason: bytes("its compiled file is missing") }));
    leave(commit({ verdict: "interrupted", hooks: [] }));
    expect(runs("--failed").map(({ reason }) => reason)).toEqual([
      "exit 1, advisory",
      "exit 1",
      "its compiled file is missing",
      "interrupted",
    ]);
    expect(runs("--refused").map(({ hook, state }) => [hook.id, state])).toEqual([
      [1, "done"],
      [2, "failed"],
      [3, "skipped"],
      [0, "failed"],
    ]);
    expect(runs("--refused", "--failed").map(({ hook }) => hook.id)).toEqual([2, 0]);
    expect(runs("--hook", "lint").map(({ gate }) => gate?.["verdict"])).toEqual(["pass", "pass", "refused"]);
    expect(runs("--limit", "1")).toMatchObject([{ reason: "interrupted" }]);
  });
});

describe("a single run of a gate", () => {
  it("is shown with its gate, by whom, the verdict and its attempt", () => {
    const name = leave(commit({ verdict: "refused", hooks: [ran(1, "refused", 3, 40)] }));
    fs.utimesSync(join(spool(), name), 1_700_000_100, 1_700_000_100);
    const [{ id } = { id: "" }] = runs();
    const user = world.run(["id", "-un"]).stdout.trim();
    expect(gatepost("runs", "show", id).stdout.split("\n")).toEqual([
      `run ${id}: hook 1 (lint) before-commit on app`,
      "gate pre-commit: commit on main by alice; refused in 120 ms at 2023-11-14 22:15:00 UTC",
      `  called by ${user}`,
      "  author alice <alice@example.org>, @1700000000 +0100",
      "attempt 1  22:14:59  40 ms  exit 3",
      "failed: exit 3",
      "",
    ]);
    leave(push({ verdict: "refused", hooks: [ran(1, "signal", 137)] }));
    const second = runs()[1]?.id ?? "";
    const shown = gatepost("runs", "show", second).stdout;
    expect(shown).toContain("\n  called by bob\n  refs/heads/main 111111111111..222222222222\n");
    expect(shown).toMatch(/\nattempt 1 .* signal SIGKILL\nfailed: killed by signal 9\n$/);
    expect(JSON.parse(gatepost("runs", "show", second, "--json").stdout)).toMatchObject({
      gate: { native: "pre-receive" },
      receipts: [],
      attempts: [{ number: 1, outcome: "signal", detail: "SIGKILL", took: 40 }],
    });
  });

  it("began when those before it had ended", () => {
    const name = leave(commit({ took: 16_000, hooks: [ran(1, "pass", 0, 10_000), ran(2, "pass", 0, 5000)] }));
    fs.utimesSync(join(spool(), name), 1_700_000_016, 1_700_000_016);
    const started = runs().map(({ id }) => gatepost("runs", "show", id).stdout.match(/^attempt 1 .*$/m)?.[0]);
    expect(started).toEqual(["attempt 1  22:13:20  10 s  exit 0", "attempt 1  22:13:30  5 s  exit 0"]);
  });

  it("cannot be run again or given up, and the call says what can be done instead", () => {
    leave(commit({ verdict: "refused", hooks: [ran(0, "pass"), ran(1, "refused", 3)] }));
    const [chained, own] = runs().map(({ id }) => id);
    for (const verb of ["replay", "release", "drop"])
      expect(gatepost("runs", verb, own ?? "")).toEqual({
        stdout: "",
        stderr: `gatepost: Run ${own} is of a gate: its hook ran while somebody committed or pushed, and cannot run again.\nTo try the hook: gatepost hook test lint\n`,
        code: 2,
      });
    expect(gatepost("runs", "replay", chained ?? "").stderr).toContain(
      "The gate runs anew at the next commit or push.",
    );
    expect(runs()).toHaveLength(2);
  });
});

describe("storing a gate record", () => {
  it("that is in the database already only removes its file", () => {
    const name = leave(commit());
    expect(runs()).toHaveLength(1);
    leave(commit({ hooks: [ran(1, "refused", 1)], verdict: "refused" }), name);
    expect(runs()).toMatchObject([{ state: "done" }]);
    expect(waiting()).toEqual([]);
  });

  it("happens once, however many find it at the same time", async () => {
    for (let i = 0; i < 300; i += 1) leave(commit());
    const outcomes = await Promise.all(
      Array.from({ length: 6 }, () => world.call(["runs"], { cwd: repository })).concat(
        world.call(["backoffice"], { cwd: repository }),
      ),
    );
    expect(outcomes.map(({ code }) => code)).toEqual(outcomes.map(() => 0));
    expect(runs("--limit", "1000")).toHaveLength(300);
    expect(waiting()).toEqual([]);
  });

  it("is done by a backoffice too, which reads no refs because of it and makes no receipt of it", () => {
    expect(gatepost("backoffice").code).toBe(0);
    const lookedAt = () => withDatabase((db) => db.sqlite.prepare("SELECT looked_at FROM repository").pluck().get());
    const before = lookedAt();
    leave(push({ verdict: "refused", hooks: [ran(1, "refused", 1)] }));
    expect(gatepost("backoffice")).toMatchObject({ code: 0 });
    expect(waiting()).toEqual([]);
    const counts = withDatabase((db) =>
      db.sqlite
        .prepare("SELECT (SELECT count(*) FROM gate) AS gates, (SELECT count(*) FROM receipt) AS receipts")
        .get(),
    );
    expect(counts).toEqual({ gates: 1, receipts: 0 });
    expect(lookedAt()).toBe(before);
  });

  it("sets aside what no gate wrote, and what was written for another repository, with the reason", () => {
    leave(Buffer.from("gatepost 1\nkind gate\nhook pre-commit\ndir /r\nend 0\n"), "odd.entry");
    leave(commit({ dir: fromText(world.dir) }), "stranger.entry");
    leave(commit());
    expect(runs()).toHaveLength(1);
    expect(waiting()).toEqual([]);
    const reason = (name: string) => fs.readFileSync(join(spool(), "bad", `${name}.entry.reason`), "utf8");
    expect(reason("odd")).toBe("names no hook type\n");
    expect(reason("stranger")).toBe(`${world.dir} was copied or moved: gatepost init\n`);
    leave(Buffer.from("gatepost 1\nkind gate\nhook pre-commit\ndir /r\nend 0\n"), "again.entry");
    leave(commit({ dir: fromText(world.dir) }), "foreign.entry");
    expect(gatepost("backoffice").code).toBe(0);
    expect([reason("again"), reason("foreign")]).toEqual([reason("odd"), reason("stranger")]);
  });

  it("leaves one that is being written alone, and entries of pushes to the backoffice", () => {
    const whole = formatGateEntry(commit());
    leave(whole.subarray(0, whole.length - 3), "half.entry");
    leave(Buffer.from(`gatepost 1\nkind work\nhook post-commit\ndir ${repository}/.git\nend 0\n`), "work.entry");
    const { stderr } = gatepost("runs");
    expect(stderr).toContain("Nothing ran yet.\nOne receipt waits in the spool");
    expect(waiting().sort()).toEqual(["half.entry", "work.entry"]);
    fs.writeFileSync(join(spool(), "half.entry"), whole);
    expect(runsWithHint()).toHaveLength(1);
    expect(waiting()).toEqual(["work.entry"]);
  });

  const runsWithHint = (): Listed[] => (JSON.parse(gatepost("runs", "--json").stdout) as { runs: Listed[] }).runs;

  it("is put off without a word while another process writes, and the list comes all the same", async () => {
    leave(commit());
    const source = new URL("../../dist/store/database.js", import.meta.url).href;
    const script = `
      const { openDatabase } = await import("${source}");
      const db = openDatabase(${JSON.stringify(join(home, "gatepost.db"))});
      db.sqlite.exec("BEGIN IMMEDIATE");
      console.log("held");
      process.stdin.once("data", () => { db.sqlite.close(); process.exit(0); });`;
    const writer = spawn(process.execPath, ["--input-type=module", "-e", script]);
    try {
      let held = false;
      writer.stdout.once("data", () => {
        held = true;
      });
      await until("the database is held", () => held);
      expect(gatepost("runs")).toEqual({ stdout: "", stderr: "Nothing ran yet.\n", code: 0 });
      expect(waiting()).toHaveLength(1);
    } finally {
      writer.stdin.end("go\n");
    }
    await until("the writer is gone", () => writer.exitCode !== null);
    expect(runs()).toHaveLength(1);
  });

  it("is left to the original while the home is a copy, and to the owner where somebody else asks", () => {
    const copy = world.at("copy");
    leave(commit());
    fs.cpSync(repository, copy, { recursive: true });
    expect(world.gatepost(["runs", "--json", "--home", join(copy, ".git/gatepost")]).stdout).toBe(
      '{\n  "runs": []\n}\n',
    );
    expect(fs.readdirSync(join(copy, ".git/gatepost/spool")).filter((name) => name.endsWith(".entry"))).toHaveLength(1);
    fs.rmSync(copy, { recursive: true });
    if (process.getuid?.() !== 0) return;
    fs.chownSync(home, 12345, 12345);
    try {
      expect(gatepost("runs", "--json"), "not even root opens it").toMatchObject({ stdout: "", code: 7 });
      expect(waiting()).toHaveLength(1);
    } finally {
      fs.chownSync(home, 0, 0);
    }
    expect(runs()).toHaveLength(1);
  });
});

describe("retention", () => {
  it("takes a gate with the last of its runs, and never before", () => {
    leave(push({ hooks: [ran(1, "pass"), ran(2, "pass"), ran(3, "pass")] }));
    leave(commit());
    expect(runs()).toHaveLength(4);
    const left = (limit: number, keep = 0) =>
      withDatabase((db) => {
        write(db, () => pruneRuns(db, (Date.now() + 1000) as Instant, keep, limit));
        const count = (table: string) => db.sqlite.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
        return [count("run"), count("attempt"), count("gate"), count("gate_update")];
      });
    expect(left(2)).toEqual([2, 2, 2, 1]);
    expect(left(10, 2)).toEqual([2, 2, 2, 1]);
    expect(left(1)).toEqual([1, 1, 1, 0]);
    leave(commit());
    expect(runs()).toHaveLength(2);
    expect(left(10)).toEqual([1, 1, 1, 0]); // the last run of a repository always stays
  });
});
