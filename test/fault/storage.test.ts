/** A disk that is full or cannot be written, and a limit on open files: nothing is lost, nobody is held up. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeWorld, program, until } from "../helpers/cli.ts";
import { endDaemonsAfterEach, startDaemon } from "../helpers/daemon.ts";
import { canMount, canSeal, disk, readOnly, sealed, unmount } from "../helpers/disks.ts";
import { brokenPromises } from "../helpers/promises.ts";
import { backdate, enter, leave, type Served, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
endDaemonsAfterEach();
afterAll(() => {
  unmount();
  leave(world);
});

const complete = { complete: true, settled: true };
const whole = (at: Served) => brokenPromises(at.home.dir, complete);
let disks = 0;

/** A served repository whose home is on a small disk of its own. */
async function onDisk(size?: string) {
  const small = disk(world.at(`disk-${++disks}`), size);
  const at = await serve(world, { home: join(small.dir, "home") });
  at.hook("cat > /dev/null");
  return { small, at };
}

/** A push as a person sees it. */
function push(at: Served, env: Record<string, string> = {}) {
  const hash = world.commit(at.clone);
  return { hash, ...world.run(["git", "push", "-q", "origin", "HEAD:refs/heads/main"], { cwd: at.clone, env }) };
}

describe("a disk without room", () => {
  it.skipIf(!canMount)(
    "B1: a push is received all the same, says so in one line, and is found when there is room",
    async () => {
      const { small, at } = await onDisk();
      small.fill();
      const { hash, code, stderr } = push(at);
      expect(code).toBe(0);
      expect(stderr.trim().split("\n")).toEqual([
        expect.stringContaining("no entry could be written to the spool; nothing is lost"),
      ]);
      small.free();
      // A file that could be made but not filled says nothing, and is not mistaken for an entry.
      expect(at.spool().map((file) => fs.statSync(file).size)).toEqual(at.spool().map(() => 0));
      for (const file of at.spool()) backdate(file, 61_000);
      await at.pass();
      expect(at.receipts()).toMatchObject([{ source: "reconciled", updates: [expect.stringContaining(hash)] }]);
      expect(at.runs()).toMatchObject([{ state: "done" }]);
      expect(await whole(at)).toEqual([]);
    },
  );

  it.skipIf(!canMount)(
    "B1: with room for the entry alone it waits in the spool, and who pushed is known later",
    async () => {
      const { small, at } = await onDisk();
      at.home.db.sqlite.pragma("wal_checkpoint(TRUNCATE)");
      small.fill(4096);
      expect(push(at, { GL_USER: "bob" })).toMatchObject({ code: 0, stderr: "" });
      expect(at.spool()).toHaveLength(1);
      await expect(at.pass()).rejects.toMatchObject({ code: "GP_FULL" });
      expect(at.spool()).toHaveLength(1);
      small.free();
      await at.pass();
      expect(at.receipts()).toMatchObject([{ source: "push", user: "bob" }]);
      expect(await whole(at)).toEqual([]);
    },
  );

  it.skipIf(!canMount)(
    "B2: however much room is left, a pass does all of a step or nothing, and the next one goes on",
    async () => {
      const { small, at } = await onDisk();
      let refused = 0;
      for (let left = 0; left <= 64; left += 8) {
        at.home.db.sqlite.pragma("wal_checkpoint(TRUNCATE)");
        push(at);
        small.fill(left * 1024);
        try {
          await at.pass();
        } catch (error) {
          expect(error).toMatchObject({ code: "GP_FULL", exitCode: 6 });
          refused += 1;
        }
        expect(await brokenPromises(at.home.dir, { complete: true }).catch(({ code }) => code)).toSatisfy(
          (found) => found === "GP_FULL" || !(found as { level: string }[]).some(({ level }) => level === "fail"),
        );
        small.free();
        await at.pass();
        expect(await whole(at)).toEqual([]);
      }
      expect(refused).toBeGreaterThan(0);
      expect(at.receipts()).toHaveLength(9);
      expect(at.runs().every(({ state }) => state === "done")).toBe(true);
    },
  );

  it.skipIf(!canMount)("B2: a daemon says it once, goes on, and resumes alone", async () => {
    const { small, at } = await onDisk();
    at.home.db.sqlite.close();
    const { said } = startDaemon(world, ["serve", "--poll", "1", at.path, "--home", at.home.dir]);
    // Whoever starts without room ends with code 6, for a supervisor to start again.
    await until("it serves", () => fs.existsSync(at.home.layout.daemonPid));
    small.fill();
    push(at);
    await until("it complains", () => said().includes("no room"));
    push(at);
    small.fill();
    small.free();
    const isHandedOut = (): boolean =>
      world.gatepost(["runs", "--json", "--home", at.home.dir]).stdout.includes('"done"');
    // An entry that could be made but not filled is waited for, for a minute: it might still be being written.
    for (const file of at.spool()) backdate(file, 61_000);
    await until("what was pushed is handed out", isHandedOut);
    const times = [...said().matchAll(/^(\S+) gatepost: .*no room/gm)].map(([, time = ""]) => Date.parse(time));
    for (const [n, time] of times.slice(1).entries()) expect(time - (times[n] ?? 0)).toBeGreaterThan(59_000);
    expect(said()).toContain("Free some space");
  });

  it.skipIf(!canMount)("B1: what people ask is answered with exit 6 and what to do, or answered", async () => {
    const { small, at } = await onDisk();
    at.home.db.sqlite.close();
    small.fill();
    const where = ["--home", at.home.dir];
    for (const args of [
      ["hook", "add", "--type", "after-receive", "--command", "x".repeat(9000)],
      ["backup", join(small.dir, "copy")],
    ]) {
      const { code, stderr } = world.gatepost([...args, ...where, ...(args[0] === "hook" ? ["-R", at.row.name] : [])]);
      expect([code, stderr]).toEqual([6, expect.stringMatching(/^gatepost: There is no room .*\nFree some space/)]);
    }
    expect([0, 6]).toContain(world.gatepost(["runs", ...where]).code);
    expect(fs.readdirSync(small.dir).sort()).toEqual(["filler", "home"]);
    small.free();
    expect(world.gatepost(["runs", ...where]).code).toBe(0);
  });

  it.skipIf(!canMount)(
    "B14: a backup onto a full disk leaves nothing there, and an earlier one as it was",
    async () => {
      const at = await serve(world);
      const small = disk(world.at(`disk-${++disks}`), "256k");
      const file = join(small.dir, "backup");
      expect(world.gatepost(["backup", file, "-R", at.path]).code).toBe(0);
      const before = fs.readFileSync(file);
      small.fill();
      for (const name of ["backup", "other"]) {
        const { code, stderr } = world.gatepost(["backup", join(small.dir, name), "--force", "-R", at.path]);
        expect([code, stderr]).toEqual([
          6,
          expect.stringMatching(/^gatepost: There is no room to write .*disk-\d+\/(backup|other)/),
        ]);
      }
      expect(fs.readdirSync(small.dir).sort()).toEqual(["backup", "filler"]);
      expect(fs.readFileSync(file).equals(before)).toBe(true);
    },
  );
});

describe("a home that cannot be written", () => {
  const ways: [string, boolean, (at: Served, work: () => void) => Promise<void>][] = [
    ["on a read-only file system", canMount, (at, work) => readOnly(at.home.dir, work)],
    [
      "that is immutable, folder and file",
      canSeal,
      (at, work) => sealed([at.home.dir, at.home.layout.spool, at.home.layout.database], work),
    ],
  ];
  for (const [what, can, during] of ways)
    it.skipIf(!can)(`B7: one ${what} can be read; who writes is refused with its path, and pushes pass`, async () => {
      const at = await serve(world);
      at.hook("cat > /dev/null");
      at.push();
      await at.pass();
      at.home.db.sqlite.close();
      const ask = (...args: string[]) => world.gatepost([...args, "-R", at.path]);
      await during(at, () => {
        for (const args of [["runs"], ["runs", "show", "1"], ["hook", "list"], ["hook", "status"], ["settings"]])
          expect(ask(...args)).toMatchObject({ code: 0, stderr: "" });
        expect(ask("runs").stdout).toContain("a-1");
        expect(push(at)).toMatchObject({ code: 0, stderr: expect.stringContaining("no entry could be written") });
        const writers = [
          ask("hook", "add", "--type", "after-receive", "--command", "true"),
          ask("settings", "window", "all"),
          world.gatepost(["backoffice", at.path]),
        ];
        for (const { code, stderr } of writers)
          expect([code, stderr]).toEqual([
            7,
            expect.stringContaining(`gatepost: ${at.home.layout.database} cannot be `),
          ]);
      });
      expect(world.gatepost(["backoffice", at.path])).toEqual({ stdout: "", stderr: "", code: 0 });
      expect(ask("runs").stdout).toContain("a-2");
      expect(await whole(at)).toEqual([]);
    });
});

describe("a limit on open files", () => {
  it("B5: a daemon that reaches it puts its work off, says so once, and resumes when it may open more", async () => {
    const at = await serve(world);
    at.hook("cat > /dev/null");
    at.home.db.sqlite.close();
    const { child, said } = startDaemon(world, ["serve", "--poll", "1", at.path]);
    await until("it serves", () => fs.existsSync(at.home.layout.daemonPid));
    const limit = (count: number | string) =>
      expect(world.run(["prlimit", "--pid", String(child.pid), `--nofile=${count}:`]).code).toBe(0);
    const open = Math.max(...fs.readdirSync(`/proc/${child.pid}/fd`).map(Number));
    limit(open + 1);
    push(at);
    const before = said();
    await until("it complains", () => said().length > before.length);
    expect(said()).not.toContain("a bug");
    expect(child.exitCode).toBeNull();
    limit(1024);
    await until("the push is handed out", () => world.gatepost(["runs", "-R", at.path]).stdout.includes(" ok\n"));
    const complaints = said()
      .slice(before.length)
      .split("\n")
      .filter((line) => /EMFILE|too many|no room|open files/i.test(line));
    expect(complaints.length).toBeLessThan(4);
    expect(await whole(at)).toEqual([]);
  });

  it("B5: a single call that cannot even start says so and fails as exhausted, whatever the limit", async () => {
    const at = await serve(world);
    at.hook("cat > /dev/null");
    at.push();
    at.home.db.sqlite.close();
    const codes = new Set<number | null>();
    for (const limit of [20, 30, 40, 60, 120, 1024]) {
      const argv = ["prlimit", `--nofile=${limit}:${limit}`, process.execPath, program, "backoffice", at.path];
      const { code, stderr } = world.run(argv);
      expect([0, 6]).toContain(code);
      if (code !== 0) expect(stderr).toMatch(/^gatepost: .*\n.+\n$/);
      codes.add(code);
    }
    expect([...codes].sort()).toEqual([0, 6]);
    expect(world.gatepost(["runs", "-R", at.path]).stdout).toMatch(/ ok\n$/);
    expect(await whole(at)).toEqual([]);
  });
});
